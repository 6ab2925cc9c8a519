"""The deployed stack: the real template by the real ``sam deploy`` on a local AWS, driven over HTTP."""

import csv
import hashlib
import io
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from pypdfium2 import PdfDocument  # type: ignore[import-untyped]

from local.__main__ import SAMPLES
from local.api import Api
from local.paths import ROOT
from local.postgresql import EmbeddedPostgres
from local.shell import StepFailed
from local.stack import Running
from samples import ledger

pytestmark = pytest.mark.timeout(600)
TEMPLATES = ROOT / "samples" / "templates"


def query(deployed: tuple[Running, EmbeddedPostgres], sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(deployed[1].dsn("midaz_transaction")) as connection:
        return connection.execute(sql, [ledger.ORGANIZATION]).fetchall()


def report_of(api: Api, name: str, filters: dict[str, Any]) -> bytes:
    template = api.register(name, (TEMPLATES / f"{name}.tpl").read_bytes(), SAMPLES[name])
    report = api.order(template, filters)
    record = api.finished(report)
    _file, content = api.download(report)
    assert (len(content), hashlib.sha256(content).hexdigest()) == (record["size"], record["sha256"])
    return content


def test_an_extract_holds_exactly_the_filtered_rows(deployed: tuple[Running, EmbeddedPostgres], api: Api) -> None:
    conditions = {"direction": {"eq": ["debit"]}, "created_at": {"between": ["2024-01-01", "2024-01-31"]}}
    content = report_of(api, "operations", {"midaz_transaction": {"operation": conditions}})
    rows = list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=";"))[1:]
    expected = query(
        deployed,
        "SELECT id::text, amount FROM operation WHERE organization_id = %s AND direction = 'debit'"
        " AND created_at < '2024-02-01' ORDER BY id",
    )
    assert sorted((row[0], Decimal(row[4])) for row in rows) == expected
    assert expected


def test_a_balance_agrees_with_the_database_to_the_cent(deployed: tuple[Running, EmbeddedPostgres], api: Api) -> None:
    exported = json.loads(report_of(api, "accounts", {}), parse_float=Decimal)
    [(total,)] = query(deployed, "SELECT sum(available) FROM balance WHERE organization_id = %s")
    assert exported["balance"] == total
    assert len(exported["accounts"]) == ledger.ACCOUNTS


def test_a_statement_in_pdf_comes_from_a_queue_and_a_function_of_its_own(
    deployed: tuple[Running, EmbeddedPostgres], api: Api
) -> None:
    conditions = {"created_at": {"between": ["2024-01-01", "2024-01-02"]}}
    content = report_of(api, "account_statement", {"midaz_transaction": {"operation": conditions}})
    amounts = query(deployed, "SELECT amount FROM operation WHERE organization_id = %s AND created_at < '2024-01-03'")
    with PdfDocument(content) as document:
        pages = [page.get_textpage().get_text_range() for page in document]
    assert all(f"página {number} de {len(pages)}" in page for number, page in enumerate(pages, start=1))
    shown = {word.removeprefix("-") for page in pages for word in page.split()}
    assert {f"{amount:,.2f}".translate(str.maketrans(",.", ".,")) for (amount,) in amounts} <= shown
    assert amounts


def test_fifty_posts_at_once_with_one_key_make_one_report(deployed: tuple[Running, EmbeddedPostgres], api: Api) -> None:
    template = api.register("receipt", (TEMPLATES / "receipt.tpl").read_bytes(), "TXT")
    body = json.dumps({"templateId": template, "filters": {}}).encode()
    # Fifty containers start at once, which are fifty processes on this machine: answers take their time.
    patient = Api(deployed[0].url, ledger.ORGANIZATION, seconds=280)

    def post(_number: int) -> tuple[int, Any]:
        headers = {"Content_Type": "application/json", "X_Idempotency": "once"}
        for _attempt in range(4):
            status, answer, _ = patient.call("POST", "/v1/reports", body, **headers)
            if status < 500:
                break
        return status, answer

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(post, range(50)))
    assert {status for status, _ in answers} <= {201, 409}
    ids = {answer["id"] for status, answer in answers if status == 201}
    assert len(ids) == 1
    _status, listed, _ = api.call("GET", f"/v1/reports?templateId={template}")
    assert [item["id"] for item in listed["items"]] == list(ids)
    report = api.finished(ids.pop())
    assert report["attempts"] == 1
    bucket, prefix = deployed[0].outputs["DocumentBucketName"], f"documents/{ledger.ORGANIZATION}/{report['id']}/"
    stored = deployed[0].client("s3").list_object_versions(Bucket=bucket, Prefix=prefix)["Versions"]
    assert len(stored) == 1


