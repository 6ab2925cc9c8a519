"""The streamed JSON check agrees with Python's parser on every text, however it is cut, but for what is no JSON."""

import json
import random
import tracemalloc
from collections.abc import Iterable
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reporter.formats.json_grammar import MAX_DEPTH, MAX_NUMBER_CHARACTERS, JsonGrammar, NotJson

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
LAYOUTS = st.sampled_from([(None, (",", ":")), (None, (", ", ": ")), (2, (",", ": ")), ("\t", (" ,\r\n", " : "))])


def read(pieces: Iterable[str]) -> None:
    grammar = JsonGrammar()
    for piece in pieces:
        grammar.feed(piece)
    grammar.end()


def is_json(text: str, pieces: list[str]) -> bool:
    line = 1
    try:
        read(pieces)
    except NotJson as error:
        line = error.line
    else:
        return True
    assert 1 <= line <= text.count("\n") + 1
    return False


def cut(text: str, chance: random.Random) -> list[str]:
    places = sorted(chance.choices(range(len(text) + 1), k=chance.randrange(5)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def expected(text: str) -> bool:
    def refuse(name: str) -> NoReturn:
        raise ValueError(name)

    try:
        json.loads(text, parse_constant=refuse, parse_int=str)
    except ValueError:
        return False
    return not text.startswith("\ufeff")


@settings(max_examples=400, deadline=None)
@given(value=VALUES, layout=LAYOUTS, ascii_only=st.booleans(), chance=st.randoms(use_true_random=False))
def test_what_python_writes_passes_however_it_is_cut(
    value: object, layout: tuple[str | int | None, tuple[str, str]], ascii_only: bool, chance: random.Random
) -> None:
    indent, separators = layout
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=ascii_only)
    assert is_json(text, cut(text, chance))


@settings(max_examples=600, deadline=None)
@given(value=VALUES, data=st.data(), chance=st.randoms(use_true_random=False))
def test_a_damaged_text_is_judged_as_pythons_parser_does(value: object, data: st.DataObject, chance: random.Random) -> None:
    text = json.dumps([value, value, {"a": value}], indent=chance.choice([None, 1]))
    for _ in range(chance.randrange(1, 3)):
        at = data.draw(st.integers(0, len(text)))
        kept = data.draw(st.integers(at, min(len(text), at + 3)))
        text = text[:at] + data.draw(st.text('{}[],:"\\ \n\t0123456789-+.eEtrufalsn/xNaI\x01é', max_size=3)) + text[kept:]
    assert is_json(text, cut(text, chance)) == expected(text)


@settings(max_examples=300, deadline=None)
@given(text=st.text('{}[],:"\\ 01-.eatruN', max_size=12), chance=st.randoms(use_true_random=False))
def test_any_short_text_is_judged_as_pythons_parser_does(text: str, chance: random.Random) -> None:
    assert is_json(text, cut(text, chance)) == expected(text)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "breaks off"),
        ("[1,\n2,\n]", 3, "unexpected ']'"),
        ('{"a": 1,\n}', 2, "unexpected '}'"),
        ('{\n"a" 1}', 2, "a colon"),
        ("{\n1: 2}", 2, "the name of a member"),
        ("[1\n2]", 2, "a comma"),
        ("[NaN]", 1, "a value"),
        ("[1,\n-Infinity]", 2, "a value"),
        ("[01]", 1, "a value"),
        ("[1.]", 1, "a value"),
        ('["a\tb"]', 1, r"holds '\\t"),
        ('["a\\x"]', 1, "holds"),
        ('["a', 1, "breaks off"),
        ("{} {}", 1, "the end"),
        ("\ufeff{}", 1, "a value"),
        ("['a']", 1, "a value"),
        ("[1, // no\n2]", 1, "a value"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(NotJson, match=reason) as error:
        read(text)
    assert error.value.line == line


def test_numbers_of_any_size_pass_as_they_are_text_here() -> None:
    text = "[" + "9" * 50_000 + ", 1e99999]"
    assert is_json(text, [text])
    assert is_json(text, [text[:20_000], text[20_000:]])


@pytest.mark.parametrize("text", ["[" * (MAX_DEPTH + 1), "[" * 100_000, "9" * (MAX_NUMBER_CHARACTERS + 1)])
def test_depth_and_numbers_are_bounded(text: str) -> None:
    assert not is_json(text, [text])


def test_a_long_text_and_many_rows_pass_in_flat_memory() -> None:
    grammar = JsonGrammar()
    row = '{"id": 1, "name": "x", "amount": 12.50, "nested": [{"a": null}]},\n'
    tracemalloc.start()
    try:
        grammar.feed('{"rows": [')
        for _ in range(100):
            grammar.feed(row * 300)
        grammar.feed('0], "text": "')
        for _ in range(200):
            grammar.feed("x" * 100_000)
        grammar.feed('"}')
        grammar.end()
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
