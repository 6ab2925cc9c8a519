"""Loops over tuples and loops over row objects are one language: the same text, the same warnings, the same errors."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reporter.indexed_rows import IndexedRows
from reporter.language.cells import cell_printers
from reporter.language.numbers import TemplateValueError
from reporter.language.printing import place_printers
from reporter.language.row_batches import print_column
from reporter.language.rows import Row

from tests.unit.language.both_ways import NOW, outcome, plain_outcome

Spooled = Callable[[Sequence[str], Sequence[tuple[Any, ...]]], IndexedRows]

COLUMNS = ("a", "b", "n", "m", "r")
FORMATS = ("TXT", "CSV", "HTML", "XML", "JSON", "XLSX")

TEXTS = st.sampled_from(
    [
        "",
        "plain",
        "a;b",
        'q"q',
        "<b>&'",
        "=1+1",
        "@x",
        " =y",
        "\x7f",
        "a\x7fb",
        "\t",
        "\r\n",
        "é",
        "\x01",
        "\ud800",
        "]]>",
        "-5",
    ]
)
NUMBERS = st.sampled_from(
    [Decimal("0"), Decimal("-0.00"), Decimal("10.50"), Decimal("-0.05"), Decimal("1E+3"), Decimal("1E-9"), Decimal("7")]
)
WHOLE = st.sampled_from([0, 1, -3, 7, 10**30])
TIMES = st.sampled_from([NOW, datetime(2024, 2, 29, 12, tzinfo=UTC)])
COLUMN = st.sampled_from(
    [
        TEXTS,
        TEXTS | st.none(),
        NUMBERS,
        NUMBERS | st.none(),
        WHOLE,
        WHOLE | st.none(),
        TIMES,
        TIMES | st.none(),
        st.just(date(2024, 2, 29)),
        st.none(),
        st.booleans(),
        st.sampled_from([["x", 1], {"k": "<v>", "l": [1, 2]}, {}, None]),
        TEXTS | NUMBERS | WHOLE | TIMES | st.none() | st.booleans(),
    ]
)
PIECES = st.sampled_from(
    [
        "{{ r.a }}",
        "{{ r['b'] }};",
        "{{ r.a }}{{ r.b }}\n{{ r.n }}",
        '"{{ r.a }}"',
        '<x y="{{ r.a }}" z={{ r.b }}>{{ r.a }}</x>',
        "<![CDATA[{{ r.b }}]]>",
        "{% autoescape off %}{{ r.a }}{% endautoescape %}",
        "{{ r.nosuch }}",
        "{{ r.m.k }}",
        "{{ r.m|tojson }}",
        "{{ r.a|upper }}\n",
        "{{ r.n + 1 }}",
        "{{ 1 / r.n }}\n",
        "{{ r.a ~ r.b }}",
        "{{ r.a if r.b else r.n }}",
        "{{ loop.index }}/{{ loop.length }}",
        "{{ forloop.Counter0 }}{{ forloop.Revcounter }}{{ forloop.Revcounter0 }}{{ loop['depth'] }}",
        "{% if not forloop.Last %},{% endif %}{% if loop.first %}first{% endif %}",
        "{% if r.a == r.b %}{{ r.a }}\n{% elif r.n %}{{ r.b }}{% else %}{{ r.n }}{% endif %}",
        "{% if r.a < r.b %}\n{{ r.b }}{% endif %}",
        "{% set sum = sum + r.n %}{{ sum }}",
        "{% set kept = r.a %}{{ kept }}",
        "{% with x = r.a, y = r.n %}{{ x }}{{ y }}{{ r.b }}{% endwith %}",
        "{% for q in r.m %}{{ q }}{{ r.a }}{{ loop.index }}{% else %}{{ loop.index }}{% endfor %}",
        "{% for q in s.t %}{{ q.a }}{{ r.b }}{{ loop.index }}{% if r.a == q.a %}{{ q.n }}{% endif %}{% endfor %}",
        "{% for r in s.t %}{{ r.n }}{% endfor %}",
        "{% for q in s.t if q.a == r.a %}{{ q.n }}{{ r.n }}{% else %}none{% endfor %}",
        "{% macro g(x) %}{% for q in s.t %}\n{% if q.a == x %}{{ q.n }}{% endif %}{% endfor %}{% endmacro %}{{ g(r.a) }}",
        "{% for q in [r.a, r.n] %}{{ q }}{% endfor %}",
        "{% for q in filter(s.t, 'a', r.a) %}{{ q.b }}{% endfor %}{{ filter(s.t, 'n', r.n)|length }}",
        "{% for q in s.t %}{% if q.a == r.a %}{{ q.n }}{{ loop.index }}{% endif %}{% endfor %}",
        "{% for q in s.t %}\n{% if r.b == q.b and q.n > 1 %}{{ q.a|upper }}{{ q.m.k }}{% endif %}--{% endfor %}",
        "{% for q in s.t if q.b == r.b %}{{ loop.index }}{{ loop.last }}{{ q.a }}{% else %}none{% endfor %}",
        "{% sum_by s.t by 'n' if a == r.a and n > r.b %}{% max_by s.t by 'n' if r.b == b %}",
        "{% last_item_by_group s.t group_by 'b' order_by 'a' if n == r.n as g %}{{ g|length }}{{ g.0.a }}",
        "{% for q in s.t|where:'a:plain' %}{{ q.b }}{{ loop.index0 }}{% endfor %}",
        "{% filter upper %}{{ r.a }}{{ r.b }}{% endfilter %}",
        "{% set kept %}{{ r.a }}|{{ loop.index }}{% endset %}{{ kept }}",
        "{% firstof r.a r.b 'x' %}",
        "{% sum_by s.t by 'n' if n > r.n %}",
        "{% count_by s.t if a == r.a %}{% count_by s.t if r.n == 3 %}",
        "{% counter 'c' %}{% counter_show 'c' %}",
        "{{ r|tojson }}",
        "{{ r.a.k }}",
        "{{ loop.index|string }}",
        "{% macro f(x) %}{{ x }}{{ r.a }}{% endmacro %}{{ f(r.b) }}",
    ]
)
LOOPS = st.sampled_from(
    [
        "{% for r in s.t %}BODY{% endfor %}",
        "{% for r in s.t %}BODY{% empty %}nothing{% endfor %}",
        "{% for r in s.t if r.n %}BODY{% else %}nothing{% endfor %}",
        "{% for r in s.t if r.a == top %}BODY{% endfor %}",
        "{% for r in s.t reversed %}BODY{% endfor %}",
        "{% for r in s.l %}BODY{% endfor %}",
        "{% for r in s.mixed %}BODY{% else %}nothing{% endfor %}",
        "{% for r in filter(s.t, 'n', 7) %}BODY{% endfor %}",
        "{% for r in s.t|sort:'a' %}BODY{% endfor %}",
        "{% for o in s.t %}{% for r in s.t %}{{ o.a }}BODY{% endfor %}{{ loop.index }}{% endfor %}",
        "{% macro m(t) %}{% for r in t %}BODY{% endfor %}{% endmacro %}{{ m(s.t) }}",
        "{% for r in s.t %}BODY{% endfor %}{{ r.a }}{% for r in s.t %}{{ r.b }}{% endfor %}",
    ]
)
TEMPLATES = st.tuples(LOOPS, st.lists(PIECES, min_size=1, max_size=3)).map(
    lambda parts: "\n" + parts[0].replace("BODY", "\n".join(parts[1]))
)

PRINTERS = [
    printer
    for output_format in FORMATS[:-1]
    for formula_guard in (True, False)
    for printer in place_printers(output_format, formula_guard=formula_guard, delimiter=";").values()
] + list(cell_printers("XLSX").values())


@settings(max_examples=200, deadline=None)
@given(COLUMN.flatmap(lambda kind: st.lists(kind, min_size=1, max_size=3)))
def test_a_column_printed_at_once_is_printed_as_its_values_are(spooled: Spooled, values: list[Any]) -> None:
    ((_size, (column,)),) = spooled(COLUMNS, [(value,) * len(COLUMNS) for value in values]).batches([0])
    for printer in PRINTERS:
        texts = print_column(column, printer)
        try:
            assert texts is None or list(texts) == list(map(printer.one, values))
        except TemplateValueError:
            assert texts is None


@settings(max_examples=300, deadline=None)
@given(data=st.data(), template=TEMPLATES, output_format=st.sampled_from(FORMATS))
def test_both_ways_make_the_same_document(spooled: Spooled, data: st.DataObject, template: str, output_format: str) -> None:
    kinds = [*(data.draw(COLUMN) for _name in COLUMNS[:-1]), st.sampled_from([{"n": 3}, None, "text"])]
    rows = data.draw(st.lists(st.tuples(*kinds), max_size=9))
    objects = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    tables = {"s": {"t": spooled(COLUMNS, rows), "l": objects, "mixed": [*objects, "text", 5, None]}}
    assert outcome(template, output_format, tables) == plain_outcome(template, output_format, tables)


@pytest.mark.parametrize(
    "body",
    [
        "{{ r.a }}{{ r['b'] }}",
        "{% if r.n > 1 and not forloop.Last %}{{ r.a|upper }}{% endif %}",
        "{% for q in r.m %}{{ r.a }}{{ q }}{% endfor %}",
        "{% set sum = sum + r.n %}{% with x = r.a %}{{ x }}{{ sum }}{% endwith %}",
    ],
)
@pytest.mark.parametrize("head", ["for r in s.t", "for r in s.t if r.n > 1"])
def test_a_loop_that_only_needs_fields_makes_no_rows(spooled: Spooled, head: str, body: str) -> None:
    if "if" in head and "loop" in body:
        body = body.replace("not forloop.Last", "true")
    template = "{% HEAD %}BODY{% endfor %}".replace("HEAD", head).replace("BODY", body)
    tables = {"s": {"t": spooled(COLUMNS, [("x", "y", n, [1], None) for n in range(6)])}}
    with patch.object(Row, "__init__", side_effect=AssertionError):
        assert outcome(template, "TXT", tables)[0] == "text"
    assert outcome(template, "TXT", tables) == plain_outcome(template, "TXT", tables)


def test_what_cannot_be_printed_is_an_error_only_when_its_turn_comes(
    spooled: Spooled,
) -> None:
    tables = {
        "s": {
            "t": spooled(
                COLUMNS, [("fine", "1", 1, None, None), ("bad \x01", "2", 0, None, None), ("fine", "\x02", 1, None, None)]
            )
        }
    }
    shown = "{% for r in s.t %}\n{% if r.n %}\n<x>{{ r.a }}</x>{% endif %}\n{{ BODY }}{% endfor %}"
    assert outcome(shown.replace("BODY", "r.n"), "XML", tables)[0] == "text"
    code, message, line = outcome(shown.replace("BODY", "r.b"), "XML", tables)
    assert (code, line) == ("TEMPLATE_ERROR", 4)
    assert "U+0002" in message
    code, message, line = outcome(shown.replace("BODY", "1 / r.n"), "XML", tables)
    assert (line, message) == (4, "division by zero")


def test_loops_may_nest_as_deep_as_the_limit_allows(spooled: Spooled) -> None:
    depth = 12
    heads = "".join(f"{{% for r{n} in s.t %}}" for n in range(depth))
    shown = "".join(f"{{{{ r{n}.a }}}}" for n in range(depth))
    tables = {"s": {"t": spooled(COLUMNS, [("x", None, 1, None, None)])}}
    assert outcome(heads + shown + "{% endfor %}" * depth, "TXT", tables) == ("text", "x" * depth, [])
