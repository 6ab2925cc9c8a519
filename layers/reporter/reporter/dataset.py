"""A dataset: the rows of one report on local disk, written once, read any number of times in flat memory.

All tables of a report lie in one file, as batches of rows. A batch is marshalled by columns: what marshal knows (null,
booleans, integers, text) goes in as it is, decimals as text, times as the state they pickle to, nested values pickled.
Each comes back as exactly what it was. Nothing is ever read here but what the same program wrote moments before.
"""

import marshal
import os
import pickle
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timezone, tzinfo
from decimal import Decimal
from functools import partial
from itertools import chain, pairwise, repeat
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from reporter.errors import ReportFailure
from reporter.language.rows import Column, Rows
from reporter.limit import FEWER_ROWS, disk_full, passed

BATCH_ROWS = 2000
BATCHES_KEPT = 4
SPOOL_NAME = "rows"

Values = tuple[Any, ...]
Encoded = tuple[str, Any]
"""How a column of a batch is written (a key of ``_DECODERS``), and what is written."""


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Rows by column, as the spool holds them: from a source that delivers text there is no value in between.

    ``texts of decimals``, ``texts of doubles``, ``texts of dates`` and ``texts of times`` hold texts that the source has
    checked, or None; what ``encoded`` returns is as good.
    """

    rows: int
    columns: tuple[Encoded, ...]

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[Values]:
        return decoded(self.columns)


Batch = Sequence[Values] | EncodedBatch


@dataclass(frozen=True, slots=True)
class SpooledTable:
    """Where a table lies: ``offsets`` of its batches in bytes, ``starts`` in rows; both end with the total."""

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
    """Writes tables into a file in ``folder``. ``max_rows`` and ``max_bytes`` bound all tables of a report together.

    ``settings``: what they are told by.

    Values: None, bool, int, finite Decimal, str, datetime, date, and lists and dicts of these.
    """

    def __init__(
        self, folder: Path, max_rows: int, max_bytes: int, settings: tuple[str, str] = ("MaxRows", "MaxSpoolBytes")
    ) -> None:
        self._path = folder / SPOOL_NAME
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._rows_setting, self._bytes_setting = settings
        self.bytes = 0
        self.rows = 0
        self.tables: list[SpooledTable] = []

    def write(self, source: str, table: str, columns: Sequence[str], batches: Iterable[Batch]) -> SpooledTable:
        """Spool one table, its values in the order of ``columns``, in batches of any size.

        Raises ``ReportFailure``: REPORT_TOO_LARGE beyond a limit or when the disk is full, SOURCE_VALUE for a value of
        another type (a binary float, say).
        """
        offsets, starts = [self.bytes], [0]
        try:
            with self._path.open("ab") as file:
                for batch in _of_even_size(batches):
                    self.rows += len(batch)
                    self._check("rows", self.rows, self._max_rows, self._rows_setting)
                    content = marshal.dumps(_encoded_columns(source, table, columns, batch))
                    self.bytes += len(content)
                    self._check("bytes", self.bytes, self._max_bytes, self._bytes_setting)
                    file.write(content)
                    offsets.append(self.bytes)
                    starts.append(starts[-1] + len(batch))
        except OSError as error:
            raise ReportFailure("REPORT_TOO_LARGE", disk_full(error, offsets[-1], "the data")) from None
        spooled = SpooledTable(source, table, tuple(columns), str(self._path), tuple(offsets), tuple(starts))
        self.tables.append(spooled)
        return spooled

    @staticmethod
    def _check(unit: str, value: int, most: int, setting: str) -> None:
        if value > most:
            raise ReportFailure("REPORT_TOO_LARGE", passed("the report reads", most, unit, FEWER_ROWS, setting))


class SpooledRows(Rows):
    """A spooled table, read through an open file descriptor. Passes may nest and do not disturb each other."""

    def __init__(self, descriptor: int, columns: Sequence[str], offsets: Sequence[int], starts: Sequence[int]) -> None:
        self.columns = tuple(columns)
        self._descriptor = descriptor
        self._offsets = offsets
        self._starts = starts
        self._kept: dict[int, list[Values]] = {}

    def __len__(self) -> int:
        return self._starts[-1]

    def tuples(self) -> Iterator[Values]:
        """A fresh pass; it holds one batch at a time."""
        return chain.from_iterable(map(self._read, range(len(self._offsets) - 1)))

    def tuple_at(self, index: int) -> Values | None:
        """The row at ``index``, from the end where negative; None past either end. Keeps a few batches decoded."""
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            return None
        number = bisect_right(self._starts, position) - 1
        batch = self._kept.get(number)
        if batch is None:
            if len(self._kept) >= BATCHES_KEPT:
                del self._kept[next(iter(self._kept))]
            batch = self._kept[number] = list(self._read(number))
        return batch[position - self._starts[number]]

    def batches(self, positions: Sequence[int]) -> Iterator[tuple[int, Sequence[Column]]]:
        """A fresh pass by columns; only those at ``positions`` are decoded, and each when its values are asked for."""
        for number, (start, end) in enumerate(pairwise(self._starts)):
            columns = self.encoded(number)
            yield end - start, [column_of(*columns[position]) for position in positions]

    def _read(self, number: int) -> Iterator[Values]:
        return decoded(self.encoded(number))

    def encoded(self, number: int) -> tuple[Encoded, ...]:
        """A batch as it was written."""
        columns: tuple[Encoded, ...] = marshal.loads(
            read_exactly(self._descriptor, self._offsets[number], self._offsets[number + 1])
        )
        return columns


def read_exactly(descriptor: int, start: int, end: int) -> bytes:
    """These bytes of a file. Raises ``EOFError`` where it does not have them."""
    content = b""
    while len(content) < end - start:
        piece = os.pread(descriptor, end - start - len(content), start + len(content))
        if not piece:
            raise EOFError("the spool is shorter than it was written")
        content += piece
    return content


def column_of(kind: str, content: Any) -> Column:
    """An encoded column for whoever prints or computes."""
    return Column(content, _DECODERS[kind], digits=kind == "texts of decimals", iso=_ISO.get(kind))


def data_for_template(
    tables: Mapping[str, Mapping[str, str]], rows: Mapping[tuple[str, str], Rows]
) -> dict[str, dict[str, Rows]]:
    """Source → the key the template uses → rows. ``tables``: the same with qualified tables; ``rows`` by these."""
    return {source: {key: rows[source, table] for key, table in keys.items()} for source, keys in tables.items()}


def _of_even_size(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The same rows in batches of ``BATCH_ROWS``: a source's own may be single rows, or everything at once.

    What comes by column is of the right size already, or smaller where its rows are large.
    """
    waiting: list[Values] = []
    for batch in batches:
        if not waiting and (isinstance(batch, EncodedBatch) or len(batch) == BATCH_ROWS):
            yield batch
            continue
        waiting.extend(batch)
        while len(waiting) >= BATCH_ROWS:
            yield waiting[:BATCH_ROWS]
            del waiting[:BATCH_ROWS]
    if waiting:
        yield waiting


