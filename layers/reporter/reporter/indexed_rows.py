"""Spooled tables that find their rows by a column's value, without reading those in between.

A table that is asked again and again by the same column is copied once, in two passes, into a scratch file where rows of
the same hash lie together. Only where the chunks lie is kept in memory, never rows: N lookups in M rows cost N + M.
"""

import marshal
import os
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain, islice, pairwise, repeat
from operator import itemgetter
from typing import Any

from reporter.dataset import Encoded, SpooledRows, Values, column_of, decoded, encoded, read_exactly
from reporter.errors import ReportFailure
from reporter.language.lookup import hash_of
from reporter.language.rows import Column, PartOfTable
from reporter.limit import disk_full

ASKED_BEFORE = 2
"""So many plain passes are cheaper than a copy."""
ROWS_PER_BUCKET = 16
ROWS_PER_CHUNK = 2000
ROWS_IN_MEMORY = 1 << 15
BYTES_IN_MEMORY = 1 << 25
"""As encoded; in memory they are several times as much."""
MOST_PART_BITS = 8
_VALUES = "values"
"""How a column is held meanwhile whose batches are written in different ways."""


class Scratch:
    """A file that is written at its end and read anywhere."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = 0

    def append(self, content: bytes) -> tuple[int, int]:
        """Start and end of where it was written. Raises ``ReportFailure`` REPORT_TOO_LARGE."""
        start = self._size
        view = memoryview(content)
        try:
            while view:
                written = os.pwrite(self._descriptor, view, self._size)
                self._size += written
                view = view[written:]
        except OSError as error:
            message = disk_full(error, self._size, "rows in the order they are looked up by")
            raise ReportFailure("REPORT_TOO_LARGE", message) from None
        return start, self._size

    def read(self, start: int, end: int) -> Any:
        """What was marshalled there."""
        return marshal.loads(read_exactly(self._descriptor, start, end))


class IndexedRows(SpooledRows):
    """A spooled table with room for copies of it, of which it makes one for each column it is often asked by."""

    def __init__(
        self,
        descriptor: int,
        columns: Sequence[str],
        offsets: Sequence[int],
        starts: Sequence[int],
        scratch: Scratch,
    ) -> None:
        super().__init__(descriptor, columns, offsets, starts)
        self._scratch = scratch
        self.bytes = offsets[-1] - offsets[0]
        self._asked: dict[str, int] = defaultdict(int)
        self._copies: dict[str, _Copy] = {}

    def encoded_batches(self) -> Iterator[tuple[int, int, tuple[Encoded, ...]]]:
        """The numbers of the first row and of the one behind the last, and the columns as they were written."""
        for number, (start, end) in enumerate(pairwise(self._starts)):
            yield start, end, self.encoded(number)

    def matching(self, column: str, hashes: Sequence[int]) -> PartOfTable | None:
        """See ``Rows.matching``."""
        self._asked[column] += 1
        if self._asked[column] <= ASKED_BEFORE or not len(self):
            return None
        copy = self._copies.get(column)
        if copy is None:
            copy = self._copies[column] = _Copying(self, self.columns.index(column), self._scratch).copy()
        return _Matching(self.columns, copy, self._scratch, hashes)


@dataclass(frozen=True, slots=True)
class _Copy:
    """Where rows lie: those of bucket ``b`` at the places ``firsts[b]`` to ``firsts[b + 1]``."""

    firsts: "array[int]"
    starts: "array[int]"
    ends: "array[int]"

    @classmethod
    def of(cls, places: Sequence[tuple[int, int, int]], buckets: int) -> "_Copy":
        """Of places in the order of their buckets. ``buckets`` is a power of two."""
        firsts = array("L", bytes(array("L").itemsize * (buckets + 1)))
        for bucket, _start, _end in places:
            firsts[bucket + 1] += 1
        for bucket in range(buckets):
            firsts[bucket + 1] += firsts[bucket]
        return cls(firsts, array("Q", [start for _, start, _ in places]), array("Q", [end for _, _, end in places]))

    def places(self, bucket: int) -> list[tuple[int, int]]:
        """Start and end of each."""
        between = slice(self.firsts[bucket], self.firsts[bucket + 1])
        return list(zip(self.starts[between], self.ends[between], strict=True))


class _Copying:
    """One copy in the making."""

    def __init__(self, rows: "IndexedRows", position: int, scratch: Scratch) -> None:
        self._rows = rows
        self._position = position
        self._scratch = scratch
        self._bits = (len(rows) // ROWS_PER_BUCKET).bit_length()
        self._in_memory = max(1, min(ROWS_IN_MEMORY, BYTES_IN_MEMORY * len(rows) // rows.bytes))

    def copy(self) -> _Copy:
        """Make it. Raises ``ReportFailure`` REPORT_TOO_LARGE when there is no room."""
        bits = min(self._bits, MOST_PART_BITS, (len(self._rows) // self._in_memory).bit_length())
        chunks = _Groups(self._scratch, ROWS_PER_CHUNK, self._in_memory)
        if bits == 0:
            for columns, buckets in self._batches():
                chunks.add(columns, buckets)
        else:
            parts = _Groups(self._scratch, self._in_memory >> bits, self._in_memory)
            for columns, buckets in self._batches():
                parts.add([*columns, ("plain", buckets)], [bucket >> (self._bits - bits) for bucket in buckets])
            for _part, start, end in parts.places():
                *columns, (_kind, buckets) = self._scratch.read(start, end)
                chunks.add(columns, buckets)
        return _Copy.of(chunks.places(), 1 << self._bits)

    def _batches(self) -> Iterator[tuple[list[Encoded], list[int]]]:
        """The table's columns with one more for the rows' numbers, and the rows' buckets."""
        mask = (1 << self._bits) - 1
        for start, end, columns in self._rows.encoded_batches():
            values = column_of(*columns[self._position]).values()
            yield [*columns, ("plain", range(start, end))], [bits & mask for bits in map(hash_of, values)]


