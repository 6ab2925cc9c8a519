"""Every case of the HTTP contract, through the doors on moto."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from reporter.aws.clients import client
from reporter.document import CONTENT_TYPES
from reporter.report import Report, Status
from reporter.request import ReportRequest
from reporter.template import Template

from tests.world import ORGANIZATION, OTHER, TEMPLATE, World

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


def finished(organization: str, output_format: str) -> Report:
    """A report with its document in the bucket."""
    key = f"documents/{organization}/{REPORT}/1.{output_format.lower()}"
    client("s3").put_object(Bucket="documents", Key=key, Body=b"x")
    done: dict[str, Any] = {"document_key": key, "size": 1, "sha256": "0" * 64, "completed_at": NOW}
    return report_in(organization, status=Status.FINISHED, output_format=output_format, **done)


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
        world.add_report(finished(organization, text.rsplit(" ", 1)[1].upper()))
    elif text.startswith("report Finished"):
        world.add_report(finished(organization, "HTML"))
    elif text in {"report is Processing or Error", "report Error"}:
        world.add_report(report_in(organization, status=Status.ERROR))
    elif text.startswith("one report Finished"):
        world.add_report(finished(organization, "HTML"))
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
    headers = case["headers"]
    if headers.get("Content-Type") == "multipart/form-data":
        fields = dict(case["body"])
        file = fields.pop("template", None)
        sent = {name: value for name, value in headers.items() if name != "Content-Type"}
        answer = world.upload(file and file.encode(), fields, sent, method=case["method"], path=case["path"])
    else:
        answer = world.call(case["method"], case["path"], case["body"], headers, raw=case.get("raw_body", False))
    expected = case["expected_status"]
    if answer.status == 302 and expected == 200:
        answer = follow(world, case, answer.headers["location"])
    assert answer.status == expected, answer.body
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


def follow(world: World, case: dict[str, Any], url: str) -> Any:
    """Fetch a presigned URL: what it signs is what the answer carries."""
    from urllib.parse import parse_qs, urlsplit

    from tests.world import Answer

    parts = urlsplit(url)
    signed = parse_qs(parts.query)
    assert parts.netloc == "documents.s3.us-east-1.amazonaws.com"
    assert signed["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert int(signed["X-Amz-Expires"][0]) <= 3600
    body = client("s3").get_object(Bucket="documents", Key=parts.path.lstrip("/"))["Body"].read()
    headers = {
        "content-type": signed["response-content-type"][0],
        "content-disposition": signed["response-content-disposition"][0],
    }
    assert headers["content-type"] in CONTENT_TYPES.values()
    return Answer(200, body.decode(), headers)
