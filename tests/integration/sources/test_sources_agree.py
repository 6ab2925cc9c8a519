"""One meaning for every source: random rows and filters keep the same rows in Python, PostgreSQL and files."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import moto
import psycopg
import pytest
from arro3.core import DataType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reporter.conditions import matches
from reporter.row_filters import resolve
from reporter.schema import ColumnType, SourceSchema

from local.postgresql import EmbeddedPostgres
from tests.tables import (
    create_table,
    csv_text,
    files_entry,
    json_lines,
    opened,
    parquet_file,
    postgresql_entry,
    put_file,
    rows_of,
)

KINDS: dict[str, ColumnType] = {
    "id": "integer",
    "name": "text",
    "code": "text",
    "size": "integer",
    "amount": "numeric",
    "rate": "numeric",
    "single": "numeric",
    "open": "boolean",
    "key": "uuid",
    "day": "date",
    "made": "timestamp",
    "paid": "timestamptz",
    "meta": "jsonb",
}
DATABASE_TYPES = {
    **KINDS,
    # A collation of its own must not change what a filter means.
    "name": 'text COLLATE "unicode"',
    "code": "char(3)",
    "size": "bigint",
    "rate": "double precision",
    "single": "real",
    "made": "timestamp",
}
TYPES = {"rate": DataType.float64(), "single": DataType.float32(), "amount": DataType.decimal128(38, 7)}
"""How these lie in the Parquet file."""
NAMES = [
    "a",
    "A",
    "Z",
    "z",
    "é",
    "ﬀ",
    "😀",
    "￮",
    " a",
    "a%",
    "_",
    "'",
    '"',
    "\\",
    "a\r\nb",
    "a,b",
    "null",
    "1",
    "2024-05-31",
]
NUMBERS = [0, 1, -1, 7, 10, 2**53 + 1, -(2**63), 2**63 - 1]
AMOUNTS = ["0", "0.1", "-0.1", "7", "7.00", "2.50", "12345678901234567.89", "-0.0000001", "99999999999999999999"]
RATES = ["0.1", "2.5", "-7", "1e+20", "1e-07", "0.30000000000000004", "7"]
SINGLES = ["0.1", "2.5", "-7", "7", "16777216"]
KEYS = [
    "3f1c0a52-6f0e-4f0e-9c55-0b8f6a1d2e3f",
    "00000000-0000-4000-8000-000000000001",
    "ffffffff-ffff-4fff-bfff-ffffffffffff",
]
DAYS = [date(2024, 5, 30), date(2024, 5, 31), date(2024, 6, 1), date(1, 1, 1), date(9999, 12, 31)]
MOMENTS = [
    datetime(2024, 5, 31),
    datetime(2024, 5, 31, 18, 30),
    datetime(2024, 5, 31, 23, 59, 59, 999999),
    datetime(2024, 6, 1),
    datetime(2024, 6, 1) + timedelta(microseconds=1),
    datetime(9999, 12, 31, 23, 59, 59, 999999),
    datetime(1, 1, 1),
]
SCALARS = [None, True, False, 0, 1, 7, Decimal("7.0"), Decimal("0.5"), "7", "true", "x", "", "X", "2024-05-31"]
INSIDE = [*SCALARS, {"b": 7}, {"b": "x"}, {"b": None}, [7], ["x"], {}]


def maybe(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(values)


ROW = st.fixed_dictionaries(
    {
        "name": maybe(NAMES),
        "code": maybe(["abc", "ABC", "é1", "x"]),
        "size": maybe(NUMBERS),
        "amount": maybe([Decimal(text) for text in AMOUNTS]),
        "rate": maybe([Decimal(text) for text in RATES]),
        "single": maybe([Decimal(text) for text in SINGLES]),
        "open": maybe([True, False]),
        "key": maybe(KEYS),
        "day": maybe(DAYS),
        "made": maybe(MOMENTS),
        "paid": maybe([moment.replace(tzinfo=UTC) for moment in MOMENTS]),
        "meta": st.none() | st.dictionaries(st.sampled_from(["a", "n"]), st.sampled_from(INSIDE)),
    }
)
TIMES = ["2024-05-31", "2024-06-01", "0001-01-01", "9999-12-31", "2024-05-31T18:30:00Z", "2024-05-31T21:30:00.000000+03:00"]
VALUES: dict[str, list[Any]] = {
    "name": NAMES,
    "code": ["abc", "ABC", "é1", "x", "x  "],
    "size": [*NUMBERS, 2**70, "7", Decimal("7.0")],
    "amount": [Decimal(text) for text in AMOUNTS] + [7, "2.5", 2**70],
    "rate": [Decimal("0.1"), Decimal("0.1000000000000000055"), "2.5", 10**20, 7, Decimal("0.3")],
    "single": [Decimal("0.1"), Decimal("0.100000001490116"), "2.5", 7],
    "open": [True, False],
    "key": [*KEYS, KEYS[0].upper()],
    "day": [day.isoformat() for day in DAYS],
    "made": [*TIMES, "2024-05-31 23:59:59.999999"],
    "paid": TIMES,
    "meta.a": [value for value in SCALARS if value is not None],
    "meta.a.b": [7, "x"],
    "meta.n": [value for value in SCALARS if value is not None],
}


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field in draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=2, unique=True)):
        values = st.sampled_from(VALUES[field])
        operator = draw(st.sampled_from(["eq", "in", "nin", "nin", "gt", "gte", "lt", "lte", "between"]))
        if operator == "between":
            first = draw(values)
            alike = [value for value in VALUES[field] if type(value) is type(first)]
            made[field] = {operator: [first, draw(st.sampled_from(alike))]}
        elif operator in {"eq", "in", "nin"}:
            made[field] = {operator: draw(st.lists(st.none() | values, min_size=1, max_size=4))}
        else:
            made[field] = {operator: [draw(values)]}
    return made


@pytest.fixture(scope="module")
def connection(postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.dsn(), autocommit=True) as made, moto.mock_aws():
        made.execute("DROP SCHEMA IF EXISTS agree CASCADE")
        made.execute("CREATE SCHEMA agree")
        create_table(made, "agree.t", DATABASE_TYPES, [])  # type: ignore[arg-type]
        yield made


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=12), tried=st.lists(filters(), min_size=4, max_size=4))
def test_all_sources_keep_the_same_rows(
    rows: list[dict[str, Any]],
    tried: list[dict[str, Any]],
    postgres: EmbeddedPostgres,
    connection: psycopg.Connection[Any],
) -> None:
    numbered = [{"id": number, **row} for number, row in enumerate(rows)]
    create_table(connection, "agree.t", DATABASE_TYPES, numbered)  # type: ignore[arg-type]
    put_file("agree.csv", csv_text(KINDS, numbered))
    put_file("agree.jsonl", json_lines(KINDS, numbered))
    put_file("agree.parquet", parquet_file(KINDS, numbered, TYPES, max_row_group_size=3))
    database = opened(postgresql_entry(postgres, schemas=["agree"]))
    found = database.discover("")
    assert dict(found.tables["agree.t"]) == KINDS
    declared = SourceSchema("s", {"t": KINDS})
    for wanted in tried:
        conditions = resolve({"s": {"t": wanted}}, {"s": declared})["s"]["t"]
        expected = [row["id"] for row in numbered if matches(conditions, row.get)]
        shown = json.dumps(wanted, default=str)
        assert sorted(row[0] for row in rows_of(database, "t", ["id"], wanted, found)) == expected, shown
        for name in ("agree.csv", "agree.jsonl", "agree.parquet"):
            source = opened(files_entry({"t": name}))
            assert [row[0] for row in rows_of(source, "t", ["id"], wanted, declared)] == expected, (name, shown)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=12))
def test_all_sources_deliver_the_same_values(
    rows: list[dict[str, Any]], postgres: EmbeddedPostgres, connection: psycopg.Connection[Any]
) -> None:
    numbered = [{"id": number, **row} for number, row in enumerate(rows)]
    create_table(connection, "agree.t", DATABASE_TYPES, numbered)  # type: ignore[arg-type]
    put_file("agree.csv", csv_text(KINDS, numbered))
    put_file("agree.jsonl", json_lines(KINDS, numbered))
    put_file("agree.parquet", parquet_file(KINDS, numbered, TYPES))
    database = opened(postgresql_entry(postgres, schemas=["agree"]))
    columns = list(KINDS)
    expected = [tuple(row[name] for name in columns) for row in numbered]
    assert sorted(rows_of(database, "t", columns), key=lambda row: row[0]) == expected
    declared = SourceSchema("s", {"t": KINDS})
    for name in ("agree.csv", "agree.jsonl", "agree.parquet"):
        assert rows_of(opened(files_entry({"t": name})), "t", columns, None, declared) == expected
