"""The spool: every value comes back as it was, at any size, in any order of reading."""

import os
import resource
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reporter.dataset import BATCH_ROWS, SpooledRows, SpooledTable, SpoolWriter, column_of, data_for_template
from reporter.errors import ReportFailure

Reading = Callable[[SpooledTable], SpooledRows]

ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=-3)), timezone(timedelta(hours=5, minutes=45))])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters())
    | st.dates()
    | st.datetimes(timezones=ZONES)
)
NESTED = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
COLUMN_KINDS = st.sampled_from(
    [
        st.integers(),
        st.text(st.characters()),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.decimals(allow_nan=False, allow_infinity=False) | st.none(),
        st.dates(),
        st.datetimes(timezones=st.just(UTC)),
        st.datetimes(),
        SCALARS,
        NESTED,
    ]
)


@pytest.fixture
def read() -> Iterator[Reading]:
    """Opens a spooled table as the rendering child gets it."""
    opened: list[int] = []

    def reading(table: SpooledTable) -> SpooledRows:
        opened.append(os.open(table.path, os.O_RDONLY))
        return SpooledRows(opened[-1], table.columns, table.offsets, table.starts)

    yield reading
    for descriptor in opened:
        os.close(descriptor)


def exact(value: Any) -> Any:
    """A value with its type, so that 1, True and Decimal("1.0") differ, and a decimal with its scale."""
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, dict):
        return {name: exact(item) for name, item in value.items()}
    return type(value), str(value) if isinstance(value, Decimal) else value, getattr(value, "tzinfo", None)


def spool(folder: Path, rows: int = 10**9, size: int = 10**9) -> SpoolWriter:
    return SpoolWriter(folder, max_rows=rows, max_bytes=size)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_value_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    kinds = data.draw(st.lists(COLUMN_KINDS, min_size=1, max_size=4))
    rows = data.draw(st.lists(st.tuples(*kinds), max_size=12))
    table = spool(tmp_path_factory.mktemp("spool")).write("erp", "t", [str(i) for i in range(len(kinds))], [rows])
    descriptor = os.open(table.path, os.O_RDONLY)
    try:
        found = SpooledRows(descriptor, table.columns, table.offsets, table.starts)
        assert [exact(list(row)) for row in found.tuples()] == [exact(list(row)) for row in rows]
        assert [found.tuple_at(i) for i in range(len(rows))] == rows
        for at in range(len(kinds)):
            by_column = [exact(value) for _size, (column,) in found.batches([at]) for value in column.values()]
            assert by_column == [exact(row[at]) for row in rows]
        assert len(found) == len(rows) == table.rows
    finally:
        os.close(descriptor)


TIMES = ["2024-02-29 12:30:00", "2024-02-29 12:30:00+00", "2024-02-29 12:30:00.5+00", "2024-02-29 12:30:00-03"]
ODD_TIMES = ["2024-02-29", "20240229 123000.123+00", "2024-02-29T12:30:00Z", "0001-01-01 00:00:00.123"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.none() | st.sampled_from(TIMES + ODD_TIMES), max_size=3), st.lists(st.none() | st.just("2024-02-29")))
def test_times_and_dates_that_are_only_printed_are_printed_the_same(
    times: list[str | None], dates: list[str | None]
) -> None:
    for kind, texts in (("texts of times", times), ("texts of dates", dates)):
        column = column_of(kind, tuple(texts))
        found = column.iso_texts()
        assert found is None or list(found) == [None if value is None else value.isoformat() for value in column.values()]


@pytest.mark.parametrize("text", ["2024-02-29 12:30:00", "2024-02-29 12:30:00+00"])
def test_times_of_the_usual_layout_are_printed_from_their_texts(text: str) -> None:
    assert column_of("texts of times", (text, None, text)).iso_texts() is not None


@pytest.mark.parametrize("size", [1, 7, BATCH_ROWS, BATCH_ROWS + 1, 3 * BATCH_ROWS + 5])
def test_the_size_of_a_sources_batches_does_not_matter(tmp_path: Path, read: Reading, size: int) -> None:
    rows = [(number, f"row {number}") for number in range(2 * BATCH_ROWS + 3)]
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    table = spool(tmp_path).write("erp", "t", ["id", "name"], batches)
    found = read(table)
    assert list(found.tuples()) == rows
    assert table.starts == (0, BATCH_ROWS, 2 * BATCH_ROWS, 2 * BATCH_ROWS + 3)


def test_passes_nest_and_do_not_disturb_each_other(tmp_path: Path, read: Reading) -> None:
    rows = [(number,) for number in range(BATCH_ROWS + 2)]
    found = read(spool(tmp_path).write("erp", "t", ["id"], [rows]))
    outer = found.tuples()
    next(outer)
    assert list(found.tuples()) == rows
    assert found.tuple_at(-1) == rows[-1]
    assert list(outer) == rows[1:]


