"""Tables of a test's own, the same on every kind of source."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from arro3.core import Array, DataType, Table
from arro3.io import write_parquet
from psycopg import sql
from reporter.aws.clients import client
from reporter.deadline import Deadline
from reporter.exact_json import write_json
from reporter.row_filters import check_operators, resolve
from reporter.schema import Columns, SourceSchema
from reporter.sources.entry import SourceEntry, parse_entry
from reporter.sources.hosts import HostRule
from reporter.sources.reading import Source, Surroundings, open_source

from local.postgresql import EmbeddedPostgres

ORGANIZATION = "0192f000-0000-7000-8000-00000000000a"
OTHER_ORGANIZATION = "0192f000-0000-7000-8000-00000000000b"
BUCKET = "files"
SHARED = {"shared": ["*"]}

Row = Mapping[str, Any]


def entry_of(kind: str, connection: Mapping[str, Any], **more: Any) -> SourceEntry:
    """A registry entry named ``s``, by default with tables that all organizations share."""
    members = {"id": "s", "type": kind, "organizations": ["*"], "connection": connection, "scope": SHARED, **more}
    return parse_entry(json.dumps(members), allow_private=True)


def postgresql_entry(server: EmbeddedPostgres, connection: Mapping[str, Any] | None = None, **more: Any) -> SourceEntry:
    """An entry for the test server."""
    common = {"host": "127.0.0.1", "port": server.port, "database": "postgres", "sslmode": "disable"}
    login = {"username": server.user, "password": server.password}
    return entry_of("postgresql", {**common, **login, **(connection or {})}, **more)


def opened(entry: SourceEntry, *, read_seconds: int = 30, discovery_seconds: int = 15, **credentials: str) -> Source:
    """The source behind an entry."""
    login = {"username": "", "password": "", **{k: v for k, v in entry.connection.items() if k in {"username", "password"}}}
    surroundings = Surroundings(
        client, BUCKET, 5, read_seconds, HostRule(allow_private=True), discovery_seconds=discovery_seconds
    )
    return open_source(entry, lambda _fresh: {**login, **credentials}, surroundings)


def rows_of(
    source: Source,
    table: str,
    columns: Sequence[str],
    filters: Mapping[str, Any] | None = None,
    schema: SourceSchema | None = None,
    organization: str = ORGANIZATION,
) -> list[tuple[Any, ...]]:
    """The rows that stay, as a report reads them. ``filters``: field → operator → values."""
    schema = schema or source.discover(organization)
    resolved = resolve(check_operators({"s": {table: filters or {}}}), {"s": schema})["s"]
    ((qualified, conditions),) = resolved.items()
    with source.snapshot(Deadline(60)) as snapshot:
        batches = list(snapshot.rows(qualified, columns, schema, conditions, organization))
    return [row for batch in batches for row in batch]


def create_table(connection: psycopg.Connection[Any], name: str, columns: Columns, rows: Sequence[Row]) -> None:
    """A table in PostgreSQL, made anew."""
    table = sql.Identifier(*name.split("."))
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    declared = [sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns.items()]
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(table, sql.SQL(", ").join(declared)))
    with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copy:
        for row in rows:
            copy.write_row([_text(row.get(column), kind) for column, kind in columns.items()])


def _text(value: Any, kind: str) -> str | None:
    if value is None and kind != "jsonb":
        return None
    if kind == "jsonb":
        return None if value is None else write_json(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)


def csv_text(columns: Columns, rows: Sequence[Row]) -> str:
    """The rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_text(row.get(name), kind) for name, kind in columns.items()] for row in rows)
    return text.getvalue()


def json_lines(columns: Columns, rows: Sequence[Row]) -> str:
    """The rows as JSON Lines; a null is a missing member."""
    lines = []
    for row in rows:
        members = {name: row[name] for name in columns if row.get(name) is not None}
        plain = {n: v.isoformat() if isinstance(v, date | datetime) else v for n, v in members.items()}
        lines.append(write_json(plain) + "\n")
    return "".join(lines)


ARROW: Mapping[str, DataType] = {
    "text": DataType.utf8(),
    "uuid": DataType.utf8(),
    "jsonb": DataType.utf8(),
    "integer": DataType.int64(),
    "numeric": DataType.decimal128(38, 7),
    "boolean": DataType.bool(),
    "date": DataType.date32(),
    "timestamp": DataType.timestamp("us", tz=None),
    "timestamptz": DataType.timestamp("us", tz="UTC"),
}
"""How a column of each type lies in a Parquet file."""


def parquet_file(columns: Columns, rows: Sequence[Row], types: Mapping[str, DataType] = {}, **options: Any) -> bytes:
    """The rows as a Parquet file. ``types``: columns that lie otherwise; ``options`` as ``arro3.io.write_parquet``."""
    found: dict[str, Any] = {}
    for name, kind in columns.items():
        plain = [format(v, "f") if isinstance(v := row.get(name), Decimal) else _text(v, kind) for row in rows]
        found[name] = Array(plain, type=DataType.utf8()).cast(types.get(name, ARROW[kind]))
    file = io.BytesIO()
    write_parquet(Table.from_pydict(found), file, **options)
    return file.getvalue()


def put_file(key: str, content: str | bytes) -> None:
    """An object in the bucket of files, which is made where needed."""
    s3 = client("s3")
    if BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=BUCKET, Key=key, Body=content.encode() if isinstance(content, str) else content)


def files_entry(tables: Mapping[str, Any], **more: Any) -> SourceEntry:
    """An entry for files in the bucket."""
    return entry_of("files", {"bucket": BUCKET, "tables": tables}, **more)
