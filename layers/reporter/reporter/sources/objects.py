"""Objects on S3, each in the version that a report began with, and all of what was asked for."""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from reporter.deadline import Deadline
from reporter.errors import ReportFailure, SourceUnavailable

log = logging.getLogger("reporter")
BUFFER_BYTES = 1 << 18
_MISSING = frozenset({"NoSuchKey", "NoSuchVersion", "404"})
_OF_ALL = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
"""What is no fault of one object's, though it looks like the request's: the bucket is gone, or S3 is busy."""


class MissingFile(ReportFailure):
    """A table's object is not there."""


class Objects:
    """``source`` names itself in errors: ``MissingFile``, ``SourceUnavailable``, and REPORT_TIMEOUT past the deadline."""

    def __init__(self, source: str, client: Any, bucket: str, deadline: Deadline) -> None:
        self._source = source
        self._client = client
        self._bucket = bucket
        self._deadline = deadline
        self._pinned: dict[str, dict[str, str]] = {}

    @contextmanager
    def text(self, key: str, table: str) -> Iterator[io.TextIOWrapper]:
        """An object as text, streamed. ``table`` is whose object it is."""
        answer = self._asked(self._client.get_object, key, table)
        body = WholeBody(answer["Body"], answer["ContentLength"], self._deadline, self._broken_off)
        with closing(answer["Body"]):
            yield io.TextIOWrapper(io.BufferedReader(body, BUFFER_BYTES), encoding="utf-8-sig", newline="")

    def ranges(self, key: str, table: str) -> tuple[Callable[[int, int], bytes], int]:
        """How ranges of an object are fetched, by start and length, and its size in bytes."""

        def fetch(start: int, length: int) -> bytes:
            answer = self._asked(self._client.get_object, key, table, Range=f"bytes={start}-{start + length - 1}")
            with closing(answer["Body"]):
                content = WholeBody(answer["Body"], length, self._deadline, self._broken_off).readall()
            if len(content) != length:
                raise self._broken_off()
            return content

        return fetch, int(self._asked(self._client.head_object, key, table)["ContentLength"])

    def _asked(self, call: Callable[..., dict[str, Any]], key: str, table: str, **more: str) -> dict[str, Any]:
        try:
            answer = call(Bucket=self._bucket, Key=key, **more, **self._pinned.get(key, {}))
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _MISSING:
                message = f"data source {self._source}: the file of table {table} is not there"
                raise MissingFile("SOURCE_CHANGED", message) from None
            if _forbidden(error):
                # Also of an object that is not there, where the bucket may not be listed: nobody can tell which it is.
                log.warning("a file may not be read", extra={"source": self._source, "table": table, "code": code})
                raise SourceUnavailable(self._source, f"the file of table {table} may not be read", dead=False) from None
            if code in {"PreconditionFailed", "412", "InvalidRange", "416"}:
                raise SourceUnavailable(self._source, "a file changed while it was read", dead=False) from None
            if 400 <= _status(error) < 500 and _status(error) not in _OF_ALL:
                log.warning("a file is refused", extra={"source": self._source, "table": table, "code": code})
                raise SourceUnavailable(self._source, f"S3 refuses the file of table {table}", dead=False) from None
            raise SourceUnavailable(self._source, "S3 does not answer") from None
        except BotoCoreError:
            raise SourceUnavailable(self._source, "S3 does not answer") from None
        version = answer.get("VersionId")
        pin = {"VersionId": version} if version and version != "null" else {"IfMatch": answer["ETag"]}
        self._pinned.setdefault(key, pin)
        return answer

    def _broken_off(self) -> SourceUnavailable:
        return SourceUnavailable(self._source, "a file broke off while it was read")


def _forbidden(error: ClientError) -> bool:
    """Whether a policy or the object's key keeps us from it. S3 passes on what KMS says under names of its own."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return _status(error) == HTTPStatus.FORBIDDEN or code in {"AccessDenied", "403"} or code.startswith("KMS.")


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


class WholeBody(io.RawIOBase):
    """A body that is read to its promised length by the deadline, or raises ``broken_off()`` or REPORT_TIMEOUT."""

    def __init__(self, body: Any, length: int, deadline: Deadline, broken_off: Callable[[], Exception]) -> None:
        self._body = body
        self._left = length
        self._deadline = deadline
        self._broken_off = broken_off

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As ``io.RawIOBase``."""
        self._deadline.check()
        try:
            data = self._body.read(len(buffer))
        except (BotoCoreError, ClientError, HTTPError, OSError):
            raise self._broken_off() from None
        self._left -= len(data)
        if self._left < 0 or (not data and self._left):
            raise self._broken_off()
        buffer[: len(data)] = data
        return len(data)
