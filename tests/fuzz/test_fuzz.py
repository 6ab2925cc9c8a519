"""Input by chance for whatever parses what strangers send: templates, filters, JSON, forms.

Each test runs for ``FUZZ_SECONDS`` (a few by default, minutes in ``make soak``) and prints the seeds of its rounds; a
failure names the seed to run again with, as ``FUZZ_SEED``.
"""

import json
import os
import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from jinja2.exceptions import TemplateSyntaxError
from reporter.aws.multipart import parse_form
from reporter.conditions import matches
from reporter.errors import ReporterError, ReportFailure, RequestError
from reporter.exact_json import canonical_hash, parse_json, write_json
from reporter.language import render as rendering
from reporter.language.check import CheckedTemplate, check
from reporter.language.numbers import TemplateValueError
from reporter.row_filters import COUNTS, check_operators, resolve
from reporter.sources.postgresql_query import columns_of, copy

from tests.fuzz.data import data_for, spooled
from tests.fuzz.templates import SCHEMAS, damaged, templates
from tests.world import form

SECONDS = float(os.environ.get("FUZZ_SECONDS", "5"))
EXAMPLES_A_ROUND = 50
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
pytestmark = pytest.mark.timeout(SECONDS + 120)


def for_a_while(strategy: st.SearchStrategy[Any], holds: Callable[[Any], None]) -> None:
    """Rounds of examples until the time is over."""
    given_seed = os.environ.get("FUZZ_SEED")
    deadline = time.monotonic() + SECONDS
    seeds: list[int] = []
    rounds = settings(max_examples=EXAMPLES_A_ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    while not seeds or (time.monotonic() < deadline and given_seed is None):
        seeds.append(random.SystemRandom().randrange(2**32) if given_seed is None else int(given_seed))
        try:
            seed(seeds[-1])(rounds(given(strategy)(holds)))()
        except BaseException:
            print(f"\nFUZZ_SEED={seeds[-1]}")
            raise
    print(f"\n{holds.__name__}: {len(seeds)} rounds of {EXAMPLES_A_ROUND}, seeds {seeds[0]} to {seeds[-1]}")


def outcome(call: Callable[[], Any]) -> Any:
    """What the call gives, or the error of ours that it raises; any other error ends the test."""
    try:
        return call()
    except ReporterError as error:
        return error


def checked(text: str, output_format: str = "TXT") -> CheckedTemplate | None:
    """None where the template is refused, each problem with its place."""
    found = outcome(lambda: check(text, output_format, SCHEMAS))
    if isinstance(found, CheckedTemplate):
        return found
    for problem in found.problems:
        assert problem.message
        assert problem.column >= 1
        assert 1 <= problem.line <= text.count("\n") + text.count("\r") + 1
    return None


def shown(text: str, output_format: str, data: Mapping[str, Any]) -> tuple[Any, ...]:
    pieces: list[str] = []
    found = outcome(lambda: rendering.render(text, output_format, data, pieces.append, now=NOW))
    if not isinstance(found, ReportFailure):
        return "".join(pieces), found
    # Told in the template's words, with its line, and never what the check should have found.
    assert not isinstance(found.__context__, TemplateSyntaxError | SyntaxError), found.message
    assert found.code == "TEMPLATE_RECURSION" or isinstance(found.__cause__, TemplateValueError), found.__cause__
    assert found.line is not None
    return found.code, found.message, found.line


FORMATS = st.sampled_from(["TXT", "CSV", "HTML", "XML", "JSON"])


def test_a_template_needs_nothing_but_what_its_check_found() -> None:
    """The document, or the error, is the same over whole spooled tables, printed by columns; over the columns that the
    check found, and no others; and without any shortcut for loops over rows or joins.
    """
    tables = spooled()

    def the_document_is_the_same(example: tuple[str, str]) -> None:
        text, output_format = example
        found = checked(text, output_format)
        if found is None:
            return
        made = shown(text, output_format, data_for(found, tables))
        assert made == shown(text, output_format, data_for(found))
        with mock.patch.multiple(rendering, mark_row_loops=mock.DEFAULT, mark_joins=mock.DEFAULT):
            assert made == shown(text, output_format, data_for(found))

    for_a_while(st.tuples(templates, FORMATS), the_document_is_the_same)


def test_a_damaged_template_is_refused_with_its_place_or_renders() -> None:
    def it_is_refused_or_renders(example: tuple[str, str]) -> None:
        text, output_format = example
        found = checked(text, output_format)
        if found is not None:
            shown(text, output_format, data_for(found))

    for_a_while(st.tuples(damaged(), FORMATS), it_is_refused_or_renders)


_NAMES = st.sampled_from(
    ["erp", "t", "public.t", "sales__o", "u", "id", "v", "on", "meta", "meta.a", "at", "", "a.b", "\x00"]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text(max_size=8)
    | st.sampled_from(
        ["2024-01-02", "2024-02-30", "2024-01-01T10:00:00Z", "9999-12-31", "0001-01-01T00:00:00+23:59", "1e5"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=5,
)
_OPERATORS = st.dictionaries(st.sampled_from([*COUNTS, "like", ""]), st.lists(_VALUES, max_size=3) | _VALUES, max_size=3)
_FILTERS = st.dictionaries(
    st.sampled_from(["erp", "erp", "erp", "lake"]),
    st.dictionaries(
        st.sampled_from(["t", "public.t", "sales__o", "u", "gone"]) | _NAMES,
        st.dictionaries(
            st.sampled_from(["id", "name", "v", "on", "at", "meta.a"]) | _NAMES, _OPERATORS | _VALUES, max_size=2
        ),
        max_size=2,
    ),
    max_size=2,
)


_MOMENTS = st.sampled_from(["2024-01-02", "2024-02-30", "2024-01-01T10:00:00Z", "9999-12-31", "0001-01-01T00:00:00+23:59"])
_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.decimals(allow_nan=False, allow_infinity=False)
)
_FITTING: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("t", "id"): st.integers() | st.none(),
    ("public.t", "name"): st.text(max_size=5),
    ("t", "v"): st.decimals(allow_nan=False, allow_infinity=False) | st.integers().map(str),
    ("public__t", "on"): st.booleans(),
    ("t", "meta.a"): _SCALARS,
    ("u", "at"): _MOMENTS,
    ("sales.o", "kind"): st.text(max_size=5) | st.just("%_'"),
}


_LITERAL = re.compile(r"""\bE'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'""", re.S)


@st.composite
def _fitting(draw: Any) -> Any:
    (table, field), values = draw(st.sampled_from(list(_FITTING.items())))
    operator = draw(st.sampled_from(list(COUNTS)))
    least, most = COUNTS[operator]
    return {"erp": {table: {field: {operator: draw(st.lists(values, min_size=least, max_size=min(most, 4)))}}}}


def test_filters_are_refused_or_every_source_can_apply_them() -> None:
    def they_are_refused_or_applied(filters: Any) -> None:
        resolved = outcome(lambda: resolve(check_operators(filters), SCHEMAS))
        if isinstance(resolved, RequestError):
            assert resolved.status in {400, 404}
            assert len(resolved.message) < 2000
            return
        for table, conditions in resolved.get("erp", {}).items():
            query = copy(columns_of(table, ["id"], SCHEMAS["erp"].tables[table]), conditions, ()).as_string(None)
            assert re.search(r"[';\\]|--|/\*", _LITERAL.sub("", query)) is None, query
            for name in SCHEMAS["erp"].tables[table]:
                for value in (None, 1, Decimal("1.5"), "a", True, {"a": 1}, [1], NOW):
                    if _fits(value, SCHEMAS["erp"].tables[table][name]):
                        matches(conditions, {name: value}.get)

    for_a_while(_fitting() | _FILTERS | _VALUES, they_are_refused_or_applied)


def _fits(value: Any, kind: str) -> bool:
    if value is None or kind in {"jsonb", "array", "object"}:
        return True
    wanted: Any = {"integer": int, "numeric": Decimal, "text": str, "boolean": bool, "timestamptz": datetime}[kind]
    return type(value) is wanted


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=4) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@st.composite
def _damaged_json(draw: Any) -> str:
    text = write_json(draw(_JSON))
    at = draw(st.integers(0, len(text)))
    put = st.sampled_from(
        [
            *'{}[],:"\\',
            "NaN",
            "1e999",
            "e998",
            "e-998",
            "0E1" + "0" * 18,
            "1" * 2000,
            "\ud800",
            "\\ud800",
            "\ufeff",
            "\x00",
            "//",
            "[" * 100,
            "-",
            "'",
        ]
    )
    return text[:at] + str(draw(put)) + text[at + draw(st.integers(0, 2)) :]


