"""How rows look to a template: plain data, whatever their columns are called."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress, islice
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
    """One column of a batch of rows: its values, or what ``decode`` makes them of.

    ``content`` has an entry for each row, unless it is bytes. With ``digits`` these are the texts of decimals, or null:
    what is only printed never becomes a decimal.
    """

    __slots__ = ("_content", "_decode", "_iso", "_values", "digits")

    def __init__(
        self,
        content: Any,
        decode: Callable[[Any], Iterable[Any]] | None = None,
        *,
        digits: bool = False,
        iso: Callable[[Any], Sequence[str | None] | None] | None = None,
    ) -> None:
        self._content = content
        self._iso = iso
        self._decode = decode
        self._values: Sequence[Any] | None = content if decode is None else None
        self.digits = digits

    def values(self) -> Sequence[Any]:
        """The values, in the order of the rows; made when they are first asked for."""
        if self._values is None:
            made = self._decode(self._content) if self._decode is not None else self._content
            self._values = made if isinstance(made, tuple | list) else list(made)
        return self._values

    def texts(self) -> Sequence[str | None]:
        """Of a column of ``digits``."""
        texts: Sequence[str | None] = self._content
        return texts

    def iso_texts(self) -> Sequence[str | None] | None:
        """Of a column of dates or times, where that takes no more than looking at their texts."""
        return None if self._iso is None else self._iso(self._content)

    def only(self, wanted: Sequence[bool]) -> "Column":
        """The column of the rows that are wanted."""
        if isinstance(self._content, bytes):
            return Column(list(compress(self.values(), wanted)))
        return Column(list(compress(self._content, wanted)), self._decode, digits=self.digits, iso=self._iso)


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
            yield len(batch), [Column(columns[position]) for position in positions]

    def matching(self, column: str, hashes: Sequence[int]) -> "PartOfTable | None":
        """At least the rows whose value in the column has one of these hashes (see ``lookup.hash_of``), in their order.

        None where a plain pass over the table is as good.
        """
        return None

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


class PartOfTable(Rows):
    """Some rows of a table, known by their batches.

    Where ``numbered``, ``batches`` also knows the position behind the last column: the rows' numbers in the table.
    """

    numbered = False

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self._length: int | None = None

    @abstractmethod
    def batches(self, positions: Sequence[int]) -> Iterator[tuple[int, Sequence[Column]]]:
        """A fresh pass by columns."""

    def __len__(self) -> int:
        if self._length is None:
            self._length = sum(size for size, _columns in self.batches([]))
        return self._length

    def __bool__(self) -> bool:
        return next(self.batches([]), None) is not None

    def tuples(self) -> Iterator[tuple[Any, ...]]:
        """A fresh pass."""
        for size, columns in self.batches(range(len(self.columns))):
            yield from zip(*[column.values() for column in columns], strict=True) if columns else [()] * size

    def tuple_at(self, index: int) -> tuple[Any, ...] | None:
        """A row, by a pass over those before it."""
        position = index + len(self) if index < 0 else index
        return next(islice(self.tuples(), position, None), None) if position >= 0 else None
