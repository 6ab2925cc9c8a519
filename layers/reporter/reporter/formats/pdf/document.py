"""A PDF document from the HTML that a template prints."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from reporter.errors import ReportFailure
from reporter.formats.pdf import engine, missing_glyphs
from reporter.formats.pdf.bookmarks import mark_headings
from reporter.formats.pdf.finishing import update_of
from reporter.formats.pdf.limits import PdfLimits
from reporter.formats.pdf.links import without_other_links
from reporter.formats.pdf.markup import check_markup
from reporter.formats.writing import DocumentWriter
from reporter.limit import FEWER_ROWS, passed


class PdfFromHtml:
    """``write`` takes the HTML piece by piece; ``finish`` writes the document."""

    def __init__(self, writer: DocumentWriter, limits: PdfLimits, now: datetime) -> None:
        self._writer = writer
        self._limits = limits
        self._now = now
        self._pieces: list[str] = []
        self._size = 0

    def write(self, text: str) -> None:
        """Raises ``ReportFailure`` TEMPLATE_OUTPUT beyond the limit."""
        self._size += len(text) if text.isascii() else len(text.encode())
        if self._size > self._limits.html_bytes:
            message = passed("the document's HTML has", self._limits.html_bytes, "bytes", FEWER_ROWS, "PdfHtmlBytes")
            raise ReportFailure("TEMPLATE_OUTPUT", message)
        self._pieces.append(text)

    def finish(self) -> list[str]:
        """The warnings.

        Raises ``ReportFailure``: TEMPLATE_OUTPUT (too many pages), TEMPLATE_RECURSION, TEMPLATE_MEMORY, DOCUMENT_INVALID.
        """
        text = "".join(self._pieces)
        self._pieces.clear()
        check_markup(text, self._limits)
        text, dropped = without_other_links(text)
        text, bookmarks = mark_headings(text)
        pages = engine.HtmlPages(text)
        if pages.count > self._limits.pages:
            message = passed("the document has", self._limits.pages, f"pages, {pages.count} in all", FEWER_ROWS, "PdfPages")
            raise ReportFailure("TEMPLATE_OUTPUT", message)
        pages.write(self._writer.write_bytes)
        self._writer.write_bytes(update_of(self._writer.read(), pages.count, bookmarks, self._now))
        return [*pages.warnings, *dropped, *missing_glyphs.warnings_for(text)]


_SAMPLE = """<title>é 日</title><meta name=author content="é 日"><h1>a</h1><h2 id="é">é 日</h2><h2>é</h2>
<img src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>"><p>&eacute; 日</p>"""


def load() -> None:
    """Load everything that a contained child could not: the engine, the fonts, what they cover, what all of it imports."""
    engine.load()
    descriptor = os.memfd_create("sample")
    try:
        sample = PdfFromHtml(DocumentWriter(descriptor, 1 << 20), PdfLimits(), datetime.now(UTC))
        with _silent():
            sample.write(_SAMPLE + engine.every_font())
            sample.finish()
    finally:
        os.close(descriptor)


@contextmanager
def _silent() -> Iterator[None]:
    """The engine tells the standard error of the sample's image, which is none; nobody should wonder at that."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
