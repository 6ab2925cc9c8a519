"""PostgreSQL as a source: exact values, values that cannot be SQL, one snapshot, and never a part for the whole."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from reporter.aws.clients import client
from reporter.dataset import BATCH_ROWS
from reporter.deadline import Deadline
from reporter.errors import ReportFailure, SourceUnavailable
from reporter.row_filters import resolve
from reporter.schema import SourceSchema
from reporter.sources import postgresql_session
from reporter.sources.hosts import HostRule
from reporter.sources.reading import Snapshot, Source, Surroundings, open_source

from local.postgresql import EmbeddedPostgres
from tests.forwarding import Forwarder
from tests.tables import ORGANIZATION, opened, postgresql_entry, rows_of

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def connection(postgres: EmbeddedPostgres) -> Iterator[Connection]:
    with psycopg.connect(postgres.dsn(), autocommit=True) as made:
        made.execute("DROP SCHEMA IF EXISTS pg CASCADE")
        made.execute("CREATE SCHEMA pg")
        made.execute("CREATE TABLE pg.many AS SELECT n, 'row ' || n AS name FROM generate_series(1, 200000) n")
        yield made


@pytest.fixture
def source(postgres: EmbeddedPostgres, connection: Connection) -> Source:
    return opened(postgresql_entry(postgres, schemas=["pg"]))


def table(connection: Connection, columns: str, *rows: str) -> None:
    connection.execute("DROP TABLE IF EXISTS pg.t CASCADE")
    connection.execute(f"CREATE TABLE pg.t ({columns})")
    for row in rows:
        connection.execute(f"INSERT INTO pg.t VALUES ({row})")


def exact(value: Any) -> Any:
    """With its type, a decimal with its scale, a time with its zone."""
    if isinstance(value, list):
        return [exact(item) for item in value]
    return type(value), str(value) if isinstance(value, Decimal) else value, getattr(value, "tzinfo", None)


VALUES: list[tuple[str, str, Any]] = [
    ("text", "'a'", "a"),
    ("varchar(9)", "''", ""),
    ("char(3)", "'a'", "a"),
    ("name", "'n'", "n"),
    ("int2", "-32768", -32768),
    ("int4", "7", 7),
    ("int8", "9223372036854775807", 2**63 - 1),
    ("oid", "4294967295", 2**32 - 1),
    ("numeric(20,2)", "12345678901234567.80", Decimal("12345678901234567.80")),
    ("numeric", "1e-20", Decimal("0.00000000000000000001")),
    ("numeric(5)", "7", Decimal(7)),
    ("float8", "0.1", Decimal("0.1")),
    ("float8", "7", 7),
    ("float8", "1e20", 10**20),
    ("float4", "0.1", Decimal("0.1")),
    ("bool", "true", True),
    ("bool", "false", False),
    ("uuid", "'3F1C0A52-6F0E-4F0E-9C55-0B8F6A1D2E3F'", "3f1c0a52-6f0e-4f0e-9c55-0b8f6a1d2e3f"),
    ("date", "'0001-01-01'", date(1, 1, 1)),
    ("timestamp", "'2024-05-31 18:30:00.000001'", datetime(2024, 5, 31, 18, 30, 0, 1)),
    ("timestamptz", "'2024-05-31 18:30:00-03'", datetime(2024, 5, 31, 21, 30, tzinfo=UTC)),
    ("jsonb", """'{"a": [1.50, null, "x\\n"]}'""", {"a": [Decimal("1.50"), None, "x\n"]}),
    ("json", "'[1, 2.0]'", [1, Decimal("2.0")]),
    ("int4[]", "'{1,NULL,3}'", [1, None, 3]),
    ("numeric[]", "'{1.50}'", [Decimal("1.50")]),
    ("bytea", r"'\x00ff'", r"\x00ff"),
    ("interval", "'1 day'", "1 day"),
    ("inet", "'10.0.0.1'", "10.0.0.1/32"),
    ("time", "'10:00'", "10:00:00"),
]


def test_every_type_comes_as_a_plain_exact_value_and_as_null(connection: Connection, source: Source) -> None:
    columns = [f"c{number}" for number in range(len(VALUES))]
    declared = ", ".join(f"{name} {kind}" for name, (kind, _spelt, _value) in zip(columns, VALUES, strict=True))
    table(connection, declared, ", ".join(spelt for _kind, spelt, _value in VALUES), ", ".join(["NULL"] * len(VALUES)))
    first, second = sorted(rows_of(source, "t", columns), key=lambda row: row[0] is None)
    for (kind, _spelt, value), found in zip(VALUES, first, strict=True):
        assert exact(found) == exact(value), kind
    assert second == (None,) * len(VALUES)


TEXTS = ["", "\\N", "\\\\N", "\\", "\\.", "a\tb", "a\nb", "a\r\nb", "\b\f\v", "é😀\u2028", "N", "\\n", "null", "{}", "%s"]


def test_text_comes_back_whatever_it_holds(connection: Connection, source: Source) -> None:
    table(connection, "n int, v text, w text")
    for number, text in enumerate(TEXTS):
        connection.execute("INSERT INTO pg.t VALUES (%s, %s, NULL)", [number, text])
    assert sorted(rows_of(source, "t", ["n", "v", "w"])) == [(n, text, None) for n, text in enumerate(TEXTS)]
    # Also where no other column keeps the cells of a row apart, and where nothing is escaped but nulls.
    assert sorted(row[0] for row in rows_of(source, "t", ["v"])) == sorted(TEXTS)
    assert rows_of(source, "t", ["w", "n"], {"n": {"lt": [1]}}) == [(None, 0)]
    assert rows_of(source, "t", []) == [(1,)] * len(TEXTS)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("numeric", "'NaN'"),
        ("numeric", "'Infinity'"),
        ("numeric", "'-Infinity'"),
        ("numeric", "1e1000"),
        ("float8", "'NaN'"),
        ("float8", "'-Infinity'"),
        ("float4", "'Infinity'"),
        ("date", "'infinity'"),
        ("date", "'0044-03-15 BC'"),
        ("date", "'10000-01-01'"),
        ("timestamp", "'10000-01-01'"),
        ("timestamptz", "'-infinity'"),
        ("timestamptz", "'0044-03-15 BC'"),
        ("json", "'[1e9999]'"),
        ("json", """'"\\ud800"'"""),
    ],
)
def test_what_no_document_can_show_ends_the_report_and_names_its_column(
    connection: Connection, source: Source, kind: str, value: str
) -> None:
    table(connection, f"n int, v {kind}", "1, NULL", f"2, {value}")
    with pytest.raises(ReportFailure) as failed:
        rows_of(source, "t", ["n", "v"])
    assert (failed.value.code, failed.value.retryable) == ("SOURCE_VALUE", False)
    assert "table pg.t, column v" in failed.value.message


HOSTILE = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    st.lists(
        st.sampled_from(["'", "\\", "$$", "--", "/*", "*/", ";", "%s", "%", "{}", '"', "E'", "\n", "a"]), max_size=8
    ).map("".join),
)


@pytest.mark.parametrize("conforming", ["on", "off"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=HOSTILE, other=HOSTILE)
def test_a_filters_value_is_never_a_piece_of_sql(
    postgres: EmbeddedPostgres, connection: Connection, conforming: str, wanted: str, other: str
) -> None:
    """Also on a server that takes backslashes for escapes."""
    table(connection, "v text, j jsonb")
    rows = {wanted, other, wanted + "x", "'", "x' OR 'a' = 'a"}
    for row in rows:
        connection.execute("INSERT INTO pg.t VALUES (%s, jsonb_build_object(%s::text, %s::text))", [row, "k'\\", row])
    connection.execute(f"ALTER ROLE postgres SET standard_conforming_strings = {conforming}")
    try:
        with reading(opened(postgresql_entry(postgres, schemas=["pg"]))) as reads:
            for field in ("v", "j.k'\\"):
                for operator, expected in (
                    ("eq", {wanted}),
                    ("nin", rows - {wanted}),
                    ("gt", {row for row in rows if row > wanted}),
                ):
                    found = [row[0] for batch in reads("t", ["v"], {field: {operator: [wanted]}}) for row in batch]
                    assert sorted(found) == sorted(expected), (field, operator)
    finally:
        connection.execute("ALTER ROLE postgres RESET standard_conforming_strings")


def test_names_are_never_a_piece_of_sql(connection: Connection, source: Source) -> None:
    name = """a"b'%s{}; DROP TABLE pg.many --"""
    quoted = sql.Identifier(name)
    connection.execute(sql.SQL("DROP TABLE IF EXISTS pg.{}").format(quoted))
    connection.execute(sql.SQL("CREATE TABLE pg.{} ({} text)").format(quoted, quoted))
    connection.execute(sql.SQL("INSERT INTO pg.{} VALUES ('x')").format(quoted))
    assert rows_of(source, name, [name], {name: {"eq": ["x"]}}) == [("x",)]
    connection.execute(sql.SQL("DROP TABLE pg.{}").format(quoted))


