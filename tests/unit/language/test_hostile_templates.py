"""Templates that want more than data, or all there is of a machine: refused at upload, in no time and little memory.

Those that cannot be told at upload are in ``tests/unit/renderer/test_hostile_templates.py``.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reporter.errors import TemplateProblems
from reporter.language.check import check

from tests.unit.language.measured import SCHEMAS

MOST_SECONDS, MOST_MEGABYTES = 4, 200
"""Of processor time and memory, for templates of up to 4 MB; a small one takes a few milliseconds."""

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ self._TemplateReference__context.environment }}",
    '{{ "{0.__class__.__init__.__globals__}".format(cycler) }}',
    '{{ ("{0.__class__}"|attr("format"))(42) }}',
    '{% set f=(["{0.__class__}"]|map("attr","format")|list)[0] %}{{ f(42) }}',
    '{{ ("{0.__class__}"|safe).format(42) }}',
    '{{ ("{0.__class__}"|e).format(42) }}',
    '{% from "a" import missing %}',
    "{{ ['a']|groupby('__class__') }}",
    "{{ ['a']|sort(attribute='__class__') }}",
    "{{ ['a']|map(attribute='__class__') }}",
    "{{ (range(1)|map('int')).gi_frame }}",
    "{{ contains.__code__ }}",
    "{{ contains.__self__ }}",
    "{{ erp.t.0.name.upper() }}",
    "{{ erp.t.append(1) }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as o %}",
    "{% extends '../../x' %}",
    "{% do erp.t.append(1) %}",
    *["{{ " + name + " }}" for name in ("config", "request", "event", "context", "environ", "self", "caller", "varargs")],
    *["{{ " + name + "() }}" for name in ("super", "caller", "namespace", "dict", "lipsum", "joiner", "cycler", "open")],
    *["{{ " + name + " }}" for name in ("environment", "resolve", "missing", "r_functions", "undefined", "__builtins__")],
    "{{ lipsum(n=100000,max=10000,min=9999) }}",
    "{% set ns = namespace(x=1) %}",
    "{% set ns.x = 1 %}",
    "{{ range(*erp.t) }}",
    "{{ range(**{'a': 1}) }}",
    "{{ 'a'|center(*[1]) }}",
    "{% for x in erp.t recursive %}{{ loop(x) }}{% endfor %}",
    "{% for x in erp.t %}{{ loop.changed(1) }}{{ loop._iterator }}{% endfor %}",
    "{% for x in erp.t %}{{ loop['__class__'] }}{% endfor %}",
    "{% for x in erp.t %}{{ forloop.parent }}{% endfor %}",
    "{{ erp.t.0['__class__'] }}",
    "{{ erp.t.0.__class__ }}",
    "{{ ().__class__ }}",
    "{{ (1).__class__ }}",
    "{% set x = erp.t.__init__ %}",
    "{% with a = ''.__class__ %}{% endwith %}",
    "{% if ''.__class__ %}{% endif %}",
    "{% count_by erp.t if ''.__class__ %}",
    "{% calc ''.__class__ %}",
    "{% macro range() %}{% endmacro %}",
    "{% macro m() %}{{ caller() }}{% endmacro %}",
    "{% call x() %}{% endcall %}",
    "{% block a %}{% endblock %}",
    "{% trans %}x{% endtrans %}",
    "{% filter attr('x') %}{% endfilter %}",
    "{% set x | attr('y') %}{% endset %}",
    "{{ 1 is callable }}",
    "{{ 1 is filter }}",
    "{{ 1 if 2 is sameas 2 else 3 }}",
    "{{ erp.t|xmlattr }}",
    "{{ erp.t|pprint }}",
    "{{ 'a'|format(1) }}",
    "{{ 'a'|nosuch }}",
    '{{ "a"|regex_replace("(a+)+$", "") }}',
    "{{ 'x' is match('(a+)+$') }}",
]

TOO_MUCH = {
    "brackets": "{{ " + "(" * 100 + "1" + ")" * 100 + " }}",
    "lists in lists": "{{ " + "[" * 5000 + "]" * 5000 + " }}",
    "objects in objects": "{{ " + '{"a":' * 5000 + "1" + "}" * 5000 + " }}",
    "minus signs": "{{ " + "-" * 5000 + "1 }}",
    "not": "{{ " + "not " * 5000 + "1 }}",
    "exclamation marks": "{{ " + "!" * 5000 + "1 }}",
    "a sum": "{{ " + "+".join(["1"] * 5000) + " }}",
    "powers": "{{ " + "**".join(["1"] * 5000) + " }}",
    "powers in calc": "{% calc " + "**".join(["1"] * 5000) + " %}",
    "signs in calc": "{% calc " + "-" * 5000 + "1 %}",
    "brackets in calc": "{% calc " + "(" * 5000 + "1" + ")" * 5000 + " %}",
    "conditions": "{{ " + "1 if 1 else " * 5000 + "1 }}",
    "a path": "{{ erp.t.0" + ".a" * 5000 + " }}",
    "filters": "{{ 1" + "|upper" * 5000 + " }}",
    "ands": "{{ " + "1 and " * 5000 + "1 }}",
    "ifs": "{% if 1 %}" * 200 + "{% endif %}" * 200,
    "fors": "{% for a in erp.t %}" * 30 + "{% endfor %}" * 30,
    "withs": "{% with a=1 %}" * 5000 + "{% endwith %}" * 5000,
    "macros": "".join(f"{{% macro m{number}() %}}" for number in range(200)) + "{% endmacro %}" * 200,
    "elifs without end": "{% if 1 %}" + "{% elif 1 %}" * 50_000,
    "digits": "{{ " + "9" * 5000 + " }}",
    "digits after the point": "{{ 1." + "9" * 5000 + " }}",
    "an exponent": "{{ 1e" + "9" * 200 + " }}",
    "an exponent that no decimal holds": "{{ 0E1000000000000000000 }}",
    "a million values": "{{ a }}" * 1_000_000,
    "ten megabytes in one expression": "{{ " + "1+" * 5_000_000 + "1 }}",
    "ten megabytes of names": "{{ " + "a " * 5_000_000 + " }}",
    "a comment without end": "{#" + " x" * 1_000_000,
    "a comment tag without end": "{% comment %}" * 100_000,
    "a verbatim without end": "{% verbatim %}" * 100_000,
    "openings": "{{" * 1_000_000,
    "tags": "{%" * 1_000_000,
    "a text without end": "{{ '" + "a" * 2_000_000,
    "backslashes": "{{ '" + "\\" * 2_000_001 + "' }}",
    "blanks in a tag": "{%" + " " * 2_000_000 + "nosuch %}",
    "a tag without end": "{% if" + " " * 2_000_000,
    "nothing": "{{",
    "an empty loop": "{% for %}",
    "no name": "{% set = 1 %}",
    "two ends": "{% endfor %}{% endif %}",
    "script, again and again": "<script>" * 200_000,
    "only blanks": " \n" * 1_000_000,
}

HARMLESS = {
    "a text as long as can be": "{{ '" + "a" * 3_900_000 + "' }}",
    "text alone": "lorem ipsum\n" * 330_000,
    "braces": "{ " * 2_000_000,
    "carriage returns": "a\r\r\n" * 1_000_000,
    "comments": "{# #}" * 20_000,
    "tags of HTML": "<svg>" * 800_000,
    "tags without end": "<a " * 1_300_000,
    "declarations": "<![" * 1_300_000,
    "a list": "{{ [" + "1," * 45_000 + "] }}",
    "an object": "{{ {" + '"a":1,' * 20_000 + "} }}",
    "a chain of comparisons": "{{ " + "1 < " * 45_000 + "1 }}",
    "texts joined": "{{ " + "'a' ~ " * 45_000 + "1 }}",
    "variables": "".join(f"{{% set v{number} = 1 %}}" for number in range(12_000)),
    "loops one after another": "{% for r in erp.t %}{{ r.id }}{% endfor %}" * 4_000,
    "macros": "".join(f"{{% macro m{n}(a) %}}{{{{ a.0.id }}}}{{% endmacro %}}{{{{ m{n}(erp.t) }}}}" for n in range(2_000)),
    "a macro called with ever other things": "{% macro m(a) %}{{ a }}{% endmacro %}" + "{{ m(erp.t.0.id) }}" * 8_000,
}

NEVER_COMPUTED = [
    '{% if false %}{{ "a"*600000000 }}{% endif %}',
    '{% if false %}{{ "a"|center(500000000) }}{% endif %}',
    "{% if false %}{{ (9**9)**999999 }}{% endif %}",
    "{{ 10**5000 }}",
    "{{ 9**9**9**9**9 }}",
    "{{ range(10**12)|list }}",
    '{{ "a"|ljust:999999999|replace:"a:aaaaaaaaaa" }}',
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro a(b) %}{{ a(b) }}{{ a([b]) }}{% endmacro %}{{ a(erp.t) }}",
]


class Checks:
    """A process that checks templates in children of its own."""

    def __init__(self) -> None:
        path = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("measured.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": path},
        )

    def __call__(self, text: str, output_format: str = "TXT") -> list[Any]:
        """The problems, after a look at what it took to find them."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([text, output_format]) + "\n")
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline())
        assert "died" not in found, found
        assert found["seconds"] < MOST_SECONDS
        assert found["megabytes"] < MOST_MEGABYTES
        problems: list[Any] = found["problems"]
        return problems

    def close(self) -> None:
        """No more."""
        self._process.communicate(timeout=10)


