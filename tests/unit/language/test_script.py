"""Script in HTML and PDF templates: what a browser would run is refused with its place, what only looks so is not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporter.errors import TemplateProblem, TemplateProblems
from reporter.language.check import check
from reporter.language.markup import MAX_ATTRIBUTES, tags_in
from reporter.schema import SourceSchema

SCHEMAS = {"erp": SourceSchema("erp", {"t": {"id": "integer", "on_hold": "integer"}})}


def problems(text: str) -> list[TemplateProblem]:
    try:
        check(text, "HTML", SCHEMAS)
    except TemplateProblems as error:
        return list(error.problems)
    return []


RUNS = [
    "<script>alert(1)</script>",
    "<SCRIPT/x>",
    "<scr{# #}ipt>alert(1)</scr{# #}ipt>",
    "<scr{% comment %} {% endcomment %}ipt>",
    '<p {% if 0 %}a="{% endif %}><script>alert(1)</script><p b="">',
    "<svg/onload=alert(1)>",
    "<img src=x onerror=alert(1)//>",
    '<p title="a>b" onclick=x>',
    "<a b='x' on{# #}click=y>",
    '<a/href="javascript:x">',
    '<a href="java&#115;cript:x">',
    '<a href=" java\nscript:x">',
    '<a href="\x01javascript:x">',
    '<a href="&Tab;javascript:x">',
    '<a href="jav{# #}ascript:x">',
    '<a href="x" href="javascript:y">',
    '<a href="vbscript:{{ erp.t.0.id }}">',
    "<FORM ACTION=JAVASCRIPT:x>",
    '<math><a xlink:href="javascript:x">',
    "<set attributeName=href to=javascript:x>",
    '<animate attributename="xlink:href" values="javascript:x">',
    "<meta http-equiv=refresh content='0;url=/'>",
    "<iframe src=x>",
    "<base href=//x>",
    "<![x]><script>",
    "<?x><script>",
    "</ x><script>",
    "<!--><script>",
    "<!---><script>-->",
    "<!-- --!><script>-->",
    "<style><!--</style><script>alert(1)</script>-->",
    "<title><a b='</title><script>alert(1)</script>'>",
    '<noscript><p title="</noscript><script>x</script>">',
    "<svg><style><script>x</script></style></svg>",
    "<template><script>x</script></template>",
    "<p " + "a " * (MAX_ATTRIBUTES + 1) + ">",
]


@pytest.mark.parametrize("text", RUNS, ids=lambda text: text[:50])
def test_what_would_run_is_refused(text: str) -> None:
    found = problems(text)
    assert {problem.code for problem in found} == {"TPL-0032"}


@pytest.mark.parametrize(
    "text",
    [
        "<p>{% if erp.t.0.on_hold == 1 %}onclick=x{% endif %}</p>",
        "<p>a < b onclick=x > c</p>",
        "<!-- <script> <p onclick=x> -->",
        '<p title="<script>" class=on>on</p>',
        "<p data-on='x' conclusion=y>",
        "<a href='https://x/javascript:'>javascript:</a>",
        "<img src=data:image/png;base64,AAAA>",
        "<p onclick=x",
        "{# <script> #}<p>",
        "<set attributeName=fill to=red>",
    ],
)
def test_what_only_looks_so_is_not(text: str) -> None:
    assert problems(text) == []


def test_the_place_is_the_tag_s() -> None:
    text = "<p>\n{{ erp.t.0.id }}  <b\nonclick=x>{% if 1 %}\n\n <script>{% endif %}"
    assert [(p.line, p.column, p.text[:8]) for p in problems(text)] == [(2, 19, "<b\noncli"), (5, 2, "<script>")]


def test_an_answer_to_many_mistakes_stays_small() -> None:
    assert 50 <= len(problems("<script></script>" * 10_000)) <= 200


UNITS = [
    "<a ",
    "<a/",
    "<a b=",
    "<a b='",
    '<a b="',
    "<!",
    "<!--",
    "<![",
    "<?",
    "</",
    "</a ",
    "<title>",
    "<svg>",
    "<a\n",
    "&#",
    "<script>",
]


@pytest.mark.parametrize("unit", UNITS)
def test_a_megabyte_of_tags_without_end_is_read_in_one_pass(unit: str) -> None:
    started = time.process_time()
    problems(unit * (1_000_000 // len(unit)))
    assert time.process_time() - started < 4


_BITS = st.sampled_from(["<", ">", "/", "=", '"', "'", "a", "!--", "-->", "!", "?", " ", "\n", "title", "</title>", "b=c"])


@given(st.lists(_BITS, max_size=30).map("".join), st.booleans())
def test_tags_follow_one_another_and_hold_their_attributes(text: str, raw_text: bool) -> None:
    end = 0
    for tag in tags_in(text, raw_text=raw_text):
        assert end <= tag.start < tag.end <= len(text)
        assert text[tag.start + 1 : tag.end].lower().startswith(tag.name)
        assert text[tag.end - 1] == ">"
        inside = text[tag.start : tag.end].lower()
        assert all(name in inside and value.lower() in inside for name, value in tag.attributes)
        end = tag.end