def test_only_the_columns_of_the_template_and_the_rows_of_the_filters_cross_the_wire(
    connection: Connection, source: Source
) -> None:
    with reading(source) as snapshot:
        list(snapshot("many", ["n"], {"n": {"lte": [3]}}))
        (query,) = connection.execute("SELECT query FROM pg_stat_activity WHERE application_name = 'reporter'").fetchone()  # type: ignore[misc]
    assert query == """COPY (SELECT "t"."n" FROM "pg"."many" AS t WHERE (("t"."n" <= '3'::bigint))) TO STDOUT"""


class Reads:
    """One report's reads of tables in the schema ``pg``."""

    def __init__(self, snapshot: Snapshot, schema: SourceSchema) -> None:
        self._snapshot = snapshot
        self._schema = schema

    def __call__(self, name: str, columns: list[str], filters: dict[str, Any] | None = None) -> Iterator[Any]:
        table = f"pg.{name}"
        conditions = resolve({"s": {name: filters or {}}}, {"s": self._schema})["s"][table]
        return self._snapshot.rows(table, columns, self._schema, conditions, ORGANIZATION)


@contextmanager
def reading(source: Source, seconds: float = 60, known: SourceSchema | None = None) -> Iterator[Reads]:
    schema = known or source.discover("")
    with source.snapshot(Deadline(seconds)) as snapshot:
        yield Reads(snapshot, schema)


