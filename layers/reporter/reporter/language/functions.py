"""The functions a template can call. A dictionary from the name in a template to a function."""

from collections.abc import Callable
from typing import Any

from reporter.language.arguments import whole_number_for
from reporter.language.comparisons import equal
from reporter.language.numbers import TemplateValueError
from reporter.language.printing import text_of
from reporter.language.rows import Rows
from reporter.language.selection import filter_rows
from reporter.limit import passed

MAX_RANGE = 100_000
MAX_BOUND = 10**12


def contains(text: Any, part: Any) -> bool:
    """``contains(a, b)``: whether the text holds the part, in any letter case, or the list the member."""
    if text is None or part is None:
        return False
    if isinstance(text, list | tuple | range | Rows):
        return any(equal(member, part) for member in text)
    return text_of(part).lower() in text_of(text).lower()


_NOT_GIVEN: Any = object()


def bounded_range(first: Any, end: Any = _NOT_GIVEN, step: Any = _NOT_GIVEN) -> range:
    """``range(end)``, ``range(start, end[, step])``, of at most ``MAX_RANGE`` numbers."""
    bounds = [bound for bound in (first, end, step) if bound is not _NOT_GIVEN]
    numbers = [whole_number_for(bound, "range", MAX_BOUND) for bound in bounds]
    if len(numbers) == 3 and numbers[2] == 0:
        raise TemplateValueError("the step of a range must not be 0")
    made = range(*numbers)
    if len(made) > MAX_RANGE:
        raise TemplateValueError(
            passed("a range has", MAX_RANGE, "numbers", "loop over the rows of a table, or over two ranges")
        )
    return made


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contains": contains,
    "filter": filter_rows,
    "range": bounded_range,
}