def _encoded_columns(source: str, table: str, columns: Sequence[str], batch: Batch) -> tuple[Encoded, ...]:
    if isinstance(batch, EncodedBatch):
        return batch.columns
    by_column = list(zip(*batch, strict=True))
    found = []
    for name, values in zip(columns, by_column, strict=True):
        try:
            found.append(encoded(values))
        except TypeError as error:
            raise ReportFailure(
                "SOURCE_VALUE", f"{source}.{table}.{name} holds {error}, which no document can show"
            ) from None
    return tuple(found)


def decoded(columns: Iterable[Encoded]) -> Iterator[Values]:
    """The rows of encoded columns."""
    return zip(*[_DECODERS[kind](values) for kind, values in columns], strict=True)


_PLAIN = frozenset({type(None), bool, int, str})


def encoded(values: Values) -> Encoded:
    """A column of values. Raises ``TypeError`` naming the type that has no place in a dataset."""
    kinds = set(map(type, values))
    if kinds <= _PLAIN:
        return "plain", values
    if kinds == {Decimal}:
        return "texts of decimals", tuple(map(str, values))
    if kinds == {Decimal, type(None)}:
        return "texts of decimals", tuple([None if value is None else str(value) for value in values])
    if kinds == {date}:
        return "date", tuple([value.__reduce__()[1][0] for value in values])
    if kinds == {datetime}:
        zone = values[0].tzinfo
        if (zone is None or _is_utc(zone)) and all(value.tzinfo is zone for value in values):
            return "no zone" if zone is None else "UTC", tuple([value.__reduce__()[1][0] for value in values])
    try:
        return "pickled", pickle.dumps([_plain_value(value) for value in values], protocol=5)
    except RecursionError:
        raise TypeError("a value nested too deeply") from None


