"""Values on their way into the cells of a workbook.

A rendering is text, joined piece by piece; so what a value is travels inside that text. A value comes as the rest of its
cell's XML behind ``VALUE``, the template's own text behind ``OWN``; control characters, which neither may hold, separate
cells, rows and sheets. Nothing is parsed back: a number is a number from the source to the cell.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from reporter.language.numbers import plain
from reporter.language.printing import SEPARATOR, PlainNumber, Printer, text_of
from reporter.language.rows import Column

VALUE, OWN = "\x02", "\x03"
SHOWN = "\x04"
"""Stands around the text that a value has beside other text, where its cell's XML does not tell."""
NULL = f"{VALUE}/>"
TOO_EXACT = "\x05"
"""Follows ``VALUE`` where a number has more digits than a spreadsheet's numbers hold, and goes as text."""
CELL_END, ROW_END, SHEET = "\x1f", "\x1e", "\x1c"
KIND = "\x10"
"""In a designed workbook: the number of the value's kind follows in two digits, for the cell's own style to decide."""

LINE, CELL = "\x11", "\x13"
"""In a designed workbook: a row (with its number), a sheet (``s``), a loop's iteration (``i``) or end (``e``); a cell."""

SHEET_FILTER = "sheet name"
MOST_DIGITS = 15
MOST_DECIMALS = 15
_LONGEST_NUMBER = 300
_FIRST_DATE = date(1900, 3, 1)
_DAY_ZERO = date(1899, 12, 30).toordinal()
_FIRST_DAYS = _FIRST_DATE.toordinal() - _DAY_ZERO
_ZERO = datetime(1899, 12, 30)
_UTC_ZERO = _ZERO.replace(tzinfo=UTC)
_DAY = timedelta(days=1)

KINDS: Mapping[str, str] = {
    "whole": "0",
    **{f"decimals {n}": "#,##0." + "0" * n for n in range(1, MOST_DECIMALS + 1)},
    "date": "yyyy-mm-dd",
    "time": "yyyy-mm-dd hh:mm:ss",
    "time with fractions": "yyyy-mm-dd hh:mm:ss.000",
    "moment": 'yyyy-mm-dd hh:mm:ss" UTC"',
    "moment with fractions": 'yyyy-mm-dd hh:mm:ss.000" UTC"',
    "digits": "@",
}
"""A kind of value → its number format. Text and booleans have none."""

_NOT_AS_IT_IS = re.compile(r"[&<>\x00-\x08\x0b-\x1f\ufffe\uffff]|_x[0-9A-Fa-f]{4}_")
_CONTROLS = bytes(range(32))
_SELDOM = ("_x", f" {SEPARATOR}", f"{SEPARATOR} ", "\ufffe", "\uffff")
"""Besides control characters, what makes a text more than its references."""
_ALIKE = {
    decimals: re.compile(f"{number}(?:{SEPARATOR}{number})*")
    for decimals in range(9)
    for number in [rf"-?\d{{1,{MOST_DIGITS - decimals}}}" + (rf"\.\d{{{decimals}}}" if decimals else "")]
}
_NEGATIVE_ZERO = re.compile(rf"-0+(?:\.0+)?(?:{SEPARATOR}|\Z)")
_MOST_AT_ONCE = 1 << 20
_CONTENT = re.compile(
    rf' ?(?:s="(?P<kind>[0-9]+)"|{KIND}(?P<own_kind>[0-9]{{2}}))?[^>]*>(?:<is>)?<(?:v|t|t xml:space="preserve")>'
    r"(?P<content>[^<]*)</"
)
_KIND_NAMES = dict(enumerate(KINDS, start=1))
_REFERENCES = re.compile(r"&(?:amp|lt|gt);|_x[0-9A-F]{4}_")
_CHARACTERS = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
_AS_REFERENCE = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escaped(text: str) -> str:
    """Text inside a cell's XML. What XML 1.0 cannot hold is written as OOXML does, ``_x000B_``: nothing is lost."""
    return _NOT_AS_IT_IS.sub(_reference, text)


