"""``is name``: what can be asked of a value. They mean what the operators mean; none looks at a value's Python type."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from reporter.language import comparisons
from reporter.language.numbers import Number, TemplateValueError, described, modulo
from reporter.language.rows import Row, Rows


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, Rows | list | tuple | range)


def _remainder(value: Any, divisor: Any, name: str) -> Number:
    for number in (value, divisor):
        if not _is_number(number) and number is not None:
            raise TemplateValueError(f"{name} needs numbers, not {described(number)}")
    return modulo(value, divisor)


def _divisibleby(value: Any, divisor: Any) -> bool:
    return not _remainder(value, divisor, "divisibleby")


DATA_TESTS: dict[str, Callable[..., bool]] = {
    "defined": lambda value: value is not None,
    "undefined": lambda value: value is None,
    "none": lambda value: value is None,
    "true": lambda value: value is True,
    "false": lambda value: value is False,
    "boolean": lambda value: isinstance(value, bool),
    "number": _is_number,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, Decimal),
    "string": lambda value: isinstance(value, str),
    "lower": lambda value: isinstance(value, str) and value.islower(),
    "upper": lambda value: isinstance(value, str) and value.isupper(),
    "mapping": lambda value: isinstance(value, Mapping | Row),
    "sequence": _is_list,
    "iterable": lambda value: _is_list(value) or isinstance(value, str | Mapping | Row),
    "odd": lambda value: _remainder(value, 2, "odd") == 1,
    "even": lambda value: not _remainder(value, 2, "even"),
    "divisibleby": _divisibleby,
    "in": lambda value, container: comparisons.contains(value, container),
    "eq": lambda value, other: comparisons.equal(value, other),
    "ne": lambda value, other: not comparisons.equal(value, other),
    "lt": lambda value, other: comparisons.less(value, other),
    "le": lambda value, other: comparisons.less_equal(value, other),
    "gt": lambda value, other: comparisons.less(other, value),
    "ge": lambda value, other: comparisons.less_equal(other, value),
}
"""A dictionary from the name in a template to a function of the value and, for some, of what it is compared with."""
