"""Choosing rows and summing them: tables streamed from disk and lists in memory give the same."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reporter.language.filters import FILTERS
from reporter.language.numbers import TemplateValueError
from reporter.language.rows import Row, Rows, as_dict, field_of, has_field
from reporter.language.selection import AGGREGATES, count, filter_rows, last_item_by_group, sum_field, where

D = Decimal


class Table(Rows):
    """Rows in memory, counting how often they are read."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.columns = tuple(dict.fromkeys(name for row in rows for name in row))
        self._tuples = [tuple(row.get(name) for name in self.columns) for row in rows]
        self.passes = 0

    def __len__(self) -> int:
        return len(self._tuples)

    def tuples(self) -> Iterator[tuple[Any, ...]]:
        self.passes += 1
        return iter(self._tuples)

    def tuple_at(self, index: int) -> tuple[Any, ...] | None:
        return self._tuples[index] if -len(self) <= index < len(self) else None


def ids(rows: Rows | list[Any]) -> list[Any]:
    return [field_of(row, "id") for row in rows]


VALUES: list[Any] = [
    *["N", "7", 7, D("7.0"), "7.0", "007", True, "true", None, "", 0, False, [1], {"k": 7}, D("10.50"), "10.50"],
    *[date(2024, 3, 5), datetime(2024, 3, 5, tzinfo=UTC), "2024-03-05"],
]
ROWS = [{"id": at, "v": value} for at, value in enumerate(VALUES)]


@pytest.mark.parametrize(
    ("argument", "found"),
    [
        ("v:N", ["N"]),
        ("v: N", []),
        ("v:7", ["7", 7, D("7.0")]),
        ("v:007", [7, D("7.0"), "007"]),
        ("v:true", [True, "true"]),
        ("v:True", [True]),
        ("v:false", [False]),
        ("v:", [""]),
        ("v:null", []),
        ("v:<nil>", []),
        ("v:10.5", [D("10.50")]),
        ("v:10.50", [D("10.50"), "10.50"]),
        ("v:2024-03-05", [date(2024, 3, 5), datetime(2024, 3, 5, tzinfo=UTC), "2024-03-05"]),
        ("v.k:7", [{"k": 7}]),
        ("nosuch:7", []),
    ],
)
def test_where_compares_text_with_text_and_numbers_with_their_spelling(argument: str, found: list[Any]) -> None:
    for rows in (ROWS, Table(ROWS), [Row({"id": 0, "v": 1}, tuple(row.values())) for row in ROWS]):
        chosen = [VALUES[at] for at in ids(where(rows, argument))]
        assert list(map(repr, chosen)) == list(map(repr, found))
        assert count(rows, argument) == len(found)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (7, ["7", 7, D("7.0")]),
        ("7", ["7", 7, D("7.0")]),
        (D("7.0"), ["7", 7, D("7.0"), "7.0"]),
        ("007", [7, D("7.0"), "007"]),
        (None, []),
        (True, [True, "true"]),
        (D("10.50"), [D("10.50"), "10.50"]),
        (date(2024, 3, 5), [date(2024, 3, 5), datetime(2024, 3, 5, tzinfo=UTC), "2024-03-05"]),
    ],
)
def test_filter_joins_numbers_with_texts_that_spell_them(wanted: Any, found: list[Any]) -> None:
    for rows in (ROWS, Table(ROWS)):
        assert list(map(repr, (VALUES[at] for at in ids(filter_rows(rows, "v", wanted))))) == list(map(repr, found))


@pytest.mark.parametrize("rows", [5, "text", True, {"a": 1}])
def test_only_rows_can_be_chosen(rows: Any) -> None:
    for choose in (lambda: where(rows, "a:b"), lambda: count(rows, "a:b"), lambda: sum_field(rows, "a")):
        with pytest.raises(TemplateValueError, match="a list of rows is needed"):
            choose()


def test_filter_needs_a_field_in_quotes() -> None:
    with pytest.raises(TemplateValueError, match="in quotes"):
        filter_rows(ROWS, 5, "N")


def test_a_table_is_read_once_and_not_kept() -> None:
    table = Table(ROWS)
    for run in (lambda: [*where(table, "v:7")], lambda: count(table, "v:7"), lambda: sum_field(table, "v")):
        table.passes = 0
        run()
        assert table.passes == 1


def test_chosen_rows_are_rows_with_all_their_columns() -> None:
    (row,) = where(Table([{"a": 1, "items": 2}, {"a": 3, "items": 4}]), "a:3")
    assert isinstance(row, Row)
    assert as_dict(row) == {"a": 3, "items": 4}


def test_a_sum_skips_what_is_no_number() -> None:
    values = [D("0.1"), "0.2", "1e2", ".5", "+3", " 7 ", "1,000", "x", None, True, [], {}, ""]
    rows = [{"v": value} for value in values]
    assert sum_field(rows, "v") == sum_field(Table(rows), "v") == D("103.8")
    assert sum_field(rows, "nosuch") == sum_field(None, "v") == 0


