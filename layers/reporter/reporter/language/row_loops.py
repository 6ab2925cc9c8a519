"""Which loops run over tuples: those that use their variable only by its fields.

Such a loop needs no row objects: what it prints comes as text, escaped a whole column at a time, and what it computes with
as plain local variables. Marks are set on the syntax tree; the compiler writes them down.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from jinja2 import nodes

from reporter.language.parser import LOOP_MEMBERS

MAX_DEPTH = 6
"""Of nested loops this many become two of Python's; it refuses more than twenty."""

Slot = tuple[str, str | None]
"""A field of the loop's rows, and the place where it is printed; None where its value is wanted."""


@dataclass(slots=True)
class RowLoop:
    """``slots``: what each iteration gets. ``counts``: whether it needs to know how far it is. ``gap``: the own text that
    a row prints which is passed over.
    """

    number: int
    slots: list[Slot] = field(default_factory=list)
    counts: bool = False
    gap: str = ""

    def slot(self, name: str, place: str | None) -> tuple[int, int]:
        """This loop's number and the slot's."""
        if (name, place) not in self.slots:
            self.slots.append((name, place))
        return self.number, self.slots.index((name, place))


def mark_row_loops(tree: nodes.Template) -> None:
    """Set ``row_loop`` on the loops that can do without row objects, ``slot`` or ``member`` on what they use."""
    _mark(tree, count(1), 1)


def _mark(node: nodes.Node, numbers: Iterator[int], depth: int) -> None:
    inner = depth
    if isinstance(node, nodes.For):
        if depth <= MAX_DEPTH:
            _mark_loop(node, next(numbers))
        inner += 1
    elif isinstance(node, nodes.Macro):
        inner = 1
    for child in node.iter_child_nodes():
        if not isinstance(child, nodes.Expr):
            _mark(child, numbers, inner)


def _mark_loop(loop: nodes.For, number: int) -> None:
    rows = loop.iter
    if not isinstance(loop.target, nodes.Name) or not isinstance(rows, nodes.Filter):
        return
    if not isinstance(rows.args[0], nodes.Const) or rows.args[0].value is not None:
        return
    uses = _Uses(loop.target.name)
    for node in (*loop.body, *([loop.test] if loop.test is not None else [])):
        uses.look(node, ours=True)
    if uses.escapes or not uses.fields or (uses.members and loop.test is not None):
        return
    made = RowLoop(number, counts=bool(uses.members))
    for node, name, printed in uses.fields:
        place = getattr(node, "place", "plain") if getattr(node, "escaped", True) else "raw"
        node.slot = made.slot(name, place if printed else None)  # type: ignore[attr-defined]
    for node, name in uses.members:
        node.member = number, name  # type: ignore[attr-defined]
    loop.row_loop = made  # type: ignore[attr-defined]


class _Uses:
    """How a loop uses its variable, and ``loop``. ``escapes``: in a way that needs them as they are."""

    def __init__(self, variable: str) -> None:
        self._variable = variable
        self.fields: list[tuple[nodes.Node, str, bool]] = []
        self.members: list[tuple[nodes.Node, str]] = []
        self.escapes = False

    def look(self, node: nodes.Node, *, ours: bool, printed: bool = False) -> None:
        """``ours``: ``loop`` is this loop's. ``printed``: the node is what ``{{ }}`` prints."""
        name = looked_up(node, self._variable)
        member = looked_up(node, "loop") if ours else None
        if name is not None:
            self.fields.append((node, name, printed))
        elif member in LOOP_MEMBERS:
            self.members.append((node, member))
        elif isinstance(node, nodes.Name):
            self.escapes |= node.name == self._variable or (ours and node.name == "loop")
        elif isinstance(node, nodes.Macro):
            self.escapes = True
        elif isinstance(node, nodes.For):
            self._look_at_loop(node, ours)
        elif isinstance(node, nodes.Filter) and getattr(node, "row_condition", False):
            # A field of the rows it chooses may have the variable's name.
            self.escapes |= _names(node.args[-1], {self._variable, "loop"})
            self._look_at_all([node.node, *node.args[:-1]], ours)
        elif isinstance(node, nodes.Output):
            for child in node.nodes:
                self.look(child, ours=ours, printed=True)
        else:
            self._look_at_all(node.iter_child_nodes(), ours)

    def _look_at_all(self, found: "Iterator[nodes.Node] | list[nodes.Node | None]", ours: bool) -> None:
        for node in found:
            if node is not None:
                self.look(node, ours=ours)

    def _look_at_loop(self, loop: nodes.For, ours: bool) -> None:
        if loop.test is not None and _names(loop.test, {"loop"}):
            self.escapes = True
        self._look_at_all([loop.target, loop.iter, loop.test, *loop.else_], ours)
        self._look_at_all([*loop.body], ours=False)


def looked_up(node: nodes.Node, name: str) -> str | None:
    """The field, where the node is ``name.field`` or ``name["field"]``."""
    if not isinstance(node, nodes.Getattr | nodes.Getitem) or not isinstance(node.node, nodes.Name):
        return None
    if node.node.name != name:
        return None
    key = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
    return key if isinstance(key, str) else None


def _names(node: nodes.Node, names: set[str]) -> bool:
    found = [node] if isinstance(node, nodes.Name) else []
    return any(name.name in names for name in (*found, *node.find_all(nodes.Name)))
