"""``{% calc %}``: arithmetic on numbers and paths, with a grammar of its own on the same tokens."""

from typing import TYPE_CHECKING

from jinja2 import nodes

if TYPE_CHECKING:
    from reporter.language.parser import TemplateParser


def parse_calculation(parser: "TemplateParser") -> nodes.Output:
    """``+ - * / **``, parentheses, unary minus (which binds before ``**``), names, paths and numeric text."""
    line = next(parser.stream).lineno
    value = _sum(parser)
    if parser.stream.current.type != "block_end":
        parser.fail_at(f"calc does not understand {parser.stream.current.value!r} here")
    return parser.shown(nodes.Filter(value, "calc result", [], [], None, None, lineno=line))


def _sum(parser: "TemplateParser") -> nodes.Expr:
    left = _product(parser)
    while parser.stream.current.type in {"add", "sub"}:
        token = next(parser.stream)
        kind = nodes.Add if token.type == "add" else nodes.Sub
        left = kind(left, _product(parser), lineno=token.lineno)
    return left


def _product(parser: "TemplateParser") -> nodes.Expr:
    left = _power(parser)
    while parser.stream.current.type in {"mul", "div"}:
        token = next(parser.stream)
        kind = nodes.Mul if token.type == "mul" else nodes.Div
        left = kind(left, _power(parser), lineno=token.lineno)
    return left


def _power(parser: "TemplateParser") -> nodes.Expr:
    left = _signed(parser)
    if parser.stream.current.type == "pow":
        token = next(parser.stream)
        return nodes.Pow(left, _power(parser), lineno=token.lineno)
    return left


def _signed(parser: "TemplateParser") -> nodes.Expr:
    token = parser.stream.current
    if token.type == "sub":
        next(parser.stream)
        return nodes.Neg(_signed(parser), lineno=token.lineno)
    if token.type == "lparen":
        next(parser.stream)
        inner = _sum(parser)
        parser.stream.expect("rparen")
        return inner
    if token.type not in {"name", "integer", "float", "string"}:
        parser.fail_at("calc needs a number, a name or a bracket here")
    operand = parser.parse_unary(with_filter=False)
    return nodes.Filter(operand, "calc operand", [], [], None, None, lineno=token.lineno)
