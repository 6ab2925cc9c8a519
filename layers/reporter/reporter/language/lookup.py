"""Finding rows by a value: what values that may count as equal have in common, and tables cut down to such rows.

A hash only ever narrows the search. Whether a row is wanted is decided by the language's own comparison, as in a plain
pass over the table; what has no hash to go by gets that plain pass.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal, DecimalException
from typing import Any

from reporter.language.dates import instant_of
from reporter.language.numbers import TemplateValueError
from reporter.language.rows import Column, PartOfTable, Rows

_NULL, _OTHER = 0, 1
KEPT_ROWS = 2000
"""A selection of at most so many rows is remembered: its next pass does not go over the table again."""

Choice = tuple[str, Callable[[], Any], tuple[str, ...]]
"""``column == value`` stands first in a condition: the column, the value, and the names the value is made of."""


def hash_of(value: Any) -> int:
    """The same for all values that ``comparisons.equal`` or a filter may take for equal, but see ``hashes_equal``."""
    if isinstance(value, str):
        return hash(str(value))
    if value is None:
        return _NULL
    if isinstance(value, int | Decimal):
        return hash(value)
    return hash(instant_of(value)) if isinstance(value, datetime | date) else _OTHER


def hashes_equal(wanted: Any) -> list[int] | None:
    """The hashes of what may be ``==`` to a value; None where a hash does not tell.

    A time equals ISO text, too, however that is spelt, and lists and objects go by their members.
    """
    if isinstance(wanted, str):
        instant = instant_of(wanted)
        return [hash_of(wanted)] if instant is None else [hash_of(wanted), hash_of(instant)]
    return [hash_of(wanted)] if wanted is None or isinstance(wanted, int | Decimal) else None


def hashes_of_any(spellings: Iterable[Any]) -> list[int]:
    """The hashes of what a filter takes for one of these, lists and objects included."""
    return [_OTHER, *map(hash_of, spellings)]


def narrowed(rows: Any, choices: Sequence[Choice]) -> Any:
    """The rows of a table that can fulfil a condition which begins with one of these equalities; else the table itself.

    Meant for use again and again: a table is only narrowed once it has been asked for several times.
    """
    if not isinstance(rows, Rows):
        return rows
    for column, value, names in choices:
        if column in rows.columns and not any(name in rows.columns for name in names):
            try:
                hashes = hashes_equal(value())
            except (TemplateValueError, DecimalException):
                # It comes up again where the condition is evaluated, if it ever is.
                return rows
            found = None if hashes is None else rows.matching(column, hashes)
            return rows if found is None else found
    return rows


class Selected(PartOfTable):
    """The rows of a table whose ``column`` matches. Passes are as lazy as the table's own; few rows are remembered."""

    def __init__(self, rows: Rows, column: str, matches: Callable[[Any], bool], hashes: Sequence[int]) -> None:
        found = rows.matching(column, hashes)
        super().__init__(rows.columns)
        self._rows = rows if found is None else found
        self._position = rows.columns.index(column)
        self._matches = matches
        self._to_keep = found is None
        self._kept: list[tuple[Any, ...]] | None = None

    def tuples(self) -> Iterator[tuple[Any, ...]]:
        """A fresh pass."""
        self._keep()
        return super().tuples() if self._kept is None else iter(self._kept)

    def batches(self, positions: Sequence[int]) -> Iterator[tuple[int, Sequence[Column]]]:
        """A fresh pass by columns."""
        self._keep()
        return self._pass(positions) if self._kept is None else Rows.batches(self, positions)

    def _keep(self) -> None:
        if not self._to_keep:
            return
        self._to_keep = False
        kept: list[tuple[Any, ...]] = []
        for size, columns in self._pass(range(len(self.columns))):
            if len(kept) + size > KEPT_ROWS:
                return
            kept.extend(zip(*[column.values() for column in columns], strict=True))
        self._kept = kept

    def _pass(self, positions: Sequence[int]) -> Iterator[tuple[int, Sequence[Column]]]:
        for size, (own, *columns) in self._rows.batches([self._position, *positions]):
            wanted = list(map(self._matches, own.values()))
            found = sum(wanted)
            if found == size:
                yield size, columns
            elif found:
                yield found, [column.only(wanted) for column in columns]
