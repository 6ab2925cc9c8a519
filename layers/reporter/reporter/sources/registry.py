"""The registry of data sources: entries in Parameter Store, credentials in Secrets Manager, known schemas in DynamoDB.

A schema that is known keeps reports being accepted while its database is down: it is discovered again when it is older
than the setting, but an old one is used rather than none.
"""

import gzip
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from reporter.conditions import Condition
from reporter.deadline import Deadline
from reporter.errors import ReportFailure, SourceResting, Unavailable
from reporter.schema import SourceSchema
from reporter.sources.entry import EntryError, SourceEntry, parse_entry
from reporter.sources.hosts import HostRule
from reporter.sources.reading import Snapshot, Source, Surroundings, open_source

if TYPE_CHECKING:
    from reporter.dataset import Batch
    from reporter.sources.breaker import SourceBreaker

AWS_ERRORS = (ClientError, BotoCoreError)
STALE_SECONDS = 30 * 24 * 3600
"""How long a schema is kept for the day its database is down."""
MAX_KEPT = 500
"""Schemas in memory."""

log = logging.getLogger("reporter")


class SourceRegistry:
    """``client``: service name → boto3 client. Times in seconds. ``networks``: private CIDR blocks sources may be in.

    ``keeps_schemas``: whether what is discovered is stored for others. ``breaker`` keeps snapshots, and looks for tables,
    from sources that are down.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        *,
        stage: str,
        schema_table: str,
        bucket: str,
        cache_seconds: int,
        schema_seconds: int,
        connect_seconds: int,
        read_seconds: int,
        allow_private: bool,
        networks: Sequence[str] = (),
        keeps_schemas: bool = True,
        discovery_seconds: int = 15,
        breaker: "SourceBreaker | None" = None,
    ) -> None:
        self._client = client
        self._keeps_schemas = keeps_schemas
        self._breaker = breaker
        self._path = f"/reporter/{stage}/data-sources/"
        self._schema_table = schema_table
        self._bucket = bucket
        self._cache_seconds = cache_seconds
        self._schema_seconds = schema_seconds
        self._allow_private = allow_private
        self._networks = networks
        rule = HostRule.of(allow_private, networks)
        self._surroundings = Surroundings(client, bucket, connect_seconds, read_seconds, rule, discovery_seconds)
        self._entries: tuple[float, dict[str, SourceEntry]] | None = None
        self._schemas: dict[tuple[str, str], tuple[float, SourceSchema]] = {}
        self._secrets: dict[str, tuple[float, Mapping[str, str]]] = {}

    def entries(self, organization_id: str) -> dict[str, SourceEntry]:
        """What the organization may read, by id. Raises ``Unavailable``."""
        return {name: entry for name, entry in self._all().items() if entry.readable_by(organization_id)}

    def for_organization(self, organization_id: str) -> "VisibleSchemas":
        """Source id → schema of the tables it may read; asked for only when looked up."""
        return VisibleSchemas(self.entries(organization_id), lambda entry: self.schema(entry, organization_id))

    def rows_of(self, organization_id: str) -> "OrganizationRows":
        """What a document for the organization may be made of. Raises ``Unavailable``."""
        return OrganizationRows(self, organization_id)

    def schema(self, entry: SourceEntry, organization_id: str) -> SourceSchema:
        """The visible schema of a source: from memory, the table, or the source itself.

        Raises ``Unavailable``, and ``SourceResting`` where only the source itself could tell.
        """
        key = (_stored_name(entry, organization_id), entry.fingerprint)
        known = self._schemas.get(key)
        if known is None or time.monotonic() - known[0] > self._cache_seconds:
            known = (time.monotonic(), entry.visible(self._current_schema(entry, organization_id)))
            if len(self._schemas) >= MAX_KEPT:
                self._schemas.clear()
            self._schemas[key] = known
        return known[1]

    @contextmanager
    def snapshot(self, entry: SourceEntry, organization_id: str, deadline: Deadline) -> Iterator[Snapshot]:
        """Reads of one report, by ``deadline``. A source that has changed is looked at anew before the next is accepted.

        Raises ``ReportFailure``, and ``Unavailable`` when its credentials cannot be had.
        """
        try:
            with self._guarding(entry), self._source(entry).snapshot(deadline) as snapshot:
                yield snapshot
        except ReportFailure as error:
            if error.code == "SOURCE_CHANGED" and entry.schema_key is None:
                known = self._schemas.pop((_stored_name(entry, organization_id), entry.fingerprint), None)
                if known is not None:
                    self._store(entry, organization_id, known[1], discovered=0)
            raise

    def _guarding(self, entry: SourceEntry) -> AbstractContextManager[None]:
        return self._breaker.guarding(entry.id) if self._breaker else nullcontext()

    def _source(self, entry: SourceEntry) -> Source:
        return open_source(entry, lambda fresh: self._credentials(entry, fresh), self._surroundings)

    def _all(self) -> dict[str, SourceEntry]:
        if self._entries is None or time.monotonic() - self._entries[0] > self._cache_seconds:
            found: dict[str, SourceEntry] = {}
            try:
                pages = self._client("ssm").get_paginator("get_parameters_by_path")
                for page in pages.paginate(Path=self._path, WithDecryption=True):
                    for parameter in page["Parameters"]:
                        entry = self._parsed(parameter["Name"], parameter["Value"])
                        if entry is not None:
                            found[entry.id] = entry
            except AWS_ERRORS as error:
                raise Unavailable("the registry of data sources") from error
            self._entries = (time.monotonic(), found)
        return self._entries[1]

    def _parsed(self, name: str, text: str) -> SourceEntry | None:
        """A broken entry must not take the others down; it is as if it were not there."""
        try:
            entry = parse_entry(text, allow_private=self._allow_private, networks=self._networks)
            if name != self._path + entry.id:
                raise EntryError("id is not the parameter's name")
        except EntryError as error:
            log.error("a registry entry is refused", extra={"parameter": name, "reason": str(error)})
            return None
        return entry

    def _credentials(self, entry: SourceEntry, fresh: bool) -> Mapping[str, str]:
        arn = entry.connection.get("secretArn")
        if arn is None:
            return {name: str(entry.connection.get(name, "")) for name in ("username", "password")}
        known = self._secrets.get(arn)
        if fresh or known is None or time.monotonic() - known[0] > self._cache_seconds:
            try:
                value = json.loads(self._client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
                known = (time.monotonic(), {name: str(value[name]) for name in ("username", "password")})
            except (*AWS_ERRORS, KeyError, TypeError, ValueError):
                # Without its cause: a broken secret's text would stand in the trace.
                raise Unavailable(f"the secret of data source {entry.id}") from None
            self._secrets[arn] = known
        return known[1]

    def _current_schema(self, entry: SourceEntry, organization_id: str) -> SourceSchema:
        if entry.schema_key is not None:
            return self._declared(entry, entry.schema_key)
        age, stored = self._stored(entry, organization_id)
        if stored is not None and age < self._schema_seconds:
            return stored
        try:
            with self._guarding(entry):
                discovered = self._source(entry).discover(organization_id)
        except (ReportFailure, Unavailable) as error:
            log.warning("a schema cannot be discovered", extra={"source": entry.id, "reason": str(error)})
            if stored is not None:
                return stored
            if isinstance(error, SourceResting):
                raise
            raise Unavailable(f"data source {entry.id}") from None
        self._store(entry, organization_id, discovered, discovered=int(time.time()))
        return discovered

    def _declared(self, entry: SourceEntry, key: str) -> SourceSchema:
        try:
            content = self._client("s3").get_object(Bucket=self._bucket, Key=key)["Body"].read()
            return entry.declared(json.loads(content))
        except (*AWS_ERRORS, EntryError, ValueError) as error:
            log.error("a declared schema is refused", extra={"source": entry.id, "reason": str(error)})
            raise Unavailable(f"the declared schema of data source {entry.id}") from None

    def _stored(self, entry: SourceEntry, organization_id: str) -> tuple[float, SourceSchema | None]:
        key = {"source": {"S": _stored_name(entry, organization_id)}}
        try:
            item = self._client("dynamodb").get_item(TableName=self._schema_table, Key=key).get("Item")
        except AWS_ERRORS as error:
            raise Unavailable("the table of schemas") from error
        if item is None or item["entry"]["S"] != entry.fingerprint:
            return 0, None
        value = json.loads(gzip.decompress(item["schema"]["B"]))
        return time.time() - float(item["discovered"]["N"]), SourceSchema.from_json(entry.id, value)

    def _store(self, entry: SourceEntry, organization_id: str, schema: SourceSchema, *, discovered: int) -> None:
        if not self._keeps_schemas:
            return
        item = {
            "source": {"S": _stored_name(entry, organization_id)},
            "entry": {"S": entry.fingerprint},
            "discovered": {"N": str(discovered)},
            "expires": {"N": str(int(time.time()) + STALE_SECONDS)},
            "schema": {"B": gzip.compress(json.dumps(schema.as_json()).encode())},
        }
        try:
            self._client("dynamodb").put_item(TableName=self._schema_table, Item=item)
        except AWS_ERRORS:
            # Only the next call is slower for it.
            return


def _stored_name(entry: SourceEntry, organization_id: str) -> str:
    return f"{entry.id}#{organization_id}" if entry.differs_by_organization else entry.id


class VisibleSchemas(Mapping[str, SourceSchema]):
    """The schemas one organization may see, fetched when looked up."""

    def __init__(self, entries: Mapping[str, SourceEntry], schema_of: Callable[[SourceEntry], SourceSchema]) -> None:
        self._entries = entries
        self._schema_of = schema_of

    def __getitem__(self, source: str) -> SourceSchema:
        return self._schema_of(self._entries[source])

    def __contains__(self, source: object) -> bool:
        return source in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class OrganizationRows:
    """See ``press.RowSource``: what one organization may read."""

    def __init__(self, registry: SourceRegistry, organization_id: str) -> None:
        self._registry = registry
        self._organization_id = organization_id
        self._entries = registry.entries(organization_id)
        self.schemas: Mapping[str, SourceSchema] = registry.for_organization(organization_id)

    @contextmanager
    def snapshot(
        self, source: str, deadline: Deadline
    ) -> Iterator[Callable[[str, Sequence[str], Sequence[Condition]], "Iterator[Batch]"]]:
        """See ``press.RowSource.snapshot``."""
        with self._registry.snapshot(self._entries[source], self._organization_id, deadline) as snapshot:

            def read(table: str, columns: Sequence[str], conditions: Sequence[Condition]) -> "Iterator[Batch]":
                return snapshot.rows(table, columns, self.schemas[source], conditions, self._organization_id)

            yield read
