"""The tags that choose and sum rows: ``sum_by`` and its siblings, ``last_item_by_group``."""

from typing import TYPE_CHECKING

from jinja2 import nodes

if TYPE_CHECKING:
    from reporter.language.parser import TemplateParser

MAX_SCALE = 30


def parse_aggregate(parser: "TemplateParser", tag: str) -> nodes.Output:
    """``{% sum_by L by "field" [if E] [scale N] %}``; ``count_by`` takes neither field nor scale."""
    stream = parser.stream
    line = next(stream).lineno
    rows = parser.parse_unary()
    name = ""
    if tag != "count_by":
        stream.expect("name:by")
        name = stream.expect("string").value
    condition = parser.parse_or() if stream.skip_if("name:if") else None
    scale = None
    if tag != "count_by" and stream.skip_if("name:scale"):
        token = stream.expect("integer")
        scale = int(token.value)
        if scale > MAX_SCALE:
            parser.fail_at(f"scale is at most {MAX_SCALE}", token)
    if stream.current.type != "block_end":
        parser.fail_at(f"{tag} does not understand {stream.current.value!r} here")
    arguments: list[nodes.Expr] = [nodes.Const(name, lineno=line), nodes.Const(scale, lineno=line)]
    return parser.shown(_over_rows(tag, rows, arguments, condition, line))


def parse_last_item_by_group(parser: "TemplateParser") -> nodes.Assign:
    """``{% last_item_by_group L group_by "f[,g]" order_by "d" [if E] as name %}``."""
    stream = parser.stream
    line = next(stream).lineno
    rows = parser.parse_unary()
    stream.expect("name:group_by")
    group_by = stream.expect("string").value
    stream.expect("name:order_by")
    order_by = stream.expect("string").value
    condition = parser.parse_or() if stream.skip_if("name:if") else None
    stream.expect("name:as")
    target = parser.parse_assign_target(name_only=True)
    if stream.current.type != "block_end":
        parser.fail_at(f"last_item_by_group does not understand {stream.current.value!r} here")
    arguments: list[nodes.Expr] = [nodes.Const(group_by, lineno=line), nodes.Const(order_by, lineno=line)]
    return nodes.Assign(target, _over_rows("last_item_by_group", rows, arguments, condition, line), lineno=line)


def _over_rows(
    name: str, rows: nodes.Expr, arguments: list[nodes.Expr], condition: nodes.Expr | None, line: int
) -> nodes.Filter:
    """A filter whose last argument, if any, is a condition on each row."""
    made = nodes.Filter(rows, name, [*arguments, *([condition] if condition else [])], [], None, None, lineno=line)
    made.row_condition = condition is not None  # type: ignore[attr-defined]
    return made
