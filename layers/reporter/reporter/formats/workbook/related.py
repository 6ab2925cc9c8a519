"""The parts of a designed workbook around its sheets: copied as they are, but for what refers to rows and sheets."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reporter.formats.workbook import formulas
from reporter.formats.workbook.archive import Archive
from reporter.formats.workbook.cells import MOST_ROWS
from reporter.formats.workbook.design import Design
from reporter.formats.workbook.design_sheet import MAIN
from reporter.formats.workbook.layout import Layout, Plan
from reporter.formats.workbook.owned import owned_parts, owns
from reporter.formats.workbook.package import CONTENT_TYPES, Relation, relations_name
from reporter.formats.workbook.xml_scan import Element, edited, with_attribute, written

_TYPES_NAMESPACE = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_WORKSHEET = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
_ID = re.compile(rb"(\s[A-Za-z0-9]+:id\s*=\s*)(?:\"[^\"]*\"|'[^']*')")
_CACHES = ("numCache", "strCache", "multiLvlStrCache")


@dataclass(frozen=True, slots=True)
class Instance:
    """A sheet of the document: the ``count``-th (from 0) of the template's sheet ``index``, in its ``part``."""

    index: int
    count: int
    name: str
    layout: Layout
    part: str


Resolve = Callable[[Instance, formulas.Reference, int, int], str]
_OUTSIDE = Instance(-1, 0, "", Layout(Plan((), (), 0, True)), "")


