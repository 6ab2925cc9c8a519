"""A workbook designed in a spreadsheet, understood as a template.

Its cells become one text of the template language, in which marks say where rows and cells begin; so loops over rows,
``set`` and aggregates work across cells, and the fields that a template reads are found as in any other. What the text
does not hold, the XML of rows and cells, is kept beside it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

from reporter.errors import TemplateProblem, TemplateProblems
from reporter.formats.workbook import formulas
from reporter.formats.workbook.cells import column_name
from reporter.formats.workbook.design_sheet import MARKS, SheetDesign, SheetReader
from reporter.formats.workbook.directives import sheet_name_parts, unbalanced
from reporter.formats.workbook.limits import DEFAULT, WorkbookLimits
from reporter.formats.workbook.owned import check_owned
from reporter.formats.workbook.package import CONTENT_TYPES, Package, check_numbers, refuse
from reporter.formats.workbook.strings import SharedStrings
from reporter.formats.workbook.style_variants import Styles
from reporter.formats.workbook.xml_scan import Element
from reporter.language.cells import CELL, LINE

_NUMBERED = (
    ("sheets", "sheetId"),
    ("bookViews", "activeTab"),
    ("bookViews", "firstSheet"),
    ("definedNames", "localSheetId"),
)
_LINE_OF_MESSAGE = re.compile(r"^line ([0-9]+)")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a piece of the template stands: ``row`` 0 means the sheet's name."""

    sheet: str
    row: int
    column: int

    def __str__(self) -> str:
        """As errors name it."""
        return f"sheet {self.sheet}, " + (f"cell {column_name(self.column)}{self.row}" if self.row else "its name")

    def refuse(self, message: str, text: str = "") -> TemplateProblems:
        """A problem here."""
        return refuse(f"{self}: {message}", max(self.row, 1), max(self.column, 1), text)


class TemplateText:
    """The template, and which of its lines came from where."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._line = 1
        self._lines: list[int] = []
        self._spots: list[Spot] = []

    def mark(self, mark: str) -> None:
        """Something that a template's author does not see."""
        self._pieces.append("\n" + mark)
        self._line += 1

    def add(self, text: str, spot: Spot) -> None:
        """What an author wrote, behind a mark."""
        self._lines.append(self._line)
        self._spots.append(spot)
        self._pieces.append(text)
        self._line += text.count("\n")

    def __str__(self) -> str:
        return "".join(self._pieces)

    def spot(self, line: int) -> Spot | None:
        """The piece that a line belongs to."""
        position = bisect_right(self._lines, line) - 1
        return self._spots[position] if position >= 0 else None


