"""PostgreSQL: one snapshot per report, server-side cursors, conditions pushed down."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from reporter.conditions import Condition
from reporter.errors import ReportFailure, SourceUnavailable
from reporter.schema import ColumnType, SourceSchema
from reporter.sources.certificates import trusted_certificates
from reporter.sources.entry import SourceEntry
from reporter.sources.postgresql_query import select
from reporter.sources.postgresql_values import register_values
from reporter.sources.reading import BATCH_ROWS, Batch, Credentials, Surroundings

MAX_ADDRESSES = 4
GRACE_SECONDS = 5
"""How much longer than the server we wait before we take it for dead."""

_Connection = psycopg.Connection[tuple[Any, ...]]

_TYPES: Mapping[str, ColumnType] = {
    "int2": "integer", "int4": "integer", "int8": "integer", "oid": "integer",
    "numeric": "numeric", "float4": "numeric", "float8": "numeric",
    "text": "text", "varchar": "text", "bpchar": "text", "name": "text", "citext": "text", "enum": "text",
    "bool": "boolean", "uuid": "uuid", "date": "date", "timestamp": "timestamp", "timestamptz": "timestamptz",
    "json": "jsonb", "jsonb": "jsonb", "array": "array",
}  # fmt: skip
_FLOATS = frozenset({"float4", "float8"})

# Domains count as what they are made of. Only what this user may read is there at all.
_COLUMNS = """
    WITH RECURSIVE base (domain, type) AS (
        SELECT oid, typbasetype FROM pg_type WHERE typtype = 'd'
        UNION ALL
        SELECT base.domain, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.type WHERE t.typtype = 'd'
    )
    SELECT n.nspname::text, c.relname::text, a.attname::text,
        CASE WHEN t.typtype = 'e' THEN 'enum' WHEN t.typcategory = 'A' THEN 'array'
             WHEN t.typnamespace = 'pg_catalog'::regnamespace OR t.typname = 'citext' THEN t.typname::text END
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN (SELECT base.domain, base.type FROM base JOIN pg_type b ON b.oid = base.type AND b.typtype <> 'd') d
        ON d.domain = a.atttypid
    JOIN pg_type t ON t.oid = COALESCE(d.type, a.atttypid)
    WHERE n.nspname = ANY(%s) AND (%s::text IS NULL OR c.relname = %s)
        AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
        AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
    ORDER BY n.nspname, c.relname, a.attnum"""

# In the transaction, not as connection options: poolers refuse those.
_SETTINGS = """
    SELECT set_config(name, value, true) FROM (VALUES
        ('statement_timeout', %s), ('idle_in_transaction_session_timeout', %s), ('search_path', 'pg_catalog'),
        ('timezone', 'UTC'), ('datestyle', 'ISO, YMD'), ('intervalstyle', 'postgres'), ('extra_float_digits', '1'),
        ('bytea_output', 'hex'), ('synchronize_seqscans', 'off'), ('cursor_tuple_fraction', '1.0')
    ) AS settings (name, value)"""


class PostgresqlSource:
    """See ``reading.Source``."""

    def __init__(self, entry: SourceEntry, credentials: Credentials, surroundings: Surroundings) -> None:
        self._entry = entry
        self._credentials = credentials
        self._surroundings = surroundings

    def discover(self, organization_id: str) -> SourceSchema:
        """Tables and views of the declared schemas. See ``reading.Source``."""
        tables: dict[str, dict[str, ColumnType]] = {}
        with self._transaction() as connection, self._errors():
            for schema, table, column, kind in connection.execute(_COLUMNS, [list(self._entry.schemas), None, None]):
                tables.setdefault(f"{schema}.{table}", {})[column] = _TYPES.get(kind, "other")
        return SourceSchema(self._entry.id, tables, self._entry.schemas)

    @contextmanager
    def snapshot(self) -> Iterator["PostgresqlSnapshot"]:
        """All reads in one read-only transaction: one moment of the database."""
        with self._transaction() as connection:
            yield PostgresqlSnapshot(self._entry, connection, self._errors, self._surroundings.read_seconds)

    @contextmanager
    def _transaction(self) -> Iterator[_Connection]:
        credentials = self._credentials(False)
        with self._errors():
            try:
                connection = self._connect(credentials)
            except psycopg.OperationalError:
                # The password may have been rotated since it was looked up.
                fresh = self._credentials(True)
                if fresh == credentials:
                    raise
                connection = self._connect(fresh)
        try:
            with self._errors():
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.read_only = True
                milliseconds = str(self._surroundings.read_seconds * 1000)
                connection.execute(_SETTINGS, [milliseconds, milliseconds])
                register_values(connection)
            yield connection
        finally:
            connection.close()

    def _connect(self, credentials: Mapping[str, str]) -> _Connection:
        settings = self._entry.connection
        host, port = str(settings["host"]), int(settings["port"])
        try:
            # Again when connecting, and to these addresses only: a name may lead to where the entry could not.
            addresses = self._surroundings.hosts.addresses(host, port)[:MAX_ADDRESSES]
        except PermissionError:
            raise ReportFailure("SOURCE_REFUSED", f"data source {self._entry.id} leads to a forbidden address") from None
        except OSError:
            raise SourceUnavailable(self._entry.id, "its host cannot be found") from None
        return psycopg.connect(
            host=",".join([host.strip("[]")] * len(addresses)),
            hostaddr=",".join(addresses),
            port=port,
            dbname=settings["database"],
            user=credentials["username"],
            password=credentials["password"],
            sslmode=settings["sslmode"],
            sslrootcert=trusted_certificates(self._entry, self._surroundings),
            gssencmode="disable",
            connect_timeout=self._surroundings.connect_seconds,
            keepalives=1,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=30_000,
            application_name="reporter",
            prepare_threshold=None,
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Driver errors stay here: their text may hold anything."""
        name = self._entry.id
        try:
            yield
        except psycopg.errors.QueryCanceled:
            reason = f"a query took longer than {self._surroundings.read_seconds} s"
            raise SourceUnavailable(name, reason) from None
        except psycopg.ProgrammingError:
            message = f"data source {name}: a table or field is no longer there, readable or of the same type"
            raise ReportFailure("SOURCE_CHANGED", message) from None
        except (psycopg.DataError, ValueError, RecursionError):
            message = f"data source {name}: a value cannot be shown, such as NaN, infinity or a date beyond year 9999"
            raise ReportFailure("SOURCE_VALUE", message) from None
        except psycopg.Error:
            raise SourceUnavailable(name, "the connection failed or broke off") from None


