"""Writing a document: UTF-8 bytes into a file descriptor, counted and digested on the way."""

import errno
import hashlib
import os

from reporter.errors import ReportFailure
from reporter.limit import FEWER_ROWS, disk_full, passed


class DocumentWriter:
    """``write`` takes text, ``write_bytes`` bytes; beyond ``max_bytes`` it raises ``ReportFailure`` TEMPLATE_OUTPUT.

    ``setting``: what ``max_bytes`` is told by.
    """

    def __init__(self, descriptor: int, max_bytes: int, setting: str = "MaxOutputBytes") -> None:
        self._descriptor = descriptor
        self._max_bytes = max_bytes
        self._setting = setting
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """The digest of everything written, in hexadecimal."""
        return self._digest.hexdigest()

    def write(self, text: str) -> None:
        """Append text. Raises ``ReportFailure`` DOCUMENT_INVALID for half of a surrogate pair."""
        try:
            content = text.encode()
        except UnicodeEncodeError:
            raise ReportFailure("DOCUMENT_INVALID", "the document holds half of a surrogate pair") from None
        self.write_bytes(content)

    def write_bytes(self, content: bytes) -> None:
        """Append bytes."""
        self.size += len(content)
        if self.size > self._max_bytes:
            raise self._too_large()
        self._digest.update(content)
        view = memoryview(content)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            if error.errno == errno.EFBIG:
                raise self._too_large() from None
            written = self.size - len(content)
            raise ReportFailure("TEMPLATE_OUTPUT", disk_full(error, written, "the document")) from None

    def finish(self) -> list[str]:
        """Nothing is left to write, and nothing to warn of."""
        return []

    def read(self) -> bytes:
        """Everything written."""
        return os.pread(self._descriptor, self.size, 0)

    def _too_large(self) -> ReportFailure:
        return ReportFailure(
            "TEMPLATE_OUTPUT", passed("the document has", self._max_bytes, "bytes", FEWER_ROWS, self._setting)
        )
