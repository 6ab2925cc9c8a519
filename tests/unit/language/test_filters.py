"""Filters: what each one makes of a value, of null, and of what it cannot use."""

import time
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporter.language.arguments import MAX_TEXT, call_problem
from reporter.language.filters import FILTERS
from reporter.language.functions import FUNCTIONS
from reporter.language.numbers import TemplateValueError
from reporter.language.printing import JsonText, NumberText, SafeText, printers, text_of
from reporter.language.rows import Row

D = Decimal


def apply(name: str, value: Any, *arguments: Any) -> Any:
    return FILTERS[name](value, *arguments)


TABLE: list[tuple[str, Any, tuple[Any, ...], str]] = [
    ("abs", D("-1.50"), (), "1.50"),
    ("add", 2, (5,), "7"),
    ("add", "2", ("3.5",), "5.5"),
    ("add", "a", ("b",), "ab"),
    ("add", [1], ([2],), "[1, 2]"),
    ("add", "a", (5,), ""),
    ("add", None, (5,), "5"),
    ("add", D("1.50"), (None,), "1.50"),
    ("capfirst", "aWs cost", (), "AWs cost"),
    ("center", "ab", (5,), "  ab "),
    ("center", "abc", (2,), "abc"),
    ("cut", "a b c", (" ",), "abc"),
    ("cut", "abc", ("",), "abc"),
    ("date", date(2024, 3, 5), ("02/01/2006",), "05/03/2024"),
    ("default", "", ("x",), "x"),
    ("default", 0, ("x",), "x"),
    ("default", "a", ("x",), "a"),
    ("default_if_none", 0, ("x",), "0"),
    ("default_if_none", None, ("x",), "x"),
    ("divisibleby", 21, (7,), "True"),
    ("divisibleby", "22", (7,), "False"),
    ("first", ["a", "b"], (), "a"),
    ("first", [], (), ""),
    ("first", "abc", (), "a"),
    ("float", "7.90", (), "7.90"),
    ("float", "x", (), "0"),
    ("floatformat", D("12.0"), (), "12"),
    ("floatformat", D("12.34"), (), "12.3"),
    ("floatformat", D("12.34"), (0,), "12"),
    ("floatformat", D("0.125"), (2,), "0.13"),
    ("floatformat", D("-0.125"), ("2",), "-0.13"),
    ("floatformat", D("-0.001"), (2,), "0.00"),
    ("floatformat", 12, (-2,), "12"),
    ("floatformat", D("12.5"), (-2,), "12.50"),
    ("floatformat", D("1E-7"), (2,), "0.00"),
    ("integer", "7.9", (), "7"),
    ("integer", D("-7.9"), (), "-7"),
    ("integer", "x", (), "0"),
    ("join", ["a", 1, None], ("-",), "a-1-"),
    ("join", [{"a": 1}, Row({"a": 0}, (2,))], (",", "a"), "1,2"),
    ("last", ["a", "b"], (), "b"),
    ("last", [], (), ""),
    ("length", "çx", (), "2"),
    ("length", {"a": 1}, (), "1"),
    ("list", {"a": 1, "b": 2}, (), '["a", "b"]'),
    ("ljust", "ab", (5,), "ab   "),
    ("lower", "ÁB", (), "áb"),
    ("number", D("1234567.5"), ("1.234,56",), "1.234.567,50"),
    ("number", D("-1234567.885"), ("1,234.56",), "-1,234,567.89"),
    ("number", D("1234567.5"), ("1234,5",), "1234567,5"),
    ("number", D("999.5"), ("1 234",), "1 000"),
    ("number", D("0.5"), ("0,00",), "0,50"),
    ("number", D("1234.5678"), ("0.000",), "1234.568"),
    ("number", D("1E+6"), ("1.234.567,89",), "1.000.000,00"),
    ("number", 12, ("1.234",), "12"),
    ("percent_of", 20, (80,), "25.00%"),
    ("percent_of", "1", ("8",), "12.50%"),
    ("percent_of", D("2"), (3,), "66.67%"),
    ("percent_of", None, (3,), "0.00%"),
    ("removetags", "<b>hi</b> <i>you</i><!-- c -->", ("b",), "hi <i>you</i><!-- c -->"),
    ("removetags", "<B>hi</B><br/>", ("b, br",), "hi"),
    ("replace", "banana", ("a:bb",), "bbbnbbnbb"),
    ("replace", D("10.50"), (".:,",), "10,50"),
    ("replace", 100, ("0:x",), "1xx"),
    ("replace", "a b c", (" :_",), "a_b_c"),
    ("replace", "04538-133", ("-:",), "04538133"),
    ("reverse", [1, 2], (), "[2, 1]"),
    ("reverse", "abc", (), "cba"),
    ("rjust", "ab", (5,), "   ab"),
    ("round", D("2.5"), (), "3"),
    ("round", D("-2.345"), (2,), "-2.35"),
    ("round", 1250, (-2,), "1300"),
    ("slice", "abcdef", (":3",), "abc"),
    ("slice", "abcdef", ("-2:",), "ef"),
    ("slice", [1, 2, 3], ("1:",), "[2, 3]"),
    ("slice", [1, 2, 3], ("::-1",), "[3, 2, 1]"),
    ("slice_str", "Lambda", ("2:99",), "mbda"),
    ("slice_str", "Lambda", ("4:2",), ""),
    ("slice_str", "çx", ("0:2",), "çx"),
    ("slice_str", 12345, ("1:3",), "23"),
    ("sort", [3, D("1.5"), None, 2], (), "[null, 1.5, 2, 3]"),
    ("sort", [{"a": 2}, {"a": 1}], ("a",), '[{"a": 1}, {"a": 2}]'),
    ("split", "a b", (" ",), '["a", "b"]'),
    ("split", "ab", ("",), '["a", "b"]'),
    ("stringformat", 7, ("03d",), "007"),
    ("stringformat", D("-7.9"), ("05d",), "-0007"),
    ("stringformat", D("2.345"), (".2f",), "2.35"),
    ("stringformat", D("2.5"), ("+.0f",), "+3"),
    ("stringformat", "ab", ("%-5s",), "ab   "),
    ("stringformat", "abcdef", (".3s",), "abc"),
    ("stringformat", 255, ("x",), "ff"),
    ("strip_zeros", D("10.50"), (), "10.5"),
    ("strip_zeros", "1e3", (), "1000"),
    ("strip_zeros", D("-3.000"), (), "-3"),
    ("striptags", '<b class="x">hi</b> &amp; <i>you</i>', (), "hi &amp; you"),
    ("striptags", "1 < 2 <3 a<b", (), "1 < 2 <3 a<b"),
    ("striptags", "<a title=\"x>y\" b='>'>hi</a ><!-- <b> --><br/><!DOCTYPE x>", (), "hi"),
    ("striptags", "<!-- without an end <b>", (), "<!-- without an end <b>"),
    ("title", "aWs cost", (), "Aws Cost"),
    ("title", "o'neil-smith é 1st", (), "O'neil-Smith É 1st"),
    ("tojson", 'a"b', (), '"a\\"b"'),
    ("trim", " \ta ", (), "a"),
    ("truncatechars", "abcdef", (4,), "abc…"),
    ("truncatechars", "abcd", (4,), "abcd"),
    ("truncatechars", "abcd", (0,), ""),
    ("truncatewords", "a b c d", (2,), "a b …"),
    ("truncatewords", "a b", (2,), "a b"),
    ("unique", [1, D("1.0"), "1", None, None, True], (), '[1, "1", null, true]'),
    ("upper", "áb", (), "ÁB"),
    ("urlencode", "a b/ç?&", (), "a%20b/%C3%A7%3F%26"),
    ("urlencode", "a/b", ("",), "a%2Fb"),
    ("wordcount", " a  b ", (), "2"),
    ("yesno", True, ("y,n,m",), "y"),
    ("yesno", 0, ("y,n,m",), "n"),
    ("yesno", None, ("y,n,m",), "m"),
    ("yesno", None, ("y,n",), "n"),
    ("yesno", None, (), "maybe"),
]


