"""Dates and times: reading ISO text, printing in three kinds of layouts.

Go reference layouts (``02/01/2006``), tokens (``dd/MM/YYYY HH:mm:ss``) and Django letters (``d/m/Y``) are told apart by
what they contain: Go's reference year, else doubled letters, else other parts of Go's reference time, else single letters.
"""

import re
from calendar import isleap, monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

MAX_LAYOUT = 200

Moment = datetime | date
_Part = Callable[[datetime], str]


def moment_of_text(text: str) -> Moment | None:
    """ISO 8601 text as a date or a time; None for other text."""
    if len(text) < 10 or text[4:5] != "-" or not text[:4].isdigit():
        return None
    try:
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        return None


def instant_of(value: Any) -> datetime | None:
    """A time, date or ISO text as a time in a zone: a bare date is its first moment, UTC where no zone is named."""
    if isinstance(value, str):
        value = moment_of_text(value)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return None


def format_date(moment: Moment, layout: str) -> str:
    """The moment in the layout, in its own zone. Raises ``ValueError`` for a layout of over ``MAX_LAYOUT`` characters."""
    if len(layout) > MAX_LAYOUT:
        raise ValueError(f"a date layout has more than {MAX_LAYOUT} characters")
    at = moment if isinstance(moment, datetime) else datetime.combine(moment, time())
    return "".join(part if isinstance(part, str) else part(at) for part in _compiled(layout))


def _offset(at: datetime, mark: str = ":", minutes: bool = True) -> str:
    seconds = _offset_seconds(at)
    shown = abs(seconds) // 60
    return f"{'-' if seconds < 0 else '+'}{shown // 60:02d}" + (f"{mark}{shown % 60:02d}" if minutes else "")


def _offset_seconds(at: datetime) -> int:
    delta = at.utcoffset()
    return delta.days * 86_400 + delta.seconds if delta else 0


def _unix_seconds(at: datetime) -> int:
    since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400 + since.seconds


def _ordinal(day: int) -> str:
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _hour12(at: datetime) -> int:
    return at.hour % 12 or 12


def _half_day(at: datetime) -> str:
    return "p.m." if at.hour >= 12 else "a.m."


def _short_time(at: datetime) -> str:
    """Django's ``f``: the minutes only where there are any."""
    return f"{_hour12(at)}:{at.minute:02d}" if at.minute else str(_hour12(at))


def _time_in_words(at: datetime) -> str:
    """Django's ``P``."""
    if not at.minute and at.hour in {0, 12}:
        return "noon" if at.hour else "midnight"
    return f"{_short_time(at)} {_half_day(at)}"


