"""The cells of one row, from the line that a rendering made of them."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reporter.errors import ReportFailure
from reporter.language.cells import CELL_END, OWN, SHOWN, TOO_EXACT, VALUE, shown, text_cell
from reporter.limit import passed

MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384
MOST_CHARACTERS = 32_767
"""What Excel holds; not to be set."""
MOST_WARNINGS = 50

_PARTS = re.compile(f"([{VALUE}{OWN}])([^{VALUE}{OWN}]*)")
_HIDDEN = re.compile(f"{SHOWN}[^{SHOWN}]*{SHOWN}")


class Cell(NamedTuple):
    """``rest``: the cell's XML behind its reference. ``shown``: its text. ``own``: the template's own text is in it."""

    rest: str
    shown: str
    own: bool = False
    inexact: bool = False


EMPTY = Cell("/>", "")


def column_name(number: int) -> str:
    """1 is A, 27 is AA."""
    name = ""
    while number:
        number, letter = divmod(number - 1, 26)
        name = chr(65 + letter) + name
    return name


def without_hidden(xml: str) -> str:
    """Without the texts that only count beside other text."""
    return _HIDDEN.sub("", xml) if SHOWN in xml else xml


def cells_of(line: str) -> Iterator[Cell]:
    """The cells of a line, from the first column on."""
    return map(cell_of, line.split(CELL_END))


def cell_of(field: str) -> Cell:
    """A field that is one value keeps its type; with the template's own text around it, it is text."""
    parts = _PARTS.findall(field)
    values = [content for mark, content in parts if mark == VALUE]
    own = "".join(content for mark, content in parts if mark == OWN)
    if len(values) == 1 and not own.strip():
        rest = values[0]
        inexact = rest.startswith(TOO_EXACT)
        return Cell(without_hidden(rest[inexact:]), shown(rest), False, inexact)
    if not values and not own:
        return EMPTY
    text = "".join(content if mark == OWN else shown(content) for mark, content in parts)
    return Cell(text_cell(text), text, bool(own.strip()))


def too_many_rows(sheet: str) -> ReportFailure:
    """What is raised where a sheet is full."""
    message = passed(f"sheet {sheet} has", MOST_ROWS, "rows", "begin another sheet, or use CSV")
    return ReportFailure("DOCUMENT_INVALID", message)


class Place:
    """Where a cell stands, for errors and warnings."""

    def __init__(self, sheet: str, row: int) -> None:
        self.sheet = sheet
        self.row = row

    def named(self, column: int) -> str:
        """``sheet Name, cell C5``."""
        return f"sheet {self.sheet}, cell {column_name(column)}{self.row}"

    def check(self, cells: Sequence[Cell]) -> None:
        """Raises ``ReportFailure`` for what the row of a sheet cannot hold."""
        if self.row > MOST_ROWS:
            raise too_many_rows(self.sheet)
        if len(cells) > MOST_COLUMNS:
            what, advice = f"{self.named(MOST_COLUMNS + 1)}: a sheet has", "spread them over several sheets, or use CSV"
            message = passed(what, MOST_COLUMNS, "columns", advice)
            raise ReportFailure("DOCUMENT_INVALID", message)
        for column, cell in enumerate(cells, start=1):
            self.check_cell(column, cell)

    def check_cell(self, column: int, cell: Cell) -> None:
        """Raises ``ReportFailure`` for what one cell cannot hold."""
        if len(cell.shown) > MOST_CHARACTERS // 2:
            self._check_length(column, cell.shown)
        if not cell.shown.isascii():
            self._check_surrogates(column, cell.shown)

    def _check_length(self, column: int, text: str) -> None:
        length = len(text.encode("utf-16-le", "surrogatepass")) // 2
        if length > MOST_CHARACTERS:
            what, advice = f"{self.named(column)}: a text has {length} characters,", "shorten it, or use CSV"
            message = passed(what, MOST_CHARACTERS, "fit into a cell", advice)
            raise ReportFailure("DOCUMENT_INVALID", message)

    def _check_surrogates(self, column: int, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            message = f"{self.named(column)}: a text holds half of a surrogate pair"
            raise ReportFailure("DOCUMENT_INVALID", message) from None


class Warnings:
    """What the report's record says of a workbook: each kind of thing once a sheet, with the first place and a count."""

    def __init__(self) -> None:
        self._inexact: dict[str, tuple[str, int]] = {}
        self._other: list[str] = []

    def inexact(self, place: Place, column: int) -> None:
        """A number went as text."""
        first, count = self._inexact.get(place.sheet, (place.named(column), 0))
        self._inexact[place.sheet] = (first, count + 1)

    def add(self, message: str) -> None:
        """Anything else."""
        if message not in self._other:
            self._other.append(message)

    def listed(self) -> list[str]:
        """In the order of the workbook."""
        found = [
            f"{first}: a number has more than 15 digits, more than a spreadsheet's numbers hold, and is written as text"
            + (f" ({count} such cells in the sheet)" if count > 1 else "")
            for first, count in self._inexact.values()
        ]
        return (self._other + found)[:MOST_WARNINGS]
