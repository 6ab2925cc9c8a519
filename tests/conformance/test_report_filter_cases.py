"""The row filter cases: in Python, on a real PostgreSQL server, and on files of both formats."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import moto
import psycopg
import pytest
from reporter.errors import RequestError
from reporter.row_filters import check_operators, matches, resolve
from reporter.schema import SourceSchema

from local.postgresql import EmbeddedPostgres
from tests.tables import create_table, csv_text, files_entry, json_lines, opened, postgresql_entry, put_file, rows_of

CASES = [
    json.loads(line, parse_float=Decimal)
    for line in (Path(__file__).parent / "report_filter.jsonl").read_text().splitlines()
]
ROW_CASES = pytest.mark.parametrize("case", [c for c in CASES if "expected_ids" in c], ids=lambda c: c["id"])
ERROR_CASES = pytest.mark.parametrize("case", [c for c in CASES if "error_code" in c], ids=lambda c: c["id"])
TABLE_CASES = pytest.mark.parametrize("case", [c for c in CASES if c.get("kind") == "table_key"], ids=lambda c: c["id"])

Case = dict[str, Any]


@pytest.fixture(scope="module")
def connection(postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.dsn(), autocommit=True, prepare_threshold=None) as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[None]:
    with moto.mock_aws():
        yield


def typed(value: Any, kind: str) -> Any:
    """A case's JSON value as a source delivers it."""
    if value is None:
        return None
    if kind in {"timestamp", "timestamptz"}:
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if kind == "date" else value


def ids(rows: list[tuple[Any, ...]]) -> list[int]:
    return sorted(row[0] for row in rows)


def test_no_case_is_left_out() -> None:
    assert len(CASES) == 56
    assert all("expected_ids" in case or "error_code" in case or case.get("kind") == "table_key" for case in CASES)


@ROW_CASES
def test_the_case_holds_in_python(case: Case) -> None:
    schema = SourceSchema("s", {"t": case["columns"]})
    conditions = resolve(check_operators({"s": {"t": case["filters"]}}), {"s": schema})["s"]["t"]
    rows = [{name: typed(row.get(name), kind) for name, kind in case["columns"].items()} for row in case["rows"]]
    assert [row["id"] for row in rows if matches(conditions, row.get)] == case["expected_ids"]


@ROW_CASES
def test_the_case_holds_on_postgresql(case: Case, postgres: EmbeddedPostgres, connection: psycopg.Connection[Any]) -> None:
    create_table(connection, "public.t", case["columns"], case["rows"])
    source = opened(postgresql_entry(postgres))
    assert dict(source.discover("").tables["public.t"]) == case["columns"]
    assert ids(rows_of(source, "t", ["id"], case["filters"])) == case["expected_ids"]


@ROW_CASES
def test_the_case_holds_on_a_csv_file(case: Case) -> None:
    put_file("t.csv", csv_text(case["columns"], case["rows"]))
    schema = SourceSchema("s", {"t": case["columns"]})
    assert ids(rows_of(opened(files_entry({"t": "t.csv"})), "t", ["id"], case["filters"], schema)) == case["expected_ids"]


@ROW_CASES
def test_the_case_holds_on_a_json_lines_file(case: Case) -> None:
    put_file("t.jsonl", json_lines(case["columns"], case["rows"]))
    schema = SourceSchema("s", {"t": case["columns"]})
    source = opened(files_entry({"t": "t.jsonl"}))
    assert ids(rows_of(source, "t", ["id"], case["filters"], schema)) == case["expected_ids"]


@ERROR_CASES
def test_the_case_is_refused(case: Case) -> None:
    with pytest.raises(RequestError) as error:
        resolve(check_operators({"s": {"t": case["filters"]}}), {"s": SourceSchema("s", {"t": case["columns"]})})
    assert (error.value.code, error.value.status) == (case["error_code"], case["expected_status"])


@TABLE_CASES
def test_a_filter_reaches_the_table_the_template_reads(case: Case) -> None:
    tables = {f"{schema}.{table}": {"id": "integer"} for schema, names in case["schemas"].items() for table in names}
    schema = SourceSchema("s", tables, tuple(case["schemas"]))  # type: ignore[arg-type]
    conditions = resolve({"s": {case["filter_table"]: {"id": {"eq": [1]}}}}, {"s": schema})
    applied = schema.qualified_name(case["template_table"], "template") in conditions["s"]
    assert applied is case["filter_applied"]