def test_all_tables_of_a_report_show_one_moment(connection: Connection, source: Source) -> None:
    table(connection, "n int, amount numeric", "1, 10", "2, 10")
    connection.execute("CREATE TABLE IF NOT EXISTS pg.log (n int)")
    with reading(source) as rows:
        total = sum(row[1] for batch in rows("t", ["n", "amount"]) for row in batch)
        # A transfer between the accounts, with its entry in the log, while the report is being read.
        connection.execute("UPDATE pg.t SET amount = amount - 5 WHERE n = 1")
        connection.execute("INSERT INTO pg.log VALUES (1)")
        connection.execute("DELETE FROM pg.t WHERE n = 2")
        assert [len(batch) for batch in rows("log", ["n"])] == []
        assert total == sum(row[0] for batch in rows("t", ["amount"]) for row in batch) == 20
    with reading(source) as rows:
        assert [row for batch in rows("t", ["amount"]) for row in batch] == [(Decimal(5),)]


def test_a_table_that_is_written_to_while_it_is_read_shows_one_moment(connection: Connection, source: Source) -> None:
    with reading(source) as rows:
        batches = rows("many", ["n"])
        first = next(batches)
        connection.execute("UPDATE pg.many SET n = -n WHERE n > 150000")
        try:
            seen = [row[0] for batch in [first, *batches] for row in batch]
        finally:
            connection.execute("UPDATE pg.many SET n = -n WHERE n < 0")
    assert sorted(seen) == list(range(1, 200001))


