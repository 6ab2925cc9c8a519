"""Rows given beside a template: read exactly, filtered as in a report, refused with their place, streamed."""

import json
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from reporter.dataset import SpoolWriter
from reporter.deadline import Deadline
from reporter.errors import RequestError
from reporter.exact_json import parse_json
from reporter.given_data import GivenData, given_json, given_path
from reporter.row_filters import check_operators, resolve

ROWS = """{"bank": {"t": [
 {"id": 1, "amount": 10.50, "at": {"$type": "datetime", "value": "2024-03-31T23:30:00Z"},
  "tags": [{"$type": "int32", "value": 7}]},
 {"id": 2, "amount": {"$type": "decimal128", "value": "0.1000"}, "on": {"$type": "date", "value": "2024-02-29"},
  "extra": null},
 {"id": 3, "key": {"$type": "uuid", "value": "0192F000-0000-7000-8000-00000000000A"},
  "at": {"$type": "datetime", "value": "2024-04-01T00:00:00Z"}}
], "empty": []}}"""


def given(text: str = ROWS) -> GivenData:
    return given_json(parse_json(text), "data.json")


def rows_of(data: GivenData, *columns: str, filters: Any = None) -> list[tuple[Any, ...]]:
    conditions = resolve(check_operators({"bank": {"t": filters or {}}}), data.schemas)
    with data.snapshot("bank", Deadline(60)) as read:
        return [row for batch in read("t", columns, conditions["bank"]["t"]) for row in batch]


def test_numbers_are_exact_and_marked_values_native() -> None:
    assert rows_of(given(), "id", "amount", "at", "on", "tags", "key") == [
        (1, Decimal("10.50"), datetime(2024, 3, 31, 23, 30, tzinfo=UTC), None, [7], None),
        (2, Decimal("0.1000"), None, date(2024, 2, 29), None, None),
        (3, None, datetime(2024, 4, 1, tzinfo=UTC), None, None, "0192f000-0000-7000-8000-00000000000a"),
    ]
    assert str(rows_of(given(), "amount")[1][0]) == "0.1000"


def test_columns_are_those_of_all_rows_and_types_what_their_values_are() -> None:
    schema = given().schemas["bank"]
    assert schema.tables["t"] == {
        "id": "integer",
        "amount": "numeric",
        "at": "timestamptz",
        "tags": "array",
        "on": "date",
        "extra": "other",
        "key": "uuid",
    }
    assert schema.open_tables == {"empty"}


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({"amount": {"eq": ["10.5"]}}, [1]),
        ({"amount": {"nin": [0.5]}}, [1, 2, 3]),
        ({"at": {"between": ["2024-03-01", "2024-03-31"]}}, [1]),
        ({"at": {"gt": ["2024-03-31"]}}, [3]),
        ({"at": {"eq": [None]}}, [2]),
        ({"on": {"lte": ["2024-02-29"]}, "id": {"gte": [2]}}, [2]),
        ({"key": {"eq": ["0192f000-0000-7000-8000-00000000000A"]}}, [3]),
    ],
)
def test_filters_mean_what_they_mean_in_a_report(filters: Any, ids: list[int]) -> None:
    exact = json.loads(json.dumps(filters), parse_float=Decimal)
    assert [row[0] for row in rows_of(given(), "id", filters=exact)] == ids


