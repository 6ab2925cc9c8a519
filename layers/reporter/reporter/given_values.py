"""Values in JSON that an author writes: exact numbers, and marks for what JSON has no type for.

``{"$type": "datetime|date|decimal|int32|decimal128|uuid", "value": …}``; all else is what it looks like.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reporter.errors import RequestError
from reporter.exact_json import MAX_NUMBER_DIGITS
from reporter.request import UUID_PATTERN
from reporter.schema import ColumnType


@dataclass(frozen=True, slots=True)
class _Mark:
    """``wanted`` says what ``read`` takes; it raises ``ValueError``, ``TypeError`` or ``ArithmeticError``."""

    kind: ColumnType
    wanted: str
    read: Callable[[Any], Any]


def _moment(value: Any) -> datetime:
    if len(value) <= len("2024-05-31"):
        raise ValueError(value)
    return datetime.fromisoformat(value)


def _decimal(value: Any) -> Decimal:
    number = Decimal(value)
    if isinstance(value, bool) or not number.is_finite() or abs(number.adjusted()) > MAX_NUMBER_DIGITS:
        raise ValueError(value)
    return number


def _integer(value: Any) -> int:
    if isinstance(value, bool) or int(value) != Decimal(value) or abs(int(value)) >= 1 << 31:
        raise ValueError(value)
    return int(value)


def _uuid(value: Any) -> str:
    if not UUID_PATTERN.fullmatch(value):
        raise ValueError(value)
    return str(value).lower()


_MARKS = {
    "datetime": _Mark("timestamptz", "a moment like 2024-05-31T18:30:00Z", _moment),
    "date": _Mark("date", "a date like 2024-05-31", date.fromisoformat),
    "decimal": _Mark("numeric", 'a decimal like "10.50"', _decimal),
    "decimal128": _Mark("numeric", 'a decimal like "10.50"', _decimal),
    "int32": _Mark("integer", "a whole number of 32 bits", _integer),
    "uuid": _Mark("uuid", "a UUID with dashes", _uuid),
}


def native(value: Any, place: str, name: str) -> Any:
    """The value of column ``name``, with every mark in it replaced. Raises ``RequestError`` TPL-0017 at ``place``."""
    if type(value) is list:
        return [native(member, place, name) for member in value]
    if type(value) is not dict:
        return value
    mark = _mark(value, place, name)
    if mark is None:
        return {key: native(member, place, name) for key, member in value.items()}
    try:
        return mark.read(value["value"])
    except (ValueError, TypeError, ArithmeticError):
        raise RequestError.at("TPL-0017", place, f"{name}: $type {value['$type']} takes {mark.wanted}") from None


def _mark(value: dict[str, Any], place: str, name: str) -> _Mark | None:
    if "$type" not in value or value.keys() != {"$type", "value"}:
        return None
    mark = _MARKS.get(value["$type"]) if isinstance(value["$type"], str) else None
    if mark is None:
        raise RequestError.at("TPL-0017", place, f"{name}: unknown $type; there are {', '.join(_MARKS)}")
    return mark


def kind_of(value: Any, place: str, name: str) -> ColumnType | None:
    """The type that the value shows; null shows none. Raises as ``native``."""
    match value:
        case None:
            return None
        case bool():
            return "boolean"
        case int():
            return "integer"
        case Decimal():
            return "numeric"
        case str():
            return "text"
        case list():
            native(value, place, name)
            return "array"
        case _:
            native(value, place, name)
            mark = _mark(value, place, name)
            return "object" if mark is None else mark.kind
