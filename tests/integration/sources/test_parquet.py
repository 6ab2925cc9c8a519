"""Parquet files as a source: only what a report needs crosses the wire, exact values, and never a part for the whole."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import moto
import pytest
from arro3.core import DataType
from hypothesis import given, settings
from hypothesis import strategies as st
from reporter.aws.clients import client
from reporter.conditions import Condition, Interval
from reporter.errors import ReportFailure, SourceUnavailable
from reporter.schema import SourceSchema
from reporter.sources import parquet, parquet_footer
from reporter.sources.file_formats import UnfitFile
from reporter.sources.parquet import Parquet
from reporter.sources.reading import Source

from tests.tables import files_entry, opened, parquet_file, put_file, rows_of

COLUMNS: Any = {"n": "integer", "name": "text", "amount": "numeric", "day": "date", "at": "timestamptz"}
COUNT = 20_000
ROWS = [
    {
        "n": n,
        "name": f"row {n:07d}",
        "amount": Decimal(n) / 100,
        "day": date(2024, 1, 1 + n // 1000),
        "at": datetime(2024, 1, 1 + n // 1000, tzinfo=UTC),
    }
    for n in range(COUNT)
]
FILE = parquet_file(COLUMNS, ROWS, {"amount": DataType.decimal128(20, 2)}, max_row_group_size=2000)


@pytest.fixture(autouse=True)
def cloud() -> Iterator[None]:
    with moto.mock_aws():
        yield


def drop(content: bytes, **more: Any) -> Source:
    put_file("t.parquet", content)
    return opened(files_entry({"t": "t.parquet"}, **more))


def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the ranges that are asked for from here on."""
    lengths: list[int] = []
    monkeypatch.setattr(parquet, "BLOCK_BYTES", 4096)
    get = client("s3").get_object

    def counted(**request: Any) -> Any:
        start, end = request["Range"].removeprefix("bytes=").split("-")
        lengths.append(int(end) - int(start) + 1)
        return get(**request)

    monkeypatch.setattr(client("s3"), "get_object", counted)
    return lengths


def test_types_are_those_of_the_file_and_values_are_exact() -> None:
    source = drop(FILE)
    assert source.discover("").tables["t"] == COLUMNS
    found = rows_of(source, "t", list(COLUMNS))
    assert found == [tuple(row.values()) for row in ROWS]
    assert [type(value) for value in found[7]] == [int, str, Decimal, date, datetime]
    assert str(found[7][2]) == "0.07"
    assert found[7][4].tzinfo is UTC
    assert len(rows_of(source, "t", [])) == COUNT


def test_columns_that_are_not_needed_are_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    source = drop(FILE)
    schema = source.discover("")
    lengths = fetched(monkeypatch)
    assert len(rows_of(source, "t", ["day"], None, schema)) == COUNT
    assert sum(lengths) < len(FILE) / 3


