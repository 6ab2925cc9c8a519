"""Plain values from what a source delivers as text or JSON. Everything that does not fit is a ``ValueError``."""

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from reporter.conditions import utc
from reporter.exact_json import MAX_NUMBER_DIGITS, write_json
from reporter.schema import ColumnType

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,6})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_PLAIN_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,37})", re.ASCII)
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,37})\.\d{1,38}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?(?P<zone>[Zz]|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_BOOLEANS = {"true": True, "false": False, "t": True, "f": False}


def exact_number(text: str) -> Decimal:
    """Raises ``ValueError`` for NaN, infinity and numbers that no document can print."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("not a number that a decimal can hold") from None
    if not number.is_finite() or len(text) > MAX_NUMBER_DIGITS or abs(number.adjusted()) > MAX_NUMBER_DIGITS:
        raise ValueError("not a number that can be printed")
    return number


def refuse_surrogates(text: str) -> None:
    """Raises ``ValueError`` where JSON text spells half of a surrogate pair, which no document can hold."""
    if "\\ud" in text or "\\uD" in text:
        json.dumps(json.loads(text), ensure_ascii=False).encode()


def read_json(text: str) -> Any:
    """JSON with exact numbers. Raises ``ValueError``, also for NaN and Infinity."""
    try:
        refuse_surrogates(text)
        return json.loads(text, parse_float=exact_number, parse_constant=exact_number)
    except RecursionError:
        raise ValueError("nested too deep") from None


def text_reader(kind: ColumnType) -> Callable[[str], Any]:
    """How a cell of a text file becomes a value of this type. The reader raises ``ValueError``."""
    return _FROM_TEXT.get(kind, str)


def json_reader(kind: ColumnType) -> Callable[[Any], Any]:
    """How a member of a JSON object, not null, becomes a value of this type. The reader raises ``ValueError``."""
    return _FROM_JSON[kind]


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text) or len(text) > MAX_NUMBER_DIGITS:
        raise ValueError("not a whole number")
    return int(text)


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return exact_number(text)


def _boolean(text: str) -> bool:
    found = _BOOLEANS.get(text.lower())
    if found is None:
        raise ValueError("neither true nor false")
    return found


def _uuid(text: str) -> str:
    if not _UUID.fullmatch(text):
        raise ValueError("not a UUID")
    return text.lower()


def _date(text: str) -> date:
    if not _DATE.fullmatch(text):
        raise ValueError("not a date")
    return date.fromisoformat(text)


def _zoned(text: str) -> datetime:
    if not _MOMENT.fullmatch(text):
        raise ValueError("not a time")
    try:
        return utc(datetime.fromisoformat(text.upper()))
    except OverflowError:
        raise ValueError("not a time") from None


def _unzoned(text: str) -> datetime:
    return _zoned(text).replace(tzinfo=None)


def _nested(kind: type) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        return _of(kind)(read_json(text))

    return read


def _of(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, kind):
            raise ValueError(f"no {kind.__name__}")
        return value

    return check


def _from_string(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        return read(_of(str)(value))

    return check


def _json_integer(value: Any) -> int:
    number = _json_number(value)
    if number != number.to_integral_value():
        raise ValueError("not a whole number")
    return int(number)


def _json_number(value: Any) -> Decimal:
    if isinstance(value, str):
        return _number(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("not a number")
    return Decimal(value)


def _json_other(value: Any) -> str:
    return value if isinstance(value, str) else write_json(value)


_FROM_TEXT: dict[ColumnType, Callable[[str], Any]] = {
    "integer": _integer,
    "numeric": _number,
    "boolean": _boolean,
    "uuid": _uuid,
    "date": _date,
    "timestamp": _unzoned,
    "timestamptz": _zoned,
    "jsonb": read_json,
    "array": _nested(list),
    "object": _nested(dict),
}
_FROM_JSON: dict[ColumnType, Callable[[Any], Any]] = {
    "text": _of(str),
    "integer": _json_integer,
    "numeric": _json_number,
    "boolean": _of(bool),
    "uuid": _from_string(_uuid),
    "date": _from_string(_date),
    "timestamp": _from_string(_unzoned),
    "timestamptz": _from_string(_zoned),
    "jsonb": lambda value: value,
    "array": _of(list),
    "object": _of(dict),
    "other": _json_other,
}


def guess_text(cell: str) -> ColumnType:
    """The narrowest type of a cell. Digits behind a leading zero or a plus are a code, no number."""
    if _PLAIN_INTEGER.fullmatch(cell):
        return "integer"
    if _PLAIN_NUMBER.fullmatch(cell):
        return "numeric"
    return "boolean" if cell.lower() in {"true", "false"} else _guess_string(cell)


def guess_json(value: Any) -> ColumnType:
    """The narrowest type of a value in JSON, not null."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case Decimal():
            return "numeric"
        case list():
            return "array"
        case dict():
            return "object"
    return _guess_string(value)


def common_type(one: ColumnType, other: ColumnType, *, strings: bool) -> ColumnType:
    """The type that values of both have. ``strings``: whether all values are texts to begin with."""
    pair = {one, other}
    if len(pair) == 1:
        return one
    if pair == {"integer", "numeric"}:
        return "numeric"
    if pair == {"timestamp", "timestamptz"}:
        return "timestamptz"
    return "text" if strings or pair <= _STRING_TYPES else "jsonb"


def _guess_string(text: str) -> ColumnType:
    readers: dict[ColumnType, Callable[[str], Any]] = {"uuid": _uuid, "date": _date, "timestamptz": _zoned}
    for kind, read in readers.items():
        try:
            read(text)
        except ValueError:
            continue
        found = _MOMENT.fullmatch(text)
        return "timestamp" if found and not found["zone"] else kind
    return "text"


_STRING_TYPES = frozenset({"text", "uuid", "date", "timestamp", "timestamptz"})
