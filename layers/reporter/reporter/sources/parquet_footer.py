"""The footer of a Parquet file, cut down to what a report reads: some columns, and the row groups that may hold its rows.

The library that decodes pages reads whatever a footer names. So it is given one that names less: nothing of the other
columns and row groups is fetched or decoded. The footer is Thrift's compact protocol; every field that is not cut is
passed on as it is. https://github.com/apache/parquet-format has the numbers of the fields.
"""

import struct
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from reporter.conditions import Condition, Interval, family
from reporter.sources.file_formats import UnfitFile

MAGIC = b"PAR1"
MAX_DEPTH = 32

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
Struct = dict[int, tuple[int, Any]]
"""Number of a field → its type and value."""


class UnfitFooter(UnfitFile):
    """Not the footer of a Parquet file that can be read."""

    def __init__(self, reason: str) -> None:
        super().__init__("its footer", reason)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self, depth: int = 0) -> Struct:
        if depth > MAX_DEPTH:
            raise UnfitFooter("nested too deeply")
        found: Struct = {}
        number = 0
        while head := self._byte():
            kind = head & 15
            number = number + (head >> 4) if head >> 4 else self._signed()
            found[number] = (kind, self._value(kind, depth, in_list=False))
        return found

    def _value(self, kind: int, depth: int, *, in_list: bool) -> Any:
        match kind:
            case 1 | 2:
                return self._byte() == _TRUE if in_list else kind == _TRUE
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._signed()
            case 7:
                return self._take(8)
            case 8:
                return self._take(self._unsigned())
            case 9 | 10:
                head = self._byte()
                size = head >> 4 if head >> 4 < 15 else self._unsigned()
                if size > len(self._data):
                    raise UnfitFooter("a list is longer than it is")
                return head & 15, [self._value(head & 15, depth + 1, in_list=True) for _item in range(size)]
            case 12:
                return self.struct(depth + 1)
        raise UnfitFooter(f"a field of type {kind}")

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        if len(piece) != size:
            raise UnfitFooter("it ends early")
        self._at += size
        return piece

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise UnfitFooter("a number is too long")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)


def _unsigned(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)


def _signed(value: int) -> bytes:
    return _unsigned(value << 1 if value >= 0 else (-value << 1) - 1)


def _written(kind: int, value: Any, *, in_list: bool = False) -> bytes:
    match kind:
        case 1 | 2:
            return bytes([_TRUE if value else _FALSE]) if in_list else b""
        case 3:
            return bytes([value])
        case 4 | 5 | 6:
            return _signed(value)
        case 7:
            return bytes(value)
        case 8:
            return _unsigned(len(value)) + bytes(value)
        case 9 | 10:
            item, items = value
            head = bytes([len(items) << 4 | item]) if len(items) < 15 else bytes([15 << 4 | item]) + _unsigned(len(items))
            return head + b"".join(_written(item, one, in_list=True) for one in items)
        case _:
            return _written_struct(value)


def _written_struct(value: Struct) -> bytes:
    pieces = []
    before = 0
    for number, (kind, item) in sorted(value.items()):
        step = number - before
        pieces.append(bytes([step << 4 | kind]) if 0 < step < 16 else bytes([kind]) + _signed(number))
        pieces.append(_written(kind, item))
        before = number
    return b"".join([*pieces, b"\0"])


def _get(value: Struct, number: int, kind: int, default: Any = None) -> Any:
    if number not in value:
        return default
    if value[number][0] != kind:
        raise UnfitFooter(f"field {number} is of type {value[number][0]}")
    return value[number][1]


def _items(value: Struct, number: int, kind: int) -> list[Any]:
    if number not in value:
        raise UnfitFooter(f"field {number} is missing")
    items: list[Any]
    found, items = _get(value, number, _LIST)
    if items and found != kind:
        raise UnfitFooter(f"field {number} lists items of type {found}")
    return items


@dataclass(frozen=True, slots=True)
class Leaf:
    """A top-level column without children, as its statistics are written."""

    physical: int
    converted: int | None
    logical: Struct
    scale: int


