"""Printing: what a document parses back to is what the data held, whatever that was."""

import csv
import io
import json
import time
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporter.language.formula_guard import guarded
from reporter.language.numbers import TemplateValueError
from reporter.language.printing import (
    EscapedText,
    JsonText,
    NumberText,
    SafeText,
    csv_delimiter,
    printers,
    text_of,
    to_json,
)
from reporter.language.rows import Row

FORMATS = ["TXT", "CSV", "JSON", "HTML", "PDF", "XML"]
HOSTILE = [
    *["", " ", "a&b", "<script>", "</amount><amount>0", "]]>", "-->", "&amp;", "&#10;", '"', "'", "\\", "a\\", '""'],
    *["\n", "\r", "\r\n", "\t", " a ", "a,b", "a;b", "a|b", "=1+1", "＝1+1", "\u200b=1", "\xa0=1", "{{ 7*7 }}", "{% x %}"],
    *["\u2028", "\u0085", "é", "日本", "😀", "`x` onclick=y", "x onmouseover=alert(1)", "\x00", "\x7f", "null", "-"],
]
texts = st.one_of(st.sampled_from(HOSTILE), st.text(), st.text(alphabet="=+-@\t\r\n \"',;|&<>]`\xa0\u200b0aﬀ＝"))
xml_texts = texts.filter(
    lambda text: all(c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff") for c in text)
)
exact = st.integers(-(10**30), 10**30) | st.decimals(
    allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12
)
data = st.recursive(
    st.none() | st.booleans() | exact | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def parsed_json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(None, ""), (True, "True"), (False, "False"), ("a", "a"), (7, "7"), (Decimal("10.50"), "10.50")],
        *[(Decimal("1E+3"), "1000"), (date(2024, 3, 5), "2024-03-05"), ([1, "x", None], '[1, "x", null]')],
        *[(datetime(2024, 3, 5, 14, 7, tzinfo=UTC), "2024-03-05T14:07:00+00:00"), ({"k": "v"}, '{"k": "v"}')],
        *[(Row({"a": 0, "b": 1}, (1, Decimal("2.50"))), '{"a": 1, "b": 2.50}'), (range(2), "[0, 1]"), (0.5, "0.5")],
    ],
)
def test_a_value_as_text(value: Any, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize("value", [object(), b"bytes", iter([1]), lambda: None, {1}, type, ...])
def test_what_is_no_data_is_never_printed(value: Any) -> None:
    for output_format in FORMATS:
        for place, escape in printers(output_format).items():
            with pytest.raises(TemplateValueError, match="cannot be printed"):
                escape(value), place
    with pytest.raises(TemplateValueError):
        to_json([value])


@given(data)
def test_json_holds_any_value_exactly(value: Any) -> None:
    assert parsed_json(to_json(value)) == value


def test_json_keeps_digits_and_scale() -> None:
    assert to_json({"a": Decimal("12.50"), "b": 12345678901234567890, "c": Decimal("1E-7")}) == (
        '{"a": 12.50, "b": 12345678901234567890, "c": 0.0000001}'
    )


@given(texts)
def test_text_between_the_templates_quotes_is_a_json_string(text: str) -> None:
    quoted, plain = printers("JSON")["quoted"], printers("JSON")["plain"]
    assert json.loads(f'"{quoted(text)}"') == json.loads(f'"{plain(text)}"') == text


@given(data)
def test_json_inside_quotes_stays_one_string(value: Any) -> None:
    assert isinstance(json.loads(f'"{printers("JSON")["quoted"](value)}"'), str)


def test_json_words_stand_plainly_and_null_vanishes_inside_quotes() -> None:
    table = printers("JSON")
    assert [table["plain"](value) for value in (None, True, False, 7, Decimal("1.50"))] == [
        *["null", "true", "false", "7", "1.50"]
    ]
    assert [table["quoted"](value) for value in (None, True, False, 7)] == ["", "true", "false", "7"]
    assert table["plain"](JsonText('"a"')) == '"a"'
    assert table["quoted"](JsonText('"a"')) == '\\"a\\"'


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@given(st.lists(st.lists(texts, min_size=2, max_size=4), min_size=1, max_size=4))
def test_csv_reads_back_as_it_was(delimiter: str, rows: list[list[str]]) -> None:
    table = printers("CSV", formula_guard=False, delimiter=delimiter)
    plainly = "\r\n".join(delimiter.join(map(table["plain"], row)) for row in rows)
    in_quotes = "\r\n".join(delimiter.join(f'"{table["quoted"](cell)}"' for cell in row) for row in rows)
    for document in (plainly, in_quotes):
        assert list(csv.reader(io.StringIO(document, newline=""), delimiter=delimiter, strict=True)) == rows


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@given(st.lists(texts, min_size=2, max_size=4))
def test_csv_reads_back_guarded_with_the_guard_on(delimiter: str, row: list[str]) -> None:
    document = delimiter.join(map(printers("CSV", delimiter=delimiter)["plain"], row))
    assert next(csv.reader(io.StringIO(document, newline=""), delimiter=delimiter, strict=True)) == list(map(guarded, row))


@given(texts)
def test_a_guarded_text_never_starts_a_formula_and_loses_nothing(text: str) -> None:
    safe = guarded(text)
    assert safe in {text, "'" + text}
    folded = unicodedata.normalize("NFKC", safe).lstrip(" \t\r\n\xa0\u200b")
    if folded[:1] in set("=@") or safe[:1] in set("\t\r\n"):
        pytest.fail(f"{safe!r} would run")


@pytest.mark.parametrize(
    "text",
    [
        *["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\tplain", "\rplain", "\nplain", " =1+1", "\xa0=1"],
        *["\u200b=1", "\ufeff@x", "\u2060\u200d=1", "\u3000=1", "＝1+1", "＋1+1", "－1+1", "＠x", "﹦1", "⁼1", "﹢1+A1"],
        *[" " * 500 + "=1", "\u200b" * 500 + "=1", "\u202e=1", "\x01=1", "\x00=1", "\u3164=1", "\ufe0f=1", "-", "+", "- 5"],
        *["+1-1", "-1-1", "-2+3+cmd|' /C calc'!A0", "+55 11 9x", "-A1", "+1.5*2", "+(1)", "-1e5e"],
    ],
)
def test_a_formula_is_made_text(text: str) -> None:
    assert guarded(text) == "'" + text


@pytest.mark.parametrize(
    "text",
    [
        *["", "a", "1", "5=5", "a=1", "'=1", '"=1', "(=1)", "-1", "+1", "-1.50", "-1.234,56", "+.5", "-12%", "-1e5"],
        *["+55 11 91234-5678", "+55 (11) 91234-5678", "+1-555-010-0199", "+5511912345678", "é", " a", "\u200ba", "  ", "¨"],
    ],
)
def test_plain_text_numbers_and_phone_numbers_are_left_alone(text: str) -> None:
    assert guarded(text) == text


def test_every_invisible_character_before_a_formula_is_seen_through() -> None:
    invisible = [
        chr(code)
        for code in [*range(0x3100), *range(0xFE00, 0x10000), *range(0xE0000, 0xE0080)]
        if unicodedata.category(chr(code)) in {"Zs", "Zl", "Zp", "Cc", "Cf"} or chr(code).isspace()
    ]
    visible_marks = set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
    assert [f"U+{ord(c):04X}" for c in invisible if c not in visible_marks and guarded(c + "=1") != "'" + c + "=1"] == []


def test_a_number_is_never_guarded() -> None:
    table = printers("CSV")
    assert [table["plain"](value) for value in (-5, Decimal("-1.00"), NumberText("-1,00%"), None, True)] == [
        *["-5", "-1.00", '"-1,00%"', "", "True"]
    ]
    assert table["quoted"](NumberText("-1,00")) == "-1,00"
    assert printers("CSV", delimiter=";")["plain"](NumberText("-1,00")) == "-1,00"


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [("a;b,c;d", ";"), ("a,b", ","), ("a\tb\tc,d", "\t"), ("a|b", "|"), ("", ","), ("abc", ","), ("a,b;c", ",")],
)
def test_the_delimiter_is_the_one_the_first_line_holds_most(line: str, delimiter: str) -> None:
    assert csv_delimiter(line) == delimiter


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("output_format", ["HTML", "PDF"])
@given(texts, texts, texts)
def test_html_reads_back_as_it_was(output_format: str, text: str, attribute: str, unquoted: str) -> None:
    table = printers(output_format)
    reader = Reader()
    # A reader turns NUL into a replacement character, by HTML's own rules; what matters is that nothing else appears.
    text, attribute, unquoted = (value.replace("\x00", "") for value in (text, attribute, f"x{unquoted}"))
    # This reader, unlike HTML itself, takes these for white space.
    unquoted = unquoted.translate(dict.fromkeys(map(ord, "\x0b\x1c\x1d\x1e\x1f\x85")))
    reader.feed(f'<p a="{table["attribute"](attribute)}" b={table["unquoted"](unquoted)}>{table["plain"](text)}</p>')
    reader.close()
    assert reader.tags == [("p", [("a", attribute), ("b", unquoted)])]
    assert reader.text == text


