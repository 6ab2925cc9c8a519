"""The zip file that a workbook is: one part after the other, streamed, the same bytes for the same content.

``zipfile`` would mark every part of unknown size as ZIP64, which spreadsheets repair or refuse, or stop at 2 GB.
"""

import struct
import zlib
from types import TracebackType
from typing import Self

from reporter.errors import ReportFailure
from reporter.formats.writing import DocumentWriter
from reporter.limit import FEWER_ROWS, passed

LEVEL = 2
"""A third of the time of level 6, for files that are an eighth larger."""
MOST_BYTES = (1 << 32) - 1
MOST_PARTS = (1 << 16) - 1
"""What the four and two bytes of a zip file can say; not to be set."""
_VERSION, _FLAGS, _DEFLATED = 20, 0x0808, 8
_TIME, _DATE = 0, 0x21
_LOCAL, _DESCRIPTOR, _ENTRY, _END = 0x04034B50, 0x08074B50, 0x02014B50, 0x06054B50


class Archive:
    """Parts carry no time and no owner. Close it when every part is written."""

    def __init__(self, writer: DocumentWriter) -> None:
        self.writer = writer
        self._start = writer.size
        self._directory: list[bytes] = []

    def add(self, name: str, content: str | bytes) -> None:
        """A small part, whole."""
        with self.part(name) as part:
            part.write(content if isinstance(content, bytes) else content.encode())

    def part(self, name: str) -> "Part":
        """A large part, to be written piece by piece; one at a time."""
        return Part(self, name)

    def enter(self, name: bytes, offset: int, crc: int, sizes: tuple[int, int]) -> None:
        """A part is whole: ``sizes`` compressed and not."""
        if len(self._directory) >= MOST_PARTS:
            raise ReportFailure(
                "DOCUMENT_INVALID", passed("the workbook has", MOST_PARTS, "parts", f"{FEWER_ROWS}, or use CSV")
            )
        if offset > MOST_BYTES:
            raise ReportFailure(
                "DOCUMENT_INVALID", passed("the workbook has", MOST_BYTES, "bytes", f"{FEWER_ROWS}, or use CSV")
            )
        fields = (_ENTRY, _VERSION, _VERSION, _FLAGS, _DEFLATED, _TIME, _DATE, crc, *sizes, len(name), 0, 0, 0, 0, 0, offset)
        self._directory.append(struct.pack("<IHHHHHHIIIHHHHHII", *fields) + name)

    @property
    def offset(self) -> int:
        """Bytes so far."""
        return self.writer.size - self._start

    def close(self) -> None:
        """Write the directory."""
        offset, directory = self.offset, b"".join(self._directory)
        count = len(self._directory)
        if offset + len(directory) > MOST_BYTES:
            raise ReportFailure(
                "DOCUMENT_INVALID", passed("the workbook has", MOST_BYTES, "bytes", f"{FEWER_ROWS}, or use CSV")
            )
        self.writer.write_bytes(directory + struct.pack("<IHHHHIIH", _END, 0, 0, count, count, len(directory), offset, 0))


class Part:
    """One part being written."""

    def __init__(self, archive: Archive, name: str) -> None:
        self._archive = archive
        self._name = name.encode()
        self._offset = archive.offset
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc = self._size = self._compressed = 0
        header = (_LOCAL, _VERSION, _FLAGS, _DEFLATED, _TIME, _DATE, 0, 0, 0, len(self._name), 0)
        archive.writer.write_bytes(struct.pack("<IHHHHHIIIHH", *header) + self._name)

    def write(self, content: bytes) -> None:
        """Append. Raises ``ReportFailure`` beyond the 4 GB that a part can hold."""
        self._size += len(content)
        if self._size > MOST_BYTES:
            raise ReportFailure("DOCUMENT_INVALID", f"{self._name.decode()} would hold more than 4 GB of XML")
        self._crc = zlib.crc32(content, self._crc)
        self._put(self._deflate.compress(content))

    def close(self) -> None:
        """The part is whole."""
        self._put(self._deflate.flush())
        sizes = (self._compressed, self._size)
        self._archive.writer.write_bytes(struct.pack("<IIII", _DESCRIPTOR, self._crc, *sizes))
        self._archive.enter(self._name, self._offset, self._crc, sizes)

    def _put(self, content: bytes) -> None:
        if content:
            self._compressed += len(content)
            self._archive.writer.write_bytes(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
