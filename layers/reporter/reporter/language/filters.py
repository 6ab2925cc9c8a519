"""Template filters: how a value looks. A dictionary from the name in a template to a function of value and arguments."""

from collections.abc import Callable
from typing import Any

from reporter.language import list_filters, number_filters, text_filters
from reporter.language.date_filters import add_day, date_filter
from reporter.language.printing import JsonText, to_json
from reporter.language.selection import count, sum_field, where


def tojson(value: Any) -> str:
    """The value as a JSON value, with its own quotes; in HTML and XML it is escaped like any other text."""
    return JsonText(to_json(value))


FILTERS: dict[str, Callable[..., Any]] = {
    "abs": number_filters.absolute,
    "add": number_filters.add_filter,
    "add_day": add_day,
    "add_signed": list_filters.add_signed,
    "capfirst": text_filters.capfirst,
    "center": text_filters.center,
    "count": count,
    "cut": text_filters.cut,
    "date": date_filter,
    "default": list_filters.default,
    "default_if_none": list_filters.default_if_none,
    "divisibleby": number_filters.divisibleby,
    "e": text_filters.escape,
    "escape": text_filters.escape,
    "first": list_filters.first,
    "float": number_filters.to_number,
    "floatformat": number_filters.floatformat,
    "int": number_filters.integer,
    "integer": number_filters.integer,
    "join": list_filters.join,
    "last": list_filters.last,
    "length": list_filters.length,
    "list": list_filters.as_list,
    "ljust": text_filters.ljust,
    "lower": text_filters.lower,
    "number": number_filters.number_like,
    "percent_of": number_filters.percent_of,
    "removetags": text_filters.removetags,
    "replace": text_filters.replace,
    "reverse": list_filters.reverse,
    "rjust": text_filters.rjust,
    "round": number_filters.round_to,
    "safe": text_filters.safe,
    "slice": list_filters.slice_any,
    "slice_str": text_filters.slice_str,
    "sort": list_filters.sort,
    "split": text_filters.split,
    "stringformat": text_filters.stringformat,
    "strip_zeros": number_filters.strip_zeros,
    "striptags": text_filters.striptags,
    "sum": sum_field,
    "title": text_filters.title,
    "tojson": tojson,
    "trim": text_filters.trim,
    "truncatechars": text_filters.truncatechars,
    "truncatewords": text_filters.truncatewords,
    "unique": list_filters.unique,
    "upper": text_filters.upper,
    "urlencode": text_filters.urlencode,
    "where": where,
    "wordcount": text_filters.wordcount,
    "yesno": list_filters.yesno,
}
