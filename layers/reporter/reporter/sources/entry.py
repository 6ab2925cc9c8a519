"""A registered data source: what it is, who may read it, and how rows are kept apart by organization."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reporter.conditions import Condition, Interval
from reporter.errors import ReportFailure, RequestError
from reporter.exact_json import canonical_hash, parse_json
from reporter.schema import COLUMN_TYPES, Columns, SourceSchema
from reporter.sources.hosts import HostRule

MAX_ENTRY_BYTES = 4096
"""Parameter Store's standard tier."""
ORGANIZATION_MARK = "{organization}"
OWN_PREFIX = "sources/"
"""Where files lie in the project's own bucket: away from documents and templates."""
FORMATS: Mapping[str, str] = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "parquet": "parquet"}
"""Ending of a file's name → format."""
SCOPE_TYPES = frozenset({"uuid", "text"})

_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_SECRET = re.compile(r"arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@!-]+", re.ASCII)
_MEMBERS = frozenset({"id", "externalName", "type", "organizations", "connection", "schemas", "scope", "schemaKey"})
_SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
_ALIASES = {"user": "username", "dbname": "database", "sslMode": "sslmode"}


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

    def shares(self, table: str) -> bool:
        """Whether every organization sees all rows of a table. ``table`` qualified."""
        return not self.shared.isdisjoint({"*", table, _bare(table)})

    def column(self, table: str) -> str | None:
        """The column that keeps the organizations' rows of a qualified table apart, where one is named."""
        return self.tables.get(table) or self.tables.get(_bare(table)) or self.default


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

    def scope_conditions(self, table: str, columns: Columns, organization_id: str) -> tuple[Condition, ...]:
        """What every query of a table carries besides the caller's filters.

        Raises ``ReportFailure`` for a table whose rows cannot be kept apart: it must not be read at all.
        """
        if self.separated_by_key(table) or self.scope.shares(table):
            return ()
        column = self.scope.column(table)
        if not self._separable(table, columns) or column is None:
            raise ReportFailure("SOURCE_CHANGED", f"data source {self.id}: table {table} may not be read")
        return (Condition(column, (), columns[column], (Interval(organization_id, organization_id),)),)

    @property
    def fingerprint(self) -> str:
        """Changes when the entry leads to another place, so that what was known of the old one is not used."""
        place = {name: item for name, item in self.connection.items() if name not in {"username", "password"}}
        return canonical_hash([self.type, place, list(self.schemas)])

    def declared(self, value: Any) -> SourceSchema:
        """The schema in ``schemaKey``'s object: ``{"tables": {table: {column: type}}}``.

        Tables outside the entry's schemas or files are left out; without a schema's name a table is in the first one.
        Raises ``EntryError``.
        """
        tables = value.get("tables") if isinstance(value, dict) else None
        if not isinstance(tables, dict):
            raise EntryError("a declared schema is an object with tables")
        found: dict[str, Columns] = {}
        for table, columns in tables.items():
            name = table if self.type == "files" or "." in table else f"{self.schemas[0]}.{table}"
            if not isinstance(columns, dict) or not COLUMN_TYPES.issuperset(map(str, columns.values())):
                raise EntryError(f"table {table} must name its columns, each with one of {', '.join(sorted(COLUMN_TYPES))}")
            known = self.connection["tables"] if self.type == "files" else self.schemas
            if (name if self.type == "files" else name.partition(".")[0]) in known:
                found[name] = columns
        return SourceSchema(self.id, found, self.schemas)

    def separated_by_key(self, table: str) -> bool:
        """Whether each organization has a file of its own."""
        return self.type == "files" and ORGANIZATION_MARK in self.connection["tables"].get(table, {}).get("key", "")

    @property
    def differs_by_organization(self) -> bool:
        """Whether the schema has to be found for each organization on its own: in its own files."""
        return self.schema_key is None and any(map(self.separated_by_key, self.connection.get("tables", ())))

    def _separable(self, table: str, columns: Columns) -> bool:
        if self.separated_by_key(table) or self.scope.shares(table):
            return True
        return columns.get(self.scope.column(table) or "") in SCOPE_TYPES


def _bare(table: str) -> str:
    return table.partition(".")[2] or table


