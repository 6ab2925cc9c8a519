"""Templates that want more than data: refused at upload, in no time, with a line and a column."""

import time
from typing import Any

import pytest
from reporter.errors import TemplateProblems
from reporter.language.check import check
from reporter.schema import SourceSchema

SCHEMAS = {"erp": SourceSchema("erp", {"public.t": {"id": "integer", "name": "text"}}, ("public",))}

REFUSED = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ self._TemplateReference__context.environment }}",
    '{{ "{0.__class__.__init__.__globals__}".format(cycler) }}',
    '{{ ("{0.__class__}"|attr("format"))(42) }}',
    '{% set f=(["{0.__class__}"]|map("attr","format")|list)[0] %}{{ f(42) }}',
    '{{ ("{0.__class__}"|safe).format(42) }}',
    '{% from "a" import missing %}',
    "{{ ['a']|groupby('__class__') }}",
    "{{ ['a']|map(attribute='__class__') }}",
    "{{ (range(1)|map('int')).gi_frame }}",
    "{{ contains.__code__ }}",
    "{{ erp.t.0.name.upper() }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as o %}",
    "{% extends '../../x' %}",
    "{% do erp.t.append(1) %}",
    "{{ config }}",
    "{{ request }}",
    "{{ environ }}",
    "{{ lipsum(n=100000) }}",
    "{% set ns = namespace(x=1) %}",
    "{{ joiner(',') }}",
    "{{ range(*erp.t) }}",
    "{% for x in erp.t recursive %}{{ loop(x) }}{% endfor %}",
    "{{ loop.changed(1) }}",
    "{{ 'x'|center(10)|nosuch }}",
    "{{ 1 if 2 is filter else 3 }}",
    "{% block a %}{% endblock %}",
    "{% call x() %}{% endcall %}",
    "{% trans %}x{% endtrans %}",
    "{{ " + "(" * 100 + "1" + ")" * 100 + " }}",
    "{{ " + "-" * 5000 + "1 }}",
    "{{ " + "not " * 5000 + "1 }}",
    "{{ " + "+".join(["1"] * 5000) + " }}",
    "{% if 1 %}" * 200 + "{% endif %}" * 200,
    "{% for a in erp.t %}" * 30 + "{% endfor %}" * 30,
    "{{ " + "9" * 5000 + " }}",
    "{{ a }}" * 100_000,
    "{{",
    "{% for %}",
    "{% set = 1 %}",
]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:40])
def test_it_is_refused_at_once_with_its_place(text: str) -> None:
    started = time.process_time()
    with pytest.raises(TemplateProblems) as error:
        check(text, "TXT", SCHEMAS)
    assert time.process_time() - started < 5
    problem = error.value.problems[0]
    assert problem.line >= 1
    assert problem.column >= 1
    assert problem.message


BOMBS = [
    '{% if false %}{{ "a"*600000000 }}{% endif %}',
    '{% if false %}{{ "a"|center(500000000) }}{% endif %}',
    "{% if false %}{{ (9**9)**999999 }}{% endif %}",
    "{{ 10**5000 }}",
]


@pytest.mark.parametrize("text", BOMBS)
def test_checking_never_computes(text: str) -> None:
    started = time.process_time()
    check(text, "TXT", SCHEMAS)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("text", "line", "column", "shown"),
    [
        ("a\n{{ erp.t.0.nope }}", 2, 12, "nope"),
        ("a\n\n  {% nosuch %}", 3, 6, "nosuch"),
        ("{{ erp.gone.0.x }}", 1, 7, "erp.gone"),
        ("{# one #}{{ two }}", 1, 13, "two"),
    ],
)
def test_a_problem_names_its_place(text: str, line: int, column: int, shown: str) -> None:
    with pytest.raises(TemplateProblems) as error:
        check(text, "TXT", SCHEMAS)
    problem: Any = error.value.problems[0]
    assert (problem.line, problem.text) == (line, shown)
    assert abs(problem.column - column) <= 1


def test_every_problem_of_names_is_told_at_once() -> None:
    with pytest.raises(TemplateProblems) as error:
        check("{{ erp.t.0.a }}{{ erp.t.0.b }}\n{{ lake.x.0.c }}", "TXT", SCHEMAS)
    assert [(problem.code, problem.line) for problem in error.value.problems] == [
        ("TPL-0014", 1),
        ("TPL-0014", 1),
        ("TPL-0031", 2),
    ]