class RelatedParts:
    """Writes every part but the sheets themselves."""

    def __init__(self, design: Design, archive: Archive) -> None:
        self._design = design
        self._package = design.package
        self._archive = archive
        self._done: set[str] = set()
        self._added: dict[str, str] = {}
        self._shared: list[str] = []
        self._copied: set[str] = set()

    def sheet_part(self, index: int, count: int) -> str:
        """The name of a sheet's part; copies get names of their own, of the same type."""
        return self._copy_name(self._design.sheets[index].part, count)

    def write(self, instances: Sequence[Instance], resolve: Resolve) -> None:
        """``instances`` in the order of the document. Call it once, when all sheets are written."""
        design = self._design
        chain = [relation.target for relation in design.relations.values() if relation.kind == "calcChain"]
        self._done.update([CONTENT_TYPES, design.part, relations_name(design.part), *chain])
        for sheet in design.sheets:
            self._done.update([sheet.part, relations_name(sheet.part)])
            for name in owned_parts(self._package, sheet.part):
                self._done.update([name, relations_name(name)])
        for instance in instances:
            sheet = design.sheets[instance.index]
            if sheet.relations:
                self._relations(sheet.part, instance.part, instance, resolve)
        self._put(design.styles.part, design.styles.content())
        if design.strings.part:
            self._put(design.strings.part, design.strings.content())
        for name, content in self._package.parts.items():
            if name not in self._done:
                self._put(name, content)
        self._archive.add(design.part, self._workbook(instances, resolve))
        self._archive.add(relations_name(design.part), self._workbook_relations(instances))
        self._archive.add(CONTENT_TYPES, self._content_types(instances, chain))

    # -- parts of a sheet -----------------------------------------------------------------------------------------

    def _copy_name(self, name: str, count: int) -> str:
        if not count:
            return name
        stem, _, ending = name.rpartition(".")
        made = f"{stem}-{count + 1}.{ending}"
        self._added[made] = self._package.type_of(name)
        return made

    def _relations(self, name: str, new_name: str, instance: Instance, resolve: Resolve) -> None:
        """Write the relations of a part, and the parts that are only its own."""
        listed = relations_name(name)
        content, root = self._package.parts[listed], self._package.xml(listed)
        known = self._package.relations(name)
        edits = []
        for child in root.children:
            relation = known.get(child.attributes.get("Id", ""))
            if relation is not None and owns(relation):
                target = self._own_part(relation, instance, resolve)
                tag = with_attribute(content[child.start : child.open_end], "Target", "/" + target)
                edits.append((child.start, child.open_end, tag))
        self._archive.add(relations_name(new_name), edited(content, edits))

    def _own_part(self, relation: Relation, instance: Instance, resolve: Resolve) -> str:
        name = relation.target
        new_name = self._copy_name(name, instance.count)
        if new_name in self._copied:
            return new_name
        self._copied.add(new_name)
        content = self._package.parts[name]
        if relation.kind == "drawing":
            content = _moved_drawing(content, self._package.xml(name), instance)
        elif relation.kind == "chart":
            content = _moved_chart(content, self._package.xml(name), instance, resolve)
        elif relation.kind == "table":
            content = _moved_table(content, self._package.xml(name), instance)
        self._archive.add(new_name, content)
        if relations_name(name) in self._package.parts:
            self._relations(name, new_name, instance, resolve)
        return new_name

    def _put(self, name: str, content: bytes) -> None:
        if name not in self._done:
            self._done.add(name)
            self._archive.add(name, content)

    # -- the workbook ---------------------------------------------------------------------------------------------

    def _workbook(self, instances: Sequence[Instance], resolve: Resolve) -> bytes:
        content, root = self._package.parts[self._design.part], self._design.root
        sheets, names = root.child("sheets"), root.child("definedNames")
        edits = []
        after = sheets
        if sheets is not None:
            listed = b"".join(self._listed(content, sheets, instances))
            edits.append((sheets.open_end, sheets.close_start, listed))
        if names is not None:
            after = names
            made = b"".join(self._names(content, names, instances, resolve))
            whole = content[names.start : names.open_end] + made + content[names.close_start : names.end]
            edits.append((names.start, names.end, whole if made else b""))
        # What formulas give is for the reader's spreadsheet to calculate: nothing here could be trusted more.
        calculation = root.child("calcPr")
        if calculation is not None:
            tag = with_attribute(content[calculation.start : calculation.open_end], "fullCalcOnLoad", "1")
            edits.append((calculation.start, calculation.open_end, tag))
        elif after is not None:
            end = root.child("functionGroups") if after is sheets else None
            at = (end or after).end
            edits.append((at, at, f'<calcPr xmlns="{MAIN}" fullCalcOnLoad="1"/>'.encode()))
        views = root.child("bookViews")
        for view in views.children if views is not None else ():
            tag = content[view.start : view.open_end]
            for name in ("activeTab", "firstSheet"):
                if name in view.attributes:
                    tag = with_attribute(tag, name, str(_position(int(view.attributes[name]), instances)))
            edits.append((view.start, view.open_end, tag))
        return edited(content, edits)

    def _listed(self, content: bytes, sheets: Element, instances: Sequence[Instance]) -> Iterable[bytes]:
        last = max(int(sheet.attributes.get("sheetId", "0")) for sheet in sheets.children)
        for position, instance in enumerate(instances):
            element = sheets.children[instance.index]
            tag = with_attribute(content[element.start : element.end], "name", instance.name)
            if instance.count:
                tag = with_attribute(tag, "sheetId", str(last + position + 1))
                tag = _ID.sub(lambda found, n=position: found[1] + f'"copy{n}"'.encode(), tag)  # type: ignore[misc]
            yield tag

    def _names(self, content: bytes, names: Element, instances: Sequence[Instance], resolve: Resolve) -> Iterable[bytes]:
        present = {instance.index for instance in instances}
        for name in names.children:
            try:
                pieces = formulas.pieces_of(name.text)
            except formulas.UnknownReference:
                pieces = (name.text,)
            sheets = {self._design.by_name.get((p.sheet or "").casefold(), -1) for p in pieces if not isinstance(p, str)}
            local = name.attributes.get("localSheetId")
            if (local is None or int(local) in present) and sheets - present - {-1}:
                # It means cells of a sheet that this document does not have.
                continue
            tag = content[name.start : name.open_end]
            places = [(p, i) for p, i in enumerate(instances) if local is not None and i.index == int(local)]
            for position, instance in places if local is not None else [(None, _OUTSIDE)]:
                text = formulas.resolved(pieces, lambda reference, own=instance: resolve(own, reference, 0, 0))  # type: ignore[misc]
                head = tag if position is None else with_attribute(tag, "localSheetId", str(position))
                yield head + written(text).encode() + content[name.close_start : name.end]

    def _workbook_relations(self, instances: Sequence[Instance]) -> bytes:
        name = relations_name(self._design.part)
        content, root = self._package.parts[name], self._package.xml(name)
        present = {instance.part for instance in instances}
        originals = {sheet.part for sheet in self._design.sheets}
        edits = []
        for child in root.children:
            relation = self._design.relations.get(child.attributes.get("Id", ""))
            gone = relation is not None and relation.target in originals and relation.target not in present
            if relation is None or relation.kind == "calcChain" or gone:
                edits.append((child.start, child.end, b""))
        copies = "".join(
            f'<Relationship xmlns="{_RELATIONS}" Id="copy{position}" Type="{_WORKSHEET}" Target="/{instance.part}"/>'
            for position, instance in enumerate(instances)
            if instance.count
        )
        return edited(content, [*edits, (root.close_start, root.close_start, copies.encode())])

    def _content_types(self, instances: Sequence[Instance], chain: Sequence[str]) -> bytes:
        content, root = self._package.parts[CONTENT_TYPES], self._package.xml(CONTENT_TYPES)
        used = {instance.index for instance in instances}
        gone = set(chain)
        for index, sheet in enumerate(self._design.sheets):
            if index not in used:
                gone.update([sheet.part, *owned_parts(self._package, sheet.part)])
        edits = [
            (child.start, child.end, b"")
            for child in root.children
            if child.name == "Override" and child.attributes.get("PartName", "").lstrip("/") in gone
        ]
        added = "".join(
            f'<Override xmlns="{_TYPES_NAMESPACE}" PartName="/{written(name)}" ContentType="{written(kind)}"/>'
            for name, kind in self._added.items()
        )
        return edited(content, [*edits, (root.close_start, root.close_start, added.encode())])


