"""Syntax tree to Python: Jinja's code generator with this language's meaning of operators, names and printing.

Nothing is folded at compile time, no Python attribute of a value is ever looked up, and numbers stay exact.
"""

from collections.abc import Callable, Iterable, Sequence
from io import StringIO

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.environment import Environment

from reporter.language.joins import NARROWED, choices_of
from reporter.language.row_loops import RowLoop

Choice = tuple[str, nodes.Expr, tuple[str, ...]]

_OPERATORS = {
    "Add": "r_add",
    "Sub": "r_subtract",
    "Mul": "r_multiply",
    "Div": "r_divide",
    "FloorDiv": "r_floor_divide",
    "Mod": "r_modulo",
    "Pow": "r_power",
}
_COMPARISONS = {
    "eq": "r_equal({a}, {b})",
    "ne": "not r_equal({a}, {b})",
    "lt": "r_less({a}, {b})",
    "gt": "r_less({b}, {a})",
    "lteq": "r_less_equal({a}, {b})",
    "gteq": "r_less_equal({b}, {a})",
    "in": "r_contains({a}, {b})",
    "notin": "not r_contains({a}, {b})",
}

_MEMBERS = {
    "index": "({at} + 1)",
    "index0": "{at}",
    "revindex": "({count} - {at})",
    "revindex0": "({count} - {at} - 1)",
    "first": "({at} == 0)",
    "last": "({at} == {count} - 1)",
    "length": "{count}",
    "depth": "1",
    "depth0": "0",
}
MAX_JOINED = 64
"""So many texts and values become one piece; more would hold too much at once."""
MAX_CONDITIONS = 3
"""So many conditions inside or after one another are part of one piece: Python limits how deep brackets may nest."""


