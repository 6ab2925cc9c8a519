"""Equality, order and membership: no value is ever turned into another kind to compare it."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporter.language.comparisons import contains, equal, less, less_equal, order_keys
from reporter.language.numbers import TemplateValueError
from reporter.language.rows import Row

NOON = datetime(2024, 3, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        *[(5, Decimal("5.0")), (Decimal("0.0"), 0), ("a", "a"), (None, None), (True, True), ([1, "a"], [Decimal(1), "a"])],
        *[({"k": 1}, {"k": Decimal("1.0")}), (date(2024, 3, 5), "2024-03-05"), (NOON, "2024-03-05T09:00:00-03:00")],
        *[(date(2024, 3, 5), datetime(2024, 3, 5, tzinfo=UTC)), (NOON, datetime(2024, 3, 5, 12))],
        *[(NOON, NOON.astimezone(timezone(timedelta(hours=-3)))), (date(2024, 3, 5), "2024-03-05T00:00:00Z")],
    ],
)
def test_equal_values(a: Any, b: Any) -> None:
    assert equal(a, b)
    assert equal(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        *[("5", 5), (True, 1), (False, 0), ("true", True), ("", None), (0, None), (False, None), ("a", "A")],
        *[([1], ["1"]), ([1], [1, 2]), ({"k": 1}, {"k": True}), (NOON, "noon"), (NOON, None), (NOON, 5), ([], None)],
    ],
)
def test_different_values(a: Any, b: Any) -> None:
    assert not equal(a, b)
    assert not equal(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        *[(1, Decimal("1.5")), ("10", "9"), ("", "a"), (date(2024, 1, 1), NOON), (NOON, "2024-03-06")],
        *[("2024-03-05", NOON), (None, 1), (-1, None), (None, "a"), (None, NOON)],
    ],
)
def test_ordered_values(a: Any, b: Any) -> None:
    assert less(a, b)
    assert less_equal(a, b)
    assert not less(b, a)
    assert not less_equal(b, a)


@pytest.mark.parametrize(
    ("a", "b"), [("5", 5), (5, "5"), (True, False), (1, True), ([], []), (NOON, 5), (NOON, "noon"), ({}, {})]
)
def test_values_without_order(a: Any, b: Any) -> None:
    with pytest.raises(TemplateValueError, match="have no order"):
        less(a, b)


def test_null_beside_null_is_neither_less() -> None:
    assert not less(None, None)
    assert less_equal(None, None)


@pytest.mark.parametrize(
    ("item", "container", "held"),
    [
        *[("bc", "abcd", True), ("x", "abcd", False), ("N", ["N", "X"], True), (5, [Decimal("5.0")], True)],
        *[("5", [5], False), (True, [1], False), ("k", {"k": 1}, True), ("z", {"k": 1}, False), (5, {"5": 1}, False)],
        *[([1], {"k": 1}, False), ("x", None, False), (3, range(5), True), ("k", Row({"k": 0}, (1,)), True)],
        *[("z", Row({"k": 0}, (1,)), False), ([], Row({"k": 0}, (1,)), False)],
    ],
)
def test_membership(item: Any, container: Any, held: bool) -> None:
    assert contains(item, container) is held


@pytest.mark.parametrize(("item", "container"), [(5, "a5"), ("a", 5), ("a", True), (None, "a")])
def test_membership_that_cannot_be(item: Any, container: Any) -> None:
    with pytest.raises(TemplateValueError):
        contains(item, container)


texts = st.lists(st.none() | st.text(max_size=3))
figures = st.lists(st.none() | st.integers(-5, 5) | st.decimals(-5, 5, places=2))
times = st.lists(st.none() | st.dates() | st.datetimes(timezones=st.just(UTC)) | st.dates().map(str))


@given(texts | figures | times)
def test_sorting_agrees_with_less_and_puts_null_first(values: list[Any]) -> None:
    keys = order_keys(values)
    ordered = [values[at] for at in sorted(range(len(values)), key=keys.__getitem__)]
    for a, b in pairwise(ordered):
        assert a is None or (b is not None and not less(b, a))


@pytest.mark.parametrize("values", [[1, "a"], [True, False], ["a", NOON], [[], []], [{}], [1, NOON]])
def test_values_of_different_kinds_cannot_be_sorted(values: list[Any]) -> None:
    with pytest.raises(TemplateValueError, match="have no order"):
        order_keys(values)
