"""Every case of the template language, rendered as the worker renders."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from reporter.errors import ReportFailure, TemplateProblems
from reporter.language.check import check
from reporter.language.render import render


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


def rendered(case: dict[str, Any]) -> str:
    pieces: list[str] = []
    now = datetime.fromisoformat(case["now"]) if "now" in case else datetime.now(UTC)
    render(case["template"], case["format"].upper(), case["context"], pieces.append, now=now)
    return "".join(pieces)


@pytest.mark.parametrize("case", [c for c in CASES if "expected" in c], ids=lambda c: c["id"])
def test_the_template_renders_as_expected(case: dict[str, Any]) -> None:
    assert rendered(case) == case["expected"]


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