class TemplateCompiler(CodeGenerator):
    """``functions``: the names that may be called besides macros."""

    def __init__(self, environment: Environment, functions: frozenset[str]) -> None:
        super().__init__(environment, None, None, optimized=False)
        self._functions = functions
        self._row_variables: list[str] = []

    def _written(self, node: nodes.Node, frame: Frame) -> str:
        """The code of an expression, as text."""
        stream, written = self.stream, StringIO()
        self.stream = written
        self.visit(node, frame)
        self.stream = stream
        return written.getvalue()

    def code_of(self, tree: nodes.Template) -> str:
        """The Python source of a whole template."""
        written = StringIO()
        self.stream = written
        self.visit(tree)
        return written.getvalue()

    def _call(self, function: str, frame: Frame, *arguments: nodes.Node) -> None:
        self.write(f"{function}(")
        for argument in arguments:
            self.visit(argument, frame)
            self.write(", ")
        self.write(")")

    # -- printing -------------------------------------------------------------------------------------------------

    def blockvisit(self, body: Iterable[nodes.Node], frame: Frame) -> None:
        """Text and values that follow one another are one piece, whatever conditions stand around some of them."""
        # Where nothing follows, Python still wants a statement.
        super().blockvisit([], frame)
        waiting: list[nodes.Node] = []
        for node in body:
            pieces = _pieces_of(node)
            if pieces is None:
                self._write_pieces(waiting, frame)
                waiting = []
                super().blockvisit([node], frame)
            else:
                waiting.extend(pieces)
        self._write_pieces(waiting, frame)

    def _write_pieces(self, pieces: Sequence[nodes.Node], frame: Frame) -> None:
        for start in range(0, len(pieces), MAX_JOINED):
            some = pieces[start : start + MAX_JOINED]
            self.writeline("yield " if frame.buffer is None else f"{frame.buffer}.append(", some[0])
            self._write_joined(some, frame)
            self.write("" if frame.buffer is None else ")")

    def _write_joined(self, pieces: Sequence[nodes.Node], frame: Frame) -> None:
        """Nothing is folded: that would mean running it."""
        self.write('"".join((')
        self.indent()
        for piece in pieces:
            self.newline(piece)
            self._write_piece(piece, frame)
            self.write(",")
        self.outdent()
        self.write("))")

    def _write_piece(self, node: nodes.Node, frame: Frame) -> None:
        place = getattr(node, "place", "plain") if getattr(node, "escaped", True) else "raw"
        if isinstance(node, nodes.TemplateData):
            self.write(repr(node.data))
        elif isinstance(node, nodes.If):
            for branch in (node, *node.elif_):
                self.write("(")
                self._write_joined(_pieces_of_all(branch.body) or [], frame)
                self.newline(branch.test)
                self.write(" if ")
                self.visit(branch.test, frame)
                self.write(" else ")
            self._write_joined(_pieces_of_all(node.else_) or [], frame)
            self.write(")" * (1 + len(node.elif_)))
        elif hasattr(node, "slot"):
            self.visit(node, frame)
        else:
            self.write(f"r_print_{place}(")
            self.visit(node, frame)
            self.write(")")

    # -- loops ----------------------------------------------------------------------------------------------------

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802
        """Over tuples where the loop needs no rows: batches, and in each batch its tuples."""
        loop: RowLoop | None = getattr(node, "row_loop", None)
        if loop is None:
            super().visit_For(node, frame)
            return
        body, otherwise = frame.inner(), frame.inner()
        body.loop_frame = True
        body.symbols.declare_parameter("loop")
        body.symbols.analyze_node(node, for_branch="test")
        body.symbols.analyze_node(node, for_branch="body")
        otherwise.symbols.analyze_node(node, for_branch="else")
        number, slots = loop.number, range(len(loop.slots))
        narrowed = node.iter if isinstance(node.iter, nodes.Filter) and node.iter.name == NARROWED else None
        self.writeline(f"all_{number} = ", node)
        self.visit((narrowed and narrowed.node) or node.iter, frame)
        if loop.counts:
            self.writeline(f"count_{number} = len(all_{number})")
        if narrowed is not None:
            self.writeline(f"all_{number} = ", node)
            self._write_narrowed(lambda: self.write(f"all_{number}"), _choices_of_loop(narrowed), frame)
        if loop.gap:
            self.writeline(f"done_{number} = 0")
        if node.else_:
            self.writeline(f"empty_{number} = True")
        self.writeline("_loop_vars = {}")
        self.writeline(f"for late, batch_{number} in r_batches(all_{number}, {tuple(loop.slots)!r}, {loop.counts}):", node)
        self.indent()
        self.writeline("".join(f"late_{number}_{slot}, " for slot in slots) + "= late")
        values = "".join(f"value_{number}_{slot}, " for slot in slots) + (f"at_{number}" if loop.counts else "")
        self.writeline(f"for {values} in batch_{number}:", node)
        self.indent()
        if loop.gap:
            self._write_gap(loop, f"at_{number}", frame)
            self.writeline(f"done_{number} = at_{number} + 1")
        self.enter_frame(body)
        if node.test is not None:
            self.writeline("if not (", node.test)
            self.visit(node.test, body)
            self.write("): continue")
        if node.else_:
            self.writeline(f"empty_{number} = False")
        self.blockvisit(node.body, body)
        self.outdent(2)
        self.leave_frame(body)
        if loop.gap:
            self._write_gap(loop, f"count_{number}", frame)
        if node.else_:
            self.writeline(f"if empty_{number}:")
            self.indent()
            self.enter_frame(otherwise)
            self.blockvisit(node.else_, otherwise)
            self.leave_frame(otherwise)
            self.outdent()
        if self._assign_stack:
            self._assign_stack[-1].difference_update(body.symbols.stores)

    def _write_gap(self, loop: RowLoop, end: str, frame: Frame) -> None:
        """What the rows passed over print."""
        gaps = f"r_repeated({loop.gap!r}, {end} - done_{loop.number})"
        self.writeline(f"if {end} > done_{loop.number}:")
        self.indent()
        self.writeline(f"yield from {gaps}" if frame.buffer is None else f"{frame.buffer}.extend({gaps})")
        self.outdent()

    def _write_narrowed(self, write_rows: Callable[[], object], choices: Iterable[Choice], frame: Frame) -> None:
        self.write("r_narrowed(")
        write_rows()
        self.write(", (")
        for column, value, names in choices:
            self.write(f"({column!r}, lambda: ")
            self.visit(value, frame)
            self.write(f", {names!r}), ")
        self.write("))")

    def _write_slot(self, node: nodes.Node) -> bool:
        """A field of a loop's rows, or a member of ``loop``: a local variable. False for every other node."""
        if hasattr(node, "slot"):
            number, slot = node.slot
            value, late = f"value_{number}_{slot}", f"late_{number}_{slot}"
            self.write(f"({value} if {late} is None else {late}({value}))")
        elif hasattr(node, "member"):
            number, name = node.member
            self.write(_MEMBERS[name].format(at=f"at_{number}", count=f"count_{number}"))
        else:
            return False
        return True

    # -- names and values -----------------------------------------------------------------------------------------

    def visit_Name(self, node: nodes.Name, frame: Frame) -> None:  # noqa: N802
        """Missing is null; in an aggregate's condition a field of the row comes first."""
        if node.ctx != "load":
            super().visit_Name(node, frame)
            return
        reference = frame.symbols.ref(node.name)
        value = f"(None if {reference} is missing else {reference})"
        for row in self._row_variables:
            value = f"r_either({row}, {node.name!r}, {value})"
        self.write(value)

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802
        """``a.b``."""
        if not self._write_slot(node):
            self._call("r_field", frame, node.node, nodes.Const(node.attr))

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802
        """``a[b]`` and ``a.0``."""
        if self._write_slot(node):
            return
        if getattr(node, "loop_value", False) and isinstance(node.node, nodes.Name):
            value = f"{frame.symbols.ref(node.node.name)}[{node.arg.value!r}]"  # type: ignore[attr-defined]
            for row in self._row_variables:
                value = f"r_either({row}, {node.arg.value!r}, {value})"  # type: ignore[attr-defined]
            self.write(value)
        elif isinstance(node.arg, nodes.Slice):
            self.write("r_slice(")
            self.visit(node.node, frame)
            for bound in (node.arg.start, node.arg.stop, node.arg.step):
                self.write(", ")
                self.visit(bound or nodes.Const(None), frame)
            self.write(")")
        else:
            self._call("r_item", frame, node.node, node.arg)

    def visit_NSRef(self, node: nodes.NSRef, frame: Frame) -> None:  # noqa: N802
        """A value that a loop keeps."""
        self.write(f"{frame.symbols.ref(node.name)}[{node.attr!r}]")

    def visit_Assign(self, node: nodes.Assign, frame: Frame) -> None:  # noqa: N802
        """``set``."""
        if isinstance(node.target, nodes.NSRef) or node.target.find(nodes.NSRef) is not None:
            self.newline(node)
            self.visit(node.target, frame)
            self.write(" = ")
            self.visit(node.node, frame)
        else:
            super().visit_Assign(node, frame)

    def visit_With(self, node: nodes.With, frame: Frame) -> None:  # noqa: N802
        """Marks the line, so that an error in a value names it."""
        self.writeline("pass", node)
        super().visit_With(node, frame)

    # -- operators ------------------------------------------------------------------------------------------------

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: N802
        """``a < b < c`` is ``a < b and b < c``."""
        left = node.expr
        parts = []
        for operand in node.ops:
            a, b = self._written(left, frame), self._written(operand.expr, frame)
            parts.append(_COMPARISONS[operand.op].format(a=a, b=b))
            left = operand.expr
        self.write("(" + " and ".join(parts) + ")")

    def visit_Neg(self, node: nodes.UnaryExpr, frame: Frame) -> None:  # noqa: N802
        """``-a``."""
        self._call("r_negate", frame, node.node)

    def visit_Pos(self, node: nodes.UnaryExpr, frame: Frame) -> None:  # noqa: N802
        """``+a``."""
        self._call("r_add", frame, nodes.Const(0), node.node)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        """``a ~ b``."""
        self._call("r_concat", frame, *node.nodes)

    # -- calls ----------------------------------------------------------------------------------------------------

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: N802
        """Functions directly, macros as Jinja does."""
        if isinstance(node.node, nodes.Name) and node.node.name in self._functions:
            self.write(f"r_functions[{node.node.name!r}](")
            for argument in node.args:
                self.visit(argument, frame)
                self.write(", ")
            for keyword in node.kwargs:
                self.visit(keyword, frame)
                self.write(", ")
            self.write(")")
        else:
            super().visit_Call(node, frame, forward_caller=forward_caller)

    def visit_Filter(self, node: nodes.Filter, frame: Frame) -> None:  # noqa: N802
        """A condition on rows becomes a function of the row."""
        if node.name == NARROWED:
            self._write_narrowed(lambda: self.visit(node.node, frame), _choices_of_loop(node), frame)  # type: ignore[arg-type]
            return
        if not getattr(node, "row_condition", False) or node.node is None:
            super().visit_Filter(node, frame)
            return
        *arguments, condition = node.args
        self.write(f"{self.filters[node.name]}(")
        rows = node.node
        self._write_narrowed(lambda: self.visit(rows, frame), choices_of(condition), frame)
        self.write(", ")
        for argument in arguments:
            self.visit(argument, frame)
            self.write(", ")
        row = f"row_{len(self._row_variables)}"
        self._row_variables.append(row)
        self.write(f"r_condition(lambda {row}: ")
        self.visit(condition, frame)
        self.write(f", {int(node.lineno)}))")
        self._row_variables.pop()