numbers = st.integers(-(10**18), 10**18) | st.decimals(
    allow_nan=False, allow_infinity=False, places=8, min_value=-(10**15), max_value=10**15
)
values = st.lists(numbers | numbers.map(str) | st.sampled_from([None, True, "x", ""]), max_size=20)
WIDE = Context(prec=300, rounding=ROUND_HALF_UP)


def shown(number: Fraction, places: int | None) -> str:
    exact = WIDE.divide(D(number.numerator), D(number.denominator)).quantize(
        D(1).scaleb(-(16 if places is None else places)), ROUND_HALF_UP, WIDE
    )
    text = format(exact, "f")
    if places is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text[1:] if text.startswith("-") and not D(text) else text


@example([1], None)
@given(values, st.none() | st.integers(0, 12))
def test_aggregates_agree_with_exact_fractions(found: list[Any], scale: int | None) -> None:
    rows = [{"v": value} for value in found]
    # By type, not by value: 1 equals True.
    exact = [Fraction(value) for value in found if type(value) not in (type(None), bool) and value not in ("x", "")]
    expected = {
        "sum_by": sum(exact, Fraction()),
        "avg_by": sum(exact, Fraction()) / max(1, len(exact)),
        "min_by": min(exact, default=Fraction()),
        "max_by": max(exact, default=Fraction()),
    }
    for source in (rows, Table(rows)):
        assert {name: AGGREGATES[name](source, "v", None, scale) for name in expected} == {
            name: shown(number, scale) for name, number in expected.items()
        }
        assert AGGREGATES["count_by"](source, "", None, None) == str(len(rows))


def test_an_average_of_large_amounts_keeps_all_its_decimals() -> None:
    rows = [{"v": D("98765432109876543210.01")}, {"v": 0}, {"v": 0}]
    assert AGGREGATES["avg_by"](rows, "v", None, None) == "32921810703292181070.0033333333333333"


def test_a_condition_chooses_the_rows_of_an_aggregate() -> None:
    rows = Table([{"v": 1, "z": "N"}, {"v": 2, "z": "S"}, {"v": 4, "z": "N"}])

    def north(row: Any) -> bool:
        return bool(field_of(row, "z") == "N")

    assert [AGGREGATES[name](rows, "v", north, None) for name in AGGREGATES] == ["5", "2.5", "1", "4", "2"]
    assert [AGGREGATES[name](rows, "v", lambda row: False, 2) for name in AGGREGATES] == ["0.00"] * 4 + ["0"]


def test_the_newest_row_of_each_group_in_the_order_of_the_keys() -> None:
    rows = [
        {"id": 1, "g": "b", "at": "2024-01-01"},
        {"id": 2, "g": "a", "at": datetime(2024, 1, 2, tzinfo=UTC)},
        {"id": 3, "g": "a", "at": "2024-01-01"},
        {"id": 4, "g": None, "at": None},
        {"id": 5, "g": "", "at": "2024-01-01"},
        {"id": 6, "g": 10, "at": 1},
        {"id": 7, "g": 9, "at": 2},
        {"id": 8, "g": D("9.0"), "at": 2},
        {"id": 9, "at": "2024-01-01"},
    ]
    assert ids(last_item_by_group(rows, "g", "at", None)) == [4, 8, 6, 5, 2, 1]
    assert ids(last_item_by_group(rows, "g", "at", lambda row: row["id"] < 3)) == [2, 1]
    assert last_item_by_group(None, "g", "at", None) == []


def test_a_path_leads_through_rows_and_objects_but_not_into_lists() -> None:
    row = Row({"items": 0, "m": 1, "a.b": 2}, ([{"net": 5}], {"k": {"x": 1}}, 3))
    assert field_of(row, "m.k.x") == 1
    assert field_of(row, "a.b") == 3
    assert field_of(row, "items.0.net") is None
    assert field_of(row, "m.nosuch.x") is None
    assert field_of("text", "upper") is None
    assert field_of({"get": 1, "items": 2}, "get") == 1
    assert has_field(row, "m.k")
    assert has_field({"a": None}, "a")
    assert not has_field(row, "m.z")
    assert not has_field(None, "m")


def test_list_filters_work_on_tables() -> None:
    table = Table([{"id": at, "v": value} for at, value in enumerate([3, 1, 2])])
    assert ids(FILTERS["sort"](table, "v")) == [1, 2, 0]
    assert ids(FILTERS["reverse"](table)) == [2, 1, 0]
    assert ids(FILTERS["slice"](table, "1:")) == [1, 2]
    assert ids(FILTERS["slice"](table, "-1:")) == [2]
    assert field_of(FILTERS["first"](table), "v") == 3
    assert field_of(FILTERS["last"](table), "v") == 2
    assert FILTERS["length"](table) == 3
    assert FILTERS["join"](table, "+", "v") == "3+1+2"
    assert FILTERS["join"](FILTERS["add_day"](Table([{"d": date(2024, 3, 5)}]), "d"), "", "dia") == "20240305"
    assert FILTERS["first"](Table([])) is None
    assert FILTERS["last"](Table([])) is None
