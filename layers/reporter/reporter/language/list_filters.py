"""Filters on lists, tables and objects."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reporter.language.arguments import bounds_for, check_length, members_of, number_for
from reporter.language.comparisons import order_keys
from reporter.language.dates import instant_of
from reporter.language.numbers import Number, TemplateValueError, described, negate, plain
from reporter.language.printing import text_of, to_json
from reporter.language.rows import Rows, field_of
from reporter.language.selection import with_field


def default(value: Any, other: Any = "") -> Any:
    """``other`` where the value is null, empty, 0 or false."""
    return value if value else other


def default_if_none(value: Any, other: Any = "") -> Any:
    """``other`` where the value is null."""
    return other if value is None else value


def yesno(value: Any, choices: Any = "yes,no,maybe") -> str:
    """One of ``"yes,no[,maybe]"``; maybe is for null."""
    words = text_of(choices).split(",")
    if len(words) < 2:
        return text_of(value)
    return words[2] if value is None and len(words) > 2 else words[0] if value else words[1]


def first(value: Any) -> Any:
    """The first member, or null."""
    return next(iter(members_of(value, "first")), None)


def last(value: Any) -> Any:
    """The last member, or null."""
    members = members_of(value, "last")
    if isinstance(members, Rows):
        return members[-1]
    return members[-1] if isinstance(members, list | tuple | str | range) and members else None


def length(value: Any) -> int:
    """Of a text, list, table or object; of a number its characters; 0 for null."""
    if value is None:
        return 0
    if isinstance(value, Rows | list | tuple | str | Mapping | range):
        return len(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return len(plain(value))
    raise TemplateValueError(f"length needs a list or a text, not {described(value)}")


def as_list(value: Any) -> list[Any]:
    """The members as a list."""
    return list(members_of(value, "list"))


def join(value: Any, separator: Any = "", attribute: Any = None) -> str:
    """The members' texts, or those of one of their fields, with the separator between them."""
    members = members_of(value, "join")
    mark = text_of(separator)
    texts: list[str] = []
    characters = 0
    for member in members:
        texts.append(text_of(member if attribute is None else field_of(member, text_of(attribute))))
        characters += len(texts[-1]) + len(mark)
        check_length(characters - len(mark))
    return mark.join(texts)


def slice_any(value: Any, argument: Any) -> Any:
    """Characters of a text, members of a list, rows of a table."""
    if value is None:
        return ""
    bounds = bounds_for(argument, "slice")
    if isinstance(value, Rows):
        return [value[index] for index in range(len(value))[bounds]]
    return value[bounds] if isinstance(value, list | tuple | range) else text_of(value)[bounds]


def reverse(value: Any) -> Any:
    """From the last to the first."""
    if isinstance(value, str):
        return value[::-1]
    return list(value.backwards() if isinstance(value, Rows) else as_list(value)[::-1])


def sort(value: Any, name: Any = None) -> list[Any]:
    """A list in order, of rows by a field; null first, equal ones as they stood."""
    members = as_list(value)
    keys = order_keys(members if name is None else [field_of(member, text_of(name)) for member in members])
    return [members[at] for at in sorted(range(len(members)), key=keys.__getitem__)]


def unique(value: Any) -> list[Any]:
    """Each different member once, in the order of their first appearance."""
    found: dict[Any, Any] = {}
    for member in members_of(value, "unique"):
        found.setdefault(_identity(member), member)
    return list(found.values())


def _identity(value: Any) -> tuple[str, Any]:
    if isinstance(value, str):
        return "text", str(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return "number", value
    if isinstance(value, datetime | date):
        return "time", instant_of(value)
    return "other", to_json(value)


def add_signed(rows: Any, name: Any) -> list[Any]:
    """Rows with a field ``signed``: the named field, negative where ``direction`` is debit in any case; null is 0."""
    path = text_of(name)

    def signed(row: Any) -> Number:
        value = field_of(row, path)
        number = number_for(0 if value is None else value, "add_signed")
        return negate(number) if text_of(field_of(row, "direction")).strip().lower() == "debit" else number

    return with_field(rows, "signed", signed)
