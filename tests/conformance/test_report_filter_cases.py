"""The row filter cases against the meaning in Python; the sources run the same cases in tests/integration."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from reporter.errors import RequestError
from reporter.row_filters import check_operators, matches, resolve
from reporter.schema import SourceSchema

CASES = [
    json.loads(line, parse_float=Decimal)
    for line in (Path(__file__).parent / "report_filter.jsonl").read_text().splitlines()
]


def typed(value: Any, kind: str) -> Any:
    """A case's JSON value as a source delivers it."""
    from datetime import date, datetime

    if value is None:
        return None
    if kind in {"timestamp", "timestamptz"}:
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if kind == "date" else value


@pytest.mark.parametrize("case", [c for c in CASES if "columns" in c], ids=lambda c: c["id"])
def test_the_case_holds(case: dict[str, Any]) -> None:
    schemas = {"s": SourceSchema("s", {"t": case["columns"]})}
    filters = {"s": {"t": case["filters"]}}
    if "error_code" in case:
        with pytest.raises(RequestError) as error:
            resolve(check_operators(filters), schemas)
        assert (error.value.code, error.value.status) == (case["error_code"], case["expected_status"])
        return
    conditions = resolve(check_operators(filters), schemas)["s"]["t"]
    rows = [{name: typed(row.get(name), kind) for name, kind in case["columns"].items()} for row in case["rows"]]
    assert [row["id"] for row in rows if matches(conditions, row.get)] == case["expected_ids"]


@pytest.mark.parametrize("case", [c for c in CASES if c.get("kind") == "table_key"], ids=lambda c: c["id"])
def test_a_filter_reaches_the_table_the_template_reads(case: dict[str, Any]) -> None:
    tables = {f"{schema}.{table}": {"id": "integer"} for schema, names in case["schemas"].items() for table in names}
    schema = SourceSchema("s", tables, tuple(case["schemas"]))  # type: ignore[arg-type]
    conditions = resolve({"s": {case["filter_table"]: {"id": {"eq": [1]}}}}, {"s": schema})
    applied = schema.qualified_name(case["template_table"], "template") in conditions["s"]
    assert applied is case["filter_applied"]
