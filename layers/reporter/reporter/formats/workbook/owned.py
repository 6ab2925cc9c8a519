"""Parts that belong to one sheet alone, and are copied with it: its drawings, their charts, its tables and so on."""

from collections.abc import Iterator

from reporter.formats.workbook.limits import SIMPLER
from reporter.formats.workbook.package import Package, Relation, refuse, relations_name
from reporter.limit import passed

_KINDS = frozenset(
    {"drawing", "chart", "table", "chartUserShapes", "chartStyle", "chartColorStyle", "printerSettings", "vmlDrawing"}
)
_SHARED = frozenset({"printerSettings"})
"""What sheets may have in common: some programs let the copy of a sheet use them too. Nothing in them follows rows."""
DEEPEST = 8
"""Spreadsheets nest four deep: sheet, drawing, chart, shapes on the chart."""


def owns(relation: Relation) -> bool:
    """Whether what it refers to belongs to the part that refers to it."""
    return relation.kind in _KINDS and not relation.external


def owned_parts(package: Package, name: str) -> Iterator[str]:
    """What belongs to a part, with what belongs to that. It ends, as ``check_owned`` has seen to it."""
    for relation in package.relations(name).values():
        if owns(relation):
            yield relation.target
            yield from owned_parts(package, relation.target)


def check_owned(package: Package, name: str, taken: set[str], depth: int = 1) -> None:
    """Refuses a workbook where one part belongs to two, or to itself: it would be written for each, and without end.

    ``taken``: the parts that belong to somebody; those of ``name`` are added.
    """
    for relation in package.relations(name).values():
        if not owns(relation):
            continue
        told = f"{relations_name(name)} refers to {relation.target[:80]}"
        if relation.target not in package.parts:
            raise refuse(f"{told}, which is not in the workbook")
        if relation.target in taken or relation.target.endswith(".rels"):
            raise refuse(f"{told}, which belongs to another part")
        if relation.kind in _SHARED and not package.relations(relation.target):
            continue
        if depth > DEEPEST:
            raise refuse(passed(f"{told}, which stands", DEEPEST, "parts deep", SIMPLER))
        taken.add(relation.target)
        check_owned(package, relation.target, taken, depth + 1)