@pytest.mark.parametrize(("name", "value", "arguments", "text"), TABLE)
def test_what_a_filter_makes_of_a_value(name: str, value: Any, arguments: tuple[Any, ...], text: str) -> None:
    assert text_of(apply(name, value, *arguments)) == text


NULL: dict[str, tuple[tuple[Any, ...], str]] = {
    **dict.fromkeys(("abs", "int", "integer", "float", "length", "round", "wordcount"), ((), "0")),
    **dict.fromkeys(("capfirst", "date", "e", "escape", "first", "floatformat", "join", "last", "lower"), ((), "")),
    **dict.fromkeys(("safe", "strip_zeros", "striptags", "title", "trim", "upper", "urlencode", "default"), ((), "")),
    **dict.fromkeys(("list", "reverse", "sort", "unique"), ((), "[]")),
    **dict.fromkeys(("add_day", "add_signed"), (("f",), "[]")),
    "add": ((5,), "5"),
    "center": ((3,), "   "),
    "count": (("f:v",), "0"),
    "cut": (("a",), ""),
    "default_if_none": ((), ""),
    "divisibleby": ((3,), "True"),
    "ljust": ((3,), "   "),
    "number": (("1.234,56",), ""),
    "percent_of": ((5,), "0.00%"),
    "removetags": (("b",), ""),
    "replace": (("a:b",), ""),
    "rjust": ((3,), "   "),
    "slice": ((":1",), ""),
    "slice_str": ((":1",), ""),
    "split": ((",",), '[""]'),
    "stringformat": (("s",), ""),
    "sum": (("f",), "0"),
    "tojson": ((), "null"),
    "truncatechars": ((3,), ""),
    "truncatewords": ((3,), ""),
    "where": (("f:v",), "[]"),
    "yesno": ((), "maybe"),
}


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_null_is_never_an_error(name: str) -> None:
    arguments, text = NULL[name]
    assert text_of(apply(name, None, *arguments)) == text


