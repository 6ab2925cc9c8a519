"""A registered data source: what it is, who may read it, and how rows are kept apart by organization."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reporter.errors import RequestError
from reporter.exact_json import parse_json
from reporter.schema import SourceSchema

MAX_ENTRY_BYTES = 4096
"""Parameter Store's standard tier."""
TYPES = frozenset({"postgresql"})
_MEMBERS = frozenset({"id", "externalName", "type", "organizations", "connection", "schemas", "scope", "schemaKey"})
_CONNECTION = {
    "postgresql": frozenset({"host", "port", "database", "secretArn", "username", "password", "sslmode", "sslrootcert"}),
    "files": frozenset({"bucket", "tables"}),
}


class EntryError(ValueError):
    """A registry entry is refused. The message names the member, never its secrets."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which column must equal the organization, in every query: ``default`` unless ``tables`` names another.

    ``shared`` tables hold the same rows for everyone; ``*`` shares all.
    """

    default: str | None = None
    tables: Mapping[str, str] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()

    def column(self, table: str) -> str | None:
        """The scoping column of a qualified table; None where the table is shared."""
        bare = table.rpartition(".")[2]
        if "*" in self.shared or table in self.shared or bare in self.shared:
            return None
        return self.tables.get(table) or self.tables.get(bare) or self.default or ""


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One entry of the registry. ``organizations``: ids, or ``*`` for all."""

    id: str
    external_name: str
    type: str
    organizations: frozenset[str]
    connection: Mapping[str, Any] = field(repr=False)
    schemas: tuple[str, ...] = ()
    scope: Scope = field(default_factory=Scope)
    schema_key: str | None = None

    def readable_by(self, organization_id: str) -> bool:
        """Whether the organization may know of this source."""
        return "*" in self.organizations or organization_id in self.organizations

    def visible(self, schema: SourceSchema) -> SourceSchema:
        """The tables that can be kept apart by organization; the rest does not exist for any caller."""
        tables = {name: columns for name, columns in schema.tables.items() if self._separable(name, columns)}
        return SourceSchema(schema.source, tables, schema.schemas)

    def _separable(self, table: str, columns: Mapping[str, Any]) -> bool:
        if self.type == "files" and "{organization}" in str(self.connection["tables"].get(table, {}).get("key", "")):
            return True
        column = self.scope.column(table)
        return column is None or column in columns


def parse_entry(text: str, *, allow_private: bool) -> SourceEntry:
    """The entry in a registry parameter. ``allow_private`` admits loopback, plain connections and inline credentials.

    Raises ``EntryError`` naming what is wrong.
    """
    if len(text.encode()) > MAX_ENTRY_BYTES:
        raise EntryError(f"an entry holds at most {MAX_ENTRY_BYTES} bytes; put declared schemas into schemaKey's object")
    try:
        value = parse_json(text, "entry")
    except RequestError as error:
        raise EntryError(error.message) from None
    if not isinstance(value, dict):
        raise EntryError("an entry is a JSON object")
    if unknown := sorted(set(value) - _MEMBERS):
        raise EntryError(f"unknown members: {', '.join(unknown)}")
    for name in ("id", "type", "connection", "organizations"):
        if not value.get(name):
            raise EntryError(f"{name} is missing")
    if not str(value["id"]).isidentifier():
        raise EntryError("id must be a name that a template can use: letters, digits and underscores")
    if value["type"] not in TYPES:
        raise EntryError(f"type must be one of {', '.join(sorted(TYPES))}")
    connection = value["connection"]
    if not isinstance(connection, dict) or not set(connection) <= _CONNECTION[value["type"]]:
        raise EntryError(f"connection holds only {', '.join(sorted(_CONNECTION[value['type']]))}")
    if value["type"] == "postgresql":
        _check_postgresql(connection, allow_private)
    scope = value.get("scope") or {}
    if not isinstance(scope, dict) or not set(scope) <= {"default", "tables", "shared"}:
        raise EntryError("scope holds only default, tables and shared")
    return SourceEntry(
        id=value["id"],
        external_name=str(value.get("externalName") or value["id"]),
        type=value["type"],
        organizations=frozenset(str(name).lower() for name in value["organizations"]),
        connection=connection,
        schemas=tuple(value.get("schemas") or (("public",) if value["type"] == "postgresql" else ())),
        scope=Scope(scope.get("default"), scope.get("tables") or {}, frozenset(scope.get("shared") or ())),
        schema_key=value.get("schemaKey"),
    )


def _check_postgresql(connection: Mapping[str, Any], allow_private: bool) -> None:
    host = connection.get("host")
    if not isinstance(host, str) or not host or host.startswith(("/", "@")) or "," in host:
        raise EntryError("connection.host must be the name of one host")
    if not connection.get("database"):
        raise EntryError("connection.database is missing")
    if allow_private:
        return
    if "password" in connection or "username" in connection:
        raise EntryError("credentials belong into Secrets Manager: name the secret in connection.secretArn")
    if connection.get("sslmode", "verify-full") != "verify-full":
        raise EntryError("connection.sslmode must be verify-full")
    if is_forbidden_host(host):
        raise EntryError("connection.host must not be a loopback or link-local address")


def is_forbidden_host(host: str) -> bool:
    """Loopback, link-local (the instance metadata service) and unspecified addresses, by name or number."""
    if host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(
        mapped.is_loopback or mapped.is_link_local or mapped.is_unspecified or mapped.is_multicast or mapped.is_reserved
    )
