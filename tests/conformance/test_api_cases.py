"""Every case of the HTTP contract, through the doors on moto."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from reporter.aws.clients import client
from reporter.report import Report, Status
from reporter.request import ReportRequest
from reporter.template import Template

from tests.world import ORGANIZATION, OTHER, TEMPLATE, Answer, World

CASES = [json.loads(line) for line in (Path(__file__).parent / "api.jsonl").read_text().splitlines()]
REPORT = "0192f000-0000-7000-8000-0000000000a1"
NOW = datetime.now(UTC)


def template_in(organization: str, **more: Any) -> Template:
    """The template the cases speak of."""
    made = Template(
        id=TEMPLATE,
        organization_id=organization,
        output_format="HTML",
        description="d",
        file_name="t.tpl",
        version=1,
        content_key="templates/x",
        sha256="0" * 64,
        created_at=NOW,
        updated_at=NOW,
        reads={"erp": {"public.customers": ("name",)}},
    )
    return replace(made, **more)


def report_in(organization: str, report_id: str = REPORT, status: Status = Status.PENDING, **more: Any) -> Report:
    """A report of the template the cases speak of."""
    request = ReportRequest(organization_id=organization, template_id=TEMPLATE, filters={})
    template = template_in(organization, output_format=more.pop("output_format", "HTML"))
    return replace(Report.accepted(report_id, request, template, NOW), status=status, **more)


def add_finished(world: World, organization: str, output_format: str, **more: Any) -> None:
    """A report with its document in the bucket."""
    key = f"documents/{organization}/{REPORT}/1.{output_format.lower()}"
    world.add_object(key, b"x")
    done: dict[str, Any] = {"document_key": key, "size": 1, "sha256": hashlib.sha256(b"x").hexdigest(), "completed_at": NOW}
    made = report_in(organization, status=Status.FINISHED, output_format=output_format, **done)
    world.add_report(replace(made, **more))


def given(world: World, text: str, patch: pytest.MonkeyPatch) -> None:
    """Bring about one precondition of a case."""
    organization = OTHER if text.endswith(OTHER) else ORGANIZATION
    if text.startswith(f"template {TEMPLATE}"):
        world.add_template(template_in(organization))
    elif text == "already deleted":
        world.add_template(template_in(organization, deleted_at=NOW))
    elif text == "queue down":
        break_down(patch, "sqs")
    elif text == "database down":
        break_down(patch, "dynamodb")
    elif text.startswith("5 reports"):
        for number in range(5):
            world.add_report(report_in(organization, f"0192f000-0000-7000-8000-00000000010{number}"))
    elif text.startswith("report Finished, template outputFormat"):
        add_finished(world, organization, text.rsplit(" ", 1)[1].upper())
    elif text.startswith("report Finished"):
        add_finished(world, organization, "HTML")
    elif text in {"report is Processing or Error", "report Error"}:
        world.add_report(report_in(organization, status=Status.ERROR))
    elif text.startswith("one report Finished"):
        add_finished(world, organization, "HTML")
        world.add_report(report_in(organization, "0192f000-0000-7000-8000-0000000000a2", Status.ERROR))
    elif text == "reports A then B":
        for number, letter in enumerate("AB"):
            at = NOW + timedelta(seconds=number)
            made = report_in(organization, f"0192f000-0000-7000-8000-00000000020{number}", created_at=at)
            world.add_report(replace(made, template_description=letter))
    else:
        assert text in {f"report {REPORT} exists", "report PendingExtraction"} or text.startswith(f"report {REPORT}")
        world.add_report(report_in(organization))


def break_down(patch: pytest.MonkeyPatch, service: str) -> None:
    """Every call to the service fails to connect."""

    def fail(*_arguments: Any, **_named: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://down")

    patch.setattr(client(service), "_make_api_call", fail)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_the_case_holds(case: dict[str, Any], world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in case.get("given", ()):
        given(world, text, monkeypatch)
    check(case, sent(case, world))


def sent(case: dict[str, Any], world: World) -> Answer:
    """The answer to a case's call; for one that is sent on to a document, that document."""
    headers = case["headers"]
    if headers.get("Content-Type") == "multipart/form-data":
        fields = dict(case["body"])
        file = fields.pop("template", None)
        plain = {name: value for name, value in headers.items() if name != "Content-Type"}
        return world.upload(file and file.encode(), fields, plain, method=case["method"], path=case["path"])
    answer: Answer = world.call(case["method"], case["path"], case["body"], headers, raw=case.get("raw_body", False))
    return world.fetch(answer.headers["location"]) if answer.status == 302 and case["expected_status"] == 200 else answer


def check(case: dict[str, Any], answer: Answer) -> None:
    """Everything a case expects."""
    assert answer.status == case["expected_status"], answer.body
    codes = case["expected_code"]
    assert answer.code in (codes if isinstance(codes, list) else [codes])
    for name, value in case.get("expected_headers", {}).items():
        found = answer.headers[name.lower()]
        assert found.isdigit() if value == "<seconds>" else found == value
    if "expected_body" in case:
        assert answer.body == case["expected_body"]
    for name, value in case.get("expected_body_has", {}).items():
        assert answer.body[name] == value
    if "expected_body_keys" in case:
        assert list(answer.body) == case["expected_body_keys"]
    if "expected_first" in case:
        assert answer.body["items"][0]["templateDescription"] == case["expected_first"]
    if answer.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "code", "message"} <= set(answer.body)
        assert answer.body["status"] == answer.status
