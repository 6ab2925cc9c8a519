"""Row filters: which rows stay. One meaning, whatever the source.

A caller writes ``filters[source][table][field] = {operator: [values]}``. ``check_operators`` refuses what the request
alone shows to be wrong, ``resolve`` what does not fit the sources' schemas. What remains are ``Condition``s, in which
every rule about dates, nulls and spellings is already worked out.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from reporter.conditions import Condition, Conditions, Interval, family, matches, utc
from reporter.errors import FieldProblem, RequestError
from reporter.limit import passed
from reporter.schema import NESTED_TYPES, TIMESTAMP_TYPES, ColumnType, SourceSchema

__all__ = ["COUNTS", "Condition", "Conditions", "Interval", "check_operators", "matches", "resolve"]

MAX_VALUES = 1000
MAX_CONDITIONS = 100
"""Operators in one request, over all fields."""
MAX_TEXT = 4000
"""Characters of one value."""
MAX_NUMBER_TEXT = 1000
"""Characters of a number written as text."""
MAX_PATH = 64
"""Keys that lead into a JSON column."""
MAX_NAME_SHOWN = 100
MAX_PROBLEMS_SHOWN = 100
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
_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})[Tt ](?P<time>(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?)(?:\.(?P<fraction>\d{1,9}))?"
    r"(?P<zone>[Zz]|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class _Problems:
    def __init__(self) -> None:
        self._found: list[tuple[str, str, str]] = []

    def add(self, code: str, place: Iterable[str], message: str) -> None:
        self._found.append((code, _shown(place), message))

    def raise_any(self) -> None:
        if self._found:
            code, place, message = self._found[0]
            found = self._found[:MAX_PROBLEMS_SHOWN]
            fields = {shown: FieldProblem(message=text, code=kind) for kind, shown, text in found}
            raise RequestError(code, f"{place}: {message}", fields)


def _shown(place: Iterable[str]) -> str:
    return ".".join(["filters", *(name[:MAX_NAME_SHOWN] for name in place)])


def check_operators(filters: Any) -> Mapping[str, Any]:
    """The filters as they are, when the request alone shows nothing wrong with them.

    Raises ``RequestError`` TPL-0017 (shape, count, or a value that is no text, number, boolean or null) or TPL-0015
    (unknown operator, empty list); the first problem gives the code, ``fields`` names all.
    """
    problems = _Problems()
    if not isinstance(filters, Mapping):
        problems.add("TPL-0017", (), "must be an object: source → table → field → operator → values")
        problems.raise_any()
    operators = 0
    for place, condition in _fields_of(filters, problems):
        if not isinstance(condition, Mapping):
            problems.add("TPL-0017", place, 'must be an object like {"eq": [1]}')
            continue
        operators += len(condition)
        for operator, values in condition.items():
            _check_operator((*place, operator), operator, values, problems)
    if operators > MAX_CONDITIONS:
        problems.add(
            "TPL-0017",
            (),
            passed("the filters hold", MAX_CONDITIONS, "operators", "list values under one, or ask for several reports"),
        )
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
    elif operator not in {"eq", "in", "nin"} and any(value is None for value in values):
        problems.add("TPL-0017", place, "null has no order; use eq or nin")
    elif wrong := next(filter(None, map(_wrong_value, values)), ""):
        problems.add("TPL-0017", place, wrong)


def _wrong_value(value: Any) -> str:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            return passed("a text has", MAX_TEXT, "characters", "filter by a shorter one")
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            return "a text must not hold the NUL character or half of a surrogate pair"
        return ""
    if isinstance(value, Decimal) and not value.is_finite():
        return "a number must be finite"
    return "" if value is None or isinstance(value, int | Decimal) else "a value is a text, number, boolean or null"


def resolve(filters: Mapping[str, Any], schemas: Mapping[str, SourceSchema]) -> Conditions:
    """The filters against what the sources hold. ``filters`` have passed ``check_operators``.

    Two spellings of one table add up. Raises ``RequestError`` TPL-0031 (source), TPL-0030 (table), TPL-0035 (ambiguous
    schema), TPL-0014 (field) or TPL-0017 (a value that does not fit the column); every field is checked, the first
    problem gives the code.
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
                qualified = schema.qualified_name(table, _shown((source, table)))
            except RequestError as error:
                problems.add(error.code, (source, table), _without_place(error))
                continue
            if qualified in schema.open_tables:
                # No row, so none that could stay or go.
                continue
            conditions = resolved.setdefault(source, {}).get(qualified, ())
            for field, condition in fields.items():
                conditions += _resolve_field((source, table, field), condition, schema.tables[qualified], problems)
            resolved[source][qualified] = conditions
    problems.raise_any()
    return resolved


