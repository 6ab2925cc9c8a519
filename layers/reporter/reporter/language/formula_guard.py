"""Text that a spreadsheet would run as a formula, and how it is made plain text."""

import re
import string
import unicodedata

HARMLESS_STARTS = frozenset(["", *string.ascii_letters, *string.digits])
_START = frozenset("=+-@")
# No number and no phone number begins with these.
_ALWAYS_GUARDED = frozenset("\t\r\n=@")
_BLANKS = re.compile(
    # White space, control characters, then what takes no room: soft hyphen, joiners, marks of direction, fillers,
    # variation selectors, tags.
    "[\\s\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\uffff\U000e0000-\U000e0fff]*"
)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE][+-]?\d+)?%?", re.ASCII)
_PHONE = re.compile(r"\+[\d ()\-.]*\d", re.ASCII)
_PHONE_DIGITS = range(7, 16)


def guarded(text: str) -> str:
    """A leading apostrophe before text that would be a formula; plain numbers and phone numbers stay as they are."""
    first = text[:1]
    if first in HARMLESS_STARTS:
        return text
    if first in _ALWAYS_GUARDED:
        return "'" + text
    blanks = _BLANKS.match(text)
    visible = text[blanks.end() if blanks else 0 :][:1]
    if unicodedata.normalize("NFKC", visible)[:1] not in _START or not visible or _is_number_or_phone(text):
        return text
    return "'" + text


def _is_number_or_phone(text: str) -> bool:
    if _NUMBER.fullmatch(text):
        return True
    return bool(_PHONE.fullmatch(text)) and sum(map(str.isdigit, text)) in _PHONE_DIGITS
