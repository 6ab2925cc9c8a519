"""A document: the finished bytes of one report, on local disk until they are stored."""

from dataclasses import dataclass
from pathlib import Path

CONTENT_TYPES = {
    "HTML": "text/html",
    "PDF": "application/pdf",
    "XML": "application/xml",
    "CSV": "text/csv",
    "TXT": "text/plain",
    "JSON": "application/json",
    "XLSX": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""Output format → content type. Its keys are the formats there are."""
TEXT_FORMATS = frozenset(CONTENT_TYPES) - {"PDF", "XLSX"}


def file_name(report_id: str, output_format: str) -> str:
    """The name a download gets: ``<id>.<ext>``."""
    return f"{report_id}.{output_format.lower()}"


@dataclass(frozen=True, slots=True)
class RowCounts:
    """``read``: what the sources delivered by their own count. ``written``: what the document was made from."""

    read: int
    written: int


@dataclass(frozen=True, slots=True)
class Document:
    """A rendered file: ``size`` in bytes, ``sha256`` in hexadecimal, warnings for the report's record."""

    path: Path
    size: int
    sha256: str
    warnings: tuple[str, ...] = ()
