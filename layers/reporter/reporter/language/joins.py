"""Loops and aggregates that only want the rows with one value in a column: an equality comes first in their condition.

``{% for op in t if op.account_id == account.id %}``, the same as an ``if`` around the loop's whole body, and
``{% sum_by t by "amount" if account_id == account.id %}``. The rows come from an index then, and the condition decides about
each as before; a row it would have refused for its first part leaves no trace either way.
"""

from collections.abc import Iterator

from jinja2 import nodes

from reporter.language.row_loops import RowLoop, looked_up

NARROWED = "narrowed"
"""The filter between ``each`` and such a loop; its arguments are the column and the value."""


def mark_joins(tree: nodes.Template) -> None:
    """Narrow what the loops of the tree run over, where that changes nothing else. Row loops are marked already."""
    for loop in tree.find_all(nodes.For):
        if isinstance(loop.target, nodes.Name) and isinstance(loop.iter, nodes.Filter) and not _has_order(loop.iter):
            _mark(loop, loop.target.name)


def _has_order(rows: nodes.Filter) -> bool:
    return rows.args[0].value is not None if isinstance(rows.args[0], nodes.Const) else True


def _mark(loop: nodes.For, variable: str) -> None:
    if loop.test is not None:
        _narrow(loop, variable, loop.test)
        return
    tests = [node for node in loop.body if isinstance(node, nodes.If)]
    gap = _own_text([node for node in loop.body if not isinstance(node, nodes.If)])
    if len(tests) != 1 or gap is None or tests[0].elif_ or tests[0].else_ or loop.else_:
        return
    row_loop: RowLoop | None = getattr(loop, "row_loop", None)
    if row_loop is not None:
        if _narrow(loop, variable, tests[0].test) and gap:
            row_loop.gap, row_loop.counts = gap, True
    elif not gap and not _has_name(loop.body, {"loop"}):
        _narrow(loop, variable, tests[0].test)


def _own_text(body: list[nodes.Node]) -> str | None:
    """What the statements print, where that is nothing but the template's own text."""
    texts: list[str] = []
    for node in body:
        if not isinstance(node, nodes.Output) or not all(isinstance(child, nodes.TemplateData) for child in node.nodes):
            return None
        texts.extend(child.data for child in node.nodes if isinstance(child, nodes.TemplateData))
    return "".join(texts)


def _narrow(loop: nodes.For, variable: str, test: nodes.Node) -> bool:
    for side, value in _sides(test):
        column = looked_up(side, variable)
        if column is not None and _is_fixed(value, loop, variable):
            arguments: list[nodes.Expr] = [nodes.Const(column, lineno=loop.lineno), value]
            loop.iter = nodes.Filter(loop.iter, NARROWED, arguments, [], None, None, lineno=loop.lineno)
            return True
    return False


def _sides(test: nodes.Node) -> Iterator[tuple[nodes.Expr, nodes.Expr]]:
    """Both ways to read the equality that decides first, if there is one."""
    while isinstance(test, nodes.And):
        test = test.left
    if isinstance(test, nodes.Compare) and len(test.ops) == 1 and test.ops[0].op == "eq":
        yield test.expr, test.ops[0].expr
        yield test.ops[0].expr, test.expr


def _is_fixed(value: nodes.Expr, loop: nodes.For, variable: str) -> bool:
    """Whether it is the same for all iterations, and looking it up does nothing else."""
    body = nodes.Scope(loop.body)
    assigned = {name.name for name in body.find_all(nodes.Name) if name.ctx != "load"}
    assigned |= {kept.name for kept in body.find_all(nodes.NSRef)}
    return is_simple(value) and not _has_name([value], assigned | {variable, "loop"})


def is_simple(value: nodes.Expr) -> bool:
    """A constant, a name, or a path of fields that starts with one."""
    while isinstance(value, nodes.Getattr) or (isinstance(value, nodes.Getitem) and isinstance(value.arg, nodes.Const)):
        value = value.node
    return isinstance(value, nodes.Const | nodes.Name)


def _has_name(found: list[nodes.Node] | list[nodes.Expr], names: set[str]) -> bool:
    return any(
        name.name in names
        for node in found
        for name in ([node] if isinstance(node, nodes.Name) else node.find_all(nodes.Name))
    )


def choices_of(condition: nodes.Expr) -> Iterator[tuple[str, nodes.Expr, tuple[str, ...]]]:
    """Of an aggregate's condition: a field, what it has to equal, and the names that must not be fields of the rows."""
    for side, value in _sides(condition):
        field = _name_of(side)
        if field is not None and is_simple(value):
            yield field, value, tuple(_names_of(value))


def _name_of(node: nodes.Node) -> str | None:
    return node.name if isinstance(node, nodes.Name) else None


def _names_of(value: nodes.Node) -> Iterator[str]:
    if isinstance(value, nodes.Name):
        yield value.name
    elif isinstance(value, nodes.Getitem) and getattr(value, "loop_value", False):
        yield value.arg.value  # type: ignore[attr-defined]
    elif isinstance(value, nodes.Getattr | nodes.Getitem):
        yield from _names_of(value.node)