class PostgresqlSnapshot:
    """Reads within one transaction."""

    def __init__(self, entry: SourceEntry, connection: _Connection, errors: Callable[[], Any], read_seconds: int) -> None:
        self._entry = entry
        self._connection = connection
        self._errors = errors
        self._read_seconds = read_seconds

    def rows(
        self,
        table: str,
        columns: Sequence[str],
        schema: SourceSchema,
        conditions: Sequence[Condition],
        organization_id: str,
    ) -> Iterator[Batch]:
        """See ``reading.Snapshot``."""
        scope = self._entry.scope_conditions(table, schema.tables[table], organization_id)
        query = select(table, columns, schema, (*scope, *conditions), self._floats(table, conditions))
        with self._errors(), self._connection.cursor(name="report") as cursor:
            with self._deadline():
                cursor.execute(query.text, query.values)
            while batch := self._fetch(cursor):
                yield batch

    def _fetch(self, cursor: Any) -> Batch:
        with self._deadline():
            found: Batch = cursor.fetchmany(BATCH_ROWS)
            return found

    def _floats(self, table: str, conditions: Sequence[Condition]) -> frozenset[str]:
        """The binary floats among the columns of conditions: these compare as what they show."""
        if all(condition.kind != "numeric" for condition in conditions):
            return frozenset()
        schema, _, name = table.partition(".")
        with self._errors(), self._deadline():
            found = self._connection.execute(_COLUMNS, [[schema], name, name])
            return frozenset(column for _schema, _table, column, kind in found if kind in _FLOATS)

    @contextmanager
    def _deadline(self) -> Iterator[None]:
        """The server keeps its own time; this is for one that stops answering while its machine lives."""
        timer = threading.Timer(self._read_seconds + GRACE_SECONDS, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _hang_up(self) -> None:
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
