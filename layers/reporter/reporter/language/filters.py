"""Template filters: how a value looks. A dictionary from the name in a template to a function."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

from reporter.language.dates import format_date, moment_of_text
from reporter.language.numbers import (
    Number,
    TemplateValueError,
    add,
    described,
    divide,
    equal,
    field_of,
    less,
    multiply,
    negate,
    numeric,
    plain,
    rounded,
    trimmed,
)
from reporter.language.printing import JsonText, NumberText, SafeText, text_of, to_json
from reporter.language.rows import Rows
from reporter.language.selection import count, filter_rows, sum_field, where, with_field

MAX_WIDTH = 10_000
MAX_DECIMALS = 100
MAX_TEXT = 4_000_000


def _number(value: Any, name: str) -> int | Decimal:
    number = numeric(value)
    if number is None:
        raise TemplateValueError(f"{name} needs a number, not {described(value)}")
    return number


def _whole(value: Any, name: str, most: int) -> int:
    number = _number(value, name)
    whole = int(number)
    if number != whole or not -most <= whole <= most:
        raise TemplateValueError(f"{name} needs a whole number up to {most}")
    return whole


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise TemplateValueError(f"a text is longer than {MAX_TEXT} characters")
    return text


def percent_of(value: Any, total: Any) -> str:
    """``20|percent_of:80`` is ``25.00%``."""
    of = numeric(total) if total is not None else 0
    if not of:
        raise TemplateValueError("percent_of needs a total that is not 0")
    share = divide(multiply(0 if value is None else _number(value, "percent_of"), 100), of)
    return NumberText(plain(rounded(share, 2)) + "%")


def _slice(value: Any, argument: Any, name: str) -> Any:
    parts = str(argument).split(":")
    try:
        if not 1 <= len(parts) <= 3 or not isinstance(argument, str) or ":" not in argument:
            raise ValueError(argument)
        bounds = [int(part) if part.strip() else None for part in parts]
        if len(bounds) == 3 and bounds[2] == 0:
            raise ValueError(argument)
    except ValueError:
        raise TemplateValueError(f'{name} needs "from:to"') from None
    return value[slice(*bounds)]


def slice_str(value: Any, argument: Any) -> str:
    """Characters from:to, as Python slices."""
    return str(_slice(text_of(value), argument, "slice_str"))


def slice_any(value: Any, argument: Any) -> Any:
    """Characters of a text, members of a list."""
    if value is None:
        return ""
    if isinstance(value, Rows):
        value = list(value)
    return _slice(value if isinstance(value, list | tuple) else text_of(value), argument, "slice")


def strip_zeros(value: Any) -> str:
    """``10.50`` becomes ``10.5``, ``1e3`` becomes ``1000``; nothing for null."""
    return "" if value is None else NumberText(trimmed(_number(value, "strip_zeros")))


def replace(value: Any, argument: Any) -> str:
    """``replace:"old:new"``, all occurrences."""
    old, colon, new = argument.partition(":") if isinstance(argument, str) else ("", "", "")
    if not colon or not old:
        raise TemplateValueError('replace needs "old:new"')
    text = text_of(value)
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_TEXT:
        raise TemplateValueError(f"a text is longer than {MAX_TEXT} characters")
    return _like(value, text.replace(old, new))


def _like(value: Any, text: str) -> str:
    """A number stays a number for the formula guard, whatever marks it got."""
    number = isinstance(value, NumberText | int | Decimal) and not isinstance(value, bool)
    return NumberText(text) if number and re.fullmatch(r"-?[\d.,' ]*%?", text) else text


def floatformat(value: Any, places: Any = None) -> str:
    """Half away from zero; without places one decimal, none for whole numbers; with places the zeros stay."""
    if value is None or value == "":
        return ""
    number = _number(value, "floatformat")
    if places is None:
        whole = number == number.to_integral_value() if isinstance(number, Decimal) else True
        return NumberText(plain(rounded(number, 0 if whole else 1)))
    wanted = _whole(places, "floatformat", MAX_DECIMALS)
    if wanted < 0 and number == int(number):
        return NumberText(plain(rounded(number, 0)))
    return NumberText(plain(rounded(number, abs(wanted))))


def date_filter(value: Any, layout: Any = "YYYY-MM-DD") -> str:
    """A timestamp, date or ISO text in a layout; nothing for null."""
    if value is None or value == "":
        return ""
    return format_date(_moment(value, "date"), text_of(layout))


def _moment(value: Any, name: str) -> datetime | date:
    moment = moment_of_text(value.strip()) if isinstance(value, str) else value
    if not isinstance(moment, datetime | date):
        raise TemplateValueError(f"{name} needs a date, not {described(value)}")
    return moment


def add_day(rows: Any, name: Any) -> list[dict[str, Any]]:
    """Rows with an integer field ``dia``: YYYYMMDD of the named field."""

    def day(row: Any) -> int | None:
        value = field_of(row, text_of(name))
        return None if value is None else int(format_date(_moment(value, "add_day"), "YYYYMMDD"))

    return with_field(rows, "dia", day)


def add_signed(rows: Any, name: Any) -> list[dict[str, Any]]:
    """Rows with a field ``signed``: the named field, negative where ``direction`` is debit in any case."""

    def signed(row: Any) -> Number:
        number = numeric(field_of(row, text_of(name))) or 0
        return negate(number) if text_of(field_of(row, "direction")).strip().lower() == "debit" else number

    return with_field(rows, "signed", signed)


def _width(width: Any, name: str) -> int:
    return max(0, _whole(width, name, MAX_WIDTH))


def center(value: Any, width: Any) -> str:
    """Blanks on both sides, the odd one on the left."""
    text, room = text_of(value), _width(width, "center")
    missing = max(0, room - len(text))
    return " " * ((missing + 1) // 2) + text + " " * (missing // 2)


def title(value: Any) -> str:
    """Each word with a capital first letter, the rest small."""
    return re.sub(r"\S+", lambda word: word.group()[:1].upper() + word.group()[1:].lower(), text_of(value))


def default(value: Any, other: Any = "") -> Any:
    """``other`` where the value is null, empty, 0 or false."""
    return value if value else other


def yesno(value: Any, choices: Any = "yes,no,maybe") -> str:
    """One of ``"yes,no[,maybe]"``; maybe is for null."""
    words = text_of(choices).split(",")
    if len(words) < 2:
        return text_of(value)
    return words[2] if value is None and len(words) > 2 else words[0] if value else words[1]


def _members(value: Any, name: str) -> Iterable[Any]:
    if value is None:
        return ()
    if isinstance(value, Rows | list | tuple | str):
        return value
    if isinstance(value, Mapping):
        return list(value)
    raise TemplateValueError(f"{name} needs a list, not {described(value)}")


def join(value: Any, separator: Any = "", attribute: str | None = None) -> str:
    """The members' texts with the separator between them."""
    members = _members(value, "join")
    texts = (text_of(field_of(member, attribute) if attribute else member) for member in members)
    return _bounded(text_of(separator).join(texts))