def test_rows_come_in_batches_of_one_size(source: Source) -> None:
    with reading(source) as rows:
        sizes = [len(batch) for batch in rows("many", ["n"], {"n": {"lte": [2 * BATCH_ROWS + 1]}})]
        assert sizes == [BATCH_ROWS, BATCH_ROWS, 1]


def test_batches_of_large_rows_are_small(connection: Connection, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_session, "BATCH_BYTES", 1000)
    table(connection, "v text")
    connection.execute("INSERT INTO pg.t SELECT repeat('x', 400) FROM generate_series(1, 7)")
    with reading(source) as rows:
        assert [len(batch) for batch in rows("t", ["v"])] == [3, 3, 1]


def test_what_is_gone_or_of_another_type_ends_the_report(connection: Connection, source: Source) -> None:
    table(connection, "n int, v int", "1, 2")
    schema = source.discover("")
    connection.execute("ALTER TABLE pg.t ALTER v TYPE bytea USING 'x'")
    for wanted in ({}, {"v": {"eq": [2]}}):
        with pytest.raises(ReportFailure, match="SOURCE_CHANGED"):
            rows_of(source, "t", ["v"], wanted, schema)
    connection.execute("ALTER TABLE pg.t DROP v")
    with pytest.raises(ReportFailure, match="SOURCE_CHANGED"):
        rows_of(source, "t", ["v"], None, schema)
    connection.execute("DROP TABLE pg.t")
    with pytest.raises(ReportFailure, match="SOURCE_CHANGED"):
        rows_of(source, "t", ["n"], None, schema)


def backend(connection: Connection) -> int:
    """The process that serves the source's session."""
    found = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'reporter'").fetchone()
    assert found is not None
    return int(found[0])


def read_on(batches: Iterator[Any]) -> ReportFailure:
    """Read to the end, which does not come."""
    with pytest.raises(ReportFailure) as failed:
        for _batch in batches:
            pass
    assert "row " not in str(failed.value)
    return failed.value


def test_a_server_that_dies_in_mid_stream_is_no_short_read(connection: Connection, source: Source) -> None:
    with reading(source) as rows:
        batches = rows("many", ["n", "name"])
        next(batches)
        os.kill(backend(connection), signal.SIGTERM)
        failure = read_on(batches)
        assert isinstance(failure, SourceUnavailable)
        assert failure.retryable


def test_a_query_that_takes_too_long_is_cancelled(postgres: EmbeddedPostgres, connection: Connection) -> None:
    connection.execute("CREATE OR REPLACE VIEW pg.slow AS SELECT n, pg_sleep(30)::text AS v FROM pg.many")
    entry = postgresql_entry(postgres, schemas=["pg"])
    # Looked at in peace: only the query itself is meant to run out of its second.
    with reading(opened(entry, read_seconds=1), known=opened(entry).discover("")) as rows:
        began = time.monotonic()
        failure = read_on(rows("slow", ["n", "v"]))
        assert time.monotonic() - began < 20
        assert isinstance(failure, SourceUnavailable)
        assert "more than 1 seconds" in failure.message


