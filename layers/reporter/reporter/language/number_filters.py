"""Filters on numbers. All take numeric text too."""

import re
from typing import Any

from reporter.language.arguments import MAX_DECIMALS, check_length, number_for, whole_number_for
from reporter.language.numbers import (
    Number,
    TemplateValueError,
    add,
    divide_rounded,
    multiply,
    negate,
    numeric,
    plain,
    rounded,
    trimmed,
    whole_part,
)
from reporter.language.printing import NumberText, PlainNumber, text_of


def percent_of(value: Any, total: Any) -> str:
    """``20|percent_of:80`` is ``25.00%``; null counts as 0."""
    of = number_for(total, "percent_of") if total is not None else 0
    if not of:
        raise TemplateValueError("percent_of needs a total that is not 0")
    part = 0 if value is None else number_for(value, "percent_of")
    return NumberText(plain(divide_rounded(multiply(part, 100), of, 2)) + "%")


def strip_zeros(value: Any) -> str:
    """``10.50`` becomes ``10.5``, ``1e3`` becomes ``1000``; nothing for null."""
    return "" if value is None else PlainNumber(trimmed(number_for(value, "strip_zeros")))


def floatformat(value: Any, places: Any = None) -> str:
    """Half away from zero; without places one decimal, none for whole numbers; with places the zeros stay.

    Negative places: none for whole numbers, else as many.
    """
    if value is None or value == "":
        return ""
    number = number_for(value, "floatformat")
    wanted = -1 if places is None else whole_number_for(places, "floatformat", MAX_DECIMALS)
    if wanted < 0 and number == rounded(number, 0):
        return PlainNumber(plain(rounded(number, 0)))
    return PlainNumber(plain(rounded(number, abs(wanted))))


_SAMPLE = re.compile(
    r"(?:[1-9]\d{0,2}(?P<group>[., '\u00a0\u202f])\d{3}(?:(?P=group)\d{3})*|\d+)(?:(?P<point>[.,])(?P<decimals>\d+))?"
)


def number_like(value: Any, sample: Any) -> str:
    """A number written as in the sample: ``1234567.5|number:"1.234,56"`` is ``1.234.567,50``."""
    if value is None or value == "":
        return ""
    found = _SAMPLE.fullmatch(text_of(sample))
    if found is None or len(found["decimals"] or "") > MAX_DECIMALS or found["group"] == found["point"] is not None:
        raise TemplateValueError('number needs a sample like "1.234,56"')
    group, point, decimals = found["group"] or "", found["point"] or "", found["decimals"] or ""
    text = plain(rounded(number_for(value, "number"), len(decimals)))
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _, fraction = digits.partition(".")
    return NumberText(sign + _grouped(whole, group) + (point + fraction if decimals else ""))


def _grouped(digits: str, mark: str) -> str:
    if not mark:
        return digits
    first = len(digits) % 3
    groups = [digits[at : at + 3] for at in range(first, len(digits), 3)]
    return mark.join([digits[:first], *groups] if first else groups)


def absolute(value: Any) -> Number:
    """Without its sign; null is 0."""
    number = number_for(0 if value is None else value, "abs")
    return negate(number) if number < 0 else number


def round_to(value: Any, places: Any = 0) -> Number:
    """Rounded half away from zero; negative places round before the point. Null is 0."""
    return rounded(number_for(0 if value is None else value, "round"), whole_number_for(places, "round", MAX_DECIMALS))


def integer(value: Any) -> int:
    """The whole part; 0 for what is no number."""
    number = numeric(value)
    return 0 if number is None else whole_part(number)


def to_number(value: Any) -> Number:
    """An exact number; 0 for what is no number."""
    return numeric(value) or 0


def divisibleby(value: Any, divisor: Any) -> bool:
    """Whether the division leaves nothing; null counts as 0."""
    by = whole_number_for(divisor, "divisibleby", 10**MAX_DECIMALS)
    if not by:
        raise TemplateValueError("division by zero")
    return not whole_part(number_for(0 if value is None else value, "divisibleby")) % by


def add_filter(value: Any, other: Any) -> Any:
    """Numbers are added, texts and lists joined, null adds nothing; anything else gives empty text, as Django has it."""
    if value is None or other is None:
        return other if value is None else value
    a, b = numeric(value), numeric(other)
    if a is not None and b is not None:
        return add(a, b)
    if isinstance(value, str) and isinstance(other, str):
        check_length(len(value) + len(other))
        return str(value) + str(other)
    if isinstance(value, list) and isinstance(other, list):
        return value + other
    return ""