@given(xml_texts, xml_texts, xml_texts)
def test_xml_reads_back_as_it_was(text: str, attribute: str, section: str) -> None:
    table = printers("XML")
    element = ElementTree.fromstring(
        f"<a b='{table['attribute'](attribute)}'><c>{table['plain'](text)}</c>"
        f"<d><![CDATA[{table['cdata'](section)}]]></d></a>"
    )
    assert element.get("b") == attribute
    assert (element.findtext("c") or "") == text
    assert (element.findtext("d") or "") == section.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x0c", "\x1f", "\ufffe", "\uffff", "\ud800"])
@pytest.mark.parametrize("place", ["plain", "attribute", "cdata", "raw"])
def test_what_xml_forbids_is_refused_by_name(character: str, place: str) -> None:
    for value in (f"a{character}b", SafeText(character)):
        with pytest.raises(TemplateValueError, match=f"U\\+{ord(character):04X}"):
            printers("XML")[place](value)


@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=5))
def test_xml_text_is_escaped_or_refused(text: str) -> None:
    try:
        printed = printers("XML")["plain"](text)
    except TemplateValueError:
        return
    assert (ElementTree.fromstring(f"<a>{printed}</a>").text or "") == text


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("value", ["a\ud800", SafeText("\udfff"), ["\ud800"], {"\ud800": 1}])
def test_half_a_surrogate_pair_is_an_error_in_every_format(output_format: str, value: Any) -> None:
    for place, escape in printers(output_format).items():
        with pytest.raises(TemplateValueError, match=r"surrogate|XML"):
            escape(value), place