def _is_utc(zone: tzinfo) -> bool:
    return zone is UTC or (isinstance(zone, ZoneInfo) and zone.key in {"UTC", "Etc/UTC"})


def _plain_value(value: Any) -> Any:
    """The same value, checked; a time in a named zone gets that zone's offset, as the reader has no zones at hand."""
    kind = type(value)
    if kind in _PLAIN or kind is Decimal or kind is date:
        return value
    if kind is datetime:
        offset = value.utcoffset()
        return value if offset is None else value.replace(tzinfo=timezone(offset))
    if kind is list:
        return [_plain_value(item) for item in value]
    if kind is dict:
        return {_plain_value(name): _plain_value(item) for name, item in value.items()}
    raise TypeError(f"a value of type {kind.__name__}")


def _parsed(parse: Callable[[str], Any]) -> Callable[[Values], Iterable[Any]]:
    def decode(texts: Values) -> Iterable[Any]:
        return [None if text is None else parse(text) for text in texts] if None in texts else map(parse, texts)

    return decode


def _double(text: str) -> Decimal | int:
    """A binary float by the digits that show it; whole ones without a point."""
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else number


_date: Callable[..., date] = date
_datetime: Callable[..., datetime] = datetime
_DECODERS: Mapping[str, Callable[[Any], Iterable[Any]]] = {
    "plain": lambda values: values,
    "texts of decimals": _parsed(Decimal),
    "texts of doubles": _parsed(_double),
    "texts of dates": _parsed(date.fromisoformat),
    "texts of times": _parsed(datetime.fromisoformat),
    "date": lambda states: map(_date, states),
    "UTC": lambda states: map(_datetime, states, repeat(UTC)),
    "no zone": lambda states: map(_datetime, states),
    "pickled": pickle.loads,
}
_DAY, _CLOCK = ((4, "-"), (7, "-")), ((10, " "), (13, ":"), (16, ":"))
_LAYOUTS: Mapping[str, Mapping[int, tuple[tuple[int, str], ...]]] = {
    "texts of dates": {10: _DAY},
    "texts of times": {19: _DAY + _CLOCK, 22: (*_DAY, *_CLOCK, (19, "+"), (20, "0"), (21, "0"))},
}
"""How PostgreSQL writes dates, times, and moments in UTC: length → marks, by their positions."""


def _iso_texts(kind: str, texts: Sequence[str | None]) -> Sequence[str | None] | None:
    """What ``isoformat`` says of each, by rewriting them all at once; None where they are not all of one known layout.

    That they are dates and times is known already.
    """
    known = [text for text in texts if text is not None]
    lengths = set(map(len, known))
    marks = _LAYOUTS[kind].get(lengths.pop()) if len(lengths) == 1 else None
    if marks is None:
        return None
    width, together = len(known[0]), "".join(known)
    if any(together[at::width] != mark * len(known) for at, mark in marks):
        return None
    found = iter("\n".join(known).replace(" ", "T").replace("+00", "+00:00").split("\n"))
    return list(found) if len(known) == len(texts) else [None if text is None else next(found) for text in texts]


_ISO = {kind: partial(_iso_texts, kind) for kind in _LAYOUTS}