_MAIL_TIME = "Mon, 2 Jan 2006 15:04:05 -0700"
_PRESS_MONTHS = ["Jan.", "Feb.", "March", "April", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.", "Dec."]


_GO: dict[str, _Part] = {
    "2006": lambda at: f"{at.year:04d}",
    "January": lambda at: MONTHS[at.month - 1],
    "Monday": lambda at: DAYS[at.weekday()],
    "Jan": lambda at: MONTHS[at.month - 1][:3],
    "Mon": lambda at: DAYS[at.weekday()][:3],
    "MST": lambda at: at.tzname() or "UTC",
    "Z07:00": lambda at: "Z" if not at.utcoffset() else _offset(at),
    "Z0700": lambda at: "Z" if not at.utcoffset() else _offset(at, ""),
    "-07:00": _offset,
    "-0700": lambda at: _offset(at, ""),
    "-07": lambda at: _offset(at, minutes=False),
    ".000000000": lambda at: f".{at.microsecond:06d}000",
    ".000000": lambda at: f".{at.microsecond:06d}",
    ".000": lambda at: f".{at.microsecond // 1000:03d}",
    "01": lambda at: f"{at.month:02d}",
    "02": lambda at: f"{at.day:02d}",
    "03": lambda at: f"{_hour12(at):02d}",
    "04": lambda at: f"{at.minute:02d}",
    "05": lambda at: f"{at.second:02d}",
    "06": lambda at: f"{at.year % 100:02d}",
    "15": lambda at: f"{at.hour:02d}",
    "PM": lambda at: "PM" if at.hour >= 12 else "AM",
    "pm": lambda at: "pm" if at.hour >= 12 else "am",
    "_2": lambda at: f"{at.day:2d}",
    "1": lambda at: str(at.month),
    "2": lambda at: str(at.day),
    "3": lambda at: str(_hour12(at)),
    "4": lambda at: str(at.minute),
    "5": lambda at: str(at.second),
}

_TOKENS: dict[str, _Part] = {
    "YYYY": _GO["2006"],
    "yyyy": _GO["2006"],
    "YY": _GO["06"],
    "yy": _GO["06"],
    "MMMM": _GO["January"],
    "MMM": _GO["Jan"],
    "MM": _GO["01"],
    "DD": _GO["02"],
    "dd": _GO["02"],
    "HH": _GO["15"],
    "hh": _GO["03"],
    "mm": _GO["04"],
    "SSS": lambda at: f"{at.microsecond // 1000:03d}",
    "ss": _GO["05"],
    "SS": _GO["05"],
}

_LETTERS: dict[str, _Part] = {
    "d": _GO["02"],
    "j": _GO["2"],
    "D": _GO["Mon"],
    "l": _GO["Monday"],
    "S": lambda at: _ordinal(at.day),
    "w": lambda at: str((at.weekday() + 1) % 7),
    "z": lambda at: str(at.timetuple().tm_yday),
    "W": lambda at: str(at.isocalendar().week),
    "m": _GO["01"],
    "n": _GO["1"],
    "M": _GO["Jan"],
    "b": lambda at: MONTHS[at.month - 1][:3].lower(),
    "F": _GO["January"],
    "t": lambda at: str(monthrange(at.year, at.month)[1]),
    "L": lambda at: str(isleap(at.year)),
    "N": lambda at: _PRESS_MONTHS[at.month - 1],
    "o": lambda at: str(at.isocalendar().year),
    "y": _GO["06"],
    "Y": _GO["2006"],
    "g": _GO["3"],
    "G": lambda at: str(at.hour),
    "h": _GO["03"],
    "H": _GO["15"],
    "i": _GO["04"],
    "s": _GO["05"],
    "u": lambda at: f"{at.microsecond:06d}",
    "A": _GO["PM"],
    "a": _half_day,
    "f": _short_time,
    "P": _time_in_words,
    "O": _GO["-0700"],
    "T": _GO["MST"],
    "c": lambda at: at.isoformat(),
    "r": lambda at: "".join(part if isinstance(part, str) else part(at) for part in _split(_MAIL_TIME, _GO)),
    "U": lambda at: str(_unix_seconds(at)),
    "Z": lambda at: str(_offset_seconds(at)),
}


_GO_PARTS = re.compile(r"0[1-6]|15|\bPM\b|Jan|Mon")
_TOKEN_PARTS = re.compile("YY|yy|MM|DD|dd|HH|hh|mm|ss|SS")
_DATE_LETTERS = re.compile(r"\b[dDjlmnMFyY]\b")


@lru_cache(maxsize=256)
def _compiled(layout: str) -> tuple[str | _Part, ...]:
    if "2006" in layout:
        return _split(layout, _GO)
    if _TOKEN_PARTS.search(layout):
        return _split(layout, _TOKENS)
    # "Y-m-01" is the first of the month, "02 Jan" a day and a month.
    if _GO_PARTS.search(layout) and not _DATE_LETTERS.search(layout):
        return _split(layout, _GO)
    return _letters(layout)


def _split(layout: str, table: dict[str, _Part]) -> tuple[str | _Part, ...]:
    pattern = "|".join(re.escape(name) for name in sorted(table, key=len, reverse=True))
    return tuple(table.get(piece, piece) for piece in re.split(f"({pattern})", layout) if piece)


def _letters(layout: str) -> tuple[str | _Part, ...]:
    """Each letter stands for itself in Django's table; a backslash keeps the next one as it is."""
    parts: list[str | _Part] = []
    characters = iter(layout)
    for character in characters:
        if character == "\\":
            parts.append(next(characters, ""))
        else:
            parts.append(_LETTERS.get(character, character))
    return tuple(parts)