@pytest.mark.parametrize("output_format", FORMATS)
def test_safe_text_is_printed_as_it_is_and_escaped_text_even_where_escaping_is_off(output_format: str) -> None:
    table = printers(output_format)
    assert table["plain"](SafeText('<b> "=1"')) == '<b> "=1"'
    assert table["raw"]('<b> "=1"') == '<b> "=1"'
    assert table["raw"](EscapedText('<b> "=1"')) == table["plain"]('<b> "=1"')


@pytest.mark.parametrize("output_format", FORMATS)
@given(exact)
def test_numbers_are_printed_alike_everywhere(output_format: str, number: Decimal) -> None:
    shown: set[str] = {escape(number) for escape in printers(output_format).values()}
    assert len(shown) == 1
    assert Decimal(shown.pop()) == number


@pytest.mark.parametrize("output_format", FORMATS)
def test_nan_is_not_printed(output_format: str) -> None:
    for escape in printers(output_format).values():
        with pytest.raises(TemplateValueError, match="NaN"):
            escape(Decimal("NaN"))


def test_a_long_hostile_text_costs_little() -> None:
    def seconds(run: Callable[[], object]) -> float:
        started = time.perf_counter()
        run()
        return time.perf_counter() - started

    for text in (" " * 10**6 + "=1", "\u200b" * 10**6, "+" + "1-" * 10**6, "-" + "1," * 10**6, "<" * 10**6):
        for output_format in FORMATS:
            assert seconds(partial(printers(output_format)["plain"], text)) < 2
