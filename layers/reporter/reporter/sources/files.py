"""Files on S3: CSV with a header and JSON Lines, streamed, typed by the schema, filtered row by row; and Parquet.

A report reads one version of each object, and all of it: a body that ends early is an error.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from reporter.conditions import Condition, RowTest
from reporter.dataset import BATCH_ROWS, Batch
from reporter.deadline import Deadline
from reporter.errors import ReportFailure
from reporter.schema import ColumnType, SourceSchema
from reporter.sources.entry import ORGANIZATION_MARK, SourceEntry
from reporter.sources.file_formats import FORMATS, FileFormat, UnfitFile
from reporter.sources.objects import MissingFile, Objects
from reporter.sources.reading import Surroundings

if TYPE_CHECKING:
    from reporter.sources.parquet import Parquet

SNIFFED_ROWS = 1000
"""How many rows a type is guessed from where no schema is declared."""


class FilesSource:
    """See ``reading.Source``."""

    def __init__(self, entry: SourceEntry, surroundings: Surroundings) -> None:
        self._entry = entry
        self._surroundings = surroundings

    def discover(self, organization_id: str) -> SourceSchema:
        """Each table's columns as the first rows show them; a table without a file is not there."""
        snapshot = FilesSnapshot(self._entry, self._surroundings, self._surroundings.discovery())
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
        bucket = entry.connection["bucket"] or surroundings.bucket
        self._objects = Objects(entry.id, surroundings.client("s3"), bucket, deadline)

    def sniff(self, table: str, organization_id: str) -> Mapping[str, ColumnType]:
        """The columns and types that the first rows show."""
        if self._is_parquet(table):
            with self._named(table):
                return self._parquet(table, organization_id).columns()
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
        wanted = (*self._entry.scope_conditions(table, kinds, organization_id), *conditions)
        if self._is_parquet(table):
            with self._named(table):
                yield from self._parquet(table, organization_id).rows(columns, kinds, wanted)
            return
        test = RowTest(wanted)
        tested = {condition.column: None for condition in wanted}
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

    def _text(self, table: str, organization_id: str) -> AbstractContextManager[TextIO]:
        return self._objects.text(self._key(table, organization_id), table)

    def _parquet(self, table: str, organization_id: str) -> "Parquet":
        from reporter.sources.parquet import Parquet

        return Parquet(*self._objects.ranges(self._key(table, organization_id), table))

    def _is_parquet(self, table: str) -> bool:
        return bool(self._entry.connection["tables"][table]["format"] == "parquet")

    def _key(self, table: str, organization_id: str) -> str:
        return str(self._entry.connection["tables"][table]["key"]).replace(ORGANIZATION_MARK, organization_id)

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