@pytest.mark.parametrize(
    "filters",
    [
        {"n": {"between": [4100, 4102]}},
        {"name": {"eq": ["row 0004101"]}},
        {"amount": {"gte": ["41.01"], "lt": ["41.02"]}},
        {"day": {"eq": ["2024-01-05"]}, "n": {"eq": [4101]}},
        {"at": {"eq": ["2024-01-05"]}, "n": {"eq": [4101]}},
    ],
    ids=["number", "text", "decimal", "date", "time"],
)
def test_row_groups_that_cannot_hold_a_row_are_not_fetched(filters: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    source = drop(FILE)
    schema = source.discover("")
    lengths = fetched(monkeypatch)
    assert (4101,) in rows_of(source, "t", ["n"], filters, schema)
    assert sum(lengths) < len(FILE) / 4


def failure(source: Source, columns: list[str], schema: SourceSchema | None = None) -> ReportFailure:
    with pytest.raises(ReportFailure) as failed:
        rows_of(source, "t", columns, None, schema)
    return failed.value


@pytest.mark.parametrize("keep", [0, 3, 8, 100, len(FILE) // 2, len(FILE) - 1])
def test_a_file_that_was_cut_off_is_an_error(keep: int) -> None:
    source = drop(FILE)
    schema = source.discover("")
    put_file("t.parquet", FILE[:keep])
    failed = failure(source, ["n"], schema)
    assert (failed.code, failed.retryable) == ("SOURCE_VALUE", False)
    assert "table t" in failed.message


def test_a_range_that_ends_early_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    source = drop(FILE)
    schema = source.discover("")
    get = client("s3").get_object

    def short(**request: Any) -> Any:
        start, end = request["Range"].removeprefix("bytes=").split("-")
        length = int(end) - int(start) + 1
        return get(**request) if length < 1000 else get(**{**request, "Range": f"bytes={start}-{int(end) - 1}"})

    monkeypatch.setattr(client("s3"), "get_object", short)
    assert isinstance(failure(source, ["n"], schema), SourceUnavailable)


def test_a_file_that_is_replaced_meanwhile_stays_the_one_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    source = drop(FILE)
    schema = source.discover("")
    get = client("s3").get_object

    def replacing(**request: Any) -> Any:
        put_file("t.parquet", parquet_file(COLUMNS, ROWS[:5]))
        return get(**request)

    monkeypatch.setattr(client("s3"), "get_object", replacing)
    assert len(rows_of(source, "t", ["n"], None, schema)) == COUNT


def test_a_column_that_is_gone_or_a_file_that_is_not_there() -> None:
    source = drop(FILE)
    declared = SourceSchema("s", {"t": {**COLUMNS, "gone": "text"}})
    assert failure(source, ["gone"], declared).code == "SOURCE_CHANGED"
    client("s3").delete_object(Bucket="files", Key="t.parquet")
    assert failure(source, ["n"], declared).code == "SOURCE_CHANGED"
    assert source.discover("").tables == {}


@pytest.mark.parametrize(
    ("kind", "arrow", "value", "declared"),
    [
        ("text", DataType.float64(), "NaN", "numeric"),
        ("text", DataType.float64(), "inf", "numeric"),
        ("text", DataType.timestamp("ns", tz=None), "2024-01-01T00:00:00.000000001", "timestamp"),
        ("text", DataType.utf8(), "x", "integer"),
        ("text", DataType.utf8(), "x", "uuid"),
        ("text", DataType.binary(), "x", "other"),
        ("text", DataType.float64(), "1.5", "integer"),
    ],
)
def test_what_no_document_can_show_ends_the_report(kind: Any, arrow: DataType, value: str, declared: Any) -> None:
    source = drop(parquet_file({"v": kind}, [{"v": value}], {"v": arrow}))
    failed = failure(source, ["v"], SourceSchema("s", {"t": {"v": declared}}))
    assert failed.code == "SOURCE_VALUE"
    assert "column v" in failed.message


def damaged(at: int, byte: int) -> Parquet:
    content = bytearray(FILE)
    content[at] ^= byte
    return Parquet(lambda start, length: bytes(content[start : start + length]), len(content))


# Not by chance: damage that only the library can see may end the process (docs/operations.md).
@settings(max_examples=150, deadline=None, derandomize=True)
@given(at=st.integers(0, len(FILE) - 1), byte=st.integers(1, 255))
def test_a_damaged_file_gives_its_rows_or_an_error_of_ours(at: int, byte: int) -> None:
    """Never another kind of error; what the pages hold is not signed, so some damage goes unseen."""
    try:
        rows = sum(len(batch) for batch in damaged(at, byte).rows(["n", "amount"], COLUMNS, ()))
    except UnfitFile:
        return
    assert rows == COUNT


FOOTER_AT = len(FILE) - 8 - int.from_bytes(FILE[-8:-4], "little")


def test_a_footer_that_lacks_rows_or_points_elsewhere_is_refused() -> None:
    """None is a short table, and none reaches the library, which ends the process at a place before the file's start."""

    def refused(change: Callable[[parquet_footer.Struct, parquet_footer.Struct], Any]) -> str:
        """``change``: of the whole and of what it says of the first column in the fourth row group."""
        file = parquet_footer._Reader(FILE[FOOTER_AT:-8]).struct()
        change(file, file[4][1][1][3][1][1][1][0][3][1])
        with pytest.raises(UnfitFile) as failure:
            parquet_footer.Footer(parquet_footer._written_struct(file), FOOTER_AT).cut(["n"], ())
        return str(failure.value)

    assert refused(lambda file, _column: file.pop(4)) == "its footer: field 4 is missing"
    assert refused(lambda file, _column: file[4][1][1].pop()) == "its footer: the row groups do not hold all rows"
    # Its size, the place of its first page, and that of its dictionary.
    for places in {7: -1}, {9: -1, 11: 0}, {11: -5}, {9: FOOTER_AT, 11: 0}, {7: FOOTER_AT + 1}:
        moved = {number: (parquet_footer._I64, place) for number, place in places.items()}
        assert refused(partial(_moved, moved)) == "its footer: a column lies outside the file"


def _moved(places: parquet_footer.Struct, _file: parquet_footer.Struct, column: parquet_footer.Struct) -> None:
    column.update(places)


FILTERS = {"n": 5, "amount": Decimal(5), "name": "row 5", "day": date(2024, 1, 5), "at": datetime(2024, 1, 5, tzinfo=UTC)}


@settings(max_examples=300, deadline=None)
@given(
    at=st.integers(FOOTER_AT, len(FILE) - 9),
    byte=st.integers(1, 255),
    tested=st.sampled_from(list(FILTERS)),
)
def test_a_damaged_footer_is_cut_or_refused(at: int, byte: int, tested: str) -> None:
    condition = Condition(tested, (), COLUMNS[tested], (Interval(FILTERS[tested], FILTERS[tested]),))
    try:
        footer = damaged(at, byte)._footer
        footer.cut(["n", "amount"], (condition,))
        _cut, rows = footer.cut([], ())
    except UnfitFile:
        return
    assert rows == COUNT