class _Groups:
    """Rows on their way into the scratch file, each to those of its group.

    A row is a tuple of encoded values, and at its end the number of the way they are encoded.
    """

    def __init__(self, scratch: Scratch, rows_per_place: int, rows_in_memory: int) -> None:
        self._scratch = scratch
        self._rows_per_place = rows_per_place
        self._rows_in_memory = rows_in_memory
        self._kinds: list[tuple[str, ...]] = []
        self._waiting: dict[int, list[Values]] = defaultdict(list)
        self._count = 0
        self._places: list[tuple[int, int, int]] = []

    def add(self, columns: Sequence[Encoded], groups: Sequence[int]) -> None:
        """These rows, and to which group each belongs."""
        spread = [_by_value(column) for column in columns]
        kinds = tuple(kind for kind, _values in spread)
        if kinds not in self._kinds:
            self._kinds.append(kinds)
        way = repeat(self._kinds.index(kinds), len(groups))
        for row, group in zip(zip(*[values for _kind, values in spread], way, strict=True), groups, strict=True):
            self._waiting[group].append(row)
        self._count += len(groups)
        for group in list(self._waiting) if self._count >= self._rows_in_memory else set(groups):
            if self._count >= self._rows_in_memory or len(self._waiting[group]) >= self._rows_per_place:
                self._write(group)

    def places(self) -> list[tuple[int, int, int]]:
        """Everything written: group, start and end of each place, the places of a group in the order of their rows."""
        for group in list(self._waiting):
            self._write(group)
        return sorted(self._places)

    def _write(self, group: int) -> None:
        rows = self._waiting.pop(group)
        self._count -= len(rows)
        *columns, ways = zip(*rows, strict=True)
        if len(set(ways)) == 1:
            kinds = self._kinds[ways[0]]
            made = [
                (kind, column) if kind != _VALUES else encoded(column) for kind, column in zip(kinds, columns, strict=True)
            ]
        else:
            made = [encoded(tuple(self._decoded(number, column, ways))) for number, column in enumerate(columns)]
        start, end = self._scratch.append(marshal.dumps(tuple(made)))
        self._places.append((group, start, end))

    def _decoded(self, number: int, column: Sequence[Any], ways: Sequence[int]) -> Iterator[Any]:
        for value, way in zip(column, ways, strict=True):
            kind = self._kinds[way][number]
            yield value if kind == _VALUES else column_of(kind, (value,)).values()[0]


def _by_value(column: Encoded) -> Encoded:
    """The same with one entry for each row: a pickled column is one for all of them."""
    kind, content = column
    return (_VALUES, column_of(kind, content).values()) if isinstance(content, bytes) else column


class _Matching(PartOfTable):
    """The rows in the buckets of some hashes."""

    numbered = True

    def __init__(self, columns: tuple[str, ...], copy: _Copy, scratch: Scratch, hashes: Sequence[int]) -> None:
        super().__init__(columns)
        self._scratch = scratch
        buckets = {bits & (len(copy.firsts) - 2) for bits in hashes}
        self._places = [places for bucket in buckets if (places := copy.places(bucket))]

    def batches(self, positions: Sequence[int]) -> Iterator[tuple[int, Sequence[Column]]]:
        """A fresh pass by columns."""
        if len(self._places) > 1:
            yield from self._merged(positions)
            return
        for start, end in chain.from_iterable(self._places):
            columns = self._scratch.read(start, end)
            yield len(columns[-1][1]), [column_of(*columns[position]) for position in positions]

    def _merged(self, positions: Sequence[int]) -> Iterator[tuple[int, Sequence[Column]]]:
        """From several buckets, in the order of their numbers."""
        rows = merge(*map(self._rows, self._places), key=itemgetter(-1))
        while batch := tuple(islice(rows, ROWS_PER_CHUNK)):
            columns = list(zip(*batch, strict=True))
            yield len(batch), [Column(columns[position]) for position in positions]

    def _rows(self, places: Sequence[tuple[int, int]]) -> Iterator[Values]:
        for start, end in places:
            yield from decoded(self._scratch.read(start, end))
