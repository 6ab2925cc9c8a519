"""The query for one table: identifiers from the discovered schema, values as literals, one meaning of conditions.

COPY takes no parameters. So every value is spelt as a string literal, quoted by libpq itself for this connection, and
cast to its type by the server: no value is ever written as a number, a keyword or a piece of SQL. Text is compared byte
by byte (``COLLATE "C"``), which for UTF-8 is by code point, as everywhere else.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from psycopg import sql

from reporter.conditions import Condition, Interval, family
from reporter.schema import NESTED_TYPES, ColumnType

_BIGINT = range(-(2**63), 2**63)
_JSON_FAMILIES = {"str": "string", "number": "number", "boolean": "boolean"}
_TRUE, _FALSE = sql.SQL("TRUE"), sql.SQL("FALSE")


def columns_of(table: str, columns: Sequence[str], kinds: Mapping[str, ColumnType]) -> sql.Composed:
    """The query of some columns as they are delivered; without columns one constant a row. ``table`` is qualified."""
    wanted = [_selected(name, kinds[name]) for name in columns] or [sql.SQL("1")]
    return _sql("SELECT {} FROM {} AS t", sql.SQL(", ").join(wanted), sql.Identifier(*table.split(".", 1)))


def copy(select: sql.Composed, conditions: Sequence[Condition], floats: Collection[str]) -> sql.Composed:
    """``select`` from ``columns_of``, of the rows that stay, as a COPY.

    ``floats``: columns that are binary floats in the database: they count as what they show.
    """
    kept = sql.SQL(" AND ").join([_condition(item, floats) for item in conditions]) if conditions else _TRUE
    return _sql("COPY ({} WHERE {}) TO STDOUT", select, kept)


def _sql(text: str, *parts: sql.Composable) -> sql.Composed:
    return sql.SQL(text).format(*parts)


def _any_of(tests: Sequence[sql.Composable]) -> sql.Composable:
    return _sql("({})", sql.SQL(" OR ").join(tests)) if tests else _FALSE


def _selected(name: str, kind: ColumnType) -> sql.Composable:
    column = sql.Identifier("t", name)
    if kind in {"text", "uuid", "other"}:
        return _sql("{}::text", column)
    return _sql("to_jsonb({})", column) if kind == "array" else column


def _condition(condition: Condition, floats: Collection[str]) -> sql.Composable:
    column: sql.Composable = sql.Identifier("t", condition.column)
    if condition.kind in NESTED_TYPES:
        column = _sql("{}::jsonb", column)
        for key in condition.path:
            column = _sql("({} -> {}::text)", column, sql.Literal(key))
        # JSON has a null of its own.
        column = _sql("NULLIF({}, 'null'::jsonb)", column)
    inside = _any_of(_tests(column, condition, condition.column in floats))
    null = _sql("{} IS NULL", column)
    if condition.negated:
        outside = _sql("{} IS NOT TRUE", inside)
        return _sql("({} AND NOT {})", outside, null) if condition.null else _sql("({} OR {})", outside, null)
    return _sql("({} OR {})", inside, null) if condition.null else inside


def _tests(column: sql.Composable, condition: Condition, is_float: bool) -> list[sql.Composable]:
    points: dict[str, list[Any]] = {}
    tests: list[sql.Composable] = []
    for interval in condition.intervals:
        if interval.point:
            points.setdefault(family(interval.low), []).append(interval.low)
        else:
            tests.append(_range(column, condition, interval, is_float))
    for values in points.values():
        value, kind = _comparable(column, condition, values, is_float)
        listed = sql.SQL(", ").join([_literal(item, kind) for item in values])
        tests.append(_sql(f"{{}} = ANY(ARRAY[{{}}]::{kind}[])", value, listed))
    return tests


def _range(column: sql.Composable, condition: Condition, interval: Interval, is_float: bool) -> sql.Composable:
    low, high = interval.low, interval.high
    bounds = [bound for bound in (low, high) if bound is not None]
    if not bounds:
        return _sql("{} IS NOT NULL", column)
    value, kind = _comparable(column, condition, bounds, is_float)
    tests = []
    if low is not None:
        tests.append(_sql(f"{{}} {'>=' if interval.low_included else '>'} {{}}::{kind}", value, _literal(low, kind)))
    if high is not None:
        tests.append(_sql(f"{{}} {'<=' if interval.high_included else '<'} {{}}::{kind}", value, _literal(high, kind)))
    return _sql("({})", sql.SQL(" AND ").join(tests))


def _comparable(
    column: sql.Composable, condition: Condition, values: Sequence[Any], is_float: bool
) -> tuple[sql.Composable, str]:
    """The column as what the values are, and PostgreSQL's name of that type."""
    if condition.path:
        return _json_value(column, family(values[0]))
    match condition.kind:
        case "text":
            return _sql('{}::text COLLATE "C"', column), "text"
        case "integer":
            # A type of the column's own family leaves its index usable.
            return column, "bigint" if all(value in _BIGINT for value in values) else "numeric"
        case "numeric":
            return (_sql("{}::text::numeric", column) if is_float else column), "numeric"
        case kind:
            return column, kind


def _json_value(column: sql.Composable, kin: str) -> tuple[sql.Composable, str]:
    """A value in JSON where it is of the right type. The cast is made only there: another type is no error."""
    cast, kind = {"number": ("::numeric", "numeric"), "boolean": ("::boolean", "boolean")}.get(kin, (' COLLATE "C"', "text"))
    test = _sql(f"jsonb_typeof({{}}) = '{_JSON_FAMILIES[kin]}'", column)
    return _sql(f"(CASE WHEN {{}} THEN ({{}} #>> '{{{{}}}}'){cast} END)", test, column), kind


def _literal(value: Any, kind: str) -> sql.Literal:
    """A string literal, whatever the value: the cast beside it makes it a value of its type."""
    match value:
        case bool():
            text = "true" if value else "false"
        case datetime():
            moment = value.astimezone(UTC)
            text = (moment.replace(tzinfo=None) if kind == "timestamp" else moment).isoformat()
        case date():
            text = value.isoformat()
        case int() | Decimal():
            text = str(value)
        case _:
            text = value
    return sql.Literal(text)
