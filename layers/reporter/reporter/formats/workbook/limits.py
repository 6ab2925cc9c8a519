"""How much a workbook may hold; a plain table of numbers."""

from dataclasses import dataclass

from reporter.limit import FEWER_ROWS, passed

SIMPLER = "make the template simpler"


@dataclass(frozen=True, slots=True)
class WorkbookLimits:
    """Of a template: ``parts`` in its file; ``bytes`` of all unpacked; ``part_bytes`` and ``part_elements`` of one that is
    understood; ``tags`` looked at until it is understood, those of a part that is looked at again once more. Of a document:
    ``sheets``.
    """

    parts: int = 2_000
    bytes: int = 64 * 1024 * 1024
    part_bytes: int = 16 * 1024 * 1024
    part_elements: int = 300_000
    tags: int = 1_000_000
    sheets: int = 10_000


DEFAULT = WorkbookLimits()


def too_many_sheets(most: int) -> str:
    """What is said of a document beyond ``sheets``."""
    return passed("the workbook has", most, "sheets", FEWER_ROWS, "WorkbookSheets")
