"""``set`` inside a loop lasts across that loop's iterations and ends with the loop.

In Jinja every iteration forgets what it set. So the names a loop sets move into a dictionary made before the loop: the
loop reads and writes there, and whatever had the name outside is untouched.
"""

from collections.abc import Iterator
from itertools import count

from jinja2 import nodes

_HOLDER = "_loop_values_{}"
Slots = dict[str, str]
"""A name → the variable that holds the dictionary it lives in."""


def keep_values_across_iterations(tree: nodes.Template) -> None:
    """Rewrite every loop of the tree, in place."""
    taken = {name.name for name in tree.find_all(nodes.Name)}
    numbers = (number for number in count(1) if _HOLDER.format(number) not in taken)
    tree.body = _statements(tree.body, {}, numbers)


def _statements(body: list[nodes.Node], slots: Slots, numbers: Iterator[int]) -> list[nodes.Node]:
    made: list[nodes.Node] = []
    for node in body:
        if isinstance(node, nodes.For):
            made.extend(_loop(node, slots, numbers))
        else:
            made.append(_rewrite(node, slots, numbers))
    return made


def _loop(loop: nodes.For, slots: Slots, numbers: Iterator[int]) -> list[nodes.Node]:
    targets = _names(loop.target)
    names = sorted(_assigned(loop.body) - targets)
    inner = {name: place for name, place in slots.items() if name not in targets}
    before: list[nodes.Node] = []
    if names:
        holder = _HOLDER.format(next(numbers))
        line = loop.lineno
        pairs = [
            nodes.Pair(
                nodes.Const(name, lineno=line),
                _read(nodes.Name(name, "load", lineno=line), slots),
                lineno=line,
            )
            for name in names
        ]
        before.append(nodes.Assign(nodes.Name(holder, "store", lineno=line), nodes.Dict(pairs, lineno=line), lineno=line))
        inner.update(dict.fromkeys(names, holder))
    loop.iter = _expression(loop.iter, slots, numbers)
    if loop.test is not None:
        loop.test = _expression(loop.test, inner, numbers)
    loop.body = _statements(loop.body, inner, numbers)
    loop.else_ = _statements(loop.else_, slots, numbers)
    return [*before, loop]


def _rewrite(node: nodes.Node, slots: Slots, numbers: Iterator[int]) -> nodes.Node:
    if isinstance(node, nodes.Name):
        return _read(node, slots) if node.ctx == "load" else _write(node, slots)
    inner = slots
    if isinstance(node, nodes.With):
        node.values = [_expression(value, slots, numbers) for value in node.values]
        hidden = {name for target in node.targets for name in _names(target)}
        inner = {name: place for name, place in slots.items() if name not in hidden}
        node.body = _statements(node.body, inner, numbers)
        return node
    if isinstance(node, nodes.Macro):
        hidden = {name for argument in node.args for name in _names(argument)} | _assigned(node.body)
        inner = {name: place for name, place in slots.items() if name not in hidden}
        node.body = _statements(node.body, inner, numbers)
        return node
    for field, value in node.iter_fields():
        if isinstance(value, list):
            if value and isinstance(value[0], nodes.Stmt):
                setattr(node, field, _statements(value, inner, numbers))
            else:
                setattr(node, field, [_rewrite(v, inner, numbers) if isinstance(v, nodes.Node) else v for v in value])
        elif isinstance(value, nodes.Node):
            setattr(node, field, _rewrite(value, inner, numbers))
    return node


def _expression(node: nodes.Node, slots: Slots, numbers: Iterator[int]) -> nodes.Expr:
    made = _rewrite(node, slots, numbers)
    if not isinstance(made, nodes.Expr):
        raise TypeError(type(made).__name__)
    return made


def _read(name: nodes.Name, slots: Slots) -> nodes.Expr:
    holder = slots.get(name.name)
    if holder is None:
        return name
    read = nodes.Getitem(
        nodes.Name(holder, "load", lineno=name.lineno),
        nodes.Const(name.name, lineno=name.lineno),
        "load",
        lineno=name.lineno,
    )
    read.loop_value = True  # type: ignore[attr-defined]
    for mark in ("escaped", "place"):
        if hasattr(name, mark):
            setattr(read, mark, getattr(name, mark))
    return read


def _write(name: nodes.Name, slots: Slots) -> nodes.Node:
    holder = slots.get(name.name)
    return name if holder is None or name.ctx != "store" else nodes.NSRef(holder, name.name, lineno=name.lineno)


def _names(target: nodes.Node) -> set[str]:
    found = {name.name for name in target.find_all(nodes.Name)}
    return found | {target.name} if isinstance(target, nodes.Name) else found


def _assigned(body: list[nodes.Node]) -> set[str]:
    """The names set in these statements, without those that loops and macros inside keep to themselves."""
    found: set[str] = set()
    pending: list[nodes.Node] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, nodes.Assign | nodes.AssignBlock):
            found |= _names(node.target)
        if not isinstance(node, nodes.For | nodes.Macro | nodes.Expr):
            pending.extend(node.iter_child_nodes())
    return found