def first(value: Any) -> Any:
    """The first member, or null."""
    return next(iter(_members(value, "first")), None)


def last(value: Any) -> Any:
    """The last member, or null."""
    members = _members(value, "last")
    if isinstance(members, Rows):
        return members[-1]
    return members[-1] if isinstance(members, list | tuple | str) and members else None


def length(value: Any) -> int:
    """Of a text, list, table or object; 0 for null."""
    if value is None:
        return 0
    if isinstance(value, Rows | list | tuple | str | Mapping):
        return len(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return len(plain(value))
    raise TemplateValueError(f"length needs a list or a text, not {described(value)}")


def add_filter(value: Any, other: Any) -> Any:
    """Numbers are added, texts and lists joined; anything else gives empty text, as Django has it."""
    a, b = numeric(value), numeric(other)
    if a is not None and b is not None:
        return add(a, b)
    if isinstance(value, str) and isinstance(other, str):
        return _bounded(str(value) + str(other))
    if isinstance(value, list) and isinstance(other, list):
        return value + other
    return ""


def split(value: Any, separator: Any = " ") -> list[str]:
    """The parts of a text."""
    mark = text_of(separator)
    return text_of(value).split(mark) if mark else list(text_of(value))


def truncatechars(value: Any, most: Any) -> str:
    """At most so many characters, the last one an ellipsis where something was cut."""
    text, room = text_of(value), _width(most, "truncatechars")
    return text if len(text) <= room else text[: max(0, room - 1)] + "…" * (room > 0)


_CONVERSION = re.compile(r"(?P<flags>[-+ 0#]*)(?P<width>\d{0,4})(?:\.(?P<places>\d{0,3}))?(?P<kind>[sdif%xXo])")


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
        body, number = plain(rounded(_number(value, "stringformat"), int(places) if places else 6)), True
    else:
        whole = int(_number(value, "stringformat"))
        body, number = format(whole, {"i": "d", "%": "d"}.get(kind, kind)), True
    if number and "+" in flags and not body.startswith("-"):
        body = "+" + body
    if "-" in flags:
        body = body.ljust(width)
    elif number and "0" in flags:
        body = body.zfill(width)
    else:
        body = body.rjust(width)
    return NumberText(body) if number else body


class _Tags(HTMLParser):
    """Collects the text of markup, and of tags other than the unwanted ones."""

    def __init__(self, unwanted: frozenset[str] | None) -> None:
        super().__init__(convert_charrefs=False)
        self._unwanted = unwanted
        self.kept: list[str] = []

    def _tag(self, name: str) -> None:
        if self._unwanted is not None and name not in self._unwanted:
            self.kept.append(self.get_starttag_text() or "")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._unwanted is not None and tag not in self._unwanted:
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.kept.append(data)

    def handle_entityref(self, name: str) -> None:
        self.kept.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.kept.append(f"&#{name};")


def _without_tags(value: Any, unwanted: frozenset[str] | None) -> str:
    parser = _Tags(unwanted)
    parser.feed(text_of(value))
    parser.close()
    return "".join(parser.kept)


def striptags(value: Any) -> str:
    """The text without any markup."""
    return _without_tags(value, None)


def removetags(value: Any, names: Any) -> str:
    """The text without the named tags, e.g. ``"b i"`` or ``"b,i"``."""
    return _without_tags(value, frozenset(text_of(names).lower().replace(",", " ").split()))


def capfirst(value: Any) -> str:
    """The first letter as a capital."""
    text = text_of(value)
    return text[:1].upper() + text[1:]


def integer(value: Any) -> int:
    """The whole part; 0 for what is no number."""
    return int(numeric(value) or 0)


def to_number(value: Any) -> Number:
    """An exact number; 0 for what is no number."""
    return numeric(value) or 0


def absolute(value: Any) -> Number:
    """Without its sign."""
    number = _number(0 if value is None else value, "abs")
    return negate(number) if number < 0 else number


def round_to(value: Any, places: Any = 0) -> Number:
    """Rounded half away from zero."""
    return rounded(_number(0 if value is None else value, "round"), max(0, _whole(places, "round", MAX_DECIMALS)))


_SAMPLE = re.compile(
    r"\d{1,3}(?P<group>[., '\u00a0\u202f]?)\d{3}(?:(?P<point>[.,])(?P<decimals>\d*))?|\d+(?:(?P<p>[.,])(?P<d>\d*))?"
)


def number_like(value: Any, sample: Any) -> str:
    """A number written as in the sample: ``1234567.5|number:"1.234,56"`` is ``1.234.567,50``."""
    if value is None or value == "":
        return ""
    found = _SAMPLE.fullmatch(text_of(sample))
    if found is None:
        raise TemplateValueError('number needs a sample like "1.234,56"')
    group, point = found["group"] or "", found["point"] or found["p"] or ""
    places = len(found["decimals"] or found["d"] or "")
    text = plain(rounded(_number(value, "number"), places))
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _, decimals = digits.partition(".")
    grouped = f"{int(whole):,}".replace(",", group) if group else whole
    return NumberText(sign + grouped + (point + decimals if places else ""))


def sort(value: Any, name: Any = None) -> list[Any]:
    """A list in order, of rows by a field."""
    from functools import cmp_to_key

    def of(member: Any) -> Any:
        return field_of(member, text_of(name)) if name else member

    def compare(a: Any, b: Any) -> int:
        a, b = of(a), of(b)
        if a is None or b is None:
            return (a is not None) - (b is not None)
        return -1 if less(a, b) else int(less(b, a))

    return sorted(_members(value, "sort"), key=cmp_to_key(compare))


def unique(value: Any) -> list[Any]:
    """Each different member once, in order."""
    found: list[Any] = []
    for member in _members(value, "unique"):
        if not any(equal(member, other) for other in found):
            found.append(member)
    return found


def _text(change: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: change(text_of(value))


def escape(value: Any) -> Any:
    """Escaping happens at print, once."""
    return value


FILTERS: dict[str, Callable[..., Any]] = {
    "abs": absolute,
    "add": add_filter,
    "add_day": add_day,
    "add_signed": add_signed,
    "capfirst": capfirst,
    "center": center,
    "count": count,
    "cut": lambda value, part: text_of(value).replace(text_of(part), "") if text_of(part) else text_of(value),
    "date": date_filter,
    "default": default,
    "e": escape,
    "escape": escape,
    "first": first,
    "float": to_number,
    "floatformat": floatformat,
    "int": integer,
    "integer": integer,
    "join": join,
    "last": last,
    "length": length,
    "list": lambda value: list(_members(value, "list")),
    "ljust": lambda value, width: text_of(value).ljust(_width(width, "ljust")),
    "lower": _text(str.lower),
    "number": number_like,
    "percent_of": percent_of,
    "removetags": removetags,
    "replace": replace,
    "reverse": lambda value: list(_members(value, "reverse"))[::-1],
    "rjust": lambda value, width: text_of(value).rjust(_width(width, "rjust")),
    "round": round_to,
    "safe": _text(SafeText),
    "slice": slice_any,
    "slice_str": slice_str,
    "sort": sort,
    "split": split,
    "stringformat": stringformat,
    "strip_zeros": strip_zeros,
    "striptags": striptags,
    "sum": sum_field,
    "title": title,
    "tojson": lambda value: JsonText(to_json(value)),
    "trim": _text(str.strip),
    "truncatechars": truncatechars,
    "unique": unique,
    "upper": _text(str.upper),
    "urlencode": lambda value, safe="/": quote(text_of(value), safe=text_of(safe)),
    "where": where,
    "wordcount": lambda value: len(text_of(value).split()),
    "yesno": yesno,
}


def contains_ignoring_case(text: Any, part: Any) -> bool:
    """``contains(a, b)``: whether the text holds the part, in any letter case, or the list the member."""
    if text is None or part is None:
        return False
    if isinstance(text, list | tuple):
        return any(equal(member, part) for member in text)
    return text_of(part).lower() in text_of(text).lower()


MAX_RANGE = 100_000


def bounded_range(*bounds: Any) -> range:
    """``range``, of at most 100,000 numbers."""
    if not 1 <= len(bounds) <= 3:
        raise TemplateValueError("range needs one to three numbers")
    numbers = [_whole(bound, "range", 10**12) for bound in bounds]
    if len(numbers) == 3 and numbers[2] == 0:
        raise TemplateValueError("the step of a range must not be 0")
    made = range(*numbers)
    if len(made) > MAX_RANGE:
        raise TemplateValueError(f"a range has more than {MAX_RANGE} numbers")
    return made


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contains": contains_ignoring_case,
    "filter": filter_rows,
    "range": bounded_range,
}
