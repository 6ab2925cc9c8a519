"""Filling a designed workbook: a rendering's rows into its sheets, streamed; then all that refers to these rows."""

import re
from collections.abc import Sequence
from dataclasses import replace

from reporter.errors import ReportFailure
from reporter.formats.workbook import formulas
from reporter.formats.workbook.archive import Archive, Part
from reporter.formats.workbook.cells import (
    MOST_CHARACTERS,
    MOST_ROWS,
    Cell,
    Place,
    Warnings,
    cell_of,
    too_many_rows,
    without_hidden,
)
from reporter.formats.workbook.design import Design
from reporter.formats.workbook.design_sheet import RowDesign
from reporter.formats.workbook.layout import NOWHERE, WHOLE, Layout
from reporter.formats.workbook.limits import too_many_sheets
from reporter.formats.workbook.names import SheetNames, quoted
from reporter.formats.workbook.related import Instance, RelatedParts
from reporter.formats.workbook.tail import Tail
from reporter.formats.writing import DocumentWriter
from reporter.language.cells import CELL, KIND, LINE, OWN, TOO_EXACT, VALUE

CHARACTERS_HELD = 1 << 16
_STYLED = re.compile(rf's="([0-9]+)"{KIND}([0-9][0-9])')
_REFERENCE = re.compile('<c r="([A-Z]+[0-9]+)"')


class LayoutRecorder:
    """Takes a rendering only to see where its rows will be."""

    def __init__(self, design: Design) -> None:
        self._design = design
        self._rest = ""
        self._sheet: Layout | None = None
        self.layouts: list[list[Layout]] = [[] for _sheet in design.sheets]

    def write(self, text: str) -> None:
        """The next piece."""
        *lines, self._rest = (self._rest + text).split(LINE)
        self._lines(lines)

    def finish(self) -> list[list[Layout]]:
        """By sheet of the template, each time it was written."""
        self._lines([self._rest])
        return self.layouts

    def _lines(self, lines: Sequence[str]) -> None:
        for line in lines:
            if not line:
                continue
            kind = line[0]
            if kind == "s":
                index = int(line[1 : line.index(CELL)])
                self._sheet = Layout(self._design.sheets[index].plan)
                self.layouts[index].append(self._sheet)
            elif self._sheet is not None and kind in "ie":
                (self._sheet.begin if kind == "i" else self._sheet.end)(int(line[1:]))
            elif self._sheet is not None:
                self._sheet.put(int(line.partition(CELL)[0]))


class FilledWorkbook:
    """Takes a rendering in pieces and writes the workbook; ``finish`` it for its warnings.

    ``layouts``: from a ``LayoutRecorder``, where the design ``looks_ahead``.
    """

    def __init__(self, design: Design, writer: DocumentWriter, layouts: list[list[Layout]] | None = None) -> None:
        self._design = design
        self._archive = Archive(writer)
        self._related = RelatedParts(design, self._archive)
        self._known = layouts is not None
        self._layouts = layouts or [[] for _sheet in design.sheets]
        self._instances: list[Instance] = []
        self._written: list[int] = [0] * len(design.sheets)
        self._names = SheetNames()
        for sheet in design.sheets:
            if not sheet.repeated:
                self._names.add(sheet.name)
        self._warnings = Warnings()
        self._rest = ""
        self._sheet: _Sheet | None = None

    def write(self, text: str) -> None:
        """The next piece. Raises ``ReportFailure`` naming sheet and cell."""
        *lines, self._rest = (self._rest + text).split(LINE)
        self._lines(lines)

    def finish(self) -> list[str]:
        """Write what is left and every part that depends on it; the warnings."""
        self._lines([self._rest])
        self._end_sheet()
        if not self._instances:
            raise ReportFailure("DOCUMENT_INVALID", "the workbook has no sheet: the loop in a sheet's name found nothing")
        self._related.write(self._instances, self.resolve)
        self._archive.close()
        return self._warnings.listed()

    def resolve(self, instance: Instance, reference: formulas.Reference, row: int, written_row: int) -> str:
        """A reference of a formula in the template's ``row``, now ``written_row``, of a sheet; 0 outside of rows."""
        index = instance.index if reference.sheet is None else self._design.by_name.get(reference.sheet.casefold())
        if index is None:
            return reference.prefix + reference.at(*reference.rows)
        own = index == instance.index
        first, last = reference.rows
        prefix = reference.prefix
        if prefix and self._design.sheets[index].repeated:
            named = instance if own else next((i for i in self._instances if i.index == index), None)
            prefix = f"{quoted(named.name)}!" if named else prefix
        if self._design.sheets[index].plan.fixed:
            return prefix + reference.at(first, last)
        layout = instance.layout if own else next(iter(self._layouts[index]), None)
        found = None
        if layout is not None:
            reach = layout.reach(row, written_row, reference.rows, reference.fixed) if own and row else WHOLE
            found = layout.rows(first, last, reach)
        found = found or (NOWHERE, NOWHERE)
        if not row and reference.last is None and found[0] != found[1]:
            # A chart or a name writes a single cell for what it means as all of them.
            reference = replace(reference, last=reference.first)
        return prefix + reference.at(*found)

    def _lines(self, lines: Sequence[str]) -> None:
        for line in lines:
            if not line:
                continue
            kind = line[0]
            if kind == "s":
                self._begin(line)
            elif self._sheet is None:
                raise ReportFailure("DOCUMENT_INVALID", "the workbook's rows begin before its sheets")
            elif kind == "i":
                self._sheet.loop(int(line[1:]), begins=True)
            elif kind == "e":
                self._sheet.loop(int(line[1:]), begins=False)
            else:
                self._sheet.row(line)

    def _begin(self, line: str) -> None:
        self._end_sheet()
        number, _, field = line[1:].partition(CELL)
        index = int(number)
        design = self._design.sheets[index]
        most = self._design.limits.sheets
        if len(self._instances) >= most:
            raise ReportFailure("DOCUMENT_INVALID", too_many_sheets(most))
        name = design.name
        if design.repeated:
            wanted = cell_of(field).shown
            name = self._names.add(wanted)
            if name != wanted:
                self._warnings.add(f"the sheet {wanted[:100]!r} is called {name!r}, as spreadsheets refuse its name")
        count = self._written[index]
        self._written[index] += 1
        if not self._known:
            self._layouts[index].append(Layout(design.plan))
        instance = Instance(index, count, name, self._layouts[index][count], self._related.sheet_part(index, count))
        self._instances.append(instance)
        self._sheet = _Sheet(self, instance, self._archive.part(instance.part), self._warnings)

    def _end_sheet(self) -> None:
        if self._sheet is not None:
            self._sheet.finish()
            self._sheet = None

    @property
    def design(self) -> Design:
        """What is filled."""
        return self._design

    @property
    def layouts_known(self) -> bool:
        """Whether the layouts are complete from the start."""
        return self._known


