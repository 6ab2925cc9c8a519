"""One sheet of a designed workbook: its rows as the template's text, and beside it the XML of everything that stays."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from reporter.formats.workbook import formulas
from reporter.formats.workbook.cells import column_name
from reporter.formats.workbook.directives import Directives, Unbalanced, is_directive, unbalanced
from reporter.formats.workbook.layout import Plan, Stretch
from reporter.formats.workbook.package import Package, Relation, refuse
from reporter.formats.workbook.strings import SharedStrings, text_of
from reporter.formats.workbook.style_variants import Styles
from reporter.formats.workbook.xml_scan import Element, edited, without_attributes, written
from reporter.language.cells import CELL, LINE

MARKS = re.compile(r"\{[{%#]")
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TAG_NAME = re.compile(r"<[^\s/>]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_REFUSED = {
    "oleObjects": "embedded objects",
    "controls": "controls",
    "dataConsolidate": "consolidated data",
    "scenarios": "scenarios",
    "webPublishItems": "web pages",
    "customSheetViews": "views of several users",
}


@dataclass(slots=True)
class RowDesign:
    """``format`` takes the row's number, the rests of its template cells, then the references of its formulas to other rows.

    ``columns``: of the template cells. ``row``: in the template.
    """

    row: int
    format: str = ""
    columns: tuple[int, ...] = ()
    moving: tuple[formulas.Reference, ...] = ()


@dataclass(slots=True)
class SheetDesign:
    """``head``: the XML up to the rows, ``tail``: the elements behind them, which begin and end in ``content``.

    ``references``: of all formulas, with the template's row and column that they stand in.
    """

    name: str
    part: str
    content: bytes
    head: bytes
    tail: tuple[Element, ...]
    tail_start: int
    close_start: int
    rows: Sequence[RowDesign]
    plan: Plan
    repeated: bool
    directive_rows: frozenset[int]
    references: Sequence[tuple[int, int, formulas.Reference]]
    relations: dict[str, Relation]


class Text(Protocol):
    """Where the template is written to."""

    def mark(self, mark: str) -> None: ...
    def add(self, text: str, spot: Any) -> None: ...


@dataclass(slots=True)
class _Cell:
    element: Element
    row: int
    column: int
    text: str = ""
    formula: Element | None = None
    shared: int | None = None

    @property
    def template(self) -> bool:
        return self.formula is None and MARKS.search(self.text) is not None


class SheetReader:
    """Reads one sheet. Raises ``TemplateProblems`` naming the cell."""

    def __init__(
        self, package: Package, part: str, name: str, strings: SharedStrings, styles: Styles, text: Text, spot: Any
    ) -> None:
        self._package = package
        self._part = part
        self._name = name
        self._strings = strings
        self._styles = styles
        self._text = text
        self._spot = spot
        self._content = package.parts.get(part, b"")
        self._directives = Directives()
        self._rows: list[RowDesign] = []
        self._stretches: list[Stretch] = []
        self._references: list[tuple[int, int, formulas.Reference]] = []
        self._shared: dict[str, tuple[str, int, int]] = {}

    def read(self, *, repeated: bool) -> SheetDesign:
        """The sheet."""
        root = self._package.xml(self._part)
        data = root.child("sheetData")
        if data is None:
            raise refuse(f"sheet {self._name} has no rows")
        self._read_rows(data)
        position = root.children.index(data)
        tail = tuple(root.children[position + 1 :])
        self._check_tail(tail)
        last = max((s.first + s.count - 1 for s in self._stretches), default=0)
        last = max([last, *self._directives.rows])
        return SheetDesign(
            name=self._name,
            part=self._part,
            content=self._content,
            head=self._head(root, data),
            tail=tail,
            tail_start=tail[0].start if tail else root.close_start,
            close_start=root.close_start,
            rows=self._rows,
            plan=Plan(tuple(self._stretches), tuple(self._directives.loops), last, not self._directives.rows),
            repeated=repeated,
            directive_rows=frozenset(self._directives.rows),
            references=self._references,
            relations=dict(self._package.relations(self._part)),
        )

    def _refuse(self, row: int, column: int, message: str, text: str = "") -> NoReturn:
        raise self._spot(self._name, row, column).refuse(message, text)

    # -- rows -----------------------------------------------------------------------------------------------------

    def _read_rows(self, data: Element) -> None:
        before = 0
        for element in data.children:
            if element.name != "row":
                continue
            number = _number(element.attributes.get("r")) or before + 1
            if number <= before:
                self._refuse(number, 1, "the sheet's rows are not in order")
            if number > before + 1:
                self._stretch(RowDesign(before + 1), number - before - 1)
            cells = self._read_cells(element, number)
            filled = [cell for cell in cells if cell.text or cell.formula is not None]
            if filled and filled[0].formula is None and is_directive(filled[0].text):
                self._directive_row(filled, number)
            else:
                self._row(element, cells, number)
            before = number
        if self._directives.open:
            opened = self._directives.open[-1]
            self._refuse(opened.row, 1, f"the tag {opened.name} has no end in this sheet")

    def _stretch(self, design: RowDesign, count: int) -> None:
        self._text.mark(f"{LINE}{len(self._rows)}")
        self._rows.append(design)
        self._stretches.append(Stretch(design.row, count))

    def _directive_row(self, filled: Sequence[_Cell], row: int) -> None:
        for cell in filled:
            if cell.formula is not None or not is_directive(cell.text):
                self._refuse(
                    row, cell.column, "a row that begins with a tag goes, so it cannot hold anything else", cell.text
                )
            self._used(cell)
        self._text.mark(LINE)
        spot = self._spot(self._name, row, filled[0].column)
        try:
            text = self._directives.take([cell.text for cell in filled], row, f"\n{LINE}i{{}}", f"\n{LINE}e{{}}")
        except Unbalanced as error:
            self._refuse(row, filled[0].column, str(error), filled[0].text)
        self._text.add(text, spot)

    def _row(self, element: Element, cells: Sequence[_Cell], row: int) -> None:
        template = [cell for cell in cells if cell.template]
        tag = self._tag(element, "r", "spans")
        made = [f'<row r="{{0}}"{_braced(tag)}>']
        moving: list[formulas.Reference] = []
        for cell in cells:
            made.append(self._cell(cell, len(template), template, moving))
        made.append("</row>")
        columns = tuple(cell.column for cell in template)
        self._stretch(RowDesign(row, "".join(made), columns, tuple(moving)), 1)
        for cell in template:
            if _CONTROL.search(cell.text):
                self._refuse(row, cell.column, "the text holds a control character", cell.text)
            if unbalanced(cell.text):
                message = f"the tag {unbalanced(cell.text)} must begin and end in the cell, or stand alone in a row"
                self._refuse(row, cell.column, message, cell.text)
            self._text.mark(CELL)
            self._text.add(cell.text, self._spot(self._name, row, cell.column))

    def _cell(self, cell: _Cell, count: int, template: Sequence[_Cell], moving: list[formulas.Reference]) -> str:
        start = f'<c r="{column_name(cell.column)}{{0}}"'
        self._used(cell)
        style = _number(cell.element.attributes.get("s")) or 0
        if not self._styles.has(style):
            self._refuse(cell.row, cell.column, "the cell has a style that the workbook does not have")
        if cell.template:
            self._styles.use(style)
            return f'{start} s="{style}"{{{template.index(cell) + 1}}}'
        if cell.formula is not None:
            tag = _braced(self._tag(cell.element, "r", "t"))
            return f"{start}{tag}>{self._formula(cell, cell.formula, count, moving)}</c>"
        inner = self._content[cell.element.open_end : cell.element.close_start].decode()
        return f"{start}{_braced(self._tag(cell.element, 'r'))}>{_braced(inner)}</c>"

    def _formula(self, cell: _Cell, element: Element, count: int, moving: list[formulas.Reference]) -> str:
        kind = element.attributes.get("t", "normal")
        text = element.text
        if MARKS.search(text):
            self._refuse(cell.row, cell.column, "a formula cannot hold tags; put the value into a cell of its own", text)
        try:
            if kind == "shared":
                text = self._shared_formula(cell, element)
            elif kind not in {"normal", "array"}:
                self._refuse(cell.row, cell.column, "a data table cannot be kept")
            pieces = formulas.pieces_of(text)
            area = formulas.pieces_of(element.attributes["ref"]) if kind == "array" and "ref" in element.attributes else ()
        except formulas.UnknownReference as error:
            self._refuse(cell.row, cell.column, f"the formula cannot be kept: {error}", text)
        made = self._moving(cell, pieces, count, moving)
        if kind == "array":
            return f'<f t="array" ref="{self._moving(cell, area, count, moving)}">{made}</f>'
        return f"<f>{made}</f>"

    def _moving(self, cell: _Cell, pieces: formulas.Pieces, count: int, moving: list[formulas.Reference]) -> str:
        """A formula for the row's format: what lies in its own row moves with it, the rest is looked up."""
        made = []
        for piece in pieces:
            if isinstance(piece, str):
                made.append(_braced(written(piece)))
                continue
            self._references.append((cell.row, cell.column, piece))
            if piece.sheet is None and piece.rows == (cell.row, cell.row) and True not in piece.fixed:
                corners = [corner.at(0)[:-1] + "{0}" for corner in (piece.first, piece.last) if corner]
                made.append(":".join(corners))
            else:
                moving.append(piece)
                made.append(f"{{{count + len(moving)}}}")
        return "".join(made)

    def _shared_formula(self, cell: _Cell, element: Element) -> str:
        index = element.attributes.get("si", "")
        if element.text:
            self._shared[index] = (element.text, cell.row, cell.column)
            return element.text
        if index not in self._shared:
            self._refuse(cell.row, cell.column, "a shared formula has no beginning")
        text, row, column = self._shared[index]
        return formulas.moved(text, cell.row - row, cell.column - column)

    # -- cells ----------------------------------------------------------------------------------------------------

    def _read_cells(self, element: Element, row: int) -> list[_Cell]:
        cells: list[_Cell] = []
        for child in element.children:
            if child.name != "c":
                continue
            column = cells[-1].column + 1 if cells else 1
            if "r" in child.attributes:
                try:
                    found, column = formulas.cell_position(child.attributes["r"])
                except formulas.UnknownReference as error:
                    self._refuse(row, 1, str(error))
                if found != row or (cells and column <= cells[-1].column):
                    self._refuse(row, column, "the row's cells are not in order")
            cells.append(self._read_cell(_Cell(child, row, column)))
        return cells

    def _read_cell(self, cell: _Cell) -> _Cell:
        kind = cell.element.attributes.get("t", "n")
        value, inline = cell.element.child("v"), cell.element.child("is")
        cell.formula = cell.element.child("f")
        formats = False
        if kind == "s" and value is not None:
            cell.shared = _number(value.text)
            try:
                cell.text, formats = self._strings.text(-1 if cell.shared is None else cell.shared)
            except LookupError:
                self._refuse(cell.row, cell.column, "the cell's text is not in the workbook")
        elif kind == "inlineStr" and inline is not None:
            cell.text, formats = text_of(inline)
        elif value is not None:
            cell.text = value.text
        if cell.template and formats:
            self._refuse(cell.row, cell.column, "a cell that the template fills has one format, not several inside its text")
        return cell

    def _used(self, cell: _Cell) -> None:
        if cell.shared is not None:
            self._strings.use(cell.shared, by_template=MARKS.search(cell.text) is not None)

    def _tag(self, element: Element, *without: str) -> str:
        """The attributes of a tag, as they are written, without some."""
        tag = without_attributes(self._content[element.start : element.open_end], *without).decode()
        return _TAG_NAME.sub("", tag, count=1).rstrip("/>").rstrip()

    # -- around the rows ------------------------------------------------------------------------------------------

    def _head(self, root: Element, data: Element) -> bytes:
        dimension = root.child("dimension")
        edits = [(dimension.start, dimension.end, b"")] if dimension is not None else []
        # Rows are written without a prefix, whatever the workbook's own parts have.
        return edited(self._content, edits, end=data.start) + f'<sheetData xmlns="{MAIN}">'.encode()

    def _check_tail(self, tail: Sequence[Element]) -> None:
        for element in tail:
            for found in (element, *element.all_elements()):
                if found.name in _REFUSED:
                    raise refuse(f"sheet {self._name}: {_REFUSED[found.name]} cannot be kept")
            if element.name == "headerFooter" and any(MARKS.search(child.text) for child in element.children):
                raise refuse(f"sheet {self._name}: headers and footers cannot hold tags")


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