def parse_entry(text: str, *, allow_private: bool, networks: Sequence[str] = ()) -> SourceEntry:
    """The entry in a registry parameter.

    ``allow_private`` admits loopback, plain connections and inline credentials; ``networks`` are private CIDR blocks
    that sources may live in. Raises ``EntryError`` naming what is wrong.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_ENTRY_BYTES:
        raise EntryError(f"an entry holds at most {MAX_ENTRY_BYTES} bytes; put declared schemas into schemaKey's object")
    try:
        value = parse_json(text, "entry")
    except RequestError as error:
        raise EntryError(error.message) from None
    entry = _members(value, "entry", _MEMBERS)
    if missing := [name for name in ("id", "type", "connection", "organizations") if not entry.get(name)]:
        raise EntryError(f"{', '.join(missing)} missing")
    identifier = _text(entry["id"], "id")
    if not _ID.fullmatch(identifier):
        raise EntryError("id must be a name that a template can use: letters, digits and underscores")
    kind = _text(entry["type"], "type")
    if kind not in _CONNECTIONS:
        raise EntryError(f"type must be one of {', '.join(sorted(_CONNECTIONS))}")
    schemas = _texts(entry.get("schemas") or [], "schemas") or (("public",) if kind == "postgresql" else ())
    if any("." in name or not name for name in schemas) or (schemas and kind == "files"):
        raise EntryError("schemas are names without dots, and files have none")
    return SourceEntry(
        id=identifier,
        external_name=_text(entry.get("externalName") or identifier, "externalName"),
        type=kind,
        organizations=_organizations(entry["organizations"]),
        connection=_CONNECTIONS[kind](entry["connection"], HostRule.of(allow_private, networks)),
        schemas=schemas,
        scope=_scope(entry.get("scope") or {}),
        schema_key=None if entry.get("schemaKey") is None else _key(entry["schemaKey"], "schemaKey"),
    )


def _members(value: Any, place: str, known: frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise EntryError(f"{place} must be an object")
    if unknown := sorted(set(value) - known):
        raise EntryError(f"{place} has unknown members: {', '.join(unknown)}")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise EntryError(f"{place} must be a text")
    return value


def _texts(value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise EntryError(f"{place} must be a list")
    return tuple(_text(item, place) for item in value)


def _key(value: Any, place: str) -> str:
    """The key of an S3 object."""
    key = _text(value, place)
    if key.startswith("/") or ".." in key.split("/") or "://" in key or len(key) > 900:
        raise EntryError(f"{place} must be the key of an S3 object")
    return key


def _organizations(value: Any) -> frozenset[str]:
    names = _texts(value, "organizations")
    if any(name != "*" and not _UUID.fullmatch(name) for name in names):
        raise EntryError("organizations are UUIDs, or * for all")
    return frozenset(name.lower() for name in names)


def _scope(value: Any) -> Scope:
    scope = _members(value, "scope", frozenset({"default", "tables", "shared"}))
    tables = scope.get("tables") or {}
    if not isinstance(tables, dict):
        raise EntryError("scope.tables must be an object")
    return Scope(
        default=None if scope.get("default") is None else _text(scope["default"], "scope.default"),
        tables={table: _text(column, f"scope.tables.{table}") for table, column in tables.items()},
        shared=frozenset(_texts(scope.get("shared") or [], "scope.shared")),
    )


def _postgresql(value: Any, rule: HostRule) -> Mapping[str, Any]:
    known = frozenset({"host", "port", "database", "secretArn", "username", "password", "sslmode", "certificatesKey"})
    if not isinstance(value, dict):
        raise EntryError("connection must be an object")
    connection = _members({_ALIASES.get(name, name): item for name, item in value.items()}, "connection", known)
    if rule.refuses(_text(connection.get("host"), "connection.host")):
        raise EntryError("connection.host must be one host, and no loopback, link-local or private address")
    _text(connection.get("database"), "connection.database")
    port = connection.get("port", 5432)
    if not str(port).isascii() or not str(port).isdigit() or not 0 < int(port) < 65536:
        raise EntryError("connection.port must be a number from 1 to 65535")
    mode = connection.get("sslmode") or ("prefer" if rule.allow_private else "verify-full")
    if mode not in _SSL_MODES or (mode != "verify-full" and not rule.allow_private):
        raise EntryError("connection.sslmode must be verify-full")
    if "certificatesKey" in connection:
        _key(connection["certificatesKey"], "connection.certificatesKey")
    if "secretArn" in connection:
        if not _SECRET.fullmatch(_text(connection["secretArn"], "connection.secretArn")):
            raise EntryError("connection.secretArn must be the ARN of a secret")
    elif not rule.allow_private or "username" not in connection:
        raise EntryError("credentials belong into Secrets Manager: name the secret in connection.secretArn")
    if not rule.allow_private and not {"username", "password"}.isdisjoint(connection):
        raise EntryError("credentials belong into Secrets Manager, not into the entry")
    return {**connection, "port": int(port), "sslmode": mode}


def _files(value: Any, _rule: HostRule) -> Mapping[str, Any]:
    connection = _members(value, "connection", frozenset({"bucket", "prefix", "tables"}))
    tables = connection.get("tables")
    if not isinstance(tables, dict) or not tables:
        raise EntryError("connection.tables must name the tables and their files")
    prefix = _key(connection["prefix"], "connection.prefix") if connection.get("prefix") else ""
    found = {name: _file(name, value, prefix) for name, value in tables.items()}
    bucket = None if connection.get("bucket") is None else _text(connection["bucket"], "connection.bucket")
    if bucket is None and not all(file["key"].startswith(OWN_PREFIX) for file in found.values()):
        raise EntryError(f"files in the project's own bucket have keys that begin with {OWN_PREFIX}")
    return {"bucket": bucket, "tables": found}


def _file(table: str, value: Any, prefix: str) -> Mapping[str, str]:
    place = f"connection.tables.{table}"
    if not _ID.fullmatch(table):
        raise EntryError(f"{place}: a table's name has letters, digits and underscores")
    file = _members({"key": value} if isinstance(value, str) else value, place, frozenset({"key", "format", "delimiter"}))
    key = _key(prefix + _text(file.get("key"), f"{place}.key"), f"{place}.key")
    kind = FORMATS.get(str(file.get("format") or key.rpartition(".")[2]).lower())
    if kind is None:
        raise EntryError(f"{place}.format must be csv, jsonl or parquet")
    delimiter = file.get("delimiter", ",")
    if delimiter not in {",", ";", "|", "\t"}:
        raise EntryError(f"{place}.delimiter must be a comma, semicolon, bar or tab")
    return {"key": key, "format": kind, "delimiter": delimiter}


_CONNECTIONS: Mapping[str, Callable[[Any, HostRule], Mapping[str, Any]]] = {
    "postgresql": _postgresql,
    "files": _files,
}
