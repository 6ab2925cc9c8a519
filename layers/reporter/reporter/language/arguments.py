"""What filters and functions take: numbers, whole numbers within bounds, members of lists, texts of bounded length."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from reporter.language.numbers import Number, TemplateValueError, described, numeric
from reporter.language.rows import Rows
from reporter.limit import passed

MAX_WIDTH = 10_000
MAX_DECIMALS = 100
MAX_TEXT = 4_000_000


def number_for(value: Any, name: str) -> Number:
    """A number or numeric text. Raises ``TemplateValueError`` naming the filter."""
    number = numeric(value)
    if number is None:
        raise TemplateValueError(f"{name} needs a number, not {described(value)}")
    return number


def whole_number_for(value: Any, name: str, most: int) -> int:
    """A whole number between ``-most`` and ``most``."""
    number = number_for(value, name)
    if not -most <= number <= most or number != int(number):
        raise TemplateValueError(f"{name} needs a whole number up to {most}")
    return int(number)


def width_for(value: Any, name: str) -> int:
    """A number of characters, up to ``MAX_WIDTH``."""
    return max(0, whole_number_for(value, name, MAX_WIDTH))


def bounds_for(value: Any, name: str) -> slice:
    """``"from:to"`` or ``"from:to:step"``, each of them optional, counting as Python slices do."""
    parts = value.split(":") if isinstance(value, str) else []
    try:
        if not 2 <= len(parts) <= 3 or len(value) > MAX_DECIMALS:
            raise ValueError(value)
        bounds = [int(part) if part.strip() else None for part in parts]
        if len(bounds) == 3 and bounds[2] == 0:
            raise ValueError(value)
    except ValueError:
        raise TemplateValueError(f'{name} needs "from:to"') from None
    return slice(*bounds)


def members_of(value: Any, name: str) -> Iterable[Any]:
    """What a list filter goes over: rows, members, characters, names of members; nothing for null."""
    if value is None:
        return ()
    if isinstance(value, Rows | list | tuple | str | range):
        return value
    if isinstance(value, Mapping):
        return list(value)
    raise TemplateValueError(f"{name} needs a list, not {described(value)}")


def check_length(characters: int) -> None:
    """Raises ``TemplateValueError`` beyond ``MAX_TEXT``, before such a text is made."""
    if characters > MAX_TEXT:
        raise TemplateValueError(passed("a text has", MAX_TEXT, "characters", "print its parts one after the other"))


def call_problem(function: Callable[..., Any], given: int, named: Collection[str] = (), *, values: int = 0) -> str | None:
    """What is wrong with calling a filter or function with so many arguments, or None.

    ``values``: how many arguments are no business of the template's author, as the value a filter is applied to.
    """
    signature = inspect.signature(function)
    try:
        signature.bind(*[None] * (values + given), **dict.fromkeys(named))
    except TypeError:
        parameters = list(signature.parameters.values())[values:]
        least = sum(parameter.default is parameter.empty for parameter in parameters)
        wanted = str(least) if least == len(parameters) else f"{least} to {len(parameters)}"
        return f"takes {'no arguments' if wanted == '0' else f'{wanted} argument' + 's' * (wanted != '1')}"
    return None
