"""Choosing rows in a template: ``where``, ``count``, ``sum``, ``filter``, aggregates, ``last_item_by_group``."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from reporter.language.dates import moment_of_text
from reporter.language.numbers import (
    Number,
    TemplateValueError,
    described,
    divide,
    exact_sum,
    field_of,
    has_field,
    numeric,
    plain,
    rounded,
    trimmed,
)
from reporter.language.printing import NumberText, text_of
from reporter.language.rows import Rows

AVERAGE_DECIMALS = 16
Condition = Callable[[Any], bool]


def rows_of(value: Any) -> Iterable[Any]:
    """The rows of a table or list; none for null. Raises ``TemplateValueError`` for everything else."""
    if value is None:
        return ()
    if isinstance(value, Rows | list | tuple):
        return value
    raise TemplateValueError(f"a list of rows is needed, not {described(value)}")


def key_text(value: Any) -> str | None:
    """What ``where``, ``count`` and ``filter`` compare: 7 and ``"7"`` are equal; null equals nothing."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return trimmed(value) if isinstance(value, int | Decimal) else text_of(value)


def filter_rows(rows: Any, name: Any, wanted: Any) -> list[Any]:
    """``filter(rows, "field", value)``: the rows whose field equals the value."""
    if not isinstance(name, str):
        raise TemplateValueError("filter needs the name of a field in quotes")
    key = key_text(wanted)
    return [] if key is None else [row for row in rows_of(rows) if key_text(field_of(row, name)) == key]


def where(rows: Any, argument: Any) -> list[Any]:
    """``rows|where:"field:value"``; blanks are significant."""
    name, key = _pair(argument, "where")
    return [row for row in rows_of(rows) if key_text(field_of(row, name)) == key]


def count(rows: Any, argument: Any) -> int:
    """``rows|count:"field:value"``."""
    name, key = _pair(argument, "count")
    return sum(1 for row in rows_of(rows) if key_text(field_of(row, name)) == key)


def _pair(argument: Any, filter_name: str) -> tuple[str, str]:
    name, colon, value = argument.partition(":") if isinstance(argument, str) else ("", "", "")
    if not colon or not name:
        raise TemplateValueError(f'{filter_name} needs "field:value"')
    number = numeric(value)
    return name, value if number is None else trimmed(number)


def sum_field(rows: Any, name: Any) -> Number:
    """``rows|sum:"field"``: a number."""
    if not isinstance(name, str):
        raise TemplateValueError("sum needs the name of a field in quotes")
    return exact_sum(numbers_in(rows, name, None))


def numbers_in(rows: Any, name: str, condition: Condition | None) -> Iterator[Number]:
    """The numbers in a field of the selected rows; null, missing, booleans and other text are skipped."""
    for row in rows_of(rows):
        if condition is None or condition(row):
            number = numeric(field_of(row, name))
            if number is not None:
                yield number


def _shown(number: Number, scale: int | None) -> str:
    return NumberText(trimmed(number) if scale is None else plain(rounded(number, scale)))


def sum_by(rows: Any, name: str, condition: Condition | None, scale: int | None) -> str:
    """``{% sum_by %}``."""
    return _shown(exact_sum(numbers_in(rows, name, condition)), scale)


def avg_by(rows: Any, name: str, condition: Condition | None, scale: int | None) -> str:
    """``{% avg_by %}``: 16 decimals unless a scale is given; 0 where nothing is selected."""
    counted = 0

    def counting() -> Iterator[Number]:
        nonlocal counted
        for number in numbers_in(rows, name, condition):
            counted += 1
            yield number

    total = exact_sum(counting())
    if not counted:
        return _shown(0, scale)
    average = divide(total, counted)
    return _shown(average, scale) if scale is not None else _shown(rounded(average, AVERAGE_DECIMALS), None)


def min_by(rows: Any, name: str, condition: Condition | None, scale: int | None) -> str:
    """``{% min_by %}``; 0 where nothing is selected."""
    return _shown(min(numbers_in(rows, name, condition), default=0), scale)


def max_by(rows: Any, name: str, condition: Condition | None, scale: int | None) -> str:
    """``{% max_by %}``; 0 where nothing is selected."""
    return _shown(max(numbers_in(rows, name, condition), default=0), scale)


def count_by(rows: Any, name: str, condition: Condition | None, scale: int | None) -> str:
    """``{% count_by %}``; ``name`` and ``scale`` are unused."""
    if condition is None:
        return NumberText(len(rows) if isinstance(rows, Rows | list | tuple) else sum(1 for _row in rows_of(rows)))
    return NumberText(sum(1 for row in rows_of(rows) if condition(row)))


AGGREGATES = {"sum_by": sum_by, "avg_by": avg_by, "min_by": min_by, "max_by": max_by, "count_by": count_by}


def last_item_by_group(rows: Any, group_by: str, order_by: str, condition: Condition | None) -> list[Any]:
    """The newest row of each group (tie: the later row), sorted by key; null keys first, apart from empty text."""
    names = [name.strip() for name in group_by.split(",")]
    newest: dict[tuple[Any, ...], tuple[Any, Any]] = {}
    for row in rows_of(rows):
        if (condition is not None and not condition(row)) or not all(has_field(row, name) for name in names):
            continue
        key = tuple(_group_key(field_of(row, name)) for name in names)
        order = _order_key(field_of(row, order_by))
        if key not in newest or order >= newest[key][0]:
            newest[key] = (order, row)
    return [newest[key][1] for key in sorted(newest)]


def _group_key(value: Any) -> tuple[int, Any, str]:
    if value is None:
        return 0, 0, ""
    number = value if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
    return (1, number, "") if number is not None else (2, 0, text_of(value))


def _order_key(value: Any) -> tuple[int, Any]:
    """Times by time (ISO text too), then numbers, then text; what has no order at all comes first."""
    if isinstance(value, str):
        moment = moment_of_text(value)
        value = moment if moment is not None else value
    if isinstance(value, datetime):
        return 3, value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return 3, datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return 2, value
    # Text that is no time does not order a group: the later row counts as the newer one.
    return 1, 0


def with_field(rows: Any, name: str, value_of: Callable[[Any], Any]) -> list[dict[str, Any]]:
    """Rows with one field more."""
    from reporter.language.rows import Row, as_dict

    made = []
    for row in rows_of(rows):
        if not isinstance(row, Row | Mapping):
            raise TemplateValueError(f"a row is needed, not {described(row)}")
        made.append({**(as_dict(row) if isinstance(row, Row) else row), name: value_of(row)})
    return made
