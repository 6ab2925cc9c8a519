"""Files on S3: CSV with a header and JSON Lines, streamed, typed by the schema, filtered row by row.

A report reads one version of each object, and all of it: a body that ends early is an error.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from reporter.conditions import Condition, RowTest
from reporter.dataset import BATCH_ROWS, Batch
from reporter.deadline import Deadline
from reporter.errors import ReportFailure, SourceUnavailable
from reporter.schema import ColumnType, SourceSchema
from reporter.sources.entry import ORGANIZATION_MARK, SourceEntry
from reporter.sources.file_formats import FORMATS, FileFormat, UnfitFile
from reporter.sources.reading import Surroundings

SNIFFED_ROWS = 1000
"""How many rows a type is guessed from where no schema is declared."""
BUFFER_BYTES = 1 << 18
_MISSING = frozenset({"NoSuchKey", "NoSuchVersion", "404", "AccessDenied", "403"})
"""Without the right to list a bucket, S3 says of a missing object that access is denied."""


class MissingFile(ReportFailure):
    """A table's object is not there."""


class FilesSource:
    """See ``reading.Source``."""

    def __init__(self, entry: SourceEntry, surroundings: Surroundings) -> None:
        self._entry = entry
        self._surroundings = surroundings

    def discover(self, organization_id: str) -> SourceSchema:
        """Each table's columns as the first rows show them; a table without a file is not there."""
        snapshot = FilesSnapshot(self._entry, self._surroundings, Deadline(self._surroundings.read_seconds))
        tables: dict[str, Mapping[str, ColumnType]] = {}
        for table in self._entry.connection["tables"]:
            try:
                tables[table] = snapshot.sniff(table, organization_id)
            except MissingFile:
                continue
        return SourceSchema(self._entry.id, tables)

    @contextmanager
    def snapshot(self, deadline: Deadline) -> Iterator["FilesSnapshot"]:
        """Reads that stay with the version of an object they began with."""
        yield FilesSnapshot(self._entry, self._surroundings, deadline)


class FilesSnapshot:
    """See ``reading.Snapshot``."""

    def __init__(self, entry: SourceEntry, surroundings: Surroundings, deadline: Deadline) -> None:
        self._entry = entry
        self._deadline = deadline
        self._client = surroundings.client("s3")
        self._bucket = entry.connection["bucket"] or surroundings.bucket
        self._pinned: dict[str, dict[str, str]] = {}

    def sniff(self, table: str, organization_id: str) -> Mapping[str, ColumnType]:
        """The columns and types that the first rows show."""
        kind = self._format(table)
        with self._text(table, organization_id) as text, self._named(table):
            return kind.sniff(text, SNIFFED_ROWS)

    def rows(
        self,
        table: str,
        columns: Sequence[str],
        schema: SourceSchema,
        conditions: Sequence[Condition],
        organization_id: str,
    ) -> Iterator[Batch]:
        """See ``reading.Snapshot``."""
        kinds = schema.tables[table]
        scope = self._entry.scope_conditions(table, kinds, organization_id)
        test = RowTest((*scope, *conditions))
        tested = {condition.column: None for condition in (*scope, *conditions)}
        others = [name for name in columns if name not in tested]
        batch: list[tuple[Any, ...]] = []
        with self._text(table, organization_id) as text, self._named(table):
            for value_of in self._format(table).records(text, {name: kinds[name] for name in (*tested, *others)}):
                values = {name: value_of(name) for name in tested}
                if not test.keeps(values.get):
                    continue
                values.update((name, value_of(name)) for name in others)
                batch.append(tuple(values[name] for name in columns) or (1,))
                if len(batch) == BATCH_ROWS:
                    yield batch
                    batch = []
        if batch:
            yield batch

    def _format(self, table: str) -> FileFormat:
        file = self._entry.connection["tables"][table]
        return FORMATS[file["format"]](file["delimiter"])

    @contextmanager
    def _text(self, table: str, organization_id: str) -> Iterator[io.TextIOWrapper]:
        key = self._entry.connection["tables"][table]["key"].replace(ORGANIZATION_MARK, organization_id)
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key, **self._pinned.get(key, {}))
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _MISSING:
                message = f"data source {self._entry.id}: the file of table {table} is not there"
                raise MissingFile("SOURCE_CHANGED", message) from None
            if code in {"PreconditionFailed", "412"}:
                raise SourceUnavailable(self._entry.id, "a file changed while it was read", dead=False) from None
            raise SourceUnavailable(self._entry.id, "S3 does not answer") from None
        except BotoCoreError:
            raise SourceUnavailable(self._entry.id, "S3 does not answer") from None
        version = answer.get("VersionId")
        pin = {"VersionId": version} if version and version != "null" else {"IfMatch": answer["ETag"]}
        self._pinned.setdefault(key, pin)
        body = WholeBody(answer["Body"], answer["ContentLength"], self._deadline, self._broken_off)
        try:
            yield io.TextIOWrapper(io.BufferedReader(body, BUFFER_BYTES), encoding="utf-8-sig", newline="")
        finally:
            answer["Body"].close()

    def _broken_off(self) -> SourceUnavailable:
        return SourceUnavailable(self._entry.id, "a file broke off while it was read")

    @contextmanager
    def _named(self, table: str) -> Iterator[None]:
        """Errors in a file's content, with the table's name. What stands in the file is not repeated."""
        try:
            yield
        except UnfitFile as error:
            message = f"data source {self._entry.id}, table {table}, {error}"
            raise ReportFailure("SOURCE_CHANGED" if error.changed else "SOURCE_VALUE", message) from None
        except UnicodeDecodeError:
            message = f"data source {self._entry.id}, table {table}: the file is not UTF-8"
            raise ReportFailure("SOURCE_VALUE", message) from None


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
