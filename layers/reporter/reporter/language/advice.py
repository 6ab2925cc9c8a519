"""What a template may do, but perhaps is not meant to: each thing with its place. Nothing here refuses a template."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, TypeVar

from jinja2 import nodes

from reporter.errors import TemplateProblem
from reporter.language.dates import moment_of_text
from reporter.language.places import mark_values
from reporter.language.reads import Reader, problem_at
from reporter.schema import ColumnType

MAX_NOTICES = 50

Kind = TypeVar("Kind", bound=nodes.Node)
Found = Iterator[tuple[nodes.Node, str, str]]
"""Node, message, the piece of the template it is about."""

_FAMILIES: dict[ColumnType, str] = {
    "integer": "a number",
    "numeric": "a number",
    "boolean": "true or false",
    "text": "text",
    "uuid": "text",
    "date": "a date",
    "timestamp": "a date",
    "timestamptz": "a date",
}
_QUOTED_IN_JSON = frozenset({"text", "a date"})
_ESCAPED = frozenset({"HTML", "PDF", "XML", "CSV", "JSON"})
_MINUTES_IN_DATE = re.compile(r"(?:dd|DD|yy)[ ./-]?mm|mm[ ./-]?(?:dd|DD|yy|YY)")
_MONTHS_IN_TIME = re.compile(r"(?:HH|hh):MM")


class _Walk:
    """Everything in a tree by its kind, found in one pass.

    ``loops``: each with those around it; ``in_loops``: what is set in any of them.
    """

    def __init__(self, tree: nodes.Template) -> None:
        self.loops: list[tuple[nodes.For, tuple[nodes.For, ...]]] = []
        self.in_loops: list[nodes.Assign] = []
        self._by_kind: dict[type[nodes.Node], list[Any]] = {}
        pending: list[tuple[nodes.Node, tuple[nodes.For, ...]]] = [(tree, ())]
        while pending:
            node, around = pending.pop()
            self._by_kind.setdefault(type(node), []).append(node)
            if isinstance(node, nodes.For):
                self.loops.append((node, around))
                around = (*around, node)
            elif isinstance(node, nodes.Assign) and around:
                self.in_loops.append(node)
            pending.extend((child, around) for child in node.iter_child_nodes())

    def all(self, kind: type[Kind]) -> list[Kind]:
        """Every node of exactly this kind."""
        return self._by_kind.get(kind, [])

    def printed(self) -> Iterator[nodes.Expr]:
        """What ``{{ }}`` and tags print."""
        for output in self.all(nodes.Output):
            yield from (child for child in output.nodes if not isinstance(child, nodes.TemplateData))


def advice(tree: nodes.Template, reader: Reader, output_format: str) -> tuple[TemplateProblem, ...]:
    """In the order of the text, at most ``MAX_NOTICES``. ``reader`` has walked the tree."""
    if output_format == "JSON":
        mark_values(tree, output_format)
    advisers: list[Callable[[_Walk, Reader, str], Found]] = [
        _never_shown,
        _never_used,
        _kept_in_loops,
        _hidden_names,
        _idle_loops,
        _loops_that_search,
        _unlike_comparisons,
        _date_layouts,
        _whole_values,
        _unescaped_values,
        _unquoted_json,
    ]
    walk = _Walk(tree)
    found = {
        problem_at("", message, node, text)
        for adviser in advisers
        for node, message, text in adviser(walk, reader, output_format)
    }
    return tuple(sorted(found, key=lambda notice: (notice.line, notice.column, notice.message))[:MAX_NOTICES])


def _never_shown(_walk: _Walk, reader: Reader, _format: str) -> Found:
    for (source, table), node in reader.named.items():
        if (source, table) not in reader.used and not reader.columns[source, table]:
            yield node, f"{source}.{table} is read but never shown", f"{source}.{table}"


def _never_used(walk: _Walk, _reader: Reader, _format: str) -> Found:
    used = {name.name for name in walk.all(nodes.Name) if name.ctx == "load"}
    assignments: list[nodes.Assign | nodes.AssignBlock] = [*walk.all(nodes.Assign), *walk.all(nodes.AssignBlock)]
    for assigned in assignments:
        if isinstance(assigned.target, nodes.Name) and assigned.target.name not in used:
            yield assigned, f"{assigned.target.name} is set but never used", assigned.target.name
    for scope in walk.all(nodes.With):
        for target in scope.targets:
            if isinstance(target, nodes.Name) and target.name not in used:
                yield target, f"{target.name} is set but never used", target.name
    for macro in walk.all(nodes.Macro):
        if macro.name not in used:
            yield macro, f"the macro {macro.name} is never called", macro.name


def _kept_in_loops(walk: _Walk, _reader: Reader, _format: str) -> Found:
    for assigned in walk.in_loops:
        if isinstance(assigned.target, nodes.Name):
            name = assigned.target.name
            yield assigned, f"{name} keeps its value from one iteration to the next (plain Jinja would forget it)", name


def _hidden_names(walk: _Walk, reader: Reader, _format: str) -> Found:
    for name in walk.all(nodes.Name):
        if name.ctx != "load" and reader.is_source(name.name):
            yield name, f"{name.name} hides the data source of that name", name.name
    for loop, around in walk.loops:
        outer = {name.name for other in around for name in _names(other.target)}
        for name in _names(loop.target):
            if name.name in outer:
                yield name, f"{name.name} hides the {name.name} of the loop around it", name.name


def _idle_loops(walk: _Walk, _reader: Reader, _format: str) -> Found:
    for loop, _around in walk.loops:
        if not any(_does_something(statement) for statement in (*loop.body, *loop.else_)):
            yield loop, "the loop prints and sets nothing", "for"


def _does_something(statement: nodes.Node) -> bool:
    if isinstance(statement, nodes.Output):
        return any(not isinstance(child, nodes.TemplateData) or child.data.strip() for child in statement.nodes)
    if isinstance(statement, nodes.Assign | nodes.AssignBlock):
        return True
    return any(_does_something(child) for child in statement.iter_child_nodes() if not isinstance(child, nodes.Expr))


def _loops_that_search(walk: _Walk, reader: Reader, _format: str) -> Found:
    """A loop over a whole table for each row of another, of which one condition picks the rows."""
    for loop, around in walk.loops:
        over = [table for other in around if (table := reader.looped(other))]
        field = _looked_up(loop) if over and reader.looped(loop) else ""
        if field:
            table = reader.looped(loop)
            message = f"every row of {table} is looked at for each row of {over[-1]}; "
            yield loop, f'{message}filter({table}, "{field}", …) finds them at once', "for"


def _looked_up(loop: nodes.For) -> str:
    """The field that the loop's rows are chosen by, where an equality with something else is all that chooses them."""
    test = loop.test
    if test is None:
        body = [node for node in loop.body if _does_something(node)]
        if len(body) != 1 or not isinstance(body[0], nodes.If) or body[0].else_ or body[0].elif_:
            return ""
        test = body[0].test
    if not isinstance(test, nodes.Compare) or len(test.ops) != 1 or test.ops[0].op != "eq":
        return ""
    own = {name.name for name in _names(loop.target)}
    sides = [test.expr, test.ops[0].expr]
    for side, other in (sides, sides[::-1]):
        if isinstance(side, nodes.Getattr) and isinstance(side.node, nodes.Name) and side.node.name in own:
            named = [name for name in (other, *other.find_all(nodes.Name)) if isinstance(name, nodes.Name)]
            return "" if own & {name.name for name in named} else str(side.attr)
    return ""


