"""A workbook from a template that is structured like CSV: lines become rows, fields cells, ``{% sheet %}`` a sheet."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import repeat

from reporter.errors import ReportFailure
from reporter.formats.workbook import parts
from reporter.formats.workbook.archive import Archive, Part
from reporter.formats.workbook.cells import (
    MOST_CHARACTERS,
    MOST_ROWS,
    Cell,
    Place,
    Warnings,
    cells_of,
    column_name,
    without_hidden,
)
from reporter.formats.workbook.limits import DEFAULT, too_many_sheets
from reporter.formats.workbook.names import SheetNames
from reporter.formats.writing import DocumentWriter
from reporter.language.cells import CELL_END, OWN, ROW_END, SHEET, TOO_EXACT, VALUE

SAMPLED_ROWS = 200
"""Widths come from these first rows of a sheet, which are held until the widths are known."""
_NARROWEST, _WIDEST, _FILTER_BUTTON = 8, 60, 3
_XML = f'{parts.HEAD}<worksheet xmlns="{parts.MAIN}" xmlns:r="{parts.RELATIONS}">'
_END = b'<pageMargins left="0.5" right="0.5" top="0.75" bottom="0.75" header="0.3" footer="0.3"/></worksheet>'
_REFERENCE = re.compile('<c r="([A-Z]+[0-9]+)"')
WIDEST_AT_ONCE = 200
"""Wider rows are put together cell by cell."""
_FROZEN = (
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft" activeCell="A2"'
    ' sqref="A2"/>'
)


class WorkbookFromText:
    """Takes a rendering in pieces and writes the workbook; ``finish`` it for its warnings."""

    def __init__(self, writer: DocumentWriter, most_sheets: int = DEFAULT.sheets) -> None:
        self._most_sheets = most_sheets
        self._archive = Archive(writer)
        self._archive.add("_rels/.rels", parts.root_relations())
        self._archive.add("xl/styles.xml", parts.styles())
        self._names = SheetNames()
        self._warnings = Warnings()
        self._done: list[tuple[str, str | None]] = []
        self._sheet: _Sheet | None = None
        self._rest = ""

    def write(self, text: str) -> None:
        """The next piece. Raises ``ReportFailure`` naming sheet and cell for what no workbook can hold."""
        *lines, self._rest = (self._rest + text).split(ROW_END)
        self._lines(lines)

    def finish(self) -> list[str]:
        """Write what is left and every part that depends on it; the warnings."""
        self._lines([self._rest])
        if self._sheet is None and not self._done:
            self._begin("")
        self._end_sheet()
        names = [name for name, _area in self._done]
        self._archive.add("xl/workbook.xml", parts.workbook(names, [area for _name, area in self._done]))
        self._archive.add("xl/_rels/workbook.xml.rels", parts.workbook_relations(len(names)))
        self._archive.add("[Content_Types].xml", parts.content_types(len(names)))
        self._archive.close()
        return self._warnings.listed()

    def _lines(self, lines: Sequence[str]) -> None:
        start = 0
        for position, line in enumerate(lines):
            if line.startswith(SHEET):
                self._rows(lines[start:position])
                self._begin(line[1:])
                start = position + 1
        self._rows(lines[start:] if start else lines)

    def _rows(self, lines: Sequence[str]) -> None:
        if self._sheet is None and any(map(_holds_something, lines)):
            self._begin("")
        if self._sheet is not None:
            self._sheet.write(lines)

    def _begin(self, wanted: str) -> None:
        self._end_sheet()
        if len(self._done) >= self._most_sheets:
            raise ReportFailure("DOCUMENT_INVALID", too_many_sheets(self._most_sheets))
        name = self._names.add(wanted)
        if wanted and name != wanted:
            self._warnings.add(f"the sheet {wanted[:100]!r} is called {name!r}, as spreadsheets refuse its name")
        part = self._archive.part(f"xl/worksheets/sheet{len(self._done) + 1}.xml")
        self._sheet = _Sheet(part, name, self._warnings)

    def _end_sheet(self) -> None:
        if self._sheet is not None:
            self._done.append((self._sheet.name, self._sheet.finish()))
            self._sheet = None


class _Sheet:
    """One sheet. Its first rows are held back until they have told the widths; the others pass through."""

    def __init__(self, part: Part, name: str, warnings: Warnings) -> None:
        self.name = name
        self._part = part
        self._warnings = warnings
        self._sample: list[list[Cell]] | None = []
        self._row = 0
        self._filtered_columns = 0

    def write(self, lines: Sequence[str]) -> None:
        """The next rows."""
        if self._sample is not None:
            lines = self._sampled(lines, self._sample)
        if lines:
            self._pass(lines)

    def finish(self) -> str | None:
        """Write the end of the sheet; the range that is filtered, as names write it."""
        if self._sample is not None:
            self._begin(self._sample)
        self._part.write(b"</sheetData>")
        area = None
        if self._filtered_columns:
            column = column_name(self._filtered_columns)
            self._part.write(f'<autoFilter ref="A1:{column}{self._row}"/>'.encode())
            area = f"$A$1:${column}${self._row}"
        self._part.write(_END)
        self._part.close()
        return area

    def _sampled(self, lines: Sequence[str], sample: list[list[Cell]]) -> Sequence[str]:
        """Take rows until there are enough; what is left of the lines."""
        for position, line in enumerate(lines):
            if len(sample) >= SAMPLED_ROWS:
                self._begin(sample)
                return lines[position:]
            if _holds_something(line):
                sample.append(self._cells(line))
        return ()

    def _begin(self, sample: list[list[Cell]]) -> None:
        self._sample = None
        filled = [cell for cell in sample[0] if cell.shown] if sample else []
        has_header = bool(filled) and all(cell.own for cell in filled)
        if has_header:
            self._filtered_columns = len(sample[0])
            numbers = _number_columns(sample[1:])
            sample[0] = [_header_cell(cell, column in numbers) for column, cell in enumerate(sample[0])]
        view = f'<sheetViews><sheetView workbookViewId="0">{_FROZEN if has_header else ""}</sheetView></sheetViews>'
        head = f'{_XML}{view}<sheetFormatPr defaultRowHeight="15"/>{_widths(sample, has_header)}<sheetData>'
        self._part.write(head.encode())
        self._put([_row_xml(row, cells) for row, cells in enumerate(sample, start=1)])

    def _pass(self, lines: Sequence[str]) -> None:
        """Rows of nothing but values, as most are, cost a split and a join."""
        made: list[str] = []
        row = self._row
        for line, clean in zip(lines, _clean(lines), strict=True):
            fields = line[1:].split(CELL_END + VALUE)
            # Near the last row that there is, each one is looked at.
            if clean and row < MOST_ROWS and len(fields) <= WIDEST_AT_ONCE and len(line) < MOST_CHARACTERS // 2:
                row += 1
                made.append(_row_writer(len(fields))(str(row), *fields))
            elif _holds_something(line):
                self._row = row
                made.append(_row_xml(row + 1, self._cells(line)))
                row = self._row
        self._row = row
        self._put(made)

    def _cells(self, line: str) -> list[Cell]:
        """The next row's cells, checked."""
        self._row += 1
        place = Place(self.name, self._row)
        cells = list(cells_of(line))
        place.check(cells)
        for column, cell in enumerate(cells, start=1):
            if cell.inexact:
                self._warnings.inexact(place, column)
        return cells

    def _put(self, rows: list[str]) -> None:
        xml = without_hidden("".join(rows))
        try:
            self._part.write(xml.encode())
        except UnicodeEncodeError as error:
            cell = _REFERENCE.findall(xml, 0, error.start)[-1]
            message = f"sheet {self.name}, cell {cell}: a text holds half of a surrogate pair"
            raise ReportFailure("DOCUMENT_INVALID", message) from None


