"""What every kind of source can do, and how one is opened. A kind's driver is imported only when it is used."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from reporter.conditions import Condition
from reporter.deadline import Deadline
from reporter.schema import SourceSchema
from reporter.sources.entry import SourceEntry
from reporter.sources.hosts import HostRule

if TYPE_CHECKING:
    from reporter.dataset import Batch

Credentials = Callable[[bool], Mapping[str, str]]
"""``{"username", "password"}``; asked with True when what was given before does not work (any more)."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where sources are read from. ``client``: service name → boto3 client; ``bucket``: the project's own; seconds.

    ``read_seconds``: how long a source may be silent while a report reads; ``discovery_seconds``: for finding its tables.
    """

    client: Callable[[str], Any]
    bucket: str
    connect_seconds: int
    read_seconds: int
    hosts: HostRule
    discovery_seconds: int = 15

    def discovery(self) -> Deadline:
        """By when a source's tables must be found that are looked for now."""
        return Deadline(self.discovery_seconds, setting="DiscoverySeconds", what="discovery")


class Snapshot(Protocol):
    """Reads of one report: each table as it is at one moment."""

    def rows(
        self,
        table: str,
        columns: Sequence[str],
        schema: SourceSchema,
        conditions: Sequence[Condition],
        organization_id: str,
    ) -> "Iterator[Batch]":
        """Batches of rows in the order of ``columns``; without columns one constant a row.

        ``table`` and ``columns`` come from ``schema``, ``conditions`` from ``row_filters.resolve``. The organization's
        scope is always part of the query. Values are plain: ``str``, ``int``, ``Decimal``, ``bool``, ``date``,
        ``datetime``, lists and dictionaries of these, None. Never a short read: what breaks off raises
        ``SourceUnavailable``, what can never succeed ``ReportFailure`` (SOURCE_CHANGED, SOURCE_VALUE, REPORT_TIMEOUT).
        """
        ...


class Source(Protocol):
    """A data source that can be reached."""

    def discover(self, organization_id: str) -> SourceSchema:
        """All tables there are. ``organization_id`` matters only where organizations have files of their own.

        Raises ``ReportFailure``, among them ``SourceUnavailable``.
        """
        ...

    def snapshot(self, deadline: Deadline) -> AbstractContextManager[Snapshot]:
        """Reads that end by ``deadline``. Raises ``ReportFailure``, among them ``SourceUnavailable``."""
        ...


def open_source(entry: SourceEntry, credentials: Credentials, surroundings: Surroundings) -> Source:
    """The source behind an entry; nothing is connected yet."""
    if entry.type == "files":
        from reporter.sources.files import FilesSource

        return FilesSource(entry, surroundings)
    from reporter.sources.postgresql import PostgresqlSource

    return PostgresqlSource(entry, credentials, surroundings)
