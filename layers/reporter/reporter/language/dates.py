"""Dates and times: reading ISO text, printing in three kinds of layouts.

Go reference layouts (``02/01/2006``), tokens (``dd/MM/YYYY HH:mm:ss``) and Django letters (``d/m/Y``) are told apart by
what they contain: the digits of Go's reference time, doubled letters, or neither.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, time
from functools import lru_cache

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


def format_date(moment: Moment, layout: str) -> str:
    """The moment in the layout, in its own zone."""
    at = moment if isinstance(moment, datetime) else datetime.combine(moment, time())
    return "".join(part if isinstance(part, str) else part(at) for part in _compiled(layout))


def _offset(at: datetime, colon: bool = True) -> str:
    delta = at.utcoffset()
    minutes = int(delta.total_seconds() // 60) if delta else 0
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}{':' if colon else ''}{abs(minutes) % 60:02d}"


def _ordinal(day: int) -> str:
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _hour12(at: datetime) -> int:
    return at.hour % 12 or 12


_GO: dict[str, _Part] = {
    "2006": lambda at: f"{at.year:04d}",
    "January": lambda at: MONTHS[at.month - 1],
    "Monday": lambda at: DAYS[at.weekday()],
    "Jan": lambda at: MONTHS[at.month - 1][:3],
    "Mon": lambda at: DAYS[at.weekday()][:3],
    "MST": lambda at: at.tzname() or "UTC",
    "Z07:00": lambda at: "Z" if not at.utcoffset() else _offset(at),
    "-07:00": _offset,
    "-0700": lambda at: _offset(at, colon=False),
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
    "t": lambda at: str((date(at.year + at.month // 12, at.month % 12 + 1, 1) - date(at.year, at.month, 1)).days),
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
    "a": lambda at: "p.m." if at.hour >= 12 else "a.m.",
    "O": _GO["-0700"],
    "T": _GO["MST"],
    "c": lambda at: at.isoformat(),
    "U": lambda at: str(int(at.timestamp())),
}


@lru_cache(maxsize=256)
def _compiled(layout: str) -> tuple[str | _Part, ...]:
    if re.search(r"2006|\b0[1-6]\b|15[:h]|Jan|Mon", layout):
        return _split(layout, _GO)
    if re.search(r"YY|yy|MM|DD|dd|HH|hh|mm|ss|SS", layout):
        return _split(layout, _TOKENS)
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
