"""What stands behind a sheet's rows and refers to them: merged cells, conditional formats, validations, links, breaks."""

from collections.abc import Callable, Iterator

from reporter.formats.workbook import formulas
from reporter.formats.workbook.design_sheet import SheetDesign
from reporter.formats.workbook.layout import Layout
from reporter.formats.workbook.xml_scan import Element, edited, with_attribute, written

MOST_AREAS = 8_000
"""Of one list, which spreadsheets go through at every change. Beyond it the areas become one: nothing is refused."""
Resolve = Callable[[formulas.Reference, int, int], str]
"""Writes a reference of a formula that stands in a row of the template and became one of the document."""


class Tail:
    """One sheet's. ``resolve`` knows where everything went."""

    def __init__(self, sheet: SheetDesign, layout: Layout, resolve: Resolve) -> None:
        self._sheet = sheet
        self._content = sheet.content
        self._layout = layout
        self._resolve = resolve

    def xml(self) -> bytes:
        """Everything behind the rows, to the end of the sheet."""
        edits = []
        for element in self._sheet.tail:
            changed = self._changed(element)
            if changed is not None:
                edits.append((element.start, element.end, changed))
        return edited(self._content, edits, start=self._sheet.tail_start)

    def _changed(self, element: Element) -> bytes | None:
        match element.name:
            case "mergeCells":
                return self._list(element, self._merges)
            case "conditionalFormatting":
                return self._covering(element, "formula")
            case "dataValidations":
                return self._list(element, lambda child: _one(self._covering(child, "formula1", "formula2")))
            case "ignoredErrors" | "protectedRanges":
                return self._list(element, lambda child: _one(self._covering(child)))
            case "hyperlinks":
                return self._list(element, self._links)
            case "rowBreaks":
                return self._list(element, self._breaks, "manualBreakCount")
            case "autoFilter" | "sortState":
                area = self._whole(element.attributes.get("ref", ""))
                return self._tag(element, "ref", area) if area else None
            case "extLst":
                return self._extensions(element)
        return None

    # -- the kinds ------------------------------------------------------------------------------------------------

    def _list(self, element: Element, each: Callable[[Element], Iterator[bytes]], *counts: str) -> bytes:
        """A list, whose members may have become more or fewer; nothing where none is left."""
        members = [made for child in element.children for made in each(child)]
        if not members:
            return b""
        tag = self._content[element.start : element.open_end]
        for count in ("count", *counts):
            if f" {count}=".encode() in tag:
                tag = with_attribute(tag, count, str(len(members)))
        return tag + b"".join(members) + self._content[element.close_start : element.end]

    def _merges(self, merge: Element) -> Iterator[bytes]:
        for _columns, area in self._each(merge.attributes.get("ref", "")):
            first, _, last = area.partition(":")
            if first != last:
                yield with_attribute(self._content[merge.start : merge.end], "ref", area)

    def _links(self, link: Element) -> Iterator[bytes]:
        tag = self._content[link.start : link.end]
        location = link.attributes.get("location")
        if location:
            tag = with_attribute(tag, "location", self._formula(location, 0, 0))
        for _row, area in self._each(link.attributes.get("ref", "")):
            yield with_attribute(tag, "ref", area)

    def _breaks(self, mark: Element) -> Iterator[bytes]:
        row = int(mark.attributes.get("id", "0"))
        plan, layout = self._sheet.plan, self._layout
        for window in layout.windows(plan.loop_around(row, row)):
            found = layout.rows(row, row, window)
            if found:
                yield with_attribute(self._content[mark.start : mark.end], "id", str(found[1]))

    def _covering(self, element: Element, *formula_names: str) -> bytes:
        """An element that covers areas: they follow their rows, its formulas the first of them."""
        areas = self._areas(element.attributes.get("sqref", ""))
        if not areas:
            return b""
        rows = self._origin(element.attributes.get("sqref", ""))
        edits = [
            (e.open_end, e.close_start, written(self._formula(e.text, *rows)).encode())
            for e in element.all(*formula_names)
            if e.close_start > e.open_end
        ]
        tag = with_attribute(self._content[element.start : element.open_end], "sqref", areas)
        return tag + edited(self._content, edits, element.open_end, element.end)

    def _extensions(self, element: Element) -> bytes:
        """Newer kinds of conditional formats and the like: their areas and formulas are elements of their own."""
        edits = []
        for holder in element.all_elements():
            covered = holder.child("sqref")
            if covered is None:
                continue
            areas = self._areas(covered.text) or "A1048576"
            rows = self._origin(covered.text)
            edits.append((covered.open_end, covered.close_start, areas.encode()))
            edits += [
                (e.open_end, e.close_start, written(self._formula(e.text, *rows)).encode())
                for e in holder.all("f")
                if e.close_start > e.open_end
            ]
        return edited(self._content, edits, element.start, element.end)

    # -- where things went ----------------------------------------------------------------------------------------

    def _each(self, text: str) -> Iterator[tuple[int, str]]:
        """An area once in each iteration that it lies in: its first row, and as it is written there."""
        try:
            area = formulas.area_of(text)
        except formulas.UnknownReference:
            yield 0, text
            return
        first, last = area.rows
        for window in self._layout.windows(self._sheet.plan.loop_around(first, last)):
            found = self._layout.rows(first, last, window)
            if found is not None:
                yield found[0], area.at(*found)

    def _areas(self, text: str) -> str:
        """A list of areas, each where its rows are; neighbours become one. Empty where no row was written."""
        made: list[str] = []
        for part in text.split():
            try:
                area = formulas.area_of(part)
            except formulas.UnknownReference:
                made.append(part)
                continue
            runs = self._runs(*area.rows)
            if len(runs) > MOST_AREAS:
                runs = [(runs[0][0], runs[-1][1])]
            single = area.last is None
            made += [f"{area.first.at(a)}:{area.first.at(b)}" if single and a != b else area.at(a, b) for a, b in runs]
        return " ".join(made)

    def _runs(self, first: int, last: int) -> list[tuple[int, int]]:
        runs: list[tuple[int, int]] = []
        for window in self._layout.windows(self._sheet.plan.loop_around(first, last)):
            found = self._layout.rows(first, last, window)
            if found is None:
                continue
            if runs and found[0] == runs[-1][1] + 1:
                runs[-1] = (runs[-1][0], found[1])
            else:
                runs.append(found)
        return runs

    def _origin(self, text: str) -> tuple[int, int]:
        """The first row of the first area, in the template and in the document: formulas are meant from there."""
        for part in text.split():
            try:
                first, last = formulas.area_of(part).rows
            except formulas.UnknownReference:
                continue
            runs = self._runs(first, last)
            if runs:
                return first, runs[0][0]
        return 1, 1

    def _whole(self, text: str) -> str:
        try:
            area = formulas.area_of(text)
        except formulas.UnknownReference:
            return text
        found = self._layout.rows(*area.rows)
        return "" if found is None else area.at(*found)

    def _formula(self, text: str, row: int, written_row: int) -> str:
        try:
            pieces = formulas.pieces_of(text)
        except formulas.UnknownReference:
            return text
        return formulas.resolved(pieces, lambda reference: self._resolve(reference, row, written_row))

    def _tag(self, element: Element, attribute: str, value: str) -> bytes:
        tag = with_attribute(self._content[element.start : element.open_end], attribute, value)
        return tag + self._content[element.open_end : element.end]


def _one(made: bytes) -> Iterator[bytes]:
    if made:
        yield made
