"""Whole documents of generated rows, read back by standard readers: what was printed is what was in the rows."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporter.errors import ReportFailure
from reporter.language.formula_guard import guarded
from reporter.language.render import render

from tests.fuzz.data import HeldRows
from tests.unit.language.test_printing import texts, xml_texts

NOW = datetime(2026, 1, 2, tzinfo=UTC)
WIDE = Context(prec=400, rounding=ROUND_HALF_UP)
QUOTIENT = Context(prec=28, rounding=ROUND_HALF_UP)
numbers = st.integers(-(10**20), 10**20) | st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False, places=4)
Rows = list[tuple[Any, ...]]


def rows_of(text: st.SearchStrategy[str]) -> st.SearchStrategy[Rows]:
    """Id, text, text or null, number or null, truth."""
    row = st.tuples(st.integers(0, 10**9), text, text | st.none(), numbers | st.none(), st.booleans() | st.none())
    return st.lists(row, max_size=5)


def rendered(template: str, output_format: str, rows: Rows, columns: Sequence[str] = "abcde", **more: Any) -> str:
    pieces: list[str] = []
    data = {"erp": {"t": HeldRows(columns, rows)}}
    render(template, output_format, data, pieces.append, now=NOW, **more)
    return "".join(pieces)


def shown(value: Any) -> str:
    """As a reader of text sees it."""
    if isinstance(value, Decimal):
        return format(value if value else abs(value), "f")
    return "" if value is None else str(value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@given(rows_of(texts))
def test_csv(delimiter: str, rows: Rows) -> None:
    fields = [f"{{{{ r.{name} }}}}" for name in "abcde"]
    fields[1] = f'"{fields[1]}"'
    template = delimiter.join("abcde") + "\n{% for r in erp.t %}" + delimiter.join(fields) + "\n{% endfor %}"

    def read(guard: bool) -> list[list[str]]:
        content = rendered(template, "CSV", rows, formula_guard=guard)
        return list(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True))[1:]

    assert read(guard=False) == [[shown(value) for value in row] for row in rows]
    guarded_rows = [[guarded(value) if isinstance(value, str) else shown(value) for value in row] for row in rows]
    assert read(guard=True) == guarded_rows


@given(rows_of(xml_texts))
def test_xml(rows: Rows) -> None:
    template = (
        '<t>{% for r in erp.t %}<r a="{{ r.a }}" b="{{ r.b }}" d=\'{{ r.d }}\'>'
        "<b>{{ r.b }}</b><c>{{ r.c }}</c><e>{{ r.e }}</e></r>{% endfor %}</t>"
    )
    elements = ElementTree.fromstring(rendered(template, "XML", rows))
    assert len(elements) == len(rows)
    for element, (a, b, c, d, e) in zip(elements, rows, strict=True):
        assert (element.get("a"), element.get("b"), element.get("d")) == (str(a), b, shown(d))
        assert [element.findtext(name) or "" for name in "bce"] == [b, shown(c), shown(e)]
        assert [child.tag for child in element] == ["b", "c", "e"]


@given(rows_of(texts), st.sampled_from(["\x00", "\x08", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"]), st.integers(0, 4))
def test_text_that_xml_forbids_ends_the_report_by_name(rows: Rows, character: str, at: int) -> None:
    rows.insert(min(at, len(rows)), (1, f"x{character}", None, None, None))
    with pytest.raises(ReportFailure, match=r"U\+[0-9A-F]{4}, which XML 1.0 forbids") as failure:
        rendered("<t>\n{% for r in erp.t %}<b>{{ r.b }}</b>{% endfor %}</t>", "XML", rows)
    assert (failure.value.code, failure.value.line) == ("TEMPLATE_ERROR", 2)


@given(rows_of(texts))
def test_json(rows: Rows) -> None:
    template = (
        '[{% for r in erp.t %}{"a": {{ r.a }}, "b": "{{ r.b }}", "c": {{ r.c|tojson }}, "d": {{ r.d }}, "e": {{ r.e }}}'
        "{% if not forloop.last %},{% endif %}{% endfor %}]"
    )
    found = json.loads(rendered(template, "JSON", rows), parse_float=Decimal)
    assert found == [dict(zip("abcde", row, strict=True)) for row in rows]
    whole = json.loads(rendered("{{ erp.t }}", "JSON", rows), parse_float=Decimal)
    assert whole == found


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.found.append(("text", data))


@given(rows_of(texts))
def test_html(rows: Rows) -> None:
    template = "{% for r in erp.t %}<p a=\"{{ r.b }}\" b='{{ r.c }}'>{{ r.b }}</p><p>{{ r.d }}</p>{% endfor %}"
    reader = Reader()
    reader.feed(rendered(template, "HTML", rows))
    reader.close()
    expected: list[tuple[str, Any]] = []
    for _a, b, c, d, _e in rows:
        for piece in (("p", [("a", b), ("b", shown(c))]), ("text", b), ("p", []), ("text", shown(d))):
            expected += [piece] if piece != ("text", "") else []
    assert reader.found == expected


def trimmed(number: Any) -> str:
    text = shown(Decimal(number))
    return text.rstrip("0").rstrip(".") if "." in text else text


AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "sum_by": lambda found: sum(map(WIDE.create_decimal, found), Decimal(0)),
    "avg_by": lambda found: WIDE.divide(sum(map(WIDE.create_decimal, found), Decimal(0)), len(found)),
    "min_by": min,
    "max_by": max,
}


@pytest.mark.parametrize("tag", AGGREGATES)
@given(st.lists(st.tuples(numbers | st.none(), st.integers(0, 3)), max_size=12), st.integers(0, 12))
def test_aggregates_are_those_of_decimal(tag: str, rows: Rows, scale: int) -> None:
    found = [number for number, group in rows if number is not None and group != 2]
    exact = AGGREGATES[tag](found) if found else 0
    rounded = WIDE.quantize(exact, Decimal(1).scaleb(-scale))
    free = WIDE.quantize(exact, Decimal(1).scaleb(-16)) if tag == "avg_by" else exact
    template = f'{{% {tag} erp.t by "n" if g != 2 scale {scale} %}} {{% {tag} erp.t by "n" if g != 2 %}}'
    assert rendered(template, "TXT", rows, "ng") == f"{shown(rounded)} {trimmed(free)}"


@given(numbers, numbers, numbers)
def test_calc_is_decimal_rounded_once(a: Any, b: Any, c: Any) -> None:
    exact = WIDE.subtract(WIDE.multiply(a, b), c)
    expected = [trimmed(WIDE.quantize(exact, Decimal("1e-10")))]
    template = "{% for r in erp.t %}{% calc r.a * r.b - r.c %}"
    if c:
        expected.append(trimmed(WIDE.quantize(QUOTIENT.divide(Decimal(a), Decimal(c)), Decimal("1e-10"))))
        template += " {% calc r.a / r.c %}"
    assert rendered(template + "{% endfor %}", "TXT", [(a, b, c)], "abc") == " ".join(expected)
