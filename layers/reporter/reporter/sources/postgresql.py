"""PostgreSQL: one snapshot per report, server-side cursors, conditions as bound values.

Identifiers come only from the discovered schema, values are only ever bound. Text is compared byte by byte
(``COLLATE "C"``), so that order means the same as everywhere else.
"""

import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql
from psycopg.adapt import Loader
from psycopg.types.json import set_json_loads

from reporter.errors import ReportFailure, SourceUnavailable
from reporter.row_filters import Condition, Interval
from reporter.schema import ColumnType, SourceSchema
from reporter.sources.entry import SourceEntry, is_forbidden_host

BATCH_ROWS = 2000

_TYPES: Mapping[str, ColumnType] = {
    "int2": "integer", "int4": "integer", "int8": "integer", "oid": "integer",
    "numeric": "numeric", "float4": "numeric", "float8": "numeric",
    "text": "text", "varchar": "text", "bpchar": "text", "name": "text", "citext": "text",
    "bool": "boolean", "uuid": "uuid", "date": "date", "timestamp": "timestamp", "timestamptz": "timestamptz",
    "json": "jsonb", "jsonb": "jsonb",
}  # fmt: skip


class _Double(Loader):
    """A double by its shortest text, which is what PostgreSQL sends; whole ones without a point."""

    def load(self, data: Any) -> Decimal | int:
        number = Decimal(bytes(data).decode())
        if not number.is_finite():
            raise ReportFailure("SOURCE_VALUE", "a source column holds NaN or Infinity, which no document can show")
        return int(number) if number == number.to_integral_value() else number


class _Exact(Loader):
    def load(self, data: Any) -> Decimal:
        number = Decimal(bytes(data).decode())
        if not number.is_finite():
            raise ReportFailure("SOURCE_VALUE", "a source column holds NaN or Infinity, which no document can show")
        return number


class _Text(Loader):
    """Types a document shows as text: UUIDs, enumerations, intervals, addresses."""

    def load(self, data: Any) -> str:
        return bytes(data).decode()


class PostgresqlSource:
    """``credentials``: ``{"username", "password"}``. Times in seconds."""

    def __init__(
        self,
        entry: SourceEntry,
        credentials: Mapping[str, str],
        *,
        connect_seconds: int,
        read_seconds: int,
        allow_private: bool,
    ) -> None:
        self._entry = entry
        self._credentials = credentials
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._allow_private = allow_private

    def discover(self) -> SourceSchema:
        """Tables and views of the declared schemas. Raises ``SourceUnavailable``."""
        query = """
            SELECT n.nspname, c.relname, a.attname, t.typname
            FROM pg_catalog.pg_attribute a
            JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
            WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY n.nspname, c.relname, a.attnum"""
        tables: dict[str, dict[str, ColumnType]] = {}
        with self._connection() as connection, self._errors():
            for schema, table, column, kind in connection.execute(query, [list(self._entry.schemas)]):
                array: ColumnType = "array" if str(kind).startswith("_") else "other"
                tables.setdefault(f"{schema}.{table}", {})[column] = _TYPES.get(kind, array)
        return SourceSchema(self._entry.id, tables, self._entry.schemas)

    @contextmanager
    def snapshot(self) -> Iterator["PostgresqlSnapshot"]:
        """All reads in one read-only transaction: one moment of the database."""
        with self._connection() as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield PostgresqlSnapshot(self._entry, connection, self._errors)

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        settings = self._entry.connection
        self._check_addresses(str(settings["host"]), int(settings.get("port", 5432)))
        with self._errors():
            connection = psycopg.connect(
                host=settings["host"],
                port=int(settings.get("port", 5432)),
                dbname=settings["database"],
                user=self._credentials["username"],
                password=self._credentials["password"],
                sslmode=settings.get("sslmode", "verify-full"),
                sslrootcert=settings.get("sslrootcert", "system") if not self._plain(settings) else "",
                connect_timeout=self._connect_seconds,
                keepalives=1,
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                options=f"-c statement_timeout={self._read_seconds * 1000} -c timezone=UTC",
                application_name="reporter",
            )
        connection.adapters.register_loader("float4", _Double)
        connection.adapters.register_loader("float8", _Double)
        connection.adapters.register_loader("numeric", _Exact)
        connection.adapters.register_loader("uuid", _Text)
        set_json_loads(lambda text: json.loads(text, parse_float=Decimal), connection)
        try:
            yield connection
        finally:
            connection.close()

    @staticmethod
    def _plain(settings: Mapping[str, Any]) -> bool:
        return settings.get("sslmode", "verify-full") in {"disable", "allow", "prefer", "require"}

    def _check_addresses(self, host: str, port: int) -> None:
        """Again when connecting: a name may lead to an address that the entry could not have."""
        try:
            found = {str(address[4][0]) for address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        except OSError:
            raise SourceUnavailable(self._entry.id, "its host cannot be found") from None
        if not self._allow_private and any(map(is_forbidden_host, found)):
            raise ReportFailure("SOURCE_REFUSED", f"data source {self._entry.id} leads to a forbidden address")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Driver errors stay here: their text may hold anything."""
        try:
            yield
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InsufficientPrivilege):
            raise ReportFailure(
                "SOURCE_CHANGED", f"data source {self._entry.id}: a table or field is no longer there or readable"
            ) from None
        except psycopg.errors.QueryCanceled:
            raise SourceUnavailable(self._entry.id, f"a query took longer than {self._read_seconds} s") from None
        except psycopg.Error:
            raise SourceUnavailable(self._entry.id, "the connection failed or broke off") from None


class PostgresqlSnapshot:
    """Reads within one transaction."""

    def __init__(
        self, entry: SourceEntry, connection: psycopg.Connection[tuple[Any, ...]], errors: Callable[[], Any]
    ) -> None:
        self._entry = entry
        self._connection = connection
        self._errors = errors

    def rows(
        self,
        table: str,
        columns: Sequence[str],
        schema: SourceSchema,
        conditions: Sequence[Condition],
        organization_id: str,
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Batches of rows in the order of ``columns``. The organization's scope is always part of the query."""
        query, values = select(self._entry, table, columns, schema, conditions, organization_id)
        with self._errors(), self._connection.cursor(name="report", withhold=False) as cursor:
            cursor.itersize = BATCH_ROWS
            cursor.execute(query, values)
            while batch := cursor.fetchmany(BATCH_ROWS):
                yield batch


def select(
    entry: SourceEntry,
    table: str,
    columns: Sequence[str],
    schema: SourceSchema,
    conditions: Sequence[Condition],
    organization_id: str,
) -> tuple[sql.Composed, list[Any]]:
    """The query for one table and its bound values."""
    kinds = schema.tables[table]
    wanted = [_selected(name, kinds[name]) for name in columns] or [sql.SQL("1")]
    parts: list[sql.Composable] = []
    values: list[Any] = []
    scope = entry.scope.column(table)
    if scope is not None:
        parts.append(sql.SQL("{}::text = %s").format(sql.Identifier(scope)))
        values.append(organization_id)
    for condition in conditions:
        part, bound = _condition(condition)
        parts.append(part)
        values.extend(bound)
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(wanted), sql.Identifier(*table.split(".", 1)))
    if parts:
        query += sql.SQL(" WHERE ") + sql.SQL(" AND ").join(parts)
    return query, values