def test_a_server_that_falls_silent_is_hung_up_on(
    postgres: EmbeddedPostgres, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_session, "GRACE_SECONDS", 1)
    entry = postgresql_entry(postgres, schemas=["pg"])
    # Looked at in peace: only the query itself is meant to run out of its second.
    with reading(opened(entry, read_seconds=1), known=opened(entry).discover("")) as rows:
        batches = rows("many", ["n", "name"])
        next(batches)
        frozen = backend(connection)
        os.kill(frozen, signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert isinstance(read_on(batches), SourceUnavailable)
            assert time.monotonic() - began < 10
        finally:
            os.kill(frozen, signal.SIGCONT)


def test_a_server_that_falls_silent_while_its_tables_are_looked_for_counts_as_dead(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_session, "GRACE_SECONDS", 1)
    ask, frozen = postgresql_session.Session.ask, list[int]()

    def freezing(session: Any, query: str, values: Any) -> Any:
        if not frozen:
            frozen.append(session._connection.info.backend_pid)
            os.kill(frozen[0], signal.SIGSTOP)
        return ask(session, query, values)

    monkeypatch.setattr(postgresql_session.Session, "ask", freezing)
    try:
        with pytest.raises(SourceUnavailable) as failed:
            opened(postgresql_entry(postgres, schemas=["pg"]), discovery_seconds=1).discover("")
    finally:
        os.kill(frozen[0], signal.SIGCONT)
    assert failed.value.dead


def test_a_report_that_takes_too_long_ends_in_an_error_of_its_own(connection: Connection, source: Source) -> None:
    connection.execute("CREATE OR REPLACE VIEW pg.slow AS SELECT n, pg_sleep(30)::text AS v FROM pg.many")
    with reading(source, seconds=1) as rows:
        failure = read_on(rows("slow", ["n", "v"]))
        assert (failure.code, failure.retryable) == ("REPORT_TIMEOUT", False)
    with reading(source, seconds=1) as rows:
        batches = rows("many", ["n"])
        next(batches)
        time.sleep(1)
        assert read_on(batches).code == "REPORT_TIMEOUT"


def test_a_row_that_gets_lost_on_the_way_is_missed(postgres: EmbeddedPostgres, source: Source) -> None:
    schema = source.discover("")
    # One row of a COPY never arrives, and nothing else shows it.
    with Forwarder(postgres.port, lambda message: message.startswith(b"d") and message.endswith(b"row 1500\n")) as thief:
        robbed = opened(postgresql_entry(postgres, {"port": thief.port}, schemas=["pg"]))
        with robbed.snapshot(Deadline(60)) as snapshot:
            failure = read_on(snapshot.rows("pg.many", ["name"], schema, (), ORGANIZATION))
            assert isinstance(failure, SourceUnavailable)
        assert thief.stolen == 1


def test_a_server_that_is_not_there_is_told_from_a_report_that_is_wrong(postgres: EmbeddedPostgres) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    for connection in ({"port": port}, {"password": "secret"}, {"database": "secret"}):
        with pytest.raises(SourceUnavailable) as failed:
            opened(postgresql_entry(postgres, connection)).discover("")
        assert "secret" not in str(failed.value)


def test_a_password_that_was_rotated_is_looked_up_again(postgres: EmbeddedPostgres, connection: Connection) -> None:
    asked: list[bool] = []

    def credentials(fresh: bool) -> dict[str, str]:
        asked.append(fresh)
        return {"username": postgres.user, "password": postgres.password if fresh else "old"}

    entry = postgresql_entry(postgres, schemas=["pg"])
    surroundings = Surroundings(client, "files", 5, 30, HostRule(allow_private=True))
    assert "pg.many" in open_source(entry, credentials, surroundings).discover("").tables
    assert asked == [False, True]


def test_a_database_in_another_encoding_gives_the_same_text(postgres: EmbeddedPostgres, connection: Connection) -> None:
    connection.execute("DROP DATABASE IF EXISTS latin")
    connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    with psycopg.connect(postgres.dsn("latin"), client_encoding="UTF8", autocommit=True) as made:
        made.execute("CREATE TABLE t (v text)")
        made.execute("INSERT INTO t VALUES ('Café'), ('x')")
    source = opened(postgresql_entry(postgres, {"database": "latin"}))
    assert rows_of(source, "t", ["v"], {"v": {"eq": ["Café"]}}) == [("Café",)]
