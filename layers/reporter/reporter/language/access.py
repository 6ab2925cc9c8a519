"""Reaching into values: their fields and elements, parts of lists, and what a loop runs over."""

from collections.abc import Mapping
from functools import cmp_to_key
from typing import Any

from jinja2.runtime import LoopContext, Macro

from reporter.language import comparisons
from reporter.language.numbers import TemplateValueError, described, numeric, operand, plain
from reporter.language.printing import text_of
from reporter.language.rows import Row, Rows, as_dict, field


def each(value: Any, order: str | None = None) -> Any:
    """What a loop runs over; nothing for null."""
    if value is None:
        return ()
    if isinstance(value, Row):
        value = list(as_dict(value))
    elif isinstance(value, dict):
        value = list(value)
    elif not isinstance(value, Rows | list | tuple | str | range):
        raise TemplateValueError(f"a loop needs a list, not {described(value)}")
    if order == "reversed":
        return value.backwards() if isinstance(value, Rows) else list(value)[::-1]
    return _sorted(value) if order == "sorted" else value


def each_pair(value: Any, order: str | None = None) -> Any:
    """What a loop with two names runs over: the members of an object, or pairs."""
    if isinstance(value, Row):
        value = as_dict(value)
    return each(list(value.items()) if isinstance(value, dict) else value, order)


def _sorted(values: Any) -> list[Any]:
    def compare(a: Any, b: Any) -> int:
        if isinstance(a, tuple) and isinstance(b, tuple):
            return next((order for order in map(compare, a, b) if order), 0)
        return -1 if comparisons.less(a, b) else int(comparisons.less(b, a))

    return sorted(values, key=cmp_to_key(compare))


def field_in(value: Any, name: str) -> Any:
    """``value.name``: columns of rows, members of objects; null stays null."""
    kind = type(value)
    if kind is Row:
        return field(value, name)
    if kind is dict:
        return value.get(name)
    if value is None:
        return None
    if isinstance(value, Mapping):
        return value.get(name)
    if kind is LoopContext:
        return getattr(value, name)
    raise TemplateValueError(f"{described(value)} has no field {name}")


def element_of(value: Any, key: Any) -> Any:
    """``value[key]`` and ``value.0``; null past either end."""
    if value is None:
        return None
    if isinstance(key, str):
        return field_in(value, key)
    if isinstance(value, Mapping | Row):
        return field_in(value, text_of(key))
    if isinstance(value, Macro | LoopContext) or not isinstance(value, Rows | list | tuple | range):
        raise TemplateValueError(f"{described(value)} has no element {text_of(key)}")
    number = numeric(key)
    if number is None or number != int(number):
        raise TemplateValueError(f"a list has no element {plain(number) if number is not None else described(key)}")
    index = int(number)
    if isinstance(value, Rows):
        return value[index]
    return value[index] if -len(value) <= index < len(value) else None


def part_of(value: Any, start: Any, stop: Any, step: Any) -> Any:
    bounds = [None if bound is None else int(operand(bound, "a slice")) for bound in (start, stop, step)]
    if bounds[2] == 0:
        raise TemplateValueError("the step of a slice must not be 0")
    if value is None:
        return None
    if isinstance(value, str | list | tuple):
        return value[slice(*bounds)]
    if isinstance(value, Rows):
        return [value[index] for index in range(len(value))[slice(*bounds)]]
    raise TemplateValueError(f"{described(value)} cannot be sliced")


def row_field_or(row: Any, name: str, outer: Any) -> Any:
    """A name in an aggregate's condition: the row's field where the row has one, else the variable outside."""
    if type(row) is Row:
        return field(row, name) if name in row._positions else outer
    return row[name] if isinstance(row, Mapping) and name in row else outer
