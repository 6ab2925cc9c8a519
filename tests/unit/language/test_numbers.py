"""Numbers: exact, without binary floats, bounded before anything is computed."""

import time
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, getcontext, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporter.language import numbers
from reporter.language.numbers import TemplateValueError

D = Decimal
WIDE = Context(prec=500, rounding=ROUND_HALF_UP)

decimals = st.builds(
    lambda digits, exponent: D(digits).scaleb(exponent), st.integers(-(10**20), 10**20), st.integers(-12, 6)
)
money = decimals | st.integers(-(10**20), 10**20)


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("-0.5", D("-0.5")), ("1e2", 100), (".5", D("0.5")), ("+3", 3), ("5.", 5), ("10.50", D("10.50"))],
)
def test_text_that_is_plainly_a_number_is_one(text: str, number: D) -> None:
    assert numbers.numeric(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *["", " 7", "7 ", "7\n", "1,000", "1_000", "NaN", "Infinity", "-inf", "snan", "0x10", "--1", "1e", "e1", "."],
        *["٣", "５", "1e99999", "1e9999999999999999999999", "9" * 1001, "2024-01-01", "1 2", "true"],
    ],
)
def test_other_text_is_no_number(text: str) -> None:
    assert numbers.numeric(text) is None


@pytest.mark.parametrize("value", [None, True, False, [], {}, (1,)])
def test_what_is_neither_number_nor_text_is_no_number(value: object) -> None:
    assert numbers.numeric(value) is None


@given(money, money)
def test_sums_differences_and_products_are_exact(a: D, b: D) -> None:
    assert Fraction(numbers.add(a, b)) == Fraction(a) + Fraction(b)
    assert Fraction(numbers.subtract(a, b)) == Fraction(a) - Fraction(b)
    assert Fraction(numbers.multiply(a, b)) == Fraction(a) * Fraction(b)


@given(money, money.filter(bool))
def test_a_quotient_has_the_28_digits_that_decimal_gives(a: D, b: D) -> None:
    assert numbers.divide(a, b) == Context(prec=28, rounding=ROUND_HALF_UP).divide(D(a), D(b))


@given(money, money.filter(bool))
def test_floor_division_and_remainder_make_the_number_again(a: D, b: D) -> None:
    quotient, remainder = numbers.floor_divide(a, b), numbers.modulo(a, b)
    assert quotient == (Fraction(a) / Fraction(b)).__floor__()
    assert Fraction(quotient) * Fraction(b) + Fraction(remainder) == Fraction(a)
    assert remainder == 0 or (remainder < 0) == (b < 0)


@given(money, st.integers(1, 10**6), st.integers(0, 20))
def test_a_rounded_quotient_is_rounded_once(a: D, b: int, places: int) -> None:
    exact = Fraction(a) / b * 10**places
    away = (abs(exact) + Fraction(1, 2)).__floor__() * (1 if exact >= 0 else -1)
    assert Fraction(numbers.divide_rounded(a, b, places)) == Fraction(away, 10**places)


def test_a_quotient_just_below_a_half_is_not_rounded_up_twice() -> None:
    assert numbers.divide_rounded(D("0.0049" + "9" * 40), 1, 2) == D("0.00")


@given(st.lists(money, max_size=30))
def test_a_sum_is_exact_whatever_the_order(values: list[D]) -> None:
    assert Fraction(numbers.exact_sum(values)) == sum(map(Fraction, values)) == Fraction(numbers.exact_sum(values[::-1]))


@given(decimals)
def test_a_number_is_printed_in_full_and_read_back_the_same(number: D) -> None:
    text = numbers.plain(number)
    assert "E" not in text.upper()
    assert not (text.startswith("-") and not number)
    assert D(text) == number
    assert numbers.numeric(text) == number
    assert D(numbers.trimmed(number)) == number


@given(decimals, st.integers(-5, 20))
def test_rounding_goes_half_away_from_zero(number: D, places: int) -> None:
    expected = WIDE.quantize(number, D(1).scaleb(-places))
    assert numbers.rounded(number, places) == expected
    assert numbers.rounded(-number, places) == -expected


@given(st.integers(-99, 99), st.integers(0, 40))
def test_a_whole_power_is_exact(a: int, b: int) -> None:
    assert numbers.power(a, b) == a**b


