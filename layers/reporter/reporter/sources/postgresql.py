"""PostgreSQL: one snapshot per report, read by COPY, conditions pushed down."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil

import psycopg

from reporter.conditions import Condition
from reporter.dataset import Batch
from reporter.deadline import Deadline
from reporter.errors import ReportFailure, SourceUnavailable
from reporter.schema import ColumnType, SourceSchema
from reporter.sources.certificates import trusted_certificates
from reporter.sources.entry import SourceEntry
from reporter.sources.postgresql_query import columns_of, copy
from reporter.sources.postgresql_session import Connection, Session
from reporter.sources.postgresql_values import FLOATS, READERS, Reader, UnfitValue, batch_of
from reporter.sources.reading import Credentials, Surroundings

MAX_ADDRESSES = 4

_TYPES: Mapping[str, ColumnType] = {
    "int2": "integer", "int4": "integer", "int8": "integer", "oid": "integer",
    "numeric": "numeric", "float4": "numeric", "float8": "numeric",
    "text": "text", "varchar": "text", "bpchar": "text", "name": "text", "citext": "text", "enum": "text",
    "bool": "boolean", "uuid": "uuid", "date": "date", "timestamp": "timestamp", "timestamptz": "timestamptz",
    "json": "jsonb", "jsonb": "jsonb", "array": "array",
}  # fmt: skip

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
    WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
        AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
    ORDER BY n.nspname, c.relname, a.attnum"""

# In the transaction, not as connection options: poolers refuse those.
_SETTINGS = """
    SELECT set_config(name, value, true) FROM (VALUES
        ('statement_timeout', %s), ('idle_in_transaction_session_timeout', %s), ('search_path', 'pg_catalog'),
        ('timezone', 'UTC'), ('datestyle', 'ISO, YMD'), ('intervalstyle', 'postgres'), ('extra_float_digits', '1'),
        ('bytea_output', 'hex'), ('synchronize_seqscans', 'off')
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
        with self._session(self._surroundings.discovery(), silent_is_dead=True) as session:
            for schema, table, column, kind in session.ask(_COLUMNS, [list(self._entry.schemas)]):
                tables.setdefault(f"{schema}.{table}", {})[column] = _TYPES.get(kind, "other")
        return SourceSchema(self._entry.id, tables, self._entry.schemas)

    @contextmanager
    def snapshot(self, deadline: Deadline) -> Iterator["PostgresqlSnapshot"]:
        """All reads in one read-only transaction: one moment of the database."""
        with self._session(deadline) as session:
            yield PostgresqlSnapshot(self._entry, session)

    @contextmanager
    def _session(self, deadline: Deadline, *, silent_is_dead: bool = False) -> Iterator[Session]:
        connection = self._connected()
        seconds = self._surroundings.read_seconds
        try:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            with Session(self._entry.id, connection, seconds, deadline, silent_is_dead=silent_is_dead) as session:
                # The server stops by itself, should this worker die. The first query makes the snapshot.
                milliseconds = str(ceil(deadline.left() * 1000) + 1)
                session.ask(_SETTINGS, [milliseconds, milliseconds])
                yield session
        finally:
            connection.close()

    def _connected(self) -> Connection:
        credentials = self._credentials(False)
        try:
            try:
                return self._connect(credentials)
            except psycopg.OperationalError:
                # The password may have been rotated since it was looked up.
                fresh = self._credentials(True)
                if fresh == credentials:
                    raise
                return self._connect(fresh)
        except psycopg.Error:
            # Without its cause: a driver's text may hold anything.
            raise SourceUnavailable(self._entry.id, "it cannot be connected to") from None

    def _connect(self, credentials: Mapping[str, str]) -> Connection:
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
            client_encoding="UTF8",
            connect_timeout=self._surroundings.connect_seconds,
            keepalives=1,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=30_000,
            application_name="reporter",
            prepare_threshold=None,
        )


class PostgresqlSnapshot:
    """Reads within one transaction. See ``reading.Snapshot``."""

    def __init__(self, entry: SourceEntry, session: Session) -> None:
        self._entry = entry
        self._session = session

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
        # Which columns are binary floats, only the database knows.
        compared = [condition.column for condition in wanted if condition.kind == "numeric"]
        described = tuple(dict.fromkeys([*columns, *compared]))
        types = self._session.types(columns_of(table, described, kinds))
        floats = {name for name, kind in zip(described, types, strict=False) if kind in FLOATS}
        readers = [self._reader(table, kind) for kind in types[: len(columns) or 1]]
        for lines in self._session.copy(copy(columns_of(table, columns, kinds), wanted, floats)):
            try:
                yield batch_of(lines, readers)
            except UnfitValue as error:
                place = f"data source {self._entry.id}, table {table}, column {columns[error.column]}"
                message = f"{place}: a value cannot be shown, such as NaN, infinity or a date beyond year 9999"
                raise ReportFailure("SOURCE_VALUE", message) from None

    def _reader(self, table: str, kind: int) -> Reader:
        if kind not in READERS:
            message = f"data source {self._entry.id}: table {table} has a column that was of another type before"
            raise ReportFailure("SOURCE_CHANGED", message)
        return READERS[kind]
