"""The guide for template authors: each example is checked and rendered, and every tag, filter and function has one."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from reporter.errors import ReportFailure, TemplateProblem, TemplateProblems
from reporter.language.check import check
from reporter.language.environment import TemplateEnvironment
from reporter.language.filters import FILTERS
from reporter.language.functions import FUNCTIONS
from reporter.language.limits import DEFAULT_LIMITS
from reporter.language.parser import TemplateParser
from reporter.language.render import render
from reporter.schema import SourceSchema

from tests.unit.formats.workbook_reading import calamine_values, from_text

GUIDE = (Path(__file__).parents[2] / "docs" / "templates.md").read_text()
NOW = datetime(2025, 3, 9, 7, 5, 2, tzinfo=UTC)
BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)\n```$", re.M | re.S)


@dataclass(frozen=True)
class Example:
    """``word``: an output format, or ``refused``. ``text``: the document, or what the refusal says."""

    line: int
    word: str
    template: str
    text: str


def native(members: dict[str, Any]) -> Any:
    """``{"$type": …, "value": …}`` as the value it stands for."""
    match members.get("$type"):
        case "datetime":
            return datetime.fromisoformat(members["value"])
        case "date":
            return date.fromisoformat(members["value"])
        case _:
            return members


@dataclass(frozen=True)
class Block:
    """A fenced block: its first line in the guide, the two words after its mark, what stands in it."""

    line: int
    kind: str
    word: str
    text: str


BLOCKS = [
    Block(GUIDE.count("\n", 0, found.start()) + 1, found[1], found[2] or "", found[3]) for found in BLOCK.finditer(GUIDE)
]
DATA = json.loads(BLOCKS[0].text, parse_float=Decimal, object_hook=native)
EXAMPLES = [
    Example(template.line, template.word or "txt", template.text, document.text)
    for template, document in pairwise(BLOCKS)
    if template.kind == "jinja" and document.kind == "text"
]


def schema_of(source: str) -> SourceSchema:
    tables: dict[str, dict[str, Any]] = {
        name: dict.fromkeys(rows[0] if rows else ["id"], "other") for name, rows in DATA[source].items()
    }
    return SourceSchema(source, tables, tuple(sorted({name.split(".")[0] for name in tables if "." in name})))


def shown_workbook(path: Path) -> str:
    """Each sheet's name in brackets, its rows below."""
    sheets = calamine_values(path)
    shown = {
        name: [" | ".join(str(int(v) if isinstance(v, float) and v.is_integer() else v) for v in row) for row in rows]
        for name, rows in sheets.items()
    }
    return "\n".join(f"[{name}]\n" + "\n".join(rows) for name, rows in shown.items())


def made(example: Example, folder: Path) -> str:
    output_format = "TXT" if example.word == "refused" else example.word.upper()
    check(example.template, output_format, {source: schema_of(source) for source in DATA})
    data = {source: {name.replace(".", "__"): rows for name, rows in tables.items()} for source, tables in DATA.items()}
    if output_format == "XLSX":
        assert from_text(folder / "made.xlsx", example.template, **data) == []
        return shown_workbook(folder / "made.xlsx")
    pieces: list[str] = []
    warnings = render(example.template, output_format, data, pieces.append, now=NOW)
    assert warnings == []
    return "".join(pieces)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.word != "refused"], ids=lambda e: f"line {e.line}")
def test_the_example_makes_the_document_beside_it(example: Example, tmp_path: Path) -> None:
    assert made(example, tmp_path).rstrip("\n") == example.text


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.word == "refused"], ids=lambda e: f"line {e.line}")
def test_the_example_is_refused_as_the_guide_says(example: Example, tmp_path: Path) -> None:
    with pytest.raises((TemplateProblems, ReportFailure)) as error:
        made(example, tmp_path)
    assert said_by(error.value) == example.text


def said_by(failure: Exception) -> str:
    """The line and the message of a refusal."""
    problem = failure.problems[0] if isinstance(failure, TemplateProblems) else failure
    assert isinstance(problem, TemplateProblem | ReportFailure)
    return f"line {problem.line}: {problem.message}"


def test_every_template_block_is_an_example() -> None:
    assert len(EXAMPLES) == sum(block.kind == "jinja" for block in BLOCKS) > 30


def test_every_tag_filter_and_function_has_an_example() -> None:
    templates = "\n".join(example.template for example in EXAMPLES if example.word != "refused")
    environment = TemplateEnvironment("", ())
    tags = TemplateParser(environment, "", filters=FILTERS, functions=FUNCTIONS, limits=DEFAULT_LIMITS)._tags
    expected = {
        *(f"tag {name}" for name in tags),
        *(f"filter {name}" for name in FILTERS),
        *(f"function {name}" for name in FUNCTIONS),
    }
    shown = {
        *(f"tag {name}" for name in re.findall(r"{%-? *(\w+)", templates)),
        *(f"filter {name}" for name in re.findall(r"\|(\w+)", templates)),
        *(f"function {name}" for name in re.findall(r"(\w+)\(", templates)),
    }
    assert expected - shown == set()
