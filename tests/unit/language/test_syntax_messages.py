"""What an author is told of a template that does not parse: the place, the piece, and what to do about it."""

import time

import pytest
from reporter.errors import TemplateProblem, TemplateProblems
from reporter.language.check import check
from reporter.schema import SourceSchema

SCHEMAS = {"bank": SourceSchema("bank", {"accounts": {"id": "integer", "balance": "numeric"}})}


def problem(template: str) -> TemplateProblem:
    with pytest.raises(TemplateProblems) as error:
        check(template, "TXT", SCHEMAS)
    assert error.value.code in {"TPL-0007", "TPL-0014", "TPL-0030", "TPL-0031"}
    return error.value.problems[0]


@pytest.mark.parametrize(
    ("template", "place", "text", "message"),
    [
        ("a\n {{ 1", (2, 5), "1", "the end of the value (}}) is expected here, not the end of the template"),
        ("{{ 1 2 }}", (1, 6), "2", "the end of the value (}}) is expected here, not '2'"),
        ("{{ 1 }", (1, 6), "}", "} closes nothing here"),
        ("{{ 1|round(1 }}", (1, 14), "}", "} closes nothing here"),
        ("{{ }}", (1, 4), "}}", "a value is missing before the end of the value (}})"),
        ("{% if %}x{% endif %}", (1, 7), "%}", "a value is missing before the end of the tag (%})"),
        ("{% for a in %}{% endfor %}", (1, 13), "%}", "a value is missing before the end of the tag (%})"),
        ("{% for a bank.accounts %}", (1, 10), "bank", "'in' is expected here, not 'bank'"),
        ("{% if 1 = 2 %}", (1, 9), "=", "the end of the tag (%}) is expected here, not '='; to compare, write =="),
        ("x\n{% for a in bank.accounts %}\n{% if 1 %}\n", (3, 4), "if", "if is not closed: endif is missing"),
        ("x\n{% for a in bank.accounts %}\n", (2, 4), "for", "for is not closed: endfor is missing"),
        ("{% set a %}x", (1, 4), "set", "set is not closed: endset is missing"),
        ("\n{% endfor %}", (2, 4), "endfor", "endfor belongs to no tag: none is open here"),
        (
            "{% if 1 %}\n{% endfor %}",
            (2, 4),
            "endfor",
            "endfor does not fit here: if of line 1 is open, which takes elif, else or endif",
        ),
        ("{% sum_bi bank.accounts %}", (1, 4), "sum_bi", "there is no tag sum_bi; is sum_by meant?"),
        ("{{ 1|uper }}", (1, 6), "uper", "there is no filter uper; is upper meant?"),
        ("{{ contain(1, 2) }}", (1, 4), "contain", "there is no function contain; is contains meant?"),
        ("{{ 'abc }}\n", (1, 4), "'", "a text in quotes is not closed"),
        ("{{ “a” }}", (1, 4), "“", "“ is no quotation mark for a template: write \" or '"),
        ("a\n{{ 1 ? 2 }}", (2, 6), "?", "the character ? means nothing here"),
        ("a\n {# b", (2, 2), "{#", "{# is not closed"),
        ("a\n{% comment %} b", (2, 1), "{% comment %}", "{% comment %} is not closed"),
        ("{% verbatim %}{{", (1, 1), "{% verbatim %}", "{% verbatim %} is not closed"),
        ("{{ bank.accounts.0. }}", (1, 21), "}}", "the name of a field, or a number, is expected after the dot"),
        ("{{ bank.accounts.0.balanse }}", (1, 19), "balanse", "bank.accounts has no field balanse; is balance meant?"),
        ("{{ bank.acounts.0.id }}", (1, 8), "bank.acounts", "data source bank has no table acounts; is accounts meant?"),
        ("{{ bnk.accounts.0.id }}", (1, 4), "bnk", "there is no data source bnk; is bank meant?"),
        ("{% set total = 1 %}{{ totl }}", (1, 23), "totl", "there is no variable totl; is total meant?"),
    ],
)
def test_a_problem_has_its_place_its_piece_and_plain_words(
    template: str, place: tuple[int, int], text: str, message: str
) -> None:
    found = problem(template)
    assert ((found.line, found.column), found.text, found.message) == (place, text, message)


def test_guessing_at_a_name_costs_nothing() -> None:
    started = time.monotonic()
    problem("{{ " + "a" * 1_000_000 + " }}")
    assert time.monotonic() - started < 5