def _reference(found: re.Match[str]) -> str:
    text = found.group()
    if len(text) > 1:
        # What only looks like such an escape must not become a character.
        return "_x005F" + text
    return _AS_REFERENCE.get(text) or f"_x{ord(text):04X}_"


def text_cell(text: str) -> str:
    """The rest of the XML of a cell that holds text; never a formula."""
    if _NOT_AS_IT_IS.search(text):
        text = escaped(text)
    if text[:1] == " " or text[-1:] == " " or "\n" in text or "\t" in text:
        return f' t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    return f' t="inlineStr"><is><t>{text}</t></is></c>'


def cell_printers(output_format: str) -> Mapping[str, Printer]:
    """Place → what prints a value there: ``plain``, in a ``sheet``'s name, or ``captured`` by a macro or a block.

    The format ``WORKBOOK`` is that of a designed workbook, whose cells have their own styles.
    """
    own_styles = output_format == "WORKBOOK"
    styles = {kind: f"{KIND}{number:02d}" if own_styles else f' s="{number}"' for number, kind in enumerate(KINDS, start=1)}
    plain_place = _plain_printer(styles)
    return {
        **dict.fromkeys(("plain", "quoted", "attribute", "unquoted", "cdata", "raw"), plain_place),
        "captured": Printer(text_of),
        "sheet": Printer(lambda value: f"{ROW_END}{SHEET}{text_of(value)}{ROW_END}"),
    }


def _plain_printer(styles: Mapping[str, str]) -> Printer:
    number, moment = _number_printer(styles), _time_printer(styles)
    whole, most = f"{VALUE}{styles['whole']}><v>", 10**MOST_DIGITS

    def printed(value: Any) -> str:
        kind = type(value)
        if kind is str:
            return VALUE + text_cell(value)
        if kind is Decimal:
            return number(plain(value))
        if kind is int:
            return f"{whole}{value}</v></c>" if -most < value < most else number(plain(value))
        if value is None:
            return NULL
        if isinstance(value, bool):
            return f'{VALUE} t="b"><v>{int(value)}</v></c>{SHOWN}{value}{SHOWN}'
        if isinstance(value, date):
            return moment(value)
        if isinstance(value, PlainNumber | float):
            return number(text_of(value))
        return VALUE + text_cell(str(text_of(value)))

    return Printer(printed, column=lambda column: _column(column, styles, moment))


def _column(column: Column, styles: Mapping[str, str], moment: Callable[[Any], str]) -> Sequence[str] | None:
    """The cells of a column whose values are all of one kind."""
    values = column.texts() if column.digits else column.values()
    kinds = set(map(type, values)) - {type(None)}
    if column.digits:
        return _together(values, lambda texts: _alike_numbers(texts, styles))
    if kinds <= {str}:
        return _together(values, _texts)
    if kinds in ({date}, {datetime}):
        return [NULL if value is None else moment(value) for value in values]
    return None


def _together(values: Sequence[Any], make: Callable[[Sequence[str]], Sequence[str] | None]) -> Sequence[str] | None:
    """What ``make`` makes of the values that are not null."""
    if None not in values:
        return make(values)
    made = make([value for value in values if value is not None])
    if made is None:
        return None
    rest = iter(made)
    return [NULL if value is None else next(rest) for value in values]


def _texts(texts: Sequence[str]) -> Sequence[str] | None:
    """Cells of texts, as ``text_cell`` makes them one by one, unless they hold what is seldom found."""
    together = SEPARATOR.join(texts)
    content = together.encode()
    if len(together) > _MOST_AT_ONCE or len(content.translate(None, _CONTROLS)) != len(content):
        return None
    if together[:1] == " " or together[-1:] == " " or any(mark in together for mark in _SELDOM):
        return None
    for mark, reference in _AS_REFERENCE.items():
        together = together.replace(mark, reference)
    return _cells_around(together, f'{VALUE} t="inlineStr"><is><t>', "</t></is></c>", len(texts))