def test_a_report_is_requested_by_an_event_and_its_end_is_heard_of(
    deployed: tuple[Running, EmbeddedPostgres], api: Api
) -> None:
    running, bus = deployed[0], deployed[0].outputs["EventBusName"]
    template = api.register("receipt", (TEMPLATES / "receipt.tpl").read_bytes(), "TXT")
    queue = running.client("sqs").create_queue(QueueName="ears")["QueueUrl"]
    arn = running.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events = running.client("events")
    pattern = json.dumps({"source": ["reporter"], "detail-type": ["ReportFinished", "ReportFailed"]})
    events.put_rule(Name="ears", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="ears", EventBusName=bus, Targets=[{"Id": "ears", "Arn": arn}])
    detail = {"organizationId": ledger.ORGANIZATION, "templateId": template, "filters": {}}
    entry = {"Source": "test", "DetailType": "ReportRequested", "Detail": json.dumps(detail), "EventBusName": bus}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    heard = _received(running, queue, lambda event: event["detail"]["templateId"] == template)
    assert heard["detail-type"] == "ReportFinished"
    report = api.finished(heard["detail"]["reportId"])
    assert heard["detail"]["sha256"] == report["sha256"]


def _received(running: Running, queue: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = running.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            event: dict[str, Any] = json.loads(message["Body"])
            if wanted(event):
                return event
    raise AssertionError("no event was heard")


def test_a_direct_invoke_gives_one_report_for_one_key(deployed: tuple[Running, EmbeddedPostgres], api: Api) -> None:
    template = api.register("receipt", (TEMPLATES / "receipt.tpl").read_bytes(), "TXT")
    request = {"organizationId": ledger.ORGANIZATION, "templateId": template, "filters": {}, "idempotencyKey": "direct"}
    name = deployed[0].outputs["AcceptFunctionName"]
    answers = []
    for _time in range(2):
        answer = deployed[0].client("lambda").invoke(FunctionName=name, Payload=json.dumps(request).encode())
        answers.append(json.loads(answer["Payload"].read()))
    assert [answer["replayed"] for answer in answers] == [False, True]
    assert answers[0]["id"] == answers[1]["id"]
    assert api.finished(answers[0]["id"])["status"] == "Finished"


def test_a_filter_that_cannot_be_applied_is_refused(api: Api) -> None:
    template = api.register("receipt", (TEMPLATES / "receipt.tpl").read_bytes(), "TXT")
    for condition, code in (({"nope": {"eq": ["x"]}}, "TPL-0014"), ({"amount": {"gt": ["much"]}}, "TPL-0017")):
        body = json.dumps({"templateId": template, "filters": {"midaz_transaction": {"operation": condition}}}).encode()
        status, answer, _ = api.call("POST", "/v1/reports", body, Content_Type="application/json")
        assert (status, answer["code"]) == (400, code)


def test_another_organization_sees_nothing_of_it(deployed: tuple[Running, EmbeddedPostgres], api: Api) -> None:
    template = api.register("receipt", (TEMPLATES / "receipt.tpl").read_bytes(), "TXT")
    report = api.order(template, {})
    stranger = Api(deployed[0].url, ledger.OTHER_ORGANIZATION)
    for path in (f"/v1/reports/{report}", f"/v1/reports/{report}/download", f"/v1/templates/{template}"):
        status, answer, _ = stranger.call("GET", path)
        assert (status, answer["code"]) == (404, "TPL-0011")
    with pytest.raises(StepFailed, match="TPL-0011"):
        stranger.order(template, {})
    rows = report_of(stranger, "operations", {})
    assert rows.count(b"\n") == ledger.OPERATIONS // 20 + 1


def test_an_unknown_route_is_answered_by_the_gateway_with_our_body(api: Api) -> None:
    status, answer, headers = api.call("GET", "/v1/nothing")
    assert (status, answer["code"], answer["status"]) == (404, "TPL-0048", 404)
    assert headers["Content-Type"] == "application/problem+json"


def test_a_preview_shows_real_rows_and_an_error_its_line(api: Api) -> None:
    def preview(template: bytes, **fields: str) -> tuple[int, Any]:
        status, answer, _ = api.send_form("/v1/templates/preview", "p", template, outputFormat="CSV", **fields)
        return status, answer

    counted = b"{% count_by midaz_transaction.operation %}"
    status, answer = preview(counted, filters="{}")
    assert (status, answer["content"], answer["truncated"]) == (200, "100", True)
    given = json.dumps({"midaz_transaction": {"operation": [{"id": 1}, {"id": 2}]}})
    status, answer = preview(counted, data=given)
    assert (status, answer["content"], answer["rows"]) == (200, "2", 2)
    status, answer = preview(b"a\n{{ 1 / 0 }}", data=given)
    assert (status, answer["code"], answer["fields"]["template"]["line"]) == (400, "TPL-0007", 2)


def test_a_document_must_fit_the_schema_uploaded_with_its_template(api: Api) -> None:
    schema = '<s:schema xmlns:s="http://www.w3.org/2001/XMLSchema"><s:element name="a" type="s:date"/></s:schema>'
    form = {"outputFormat": "XML", "description": "d"}
    status, refused, _ = api.send_form("/v1/templates", "x", b"<a/>", **form, schema="<a>\n</b>")
    assert (status, refused["code"], refused["fields"]["schema"]["line"]) == (400, "TPL-0007", 2)
    status, template, _ = api.send_form("/v1/templates", "x", b"<a>\n{{ 1.50 }}</a>", **form, schema=schema)
    assert status == 201
    with pytest.raises(StepFailed, match=r"DOCUMENT_INVALID.*not a valid value"):
        api.finished(api.order(template["id"], {}))
