"""JSON with exact numbers: read strictly, written digit for digit, compared by content."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from reporter.errors import RequestError
from reporter.limit import passed

MAX_JSON_DEPTH = 64
MAX_NUMBER_DIGITS = 1000

_text = json.JSONEncoder(ensure_ascii=False).encode
_WORDS = {None: "null", True: "true", False: "false"}


def parse_json(text: str, place: str = "body") -> Any:
    """JSON read strictly: exact decimals, no duplicate members, NaN or Infinity, at most ``MAX_JSON_DEPTH`` levels.

    Raises ``RequestError`` TPL-0017.
    """

    def refuse(what: str) -> Any:
        raise RequestError.at("TPL-0017", place, what)

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            refuse(f"the member {twice[:100]!r} stands twice in one object")
        return value

    def number(digits: str) -> Any:
        if len(digits) > MAX_NUMBER_DIGITS:
            refuse(passed("a number has", MAX_NUMBER_DIGITS, "digits", "send it as text"))
        try:
            value = Decimal(digits)
        except InvalidOperation:
            # An exponent of 19 digits is beyond what a decimal can hold.
            value = None
        # What is accepted is written without exponent, and must be read again.
        if value is None or abs(value.adjusted()) > MAX_NUMBER_DIGITS or len(write_json(value)) > MAX_NUMBER_DIGITS:
            refuse(passed("a number, written out, has", MAX_NUMBER_DIGITS, "digits", "send it as text"))
        return value

    def integer(digits: str) -> int:
        if len(digits) > MAX_NUMBER_DIGITS:
            refuse(passed("a number has", MAX_NUMBER_DIGITS, "digits", "send it as text"))
        return int(digits)

    try:
        value = json.loads(
            text,
            object_pairs_hook=members,
            parse_constant=lambda name: refuse(f"{name} is not JSON"),
            parse_float=number,
            parse_int=integer,
        )
        text.encode()
    except json.JSONDecodeError as error:
        refuse(f"not valid JSON at line {error.lineno}, column {error.colno}")
    except UnicodeEncodeError:
        refuse("holds half of a surrogate pair")
    except RecursionError:
        refuse(passed("it is nested", MAX_JSON_DEPTH, "levels deep", "nest it less"))
    _check_depth(value, place)
    return value


def write_json(value: Any) -> str:
    """JSON text of plain values; decimals keep their digits and scale, without exponent.

    Raises ``TypeError`` for anything else, binary floats included.
    """
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_text(name)}:{write_json(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(write_json, value)) + "]"
    raise TypeError(f"{type(value).__name__} is no JSON value")


def canonical_hash(value: Any) -> str:
    """SHA-256 of the parsed content: the order of members and the spelling of numbers do not matter."""
    return hashlib.sha256(json.dumps(_canonical(value), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {"o": {name: _canonical(member) for name, member in value.items()}}
    if isinstance(value, list | tuple):
        return [_canonical(member) for member in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
        sign, digits, exponent = number.as_tuple()
        text = "".join(map(str, digits)).lstrip("0")
        kept = text.rstrip("0")
        return {"n": f"{'-' if sign and kept else ''}{kept or 0}e{int(exponent) + len(text) - len(kept) if kept else 0}"}
    return value


def _check_depth(value: Any, place: str) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_JSON_DEPTH + 1:
            raise RequestError.at("TPL-0017", place, passed("it is nested", MAX_JSON_DEPTH, "levels deep", "nest it less"))
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(item.values())
                _refuse_surrogates(item.keys(), place)
            elif isinstance(item, list):
                deeper.extend(item)
            elif isinstance(item, str):
                _refuse_surrogates((item,), place)
        level = deeper


def _refuse_surrogates(texts: Iterable[str], place: str) -> None:
    for text in texts:
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise RequestError.at("TPL-0017", place, "holds half of a surrogate pair")
