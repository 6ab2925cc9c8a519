"""Row filters: which rows stay. One meaning, whatever the source.

A caller writes ``filters[source][table][field] = {operator: [values]}``. ``check_operators`` refuses what the request
alone shows to be wrong, ``resolve`` what does not fit the sources' schemas. What remains is a ``Condition`` per
operator: a union of intervals, with null and negation spelt out, so that a source only has to compare, and ``matches``
says in Python what every source must mean.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from reporter.errors import FieldProblem, RequestError
from reporter.schema import NESTED_TYPES, TIMESTAMP_TYPES, ColumnType, SourceSchema

MAX_VALUES = 1000
MAX_NAME_SHOWN = 100
COUNTS: Mapping[str, tuple[int, int]] = {
    "eq": (1, MAX_VALUES),
    "in": (1, MAX_VALUES),
    "nin": (1, MAX_VALUES),
    "gt": (1, 1),
    "gte": (1, 1),
    "lt": (1, 1),
    "lte": (1, 1),
    "between": (2, 2),
}
"""Operator → least and most values."""

_PLAIN_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``low`` to ``high``; None is open-ended. ``low == high``, both included, is one value."""

    low: Any = None
    high: Any = None
    low_included: bool = True
    high_included: bool = True

    @property
    def point(self) -> bool:
        """Whether the interval is one value."""
        return self.low is not None and self.low == self.high and self.low_included and self.high_included


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one field: the value lies in one of the intervals.

    ``null``: null matches too. ``negated``: what matches goes and the rest stays, null rows included unless ``null``.
    Values are exact and typed: numbers, ``str`` (UUIDs in lower case), ``bool``, ``date``, ``datetime`` in UTC.
    ``path`` leads into a JSON column; there, values compare only with values of their own JSON type.
    """

    column: str
    path: tuple[str, ...]
    kind: ColumnType
    intervals: tuple[Interval, ...]
    null: bool = False
    negated: bool = False


Conditions = Mapping[str, Mapping[str, tuple[Condition, ...]]]
"""source → qualified table → what all must hold."""


class _Problems:
    def __init__(self) -> None:
        self._found: list[tuple[str, str, str]] = []

    def add(self, code: str, place: Iterable[str], message: str) -> None:
        shown = ".".join(["filters", *(name[:MAX_NAME_SHOWN] for name in place)])
        self._found.append((code, shown, message))

    def adopt(self, error: RequestError) -> None:
        self._found.extend((error.code, place, problem["message"]) for place, problem in error.fields.items())

    def raise_any(self) -> None:
        if self._found:
            code, place, message = self._found[0]
            fields = {shown: FieldProblem(message=text, code=kind) for kind, shown, text in self._found}
            raise RequestError(code, f"{place}: {message}", fields)


def check_operators(filters: Any) -> Mapping[str, Any]:
    """The filters as they are, when the request alone shows nothing wrong with them.

    Raises ``RequestError`` TPL-0017 (shape, count or nested values) or TPL-0015 (unknown operator, empty list); the
    first problem gives the code, ``fields`` names all.
    """
    problems = _Problems()
    if not isinstance(filters, Mapping):
        problems.add("TPL-0017", (), "must be an object: source → table → field → operator → values")
        problems.raise_any()
    for place, condition in _fields_of(filters, problems):
        if not isinstance(condition, Mapping):
            problems.add("TPL-0017", place, 'must be an object like {"eq": [1]}')
            continue
        for operator, values in condition.items():
            _check_operator((*place, operator), operator, values, problems)
    problems.raise_any()
    checked: Mapping[str, Any] = filters
    return checked


def _fields_of(filters: Mapping[str, Any], problems: _Problems) -> Iterable[tuple[tuple[str, ...], Any]]:
    level: list[tuple[tuple[str, ...], Any]] = [((), filters)]
    for _depth in range(3):
        below: list[tuple[tuple[str, ...], Any]] = []
        for place, value in level:
            if not isinstance(value, Mapping):
                problems.add("TPL-0017", place, "must be an object")
                continue
            below.extend(((*place, name), member) for name, member in value.items())
        level = below
    return level


def _check_operator(place: tuple[str, ...], operator: str, values: Any, problems: _Problems) -> None:
    if operator not in COUNTS:
        problems.add("TPL-0015", place, f"unknown operator; there are {', '.join(COUNTS)}")
    elif not isinstance(values, list | tuple):
        problems.add("TPL-0017", place, "values must be a list")
    elif not values:
        problems.add("TPL-0015", place, "the list of values is empty")
    elif not COUNTS[operator][0] <= len(values) <= COUNTS[operator][1]:
        least, most = COUNTS[operator]
        wanted = str(least) if least == most else f"{least} to {most}"
        problems.add("TPL-0017", place, f"takes {wanted} values, not {len(values)}")
    elif any(isinstance(value, Mapping | list) for value in values):
        problems.add("TPL-0017", place, "a value must not be a list or an object")
    elif any(isinstance(value, str) and "\0" in value for value in values):
        problems.add("TPL-0017", place, "a text must not hold the NUL character")
    elif operator not in {"eq", "in", "nin"} and any(value is None for value in values):
        problems.add("TPL-0017", place, "null has no order; use eq or nin")


def resolve(filters: Mapping[str, Any], schemas: Mapping[str, SourceSchema]) -> Conditions:
    """The filters against what the sources hold. ``filters`` have passed ``check_operators``.

    Raises ``RequestError`` TPL-0031 (source), TPL-0030 (table), TPL-0035 (ambiguous schema), TPL-0014 (field) or
    TPL-0017 (a value that does not fit the column); every field is checked, the first problem gives the code.
    """
    problems = _Problems()
    resolved: dict[str, dict[str, tuple[Condition, ...]]] = {}
    for source, tables in filters.items():
        if source not in schemas:
            problems.add("TPL-0031", (source,), "no such data source")
            continue
        for table, fields in tables.items():
            schema = schemas[source]
            try:
                qualified = schema.qualified_name(table, f"filters.{source}.{table}")
            except RequestError as error:
                problems.adopt(error)
                continue
            conditions = resolved.setdefault(source, {}).get(qualified, ())
            for field, condition in fields.items():
                conditions += _resolve_field((source, table, field), condition, schema.tables[qualified], problems)
            resolved[source][qualified] = conditions
    problems.raise_any()
    return resolved


def _resolve_field(
    place: tuple[str, ...], condition: Mapping[str, Any], columns: Mapping[str, ColumnType], problems: _Problems
) -> tuple[Condition, ...]:
    field = place[-1]
    column, *path = (field,) if field in columns else field.split(".")
    kind = columns.get(column)
    if kind is None or (path and kind not in NESTED_TYPES) or not all((column, *path)):
        problems.add("TPL-0014", place, "no such field")
        return ()
    found = []
    for operator, values in condition.items():
        try:
            intervals = _intervals(operator, [v for v in values if v is not None], kind, bool(path))
        except ValueError as error:
            problems.add("TPL-0017", (*place, operator), str(error))
            continue
        found.append(Condition(column, tuple(path), kind, intervals, None in values, operator == "nin"))
    return tuple(found)


def _intervals(operator: str, values: list[Any], kind: ColumnType, in_json: bool) -> tuple[Interval, ...]:
    """Raises ``ValueError`` saying what the column takes."""
    spans = [_span(value, kind, in_json) for value in values]
    match operator:
        case "gt":
            # After the span: after a whole day where the value is a date.
            return (
                (Interval(spans[0].high, None, not spans[0].high_included, True),) if spans[0].high is not None else ()
            )
        case "gte":
            return (Interval(low=spans[0].low),)
        case "lt":
            return (Interval(high=spans[0].low, high_included=False),)
        case "lte":
            return (Interval(high=spans[0].high, high_included=spans[0].high_included),)
        case "between":
            return (Interval(spans[0].low, spans[1].high, True, spans[1].high_included),)
        case _:
            return tuple(spans)


def _span(value: Any, kind: ColumnType, in_json: bool) -> Interval:
    if kind in TIMESTAMP_TYPES and isinstance(value, str) and _DATE.fullmatch(value):
        day = datetime.combine(_date(value), datetime.min.time(), UTC)
        last = day.date() == date.max
        return Interval(day, None if last else day + timedelta(days=1), high_included=last)
    exact = _exact(value, kind, in_json)
    return Interval(exact, exact)


def _exact(value: Any, kind: ColumnType, in_json: bool) -> Any:
    if in_json:
        return value
    match kind:
        case "text":
            return _of_type(value, str, "text")
        case "boolean":
            return _of_type(value, bool, "true or false")
        case "integer" | "numeric":
            return _number(value, kind)
        case "uuid":
            if not isinstance(value, str) or not _UUID.fullmatch(value):
                raise ValueError("the column takes UUIDs")
            return value.lower()
        case "date":
            return _date(value)
        case "timestamp" | "timestamptz":
            return _moment(value)
        case _:
            raise ValueError(f"a column of type {kind} can only be compared with null")


def _of_type(value: Any, wanted: type, name: str) -> Any:
    if not isinstance(value, wanted):
        raise ValueError(f"the column takes {name}")
    return value


def _number(value: Any, kind: ColumnType) -> int | Decimal:
    if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("the column takes numbers")
    if kind == "integer" and value != int(value):
        raise ValueError("the column takes whole numbers")
    return int(value) if kind == "integer" else value


def _date(value: Any) -> date:
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError("the column takes dates like 2024-05-31")


def _moment(value: Any) -> datetime:
    """ISO 8601 with date and time; without a zone it is UTC."""
    try:
        if isinstance(value, str) and _DATE.match(value) and len(value) > len("2024-05-31"):
            moment = datetime.fromisoformat(value)
            return utc(moment)
    except (ValueError, OverflowError):
        pass
    raise ValueError("the column takes dates or times like 2024-05-31T18:30:00Z")


def utc(moment: datetime) -> datetime:
    """In UTC; without a zone it is UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def matches(conditions: Iterable[Condition], value_of: Callable[[str], Any]) -> bool:
    """Whether a row stays. ``value_of(column)`` gives its plain value, null where it has none."""
    return all(_holds(condition, _at(value_of(condition.column), condition)) for condition in conditions)


def _at(value: Any, condition: Condition) -> Any:
    for key in condition.path:
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, datetime) and condition.kind in TIMESTAMP_TYPES:
        return utc(value)
    return value


def _holds(condition: Condition, value: Any) -> bool:
    if value is None:
        return condition.null is not condition.negated
    inside = any(_inside(value, interval) for interval in condition.intervals)
    return inside is not condition.negated


def _inside(value: Any, interval: Interval) -> bool:
    bound = interval.low if interval.low is not None else interval.high
    if bound is None:
        return True
    if _family(value) != _family(bound):
        return False
    low, high = interval.low, interval.high
    if low is not None and not (value > low or (interval.low_included and value == low)):
        return False
    return high is None or value < high or (interval.high_included and bool(value == high))


def _family(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | Decimal) else type(value).__name__
