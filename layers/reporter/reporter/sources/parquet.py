"""Parquet on S3: the columns and row groups that a report needs are fetched in ranges, nothing else.

Decimals, dates and times go into the spool as text, as the library prints them; filters are tested row by row, with the
meaning they have everywhere. All ranges are of one version of the object, and each is as long as was asked for.
"""

import io
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any, cast

from arro3.core import Array, DataType, RecordBatch
from arro3.io import read_parquet

from reporter.conditions import Condition, RowTest
from reporter.dataset import BATCH_ROWS, Encoded, EncodedBatch, encoded
from reporter.schema import Columns, ColumnType
from reporter.sources.file_formats import UnfitFile
from reporter.sources.parquet_footer import MAGIC, Footer
from reporter.sources.values import exact_number, json_reader, text_reader

BLOCK_BYTES = 1 << 20
BLOCKS_KEPT = 64
MAX_FOOTER_BYTES = 64 * 1024 * 1024

Fetch = Callable[[int, int], bytes]
"""``(start, length)`` → exactly these bytes of the object; a negative start counts from its end."""


class RangeFile(io.BufferedIOBase):
    """An object that is read in ranges, a few of which are kept, with another footer than its own."""

    def __init__(self, fetch: Fetch, size: int, footer: bytes) -> None:
        self._fetch = fetch
        self._data_end = size
        self._tail = footer + len(footer).to_bytes(4, "little") + MAGIC
        self._size = size + len(self._tail)
        self._at = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self.failure: Exception | None = None

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As ``io.BufferedIOBase``."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """As ``io.BufferedIOBase``."""
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """As ``io.BufferedIOBase``. What goes wrong is kept in ``failure``, for the library wraps it."""
        end = self._size if size is None or size < 0 else min(self._at + size, self._size)
        pieces = []
        try:
            while self._at < end:
                piece = self._piece(self._at, end)
                pieces.append(piece)
                self._at += len(piece)
        except Exception as error:
            self.failure = error
            raise
        return b"".join(pieces)

    def _piece(self, start: int, end: int) -> bytes:
        if start >= self._data_end:
            return self._tail[start - self._data_end : end - self._data_end]
        number = start // BLOCK_BYTES
        if number not in self._blocks:
            if len(self._blocks) >= BLOCKS_KEPT:
                self._blocks.popitem(last=False)
            first = number * BLOCK_BYTES
            self._blocks[number] = self._fetch(first, min(BLOCK_BYTES, self._data_end - first))
        self._blocks.move_to_end(number)
        return self._blocks[number][start % BLOCK_BYTES : end - number * BLOCK_BYTES]


class Parquet:
    """One file. ``size``: of the whole object, in bytes. Raises ``UnfitFile``, and whatever ``fetch`` raises."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch = fetch
        end = fetch(size - 8, 8) if size >= 12 else b""
        length = int.from_bytes(end[:4], "little")
        if end[4:] != MAGIC or not 0 < length <= min(size - 12, MAX_FOOTER_BYTES):
            raise UnfitFile("the file", "not a Parquet file, or not all of one")
        self._footer_at = size - 8 - length
        self._footer = Footer(fetch(self._footer_at, length), self._footer_at)

    def columns(self) -> Columns:
        """The columns and their types, as the file declares them."""
        with _Reading(self._open([], self._footer.columns)[0]) as reading:
            return {field.name: _kind(field.type) for field in reading.schema}

    def rows(self, columns: Sequence[str], kinds: Columns, conditions: Sequence[Condition]) -> Iterator[EncodedBatch]:
        """The rows that stay, by column; without columns one constant a row."""
        tested = list(dict.fromkeys(condition.column for condition in conditions))
        if missing := [name for name in (*columns, *tested) if name not in self._footer.columns]:
            raise UnfitFile("the file", f"there is no column {missing[0]}", changed=True)
        test = RowTest(conditions)
        file, rows = self._open(conditions, dict.fromkeys((*columns, *tested)))
        seen = 0
        with _Reading(file) as reading:
            for batch in reading.batches():
                place = f"rows {seen + 1} to {seen + batch.num_rows} of those read"
                seen += batch.num_rows
                kept = _kept(batch, tested, kinds, test, place)
                if kept is not None and not kept:
                    continue
                count = batch.num_rows if kept is None else len(kept)
                found = [_column(batch.column(name), kept, kinds[name], f"{place}, column {name}") for name in columns]
                yield EncodedBatch(count, tuple(found) or (("plain", (1,) * count),))
        if seen != rows:
            raise UnfitFile("the file", f"it has {seen} of {rows} rows")

    def _open(self, conditions: Sequence[Condition], columns: Any) -> tuple[RangeFile, int]:
        footer, rows = self._footer.cut(columns, conditions)
        return RangeFile(self._fetch, self._footer_at, footer), rows