class Footer:
    """``data`` without length and magic number; ``start``: where it lies in the file. All of it raises ``UnfitFooter``."""

    def __init__(self, data: bytes, start: int) -> None:
        self._start = start
        self._file = _Reader(data).struct()
        self._schema: list[Struct] = _items(self._file, 2, _STRUCT)
        self._groups: list[Struct] = _items(self._file, 4, _STRUCT)
        try:
            self._roots = self._top_level()
        except (IndexError, UnicodeDecodeError):
            raise UnfitFooter("the schema is broken") from None
        if not self._roots:
            raise UnfitFooter("there are no columns")
        if _rows(self._groups) != _get(self._file, 3, _I64):
            raise UnfitFooter("the row groups do not hold all rows")

    def cut(self, columns: Collection[str], conditions: Sequence[Condition]) -> tuple[bytes, int]:
        """The footer of these columns and of the row groups that ``conditions`` do not rule out, and its number of rows.

        Without columns it keeps one, for rows have to be counted by something.
        """
        wanted = set(columns) or {next(iter(self._roots))}
        groups = [group for group in self._groups if all(self._may_hold(group, condition) for condition in conditions)]
        kept = [self._group_of(group, wanted) for group in groups]
        rows = _rows(kept)
        schema = [self._schema[0] | {5: (_I32, len(wanted))}]
        for name, (start, end, _leaf) in self._roots.items():
            schema += self._schema[start:end] if name in wanted else []
        # What describes the columns by their position, or describes another schema, no longer fits.
        rest = {number: item for number, item in self._file.items() if number not in {2, 3, 4, 5, 7}}
        cut = rest | {2: (_LIST, (_STRUCT, schema)), 3: (_I64, rows), 4: (_LIST, (_STRUCT, kept))}
        return _written_struct(cut), rows

    @property
    def columns(self) -> list[str]:
        """The top-level columns, in the file's order."""
        return list(self._roots)

    def _top_level(self) -> dict[str, tuple[int, int, Leaf | None]]:
        """Name → where its elements lie in the flattened tree, and how its statistics are written if it has no children."""
        found: dict[str, tuple[int, int, Leaf | None]] = {}
        at = 1
        for _child in range(_get(self._schema[0], 5, _I32, 0)):
            start, open_ = at, 1
            while open_:
                open_ += _get(self._schema[at], 5, _I32, 0) - 1
                at += 1
            element = self._schema[start]
            leaf = Leaf(
                physical=_get(element, 1, _I32, -1),
                converted=_get(element, 6, _I32),
                logical=_get(element, 10, _STRUCT, {}),
                scale=_get(element, 7, _I32, 0),
            )
            found[_get(element, 4, _BINARY, b"").decode()] = (start, at, leaf if at == start + 1 else None)
        return found

    def _group_of(self, group: Struct, wanted: Collection[str]) -> Struct:
        kept = [chunk for chunk in _items(group, 1, _STRUCT) if _root_of(chunk) in wanted]
        for chunk in kept:
            self._check_place(chunk)
        # Its order is told by the position of columns.
        return {number: value for number, value in group.items() if number != 4} | {1: (_LIST, (_STRUCT, kept))}

    def _check_place(self, chunk: Struct) -> None:
        """The library ends the process at a place that no file has."""
        about = _metadata(chunk)
        first = _get(about, 11, _I64) or _get(about, 9, _I64, -1)
        size = _get(about, 7, _I64, -1)
        if first < 0 or size < 0 or first + size > self._start:
            raise UnfitFooter("a column lies outside the file")

    def _may_hold(self, group: Struct, condition: Condition) -> bool:
        if condition.negated or condition.path or condition.column not in self._roots:
            return True
        leaf = self._roots[condition.column][2]
        chunk = next((one for one in _items(group, 1, _STRUCT) if _root_of(one) == condition.column), None)
        if leaf is None or chunk is None:
            return True
        statistics: Struct = _get(_metadata(chunk), 12, _STRUCT, {})
        if condition.null and _get(statistics, 3, _I64) != 0:
            return True
        read = _reader_of(leaf)
        low, high = _get(statistics, 6, _BINARY), _get(statistics, 5, _BINARY)
        if read is None or low is None or high is None:
            return True
        try:
            span = (read(low), read(high))
        except (ValueError, ArithmeticError, struct.error):
            return True
        return any(_overlaps(span, interval) for interval in condition.intervals)


