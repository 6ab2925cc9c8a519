"""The registry of data sources: entries in Parameter Store, credentials in Secrets Manager, known schemas in DynamoDB.

A schema that is known keeps reports being accepted while its database is down: it is discovered again when it is older
than the setting, but an old one is used rather than none.
"""

import gzip
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from reporter.errors import ReportFailure, Unavailable
from reporter.schema import SourceSchema
from reporter.sources.entry import EntryError, SourceEntry, parse_entry
from reporter.sources.postgresql import PostgresqlSource

AWS_ERRORS = (ClientError, BotoCoreError)
STALE_SECONDS = 30 * 24 * 3600
"""How long a schema is kept for the day its database is down."""


class SourceRegistry:
    """``client``: service name → boto3 client. Times in seconds."""

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
    ) -> None:
        self._client = client
        self._path = f"/reporter/{stage}/data-sources/"
        self._schema_table = schema_table
        self._bucket = bucket
        self._cache_seconds = cache_seconds
        self._schema_seconds = schema_seconds
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._allow_private = allow_private
        self._entries: tuple[float, dict[str, SourceEntry]] | None = None
        self._schemas: dict[str, tuple[float, SourceSchema]] = {}

    def entries(self, organization_id: str) -> dict[str, SourceEntry]:
        """What the organization may read, by id. Raises ``Unavailable``."""
        return {name: entry for name, entry in self._all().items() if entry.readable_by(organization_id)}

    def for_organization(self, organization_id: str) -> "VisibleSchemas":
        """Source id → schema of the tables it may read; asked for only when looked up."""
        return VisibleSchemas(self.entries(organization_id), self.schema)

    def schema(self, entry: SourceEntry) -> SourceSchema:
        """The visible schema of a source: from memory, the table, or the source itself. Raises ``Unavailable``."""
        known = self._schemas.get(entry.id)
        if known is None or time.monotonic() - known[0] > self._cache_seconds:
            known = (time.monotonic(), entry.visible(self._current_schema(entry)))
            self._schemas[entry.id] = known
        return known[1]

    def source(self, entry: SourceEntry) -> PostgresqlSource:
        """A reader for the entry. Raises ``Unavailable`` when its credentials cannot be had."""
        return PostgresqlSource(
            entry,
            self._credentials(entry),
            connect_seconds=self._connect_seconds,
            read_seconds=self._read_seconds,
            allow_private=self._allow_private,
        )

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
            entry = parse_entry(text, allow_private=self._allow_private)
        except EntryError as error:
            print(json.dumps({"level": "ERROR", "message": f"registry entry {name} is refused: {error}"}))
            return None
        return entry if name.rpartition("/")[2] == entry.id else None

    def _credentials(self, entry: SourceEntry) -> Mapping[str, str]:
        if "username" in entry.connection:
            return {name: str(entry.connection.get(name, "")) for name in ("username", "password")}
        try:
            secret = self._client("secretsmanager").get_secret_value(SecretId=entry.connection["secretArn"])
            value = json.loads(secret["SecretString"])
            return {"username": value["username"], "password": value["password"]}
        except (*AWS_ERRORS, KeyError, ValueError) as error:
            raise Unavailable(f"the credentials of data source {entry.id}") from error

    def _current_schema(self, entry: SourceEntry) -> SourceSchema:
        if entry.schema_key is not None:
            return self._declared(entry, entry.schema_key)
        age, stored = self._stored(entry)
        if stored is not None and age < self._schema_seconds:
            return stored
        try:
            discovered = self.source(entry).discover()
        except (ReportFailure, Unavailable):
            if stored is not None:
                return stored
            raise Unavailable(f"data source {entry.id}") from None
        self._store(entry, discovered)
        return discovered

    def _declared(self, entry: SourceEntry, key: str) -> SourceSchema:
        try:
            content = self._client("s3").get_object(Bucket=self._bucket, Key=key)["Body"].read()
            return SourceSchema.from_json(entry.id, json.loads(content))
        except (*AWS_ERRORS, KeyError, ValueError) as error:
            raise Unavailable(f"the declared schema of data source {entry.id}") from error

    def _stored(self, entry: SourceEntry) -> tuple[float, SourceSchema | None]:
        try:
            answer = self._client("dynamodb").get_item(TableName=self._schema_table, Key={"source": {"S": entry.id}})
        except AWS_ERRORS as error:
            raise Unavailable("the table of schemas") from error
        if "Item" not in answer:
            return 0, None
        item = answer["Item"]
        value = json.loads(gzip.decompress(item["schema"]["B"]))
        return time.time() - float(item["discovered"]["N"]), SourceSchema.from_json(entry.id, value)

    def _store(self, entry: SourceEntry, schema: SourceSchema) -> None:
        now = int(time.time())
        item = {
            "source": {"S": entry.id},
            "discovered": {"N": str(now)},
            "expires": {"N": str(now + STALE_SECONDS)},
            "schema": {"B": gzip.compress(json.dumps(schema.as_json()).encode())},
        }
        try:
            self._client("dynamodb").put_item(TableName=self._schema_table, Item=item)
        except AWS_ERRORS:
            # Only the next call is slower for it.
            return


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