@pytest.mark.parametrize(
    ("name", "value", "arguments"),
    [
        *[("strip_zeros", "abc", ()), ("floatformat", "x", ()), ("number", "x", ("1.234",)), ("abs", True, ())],
        *[("round", "x", ()), ("percent_of", 1, (0,)), ("percent_of", 1, (None,)), ("percent_of", "x", (1,))],
        *[("number", 1, (sample,)) for sample in ("", "abc", "1,234,56", "1.234,", "0." + "0" * 200, "1..2", "-1")],
        *[("slice_str", "abc", (bounds,)) for bounds in ("x:2", "1", "1:2:3:4", "::0", "9" * 5000 + ":1", 5, None)],
        *[("slice", [1], (bounds,)) for bounds in ("x:2", "::0", None)],
        *[("replace", "a", (pair,)) for pair in ("-", "", ":a", None, 5)],
        *[("stringformat", 1, (layout,)) for layout in ("", "q", "s%s", "*d", "99999d", ".9999f", "5%", "c", "d d")],
        *[("stringformat", "x", (layout,)) for layout in ("d", ".2f", "x")],
        *[("length", True, ()), ("first", 5, ()), ("join", 5, (",",)), ("list", True, ()), ("sort", ["a", 1], ())],
        *[("date", "x", ("Y",)), ("add_day", [{"f": "x"}], ("f",)), ("add_signed", [{"f": "x"}], ("f",))],
        *[("add_day", [1], ("f",)), ("divisibleby", 1, (0,)), ("divisibleby", "x", (1,)), ("where", 5, ("a:b",))],
        *[("where", [], ("a",)), ("count", [], (":b",)), ("sum", [], (5,)), ("floatformat", 1, ("2g",))],
    ],
)
def test_what_a_filter_cannot_use_is_refused(name: str, value: Any, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TemplateValueError):
        apply(name, value, *arguments)


@pytest.mark.parametrize(
    ("name", "value", "arguments"),
    [
        *[(name, "a", (10**9,)) for name in ("center", "ljust", "rjust", "truncatechars", "truncatewords")],
        *[(name, "a", (10**5000,)) for name in ("center", "ljust", "rjust")],
        *[(name, "a", (D("1e999999"),)) for name in ("center", "ljust", "rjust")],
        *[("floatformat", 1, (10**9,)), ("floatformat", 1, (-(10**9),)), ("round", 1, (D("1e999999999"),))],
        *[("stringformat", 1, ("1000000000d",)), ("replace", "a" * 10**5, ("a:" + "b" * 1000,))],
        *[("join", ["a" * 10**6] * 10, (",",)), ("join", ["a"] * 10**5, ("b" * 1000,)), ("add", "a" * MAX_TEXT, ("b",))],
        *[
            ("integer", D("1e999999999"), ()),
            ("divisibleby", D("1e999999999"), (7,)),
            ("stringformat", D("1e999999"), ("d",)),
        ],
        *[("number", D("1e5000"), ("1.234",)), ("date", "2024-01-01", ("c" * 10**6,))],
    ],
)
def test_what_would_take_much_memory_is_refused_before_it_is_made(name: str, value: Any, arguments: tuple[Any, ...]) -> None:
    started = time.process_time()
    with pytest.raises(TemplateValueError):
        apply(name, value, *arguments)
    assert time.process_time() - started < 0.5