class _Sheet:
    """One sheet being written."""

    def __init__(self, book: FilledWorkbook, instance: Instance, part: Part, warnings: Warnings) -> None:
        self._book = book
        self._design = book.design.sheets[instance.index]
        self._instance = instance
        self._part = part
        self._warnings = warnings
        self._rows = {str(number): (number, row) for number, row in enumerate(self._design.rows)}
        self._row = 0
        self._held: list[str] = []
        self._characters = 0
        head = self._design.head
        if instance.count:
            # Two sheets that are both selected would be edited together.
            head = head.replace(b' tabSelected="1"', b"").replace(b' tabSelected="true"', b"")
        self._part.write(head)

    def loop(self, number: int, *, begins: bool) -> None:
        """An iteration begins, or a loop ends."""
        if not self._book.layouts_known:
            layout = self._instance.layout
            (layout.begin if begins else layout.end)(number)

    def row(self, line: str) -> None:
        """A row of the template, once more."""
        head, *rests = line.split(CELL + VALUE)
        found = self._rows.get(head)
        count = len(rests)
        if (
            found is None
            or count != len(found[1].columns)
            or not count == line.count(VALUE) == line.count(CELL)
            or len(line) > MOST_CHARACTERS // 2
            or OWN in line
            or TOO_EXACT in line
        ):
            head, *fields = line.split(CELL)
            found = self._rows[head]
            rests = self._checked(found[1], fields)
        number, design = found
        row = self._put(number)
        if not design.format:
            return
        if design.moving:
            book, instance = self._book, self._instance
            rests += [book.resolve(instance, reference, design.row, row) for reference in design.moving]
        xml = design.format.format(row, *rests)
        self._held.append(xml)
        self._characters += len(xml)
        if self._characters > CHARACTERS_HELD:
            self._flush()

    def finish(self) -> None:
        """The rows are complete: write what stands behind them."""
        self._flush()
        self._part.write(b"</sheetData>")
        book, instance = self._book, self._instance
        self._part.write(
            Tail(
                self._design,
                instance.layout,
                lambda reference, row, written_row: book.resolve(instance, reference, row, written_row),
            ).xml()
        )
        self._part.close()

    def _put(self, number: int) -> int:
        row = self._row + 1
        stretch = self._design.plan.stretches[number]
        self._row += stretch.count
        if not self._book.layouts_known:
            self._instance.layout.put(number)
        if self._row > MOST_ROWS:
            raise too_many_rows(self._instance.name)
        return row

    def _checked(self, design: RowDesign, fields: Sequence[str]) -> list[str]:
        """The rests of a row's cells, one by one."""
        place = Place(self._instance.name, self._row + 1)
        if len(fields) != len(design.columns):
            raise ReportFailure("DOCUMENT_INVALID", f"{place.named(1)}: a tag takes cells of the row away")
        made: list[str] = []
        for column, field in zip(design.columns, fields, strict=True):
            cell: Cell = cell_of(field)
            place.check_cell(column, cell)
            if cell.inexact:
                self._warnings.inexact(place, column)
            made.append(cell.rest)
        return made

    def _flush(self) -> None:
        xml = without_hidden("".join(self._held))
        if KIND in xml:
            styles = self._book.design.styles
            xml = _STYLED.sub(lambda found: f's="{styles.for_kind(int(found[1]), int(found[2]))}"', xml)
        self._held.clear()
        self._characters = 0
        try:
            self._part.write(xml.encode())
        except UnicodeEncodeError as error:
            cell = _REFERENCE.findall(xml, 0, error.start)[-1]
            message = f"sheet {self._instance.name}, cell {cell}: a text holds half of a surrogate pair"
            raise ReportFailure("DOCUMENT_INVALID", message) from None
