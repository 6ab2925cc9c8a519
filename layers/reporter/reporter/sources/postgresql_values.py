"""PostgreSQL's text as plain values: exact numbers, UTC, nothing that only the database knows.

COPY delivers text. Decimals, dates and times stay text on their way into the spool: what is read here is only whether
they are what the spool may hold. A batch is taken apart as a whole, not row by row.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from reporter.dataset import Encoded, EncodedBatch, Values, encoded
from reporter.exact_json import MAX_NUMBER_DIGITS
from reporter.sources.values import exact_number, refuse_surrogates

Texts = list[str | None]
Reader = Callable[[Texts], Encoded]

_NULL = "\\N"
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_BOOLEANS = {"t": True, "f": False, None: None}


class UnfitValue(ValueError):
    """A column holds a value that no document can show. ``column`` counts from 0."""

    def __init__(self, column: int) -> None:
        super().__init__(f"column {column}")
        self.column = column


def batch_of(lines: Sequence[Any], readers: Sequence[Reader]) -> EncodedBatch:
    """Rows in COPY's text format, each with its line end, as the spool holds them. Raises ``UnfitValue``."""
    text = b"".join(lines).decode()
    escaped = text.count("\\") != text.count(_NULL)
    cells: list[Any] = text.replace("\n", "\t").split("\t")
    width = len(readers)
    columns = []
    for number, read in enumerate(readers):
        texts = cells[number:-1:width]
        if len(texts) != len(lines):
            raise UnfitValue(number)
        if escaped:
            texts = list(map(_unescaped, texts))
        elif _NULL in texts:
            texts = [None if cell == _NULL else cell for cell in texts]
        try:
            columns.append(read(texts))
        except (ValueError, TypeError, RecursionError):
            raise UnfitValue(number) from None
    return EncodedBatch(len(lines), tuple(columns))


def _unescaped(cell: str) -> str | None:
    if "\\" not in cell:
        return cell
    return None if cell == _NULL else _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), cell)


def _read_each(read: Callable[[str], Any], texts: Texts) -> Values:
    return tuple([None if text is None else read(text) for text in texts]) if None in texts else tuple(map(read, texts))  # type: ignore[arg-type]


def _text(texts: Texts) -> Encoded:
    return "plain", tuple(texts)


def _integer(texts: Texts) -> Encoded:
    return "plain", _read_each(int, texts)


def _boolean(texts: Texts) -> Encoded:
    return "plain", tuple([_BOOLEANS[text] for text in texts])


def _numeric(texts: Texts) -> Encoded:
    """Plain digits, or NaN and the infinities, which are refused."""
    digits = "".join(filter(None, texts))
    if (
        "N" in digits
        or "I" in digits
        or (len(digits) > MAX_NUMBER_DIGITS and max(map(len, filter(None, texts))) > MAX_NUMBER_DIGITS)
    ):
        raise ValueError("not a number that can be printed")
    return "texts of decimals", tuple(texts)


def _double(texts: Texts) -> Encoded:
    """By the shortest text that shows it, which is what PostgreSQL sends."""
    _read_each(exact_number, texts)
    return "texts of doubles", tuple(texts)


def _date(texts: Texts) -> Encoded:
    _read_each(date.fromisoformat, texts)
    return "texts of dates", tuple(texts)


def _moment(texts: Texts) -> Encoded:
    """The transaction's time zone is UTC."""
    _read_each(datetime.fromisoformat, texts)
    return "texts of times", tuple(texts)


def _json(texts: Texts) -> Encoded:
    return encoded(_read_each(_json_value, texts))


def _json_value(text: str) -> Any:
    refuse_surrogates(text)
    return json.loads(text, parse_float=exact_number)


READERS: Mapping[int, Reader] = {
    25: _text, 20: _integer, 21: _integer, 23: _integer, 26: _integer, 16: _boolean, 1700: _numeric, 700: _double,
    701: _double, 1082: _date, 1114: _moment, 1184: _moment, 114: _json, 3802: _json,
}  # fmt: skip
"""PostgreSQL's number of a built-in type → how a column of it is read."""
FLOATS = frozenset({700, 701})