def test_every_filter_and_function_says_what_it_does() -> None:
    assert [name for name, function in {**FILTERS, **FUNCTIONS}.items() if not function.__doc__] == []


@pytest.mark.parametrize(
    ("name", "given", "named", "problem"),
    [
        ("upper", 0, [], None),
        ("upper", 1, [], "takes no arguments"),
        ("percent_of", 0, [], "takes 1 argument"),
        ("percent_of", 1, [], None),
        ("join", 3, [], "takes 0 to 2 arguments"),
        ("join", 1, ["attribute"], None),
        ("join", 1, ["nosuch"], "takes 0 to 2 arguments"),
        ("default", 0, [], None),
    ],
)
def test_a_call_with_the_wrong_arguments_is_described(name: str, given: int, named: list[str], problem: str | None) -> None:
    assert call_problem(FILTERS[name], given, named, values=1) == problem


def test_a_functions_arguments_are_counted_too() -> None:
    assert call_problem(FUNCTIONS["contains"], 1) == "takes 2 arguments"
    assert call_problem(FUNCTIONS["filter"], 3) is None
    assert call_problem(FUNCTIONS["range"], 2) is None


@pytest.mark.parametrize(
    ("name", "value", "arguments"),
    [
        ("percent_of", -20, (80,)),
        ("floatformat", D("-1.005"), (2,)),
        ("strip_zeros", D("-1.50"), ()),
        ("number", -1234, ("1 234",)),
        ("stringformat", -5, ("d",)),
        ("replace", D("-1.50"), (".:,",)),
        ("replace", NumberText("-1.50"), (".: ",)),
    ],
)
def test_a_formatted_number_is_no_formula(name: str, value: Any, arguments: tuple[Any, ...]) -> None:
    made = apply(name, value, *arguments)
    assert printers("CSV", delimiter=";")["plain"](made) == made


@pytest.mark.parametrize(("value", "arguments"), [("-1+1", ("1:2",)), (D("-1"), ("1:A1",)), ("=a", ("a:b",))])
def test_replacing_does_not_make_a_formula_safe(value: Any, arguments: tuple[Any, ...]) -> None:
    assert printers("CSV")["plain"](apply("replace", value, *arguments)).startswith("'")


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15), st.integers(0, 10))
def test_rounding_filters_agree_with_decimal(number: D, places: int) -> None:
    expected = number.quantize(D(1).scaleb(-places), ROUND_HALF_UP, Context(prec=500))
    for made in (
        apply("floatformat", number, places),
        apply("stringformat", number, f".{places}f"),
        apply("round", number, places),
    ):
        assert D(text_of(made)) == expected
        assert "E" not in text_of(made)
    grouped = apply("number", number, "1.234" + ("," + "0" * places if places else ""))
    assert D(grouped.replace(".", "").replace(",", ".")) == expected


@given(st.integers(-(10**30), 10**30))
def test_thousands_are_grouped_as_python_groups_them(number: int) -> None:
    assert apply("number", number, "1,234") == f"{number:,}"


@given(st.text(), st.integers(0, 40))
def test_widths_are_kept(text: str, width: int) -> None:
    for name in ("center", "ljust", "rjust"):
        made = apply(name, text, width)
        assert len(made) == max(len(text), width)
        assert text in made
    assert len(apply("truncatechars", text, width)) == min(len(text), width)


@given(st.text(), st.none() | st.integers(-9, 9), st.none() | st.integers(-9, 9))
def test_pieces_are_cut_as_python_cuts_them(text: str, start: int | None, stop: int | None) -> None:
    bounds = f"{'' if start is None else start}:{'' if stop is None else stop}"
    assert apply("slice_str", text, bounds) == apply("slice", text, bounds) == text[start:stop]
    assert apply("slice", list(text), bounds) == list(text)[start:stop]


