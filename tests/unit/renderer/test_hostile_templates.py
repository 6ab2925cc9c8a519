"""Templates that no check can tell from good ones: each hurts its own report only, in bounded time, memory and output."""

import csv
import io
import json
import time
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from reporter.document import Document
from reporter.errors import ReportFailure
from reporter.renderer.client import Renderer

Rendering = Callable[..., Document]
SECONDS = 15
"""Of the wall clock on a busy machine; the processor time of a child is bounded to one second."""

ERROR, OUTPUT, TIME, MEMORY, DEPTH = (f"TEMPLATE_{what}" for what in ("ERROR", "OUTPUT", "TIMEOUT", "MEMORY", "RECURSION"))
X = "{% set x = 'A'|ljust:10000 %}"

HOSTILE: dict[str, tuple[str, set[str]]] = {
    # 3.2, line by line
    "loops in loops": ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", {TIME}),
    "loops in loops over rows": ("{% for a in erp.t %}" * 5 + "{{ a.b }}" + "{% endfor %}" * 5, {TIME, OUTPUT}),
    "a long range": ("{% for i in range(10**9) %}{% endfor %}", {ERROR}),
    "doubling a text": ("{% set x='A' %}{% for i in range(60) %}{% set x = x ~ x %}{% endfor %}{{ x }}", {ERROR}),
    "doubling a list": ("{% set l=[1] %}{% for i in range(60) %}{% set l = l|add:l %}{% endfor %}", {MEMORY, ERROR}),
    "doubling in a block": (
        "{% set x='A' %}{% for i in range(60) %}{% set x %}{{ x }}{{ x }}{% endset %}{% endfor %}",
        {MEMORY, ERROR, OUTPUT},
    ),
    "doubling by tojson": ("{{ '\"'" + "|tojson" * 40 + " }}", {MEMORY, ERROR, OUTPUT}),
    "doubling by replace": (X + "{{ x" + '|replace:"A:AA"' * 40 + " }}", {ERROR}),
    "doubling by urlencode": ("{{ 'é'|ljust:9999" + "|urlencode:''" * 40 + "|length }}{{ 1/0 }}", {ERROR, MEMORY}),
    "a wide text": ("{{ 'a'|center:1000000000 }}", {ERROR}),
    "a wide number": ('{{ 1|stringformat:"1000000000d" }}', {ERROR}),
    "a wide format": ('{{ "%*d" % 5 }}', {ERROR}),
    "many decimals": ("{{ 1|floatformat:1000000000 }}", {ERROR}),
    "a macro that calls itself": ("{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}", {DEPTH}),
    "a macro that calls itself twice": ("{% macro m(n) %}{{ m(n+1) ~ m(n+1) }}{% endmacro %}\n{{ m(1) }}", {DEPTH}),
    "a tree of macros": (
        "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(60) }}",
        {TIME, DEPTH},
    ),
    "much out of one row": ("{% for i in range(99999) %}{{ erp.t.0.b|ljust:9000 }}{% endfor %}", {OUTPUT}),
    "much text": ("{% for i in range(99999) %}" + "lorem ipsum " * 300 + "{% endfor %}", {OUTPUT}),
    "large values": (X + '{% for i in range(400) %}{{ x|replace:" :AAAAAAAAAAAAAAAAAAAA" }}{% endfor %}', {OUTPUT}),
    "the largest values": (
        '{% set y %}{% for i in range(390) %}{{ "A"|ljust:10000 }}{% endfor %}{% endset %}'
        "{% for i in range(500) %}{{ y }}{{ y }}{% endfor %}",
        {OUTPUT},
    ),
    "a power": ("{{ 10**5000 }}", {ERROR}),
    "a tower of powers": ("{{ 9**9**9**9**9 }}", {ERROR}),
    "products": ("{% set x=9 %}{% for i in range(99999) %}{% set x=x*x %}{% endfor %}", {ERROR}),
    "fractions": ("{% set x=1.1 %}{% for i in range(99999) %}{% set x=x*x %}{% endfor %}", {ERROR}),
    # more of the class
    "a list in itself, again and again": (
        "{% set l=[1] %}{% for i in range(9999) %}{% set l=[l] %}{% if loop.last %}{{ l }}{% endif %}{% endfor %}",
        {DEPTH},
    ),
    "a deep condition": (
        "{% for i in range(5000) %}{% set l=[l] %}{% set m=[m] %}"
        "{% if loop.last %}{% count_by erp.t if l == m %}{% endif %}{% endfor %}",
        {DEPTH},
    ),
    "many lists": (X + "{% for i in range(99999) %}{% set l = [l, i ~ x] %}{% endfor %}", {MEMORY}),
    "many lists of lists": (
        "{% for i in range(60) %}{% set l = [l, l] %}{% if loop.last %}{{ l }}{% endif %}{% endfor %}",
        {TIME, MEMORY, OUTPUT},
    ),
    "a list of every character": (X + "{% for i in range(9999) %}{% set l = [l, x|split:''] %}{% endfor %}", {TIME, MEMORY}),
    "counters of every name": (X + "{% for i in range(99999) %}{% set n = i ~ x %}{% counter n %}{% endfor %}", {MEMORY}),
    "a join": ("{{ range(100000)|join:('x'|ljust:10000) }}", {ERROR}),
    "sorting": ("{% for i in range(999) %}{% set n = range(100000)|list|reverse|sort|length %}{% endfor %}", {TIME}),
    "groups": (
        "{% for i in range(99999) %}"
        '{% last_item_by_group erp.t group_by "a,b" order_by "a" if a ~ i != b as g %}{% endfor %}',
        {TIME},
    ),
    "aggregates": ('{% for i in range(99999) %}{% sum_by erp.t by "a" if a ~ i == b %}{% endfor %}', {TIME}),
    "comparisons in comparisons": ("{{ " + "1 < (" * 39 + "1" + ") < 3" * 39 + " }}", {TIME, MEMORY, DEPTH}),
    "markup to strip": (
        '{% set y %}{% for i in range(99) %}{{ "<"|ljust:9999|replace:" :<a b=" }}{% endfor %}{% endset %}'
        "{% for i in range(999) %}{{ y|striptags|length }}{% endfor %}",
        {TIME, ERROR},
    ),
    "titles": (X + "{% for i in range(99999) %}{% set y = (x ~ \"'\" ~ x)|title %}{% endfor %}", {TIME}),
    "layouts of dates": (
        "{% for i in range(99999) %}" * 2
        + "{% set x %}{% date_time 'dd' ~ i ~ 'd'|ljust:150 %}{% endset %}"
        + "{% endfor %}" * 2,
        {TIME},
    ),
    "a division by zero after a while": ("{% for i in range(1000) %}x{% endfor %}\n{{ 1 / 0 }}", {ERROR}),
    "a date that is none": ('{{ "2024-13-45"|date:"Y" }}', {ERROR}),
    "a slice without a step": ("{{ [1,2][::0] }}", {ERROR}),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_it_hurts_its_own_report_only(renderer: Renderer, render: Rendering, name: str) -> None:
    template, codes = HOSTILE[name]
    rows = [(number, "x" * 20) for number in range(200)]
    render("fine")
    process = renderer._process
    started = time.monotonic()
    with pytest.raises(ReportFailure) as failure:
        render(template, rows=rows)
    assert failure.value.code in codes, failure.value.message
    assert time.monotonic() - started < SECONDS
    if failure.value.code in {ERROR, DEPTH}:
        assert failure.value.line is not None or failure.value.code == DEPTH
    assert render("fine").path.read_bytes() == b"fine"
    assert renderer._process is process, "the renderer itself must outlive it"


def test_what_is_never_reached_costs_nothing(render: Rendering) -> None:
    started = time.monotonic()
    never = '"a"*600000000', '"a"|center(500000000)', "(9**9)**999999", "10**5000", "range(10**9)|list"
    template = "".join(f"{{% if false %}}{{{{ {value} }}}}{{% endif %}}" for value in never)
    assert render(template + "fine").path.read_bytes() == b"fine"
    assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize("output_format", ["TXT", "HTML", "XML", "JSON", "CSV"])
def test_a_value_is_never_a_template(render: Rendering, output_format: str) -> None:
    value = "{{ 7*7 }}{% include 'x' %}{# x #}${7*7}#{7*7}"
    around = {"XML": "<a>{}</a>", "JSON": '"{}"'}.get(output_format, "{}")
    content = render(around.format("{{ erp.t.0.a }}"), output_format, [(value, 1)]).path.read_text()
    assert "7*7" in content
    assert "49" not in content


@pytest.mark.parametrize("key", ["'__cl' ~ 'ass__'", "'_positions'", "'_values'", "'__dict__'|lower", "'gi_frame'"])
def test_a_name_that_is_put_together_leads_nowhere(render: Rendering, key: str) -> None:
    """What is looked up is columns and members, never attributes of Python's."""
    for holder in ("erp.t.0", "erp.t.0.b", "{'a': 1}", "loop"):
        template = f"{{% for i in [1] %}}{{{{ ({holder})[{key}] }}}}{{% endfor %}}"
        try:
            assert render(template, rows=[(1, {"k": 1})]).path.read_bytes() == b""
        except ReportFailure as failure:
            assert failure.code == ERROR  # noqa: PT017


CELLS = [
    *["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '"=1', "＝1+1", " =1+1", "\xa0=1", "\u200b=1", "\ufeff=1"],
    *["=cmd|' /C calc'!A0", "\x0b=1", "\u2060+1-1", "﹢1+1", "\r\n=1", "%0A=1", "+55 11 91234-5678", "-5", "-1,234.50"],
    *["=HYPERLINK(\"http://x\",\"a\")", "--1", "+-1", "-a", "@", "=", "+", "\x00=1", "a=1", "", " ", "1e5", "-1e5"],
]  # fmt: skip
PLAIN = {"%0A=1", "+55 11 91234-5678", "-5", "-1,234.50", '"=1', "a=1", "", " ", "1e5", "-1e5"}


def test_a_cell_that_a_spreadsheet_would_run_is_text_also_in_a_header(render: Rendering) -> None:
    template = '{{ erp.t.0.a }};"{{ erp.t.0.a }}";b\n{% for r in erp.t %}{{ r.a }};"{{ r.a }}";{{ r.b }}\n{% endfor %}'
    content = render(template, "CSV", [(cell, "x") for cell in CELLS]).path.read_bytes().decode()
    header, *rows = csv.reader(io.StringIO(content, newline=""), delimiter=";")
    for cell, row in zip([CELLS[0], *CELLS], [header, *rows], strict=True):
        shown = cell if cell in PLAIN else "'" + cell
        assert row[:2] == [shown, shown]
    unguarded = render(template, "CSV", [(cell, "x") for cell in CELLS], formula_guard=False).path.read_bytes().decode()
    assert [row[0] for row in csv.reader(io.StringIO(unguarded, newline=""), delimiter=";")][1:] == CELLS


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_a_cell_comes_back_from_a_standard_reader_whatever_it_holds(render: Rendering, delimiter: str) -> None:
    cells = [
        'a"b',
        "a;b",
        "a,b",
        "a\tb",
        "a|b",
        "a\rb",
        "a\nb",
        "a\r\nb",
        "a\x00b",
        '"',
        '""',
        '";"',
        "",
        "\u2028",
        "é😀",
        "\\",
    ]
    template = (
        delimiter.join("abc")
        + f'\n{{% for r in erp.t %}}{{{{ r.a }}}}{delimiter}"{{{{ r.a }}}}"{delimiter}1\n{{% endfor %}}'
    )
    content = render(template, "CSV", [(cell, 1) for cell in cells]).path.read_bytes().decode()
    rows = list(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True))[1:]
    assert [row[0] for row in rows] == [row[1] for row in rows] == cells


def test_markup_in_a_value_changes_no_structure(render: Rendering) -> None:
    value = "</amount><amount>0</amount><!-- <![CDATA[ ]]> &x; <?pi ?> <!DOCTYPE a>"
    template = '<r a="{{ erp.t.0.a }}"><amount>{{ erp.t.0.a }}</amount><![CDATA[{{ erp.t.0.a }}]]></r>'
    root = ElementTree.fromstring(render(template, "XML", [(value, 1)]).path.read_bytes())
    assert [element.tag for element in root.iter()] == ["r", "amount"]
    assert (root.get("a"), root.findtext("amount"), root[0].tail) == (value, value, value)


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff"])
@pytest.mark.parametrize(
    "place", ["{{ erp.t.0.a }}", "{{ erp.t.0.a|safe }}", "<![CDATA[{{ erp.t.0.a }}]]>", "<b c='{{ erp.t.0.a }}'/>"]
)
def test_what_xml_forbids_ends_the_report(render: Rendering, character: str, place: str) -> None:
    with pytest.raises(ReportFailure, match=f"U\\+{ord(character):04X}, which XML 1.0 forbids") as failure:
        render(f"<a>{{% set v = erp.t.0.a %}}\n{place}</a>", "XML", [(f"a{character}b", 1)])
    assert (failure.value.code, failure.value.line) == (ERROR, 2)


WRONG_XML = {
    "a billion laughs": "<!DOCTYPE a [<!ENTITY a 'x'>" + "".join(
        f"<!ENTITY a{n + 1} '{f'&a{n};' * 10}'>" for n in range(9)) + "]><a>&a9;</a>",
    "an entity from a file": "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><a>&x;</a>",
    "a parameter entity": "<!DOCTYPE a [<!ENTITY % x SYSTEM 'file:///etc/hostname'> %x;]><a/>",
    "a DTD from elsewhere": "<!DOCTYPE a SYSTEM 'http://169.254.169.254/a.dtd'><a/>",
    "an entity nobody declared": "<a>&nbsp;</a>",
    "another encoding": "<?xml version='1.0' encoding='utf-7'?><a/>",
    "no end": "<a>",
    "two roots": "<a/><b/>",
    "an attribute twice": "<a b='1' b='2'/>",
    "two dashes in a comment": "<a><!-- {{ '--' }} --></a>",
    "the end of a processing instruction, from a value": "<a><?pi {{ '?>'|safe }}<b></a>",
    "a prefix nobody declared": "<a><x:b/></a>",
    "a reference to a forbidden character": "<a>&#0;</a>",
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_XML)
def test_a_document_that_is_no_plain_xml_is_not_shown(render: Rendering, name: str) -> None:
    started = time.monotonic()
    with pytest.raises(ReportFailure) as failure:
        render(WRONG_XML[name], "XML")
    assert (failure.value.code, failure.value.line) == ("DOCUMENT_INVALID", 1)
    assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize(
    "template",
    ['{"a": {{ "x" }}}', '{"a": 01}', '{"a": NaN}', "[1,]", '"\\x"', "{'a': 1}", "[" * 2000, "", "1 2", '{"a" 1}'],
)  # fmt: skip
def test_a_document_that_is_no_json_is_not_shown(render: Rendering, template: str) -> None:
    with pytest.raises(ReportFailure) as failure:
        render(template, "JSON")
    assert (failure.value.code, failure.value.line) == ("DOCUMENT_INVALID", 1)


def test_a_value_of_any_shape_is_one_value_of_json(render: Rendering) -> None:
    values: list[Any] = [*CELLS, "</script>", "\u2028\u2029", {"a": ['"', None, True]}, [[]], 10**30, None, False]
    template = "[{% for r in erp.t %}{{ r.a|tojson }}{% if not loop.last %},{% endif %}{% endfor %}]"
    assert json.loads(render(template, "JSON", [(value, 1) for value in values]).path.read_bytes()) == values
