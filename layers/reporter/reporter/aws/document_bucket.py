"""The bucket: templates and finished documents. Keys are made of ids we made, never of what a caller wrote."""

import base64
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reporter.aws.clients import AWS_ERRORS, client, error_code
from reporter.deadline import Deadline
from reporter.document import CONTENT_TYPES, Document, file_name
from reporter.errors import ConditionFailed, ReportFailure, Unavailable
from reporter.report import Report, Status


class DocumentBucket:
    """Objects appear whole or not at all, and no object is ever written over another."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._client = client("s3")

    def read_bytes(self, key: str, sha256: str) -> bytes:
        """A stored object, checked against the digest in its record.

        Raises ``ReportFailure`` TEMPLATE_UNAVAILABLE when it is missing or other bytes, ``Unavailable`` otherwise.
        """
        try:
            content: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except AWS_ERRORS as error:
            if error_code(error) in {"NoSuchKey", "404"}:
                raise ReportFailure("TEMPLATE_UNAVAILABLE", "the template's file is missing") from None
            raise Unavailable("the document bucket") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ReportFailure("TEMPLATE_UNAVAILABLE", "the template's file is not the one that was registered")
        return content

    def read_text(self, key: str, sha256: str) -> str:
        """A stored template. Raises as ``read_bytes``."""
        return self.read_bytes(key, sha256).decode()

    def store_bytes(self, key: str, content: bytes, content_type: str) -> None:
        """Store a small object under a new key; the same bytes may be there. Raises ``ConditionFailed`` for others."""
        self._put(key, content, content_type, hashlib.sha256(content).hexdigest())

    def store(
        self, key: str, document: Document, content_type: str, deadline: Deadline, correlation_id: str | None = None
    ) -> None:
        """See ``ports.Documents.store``."""
        with TimedReader(document.path.open("rb", buffering=0), deadline) as body:
            try:
                self._put(key, body, content_type, document.sha256, correlation_id)
            except Unavailable:
                deadline.check()
                raise

    def discard(self, key: str) -> None:
        """Remove every version of the object under exactly this key. Raises ``Unavailable``."""
        self._discard(key, lambda found: found == key)

    def discard_all(self, report: Report, keep: str | None) -> None:
        """See ``ports.Documents.discard_all``. Raises ``Unavailable``."""
        final = report.deleted or report.status is not Status.ERROR
        self._discard(_folder(report), lambda found: found != keep and (final or _attempt(found) <= report.attempts))

    def _discard(self, prefix: str, wanted: Callable[[str], bool]) -> None:
        try:
            pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                for version in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                    if wanted(version["Key"]):
                        self._client.delete_object(Bucket=self._bucket, Key=version["Key"], VersionId=version["VersionId"])
        except AWS_ERRORS as error:
            raise Unavailable("the document bucket") from error

    def holds(self, report: Report) -> bool:
        """See ``workflow.describe.Links.holds``."""
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=report.document_key)
        except AWS_ERRORS as error:
            if error_code(error) in {"NoSuchKey", "404"}:
                return False
            raise Unavailable("the document bucket") from error
        return (found["ContentLength"], found["Metadata"].get("sha256")) == (report.size, report.sha256)

    def presigned_url(self, report: Report, seconds: int) -> str:
        """A URL for one download: SigV4, regional host, content type and disposition signed.

        It dies with the function's credentials, so ``seconds`` is minutes, not days.
        """
        parameters = {
            "Bucket": self._bucket,
            "Key": report.document_key,
            "ResponseContentType": CONTENT_TYPES[report.output_format],
            "ResponseContentDisposition": f'attachment; filename="{file_name(report.id, report.output_format)}"',
        }
        url: str = self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds)
        return url

    def _put(self, key: str, content: Any, content_type: str, sha256: str, correlation_id: str | None = None) -> None:
        # One PUT holds 5 GB, streams from disk, and is the one upload that can be conditional from its first byte.
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=content,
                ContentType=content_type,
                IfNoneMatch="*",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
                Metadata={"sha256": sha256, **({"correlation-id": correlation_id} if correlation_id else {})},
            )
        except AWS_ERRORS as error:
            self._settle(key, sha256, error)

    def _settle(self, key: str, sha256: str, error: BaseException) -> None:
        """After a refused or unacknowledged upload: the very same bytes are there, others are, or nobody knows."""
        if error_code(error) not in {"PreconditionFailed", "412", "ConditionalRequestConflict"}:
            raise Unavailable("the document bucket") from error
        try:
            found: dict[str, Any] = self._client.head_object(Bucket=self._bucket, Key=key)
        except AWS_ERRORS as failed:
            raise Unavailable("the document bucket") from failed
        if found.get("Metadata", {}).get("sha256") != sha256:
            raise ConditionFailed(f"another object is stored under {key}") from None


class TimedReader(io.BufferedReader):
    """A file that can be read until the deadline only: an upload that is too slow ends in REPORT_TIMEOUT."""

    def __init__(self, file: io.FileIO, deadline: Deadline) -> None:
        super().__init__(file)
        self._deadline = deadline

    def read(self, size: int | None = -1, /) -> bytes:
        """As ``io.BufferedReader``. Raises ``ReportFailure``."""
        self._deadline.check()
        return super().read(size)


def document_key(report: Report) -> str:
    """Where this attempt's document goes: attempts never share a key, so a late one cannot replace another's."""
    extension = Path(file_name(report.id, report.output_format)).suffix
    return f"{_folder(report)}{report.attempts}{extension}"


def _attempt(key: str) -> int:
    """The number of the attempt that stored it; 0 for what none has stored."""
    number = Path(key).stem
    return int(number) if number.isdecimal() else 0


def _folder(report: Report) -> str:
    return f"documents/{report.organization_id}/{report.id}/"