def test_any_row_is_reached_from_either_end(tmp_path: Path, read: Reading) -> None:
    rows = [(number,) for number in range(6 * BATCH_ROWS)]
    found = read(spool(tmp_path).write("erp", "t", ["id"], [rows]))
    for index in (0, 5 * BATCH_ROWS, BATCH_ROWS, -1, 3 * BATCH_ROWS - 1, -len(rows), 4 * BATCH_ROWS, 2 * BATCH_ROWS, 1):
        assert found.tuple_at(index) == rows[index]
    assert found.tuple_at(len(rows)) is None
    assert found.tuple_at(-len(rows) - 1) is None


def test_tables_share_one_file_and_are_found_by_the_templates_keys(tmp_path: Path, read: Reading) -> None:
    writer = spool(tmp_path)
    first = writer.write("erp", "public.accounts", ["id"], [[(1,), (2,)]])
    second = writer.write("erp", "sales.orders", ["id"], [])
    third = writer.write("crm", "people", ["id", "name"], [[(7, "Ana")]])
    assert {table.path for table in writer.tables} == {first.path}
    rows = {(table.source, table.table): read(table) for table in (first, second, third)}
    data = data_for_template(
        {"erp": {"accounts": "public.accounts", "sales__orders": "sales.orders"}, "crm": {"people": "people"}}, rows
    )
    assert [list(data["erp"][key].tuples()) for key in ("accounts", "sales__orders")] == [[(1,), (2,)], []]
    assert data["crm"]["people"].tuple_at(0) == (7, "Ana")


def test_times_in_a_named_zone_keep_their_moment_and_offset(tmp_path: Path, read: Reading) -> None:
    summer = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Lisbon"))
    utc = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("UTC"))
    found = read(spool(tmp_path).write("erp", "t", ["a", "b", "c"], [[(summer, utc, [summer])]]))
    row = found.tuple_at(0)
    assert row is not None
    assert [row[0].isoformat(), row[1].isoformat(), row[2][0].isoformat()] == [
        "2026-07-01T12:00:00+01:00",
        "2026-07-01T12:00:00+00:00",
        "2026-07-01T12:00:00+01:00",
    ]


@pytest.mark.parametrize("value", [1.5, b"bytes", timedelta(1), [1, {"a": 2.5}], {"a": {1, 2}}])
def test_a_value_no_document_can_show_is_refused_naming_its_column(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ReportFailure, match=r"erp\.t\.amount holds a value of type") as failure:
        spool(tmp_path).write("erp", "t", ["id", "amount"], [[(1, value)]])
    assert failure.value.code == "SOURCE_VALUE"


@pytest.mark.parametrize("rows", [[(1, 2), (3,)], [(1,)], [(1, 2, 3)]])
def test_rows_that_do_not_fit_the_columns_never_shorten_a_report(tmp_path: Path, rows: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="zip"):
        spool(tmp_path).write("erp", "t", ["a", "b"], [rows])


@pytest.mark.parametrize(("limit", "said"), [({"rows": 9}, "more than 9 rows"), ({"size": 40}, "more than 40 bytes")])
def test_beyond_a_limit_the_report_ends_saying_which(tmp_path: Path, limit: dict[str, int], said: str) -> None:
    writer = spool(tmp_path, **limit)
    writer.write("erp", "a", ["id"], [[(number,) for number in range(5)]])
    with pytest.raises(ReportFailure, match=said) as failure:
        writer.write("erp", "b", ["id"], [[(number,) for number in range(5)]])
    assert failure.value.code == "REPORT_TOO_LARGE"


def test_a_full_disk_ends_the_report_with_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "rows").symlink_to("/dev/full")
    with pytest.raises(ReportFailure, match=r"no room for more than \d+ bytes of the data") as failure:
        spool(tmp_path).write("erp", "t", ["id"], [[(1,)]])
    assert failure.value.code == "REPORT_TOO_LARGE"


def test_a_truncated_spool_is_an_error_and_never_a_shorter_table(tmp_path: Path, read: Reading) -> None:
    table = spool(tmp_path).write("erp", "t", ["id"], [[(number,) for number in range(3 * BATCH_ROWS)]])
    os.truncate(table.path, table.offsets[-1] - 10)
    with pytest.raises(EOFError):
        list(read(table).tuples())


def test_memory_stays_flat_over_many_rows(tmp_path: Path, read: Reading) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    def batches(count: int) -> Iterator[list[tuple[Any, ...]]]:
        for _ in range(count):
            yield [(number, Decimal(number), moment, date(2026, 1, 1), "x" * 50) for number in range(BATCH_ROWS)]

    def passed(table: SpooledTable) -> int:
        return sum(1 for _row in read(table).tuples())

    columns = ["id", "amount", "at", "day", "text"]
    assert passed(spool(tmp_path).write("erp", "t", columns, batches(5))) == 5 * BATCH_ROWS
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (tmp_path / "more").mkdir()
    assert passed(spool(tmp_path / "more").write("erp", "t", columns, batches(60))) == 60 * BATCH_ROWS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 8
