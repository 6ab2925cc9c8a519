"""Every case of the template language, rendered as the worker renders."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from reporter.dataset import SpoolWriter
from reporter.errors import ReportFailure, RequestError, TemplateProblems
from reporter.exact_json import parse_json
from reporter.given_data import given_json
from reporter.language.check import check
from reporter.language.render import render
from reporter.press import Order, make_document, plan
from reporter.renderer.client import Renderer
from reporter.renderer.containment import Limits


def native(members: dict[str, Any]) -> Any:
    """A case's ``{"$type": …, "value": …}`` as the value it stands for."""
    match members.get("$type"):
        case "datetime":
            return datetime.fromisoformat(members["value"])
        case "date":
            return date.fromisoformat(members["value"])
        case "decimal" | "decimal128":
            return Decimal(members["value"])
        case "int32":
            return int(members["value"])
        case _:
            return members


CASES = [
    json.loads(line, parse_float=Decimal, object_hook=native)
    for line in (Path(__file__).parent / "template.jsonl").read_text().splitlines()
]


OF_OBJECTS_ONLY = {"t-lig-009"}
"""It tells a missing field from null; a row of a table has every column."""


def rendered(case: dict[str, Any]) -> str:
    pieces: list[str] = []
    now = datetime.fromisoformat(case["now"]) if "now" in case else datetime.now(UTC)
    render(case["template"], case["format"].upper(), case["context"], pieces.append, now=now)
    return "".join(pieces)


@pytest.mark.parametrize("case", [c for c in CASES if "expected" in c], ids=lambda c: c["id"])
def test_the_template_renders_as_expected(case: dict[str, Any]) -> None:
    assert rendered(case) == case["expected"]


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    made = Renderer(Limits(seconds=20, cpu_seconds=20, memory_bytes=256 * 1024 * 1024, output_bytes=16 * 1024 * 1024))
    yield made
    made.close()


def test_an_author_s_own_rendering_gives_the_same(renderer: Renderer, tmp_path: Path) -> None:
    """Given rows, a spool and the contained child, for every case that names only what its data hold."""
    seen = 0
    for case in map(parse_json, (Path(__file__).parent / "template.jsonl").read_text().splitlines()):
        try:
            data = given_json(case["context"], "context")
            order = Order(
                template=case["template"],
                output_format=case["format"].upper(),
                filters={},
                now=datetime.fromisoformat(case["now"]) if "now" in case else datetime.now(UTC),
            )
            planned = plan(order, data.schemas)
        except RequestError:
            continue
        # Pieces of XML and JSON are no whole documents.
        if "expected" not in case or case["format"] not in {"txt", "csv", "html"} or case["id"] in OF_OBJECTS_ONLY:
            continue
        seen += 1
        folder = tmp_path / case["id"]
        folder.mkdir()
        document, _rows = make_document(order, planned, data, renderer, SpoolWriter(folder, 10**6, 10**9), folder)
        assert document.path.read_bytes().decode() == case["expected"], case["id"]
    assert seen > len(CASES) / 2


@pytest.mark.parametrize("case", [c for c in CASES if c.get("error") == "render"], ids=lambda c: c["id"])
def test_rendering_fails_at_its_line(case: dict[str, Any]) -> None:
    with pytest.raises(ReportFailure) as error:
        rendered(case)
    assert (error.value.code, error.value.line) == ("TEMPLATE_ERROR", case["line"])


@pytest.mark.parametrize("case", [c for c in CASES if c.get("error") == "template"], ids=lambda c: c["id"])
def test_the_template_is_refused_at_its_line(case: dict[str, Any]) -> None:
    with pytest.raises(TemplateProblems) as error:
        check(case["template"], case["format"].upper(), None)
    assert error.value.problems[0].line == case["line"]