def _position(index: int, instances: Sequence[Instance]) -> int:
    return next((p for p, instance in enumerate(instances) if instance.index >= index), max(0, len(instances) - 1))


def _moved_drawing(content: bytes, root: Element, instance: Instance) -> bytes:
    """Pictures and charts follow the rows that they hang on."""
    edits = []
    for anchor in root.children:
        start, stop = anchor.child("from"), anchor.child("to")
        first = start.child("row") if start is not None else None
        if first is None or not first.text.strip().isdigit():
            continue
        old = int(first.text)
        new = _row(old, instance)
        edits.append((first.open_end, first.close_start, str(new).encode()))
        last = stop.child("row") if stop is not None else None
        if last is not None and last.text.strip().isdigit():
            moves = anchor.attributes.get("editAs", "twoCell") == "twoCell"
            end = _row(int(last.text), instance) if moves else int(last.text) + new - old
            edits.append((last.open_end, last.close_start, str(max(new, end)).encode()))
    return edited(content, edits)


def _row(row: int, instance: Instance) -> int:
    """Where a row, both counted from 0, went."""
    layout = instance.layout
    found = layout.rows(row + 1, row + 1) or layout.rows(row + 1, MOST_ROWS)
    return row if found is None else found[0] - 1


def _moved_chart(content: bytes, root: Element, instance: Instance, resolve: Resolve) -> bytes:
    """A chart's ranges follow their rows; what it remembers of their values goes."""
    edits = []
    for element in root.all("f", *_CACHES):
        if element.name in _CACHES:
            edits.append((element.start, element.end, b""))
        elif element.close_start > element.open_end:
            try:
                pieces = formulas.pieces_of(element.text)
            except formulas.UnknownReference:
                continue
            text = formulas.resolved(pieces, lambda reference: resolve(instance, reference, 0, 0))
            edits.append((element.open_end, element.close_start, written(text).encode()))
    return edited(content, edits)


def _moved_table(content: bytes, root: Element, instance: Instance) -> bytes:
    """A table's range follows its rows; it keeps at least one below its head."""
    edits = []
    for element in (root, *root.all("autoFilter", "sortState", "sortCondition")):
        try:
            area = formulas.area_of(element.attributes.get("ref", ""))
        except formulas.UnknownReference:
            continue
        found = instance.layout.rows(*area.rows) or area.rows
        ref = area.at(found[0], max(found[1], found[0] + (element is root)))
        tag = with_attribute(content[element.start : element.open_end], "ref", ref)
        edits.append((element.start, element.open_end, tag))
    return edited(content, edits)