def _unlike_comparisons(walk: _Walk, reader: Reader, _format: str) -> Found:
    for compared in walk.all(nodes.Compare):
        sides = [compared.expr, *(operand.expr for operand in compared.ops)]
        for operand, left, right in zip(compared.ops, sides, sides[1:], strict=False):
            for column, constant in ((left, right), (right, left)):
                problem = _unlike(reader.column_type(column), constant)
                if problem and isinstance(constant, nodes.Const):
                    never = operand.op in {"eq", "ne"}
                    outcome = "they are never equal" if never else "comparing them is an error"
                    if operand.op not in {"in", "notin"}:
                        yield constant, f"{_shown(column)} is {problem}: {outcome}", str(constant.value)[:80]


def _unlike(kind: ColumnType | None, constant: nodes.Node) -> str:
    family = _FAMILIES.get(kind) if kind else None
    if family is None or not isinstance(constant, nodes.Const) or constant.value is None:
        return ""
    value: Any = constant.value
    if isinstance(value, str) and family == "a date":
        return "" if moment_of_text(value) is not None else f"a date, and '{value[:40]}' is no date like 2024-05-31"
    if isinstance(value, str) and kind == "uuid" and value != value.lower():
        return "a UUID in lower case, and the text has capitals"
    given = "true or false" if isinstance(value, bool) else "a number" if isinstance(value, int | Decimal) else "text"
    return "" if given == family else f"{family}, compared with {given}"


