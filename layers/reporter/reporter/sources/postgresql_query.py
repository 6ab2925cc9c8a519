"""The query for one table: identifiers from the discovered schema, values only ever bound, one meaning of conditions.

Text is compared byte by byte (``COLLATE "C"``), which for UTF-8 is by code point, as everywhere else.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from psycopg import sql

from reporter.conditions import Condition, Interval, family
from reporter.schema import NESTED_TYPES, ColumnType, SourceSchema

_BIGINT = range(-(2**63), 2**63)
_JSON_FAMILIES = {"str": "string", "number": "number", "boolean": "boolean"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of SQL and the values of its placeholders, in order."""

    text: sql.Composed
    values: tuple[Any, ...] = ()


def piece(text: str, *parts: "Piece | sql.Composable", values: Sequence[Any] = ()) -> Piece:
    """``text`` with ``{}`` for each part; ``values`` are for the placeholders in ``text`` itself, after all parts."""
    found = [part if isinstance(part, Piece) else Piece(sql.Composed([part])) for part in parts]
    bound = tuple(value for part in found for value in part.values)
    return Piece(sql.SQL(text).format(*(part.text for part in found)), (*bound, *values))


def joined(separator: str, parts: Sequence[Piece]) -> Piece:
    """The parts with a separator in between, in parentheses."""
    text = sql.SQL("({})").format(sql.SQL(separator).join([part.text for part in parts]))
    return Piece(text, tuple(value for part in parts for value in part.values))


def select(
    table: str, columns: Sequence[str], schema: SourceSchema, conditions: Sequence[Condition], floats: Collection[str]
) -> Piece:
    """``table`` is qualified. ``floats``: columns that are binary floats in the database: they count as what they show."""
    kinds = schema.tables[table]
    wanted = [_selected(name, kinds[name]) for name in columns] or [sql.SQL("1")]
    start = sql.SQL("SELECT {} FROM {} AS t").format(sql.SQL(", ").join(wanted), sql.Identifier(*table.split(".", 1)))
    if not conditions:
        return Piece(start)
    return piece("{} WHERE {}", start, joined(" AND ", [_condition(item, floats) for item in conditions]))


def _selected(name: str, kind: ColumnType) -> sql.Composable:
    column = sql.Identifier("t", name)
    if kind in {"text", "uuid", "other"}:
        return sql.SQL("{}::text").format(column)
    return sql.SQL("to_jsonb({})").format(column) if kind == "array" else column


def _condition(condition: Condition, floats: Collection[str]) -> Piece:
    column = piece("{}", sql.Identifier("t", condition.column))
    if condition.kind in NESTED_TYPES:
        column = piece("{}::jsonb", column)
        for key in condition.path:
            column = piece("({} -> %s::text)", column, values=[key])
        # JSON has a null of its own.
        column = piece("NULLIF({}, 'null'::jsonb)", column)
    tests = _tests(column, condition, condition.column in floats)
    inside = joined(" OR ", tests) if tests else piece("FALSE")
    null = piece("{} IS NULL", column)
    if condition.negated:
        outside = piece("{} IS NOT TRUE", inside)
        return piece("({} AND NOT {})", outside, null) if condition.null else piece("({} OR {})", outside, null)
    return piece("({} OR {})", inside, null) if condition.null else inside


def _tests(column: Piece, condition: Condition, is_float: bool) -> list[Piece]:
    points: dict[str, list[Any]] = {}
    tests: list[Piece] = []
    for interval in condition.intervals:
        if interval.point:
            points.setdefault(family(interval.low), []).append(interval.low)
        else:
            tests.append(_range(column, condition, interval, is_float))
    for values in points.values():
        value, kind = _comparable(column, condition, values, is_float)
        bound = [_bound(item, kind) for item in values]
        tests.append(piece(f"{{}} = ANY(%s::{kind}[])", value, values=[bound]))
    return tests


def _range(column: Piece, condition: Condition, interval: Interval, is_float: bool) -> Piece:
    low, high = interval.low, interval.high
    bounds = [bound for bound in (low, high) if bound is not None]
    if not bounds:
        return piece("{} IS NOT NULL", column)
    value, kind = _comparable(column, condition, bounds, is_float)
    tests = []
    if low is not None:
        tests.append(piece(f"{{}} {'>=' if interval.low_included else '>'} %s::{kind}", value, values=[_bound(low, kind)]))
    if high is not None:
        tests.append(piece(f"{{}} {'<=' if interval.high_included else '<'} %s::{kind}", value, values=[_bound(high, kind)]))
    return joined(" AND ", tests)


def _comparable(column: Piece, condition: Condition, values: Sequence[Any], is_float: bool) -> tuple[Piece, str]:
    """The column as what the values are, and PostgreSQL's name of that type."""
    if condition.path:
        return _json_value(column, family(values[0]))
    match condition.kind:
        case "text":
            return piece('{}::text COLLATE "C"', column), "text"
        case "integer":
            # A type of the column's own family leaves its index usable.
            return column, "bigint" if all(value in _BIGINT for value in values) else "numeric"
        case "numeric":
            return (piece("{}::text::numeric", column) if is_float else column), "numeric"
        case kind:
            return column, kind


def _json_value(column: Piece, kin: str) -> tuple[Piece, str]:
    """A value in JSON where it is of the right type. The cast is made only there: another type is no error."""
    cast, kind = {"number": ("::numeric", "numeric"), "boolean": ("::boolean", "boolean")}.get(kin, (' COLLATE "C"', "text"))
    test = piece(f"jsonb_typeof({{}}) = '{_JSON_FAMILIES[kin]}'", column)
    return piece(f"(CASE WHEN {{}} THEN ({{}} #>> '{{{{}}}}'){cast} END)", test, column), kind


def _bound(value: Any, kind: str) -> Any:
    if kind == "timestamp" and isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return Decimal(value) if kind == "numeric" else value
