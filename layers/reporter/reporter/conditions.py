"""Conditions on rows, and what they mean in Python: the meaning that every kind of source must have.

A condition is a union of intervals with null and negation spelt out, so that a source only has to compare.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from reporter.schema import TIMESTAMP_TYPES, ColumnType


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``low`` to ``high``; None is open-ended. ``low == high``, both included, is one value."""

    low: Any = None
    high: Any = None
    low_included: bool = True
    high_included: bool = True

    @property
    def point(self) -> bool:
        """Whether the interval is one value."""
        return self.low is not None and self.low == self.high and self.low_included and self.high_included


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one field: the value lies in one of the intervals.

    ``null``: null matches too. ``negated``: what matches goes and the rest stays, null rows included unless ``null``.
    Values are exact and typed: numbers, ``str`` (UUIDs in lower case), ``bool``, ``date``, ``datetime`` in UTC.
    ``path`` leads into a JSON column; there, values compare only with values of their own JSON type.
    """

    column: str
    path: tuple[str, ...]
    kind: ColumnType
    intervals: tuple[Interval, ...]
    null: bool = False
    negated: bool = False


Conditions = Mapping[str, Mapping[str, tuple[Condition, ...]]]
"""source → qualified table → what all must hold."""


def family(value: Any) -> str:
    """Values compare only within a family: ``number``, ``boolean`` or the name of their type."""
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | Decimal) else type(value).__name__


def utc(moment: datetime) -> datetime:
    """In UTC; without a zone it is UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class RowTest:
    """Whether rows stay; made once, asked for each row."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        self._tests = [_ConditionTest(condition) for condition in conditions]

    def keeps(self, value_of: Callable[[str], Any]) -> bool:
        """``value_of(column)`` gives the row's plain value, null where it has none."""
        return all(test.holds(value_of(test.column)) for test in self._tests)


def matches(conditions: Iterable[Condition], value_of: Callable[[str], Any]) -> bool:
    """Whether one row stays. ``value_of(column)`` gives its plain value, null where it has none."""
    return RowTest(conditions).keeps(value_of)


class _ConditionTest:
    """Single values are looked up, so that a thousand of them cost no more than one."""

    def __init__(self, condition: Condition) -> None:
        self.column = condition.column
        self._condition = condition
        self._points: dict[str, set[Any]] = {}
        self._ranges: list[Interval] = []
        for interval in condition.intervals:
            if interval.point:
                self._points.setdefault(family(interval.low), set()).add(interval.low)
            else:
                self._ranges.append(interval)

    def holds(self, value: Any) -> bool:
        condition = self._condition
        for key in condition.path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            return condition.null is not condition.negated
        if isinstance(value, datetime) and condition.kind in TIMESTAMP_TYPES:
            value = utc(value)
        return self._inside(value) is not condition.negated

    def _inside(self, value: Any) -> bool:
        kin = family(value)
        if kin in self._points and value in self._points[kin]:
            return True
        return any(_within(value, kin, interval) for interval in self._ranges)


def _within(value: Any, kin: str, interval: Interval) -> bool:
    low, high = interval.low, interval.high
    if any(bound is not None and family(bound) != kin for bound in (low, high)):
        return False
    if low is not None and not (value > low or (interval.low_included and value == low)):
        return False
    return high is None or bool(value < high or (interval.high_included and value == high))
