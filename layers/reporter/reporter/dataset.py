"""A dataset: the rows of one report on local disk, written once, read any number of times in flat memory.

A table is a file of batches, each a pickled list of tuples. Only what this process wrote itself is ever read back.
"""

import os
import pickle
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reporter.errors import ReportFailure
from reporter.language.rows import Rows

Batch = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class SpooledTable:
    """Where a table lies. ``offsets`` of its batches in bytes, ``starts`` in rows; both end with the total."""

    source: str
    table: str
    columns: tuple[str, ...]
    path: str
    offsets: tuple[int, ...]
    starts: tuple[int, ...]

    @property
    def rows(self) -> int:
        """How many rows the table holds."""
        return self.starts[-1]


class SpoolWriter:
    """Writes tables into ``folder``. Beyond ``max_rows`` or ``max_bytes`` in all it raises ``ReportFailure``."""

    def __init__(self, folder: Path, max_rows: int, max_bytes: int) -> None:
        self._folder = folder
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._bytes = 0
        self.rows = 0
        self.tables: list[SpooledTable] = []

    def write(self, source: str, table: str, columns: Sequence[str], batches: Iterable[Batch]) -> SpooledTable:
        """Spool one table. Raises ``ReportFailure`` REPORT_TOO_LARGE."""
        path = self._folder / f"{len(self.tables)}.rows"
        offsets, starts = [0], [0]
        with path.open("wb") as file:
            for batch in batches:
                file.write(pickle.dumps(batch, protocol=5))
                offsets.append(file.tell())
                starts.append(starts[-1] + len(batch))
                self.rows += len(batch)
                self._check("rows", self.rows, self._max_rows)
                self._check("bytes", self._bytes + file.tell(), self._max_bytes)
        self._bytes += offsets[-1]
        spooled = SpooledTable(source, table, tuple(columns), str(path), tuple(offsets), tuple(starts))
        self.tables.append(spooled)
        return spooled

    def _check(self, what: str, value: int, most: int) -> None:
        if value > most:
            message = f"the report reads more than {most} {what}: choose a shorter period or fewer accounts"
            raise ReportFailure("REPORT_TOO_LARGE", message)


class SpooledRows(Rows):
    """A spooled table, read through an open file descriptor."""

    def __init__(self, descriptor: int, columns: Sequence[str], offsets: Sequence[int], starts: Sequence[int]) -> None:
        self.columns = tuple(columns)
        self._descriptor = descriptor
        self._offsets = offsets
        self._starts = starts
        self._kept: tuple[int, Batch] = (-1, [])

    def __len__(self) -> int:
        return self._starts[-1]

    def tuples(self) -> Iterator[tuple[Any, ...]]:
        """A fresh pass; passes do not disturb each other."""
        for number in range(len(self._offsets) - 1):
            yield from self._read(number)

    def tuple_at(self, index: int) -> tuple[Any, ...] | None:
        """The row at ``index``, from the end where negative; None past either end."""
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            return None
        number = bisect_right(self._starts, position) - 1
        if self._kept[0] != number:
            self._kept = (number, self._read(number))
        return self._kept[1][position - self._starts[number]]

    def _read(self, number: int) -> Batch:
        start, end = self._offsets[number], self._offsets[number + 1]
        batch: Batch = pickle.loads(os.pread(self._descriptor, end - start, start))
        return batch


def data_for_template(
    tables: Mapping[str, Mapping[str, str]], rows: Mapping[tuple[str, str], Rows]
) -> dict[str, dict[str, Rows]]:
    """Source → the key the template uses → rows. ``tables``: the same with qualified tables; ``rows`` by these."""
    return {source: {key: rows[source, table] for key, table in keys.items()} for source, keys in tables.items()}