@given(st.text(alphabet="<>/!-ab &;\"'"))
def test_markup_is_stripped_where_it_stands(text: str) -> None:
    assert apply("striptags", f"<p>{text}") == apply("striptags", text)
    assert apply("removetags", text, "nosuch") == text
    if "<" not in text and "-->" not in text:
        assert apply("striptags", f'<i a="{text.replace(chr(34), "")}">{text}</i><!--{text}-->') == text


@given(st.text(alphabet="<>/!-ab &;\"'"))
def test_text_without_tags_is_still_escaped_where_it_is_printed(text: str) -> None:
    for made in (apply("striptags", text), apply("removetags", text, "b")):
        assert not isinstance(made, SafeText)
        assert "<" not in printers("HTML")["plain"](made)


def test_hostile_markup_is_stripped_in_bounded_time() -> None:
    for piece in ("<", "<a ", "<!--", "<a b='", "<a \"'>", "<a b='\">", "&", "<!", "</a", "-->", "<a>"):
        text = piece * 200_001
        started = time.process_time()
        apply("striptags", text)
        assert time.process_time() - started < 2


def test_escape_is_applied_once_and_safe_text_stays_safe() -> None:
    html = printers("HTML")
    assert html["plain"](apply("escape", apply("escape", "a<b"))) == "a&lt;b"
    assert html["raw"](apply("escape", "a<b")) == "a&lt;b"
    assert html["plain"](apply("escape", apply("safe", "<b>"))) == "<b>"
    assert html["plain"](apply("upper", apply("safe", "<b>"))) == "&lt;B&gt;"


def test_json_is_a_value_in_json_and_text_elsewhere() -> None:
    made = apply("tojson", {"a": "<b>", "n": D("1.50")})
    assert isinstance(made, JsonText)
    assert printers("JSON")["plain"](made) == '{"a": "<b>", "n": 1.50}'
    assert printers("TXT")["plain"](made) == '{"a": "<b>", "n": 1.50}'
    assert printers("HTML")["plain"](made) == "{&quot;a&quot;: &quot;&lt;b&gt;&quot;, &quot;n&quot;: 1.50}"
    assert printers("CSV")["plain"](made) == '"{""a"": ""<b>"", ""n"": 1.50}"'


def test_rows_get_a_day() -> None:
    rows = [
        {"at": datetime(2024, 3, 5, 23, tzinfo=UTC)},
        {"at": "2024-12-31"},
        {"at": None},
        Row({"at": 0}, (date(2024, 1, 2),)),
    ]
    made = apply("add_day", rows, "at")
    assert apply("join", made, ",", "dia") == "20240305,20241231,,20240102"
    assert rows[0] == {"at": datetime(2024, 3, 5, 23, tzinfo=UTC)}


def test_rows_get_a_sign() -> None:
    columns = {"amount": 0, "direction": 1}
    rows = [Row(columns, pair) for pair in [(5, "DEBIT"), (D("2.50"), "credit"), ("3", " Debit "), (None, None)]]
    made = apply("add_signed", rows, "amount")
    assert apply("join", made, ",", "signed") == "-5,2.50,-3,0"
    assert apply("sum", made, "signed") == D("-5.50")
    assert text_of(made[1]) == '{"amount": 2.50, "direction": "credit", "signed": 2.50}'


@pytest.mark.parametrize(
    ("text", "part", "held"),
    [
        *[("Main Street", "main", True), ("Main", "x", False), (None, "x", False), ("x", None, False), (12.5, "2.", True)],
        *[([1, "a"], 1, True), ([1, "a"], "1", False), ("", "", True)],
    ],
)
def test_contains_ignores_case_in_text_and_looks_for_members_in_lists(text: Any, part: Any, held: bool) -> None:
    assert FUNCTIONS["contains"](text, part) is held


def test_a_range_is_bounded() -> None:
    assert list(FUNCTIONS["range"](2, D("8"), "3")) == [2, 5]
    for bounds in [(10**9,), (0, 10**13), (D("1e999999"),), (0, 5, 0), ("x",), (1.5,)]:
        started = time.process_time()
        with pytest.raises(TemplateValueError):
            FUNCTIONS["range"](*bounds)
        assert time.process_time() - started < 0.5