class Design:
    """Raises ``TemplateProblems`` naming sheet and cell."""

    def __init__(self, content: bytes, limits: WorkbookLimits = DEFAULT) -> None:
        self.limits = limits
        self.package = Package(content, limits)
        self.part = self._workbook_part()
        self.root = self.package.xml(self.part)
        self.relations = self.package.relations(self.part)
        self.styles = Styles(self.package, self._related("styles"))
        self.strings = SharedStrings(self.package, self._related("sharedStrings"))
        self._text = TemplateText()
        for parent, name in _NUMBERED:
            check_numbers(self.root.child(parent), name)
        listed = self.root.child("sheets")
        self._parts: set[str] = set()
        self.sheets = [self._sheet(element, index) for index, element in enumerate(listed.children if listed else ())]
        if not self.sheets:
            raise refuse("the workbook has no sheets")
        self.by_name = {sheet.name.casefold(): index for index, sheet in enumerate(self.sheets)}
        self.text = str(self._text)
        taken = {CONTENT_TYPES, self.part, *(relation.target for relation in self.relations.values())}
        for sheet in self.sheets:
            check_owned(self.package, sheet.part, taken)
        # A formula that stands before the rows it means needs to know where they will be.
        self.looks_ahead = False
        for index, sheet in enumerate(self.sheets):
            for row, column, reference in sheet.references:
                self._check_reference(index, row, column, reference)
            self._check_tail(index, sheet)
            self._check_related(sheet)
        self.package.understood()

    def named(self, line: int | None) -> str:
        """``sheet X, cell B5: `` for a line of the text."""
        spot = None if line is None else self._text.spot(line)
        return f"{spot}: " if spot else ""

    def warning(self, message: str) -> str:
        """A message that begins with a line of the text, naming the cell instead."""
        found = _LINE_OF_MESSAGE.match(message)
        spot = self._text.spot(int(found[1])) if found else None
        return f"{spot}{message[found.end() :]}" if found and spot else message

    def placed(self, problems: TemplateProblems) -> TemplateProblems:
        """Problems of the text, naming the cells: a cell's row and column stand for line and column."""
        return TemplateProblems([self.placed_problem(problem) for problem in problems.problems])

    def placed_problem(self, problem: TemplateProblem) -> TemplateProblem:
        """One of them."""
        spot = self._text.spot(problem.line)
        if spot is None:
            return problem
        message = f"{spot}: {problem.message}"
        return replace(problem, message=message, line=max(spot.row, 1), column=max(spot.column, 1))

    def _workbook_part(self) -> str:
        for relation in self.package.relations("").values():
            if relation.kind == "officeDocument" and not relation.external:
                return relation.target
        raise refuse("the file is not a workbook this service can fill")

    def _related(self, kind: str) -> str:
        return next((relation.target for relation in self.relations.values() if relation.kind == kind), "")

    def _sheet(self, element: Element, index: int) -> SheetDesign:
        name = element.attributes.get("name", "")
        relation = self.relations.get(_relation_id(element))
        if relation is None or relation.kind != "worksheet":
            raise refuse(f"sheet {name[:80]} is not a sheet of cells")
        if relation.target in self._parts:
            raise refuse(f"sheet {name[:80]} has the cells of another sheet")
        self._parts.add(relation.target)
        begin, shown, end = sheet_name_parts(name)
        spot = Spot(name, 0, 0)
        if unbalanced(shown):
            raise spot.refuse(f"the tag {unbalanced(shown)} of a sheet's name does not begin and end there", name)
        self._text.mark(LINE)
        self._text.add(begin, spot)
        self._text.mark(f"{LINE}s{index}")
        self._text.mark(CELL)
        self._text.add(shown, spot)
        reader = SheetReader(self.package, relation.target, name, self.strings, self.styles, self._text, Spot)
        made = reader.read(repeated=bool(begin) or bool(MARKS.search(shown)))
        if end:
            self._text.mark(LINE)
            self._text.add(end, spot)
        return made

    def _check_reference(self, index: int, row: int, column: int, reference: formulas.Reference) -> None:
        target = index if reference.sheet is None else self.by_name.get(reference.sheet.casefold(), -1)
        if target < 0:
            return
        sheet = self.sheets[target]
        first, last = reference.rows
        spot = Spot(self.sheets[index].name, row, column)
        if target != index and sheet.repeated:
            raise spot.refuse(f"a formula refers to the sheet {sheet.name}, whose name a template makes")
        if reference.last is None and first in sheet.directive_rows:
            raise spot.refuse(f"a formula refers to row {first}, which holds a tag and goes")
        if sheet.plan.fixed:
            return
        plan = sheet.plan
        below = last > row or plan.scope(row, last, fixed=reference.fixed[1]) != plan.scope(row, last, fixed=False)
        if target > index or (target == index and below):
            self.looks_ahead = True

    def _check_tail(self, index: int, sheet: SheetDesign) -> None:
        """Conditional formats and validations may look at other sheets, too."""
        for element in sheet.tail:
            for formula in (e.text for e in element.all("formula", "formula1", "formula2", "f")):
                try:
                    found = list(all_references(formulas.pieces_of(formula)))
                except formulas.UnknownReference as error:
                    raise refuse(f"sheet {sheet.name}: a formula of its {element.name} cannot be kept: {error}") from None
                for reference in found:
                    if reference.sheet is not None:
                        self._check_reference(index, 1, 1, reference)

    def _check_related(self, sheet: SheetDesign) -> None:
        for relation in sheet.relations.values():
            if relation.kind == "table" and sheet.repeated:
                raise refuse(
                    f"sheet {sheet.name}: a table cannot be in a sheet that repeats, as its name can exist only once"
                )
            if relation.kind != "drawing":
                continue
            for anchor in self.package.xml(relation.target).children:
                start = anchor.child("from")
                row = start.child("row") if start is not None else None
                number = int(row.text) + 1 if row is not None and row.text.strip().isdigit() else 0
                if sheet.plan.loop_around(number, number) is not None:
                    message = f"a picture or chart stands in row {number}, which repeats; put it above or below"
                    raise refuse(f"sheet {sheet.name}: {message}", max(number, 1))


def _relation_id(element: Element) -> str:
    return next((value for key, value in element.attributes.items() if key.endswith("}id")), "")


def all_references(pieces: formulas.Pieces) -> Iterator[formulas.Reference]:
    """The references of a formula."""
    return (piece for piece in pieces if isinstance(piece, formulas.Reference))