class _Reading:
    """The library at work on one file. What it raises becomes what went wrong with the file, or ``UnfitFile``."""

    def __init__(self, file: RangeFile) -> None:
        self._file = file

    def __enter__(self) -> "_Reading":
        self._reader = self._of(lambda: read_parquet(cast(IO[bytes], self._file), batch_size=BATCH_ROWS))
        self.schema = self._reader.schema
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def batches(self) -> Iterator[RecordBatch]:
        while (batch := self._of(lambda: next(self._reader, None))) is not None:
            yield batch

    def _of(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException:  # noqa: BLE001 - a panic of the library is no Exception
            if self._file.failure is not None:
                raise self._file.failure from None
            raise UnfitFile("the file", "its pages cannot be read") from None


def _kept(batch: RecordBatch, tested: list[str], kinds: Columns, test: RowTest, place: str) -> list[int] | None:
    """The numbers of the rows that stay; None for all."""
    if not tested:
        return None
    columns = [_column(batch.column(name), None, kinds[name], f"{place}, column {name}") for name in tested]
    rows = EncodedBatch(batch.num_rows, tuple(columns))
    kept = [number for number, row in enumerate(rows) if test.keeps(dict(zip(tested, row, strict=True)).get)]
    return None if len(kept) == batch.num_rows else kept


_UTF8 = DataType.utf8()
_UINT64 = DataType.uint64()


def _column(array: Array, kept: list[int] | None, kind: ColumnType, place: str) -> Encoded:
    try:
        return _encoded(array if kept is None else array.take(Array(kept, type=_UINT64)), kind)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise UnfitFile(place, f"a value does not fit the type {kind}") from None


def _kind(found: DataType) -> ColumnType:
    """The type of a column that no schema declares."""
    if DataType.is_dictionary(found) and found.value_type is not None:
        return _kind(found.value_type)
    tests: Mapping[ColumnType, Sequence[Callable[[Any], bool]]] = {
        "text": (DataType.is_string, DataType.is_large_string, DataType.is_string_view),
        "integer": (DataType.is_integer,),
        "numeric": (DataType.is_decimal, DataType.is_floating),
        "boolean": (DataType.is_boolean,),
        "date": (DataType.is_date,),
        "array": (DataType.is_list, DataType.is_large_list, DataType.is_fixed_size_list),
        "object": (DataType.is_struct,),
    }
    if DataType.is_timestamp(found):
        return "timestamp" if found.tz is None else "timestamptz"
    return next((kind for kind, of_kind in tests.items() if any(is_kind(found) for is_kind in of_kind)), "other")


def _encoded(array: Array, kind: ColumnType) -> Encoded:
    """Raises ``ValueError`` or ``TypeError`` for what does not fit."""
    natural = _kind(array.type)
    match natural:
        case "text":
            texts: list[Any] = array.cast(_UTF8).to_pylist()
            return ("plain", tuple(texts)) if kind in {"text", "other"} else _converted(texts, text_reader(kind))
        case "integer" | "boolean" if kind == natural:
            return "plain", tuple(array.to_pylist())
        case "numeric" if kind == "numeric":
            texts = array.cast(_UTF8).to_pylist()
            if DataType.is_decimal(array.type):
                return "texts of decimals", tuple(texts)
            _each(exact_number, texts)
            return "texts of doubles", tuple(texts)
        case "date" if kind == "date":
            texts = array.cast(_UTF8).to_pylist()
            _each(_day, texts)
            return "texts of dates", tuple(text and text[:10] for text in texts)
        case "timestamp" | "timestamptz" if kind in {"timestamp", "timestamptz"}:
            return _moments(array, kind)
    if natural == "other":
        # Times, durations and the like as they print; bytes have no text.
        if DataType.is_fixed_size_binary(array.type) or DataType.is_binary(array.type):
            raise ValueError("bytes")
        return _converted(array.cast(_UTF8).to_pylist(), json_reader(kind))
    return _converted(list(map(_plain, array.to_pylist())), json_reader(kind))


def _moments(array: Array, kind: ColumnType) -> Encoded:
    """In UTC; finer than microseconds nothing here can hold."""
    unit = array.type.time_unit or "us"
    zone = "UTC" if kind == "timestamptz" else None
    texts = array.cast(DataType.timestamp(unit, tz="UTC")).cast(DataType.timestamp(unit, tz=zone)).cast(_UTF8).to_pylist()
    _each(_moment, texts)
    return "texts of times", tuple(texts)


def _day(text: str) -> None:
    if text[10:].strip("T0:"):
        raise ValueError("a time within a day")
    date.fromisoformat(text[:10])


def _moment(text: str) -> None:
    fraction = text.partition(".")[2].rstrip("Z")
    if fraction[6:].strip("0"):
        raise ValueError("finer than microseconds")
    datetime.fromisoformat(text)


def _each(check: Callable[[str], object], texts: list[Any]) -> None:
    for text in texts:
        if text is not None:
            check(text)


def _converted(values: list[Any], read: Callable[[Any], Any]) -> Encoded:
    """As a declared type wants it, by the rules for text or JSON."""
    return encoded(tuple(None if value is None else read(value) for value in values))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        number = exact_number(repr(value))
        return int(number) if number == number.to_integral_value() else number
    if isinstance(value, list):
        return list(map(_plain, value))
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, str | int | Decimal | date | datetime | None):
        return value
    raise TypeError(type(value).__name__)
