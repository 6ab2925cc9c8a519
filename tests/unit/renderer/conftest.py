"""A renderer process shared by the tests of a module, and a short way to give it work."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from reporter.dataset import SpoolWriter
from reporter.deadline import FOR_EVER, Deadline
from reporter.document import Document
from reporter.renderer.client import Job, Renderer
from reporter.renderer.containment import Limits

MB = 1024 * 1024
LIMITS = Limits(seconds=20, cpu_seconds=1, memory_bytes=128 * MB, output_bytes=20 * MB)
PLANTED = "planted-secret-4711"

Rendering = Callable[..., Document]


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    """Started with a secret in the environment of the worker, which it must not see."""
    os.environ["PLANTED_SECRET"] = PLANTED
    made = Renderer(LIMITS)
    yield made
    made.close()
    del os.environ["PLANTED_SECRET"]


@pytest.fixture
def render(renderer: Renderer, tmp_path: Path) -> Rendering:
    """``render(template, format, rows=…, columns=…, …)``: over the table ``erp.t``; named values change the job."""
    count = 0

    def rendering(
        template: str,
        output_format: str = "TXT",
        rows: Sequence[tuple[Any, ...]] = (),
        columns: Sequence[str] = ("a", "b"),
        cancelled: Callable[[], bool] = lambda: False,
        seconds: float | None = None,
        **changes: Any,
    ) -> Document:
        nonlocal count
        count += 1
        folder = tmp_path / f"report-{count}"
        folder.mkdir()
        writer = SpoolWriter(folder, 10**9, 10**9)
        writer.write("erp", "t", columns, [rows])
        now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        job = replace(Job(template, output_format, {"erp": {"t": "t"}}, writer.tables, now), **changes)
        return renderer.render(job, folder, cancelled, FOR_EVER if seconds is None else Deadline(seconds))

    return rendering