def _without_place(error: RequestError) -> str:
    (problem,) = error.fields.values()
    return problem["message"][: 4 * MAX_NAME_SHOWN]


def _resolve_field(
    place: tuple[str, ...], condition: Mapping[str, Any], columns: Mapping[str, ColumnType], problems: _Problems
) -> tuple[Condition, ...]:
    column, path = _column_and_path(place[-1], columns)
    kind = columns.get(column)
    if kind is None or (wrong := _wrong_path(column, path, kind)):
        problems.add("TPL-0014", place, f"table {place[-2][:MAX_NAME_SHOWN]} has no such field" if kind is None else wrong)
        return ()
    found = []
    for operator, values in condition.items():
        try:
            intervals = _intervals(operator, [v for v in values if v is not None], kind, bool(path))
        except ValueError as error:
            problems.add("TPL-0017", (*place, operator), str(error))
            continue
        found.append(Condition(column, path, kind, intervals, None in values, operator == "nin"))
    return tuple(found)


def _wrong_path(column: str, path: tuple[str, ...], kind: ColumnType) -> str:
    if path and kind not in NESTED_TYPES:
        return f"no such field: {column[:MAX_NAME_SHOWN]} is of type {kind}, which holds no keys"
    if not all(path) or len(path) > MAX_PATH:
        return f"no such field: up to {MAX_PATH} keys lead into {column[:MAX_NAME_SHOWN]}, none of them empty"
    return ""


def _column_and_path(field: str, columns: Mapping[str, ColumnType]) -> tuple[str, tuple[str, ...]]:
    """The longest column that the field begins with: a column's own name may hold dots."""
    end = len(field)
    while end > 0:
        if field[:end] in columns:
            return field[:end], tuple(field[end + 1 :].split(".")) if end < len(field) else ()
        end = field.rfind(".", 0, end)
    return field, ()


def _intervals(operator: str, values: list[Any], kind: ColumnType, in_json: bool) -> tuple[Interval, ...]:
    """Raises ``ValueError`` saying what the column takes."""
    spans = [_span(value, kind, in_json) for value in values]
    match operator:
        case "gt":
            # After the span: after a whole day where the value is a date.
            last = spans[0].high
            return () if last is None else (Interval(last, None, not spans[0].high_included, True),)
        case "gte":
            return (Interval(low=spans[0].low),)
        case "lt":
            return (Interval(high=spans[0].low, high_included=False),)
        case "lte":
            return (Interval(high=spans[0].high, high_included=spans[0].high_included),)
        case "between":
            low, high = spans
            if family(low.low) != family(high.low):
                raise ValueError("both values must have the same type")
            return (Interval(low.low, high.high, True, high.high_included),)
        case _:
            return tuple(spans)


def _span(value: Any, kind: ColumnType, in_json: bool) -> Interval:
    if kind in TIMESTAMP_TYPES and isinstance(value, str) and _DATE.fullmatch(value):
        day = datetime.combine(_date(value), datetime.min.time(), UTC)
        last = day.date() == date.max
        return Interval(day, None if last else day + timedelta(days=1), high_included=last)
    exact = value if in_json else _exact(value, kind)
    return Interval(exact, exact)


def _exact(value: Any, kind: ColumnType) -> Any:
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
    if isinstance(value, str) and len(value) <= MAX_NUMBER_TEXT and _PLAIN_NUMBER.fullmatch(value):
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
    """Date and time by RFC 3339; without a zone it is UTC. What sources cannot hold is refused, not rounded."""
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found:
        fraction = (found["fraction"] or "0").ljust(6, "0")
        if fraction[6:].strip("0"):
            raise ValueError("the column takes times to the microsecond")
        zone = (found["zone"] or "Z").upper()
        try:
            return utc(datetime.fromisoformat(f"{found['day']}T{found['time']}{zone}")).replace(
                microsecond=int(fraction[:6])
            )
        except (ValueError, OverflowError):
            pass
    raise ValueError("the column takes dates or times like 2024-05-31T18:30:00Z")
