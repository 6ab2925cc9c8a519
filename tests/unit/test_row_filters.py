"""What a request's filters may say, what they mean for each type, and what is refused where."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporter.conditions import Condition, Interval, RowTest, matches
from reporter.errors import RequestError
from reporter.row_filters import (
    MAX_CONDITIONS,
    MAX_PATH,
    MAX_PROBLEMS_SHOWN,
    MAX_TEXT,
    MAX_VALUES,
    check_operators,
    resolve,
)
from reporter.schema import SourceSchema

COLUMNS = {
    "id": "integer",
    "v": "numeric",
    "name": "text",
    "ok": "boolean",
    "uid": "uuid",
    "due": "date",
    "at": "timestamp",
    "paid": "timestamptz",
    "meta": "jsonb",
    "a.b": "text",
    "tags": "array",
    "blob": "other",
}
SCHEMAS = {
    "erp": SourceSchema(
        "erp",
        {"public.t": COLUMNS, "sales.t2": COLUMNS, "sales.twice": COLUMNS, "audit.twice": COLUMNS},  # type: ignore[dict-item]
        ("public", "sales", "audit"),
    )
}


def refused(filters: Any) -> RequestError:
    with pytest.raises(RequestError) as error:
        resolve(check_operators(filters), SCHEMAS)
    assert error.value.status == 400
    return error.value


def conditions(field: str, condition: dict[str, Any]) -> tuple[Condition, ...]:
    return resolve(check_operators({"erp": {"t": {field: condition}}}), SCHEMAS)["erp"]["public.t"]


def test_every_problem_is_named_and_the_first_gives_the_code() -> None:
    error = refused({"erp": {"t": {"id": {"has": [1], "eq": 1, "in": [], "gt": [None], "lt": [1, 2], "lte": [[1]]}}}})
    assert error.code == "TPL-0015"
    assert {place: problem["code"] for place, problem in error.fields.items()} == {
        "filters.erp.t.id.has": "TPL-0015",
        "filters.erp.t.id.eq": "TPL-0017",
        "filters.erp.t.id.in": "TPL-0015",
        "filters.erp.t.id.gt": "TPL-0017",
        "filters.erp.t.id.lt": "TPL-0017",
        "filters.erp.t.id.lte": "TPL-0017",
    }


@pytest.mark.parametrize("filters", [[], "x", None, {"erp": []}, {"erp": {"t": [1]}}, {"erp": {"t": {"id": "x"}}}])
def test_another_shape_is_refused(filters: Any) -> None:
    assert refused(filters).code == "TPL-0017"


@pytest.mark.parametrize("filters", [{}, {"erp": {}}, {"erp": {"t": {}}}, {"erp": {"t": {"id": {}}}}])
def test_an_empty_level_filters_nothing(filters: Any) -> None:
    assert all(not found for found in resolve(check_operators(filters), SCHEMAS).get("erp", {}).values())


@pytest.mark.parametrize(
    "value", [{"$gt": ""}, ["x"], "a\0b", "\ud800", "x" * (MAX_TEXT + 1), 1.5, Decimal("NaN"), Decimal("Infinity")]
)
def test_a_value_is_one_plain_thing_of_bounded_size(value: Any) -> None:
    error = refused({"erp": {"t": {"name": {"eq": [value]}}}})
    assert (error.code, list(error.fields)) == ("TPL-0017", ["filters.erp.t.name.eq"])
    assert len(error.message) < 300


def test_values_and_operators_are_counted() -> None:
    check_operators({"erp": {"t": {"id": {"in": list(range(MAX_VALUES))}}}})
    assert refused({"erp": {"t": {"id": {"in": list(range(MAX_VALUES + 1))}}}}).code == "TPL-0017"
    fields = {f"f{number}": {"eq": [1]} for number in range(MAX_CONDITIONS)}
    check_operators({"erp": {"t": fields}})
    assert refused({"erp": {"t": {**fields, "one more": {"eq": [1]}}}}).code == "TPL-0017"


def test_an_answer_to_many_mistakes_stays_small() -> None:
    error = refused({"erp": {"t": {"x" * 5000 + str(number): {"eq": []} for number in range(1000)}}})
    assert len(error.fields) <= MAX_PROBLEMS_SHOWN
    assert sum(map(len, error.fields)) < 20_000
    assert len(refused({"erp": {"t" * 100_000: {"id": {"eq": [1]}}}}).message) < 2000


@pytest.mark.parametrize(
    ("filters", "code", "place"),
    [
        ({"ghost": {"t": {"id": {"eq": [1]}}}}, "TPL-0031", "filters.ghost"),
        ({"erp": {"ghost": {"id": {"eq": [1]}}}}, "TPL-0030", "filters.erp.ghost"),
        ({"erp": {"pg_catalog.pg_authid": {"rolname": {"eq": ["x"]}}}}, "TPL-0030", "filters.erp.pg_catalog.pg_authid"),
        ({"erp": {'public"."secrets': {"id": {"eq": [1]}}}}, "TPL-0030", 'filters.erp.public"."secrets'),
        ({"erp": {"twice": {"id": {"eq": [1]}}}}, "TPL-0035", "filters.erp.twice"),
        ({"erp": {"t": {"ghost": {"eq": [1]}}}}, "TPL-0014", "filters.erp.t.ghost"),
        ({"erp": {"t": {"ID": {"eq": [1]}}}}, "TPL-0014", "filters.erp.t.ID"),
        ({"erp": {"t": {"id; DROP TABLE x --": {"eq": [1]}}}}, "TPL-0014", "filters.erp.t.id; DROP TABLE x --"),
        ({"erp": {"t": {'id" OR "1"="1': {"eq": [1]}}}}, "TPL-0014", 'filters.erp.t.id" OR "1"="1'),
        ({"erp": {"t": {"name.x": {"eq": ["x"]}}}}, "TPL-0014", "filters.erp.t.name.x"),
        ({"erp": {"t": {"meta.": {"eq": ["x"]}}}}, "TPL-0014", "filters.erp.t.meta."),
        ({"erp": {"t": {"meta..x": {"eq": ["x"]}}}}, "TPL-0014", "filters.erp.t.meta..x"),
        ({"erp": {"t": {"": {"eq": ["x"]}}}}, "TPL-0014", "filters.erp.t."),
        ({"erp": {"t": {"tags": {"eq": ["x"]}}}}, "TPL-0017", "filters.erp.t.tags.eq"),
        ({"erp": {"t": {"meta": {"eq": ["x"]}}}}, "TPL-0017", "filters.erp.t.meta.eq"),
    ],
)
def test_what_a_source_does_not_have_is_refused_where_it_stands(filters: Any, code: str, place: str) -> None:
    error = refused(filters)
    assert (error.code, list(error.fields)) == (code, [place])


def test_a_path_into_json_has_an_end() -> None:
    assert len(conditions("meta" + ".a" * MAX_PATH, {"eq": [1]})[0].path) == MAX_PATH
    assert refused({"erp": {"t": {"meta" + ".a" * (MAX_PATH + 1): {"eq": [1]}}}}).code == "TPL-0014"


def test_two_spellings_of_a_table_add_up() -> None:
    filters = {"erp": {"t2": {"id": {"gt": [1]}}, "sales.t2": {"id": {"lt": [9]}}, "sales__t2": {"ok": {"eq": [True]}}}}
    found = resolve(filters, SCHEMAS)["erp"]
    assert list(found) == ["sales.t2"]
    assert [condition.column for condition in found["sales.t2"]] == ["id", "id", "ok"]


def test_a_column_may_have_a_dot_in_its_name() -> None:
    (condition,) = conditions("a.b", {"eq": ["x"]})
    assert (condition.column, condition.path) == ("a.b", ())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "abc"),
        ("id", "1e3"),
        ("id", " 1"),
        ("id", ""),
        ("id", True),
        ("id", Decimal("1.5")),
        ("id", "1.5"),
        ("v", "1,5"),
        ("v", "NaN"),
        ("v", "٣"),
        ("v", "1" * 1001),
        ("v", False),
        ("name", 5),
        ("name", True),
        ("ok", 1),
        ("ok", "true"),
        ("uid", "{3f1c0a52-6f0e-4f0e-9c55-0b8f6a1d2e3f}"),
        ("uid", "3f1c0a526f0e4f0e9c550b8f6a1d2e3f"),
        ("uid", 7),
        ("due", "2024-02-30"),
        ("due", "2024-05-31T00:00:00Z"),
        ("due", "20240531"),
        ("at", "2025-13-45"),
        ("at", "now()"),
        ("at", "9999-12-31T23:59:60Z"),
        ("at", "2024-05-31T24:00:00Z"),
        ("at", "2024-05-31T10"),
        ("at", "2024-W22-5T10:00"),
        ("at", "2024-05-31T10:00:00.1234567Z"),
        ("at", "2024-05-31T10:00:00+25:00"),
        ("at", "0001-01-01T00:00:00+03:00"),
        ("at", 1717113600),
        ("paid", "yesterday"),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_refused(field: str, value: Any) -> None:
    error = refused({"erp": {"t": {field: {"eq": [value]}}}})
    assert (error.code, list(error.fields)) == ("TPL-0017", [f"filters.erp.t.{field}.eq"])


@pytest.mark.parametrize(
    ("field", "value", "exact"),
    [
        ("id", "007", 7),
        ("id", Decimal("7.0"), 7),
        ("v", "12345678901234567.89", Decimal("12345678901234567.89")),
        ("v", "-.5", Decimal("-0.5")),
        ("uid", "3F1C0A52-6F0E-4F0E-9C55-0B8F6A1D2E3F", "3f1c0a52-6f0e-4f0e-9c55-0b8f6a1d2e3f"),
        ("due", "2024-02-29", date(2024, 2, 29)),
        ("at", "2024-05-31t18:30z", datetime(2024, 5, 31, 18, 30, tzinfo=UTC)),
        ("at", "2024-05-31 18:30:00.5", datetime(2024, 5, 31, 18, 30, 0, 500_000, tzinfo=UTC)),
        ("at", "2024-05-31T18:30:00.123456000Z", datetime(2024, 5, 31, 18, 30, 0, 123_456, tzinfo=UTC)),
        ("paid", "2024-05-31T21:30:00+0300", datetime(2024, 5, 31, 18, 30, tzinfo=UTC)),
    ],
)
def test_a_value_becomes_what_its_column_holds(field: str, value: Any, exact: Any) -> None:
    (condition,) = conditions(field, {"eq": [value]})
    assert condition.intervals == (Interval(exact, exact),)
    assert type(condition.intervals[0].low) is type(exact)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=10))
def test_a_decimal_as_text_is_the_same_decimal(number: Decimal) -> None:
    (condition,) = conditions("v", {"eq": [format(number, "f")]})
    assert condition.intervals[0].low == number


def days(condition: dict[str, Any]) -> list[int]:
    """The May days whose noon stays, and 100 more than a day whose first moment does."""
    tested = conditions("paid", condition)
    noons = [day for day in range(1, 32) if matches(tested, lambda _c, d=day: datetime(2024, 5, d, 12, tzinfo=UTC))]  # type: ignore[misc]
    return noons + [100 + d for d in range(1, 32) if matches(tested, lambda _c, d=d: datetime(2024, 5, d))]  # type: ignore[misc]


def test_a_date_on_a_timestamp_column_is_that_whole_day() -> None:
    def both(*wanted: int) -> list[int]:
        return [*wanted, *(100 + day for day in wanted)]

    assert days({"eq": ["2024-05-30"]}) == both(30)
    assert days({"between": ["2024-05-02", "2024-05-03"]}) == both(2, 3)
    assert days({"gt": ["2024-05-29"]}) == both(30, 31)
    assert days({"gte": ["2024-05-30"]}) == both(30, 31)
    assert days({"lt": ["2024-05-03"]}) == both(1, 2)
    assert days({"lte": ["2024-05-02"]}) == both(1, 2)
    assert days({"nin": ["2024-05-02"], "lte": ["2024-05-03"]}) == both(1, 3)
    assert days({"gt": ["2024-05-30T12:00:00Z"]}) == [31, 131]


def test_the_last_day_of_the_calendar_has_an_end_too() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert matches(conditions("paid", {"eq": ["9999-12-31"]}), lambda _c: last)
    assert matches(conditions("paid", {"lte": ["9999-12-31"]}), lambda _c: last)
    assert not matches(conditions("paid", {"gt": ["9999-12-31"]}), lambda _c: last)
    assert not matches(conditions("paid", {"lte": ["9999-12-31"]}), lambda _c: None)


@pytest.mark.parametrize(
    ("condition", "null_stays"),
    [
        ({"eq": ["a"]}, False),
        ({"eq": ["a", None]}, True),
        ({"in": [None]}, True),
        ({"nin": ["a"]}, True),
        ({"nin": ["a", None]}, False),
        ({"gt": ["a"]}, False),
        ({"lte": ["a"]}, False),
        ({"between": ["a", "z"]}, False),
    ],
)
def test_null_matches_only_where_it_is_listed(condition: dict[str, Any], null_stays: bool) -> None:
    assert matches(conditions("name", condition), lambda _c: None) is null_stays


@pytest.mark.parametrize("value", ["7", True, {"b": 7}, [7], Decimal("7.1")])
def test_values_in_json_compare_only_with_their_own_type(value: Any) -> None:
    tested = conditions("meta.a", {"eq": [7]})
    assert not matches(tested, lambda _c: {"a": value})
    assert matches(tested, lambda _c: {"a": Decimal("7.0")})
    assert matches(conditions("meta.a", {"nin": [7]}), lambda _c: {"a": value})
    assert not matches(conditions("meta.a", {"gt": ["0"]}), lambda _c: {"a": 7})


def test_a_range_over_two_types_is_refused() -> None:
    assert refused({"erp": {"t": {"meta.a": {"between": [1, "x"]}}}}).code == "TPL-0017"


@given(st.lists(st.integers(-3, 3) | st.booleans(), min_size=1), st.integers(-3, 3) | st.booleans(), st.booleans())
def test_looking_values_up_means_the_same_as_comparing_each(values: list[Any], value: Any, negated: bool) -> None:
    condition = Condition("c", (), "jsonb", tuple(Interval(item, item) for item in values), negated=negated)
    equal = any(item == value and isinstance(item, bool) is isinstance(value, bool) for item in values)
    assert RowTest([condition]).keeps(lambda _c: value) is (equal is not negated)
