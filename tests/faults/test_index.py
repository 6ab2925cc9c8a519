"""docs/faults.md and docs/threats.md name tests: all of them exist, and nothing of the lists is left out."""

import ast
import re
from functools import cache

import pytest

from local.paths import ROOT
from tests.faults.test_without_guards import GUARDS

TESTS = re.compile(r"`((?:unit|integration|conformance|template|build|e2e|faults|fuzz)/[\w/]+\.py)::(\w+)`")
FAULTS = ROOT / "docs" / "faults.md"


def rows(text: str) -> list[list[str]]:
    """The cells of a page's tables."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]


@cache
def defined(path: str) -> frozenset[str]:
    """The tests and state machines of a file."""
    found = ast.walk(ast.parse((ROOT / "tests" / path).read_text()))
    return frozenset(node.name for node in found if isinstance(node, ast.FunctionDef | ast.ClassDef))


@pytest.mark.parametrize("page", [FAULTS], ids=lambda page: page.stem)
def test_every_test_that_is_named_exists(page: object) -> None:
    table = rows(FAULTS.read_text())[1:]
    for name, *_texts, shown in table:
        tests = TESTS.findall(shown)
        assert len(tests) == shown.count("`") // 2 > 0, name
        assert [(path, test) for path, test in tests if test not in defined(path)] == [], name


def test_no_fault_is_left_out() -> None:
    named = [row[0] for row in rows(FAULTS.read_text())[1:]]
    numbers = [int(name.strip(" ×")[1:]) for name in named if re.fullmatch(r"F\d+( ×)?", name)]
    assert numbers == list(range(1, 47))
    marked = {name.strip(" ×") for name in named if "×" in name}
    assert marked == {guard.fault for guard in GUARDS} | {"F39"}
