"""The row filter cases on a real PostgreSQL server: the same rows stay as in Python."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb
from reporter.row_filters import check_operators, resolve
from reporter.sources.entry import SourceEntry, parse_entry
from reporter.sources.postgresql import PostgresqlSource

from local.postgresql import EmbeddedPostgres

ORGANIZATION = "0192f000-0000-7000-8000-00000000000a"
FILE = Path(__file__).parents[2] / "conformance" / "report_filter.jsonl"
CASES = [json.loads(line, parse_float=Decimal) for line in FILE.read_text().splitlines()]
CASES = [case for case in CASES if "expected_ids" in case]


def entry_for(server: EmbeddedPostgres, **more: Any) -> SourceEntry:
    """A registry entry for the test server."""
    connection = {"host": "127.0.0.1", "port": server.port, "database": "postgres", "sslmode": "disable"}
    members = {"id": "s", "type": "postgresql", "organizations": ["*"], "connection": connection}
    return parse_entry(json.dumps({**members, "scope": {"shared": ["*"]}, **more}), allow_private=True)


def source_for(server: EmbeddedPostgres, entry: SourceEntry) -> PostgresqlSource:
    """A reader for the entry."""
    credentials = {"username": server.user, "password": server.password}
    return PostgresqlSource(entry, credentials, connect_seconds=5, read_seconds=30, allow_private=True)


@pytest.fixture(scope="module")
def connection(postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.dsn(), autocommit=True, prepare_threshold=None) as made:
        yield made


def load(connection: psycopg.Connection[Any], columns: dict[str, str], rows: list[dict[str, Any]]) -> None:
    connection.execute("DROP TABLE IF EXISTS public.t")
    declared = sql.SQL(", ").join(sql.SQL(f"{{}} {kind}").format(sql.Identifier(n)) for n, kind in columns.items())
    connection.execute(sql.SQL("CREATE TABLE public.t ({})").format(declared))
    for row in rows:
        values = [
            Jsonb(row[name], dumps=lambda v: json.dumps(v, default=str))
            if isinstance(row.get(name), dict)
            else row.get(name)
            for name in columns
        ]
        marks = ", ".join(["%s"] * len(columns))
        connection.execute(f"INSERT INTO public.t VALUES ({marks})", values)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_the_case_holds_on_postgresql(
    case: dict[str, Any], postgres: EmbeddedPostgres, connection: psycopg.Connection[Any]
) -> None:
    load(connection, case["columns"], case["rows"])
    source = source_for(postgres, entry_for(postgres))
    schema = source.discover()
    assert dict(schema.tables["public.t"]) == case["columns"]
    conditions = resolve(check_operators({"s": {"t": case["filters"]}}), {"s": schema})["s"]["public.t"]
    with source.snapshot() as snapshot:
        batches = list(snapshot.rows("public.t", ["id"], schema, conditions, ORGANIZATION))
    assert sorted(row[0] for batch in batches for row in batch) == case["expected_ids"]