def test_a_filter_that_cannot_be_applied_is_an_error_and_never_ignored() -> None:
    for filters, code in (({"nope": {"eq": [1]}}, "TPL-0014"), ({"at": {"eq": ["x"]}}, "TPL-0017")):
        with pytest.raises(RequestError) as error:
            rows_of(given(), "id", filters=filters)
        assert error.value.code == code


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "data.json: must be an object of sources"),
        ('{"bank": []}', "data.json: bank: must be an object of tables"),
        ('{"bank": {"t": {}}}', "data.json: bank.t: must be a list of rows"),
        ('{"bank": {"t": [{"a": 1}, 2]}}', "data.json: bank.t.1: a row must be an object"),
        ('{"bank": {"t": [{"a": {"$type": "float", "value": 1}}]}}', "data.json: bank.t.0: a: unknown $type"),
        ('{"bank": {"t": [{"a": {"$type": "date", "value": "2024-13-01"}}]}}', "data.json: bank.t.0: a: $type date takes"),
        ('{"bank": {"t": [{"a": {"$type": "datetime", "value": "2024-01-01"}}]}}', "$type datetime takes a moment"),
        ('{"bank": {"t": [{"a": [{"$type": "int32", "value": 2147483648}]}]}}', "$type int32 takes a whole number"),
        ('{"bank": {"t": [{"a": {"$type": "decimal", "value": "NaN"}}]}}', "$type decimal takes a decimal"),
        ('{"bank": {"t": [{"a": {"$type": "uuid", "value": 5}}]}}', "$type uuid takes a UUID"),
    ],
)
def test_what_cannot_be_a_row_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(RequestError, match="TPL-0017") as error:
        given(text)
    assert said in error.value.message


def test_in_a_file_the_row_s_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    other = '"other": {"t": [{"a": [1, {"b": "}"}]}]}'
    rows = '{"a": 1},\n\n   {"a": {"$type": "x", "value": 1}}'
    file.write_text(f'{{{other},\n "bank": {{\n  "u": [],\n  "t": [\n   {rows}]}}}}')
    with pytest.raises(RequestError) as error:
        given_path(file)
    assert error.value.message.startswith(f"{file}:7: bank.t.1: a: unknown $type")
    file.write_text('{"bank": {"t": [{"a": 1},\n [2]]}}')
    with pytest.raises(RequestError) as error:
        given_path(file)
    assert error.value.message.startswith(f"{file}:2: bank.t.1: a row must be an object")


def test_a_folder_holds_the_same_rows_one_a_line(tmp_path: Path) -> None:
    (tmp_path / "bank").mkdir()
    lines = [json.dumps(row) for row in json.loads(ROWS, parse_float=str)["bank"]["t"]]
    (tmp_path / "bank" / "t.jsonl").write_text("\n\n".join(lines).replace('"10.50"', "10.50") + "\n")
    (tmp_path / "bank" / "empty.jsonl").write_text("")
    data, same = given_path(tmp_path), given()
    assert data.schemas == same.schemas
    assert rows_of(data, "id", "amount", "at") == rows_of(same, "id", "amount", "at")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"a": 1,}', "t.jsonl:2: not valid JSON"),
        (b"[1]", "t.jsonl:2: a row must be an object"),
        (b'{"a": "\xe9"}', "t.jsonl:2: is not UTF-8"),
        (b'{"a": NaN}', "t.jsonl:2: NaN is not JSON"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: bytes, said: str) -> None:
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "t.jsonl").write_bytes(b'{"a": 1}\n' + line)
    with pytest.raises(RequestError) as error:
        given_path(tmp_path)
    assert said in error.value.message


def test_a_folder_without_tables_says_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"source/table\.jsonl"):
        given_path(tmp_path)


def test_a_folder_is_spooled_in_flat_memory(tmp_path: Path) -> None:
    (tmp_path / "bank").mkdir()
    rows, text = 12_000, "x" * 1000
    with (tmp_path / "bank" / "t.jsonl").open("w") as file:
        file.writelines(f'{{"id": {number}, "text": "{text}"}}\n' for number in range(rows))
    tracemalloc.start()
    data = given_path(tmp_path)
    spool = SpoolWriter(tmp_path, rows, 10**9)
    with data.snapshot("bank", Deadline(60)) as read:
        spool.write("bank", "t", ["id", "text"], read("t", ["id", "text"], ()))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spool.rows == rows
    assert peak < rows * len(text) * 0.75