def _selected(name: str, kind: ColumnType) -> sql.Composable:
    column = sql.Identifier(name)
    return sql.SQL("{}::text").format(column) if kind in {"other", "array"} else column


def _condition(condition: Condition) -> tuple[sql.Composable, list[Any]]:
    column: sql.Composable = sql.Identifier(condition.column)
    if condition.path:
        column = sql.SQL("{}::jsonb").format(column)
        for key in condition.path:
            column = sql.SQL("({} -> {})").format(column, sql.Literal(key))
        column = sql.SQL("NULLIF({}, 'null'::jsonb)").format(column)
    tests, values = [], []
    for interval in condition.intervals:
        test, bound = _interval(column, condition, interval)
        tests.append(test)
        values.extend(bound)
    inside = sql.SQL("({})").format(sql.SQL(" OR ").join(tests)) if tests else sql.SQL("FALSE")
    null = sql.SQL("{} IS NULL").format(column)
    if condition.negated:
        kept = sql.SQL("COALESCE(NOT {}, TRUE)").format(inside)
        if condition.null:
            return sql.SQL("({} AND NOT {})").format(kept, null), values
        return sql.SQL("({} OR {})").format(null, kept), values
    return (sql.SQL("({} OR {})").format(inside, null) if condition.null else inside), values


def _interval(column: sql.Composable, condition: Condition, interval: Interval) -> tuple[sql.Composable, list[Any]]:
    sample = interval.low if interval.low is not None else interval.high
    if sample is None:
        return sql.SQL("{} IS NOT NULL").format(column), []
    value, cast = _comparable(column, condition, sample)
    if interval.point:
        return sql.SQL("{} = %s{}").format(value, cast), [_bound(interval.low, condition)]
    tests, values = [], []
    if interval.low is not None:
        tests.append(sql.SQL("{} {} %s{}").format(value, sql.SQL(">=" if interval.low_included else ">"), cast))
        values.append(_bound(interval.low, condition))
    if interval.high is not None:
        tests.append(sql.SQL("{} {} %s{}").format(value, sql.SQL("<=" if interval.high_included else "<"), cast))
        values.append(_bound(interval.high, condition))
    return sql.SQL("({})").format(sql.SQL(" AND ").join(tests)), values


def _comparable(column: sql.Composable, condition: Condition, sample: Any) -> tuple[sql.Composable, sql.Composable]:
    """The column as what the values are, and the cast of the bound value."""
    if condition.path:
        kind = "boolean" if isinstance(sample, bool) else "string" if isinstance(sample, str) else "number"
        cast = {"boolean": "::boolean", "string": '::text COLLATE "C"', "number": "::numeric"}[kind]
        # The cast happens only where the JSON type is right: another type is another value, not an error.
        text = sql.SQL("(CASE WHEN jsonb_typeof({0}) = {1} THEN ({0} #>> '{{}}'){2} END)").format(
            column, sql.Literal(kind), sql.SQL(cast)
        )
        return text, sql.SQL(cast.split()[0])
    match condition.kind:
        case "text":
            return sql.SQL('{}::text COLLATE "C"').format(column), sql.SQL("::text")
        case "uuid":
            return column, sql.SQL("::uuid")
        case "integer" | "numeric":
            return column, sql.SQL("::numeric") if isinstance(sample, Decimal) else sql.SQL("")
        case "timestamptz":
            return column, sql.SQL("::timestamptz")
        case "timestamp":
            return column, sql.SQL("::timestamp")
        case _:
            return column, sql.SQL("")


def _bound(value: Any, condition: Condition) -> Any:
    if condition.kind == "timestamp" and isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return value
