"""What a template reads, found by walking its syntax tree with the kinds of its values instead of values.

A value is a source, a table, a row of a table, or plain. Looking up a column of a row is a read; using a whole row or
table (printing it, passing it to a filter that may look at anything) reads all its columns.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from reporter.errors import RequestError, TemplateProblem
from reporter.language.functions import FUNCTIONS
from reporter.language.selection import AGGREGATES
from reporter.language.syntax_messages import meant
from reporter.schema import ColumnType, SourceSchema

Report = Callable[[str, str, nodes.Node, str], None]
"""Called with code, message, node and offending text."""


@dataclass(frozen=True, slots=True)
class Kind:
    """``source`` alone: a data source; with ``table``: a table, or its ``row``. ``added``: columns a filter made."""

    source: str
    table: str = ""
    row: bool = False
    added: frozenset[str] = frozenset()

    def as_row(self) -> "Kind":
        """A row of this table."""
        return Kind(self.source, self.table, True, self.added)

    def as_table(self) -> "Kind":
        """The table of this row."""
        return Kind(self.source, self.table, False, self.added)

    def with_column(self, name: str) -> "Kind":
        """The same with a column that a filter adds."""
        return Kind(self.source, self.table, self.row, self.added | {name})


Kinds = frozenset[Kind]
PLAIN: Kinds = frozenset()
Scope = dict[str, Kinds]

_SAME_ROWS = frozenset({"where", "slice", "reverse", "list", "sort", "default", "each", "each pair"})
_ONE_ROW = frozenset({"first", "last"})
_MEASURED = frozenset({"length", "count", "sum", "calc operand", "calc result", "yesno"})


class Reader:
    """Walks one tree. ``schemas`` None: nothing is known of any source, and every name may be one."""

    def __init__(self, schemas: Mapping[str, SourceSchema] | None, report: Report) -> None:
        self._schemas = schemas
        self._report = report
        self._row_scopes: list[Kinds] = []
        self._macros: dict[str, nodes.Macro] = {}
        self._walked: set[tuple[str, tuple[Kinds, ...]]] = set()
        self._assigned_anywhere: frozenset[str] = frozenset()
        self.columns: dict[tuple[str, str], set[str]] = {}
        self.tables: dict[str, dict[str, str]] = {}
        self.used: set[tuple[str, str]] = set()
        self.named: dict[tuple[str, str], nodes.Node] = {}
        self._kinds: dict[int, Kinds] = {}
        self._column_types: dict[int, set[ColumnType]] = {}

    def walk(self, tree: nodes.Template) -> None:
        """Find every read of the tree."""
        self._assigned_anywhere = frozenset(
            name.name for name in tree.find_all(nodes.Name) if name.ctx in {"store", "param"}
        )
        self._body(tree.body, {})

    # -- what was found -------------------------------------------------------------------------------------------

    def is_source(self, name: str) -> bool:
        """Whether a data source is called so."""
        return self._schemas is not None and name in self._schemas

    def column_type(self, node: nodes.Node) -> ColumnType | None:
        """The type of the column that the node reads; None where it reads none, or several of different types."""
        found = self._column_types.get(id(node), set())
        return next(iter(found)) if len(found) == 1 else None

    def printed(self, node: nodes.Node) -> Kinds:
        """The tables and rows that the node prints as a whole."""
        return self._kinds.get(id(node), PLAIN)

    def looped(self, loop: nodes.For) -> str:
        """The table that a loop goes through from end to end; empty where it is no table, or a chosen part of one."""
        whole = isinstance(loop.iter, nodes.Filter) and isinstance(loop.iter.node, nodes.Getattr)
        tables = {f"{kind.source}.{kind.table}" for kind in self._kinds.get(id(loop), PLAIN)} if whole else set()
        return next(iter(tables)) if len(tables) == 1 else ""

    # -- statements -----------------------------------------------------------------------------------------------

    def _body(self, body: Iterable[nodes.Node], scope: Scope) -> None:
        for node in body:
            visit = getattr(self, f"_{type(node).__name__.lower()}", None)
            if visit is not None:
                visit(node, scope)
            elif isinstance(node, nodes.Expr):
                self._of(node, scope)
            else:
                self._body(node.iter_child_nodes(), scope)

    def _output(self, node: nodes.Output, scope: Scope) -> None:
        for child in node.nodes:
            if not isinstance(child, nodes.TemplateData):
                kinds = self._of(child, scope)
                self._note(child, kinds)
                self._whole(kinds)

    def _for(self, node: nodes.For, scope: Scope) -> None:
        kinds = self._of(node.iter, scope)
        inner = dict(scope)
        rows = frozenset(kind.as_row() for kind in kinds if kind.table and not kind.row)
        self._note(node, rows)
        if isinstance(node.target, nodes.Name):
            inner[node.target.name] = rows
        else:
            self._whole(kinds)
            inner.update({name.name: PLAIN for name in node.target.find_all(nodes.Name)})
        inner["loop"] = PLAIN
        # Twice: what one iteration sets, the next one sees.
        for _pass in range(2):
            if node.test is not None:
                self._of(node.test, inner)
            self._body(node.body, inner)
        self._body(node.else_, dict(scope))

    def _if(self, node: nodes.If, scope: Scope) -> None:
        self._use(self._of(node.test, scope))
        before = dict(scope)
        self._body(node.body, scope)
        for branch in (*node.elif_, None):
            other = dict(before)
            if branch is None:
                self._body(node.else_, other)
            else:
                self._use(self._of(branch.test, other))
                self._body(branch.body, other)
            for name, kinds in other.items():
                scope[name] = scope.get(name, PLAIN) | kinds

    def _with(self, node: nodes.With, scope: Scope) -> None:
        inner = dict(scope)
        for target, value in zip(node.targets, node.values, strict=True):
            self._bind(target, self._of(value, scope), inner)
        self._body(node.body, inner)

    def _assign(self, node: nodes.Assign, scope: Scope) -> None:
        self._bind(node.target, self._of(node.node, scope), scope)

    def _assignblock(self, node: nodes.AssignBlock, scope: Scope) -> None:
        self._body(node.body, dict(scope))
        self._bind(node.target, PLAIN, scope)

    def _macro(self, node: nodes.Macro, scope: Scope) -> None:
        self._macros[node.name] = node
        self._call_macro(node, [PLAIN] * len(node.args), scope)

    def _filterblock(self, node: nodes.FilterBlock, scope: Scope) -> None:
        for argument in node.filter.args:
            self._whole(self._of(argument, scope))
        self._body(node.body, dict(scope))

    def _bind(self, target: nodes.Node, kinds: Kinds, scope: Scope) -> None:
        if isinstance(target, nodes.Name):
            scope[target.name] = kinds
        else:
            self._whole(kinds)
            scope.update({name.name: PLAIN for name in target.find_all(nodes.Name)})

    # -- expressions ----------------------------------------------------------------------------------------------

    def _of(self, node: nodes.Node | None, scope: Scope) -> Kinds:
        match node:
            case nodes.Name():
                return self._name(node, scope)
            case nodes.Getattr():
                _look_into(node.node)
                return self._member(node, self._of(node.node, scope), node.attr)
            case nodes.Getitem():
                return self._item(node, scope)
            case nodes.Filter():
                return self._filter(node, scope)
            case nodes.Call():
                return self._call(node, scope)
            case nodes.CondExpr():
                self._use(self._of(node.test, scope))
                return self._of(node.expr1, scope) | self._of(node.expr2, scope)
            case nodes.And() | nodes.Or():
                return self._of(node.left, scope) | self._of(node.right, scope)
            case nodes.List() | nodes.Tuple() | nodes.Dict() | nodes.Concat():
                for child in node.iter_child_nodes():
                    self._whole(self._of(child, scope))
                return PLAIN
            case None:
                return PLAIN
            case _:
                for child in node.iter_child_nodes():
                    self._use(self._of(child, scope))
                return PLAIN

    def _name(self, node: nodes.Name, scope: Scope) -> Kinds:
        for rows in reversed(self._row_scopes):
            if rows and all(self._has_column(kind, node.name, scope) for kind in rows):
                self._read(rows, node.name, node)
                self._note_column(node, rows, node.name)
                return PLAIN
        if node.name in scope:
            return scope[node.name]
        if self._schemas is None:
            return PLAIN
        if node.name in self._schemas:
            return frozenset({Kind(node.name)})
        if any(not rows for rows in self._row_scopes) or node.name in self._assigned_anywhere:
            return PLAIN
        if self._row_scopes:
            self._report("TPL-0014", f"there is neither a field nor a variable {node.name}", node, node.name)
        elif getattr(node, "looked_into", False):
            message = f"there is no data source {node.name}{meant(node.name, self._schemas)}"
            self._report("TPL-0031", message, node, node.name)
        else:
            message = f"there is no variable {node.name}{meant(node.name, {*scope, *self._schemas})}"
            self._report("TPL-0007", message, node, node.name)
        return PLAIN

    def _item(self, node: nodes.Getitem, scope: Scope) -> Kinds:
        _look_into(node.node)
        kinds = self._of(node.node, scope)
        if isinstance(node.arg, nodes.Slice):
            self._of(node.arg, scope)
            return kinds
        if not isinstance(node.arg, nodes.Const):
            self._of(node.arg, scope)
            self._whole(kind for kind in kinds if kind.row)
            return frozenset(kind.as_row() for kind in kinds if kind.table and not kind.row)
        return self._member(node, kinds, node.arg.value)

    def _member(self, node: nodes.Getattr | nodes.Getitem, kinds: Kinds, name: Any) -> Kinds:
        found: set[Kind] = set()
        for kind in kinds:
            if not kind.table:
                found |= self._table(node, kind.source, str(name))
            elif kind.row:
                self._read({kind}, str(name), node)
                self._note_column(node, {kind}, str(name))
            elif isinstance(name, int):
                found.add(kind.as_row())
            else:
                shown = f"{kind.source}.{kind.table}"
                self._report("TPL-0007", f"{shown} is a table: loop over it, or take a row by number", node, str(name))
        return frozenset(found)

    def _table(self, node: nodes.Node, source: str, name: str) -> set[Kind]:
        if self._schemas is None:
            return set()
        try:
            qualified = self._schemas[source].qualified_name(name, name)
        except RequestError as error:
            shown = name.replace("__", ".", 1)
            guess = meant(shown, [*self._schemas[source].by_name, *self._schemas[source].tables])
            self._report(error.code, error.fields[name]["message"] + guess, node, f"{source}.{shown}")
            return set()
        self.tables.setdefault(source, {})[name] = qualified
        self.columns.setdefault((source, qualified), set())
        self.named.setdefault((source, qualified), node)
        return {Kind(source, qualified)}

    def _filter(self, node: nodes.Filter, scope: Scope) -> Kinds:
        kinds = self._of(node.node, scope)
        arguments = list(node.args)
        if getattr(node, "row_condition", False):
            condition = arguments.pop()
            self._row_scopes.append(frozenset(kind.as_row() for kind in kinds if kind.table))
            self._of(condition, scope)
            self._row_scopes.pop()
        constants = [argument.value if isinstance(argument, nodes.Const) else None for argument in arguments]
        text = constants[0] if constants and isinstance(constants[0], str) else None
        for argument in (*arguments, *(keyword.value for keyword in node.kwargs)):
            self._whole(self._of(argument, scope))
        self._use(kinds)
        if node.name in AGGREGATES or node.name == "last_item_by_group":
            for name in ",".join(str(constant) for constant in constants if isinstance(constant, str)).split(","):
                if name.strip():
                    self._read(kinds, name.strip(), node)
            return kinds if node.name == "last_item_by_group" else PLAIN
        if node.name in {"where", "count", "sum", "sort", "add_day", "add_signed"} and arguments:
            if text is None:
                self._whole(kinds)
            else:
                self._read(kinds, text.partition(":")[0], node)
        if node.name == "add_signed":
            for kind in kinds:
                if "direction" in self._schema_columns(kind):
                    self._read({kind}, "direction", node)
        if node.name in {"add_day", "add_signed"}:
            return frozenset(kind.with_column("dia" if node.name == "add_day" else "signed") for kind in kinds)
        if node.name in _ONE_ROW:
            return frozenset(kind.as_row() for kind in kinds)
        if node.name not in _SAME_ROWS | _MEASURED:
            self._whole(kinds)
            return PLAIN
        return kinds if node.name in _SAME_ROWS else PLAIN

    def _call(self, node: nodes.Call, scope: Scope) -> Kinds:
        kinds = [self._of(argument, scope) for argument in node.args]
        named = {keyword.key: self._of(keyword.value, scope) for keyword in node.kwargs}
        name = node.node.name if isinstance(node.node, nodes.Name) else ""
        if name == "filter" and kinds:
            self._use(kinds[0])
            field = node.args[1] if len(node.args) > 1 else None
            if isinstance(field, nodes.Const) and isinstance(field.value, str):
                self._read(kinds[0], field.value, node)
            else:
                self._whole(kinds[0])
            return kinds[0]
        if name in FUNCTIONS:
            for found in (*kinds, *named.values()):
                self._whole(found)
            return PLAIN
        macro = self._macros.get(name)
        if macro is not None:
            names = [argument.name for argument in macro.args]
            bound = [*kinds, *([PLAIN] * len(names))][: len(names)]
            self._call_macro(macro, [named.get(n, kind) for n, kind in zip(names, bound, strict=True)], scope)
        return PLAIN

    def _call_macro(self, macro: nodes.Macro, kinds: list[Kinds], scope: Scope) -> None:
        if (macro.name, tuple(kinds)) in self._walked:
            return
        self._walked.add((macro.name, tuple(kinds)))
        for value in macro.defaults:
            self._whole(self._of(value, scope))
        names = [argument.name for argument in macro.args]
        self._body(macro.body, {**scope, **dict(zip(names, kinds, strict=True))})

    # -- reads ----------------------------------------------------------------------------------------------------

    def _schema_columns(self, kind: Kind) -> frozenset[str]:
        if self._schemas is None or not kind.table:
            return frozenset()
        return frozenset(self._schemas[kind.source].tables[kind.table]) | kind.added

    def _note(self, node: nodes.Node, kinds: Kinds) -> None:
        self._kinds[id(node)] = self._kinds.get(id(node), PLAIN) | kinds

    def _note_column(self, node: nodes.Node, kinds: Iterable[Kind], name: str) -> None:
        for kind in kinds:
            known = self._schemas[kind.source].tables[kind.table] if self._schemas is not None else {}
            self._column_types.setdefault(id(node), set()).add(known.get(name, "other"))

    def _open(self, kind: Kind) -> bool:
        return self._schemas is not None and kind.table in self._schemas[kind.source].open_tables

    def _has_column(self, kind: Kind, name: str, scope: Scope) -> bool:
        """A name in a condition over rows; what is known elsewhere is not taken for a column of an open table."""
        if name in self._schema_columns(kind):
            return True
        return self._open(kind) and name not in scope and name not in (self._schemas or {})

    def _read(self, kinds: Iterable[Kind], path: str, node: nodes.Node) -> None:
        for kind in kinds:
            if not kind.table:
                self._report("TPL-0007", f"{kind.source} is a data source: name one of its tables", node, kind.source)
                continue
            known = self._schema_columns(kind)
            column = path if path in known else path.partition(".")[0]
            if column in kind.added:
                continue
            if column not in known and not self._open(kind):
                message = f"{kind.source}.{kind.table} has no field {column}{meant(column, known)}"
                self._report("TPL-0014", message, node, column)
            else:
                self.columns[kind.source, kind.table].add(column)

    def _use(self, kinds: Iterable[Kind]) -> None:
        self.used.update((kind.source, kind.table) for kind in kinds if kind.table)

    def _whole(self, kinds: Iterable[Kind]) -> None:
        for kind in kinds:
            if kind.table and self._schemas is not None:
                self.used.add((kind.source, kind.table))
                self.columns[kind.source, kind.table].update(self._schemas[kind.source].tables[kind.table])


def _look_into(node: nodes.Node) -> None:
    """An unknown name whose members are asked for is taken for a data source."""
    node.looked_into = True  # type: ignore[attr-defined]


def problem_at(code: str, message: str, node: nodes.Node, text: str) -> TemplateProblem:
    """A problem at a node's place."""
    return TemplateProblem(code, message, int(node.lineno), getattr(node.lineno, "column", 1), text)