def test_what_the_operators_give() -> None:
    shown = [
        (numbers.divide(7, 2), "3.5"),
        (numbers.divide(6, 2), "3"),
        (numbers.divide(D("10.50"), 2), "5.25"),
        (numbers.add(D("0.1"), D("0.2")), "0.3"),
        (numbers.multiply(D("10.50"), 2), "21.00"),
        (numbers.multiply(1000000, 1000000), "1000000000000"),
        (numbers.multiply(D("0.00"), -1), "0.00"),
        (numbers.subtract(D("1.5"), D("1.50")), "0.00"),
        (numbers.negate(0), "0"),
        (numbers.negate(D("0.0")), "0.0"),
        (numbers.power(2, -1), "0.5"),
        (numbers.power(9, D("0.5")), "3"),
        (numbers.power(D("1.5"), 2), "2.25"),
        (numbers.power(10, -7), "0.0000001"),
        (numbers.power(0, 0), "1"),
        (numbers.floor_divide(D("-7.5"), 2), "-4"),
        (numbers.modulo(10, 3), "1"),
        (D("1E+3"), "1000"),
        (D("-0.00"), "0.00"),
        (D("1E-7"), "0.0000001"),
    ]
    assert [numbers.plain(number) for number, _ in shown] == [text for _, text in shown]


def test_null_counts_as_0() -> None:
    assert numbers.add(None, 5) == 5
    assert numbers.multiply(None, 5) == 0
    assert numbers.negate(None) == 0
    assert numbers.divide(None, 5) == 0


@pytest.mark.parametrize("operation", [numbers.add, numbers.subtract, numbers.multiply, numbers.divide, numbers.power])
@pytest.mark.parametrize("value", ["5", "", True, [], {}])
def test_an_operator_takes_numbers_only(operation: object, value: object) -> None:
    with pytest.raises(TemplateValueError, match="needs numbers, not"):
        operation(value, 3)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("operation", "a", "b"),
    [
        *[(numbers.power, *pair) for pair in [(10, 5000), (9, 9**9), (10, 101), (D("1e99"), 1000), (2, D("1e9"))]],
        *[(numbers.multiply, 10**60, 10**60), (numbers.add, 10**100, 0), (numbers.add, D("1e99"), D("1e-99"))],
        *[(numbers.divide, D("1e999999"), 1), (numbers.floor_divide, D("1e999999"), 3)],
        *[(op, 1, 0) for op in (numbers.divide, numbers.floor_divide, numbers.modulo)],
        *[(numbers.power, 0, -1), (numbers.power, -8, D("0.5"))],
    ],
)
def test_what_is_too_large_or_undefined_fails_at_once(operation: object, a: object, b: object) -> None:
    started = time.perf_counter()
    with pytest.raises(TemplateValueError):
        operation(a, b)  # type: ignore[operator]
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize("number", [D("1e999999"), D("-1e-999999"), D("NaN"), D("Infinity"), D("sNaN")])
def test_a_number_no_document_can_show_is_refused(number: D) -> None:
    with pytest.raises(TemplateValueError):
        numbers.plain(number)


def test_a_huge_number_is_neither_cut_nor_rounded() -> None:
    with pytest.raises(TemplateValueError):
        numbers.plain(10**5000)
    with pytest.raises(TemplateValueError):
        numbers.whole_part(D("1e999999"))
    with pytest.raises(TemplateValueError):
        numbers.rounded(D("1e3000"), 2)
    with pytest.raises(TemplateValueError):
        numbers.exact_sum([D("1e1000"), 1])


@pytest.mark.parametrize(("value", "text"), [(0.1, "0.1"), (3.0, "3"), (1e23, "100000000000000000000000"), (-2.5, "-2.5")])
def test_a_double_comes_in_by_its_shortest_text(value: float, text: str) -> None:
    assert numbers.plain(numbers.from_float(value)) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_double_that_is_no_number_does_not_come_in(value: float) -> None:
    with pytest.raises(TemplateValueError):
        numbers.from_float(value)


def test_the_threads_decimal_context_changes_nothing() -> None:
    with localcontext() as context:
        context.prec, context.rounding = 3, ROUND_FLOOR
        assert numbers.add(D("1234.56"), D("0.01")) == D("1234.57")
        assert numbers.plain(numbers.rounded(D("1234.565"), 2)) == "1234.57"
        assert numbers.divide(D("123456"), D("0.001")) == 123456000
        assert numbers.floor_divide(D("123456.7"), 1) == 123456
        assert numbers.modulo(D("-123456.7"), 1) == D("0.3")
        assert numbers.exact_sum([D("1234.56")] * 3) == D("3703.68")
        assert numbers.power(9, D("0.5")) == 3
        assert numbers.power(D("1.00001"), 3) == D("1.000030000300001")
        assert getcontext() is context


@given(money, money)
def test_no_operator_ever_gives_a_float(a: D, b: D) -> None:
    for operation in (numbers.add, numbers.subtract, numbers.multiply):
        assert isinstance(operation(a, b), int | D)
    if b:
        assert isinstance(numbers.divide(a, b), int | D)
