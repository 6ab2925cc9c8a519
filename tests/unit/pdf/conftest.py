"""A renderer that makes documents in PDF, shared by a module's tests, and a short way to give it work."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pytest
from reporter.dataset import SpoolWriter
from reporter.deadline import FOR_EVER, Deadline
from reporter.document import Document
from reporter.formats.pdf.limits import PdfLimits
from reporter.renderer.client import Job, Renderer
from reporter.renderer.containment import Limits

MB = 1024 * 1024
LIMITS = Limits(seconds=12, cpu_seconds=3, memory_bytes=256 * MB, output_bytes=20 * MB)
PDF_LIMITS = PdfLimits(html_bytes=4 * MB, pages=50, nesting=100, data_url_bytes=100_000, image_pixels=1_000_000)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """A document, and what a reader sees of it."""

    document: Document

    @property
    def content(self) -> bytes:
        """All bytes."""
        return self.document.path.read_bytes()

    @property
    def warnings(self) -> str:
        """All warnings as one text."""
        return "\n".join(self.document.warnings)

    @property
    def pages(self) -> list[str]:
        """The text of each page, a space for every white space."""
        with pypdfium2.PdfDocument(self.content) as opened:
            return [" ".join(page.get_textpage().get_text_range().split()) for page in opened]

    @property
    def text(self) -> str:
        """The text of all pages."""
        return " ".join(self.pages)


Making = Callable[..., Made]


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    made = Renderer(LIMITS, PDF_LIMITS)
    yield made
    made.close()


@pytest.fixture
def pdf(renderer: Renderer, tmp_path: Path) -> Making:
    """``pdf(template, rows, columns)``: over the table ``erp.t``."""
    count = 0

    def making(
        template: str,
        rows: Sequence[tuple[Any, ...]] = (),
        columns: Sequence[str] = ("a", "b"),
        now: datetime = NOW,
        seconds: float | None = None,
    ) -> Made:
        nonlocal count
        count += 1
        folder = tmp_path / f"report-{count}"
        folder.mkdir()
        writer = SpoolWriter(folder, 10**9, 10**9)
        writer.write("erp", "t", columns, [rows])
        job = Job(template, "PDF", {"erp": {"t": "t"}}, writer.tables, now)
        return Made(renderer.render(job, folder, deadline=FOR_EVER if seconds is None else Deadline(seconds)))

    return making
