"""Filters on text: letters, widths, pieces, markup."""

import re
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from reporter.language.arguments import bounds_for, check_length, number_for, width_for
from reporter.language.numbers import TemplateValueError, plain, rounded, whole_part
from reporter.language.printing import EscapedText, NumberText, SafeText, text_of


def upper(value: Any) -> str:
    """All letters large."""
    return text_of(value).upper()


def lower(value: Any) -> str:
    """All letters small."""
    return text_of(value).lower()


def capfirst(value: Any) -> str:
    """The first letter as a capital, the others as they are."""
    text = text_of(value)
    return text[:1].upper() + text[1:]


_WORD = re.compile(r"\w+(?:['’]\w+)*")


def title(value: Any) -> str:
    """Each word with a capital first letter, the rest small; an apostrophe does not end a word."""
    return _WORD.sub(lambda word: word.group()[0].upper() + word.group()[1:].lower(), text_of(value))


def trim(value: Any) -> str:
    """Without white space at both ends."""
    return text_of(value).strip()


def ljust(value: Any, width: Any) -> str:
    """Filled up with blanks on the right."""
    return text_of(value).ljust(width_for(width, "ljust"))


def rjust(value: Any, width: Any) -> str:
    """Filled up with blanks on the left."""
    return text_of(value).rjust(width_for(width, "rjust"))


def center(value: Any, width: Any) -> str:
    """Blanks on both sides, the odd one on the left."""
    text, room = text_of(value), width_for(width, "center")
    missing = max(0, room - len(text))
    return " " * ((missing + 1) // 2) + text + " " * (missing // 2)


def cut(value: Any, part: Any) -> str:
    """Without any occurrence of the part."""
    text, unwanted = text_of(value), text_of(part)
    return text.replace(unwanted, "") if unwanted else text


def replace(value: Any, argument: Any) -> str:
    """``replace:"old:new"``, all occurrences."""
    old, colon, new = argument.partition(":") if isinstance(argument, str) else ("", "", "")
    if not colon or not old:
        raise TemplateValueError('replace needs "old:new"')
    text = text_of(value)
    check_length(len(text) + text.count(old) * (len(new) - len(old)))
    return _like(value, text.replace(old, new))


def _like(value: Any, text: str) -> str:
    """A number stays a number for the formula guard, whatever marks it got."""
    number = isinstance(value, NumberText | int | Decimal) and not isinstance(value, bool)
    return NumberText(text) if number and re.fullmatch(r"-?[\d.,' ]*%?", text) else text


def slice_str(value: Any, argument: Any) -> str:
    """Characters from:to, as Python slices."""
    return text_of(value)[bounds_for(argument, "slice_str")]


def split(value: Any, separator: Any = " ") -> list[str]:
    """The parts of a text; its characters where the separator is empty."""
    mark = text_of(separator)
    return text_of(value).split(mark) if mark else list(text_of(value))


def truncatechars(value: Any, most: Any) -> str:
    """At most so many characters, the last one an ellipsis where something was cut."""
    text, room = text_of(value), width_for(most, "truncatechars")
    return text if len(text) <= room else text[: max(0, room - 1)] + "…" * (room > 0)


def truncatewords(value: Any, most: Any) -> str:
    """At most so many words, then an ellipsis where something was cut."""
    words, room = text_of(value).split(), width_for(most, "truncatewords")
    return " ".join(words) if len(words) <= room else " ".join(words[:room]) + " …"


def wordcount(value: Any) -> int:
    """How many words."""
    return len(text_of(value).split())


_CONVERSION = re.compile(r"(?P<flags>[-+ 0#]*)(?P<width>\d{0,4})(?:\.(?P<places>\d{0,3}))?(?P<kind>[sdifxXo])")


def stringformat(value: Any, layout: Any) -> str:
    """One printf conversion without its ``%``: ``03d``, ``.2f``, ``10s``; decimals are rounded half away from zero."""
    found = _CONVERSION.fullmatch(text_of(layout).removeprefix("%"))
    if found is None:
        raise TemplateValueError('stringformat needs a conversion like "05d", ".2f" or "10s"')
    flags, width, places, kind = found["flags"], int(found["width"] or 0), found["places"], found["kind"]
    if kind == "s":
        text = text_of(value)
        body, number = text if places is None else text[: int(places or 0)], False
    elif kind == "f":
        decimals = 6 if places is None else int(places or 0)
        body, number = plain(rounded(number_for(value, "stringformat"), decimals)), True
    else:
        whole = whole_part(number_for(value, "stringformat"))
        body, number = plain(whole) if kind in "di" else format(whole, kind), True
    if number and "+" in flags and not body.startswith("-"):
        body = "+" + body
    if "-" in flags:
        body = body.ljust(width)
    elif number and "0" in flags:
        body = body.zfill(width)
    else:
        body = body.rjust(width)
    return NumberText(body) if number else body


_OPENING = re.compile(r"<(?:!--|[!?]|/?([A-Za-z][^\s/>]*))")
# Possessive: a tag that never ends is found out in one pass.
_REST_OF_TAG = re.compile(r"""(?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")


def _without_tags(value: Any, unwanted: frozenset[str] | None) -> str:
    """Without the unwanted tags, or without all markup. What a tag or comment without an end holds is text."""
    text = text_of(value)
    kept: list[str] = []
    at = 0
    while (opening := _OPENING.search(text, at)) is not None:
        if opening.group() == "<!--":
            found = text.find("-->", opening.end())
            end = found + 3 if found >= 0 else -1
        else:
            rest = _REST_OF_TAG.match(text, opening.end())
            end = rest.end() if rest else -1
        if end < 0:
            break
        keep = unwanted is not None and (opening.group(1) or "").lower() not in unwanted
        kept.append(text[at : end if keep else opening.start()])
        at = end
    kept.append(text[at:])
    return "".join(kept)


def striptags(value: Any) -> str:
    """The text without any markup. It is still escaped where it is printed."""
    return _without_tags(value, None)


def removetags(value: Any, names: Any) -> str:
    """The text without the named tags, e.g. ``"b i"`` or ``"b,i"``."""
    return _without_tags(value, frozenset(text_of(names).lower().replace(",", " ").split()))


def urlencode(value: Any, safe: Any = "/") -> str:
    """Percent-encoded for a URL; the characters of ``safe`` stay."""
    try:
        return quote(text_of(value), safe=text_of(safe))
    except UnicodeEncodeError:
        raise TemplateValueError("a text holds half of a surrogate pair") from None


def safe(value: Any) -> str:
    """Part of the document as it is."""
    return SafeText(text_of(value))


def escape(value: Any) -> Any:
    """Escaped at print, once, even where escaping is switched off; safe text stays safe."""
    return EscapedText(value) if type(value) is str else value