@cache
def _row_writer(count: int) -> Callable[..., str]:
    """A function that puts a row of so many cells together, from its number and their rests. Nothing does that faster than
    one f-string, which has to be written for the count.
    """
    names = [f"rest{column}" for column in range(count)]
    cells = "".join(f'<c r="{column_name(column)}{{row}}"{{{name}}}' for column, name in enumerate(names, start=1))
    made: Callable[..., str] = eval(f"lambda row, {', '.join(names)}: f'<row r=\"{{row}}\">{cells}</row>'")
    return made


def _clean(lines: Sequence[str]) -> Iterable[bool]:
    """Which lines are nothing but values, one in each cell. Mostly all are, which is seen at once."""
    together = ROW_END.join(lines)
    if together and _all_clean(together, len(lines)):
        return repeat(True, len(lines))
    return [bool(line) and _all_clean(line, 1) for line in lines]


def _all_clean(text: str, lines: int) -> bool:
    """Every value stands behind the end of a row or a cell, and behind every such end stands a value."""
    cells = text.count(CELL_END)
    return (
        text[0] == VALUE
        and text.count(VALUE) == cells + lines
        and text.count(CELL_END + VALUE) == cells
        and (lines == 1 or text.count(ROW_END + VALUE) == lines - 1)
        and OWN not in text
        and TOO_EXACT not in text
    )


def _holds_something(line: str) -> bool:
    """A line without fields makes no row, nor one of the blanks that stood before a tag."""
    return bool(line) and (line == OWN or not line.startswith(OWN) or CELL_END in line or bool(line.strip(OWN + " \t")))


def _row_xml(row: int, cells: Sequence[Cell]) -> str:
    made = "".join([f'<c r="{column_name(column)}{row}"{cell.rest}' for column, cell in enumerate(cells, start=1)])
    return f'<row r="{row}">{made}</row>'


def _number_columns(sample: Sequence[Sequence[Cell]]) -> frozenset[int]:
    """The columns, from 0, whose first value is a number or a date, which stand on the right."""
    first: dict[int, bool] = {}
    for cells in sample:
        for column, cell in enumerate(cells):
            if cell.shown and column not in first:
                first[column] = "<v>" in cell.rest and ' t="b"' not in cell.rest
    return frozenset(column for column, number in first.items() if number)


def _header_cell(cell: Cell, number: bool) -> Cell:
    style = parts.NUMBER_HEADER_STYLE if number else parts.HEADER_STYLE
    return cell._replace(rest=f' s="{style}"{cell.rest}')


def _widths(sample: Sequence[Sequence[Cell]], has_header: bool) -> str:
    widest: dict[int, int] = {}
    for row, cells in enumerate(sample):
        for column, cell in enumerate(cells, start=1):
            width = max(map(len, cell.shown.splitlines()), default=0) + (_FILTER_BUTTON if has_header and row == 0 else 0)
            # The format adds marks between thousands.
            width += width // 4 if "<v>" in cell.rest and "." in cell.shown else 0
            widest[column] = max(widest.get(column, _NARROWEST), width)
    columns = "".join(
        f'<col min="{column}" max="{column}" width="{min(width, _WIDEST) + 2}" customWidth="1"/>'
        for column, width in sorted(widest.items())
    )
    return f"<cols>{columns}</cols>" if columns else ""
