"""The guide for template authors: each example is checked and rendered, and every tag, filter and function has one."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from pypdfium2 import PdfDocument  # type: ignore[import-untyped]
from reporter.command_line import main
from reporter.dataset import SpoolWriter
from reporter.errors import ReportFailure, TemplateProblem, TemplateProblems
from reporter.exact_json import parse_json
from reporter.given_data import given_json
from reporter.language.data_tests import DATA_TESTS
from reporter.language.environment import TemplateEnvironment
from reporter.language.filters import FILTERS
from reporter.language.functions import FUNCTIONS
from reporter.language.limits import DEFAULT_LIMITS
from reporter.language.parser import TemplateParser
from reporter.press import Order, make_document, plan
from reporter.renderer.client import Renderer
from reporter.renderer.containment import Limits

from tests.unit.formats.workbook_reading import calamine_values

GUIDE = (Path(__file__).parents[2] / "docs" / "templates.md").read_text()
NOW = datetime(2025, 3, 9, 7, 5, 2, tzinfo=UTC)
BLOCK = re.compile(r"^```(\w+)(?: ([\w.]+))?\n(.*?)\n```$", re.M | re.S)


@dataclass(frozen=True)
class Example:
    """``word``: an output format, or ``refused``. ``text``: the document, or what the refusal says."""

    line: int
    word: str
    template: str
    text: str


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
EXAMPLES = [
    Example(template.line, template.word or "txt", template.text, document.text)
    for template, document in pairwise(BLOCKS)
    if template.kind == "jinja" and document.kind == "text"
]


def shown_workbook(path: Path) -> str:
    """Each sheet's name in brackets, its rows below."""
    sheets = calamine_values(path)
    shown = {
        name: [" | ".join(str(int(v) if isinstance(v, float) and v.is_integer() else v) for v in row) for row in rows]
        for name, rows in sheets.items()
    }
    return "\n".join(f"[{name}]\n" + "\n".join(rows) for name, rows in shown.items())


def shown_pages(path: Path) -> str:
    """The text of each page, below its number."""
    with PdfDocument(path) as pages:
        texts = [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in pages]
    return "\n".join(f"[page {number}]\n{text}" for number, text in enumerate(texts, start=1))


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    """The worker's own."""
    made = Renderer(Limits(seconds=20, cpu_seconds=20, memory_bytes=256 * 1024 * 1024, output_bytes=16 * 1024 * 1024))
    yield made
    made.close()


def made(example: Example, renderer: Renderer, folder: Path) -> str:
    """As the command line does it: checked against what the data show, rendered in the contained child."""
    output_format = "TXT" if example.word == "refused" else example.word.upper()
    data = given_json(parse_json(BLOCKS[0].text), "data.json")
    order = Order(template=example.template, output_format=output_format, filters={}, now=NOW)
    spool = SpoolWriter(folder, 10**6, 10**9)
    document, _rows = make_document(order, plan(order, data.schemas), data, renderer, spool, folder)
    assert document.warnings == ()
    shown = {"XLSX": shown_workbook, "PDF": shown_pages}.get(output_format, Path.read_text)
    return shown(document.path)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.word != "refused"], ids=lambda e: f"line {e.line}")
def test_the_example_makes_the_document_beside_it(example: Example, renderer: Renderer, tmp_path: Path) -> None:
    assert made(example, renderer, tmp_path).rstrip("\n") == example.text


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.word == "refused"], ids=lambda e: f"line {e.line}")
def test_the_example_is_refused_as_the_guide_says(example: Example, renderer: Renderer, tmp_path: Path) -> None:
    with pytest.raises((TemplateProblems, ReportFailure)) as error:
        made(example, renderer, tmp_path)
    assert said_by(error.value) == example.text


COMMANDS = [
    (block.line + number, line.removeprefix("$ python -m reporter "), block.text.split("\n$ "))
    for block in BLOCKS
    if block.kind == "console"
    for number, line in enumerate(block.text.split("\n"), start=1)
    if line.startswith("$ ")
]


@pytest.mark.parametrize(("line", "command", "block"), COMMANDS, ids=[f"line {line}" for line, _command, _block in COMMANDS])
def test_a_command_prints_what_the_guide_says(
    line: int,
    command: str,
    block: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In a folder with the guide's own files."""
    for file in BLOCKS:
        if "." in file.word:
            (tmp_path / file.word).write_text(file.text + "\n")
    (tmp_path / "data.json").write_text(BLOCKS[0].text)
    monkeypatch.chdir(tmp_path)
    main(shlex.split(command))
    (expected,) = [part.partition("\n")[2] for part in block if part.removeprefix("$ ").partition("\n")[0].endswith(command)]
    printed = capfd.readouterr()
    assert (printed.out + printed.err).strip("\n") == expected


def said_by(failure: Exception) -> str:
    """The line and the message of a refusal."""
    problem = failure.problems[0] if isinstance(failure, TemplateProblems) else failure
    assert isinstance(problem, TemplateProblem | ReportFailure)
    return f"line {problem.line}: {problem.message}"


def test_every_template_block_is_an_example() -> None:
    assert len(EXAMPLES) == sum(block.kind == "jinja" for block in BLOCKS) > 30


def test_every_tag_filter_function_and_test_has_an_example() -> None:
    templates = "\n".join(example.template for example in EXAMPLES if example.word != "refused")
    environment = TemplateEnvironment("", ())
    tags = TemplateParser(environment, "", filters=FILTERS, functions=FUNCTIONS, limits=DEFAULT_LIMITS)._tags
    expected = {
        *(f"tag {name}" for name in tags),
        *(f"filter {name}" for name in FILTERS),
        *(f"function {name}" for name in FUNCTIONS),
        *(f"test {name}" for name in DATA_TESTS),
    }
    shown = {
        *(f"tag {name}" for name in re.findall(r"{%-? *(\w+)", templates)),
        *(f"filter {name}" for name in re.findall(r"\|(\w+)", templates)),
        *(f"function {name}" for name in re.findall(r"(\w+)\(", templates)),
        *(f"test {name}" for name in re.findall(r" is (?:not )?(\w+)", templates)),
    }
    assert expected - shown == set()