def test_json_is_read_exactly_or_refused() -> None:
    def it_is_read_exactly_or_refused(text: str) -> None:
        value = outcome(lambda: parse_json(text))
        if isinstance(value, RequestError):
            assert (value.code, value.status) == ("TPL-0017", 400)
            return
        assert parse_json(write_json(value)) == value
        assert json.loads(text, parse_float=Decimal) == value
        assert canonical_hash(value) == canonical_hash(parse_json(write_json(value)))

    for_a_while(_JSON.map(write_json) | _damaged_json() | st.text(), it_is_read_exactly_or_refused)


_PART_NAMES = st.text(st.characters(codec="ascii", exclude_characters='"\\\r\n\x00;'), min_size=1, max_size=10).filter(
    str.strip
)
_CONTENTS = st.binary(max_size=60) | st.lists(
    st.sampled_from(
        [
            b"\r\n",
            b"--",
            b"\r\n--",
            b"boundary",
            b"\n",
            b"\r",
            b"",
            b"a",
            b"--\r\n",
            b'Content-Disposition: form-data; name="x"',
        ]
    )
).map(b"".join)


def test_a_form_is_read_byte_for_byte() -> None:
    def it_is_read_byte_for_byte(example: tuple[bytes, dict[str, str]]) -> None:
        content, fields = example
        kind, body = form(content, fields, "t.tpl")
        parts = parse_form(kind, body)
        assert parts["template"].content == content
        assert {name: part.content.decode() for name, part in parts.items() if name != "template"} == fields

    fields = st.dictionaries(_PART_NAMES.filter(lambda name: name != "template"), st.text(max_size=20), max_size=5)
    for_a_while(st.tuples(_CONTENTS, fields), it_is_read_byte_for_byte)


@st.composite
def _damaged_form(draw: Any) -> tuple[str, bytes]:
    kind, body = form(draw(_CONTENTS), {"outputFormat": "txt", "description": "d"}, "t.tpl")
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 30)))
        body = body[:start] + draw(st.binary(max_size=4) | _CONTENTS | st.just(body[start:end] * 2)) + body[end:]
    kinds = st.sampled_from(
        [kind, kind, kind, kind.upper(), kind + "; boundary=x", "multipart/form-data", kind[:40], f'{kind}"', ""]
    )
    return draw(kinds), body


def test_a_damaged_form_is_read_or_refused() -> None:
    def it_is_read_or_refused(example: tuple[str, bytes]) -> None:
        parts = outcome(lambda: parse_form(*example))
        if isinstance(parts, RequestError):
            assert (parts.code, parts.status) == ("TPL-0005", 400)
            return
        assert sum(len(part.content) for part in parts.values()) <= len(example[1])

    for_a_while(_damaged_form() | st.tuples(st.text(max_size=40), st.binary()), it_is_read_or_refused)
