"""What leaves through Lambda stays within its 6 MB and is, byte for byte, what was stored."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from reporter.aws.clients import client
from reporter.document import CONTENT_TYPES
from reporter.report import Status

from functions.status import app as status_door
from functions.templates import app as templates_door
from tests.conformance.test_api_cases import report_in, template_in
from tests.wire import Wire, wired
from tests.world import ORGANIZATION, TEMPLATE, World

ORG = {"X-Organization-Id": ORGANIZATION}
CONTENT = f"/v1/templates/{TEMPLATE}/content"
EVERY_BYTE = bytes(range(256))


def stored(world: World, content: bytes, file_name: str) -> None:
    client("s3").put_object(Bucket="documents", Key="templates/x", Body=content)
    digest = hashlib.sha256(content).hexdigest()
    world.add_template(template_in(ORGANIZATION, file_name=file_name, sha256=digest))


@pytest.mark.parametrize(
    "content", [EVERY_BYTE, EVERY_BYTE * 17_578, b"\xff\xfe"], ids=["every byte", "the largest", "no text"]
)
def test_a_workbook_comes_back_byte_for_byte(world: World, content: bytes) -> None:
    stored(world, content, "t.xlsx")
    answer = world.call("GET", CONTENT, None, ORG)
    assert answer.body == content
    assert answer.headers["content-type"] == CONTENT_TYPES["XLSX"]


@pytest.mark.parametrize(
    "text", ["ação\r\n", "\x01" * 4_000_000, '"' * 4_500_000], ids=["short", "escaped by six", "quotes"]
)
def test_a_text_comes_back_byte_for_byte(world: World, text: str) -> None:
    stored(world, text.encode(), 'r"\u202eé.tpl')
    answer = world.call("GET", CONTENT, None, ORG)
    assert (answer.body if isinstance(answer.body, bytes) else answer.body.encode()) == text.encode()
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == "attachment; filename=\"r.tpl\"; filename*=UTF-8''r%22%C3%A9.tpl"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_search_that_takes_long_ends_early_and_the_cursor_leads_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB reads a megabyte at a time, whatever of it matches."""
    filters = {"erp": {"customers": {"name": {"in": ["x" * 60_000]}}}}
    ids = [f"0192f000-0000-7000-8000-0000000005{number:02d}" for number in range(40)]
    for number, report_id in enumerate(ids):
        status = Status.ERROR if number in {0, 39} else Status.FINISHED
        world.add_report(replace(report_in(ORGANIZATION, report_id), filters=filters, status=status))
    monkeypatch.setattr(status_door, "page_limits", replace(status_door.page_limits, seconds=-1))
    seen: list[list[str]] = []
    cursor = ""
    while True:
        page = world.call("GET", f"/v1/reports?status=error{cursor}", None, ORG).body
        seen.append([item["id"] for item in page["items"]])
        if "nextCursor" not in page:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert len(seen) > 1
    assert [report for page in seen for report in page] == [ids[39], ids[0]]


def test_a_page_that_is_not_reached_in_time_is_refused_and_the_cursor_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else few matches among very many rows are searched for until the gateway gives up."""
    filters = {"erp": {"customers": {"name": {"in": ["x" * 60_000]}}}}
    for number in range(40):
        report = report_in(ORGANIZATION, f"0192f000-0000-7000-8000-0000000005{number:02d}", Status.FINISHED)
        world.add_report(replace(report, filters=filters))
    assert world.call("GET", "/v1/reports?status=error&page=2", None, ORG).body["items"] == []
    monkeypatch.setattr(status_door, "page_limits", replace(status_door.page_limits, seconds=-1))
    with wired(Wire()) as wire:
        refused = world.call("GET", "/v1/reports?status=error&page=2", None, ORG)
    assert (refused.status, refused.code) == (400, "TPL-0019")
    assert "cursor" in refused.body["fields"]["page"]["message"]
    assert wire.calls == ["Query"]


@pytest.mark.parametrize("door", [status_door, templates_door], ids=["reports", "templates"])
def test_a_list_ends_early_by_the_doors_settings(door: Any) -> None:
    assert (door.page_limits.bytes, door.page_limits.seconds) == (door.settings.max_answer_bytes, door.settings.list_seconds)


def test_a_page_of_huge_reports_ends_early_and_the_cursor_leads_on(world: World) -> None:
    filters = {"erp": {"customers": {"name": {"in": ['"' * 60_000]}}}}
    for number in range(60):
        report = report_in(ORGANIZATION, f"0192f000-0000-7000-8000-0000000004{number:02d}")
        world.add_report(replace(report, filters=filters))
    seen: list[str] = []
    cursor = ""
    while True:
        page = world.call("GET", f"/v1/reports?limit=100{cursor}", None, ORG).body
        assert page["total"] == len(page["items"])
        seen += [item["id"] for item in page["items"]]
        if "nextCursor" not in page:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert len(seen) == len(set(seen)) == 60
    assert page["total"] < 60
