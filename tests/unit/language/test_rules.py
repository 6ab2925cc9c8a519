"""The rules of the language in small templates, each the place where another reading of the rule would show."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from reporter.errors import ReportFailure, TemplateProblems
from reporter.language.check import check
from reporter.language.render import CHARACTERS_PER_WRITE, render

D = Decimal
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {"id": 1, "name": "Ana", "v": D("10.50"), "on": True, "items": 10, "keys": "K", "values": None, "get": "G", "count": 9},
    {"id": 2, "name": "Bo", "v": D("2.25"), "on": False, "items": 20, "keys": "K", "values": None, "get": "G", "count": 9},
    {"id": 3, "name": None, "v": None, "on": None, "items": 30, "keys": "K", "values": None, "get": "G", "count": 9},
]
DATA: dict[str, Any] = {"erp": {"t": ROWS, "sales__o": [{"id": 1, "total": D(5)}], "none": []}}
MARKUP = "</a><b x=\"1\" y='2'>&\r\n\t"


def rendered(template: str, output_format: str = "TXT", data: dict[str, Any] = DATA) -> str:
    pieces: list[str] = []
    render(template, output_format, data, pieces.append, now=NOW, time_zone="America/Sao_Paulo")
    return "".join(pieces)


RULES: dict[str, list[tuple[str, str]]] = {
    "data": [
        ('{{ erp.t.0.items }}{{ erp.t.0.keys }}{{ erp.t.0.values }}{{ erp.t.0.get }}{{ erp.t[0]["count"] }}', "10KG9"),
        ("{% for r in erp.t %}{% for q in erp.t %}{{ q.id }}{% endfor %},{% endfor %}{{ erp.t|length }}", "123,123,123,3"),
        ("{% for r in erp:sales.o %}{{ r.total }}{% endfor %}{{ erp:sales.o.0.total }}{{ erp:sales.o|length }}", "551"),
        ('{% sum_by erp:sales.o by "total" %}{% if erp:sales.o %}Y{% endif %}', "5Y"),
        ('erp:sales.o {{ "erp:sales.o" }} {{ x|default:erp:sales.o|length }}', "erp:sales.o erp:sales.o 1"),
        ("{% if erp.none %}Y{% else %}N{% endif %}{{ erp.t[-1].id }}{{ erp.t.99.id }}{{ nope.a.b.c }}", "N3"),
    ],
    "spellings": [
        ('{{ "a,b"|split: ","|join:"-" }} {{ 5|add: -3 }} {{ 5|add:erp.t.0.id }}', "a-b 2 6"),
        ("{% with 1 as a %}{% with b=a c=2 %}{{ a }}{{ b }}{{ c }}{% endwith %}{% endwith %}", "112"),
        ("{% for x in [3,1,2] sorted %}{{ x }}{% endfor %}{% for x in [1,2] reversed %}{{ x }}{% endfor %}", "12321"),
        ("{% for x in [] %}{% empty %}none{% endfor %}", "none"),
        (
            "{% for x in [1,2] %}{{ forloop.Counter0 }}{{ forloop.revcounter }}{{ forloop.LAST }} {% endfor %}",
            "02False 11True ",
        ),
        ("{{ 1 && 0 || 2 }} {{ !erp.none && !0 }} {{ nil }}{{ null }}{{ true }}", "2 True True"),
        (
            "a{% comment 'why' %}{{ x }}{% bad %}{% endcomment %}b{% verbatim %}{{ x }}{% if %}{% endverbatim %}",
            "ab{{ x }}{% if %}",
        ),
        ('{% firstof nope erp.t.2.name "z" %}{% for i in [1,2,3] %}{% cycle "a", "b" %}{% endfor %}', "zaba"),
        ("{{ [[1,2],[3]].0.1 }}{{ [1.5].0 }}{{ erp.t[0].name }}", "21.5Ana"),
    ],
    "set": [
        ("{% set t=0 %}{% for x in [1,2,3] %}{% set t=t+x %}{{ t }} {% endfor %}={{ t }}", "1 3 6 =0"),
        (
            "{% for x in [1,2] %}{% set t=t+10 %}{% for y in [1,2] %}{% set t=t+1%}{{ t }} {% endfor %}{{ t }} {% endfor %}",
            "11 12 10 21 22 20 ",
        ),
        ("{% if true %}{% set q=5 %}{% endif %}{{ q }}", "5"),
        ("{% for x in [1,2,3] %}{% if x==2 %}{% set seen=true %}{% endif %}{{ seen }}{% endfor %}|{{ seen }}", "TrueTrue|"),
        ("{% for x in [1,2,3] %}{% set t %}{{ t }}{{ x }}{% endset %}{{ t }},{% endfor %}", "1,12,123,"),
        (
            "{% macro m(a) %}{% set t=t+a %}{{ t }}{% endmacro %}{% for x in [1,2] %}{% set t=100 %}{{ m(x) }} {% endfor %}",
            "1 2 ",
        ),
        ("{% for x in [1,2,3] %}{% set a, b = x, a + x %}{{ a }}{{ b }} {% endfor %}", "11 23 35 "),
        ("{% for x in [1,2] %}{% set t=t+x %}{% endfor %}{% for x in [1,2] %}{% set t=t+x %}{{ t }}{% endfor %}", "13"),
    ],
    "logic": [
        (
            "{{ not 1 == 2 }} {{ !1 == 1 }} {{ not 'a' in ['a'] }} {{ 1 or 0 and 0 }} {{ not 1 > 2 }}",
            "True False False 1 True",
        ),
        ("{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 in [1.0] }} {{ null == 0 }} {{ null == '' }}", "True False True False False"),
    ],
    "numbers": [
        ("{{ 7/2 }} {{ 6/2 }} {{ 0.1+0.2 }} {{ 2/3 }} {{ 10.50*2 }}", "3.5 3 0.3 0.6666666666666666666666666667 21.00"),
        (
            "{{ 0 - 0.0 }} {{ -0.0 }} {{ 0.0 * -5 }} {{ 1e3 }} {{ 1e-7 }} {{ 1.10 - 1.10 }}",
            "0.0 0.0 0.0 1000 0.0000001 0.00",
        ),
        ("{{ 2**3**2 }} {{ -2**2 }} {{ 2**-1 }} {{ -7 // 2 }} {{ -7 % 3 }}", "512 4 0.5 -4 2"),
        ("{{ null + 5 }} {{ 5 - nope }} {{ null * 3 }} {{ erp.t.2.v + 1 }}", "5 5 0 1"),
        ("{{ '5' == 5 }} {{ 5 == 5.0 }} {{ true == 1 }} {{ '10' < '9' }}", "False True False True"),
    ],
    "tests": [
        (
            "{{ 1 is eq 1.0 }} {{ true is eq 1 }} {{ '5' is eq 5 }} {{ 1 is in [1.0] }} {{ null is none }}",
            "True False False True True",
        ),
        (
            "{{ 3 is odd }} {{ -3 is odd }} {{ null is even }} {{ 6.0 is divisibleby 3 }} {{ true is number }}",
            "True True True True False",
        ),
        (
            "{{ erp.t is sequence }}{{ erp.t.0 is mapping }}{{ 'a' is sequence }}{{ 1.5 is float }}{{ x is defined }}",
            "TrueTrueFalseTrueFalse",
        ),
    ],
    "macros and blocks": [
        ("{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(b=1, a=3) }}{{ m() }}", "12312"),
        (
            "{% set x | split:',' %}a,b{% endset %}{{ x }}{% filter length %}abc{% endfilter %}",
            '["a", "b"]3',
        ),
        ("{% set _loop_values_1 = 5 %}{% for x in [1,2] %}{% set t=t+1 %}{{ t }}{% endfor %}{{ _loop_values_1 }}", "125"),
        ("{% for _loop_values_1 in [1,2] %}{% set t=t+1 %}{{ t }}{{ _loop_values_1 }}{% endfor %}", "1122"),
    ],
    "empty bodies": [
        ("{% for x in [1] %}{% if x %}{% elif x %}{% set a=1 %}{% else %}{% endif %}{{ x }}{% endfor %}", "1"),
        ("{% if 0 %}{% elif 1 %}{% macro m() %}{% endmacro %}{% else %}b{% endif %}", ""),
        (
            "{% if 0 %}{% set a=1 %}{% elif 0 %}{% else %}{% endif %}{% with a=1 %}{% endwith %}",
            "",
        ),
        ("{% for x in [] %}{% endfor %}{% for x in [1] %}{% empty %}{% endfor %}{% set a %}{% endset %}{{ a }}", ""),
        ("{% macro m() %}{% endmacro %}{{ m() }}{% autoescape off %}{% endautoescape %}", ""),
    ],
    "nothing": [
        ("{{ erp.t.2.name }}{{ erp.t.2.name.x.y }}{{ [1][7] }}{{ [1].7 }}{{ [1][-2] }}{{ null.0.x }}{{ {'a':1}.b }}", "")
    ],
    "values": [
        (
            "{{ true }} {{ [1,'a',null,true] }} {{ {'a':[1.50]} }} {{ range(3) }}",
            'True [1, "a", null, true] {"a": [1.50]} [0, 1, 2]',
        ),
    ],
    "output": [
        ("{{ '{{ 7*7 }}{% if %}' }}", "{{ 7*7 }}{% if %}"),
        ("a\r\nb{{ 1 }}\r\nc\nd\re{% if 1 %}\r\n{% endif %}\n\r\n", "a\r\nb1\r\nc\nd\re\r\n\n\r\n"),
        ("\r\n{#- x -#} a {%- if 1 -%}\r\n b\r\n{% endif %}\t\n", "ab\r\n\t\n"),
        ("{% verbatim %}\r\n{{ x }}\n{% endverbatim %}\r\n", "\r\n{{ x }}\n\r\n"),
    ],
    "aggregates": [
        (
            '{% sum_by erp.t by "v" %} {% avg_by erp.t by "v" scale 2 %} {% max_by erp.t by "v" if on == true %}',
            "12.75 6.38 10.5",
        ),
        (
            '{% count_by erp.t if not on %}{% count_by erp.t if name in ["Ana"] %}{% count_by erp.t if contains(name,"a")%}',
            "211",
        ),
        ("{% count_by erp.t if (id == 1 || id == 3) && !on %}{% count_by erp.t if name|length > 2 %}", "11"),
        ('{% sum_by erp.none by "v" scale 2 %} {% avg_by erp.none by "v" %} {% sum_by nope by "v" %}', "0.00 0 0"),
        ('{% sum_by [{"a":"1.5"},{"a":"x"},{"a":true},{"a":null},{}] by "a" %}', "1.5"),
        ('{% sum_by (erp.t|where:"name:Ana") by "v" %}{% sum_by erp.t[0:2] by "id" %}', "10.53"),
        ("{% set id=99 %}{% set z=2 %}{% count_by erp.t if id == 99 %}{% count_by erp.t if id >= z %}", "02"),
        (
            "{% for r in erp.t %}{% count_by erp.t if id <= r.id %}{% count_by erp.t if id < forloop.Counter %}{% endfor %}",
            "102132",
        ),
    ],
    "calc": [
        (
            "{% calc -2 ** 2 %} {% calc --2 %} {% calc 2 * -3 %} {% calc 2/3 %} {% calc 10.50 %} {% calc -0.0 %}",
            "4 2 -6 0.6666666667 10.5 0",
        ),
        (
            '{% calc "1.5" + 1 %} {% calc erp.t.2.v + nope.x %} {% calc 1/3*3 %} {% calc 1.00000000005 %}',
            "2.5 0 1 1.0000000001",
        ),
    ],
    "counters": [('{% counter "a" "b" %}{% counter "a" %}{% counter_show "a" "b" %}{% counter_show "zz" %}', "30")],
    "dates": [
        (
            '{% date_time "02/01/2006 15:04" %} {% date_time "dd/MM/YYYY HH:mm" %} {% date_time "d/m/Y H:i" %}',
            "02/01/2026 00:04 02/01/2026 00:04 02/01/2026 00:04",
        ),
    ],
}


@pytest.mark.parametrize(("template", "expected"), [case for cases in RULES.values() for case in cases])
def test_a_template_means_what_the_rules_say(template: str, expected: str) -> None:
    assert rendered(template) == expected


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("\n{{ [1].x }}", "a list has no field x"),
        ("\n{{ 'a'.x }}", "the text 'a' has no field x"),
        ("\n{{ 'a'[0] }}", "the text 'a' has no element 0"),
        ("\n{{ erp.t.name }}", "a list has no field name"),
        ("\n{{ 1/0 }}", "division by zero"),
        ("\n{{ '5' + 3 }}", r"\+ needs numbers, not the text '5'"),
        ("\n{{ '%s' % 3 }}", "% needs numbers, not the text '%s'"),
        ("\n{{ '5' < 6 }}", "have no order"),
        ("\n{{ 5 is divisibleby 0 }}", "division by zero"),
        ("\n{{ 'a' is odd }}", "odd needs numbers, not the text 'a'"),
        ("\n{{ 1 is lt 'a' }}", "have no order"),
        ("\n{{ true + 1 }}", "needs numbers, not a boolean"),
        ("\n{{ 10**101 }}", "more than 100 digits"),
        ("\n{{ 9**9**9**9 }}", "an exponent is beyond 1000"),
        ("\n{{ 2^3 }}", "means nothing here"),
        ("{% macro m() %}{% endmacro %}\n{{ m }}", "no data"),
        ("{% for x in [1] %}\n{{ [loop] }}{% endfor %}", "no data"),
        ("\n{% now 'Y' %}", "there is no tag now$"),
        ("{% if 1 %}\n{% endfor %}", "endfor does not fit here: if of line 1 is open"),
    ],
)
def test_what_a_template_must_not_do_is_told_with_its_line(template: str, message: str) -> None:
    with pytest.raises(ReportFailure, match=message) as failure:
        rendered(template)
    assert (failure.value.code, failure.value.line) == ("TEMPLATE_ERROR", 2)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("\n{% macro m(a, a) %}{% endmacro %}", "two arguments called a"),
        ("{% macro m(a) %}{% endmacro %}\n{{ m(a=1, a=2) }}", "takes no argument a here"),
        ("{% macro m(a) %}{% endmacro %}\n{{ m(1, a=2) }}", "takes no argument a here"),
        ("{% macro m(a) %}{% endmacro %}\n{{ m(b=2) }}", "takes no argument b here"),
        ("{% macro m(a) %}{% endmacro %}\n{{ m(1, 2) }}", "takes at most 1 arguments"),
        ("{% macro m(a) %}\n{{ m(1, 2) }}{% endmacro %}", "takes at most 1 arguments"),
        ("\n{% for loop in [1] %}{% endfor %}", "must not be called loop"),
        ("\n{% for a, loop in [[1, 2]] %}{% endfor %}", "must not be called loop"),
        ("\n{% for x in [1] if loop.first %}{% endfor %}", "before it is known"),
        ("\n{{ loop.index }}", "no (variable|data source) loop"),
        ("{% for x in [1] %}{% endfor %}\n{{ forloop.counter }}", "no (variable|data source) loop"),
        ("\n{{ range() }}", "range takes 1 to 3 arguments"),
        ("\n{{ range(1, 2, 3, 4) }}", "range takes 1 to 3 arguments"),
        ("\n{{ 1 is divisibleby }}", "divisibleby takes 1 argument"),
        ("\n{{ 1 is odd(2) }}", "odd takes no arguments"),
    ],
)
def test_what_cannot_render_is_refused_at_upload(template: str, message: str) -> None:
    with pytest.raises(TemplateProblems, match=message) as error:
        check(template, "TXT", {})
    assert error.value.problems[0].line == 2


@pytest.mark.parametrize(
    ("output_format", "template", "expected"),
    [
        ("HTML", "<p {{ v }}>", "<p &lt;/a&gt;&lt;b&#32;x&#61;&quot;1&quot;&#32;y&#61;&#39;2&#39;&gt;&amp;&#13;&#10;&#9;>"),
        ("HTML", "{{ 'x'|e|e }}{{ '<'|e|e }}{{ '<'|safe }}{{ '<'|safe|upper }}", "x&lt;<&lt;"),
        ("HTML", "{% set x %}<b>{{ '<' }}</b>{% endset %}{{ x }}", "<b>&lt;</b>"),
        (
            "HTML",
            "{% autoescape off %}{{ '<' }}{{ '<'|e }}{% autoescape on %}{{ '<' }}{% endautoescape %}{% endautoescape %}",
            "<&lt;&lt;",
        ),
        ("HTML", '{% macro m(v) %}<i t="{{ v }}">{{ v }}</i>{% endmacro %}{{ m("\n<") }}', '<i t="&#10;&lt;">\n&lt;</i>'),
        ("HTML", '<p {% if 1 %}a="{{ "\n" }}"{% endif %} b={{ " " }}>{{ "\n" }}', '<p a="&#10;" b=&#32;>\n'),
        ("XML", "<a><![CDATA[{{ ']]>' }}]]>{{ ']]>' }}</a>", "<a><![CDATA[]]]]><![CDATA[>]]>]]&gt;</a>"),
        ("JSON", '{"a\\"": {{ null }}, "b": "{{ true }}", "c": {{ true }}}', '{"a\\"": null, "b": "true", "c": true}'),
        ("JSON", '{"a": {{ v|tojson }}}', '{"a": "</a><b x=\\"1\\" y=\'2\'>&\\r\\n\\t"}'),
        ("CSV", 'a;b\n{{ "x;y" }};"{{ "=1" }}";{{ -1.50 }};{{ "-1-1" }}', 'a;b\n"x;y";"\'=1";-1.50;\'-1-1'),
        ("CSV", '{# ,,,, #}a;b\n{{ "x;y" }};{{ "x,y" }}', 'a;b\n"x;y";x,y'),
    ],
)
def test_a_value_is_escaped_by_where_it_stands(output_format: str, template: str, expected: str) -> None:
    assert rendered(template, output_format, {"v": MARKUP}) == expected


def test_conditions_that_cannot_be_evaluated_warn_once_a_line() -> None:
    rows = [{"name": f"n{number}"} for number in range(100)]
    warnings = render(
        "{% count_by erp.t if name > 5 %}\n{% count_by erp.t if name > 5 %}", "TXT", {"erp": {"t": rows}}, len, now=NOW
    )
    assert [warning[:6] for warning in warnings] == ["line 1", "line 2"]


def test_large_values_are_written_one_by_one_and_empty_ones_do_not_pile_up() -> None:
    """However large what a template prints is, only so much of it is held at once."""
    written: list[int] = []

    def write(text: str) -> None:
        written.append(len(text))

    large = CHARACTERS_PER_WRITE * 3
    render("{% for i in range(9) %}{{ v }}{% endfor %}", "TXT", {"v": "x" * large}, write, now=NOW)
    assert written[:9] == [large] * 9
    written.clear()
    render("{% for i in range(99999) %}{{ v }}{% endfor %}", "TXT", {}, write, now=NOW)
    assert len(written) > 1