def _alike_numbers(texts: Sequence[str], styles: Mapping[str, str]) -> Sequence[str] | None:
    """Cells of numbers that all have the same few decimals, as a column of amounts has."""
    if not texts:
        return []
    together = SEPARATOR.join(texts)
    decimals = len(texts[0].partition(".")[2])
    pattern = _ALIKE.get(decimals)
    if pattern is None or pattern.fullmatch(together) is None or _NEGATIVE_ZERO.search(together):
        return None
    style = styles[f"decimals {decimals}" if decimals else "whole"]
    return _cells_around(together, f"{VALUE}{style}><v>", "</v></c>", len(texts))


def _cells_around(together: str, before: str, after: str, count: int) -> Sequence[str] | None:
    made = (before + together.replace(SEPARATOR, after + SEPARATOR + before) + after).split(SEPARATOR)
    return made if len(made) == count else None


def _number_printer(styles: Mapping[str, str]) -> Callable[[str], str]:
    """Of a number's digits. Up to 15 of them a spreadsheet's number, a double, holds exactly."""
    by_decimals = [f"{VALUE}{styles['whole']}><v>"]
    by_decimals += [f"{VALUE}{styles[f'decimals {n}']}><v>" for n in range(1, MOST_DECIMALS + 1)]

    def printed(text: str) -> str:
        point = text.find(".")
        decimals = len(text) - point - 1 if point >= 0 else 0
        if len(text) > MOST_DIGITS:
            exact = len(text.lstrip("-").replace(".", "").strip("0")) <= MOST_DIGITS
            if not exact or len(text) > _LONGEST_NUMBER:
                return f"{VALUE}{TOO_EXACT}{styles['digits']}{text_cell(text)}"
            if decimals > MOST_DECIMALS:
                return f"{VALUE}><v>{text}</v></c>"
        return f"{by_decimals[decimals]}{text}</v></c>"

    return printed


def _time_printer(styles: Mapping[str, str]) -> Callable[[Any], str]:
    """Of dates and times, in days since the end of 1899; with a zone in UTC, whose format says so."""
    before = {kind: f"{VALUE}{styles[kind]}><v>" for kind in ("date", "time", "moment")}

    def printed(value: date) -> str:
        if not isinstance(value, datetime):
            if value < _FIRST_DATE:
                return VALUE + text_cell(value.isoformat())
            return f"{before['date']}{value.toordinal() - _DAY_ZERO}</v></c>"
        zone = value.tzinfo
        since = value - (_ZERO if zone is None else _UTC_ZERO)
        if since.days < _FIRST_DAYS:
            # Spreadsheets disagree about the days before March 1900, and know none before that year.
            return VALUE + text_cell(value.isoformat())
        kind = "time" if zone is None else "moment"
        if since.microseconds:
            serial = repr(since / _DAY)
            return f"{VALUE}{styles[f'{kind} with fractions']}><v>{serial}</v></c>{SHOWN}{value.isoformat()}{SHOWN}"
        # Eleven decimals of a day are a microsecond.
        rest = f"{before[kind]}{since.days}.{(since.seconds * 10**11 + 43200) // 86400:011d}</v></c>"
        return rest if zone is None or zone is UTC else f"{rest}{SHOWN}{value.isoformat()}{SHOWN}"

    return printed


def shown(rest: str) -> str:
    """The text of a value beside other text, from the rest of its cell's XML."""
    hidden = rest.find(SHOWN)
    if hidden >= 0:
        return rest[hidden + 1 : -1]
    found = _CONTENT.search(rest)
    if found is None:
        return ""
    content = found["content"]
    kind = _KIND_NAMES.get(int(found["kind"] or found["own_kind"] or 0), "")
    if kind == "date":
        return date.fromordinal(int(content) + _DAY_ZERO).isoformat()
    if kind in {"time", "moment"}:
        day, _, part = content.partition(".")
        moment = datetime.fromordinal(int(day) + _DAY_ZERO) + timedelta(seconds=round(float(f"0.{part}") * 86400))
        return (moment if kind == "time" else moment.replace(tzinfo=UTC)).isoformat()
    return _REFERENCES.sub(_character, content)


def _character(found: re.Match[str]) -> str:
    text = found.group()
    return _CHARACTERS.get(text) or ("_" if text == "_x005F_" else chr(int(text[2:6], 16)))
