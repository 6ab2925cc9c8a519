"""How rows look to a template: plain data, whatever their columns are called."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

_ROWS_AT_ONCE = 1000


class Row:
    """One row: values by position, names shared by all rows of a table. It has no data of its own but its columns.

    The slots begin with an underscore and the class has no public method, so that a column may be called anything.
    """

    __slots__ = ("_positions", "_values")

    def __init__(self, positions: Mapping[str, int], values: tuple[Any, ...]) -> None:
        self._positions = positions
        self._values = values


def field(row: Row, name: str) -> Any:
    """The value in column ``name``, or None where there is no such column."""
    position = row._positions.get(name)
    return None if position is None else row._values[position]


def as_dict(row: Row) -> dict[str, Any]:
    """The row as a dictionary in column order."""
    return {name: row._values[position] for name, position in row._positions.items()}


def field_of(value: Any, path: str) -> Any:
    """What a dotted path leads to through rows and objects; null where it breaks off. Lists are not indexed.

    A column or member whose own name holds dots comes before the path.
    """
    if type(value) is Row:
        position = value._positions.get(path)
        if position is not None:
            return value._values[position]
    elif isinstance(value, Mapping) and path in value:
        return value[path]
    if "." not in path:
        return None
    for name in path.split("."):
        if type(value) is Row:
            value = field(value, name)
        elif isinstance(value, Mapping):
            value = value.get(name)
        else:
            return None
    return value


def has_field(value: Any, path: str) -> bool:
    """Whether the path's last field exists, even as null."""
    *parents, last = path.split(".")
    for holder, name in ((value, path), (field_of(value, ".".join(parents)) if parents else None, last)):
        if isinstance(holder, Row) and name in holder._positions:
            return True
        if isinstance(holder, Mapping) and name in holder:
            return True
    return False


def with_added(row: Row, value: Any, positions: Mapping[str, int]) -> Row:
    """The row with one more value at its end. ``positions``: those of the result, shared by all rows of a table."""
    return Row(positions, (*row._values, value))


class Column:
    """One column of a batch of rows. ``decimals``: the values' own texts where all are decimals or null, else None.

    Its values are made when they are first asked for: what is only printed never becomes a decimal.
    """

    __slots__ = ("_make", "_values", "decimals")

    def __init__(self, make: Callable[[], Iterable[Any]], decimals: Sequence[str | None] | None = None) -> None:
        self._make = make
        self._values: Sequence[Any] | None = None
        self.decimals = decimals

    def values(self) -> Sequence[Any]:
        """The values, in the order of the rows."""
        if self._values is None:
            made = self._make()
            self._values = made if isinstance(made, tuple | list) else list(made)
        return self._values


class Rows(ABC):
    """A table of rows at any size: loop over it any number of times, index it, measure it.

    ``columns`` in the order of the tuples.
    """

    columns: tuple[str, ...]

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def tuples(self) -> Iterator[tuple[Any, ...]]:
        """A fresh pass over the rows' values."""

    @abstractmethod
    def tuple_at(self, index: int) -> tuple[Any, ...] | None:
        """The row at ``index`` (from 0; negative from the end), or None past either end."""

    def batches(self, positions: Sequence[int]) -> Iterator[tuple[int, Sequence[Column]]]:
        """A fresh pass by columns: how many rows, and the columns at these positions."""
        rows = self.tuples()
        while batch := list(islice(rows, _ROWS_AT_ONCE)):
            columns = list(zip(*batch, strict=True))
            yield len(batch), [Column(partial(tuple, columns[position])) for position in positions]

    def __iter__(self) -> Iterator[Row]:
        positions = {name: position for position, name in enumerate(self.columns)}
        for values in self.tuples():
            yield Row(positions, values)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __getitem__(self, index: int) -> Row | None:
        values = self.tuple_at(index)
        return None if values is None else Row({name: position for position, name in enumerate(self.columns)}, values)

    def backwards(self) -> Iterator[Row]:
        """The rows from the last to the first."""
        positions = {name: position for position, name in enumerate(self.columns)}
        for index in range(len(self) - 1, -1, -1):
            values = self.tuple_at(index)
            if values is not None:
                yield Row(positions, values)
