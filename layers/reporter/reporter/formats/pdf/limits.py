"""How much one PDF document may hold; a plain table of numbers, which needs no engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PdfLimits:
    """``html_bytes``: the document before it is laid out. ``nesting``: elements inside one another. ``data_url_bytes``:
    one URL, as it is written. ``image_pixels``: all different images of a document together.
    """

    html_bytes: int = 32 * 1024 * 1024
    pages: int = 2000
    nesting: int = 200
    data_url_bytes: int = 4 * 1024 * 1024
    image_pixels: int = 25_000_000
