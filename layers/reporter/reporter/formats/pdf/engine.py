"""The engine that lays HTML out on pages, held so that a document reaches no file and no address.

It is loaded, with every font mapped into memory, before a child is contained; a contained child can open nothing.
"""

import importlib.util
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reporter.errors import ReportFailure

if TYPE_CHECKING:
    import plutoprint

PIECE_BYTES = 1 << 18
MAX_NAMED = 10
"""So many addresses that were not fetched are named; the others are counted."""
BASE_URL = "reporter:/document/"
"""What relative addresses are relative to: nothing lies there."""
STYLES = ("normal", "italic")
WEIGHTS = ("400", "700")


def available() -> bool:
    """Whether the engine and the fonts are here, and run here: they come in a layer that not every function has."""
    try:
        importlib.import_module("plutoprint")
    except ImportError:
        # Not there, or made for a newer C library.
        return False
    return importlib.util.find_spec("reporter_fonts") is not None


def load() -> None:
    """Load the engine, and tell it of the fonts."""
    import plutoprint

    plutoprint.plutobook_set_fontconfig_path(str(fonts_folder()))


def every_font() -> str:
    """HTML that shows something in each font: what was laid out once stays in memory."""
    families = ("sans-serif", "serif", "monospace")
    styles = [f"font-family:{f};font-weight:{w};font-style:{s}" for f in families for w in WEIGHTS for s in STYLES]
    return "".join(f'<p style="{style}">Aé✓😀📄</p>' for style in styles)


def fonts_folder() -> Path:
    """Where the fonts lie, and the configuration that names them."""
    found = importlib.util.find_spec("reporter_fonts")
    if found is None or found.origin is None:
        raise ReportFailure("FORMAT_NOT_AVAILABLE", "the fonts for documents in PDF are not installed here")
    return Path(found.origin).parent


class HtmlPages:
    """A document laid out on pages. Raises ``ReportFailure`` DOCUMENT_INVALID when the engine refuses it."""

    def __init__(self, html: str) -> None:
        import plutoprint

        self._engine = plutoprint
        self.refused: dict[str, None] = {}
        self._fetcher = _deny_all(plutoprint, self.refused)
        self._book = plutoprint.Book()
        self._book.custom_resource_fetcher = self._fetcher
        try:
            self._book.load_html(html, base_url=BASE_URL)
            self.count = self._book.get_page_count()
        except plutoprint.Error as error:
            raise ReportFailure("DOCUMENT_INVALID", f"the document cannot be laid out: {error}") from None

    def write(self, write: Callable[[bytes], object]) -> None:
        """The PDF, piece by piece. Raises what ``write`` raises."""
        stream: Any = _Stream(write)
        # No date, instead of the present one: the same data must make the same bytes.
        self._book.set_metadata(self._engine.PDF_METADATA_CREATION_DATE, "none")
        with suppress(self._engine.Error):
            self._book.write_to_pdf_stream(stream)
        stream.flush()
        if stream.failure is not None:
            raise stream.failure

    @property
    def warnings(self) -> list[str]:
        """What the document asked for and did not get."""
        named = [f"{url} was not loaded: a document reaches no address and no file, only data: URLs" for url in self.refused]
        more = len(named) - MAX_NAMED
        return named if more <= 0 else [*named[:MAX_NAMED], f"{more} more addresses were not loaded"]


class _Stream:
    """What the engine writes to, in small pieces; keeps the first failure, which the engine does not pass on."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._pieces = bytearray()
        self.failure: BaseException | None = None

    def write(self, content: Any) -> int:
        self._pieces += content
        if len(self._pieces) >= PIECE_BYTES:
            self.flush()
        return len(content)

    def flush(self) -> None:
        """Pass on what there is."""
        content = bytes(self._pieces)
        self._pieces.clear()
        if self.failure is None:
            try:
                self._write(content)
            except BaseException as error:  # noqa: BLE001 - raised again when the engine returns
                self.failure = error


def _deny_all(engine: Any, refused: dict[str, None]) -> "plutoprint.ResourceFetcher":
    class DenyAll(engine.ResourceFetcher):  # type: ignore[misc]
        """The engine resolves ``data:`` itself and asks here for everything else."""

        def fetch_url(self, url: str) -> Any:
            refused[url.removeprefix(BASE_URL)[:200]] = None
            return engine.ResourceData(b"")

    made: plutoprint.ResourceFetcher = DenyAll()
    return made
