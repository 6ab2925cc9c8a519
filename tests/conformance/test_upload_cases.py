"""The upload cases, as far as the template's text decides; the door runs all of them in tests/integration."""

import json
from pathlib import Path
from typing import Any

import pytest
from reporter.errors import TemplateProblems
from reporter.language.check import check
from reporter.schema import SourceSchema

LINES = [json.loads(line) for line in (Path(__file__).parent / "upload.jsonl").read_text().splitlines()]
SCHEMAS = {name: SourceSchema.from_json(name, value) for name, value in LINES[0]["schema"].items()}
DECIDED_BY_THE_UPLOAD = {"TPL-0001", "TPL-0002", "TPL-0003", "TPL-0005", "TPL-0006"}
CASES = [
    case
    for case in LINES[1:]
    if case["expected_code"] not in DECIDED_BY_THE_UPLOAD and case["outputFormat"].upper() != "XLSX"
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_the_template_is_judged_as_expected(case: dict[str, Any]) -> None:
    if case["expected_code"] is None:
        checked = check(case["template"], case["outputFormat"].upper(), SCHEMAS)
        if "expected_fields" in case:
            reads = {source: {t: sorted(c) for t, c in tables.items()} for source, tables in checked.reads.items()}
            assert reads == case["expected_fields"]
        return
    with pytest.raises(TemplateProblems) as error:
        check(case["template"], case["outputFormat"].upper(), SCHEMAS)
    assert error.value.code == case["expected_code"]
    if "expected_line" in case:
        assert error.value.problems[0].line == case["expected_line"]