def _shown(node: nodes.Node) -> str:
    return node.attr if isinstance(node, nodes.Getattr) else node.name if isinstance(node, nodes.Name) else "the value"


def _date_layouts(walk: _Walk, _reader: Reader, _format: str) -> Found:
    for layout, node in _layouts(walk):
        if "2006" in layout:
            continue
        if _MINUTES_IN_DATE.search(layout):
            yield node, f'in "{layout}" mm are minutes; months are MM', layout
        if _MONTHS_IN_TIME.search(layout):
            yield node, f'in "{layout}" MM are months; minutes are mm', layout


def _layouts(walk: _Walk) -> Iterator[tuple[str, nodes.Node]]:
    for used in walk.all(nodes.Filter):
        layout = used.node if used.name == "date_time" else used.args[0] if used.name == "date" and used.args else None
        if isinstance(layout, nodes.Const) and isinstance(layout.value, str):
            yield layout.value[:200], layout


def _whole_values(walk: _Walk, reader: Reader, output_format: str) -> Found:
    if output_format == "JSON":
        return
    for printed in walk.printed():
        for kind in reader.printed(printed):
            if not kind.table:
                continue
            name = f"{kind.source}.{kind.table}"
            what = f"a whole row of {name}" if kind.row else f"the whole table {name}"
            yield printed, f"prints {what} as JSON, and reads all its columns", name


def _unescaped_values(walk: _Walk, reader: Reader, output_format: str) -> Found:
    if output_format not in _ESCAPED:
        return
    for printed in walk.printed():
        off = not getattr(printed, "escaped", True)
        safe = isinstance(printed, nodes.Filter) and printed.name == "safe" and not isinstance(printed.node, nodes.Call)
        columns = [node for node in (printed, *printed.find_all(nodes.Getattr)) if reader.column_type(node)]
        if columns and (off or safe):
            name = _shown(columns[0])
            yield printed, f"{name} is printed without escaping: what it holds becomes part of the document's own text", name


def _unquoted_json(walk: _Walk, reader: Reader, output_format: str) -> Found:
    if output_format != "JSON":
        return
    for printed in walk.printed():
        kind = reader.column_type(printed)
        if kind and _FAMILIES.get(kind) in _QUOTED_IN_JSON and getattr(printed, "place", "") == "plain":
            name = _shown(printed)
            yield printed, f'{name} stands outside quotes: write "{{{{ … }}}}", or {{{{ …|tojson }}}}', name


def _names(target: nodes.Node) -> list[nodes.Name]:
    return [target] if isinstance(target, nodes.Name) else list(target.find_all(nodes.Name))
