"""Tokens to Jinja's syntax tree, with the tags and spellings of Django-like templates.

Everything that is not plain data in, text out is refused here, whether or not it would ever run.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from jinja2 import Environment, nodes
from jinja2.lexer import Token
from jinja2.parser import Parser

from reporter.language.aggregates import parse_aggregate, parse_last_item_by_group
from reporter.language.arguments import call_problem
from reporter.language.calculation import parse_calculation
from reporter.language.cells import SHEET_FILTER
from reporter.language.data_tests import DATA_TESTS
from reporter.language.limits import TemplateLimits, too_deep
from reporter.language.syntax_messages import meant, not_closed, shown, unknown_tag

FORLOOP = {
    "counter": "index",
    "counter0": "index0",
    "revcounter": "revindex",
    "revcounter0": "revindex0",
    "first": "first",
    "last": "last",
}
LOOP_MEMBERS = frozenset({*FORLOOP.values(), "length", "depth", "depth0"})
AGGREGATE_TAGS = ("sum_by", "avg_by", "min_by", "max_by", "count_by")


class TemplateParser(Parser):
    """One per template. ``filters`` and ``functions``: those there are, by name."""

    def __init__(
        self,
        environment: Environment,
        source: str,
        *,
        filters: Mapping[str, Callable[..., Any]],
        functions: Mapping[str, Callable[..., Any]],
        limits: TemplateLimits,
    ) -> None:
        super().__init__(environment, source)
        self._filters = filters
        self._functions = functions
        self._macros: dict[str, nodes.Macro] = {}
        self._limits = limits
        self._blocks = 0
        self._open_tags: list[Token] = []
        self._loops = 0
        self._escaping = True
        self._tags: dict[str, Callable[[], nodes.Node | list[nodes.Node]]] = {
            "for": self._parse_loop,
            "if": self.parse_if,
            "with": self.parse_with,
            "set": self._parse_set,
            "macro": self.parse_macro,
            "filter": self.parse_filter_block,
            "autoescape": self._parse_autoescape,
            "calc": lambda: parse_calculation(self),
            "last_item_by_group": lambda: parse_last_item_by_group(self),
            "firstof": self._parse_firstof,
            "cycle": self._parse_cycle,
            "counter": lambda: self._parse_counter("counter"),
            "counter_show": lambda: self._parse_counter("counter_show"),
            "date_time": self._parse_date_time,
            "sheet": self._parse_sheet,
            **{tag: (lambda tag=tag: parse_aggregate(self, tag)) for tag in AGGREGATE_TAGS},  # type: ignore[misc]
        }

    def fail_at(self, message: str, token: Token | None = None) -> NoReturn:
        """Refuse the template at a token, the current one by default."""
        self.fail(message, (token or self.stream.current).lineno)

    def parse_statement(self) -> nodes.Node | list[nodes.Node]:
        """One tag."""
        token = self.stream.current
        if token.type != "name":
            self.fail_at("a tag's name is needed here")
        parse = self._tags.get(token.value)
        if parse is None:
            if token.value in {"include", "import", "from", "extends", "block", "do"}:
                self.fail_at(f"the tag {token.value} is not available: a template stands for itself")
            self.fail_unknown_tag(token.value, token.lineno)
        self._tag_stack.append(token.value)
        self._open_tags.append(token)
        self._blocks += 1
        if self._blocks > self._limits.blocks:
            self.fail_at(too_deep("tags", self._limits.blocks))
        try:
            return parse()
        finally:
            self._blocks -= 1
            self._open_tags.pop()
            self._tag_stack.pop()

    def fail_unknown_tag(self, name: str, lineno: int | None = None) -> NoReturn:
        """Say what is open here, or which tag may be meant."""
        ends = self._end_token_stack[-1] if self._end_token_stack else ()
        self.fail(unknown_tag(name, list(self._tags), self._open_tags[-1] if self._open_tags else None, ends), lineno)

    def fail_eof(self, end_tokens: tuple[str, ...] | None = None, lineno: int | None = None) -> NoReturn:
        """Say which tag is not closed, at its place."""
        ends = end_tokens or (self._end_token_stack[-1] if self._end_token_stack else ())
        if not self._open_tags:
            self.fail("the template breaks off", lineno)
        self.fail_at(not_closed(self._open_tags[-1], ends), self._open_tags[-1])

    # -- tags -----------------------------------------------------------------------------------------------------

    def _parse_loop(self) -> nodes.Node:
        line = next(self.stream).lineno
        self._loops += 1
        if self._loops > self._limits.loops:
            self.fail(too_deep("loops", self._limits.loops), line)
        target = self.parse_assign_target(extra_end_rules=("name:in",))
        for name in [target] if isinstance(target, nodes.Name) else target.find_all(nodes.Name):
            if name.name == "loop":
                self.fail("a loop's variable must not be called loop: that tells how far the loop is", name.lineno)
        self.stream.expect("name:in")
        rows = self.parse_tuple(with_condexpr=False)
        order = None
        if self.stream.current.test_any("name:reversed", "name:sorted"):
            order = next(self.stream).value
        test = self.parse_expression() if self.stream.skip_if("name:if") else None
        for name in nodes.Output([test]).find_all(nodes.Name) if test is not None else ():
            if name.name == "loop":
                self.fail("a loop's own condition comes before it is known how far the loop is", name.lineno)
        if order is None and self.stream.current.test_any("name:reversed", "name:sorted"):
            order = next(self.stream).value
        if self.stream.current.test("name:recursive"):
            self.fail_at("recursive loops are not available")
        rows = nodes.Filter(
            rows,
            "each pair" if isinstance(target, nodes.Tuple) else "each",
            [nodes.Const(order, lineno=line)],
            [],
            None,
            None,
            lineno=line,
        )
        body = self.parse_statements(("name:endfor", "name:else", "name:empty"))
        otherwise: list[nodes.Node] = []
        if next(self.stream).value != "endfor":
            otherwise = self.parse_statements(("name:endfor",), drop_needle=True)
        self._loops -= 1
        return nodes.For(target, rows, body, otherwise, test, False, lineno=line)

    def parse_with(self) -> nodes.With:
        """``with a=b c=d``, ``with a=b, c=d`` and ``with a as b``."""
        line = next(self.stream).lineno
        targets: list[nodes.Expr] = []
        values: list[nodes.Expr] = []
        while self.stream.current.type != "block_end":
            if targets:
                self.stream.skip_if("comma")
            if self.stream.current.type == "name" and self.stream.look().type == "assign":
                target = self.parse_assign_target(name_only=True)
                next(self.stream)
                values.append(self.parse_expression())
            else:
                values.append(self.parse_expression())
                self.stream.expect("name:as")
                target = self.parse_assign_target(name_only=True)
            target.set_ctx("param")
            targets.append(target)
        body = self.parse_statements(("name:endwith",), drop_needle=True)
        return nodes.With(targets, values, body, lineno=line)

    def _parse_set(self) -> nodes.Node:
        made = self.parse_set()
        for target in made.find_all(nodes.NSRef):
            self.fail("namespaces are not needed: set lasts across the iterations of a loop", target.lineno)
        if isinstance(made, nodes.AssignBlock):
            made.filter = nodes.Filter(made.filter, "captured", [], [], None, None, lineno=made.lineno)
        return made

    def parse_signature(self, node: Any) -> None:
        """A macro's arguments. From here on it can be called, also by itself."""
        super().parse_signature(node)
        names = [argument.name for argument in node.args]
        for argument in node.args:
            if names.count(argument.name) > 1:
                self.fail(f"the macro {node.name} has two arguments called {argument.name}", argument.lineno)
        if node.name in self._functions:
            self.fail(f"a macro must not be called {node.name}: there is a function of that name", node.lineno)
        self._macros[node.name] = node

    def _check_macro_call(self, macro: nodes.Macro, call: nodes.Call) -> None:
        names = [argument.name for argument in macro.args]
        if len(call.args) > len(names):
            self.fail(f"the macro {macro.name} takes at most {len(names)} arguments", call.lineno)
        free = names[len(call.args) :]
        for keyword in call.kwargs:
            if keyword.key not in free:
                self.fail(f"the macro {macro.name} takes no argument {keyword.key} here", keyword.lineno)
            free.remove(keyword.key)

    def parse_filter_block(self) -> nodes.FilterBlock:
        """``filter``: what it makes of its body is printed as it is."""
        made = super().parse_filter_block()
        made.filter = nodes.Filter(made.filter, "captured", [], [], None, None, lineno=made.lineno)
        return made

    def _parse_autoescape(self) -> list[nodes.Node]:
        next(self.stream)
        word = self.stream.current
        if not word.test_any("name:on", "name:off", "name:true", "name:false", "name:True", "name:False"):
            self.fail_at("autoescape is on or off")
        next(self.stream)
        outer, self._escaping = self._escaping, word.value.lower() in {"on", "true"}
        try:
            return self.parse_statements(("name:endautoescape",), drop_needle=True)
        finally:
            self._escaping = outer

    def _parse_firstof(self) -> nodes.Node:
        line = next(self.stream).lineno
        values = self._values_until_end("firstof")
        return self.shown(nodes.Filter(nodes.List(values, lineno=line), "firstof", [], [], None, None, lineno=line))

    def _parse_cycle(self) -> nodes.Node:
        token = next(self.stream)
        values = nodes.List(self._values_until_end("cycle"), lineno=token.lineno)
        key = nodes.Const(self.free_identifier().name, lineno=token.lineno)
        return self.shown(nodes.Filter(values, "cycle", [key], [], None, None, lineno=token.lineno))

    def _parse_counter(self, name: str) -> nodes.Node:
        line = next(self.stream).lineno
        names = nodes.List(self._values_until_end(name), lineno=line)
        return self.shown(nodes.Filter(names, name, [], [], None, None, lineno=line))

    def _parse_date_time(self) -> nodes.Node:
        line = next(self.stream).lineno
        layout = self.parse_expression()
        return self.shown(nodes.Filter(layout, "date_time", [], [], None, None, lineno=line))

    def _parse_sheet(self) -> nodes.Node:
        line = next(self.stream).lineno
        name = self.parse_expression()
        return self.shown(nodes.Filter(name, SHEET_FILTER, [], [], None, None, lineno=line))

    def _values_until_end(self, tag: str) -> list[nodes.Expr]:
        values = []
        while self.stream.current.type != "block_end":
            if self.stream.current.test("name:as"):
                self.fail_at(f"{tag} takes no 'as'")
            values.append(self._single_value())
            self.stream.skip_if("comma")
        if not values:
            self.fail_at(f"{tag} needs at least one value")
        return values

    def _single_value(self) -> nodes.Expr:
        """One value of a row of values: Jinja itself would join neighbouring texts into one."""
        token = self.stream.current
        if token.type != "string":
            return self.parse_unary()
        next(self.stream)
        return self.parse_filter_expr(nodes.Const(token.value, lineno=token.lineno))

    def shown(self, expression: nodes.Expr) -> nodes.Output:
        """What a tag prints, escaped like any other value."""
        expression.escaped = self._escaping  # type: ignore[attr-defined]
        return nodes.Output([expression], lineno=expression.lineno)

    def subparse(self, end_tokens: tuple[str, ...] | None = None) -> list[nodes.Node]:
        """Text, values and tags, each value remembering whether it is to be escaped."""
        escaping = self._escaping
        body = super().subparse(end_tokens)
        for node in body:
            if isinstance(node, nodes.Output):
                for child in node.nodes:
                    if not hasattr(child, "escaped"):
                        child.escaped = escaping  # type: ignore[attr-defined]
        return body

    # -- expressions ----------------------------------------------------------------------------------------------

    def parse_primary(self, with_namespace: bool = False) -> nodes.Expr:
        """Names, literals, brackets."""
        token = self.stream.current
        self._require_value()
        if token.type == "name":
            if token.value in {"nil", "null"}:
                next(self.stream)
                return nodes.Const(None, lineno=token.lineno)
            if token.value == "forloop":
                next(self.stream)
                return self._parse_forloop(token)
            if token.value in {"super", "caller", "self", "varargs", "kwargs"} and not self._is_assigned(token):
                self.fail_at(f"{token.value} is not available", token)
        return super().parse_primary()

    def parse_tuple(self, *arguments: Any, **named: Any) -> Any:
        """One value or several."""
        self._require_value()
        return super().parse_tuple(*arguments, **named)

    def _require_value(self) -> None:
        if self.stream.current.type in {"block_end", "variable_end", "eof"}:
            self.fail_at(f"a value is missing before {shown(self.stream.current)}")

    def _is_assigned(self, token: Token) -> bool:
        return self.stream.look().type == "assign"

    def _parse_forloop(self, token: Token) -> nodes.Expr:
        self.stream.expect("dot")
        member = self.stream.expect("name")
        known = FORLOOP.get(member.value.lower())
        if known is None:
            self.fail_at(f"forloop has no {member.value}; there are {', '.join(FORLOOP)}", member)
        return nodes.Getattr(nodes.Name("loop", "load", lineno=token.lineno), known, "load", lineno=token.lineno)

    def parse_pow(self) -> nodes.Expr:
        """``**`` binds to the right: ``2 ** 3 ** 2`` is 512."""
        line = self.stream.current.lineno
        left = self.parse_unary()
        if self.stream.current.type == "pow":
            next(self.stream)
            return nodes.Pow(left, self.parse_pow(), lineno=line)
        return left

    def parse_filter(self, node: nodes.Expr | None, start_inline: bool = False) -> nodes.Expr | None:
        """``|name``, ``|name(arguments)``, ``|name:argument``."""
        while self.stream.current.type == "pipe" or start_inline:
            if not start_inline:
                next(self.stream)
            start_inline = False
            token = self.stream.expect("name")
            if token.value not in self._filters:
                self.fail_at(f"there is no filter {token.value}{meant(token.value, self._filters)}", token)
            arguments: list[nodes.Expr] = []
            named: list[nodes.Keyword] = []
            if self.stream.current.type == "lparen":
                arguments, named, more, more_named = self.parse_call_args()
                if more is not None or more_named is not None:
                    self.fail_at("a filter takes its arguments one by one", token)
            elif self.stream.current.type == "colon":
                next(self.stream)
                arguments = [self.parse_unary(with_filter=False)]
            self._check_arguments(self._filters[token.value], token, len(arguments), named, values=1)
            node = nodes.Filter(node, token.value, arguments, named, None, None, lineno=token.lineno)
        return node

    def _check_arguments(
        self, function: Callable[..., Any], token: Token, given: int, named: list[nodes.Keyword], values: int = 0
    ) -> None:
        problem = call_problem(function, given, [keyword.key for keyword in named], values=values)
        if problem is not None:
            self.fail_at(f"{token.value} {problem}", token)

    def parse_test(self, node: nodes.Expr) -> nodes.Expr:
        """``is name``: the tests that look at plain data only."""
        name = self.stream.look() if self.stream.look().value != "not" else None
        if name is not None and name.type == "name" and name.value not in DATA_TESTS:
            self.fail_at(f"there is no test {name.value}", name)
        parsed = super().parse_test(node)
        for test in nodes.Output([parsed]).find_all(nodes.Test):
            if test.name not in DATA_TESTS:
                self.fail(f"there is no test {test.name}", test.lineno)
            named = [str(getattr(keyword, "key", "")) for keyword in test.kwargs]
            problem = call_problem(DATA_TESTS[test.name], len(test.args), named, values=1)
            if problem is not None:
                self.fail(f"{test.name} {problem}", test.lineno)
        return parsed

    def parse_call(self, node: nodes.Expr) -> Any:
        """Only functions and the template's own macros can be called."""
        token = self.stream.current
        call = super().parse_call(node)
        if not isinstance(node, nodes.Name):
            self.fail("values have no methods; use a filter", node.lineno)
        if call.dyn_args is not None or call.dyn_kwargs is not None:
            self.fail_at("a function takes its arguments one by one", token)
        if node.name in self._macros:
            self._check_macro_call(self._macros[node.name], call)
            return nodes.Filter(call, "safe", [], [], None, None, lineno=call.lineno)
        if node.name not in self._functions:
            self.fail(f"there is no function {node.name}{meant(node.name, self._functions)}", node.lineno)
        problem = call_problem(self._functions[node.name], len(call.args), [keyword.key for keyword in call.kwargs])
        if problem is not None:
            self.fail(f"{node.name} {problem}", node.lineno)
        return call

    def parse_subscript(self, node: nodes.Expr) -> nodes.Getattr | nodes.Getitem:
        """``a.b``, ``a.0``, ``a["b"]``."""
        after = self.stream.look()
        if self.stream.current.type == "dot" and after.type not in {"name", "integer"}:
            self.fail_at("the name of a field, or a number, is expected after the dot", after)
        made = super().parse_subscript(node)
        name = made.attr if isinstance(made, nodes.Getattr) else getattr(made.arg, "value", None)
        if isinstance(name, str) and name.startswith("__"):
            self.fail(f"there is nothing called {name}", made.lineno)
        if isinstance(node, nodes.Name) and node.name == "loop" and name not in LOOP_MEMBERS:
            self.fail(f"loop has no {name}; there are {', '.join(sorted(LOOP_MEMBERS))}", made.lineno)
        return made
