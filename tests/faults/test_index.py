"""docs/faults.md and docs/threats.md name tests: all of them exist, and nothing of the lists is left out."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from local.paths import ROOT
from tests.faults.test_without_guards import GUARDS

TESTS = re.compile(r"`((?:unit|integration|conformance|template|build|e2e|faults|fuzz)/[\w/]+\.py)::(\w+)`")
FAULTS, THREATS = (ROOT / "docs" / name for name in ("faults.md", "threats.md"))
LISTED = (
    *[1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 23, 25, 26, 28, 29, 31, 32, 34, 35, 37, 38, 40, 41, 43, 44],
    *[46, 47, 49, 50, 52, 53, 55, 56, 58, 59, 61, 62, 64, 65, 67, 68, 70, 71, 73, 74, 76, 77, 79, 80, 82, 83, 85, 86, 88],
    *[89, 91, 92, 94, 95, 97, 98, 100, 101, 103, 104, 106, 107, 109, 110, 112, 113, 115, 116, 118, 119, 121, 122, 124],
    *[125, 127],
)
"""The numbers of the threats."""


def rows(page: Path) -> list[list[str]]:
    """The cells of a page's tables, without their heads."""
    lines = page.read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [row for row in cells if row[-1] != "shown by"]


@cache
def defined(path: str) -> frozenset[str]:
    """The tests and state machines of a file."""
    found = ast.walk(ast.parse((ROOT / "tests" / path).read_text()))
    return frozenset(node.name for node in found if isinstance(node, ast.FunctionDef | ast.ClassDef))


@pytest.mark.parametrize("page", [FAULTS, THREATS], ids=lambda page: page.stem)
def test_every_test_that_is_named_exists(page: Path) -> None:
    for name, *_texts, shown in rows(page):
        tests = TESTS.findall(shown)
        assert len(tests) == shown.count("`") // 2 > 0, name
        assert [(path, test) for path, test in tests if test not in defined(path)] == [], name


def test_no_fault_is_left_out() -> None:
    named = [row[0] for row in rows(FAULTS)]
    numbers = [int(name.strip(" ×")[1:]) for name in named if re.fullmatch(r"F\d+( ×)?", name)]
    assert numbers == list(range(1, 47))
    marked = {name.strip(" ×") for name in named if "×" in name}
    assert marked == {guard.fault for guard in GUARDS} | {"F39"}


def test_no_threat_is_left_out() -> None:
    covered: set[int] = set()
    for number, *_rest in rows(THREATS):
        for part in number.split(", "):
            first, _dash, last = part.partition("-")
            covered |= set(range(int(first), int(last or first) + 1))
    assert set(LISTED) <= covered