def _pieces_of(node: nodes.Node, depth: int = 0) -> list[nodes.Node] | None:
    """What a statement prints, where printing is all it does, and not too much of it."""
    if isinstance(node, nodes.Output):
        return [*node.nodes]
    if isinstance(node, nodes.If) and depth < MAX_CONDITIONS and len(node.elif_) < MAX_CONDITIONS:
        bodies = [branch.body for branch in (node, *node.elif_)] + [node.else_]
        if all(_pieces_of_all(body, depth + 1) is not None for body in bodies):
            return [node]
    return None


def _pieces_of_all(body: Sequence[nodes.Node], depth: int = 0) -> list[nodes.Node] | None:
    """The same of several statements; None also where that would hold too much at once."""
    found: list[nodes.Node] = []
    for node in body:
        pieces = _pieces_of(node, depth)
        if pieces is None or len(found) + len(pieces) > MAX_JOINED // 4:
            return None
        found.extend(pieces)
    return found


def _choices_of_loop(node: nodes.Filter) -> list[Choice]:
    column, value = node.args
    return [(column.value, value, ())] if isinstance(column, nodes.Const) else []


def _operator(function: str) -> Callable[[TemplateCompiler, nodes.BinExpr, Frame], None]:
    def visit(self: TemplateCompiler, node: nodes.BinExpr, frame: Frame) -> None:
        self._call(function, frame, node.left, node.right)

    return visit


for _kind, _function in _OPERATORS.items():
    setattr(TemplateCompiler, f"visit_{_kind}", _operator(_function))
