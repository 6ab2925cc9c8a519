"""Ids: UUIDs of version 7, which sort by the time they were made."""

import secrets
import threading
from datetime import datetime

_lock = threading.Lock()
_last = (0, 0)


def new_id(now: datetime) -> str:
    """A new id for that moment; later ones from this process sort later even within a millisecond."""
    global _last
    milliseconds = int(now.timestamp() * 1000)
    with _lock:
        count = _last[1] + 1 if milliseconds <= _last[0] else secrets.randbits(11)
        milliseconds = max(milliseconds, _last[0])
        if count > 0xFFF:
            milliseconds, count = milliseconds + 1, 0
        _last = (milliseconds, count)
    value = (milliseconds << 80) | (0x7 << 76) | (count << 64) | (0b10 << 62) | secrets.randbits(62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def day_bounds(day: datetime) -> tuple[str, str]:
    """The lowest id of that UTC day and the lowest of the next; ids begin in 1970."""
    first = int(day.timestamp() * 1000)
    return _lowest(first), _lowest(first + 86_400_000)


def _lowest(milliseconds: int) -> str:
    text = f"{max(milliseconds, 0):012x}"
    return f"{text[:8]}-{text[8:]}-0000-0000-000000000000"