@pytest.fixture(scope="module")
def checked() -> Iterator[Checks]:
    made = Checks()
    yield made
    made.close()


@pytest.mark.parametrize("text", ESCAPES, ids=lambda text: text[:60])
def test_an_escape_is_refused_with_its_place(checked: Checks, text: str) -> None:
    for output_format in ("TXT", "HTML"):
        problems = checked("\n" + text, output_format)
        assert problems, "accepted"
        code, line, column, message = problems[0]
        assert (code[:4], line) == ("TPL-", 2)
        assert column >= 1
        assert message


@pytest.mark.parametrize("name", TOO_MUCH)
def test_too_much_is_refused_before_it_costs_anything(checked: Checks, name: str) -> None:
    problems = checked(TOO_MUCH[name], "HTML")
    assert problems
    assert len(problems) <= 400
    assert all(line >= 1 and column >= 1 and len(message) < 500 for _code, line, column, message in problems)


@pytest.mark.parametrize("name", HARMLESS)
def test_large_templates_are_read_in_one_pass(checked: Checks, name: str) -> None:
    assert checked(HARMLESS[name], "HTML") == []


@pytest.mark.parametrize("text", NEVER_COMPUTED)
def test_checking_never_computes(checked: Checks, text: str) -> None:
    assert checked(text) == []


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
