"""Choosing rows in a template: ``where``, ``count``, ``sum``, ``filter``, aggregates, ``last_item_by_group``."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reporter.language.dates import instant_of
from reporter.language.lookup import Selected, hashes_of_any
from reporter.language.numbers import (
    Number,
    TemplateValueError,
    described,
    divide_rounded,
    exact_sum,
    numeric,
    plain,
    rounded,
    trimmed,
)
from reporter.language.printing import PlainNumber, text_of
from reporter.language.rows import Row, Rows, field_of, has_field, with_added

AVERAGE_DECIMALS = 16
Condition = Callable[[Any], bool]


def rows_of(value: Any) -> Iterable[Any]:
    """The rows of a table or list; none for null. Raises ``TemplateValueError`` for everything else."""
    if value is None:
        return ()
    if isinstance(value, Rows | list | tuple):
        return value
    raise TemplateValueError(f"a list of rows is needed, not {described(value)}")


def values_of(rows: Any, path: str) -> Iterator[Any]:
    """A field of every row, in their order; null where a row has none."""
    if isinstance(rows, Rows) and path in rows.columns:
        position = rows.columns.index(path)
        return (values[position] for values in rows.tuples())
    return (field_of(row, path) for row in rows_of(rows))


def matcher(wanted: Any) -> Condition:
    """Whether a field's value is the one wanted by ``where``, ``count`` or ``filter``.

    Here a number equals text that spells it: 7 and ``"7"``. Text equals only the same text, so the code ``"007"`` is
    neither ``"7"`` nor 7. Booleans are spelled ``true`` and ``false`` in any letter case, times compare in time. Null
    equals nothing.
    """
    if wanted is None:
        return lambda value: False
    texts, number, truth, instant = _spellings(wanted)

    def matches(value: Any) -> bool:
        if isinstance(value, str):
            return value in texts
        if value is None:
            return False
        if isinstance(value, bool):
            return value is truth
        if isinstance(value, int | Decimal):
            return number is not None and value == number
        if isinstance(value, datetime | date):
            return instant is not None and instant_of(value) == instant
        return text_of(value) in texts

    return matches


def _spellings(wanted: Any) -> tuple[frozenset[str], Number | None, bool | None, datetime | None]:
    """What a value must be one of: texts, a number, a boolean, a time."""
    text = text_of(wanted)
    truth = {"true": True, "false": False}.get(text.lower())
    instant = instant_of(wanted)
    if isinstance(wanted, bool):
        return frozenset([text.lower()]), None, truth, instant
    if isinstance(wanted, int | Decimal):
        return frozenset([plain(wanted), trimmed(wanted)]), wanted, truth, instant
    return frozenset([text]), numeric(text), truth, instant


def _selected(rows: Any, path: str, wanted: Any) -> Rows | list[Any]:
    matches = matcher(wanted)
    if not isinstance(rows, Rows) or path not in rows.columns:
        return [row for row in rows_of(rows) if matches(field_of(row, path))]
    if wanted is None:
        return []
    texts, *others = _spellings(wanted)
    return Selected(rows, path, matches, hashes_of_any([*texts, *(other for other in others if other is not None)]))


def filter_rows(rows: Any, name: Any, wanted: Any) -> Rows | list[Any]:
    """``filter(rows, "field", value)``: the rows whose field equals the value."""
    if not isinstance(name, str):
        raise TemplateValueError("filter needs the name of a field in quotes")
    return _selected(rows, name, wanted)


def where(rows: Any, argument: Any) -> Rows | list[Any]:
    """``rows|where:"field:value"``; blanks are significant."""
    return _selected(rows, *_pair(argument, "where"))


def count(rows: Any, argument: Any) -> int:
    """``rows|count:"field:value"``."""
    name, wanted = _pair(argument, "count")
    return len(_selected(rows, name, wanted))


def _pair(argument: Any, filter_name: str) -> tuple[str, str]:
    name, colon, value = argument.partition(":") if isinstance(argument, str) else ("", "", "")
    if not colon or not name:
        raise TemplateValueError(f'{filter_name} needs "field:value"')
    return name, value


def sum_field(rows: Any, name: Any) -> Number:
    """``rows|sum:"field"``: a number."""
    if not isinstance(name, str):
        raise TemplateValueError("sum needs the name of a field in quotes")
    return exact_sum(numbers_in(rows, name, None))


def numbers_in(rows: Any, name: str, condition: Condition | None) -> Iterator[Number]:
    """The numbers in a field of the selected rows; null, missing, booleans and other text are skipped."""
    values = values_of(rows, name) if condition is None else (field_of(row, name) for row in rows_of(rows) if condition(row))
    for value in values:
        number = numeric(value)
        if number is not None:
            yield number


def _shown(number: Number, scale: int | None) -> str:
    return PlainNumber(trimmed(number) if scale is None else plain(rounded(number, scale)))


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
    return _shown(divide_rounded(total, counted, AVERAGE_DECIMALS if scale is None else scale), scale)


def min_by(rows: Any, name: str, condition: Condition | None, scale: int | None) -> str:
    """``{% min_by %}``; 0 where nothing is selected."""
    return _shown(min(numbers_in(rows, name, condition), default=0), scale)


def max_by(rows: Any, name: str, condition: Condition | None, scale: int | None) -> str:
    """``{% max_by %}``; 0 where nothing is selected."""
    return _shown(max(numbers_in(rows, name, condition), default=0), scale)


def count_by(rows: Any, name: str, condition: Condition | None, scale: int | None) -> str:
    """``{% count_by %}``; ``name`` and ``scale`` are unused."""
    if condition is None:
        return PlainNumber(len(rows) if isinstance(rows, Rows | list | tuple) else sum(1 for _row in rows_of(rows)))
    return PlainNumber(sum(1 for row in rows_of(rows) if condition(row)))


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
    """Times by time (ISO text too), before them numbers; what has no order at all comes first."""
    instant = instant_of(value)
    if instant is not None:
        return 3, instant
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return 2, value
    # Text that is no time does not order a group: the later row counts as the newer one.
    return 1, 0


def with_field(rows: Any, name: str, value_of: Callable[[Any], Any]) -> list[Any]:
    """The rows, each with one field more (or another value in it)."""
    made: list[Any] = []
    seen: dict[int, tuple[Mapping[str, int], Mapping[str, int]]] = {}
    for row in rows_of(rows):
        value = value_of(row)
        if isinstance(row, Row):
            shared = row._positions
            if id(shared) not in seen:
                seen[id(shared)] = shared, {**shared, name: len(row._values)}
            made.append(with_added(row, value, seen[id(shared)][1]))
        elif isinstance(row, Mapping):
            made.append({**row, name: value})
        else:
            raise TemplateValueError(f"a row is needed, not {described(row)}")
    return made