def _rows(groups: list[Struct]) -> int:
    return sum(_get(group, 3, _I64, 0) for group in groups)


def _metadata(chunk: Struct) -> Struct:
    found: Struct = _get(chunk, 3, _STRUCT, {})
    return found


def _root_of(chunk: Struct) -> str:
    path = _items(_metadata(chunk), 3, _BINARY)
    return str(path[0], "utf-8", "replace") if path else ""


def _overlaps(span: tuple[Any, Any], interval: Interval) -> bool:
    """Whether both may have a value in common; True where they do not compare."""
    low, high = span
    if any(bound is not None and family(bound) != family(low) for bound in (interval.low, interval.high)):
        return True
    return (interval.low is None or interval.low <= high) and (interval.high is None or interval.high >= low)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UTF8, _DECIMAL, _DATE = 0, 5, 6
_INT32, _INT64, _BYTE_ARRAY, _FIXED = 1, 2, 6, 7
_LOGICAL_STRING, _LOGICAL_DECIMAL, _LOGICAL_DATE, _LOGICAL_TIMESTAMP, _LOGICAL_INTEGER = 1, 5, 6, 8, 10
_CONVERTED_TIMESTAMPS = {9: 1000, 10: 1}
"""Number of a unit → microseconds."""


def _reader_of(leaf: Leaf) -> Callable[[bytes], Any] | None:
    """How the least and greatest value are written; None where they do not tell what our comparison needs."""
    logical = next(iter(leaf.logical), None)
    if leaf.physical in {_BYTE_ARRAY, _FIXED} and (logical == _LOGICAL_DECIMAL or leaf.converted == _DECIMAL):
        return lambda data: Decimal(int.from_bytes(data, "big", signed=True)).scaleb(-leaf.scale)
    if leaf.physical == _BYTE_ARRAY and (logical == _LOGICAL_STRING or leaf.converted == _UTF8):
        # A bound may be cut in the middle of a character; as bytes order like code points, so does what is left.
        return lambda data: data.decode("utf-8")
    if leaf.physical not in {_INT32, _INT64}:
        return None
    if logical == _LOGICAL_DECIMAL or leaf.converted == _DECIMAL:
        return lambda data: Decimal(_integer(data)).scaleb(-leaf.scale)
    if logical == _LOGICAL_DATE or leaf.converted == _DATE:
        return lambda data: date(1970, 1, 1) + timedelta(days=_integer(data))
    if logical == _LOGICAL_TIMESTAMP or leaf.converted in _CONVERTED_TIMESTAMPS:
        each = _microseconds(leaf)
        return (lambda data: _EPOCH + timedelta(microseconds=_integer(data) * each)) if each else None
    signed = logical is None or (logical == _LOGICAL_INTEGER and _TRUE in _get(leaf.logical, logical, _STRUCT).get(2, ()))
    return _integer if signed and leaf.converted in {None, 15, 16, 17, 18} else None


def _microseconds(leaf: Leaf) -> int:
    """Of one unit; 0 for what is finer."""
    if leaf.logical:
        unit: Struct = _get(_get(leaf.logical, _LOGICAL_TIMESTAMP, _STRUCT, {}), 2, _STRUCT, {})
        return {1: 1000, 2: 1}.get(next(iter(unit), 0), 0)
    return _CONVERTED_TIMESTAMPS[leaf.converted or 0]


def _integer(data: bytes) -> int:
    return int(struct.unpack("<i" if len(data) == 4 else "<q", data)[0])
