"""A finished workbook looked at once more: its directory, and every part but the largest."""

import io
import os
from typing import Any
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

MOST_BYTES = 4 * 1024 * 1024
"""Of a part that is read again; larger ones are sheets, written from the same pieces as small ones."""
_NEEDED = {"[Content_Types].xml", "_rels/.rels"}


class NotWorkbook(ValueError):
    """The reason names the part."""


def check_workbook(descriptor: int) -> None:
    """Raises ``NotWorkbook`` where a part is missing, damaged or not well-formed XML."""
    try:
        with ZipFile(_Document(descriptor)) as archive:
            entries = archive.infolist()
            names = {entry.filename for entry in entries}
            if len(names) != len(entries) or not names >= _NEEDED:
                raise NotWorkbook("a part is missing or there twice")
            for entry in entries:
                if entry.file_size <= MOST_BYTES:
                    _check_part(entry.filename, archive.read(entry))
    except BadZipFile as error:
        raise NotWorkbook(str(error)) from None


def _check_part(name: str, content: bytes) -> None:
    if not name.endswith((".xml", ".rels", ".vml")):
        return
    try:
        expat.ParserCreate("utf-8", " ").Parse(content, True)
    except expat.ExpatError as error:
        raise NotWorkbook(f"{name}, line {error.lineno}: {expat.errors.messages[error.code]}") from None


class _Document(io.RawIOBase):
    """What ``zipfile`` needs of a file that is open already, where none can be opened."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._at = 0
        self._size = os.lseek(descriptor, 0, os.SEEK_END)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        content = os.pread(self._descriptor, len(buffer), self._at)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)
