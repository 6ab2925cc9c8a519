"""No binary float reaches a template, whatever the source: not as a value, not deep inside one, not through the spool."""

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import moto
import psycopg
import pytest
from reporter.dataset import SpooledRows, SpoolWriter
from reporter.language.rows import Row, as_dict

from local.postgresql import EmbeddedPostgres
from tests.tables import files_entry, opened, postgresql_entry, put_file, rows_of

NESTED = '{"a": 0.1, "b": [1e3, {"c": 2.50}], "d": 1.0}'
DOUBLES = [0.1, 7, 1e20, -2.5e-7, 1 / 3]


def floats_in(value: Any) -> int:
    if isinstance(value, float):
        return 1
    if isinstance(value, Row):
        value = as_dict(value)
    members = [*value, *value.values()] if isinstance(value, dict) else value
    return sum(map(floats_in, members)) if isinstance(members, list | tuple) else 0


def in_the_template(folder: Path, rows: list[tuple[Any, ...]], columns: list[str]) -> list[Any]:
    """The rows as loops, indices and whole columns give them, after the spool."""
    writer = SpoolWriter(folder, 10_000, 1 << 20)
    table = writer.write("s", "t", columns, [rows])
    descriptor = os.open(table.path, os.O_RDONLY)
    spooled = SpooledRows(descriptor, columns, table.offsets, table.starts)
    by_column = [list(column.values()) for _size, found in spooled.batches(range(len(columns))) for column in found]
    seen = [*spooled, spooled[0], spooled[-1], *spooled.tuples(), *by_column]
    os.close(descriptor)
    return seen


def test_from_postgresql(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS floats")
        connection.execute("CREATE TABLE floats (d float8, r float4, n numeric, j jsonb, k json, a float8[])")
        for double in DOUBLES:
            values = [double, double, Decimal(repr(double)), NESTED, NESTED, [double, double]]
            connection.execute("INSERT INTO floats VALUES (%s, %s, %s, %s, %s, %s)", values)
    rows = rows_of(opened(postgresql_entry(postgres)), "floats", ["d", "r", "n", "j", "k", "a"])
    assert [str(row[0]) for row in rows][:2] == ["0.1", "7"]
    assert sum(map(floats_in, in_the_template(tmp_path, rows, ["d", "r", "n", "j", "k", "a"]))) == 0


@pytest.fixture
def cloud() -> Iterator[None]:
    with moto.mock_aws():
        yield


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_from_files(tmp_path: Path, kind: str) -> None:
    lines = {
        "csv": ["d,j", *(f'{double!r},"{NESTED.replace(chr(34), chr(34) * 2)}"' for double in DOUBLES)],
        "jsonl": [f'{{"d": {double!r}, "j": {NESTED}}}' for double in DOUBLES],
    }
    put_file(f"t.{kind}", "\n".join(lines[kind]) + "\n")
    rows = rows_of(opened(files_entry({"t": f"t.{kind}"})), "t", ["d", "j"])
    assert [str(row[0]) for row in rows][:2] == ["0.1", "7"]
    assert sum(map(floats_in, in_the_template(tmp_path, rows, ["d", "j"]))) == 0
