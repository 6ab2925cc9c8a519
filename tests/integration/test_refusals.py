"""Bad input: each code of the contract that exists so far, its status, and that nothing was stored."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from reporter.aws.clients import client
from reporter.report import Status

from functions.accept import app as accept
from functions.status import app as status
from tests.conformance.test_api_cases import REPORT, report_in, template_in
from tests.world import ORGANIZATION, TEMPLATE, World

ORG = {"X-Organization-Id": ORGANIZATION}
REPORTS = "/v1/reports"
GOOD = {"templateId": TEMPLATE, "filters": {}}


def filters(condition: Any, table: str = "customers", source: str = "erp") -> dict[str, Any]:
    return {**GOOD, "filters": {source: {table: condition}}}


POSTS: list[tuple[str, Any, int, str]] = [
    ("a member nobody knows", {**GOOD, "limit": 1}, 400, "TPL-0015"),
    ("no template id", {"filters": {}}, 400, "TPL-0016"),
    ("a template id in braces", {**GOOD, "templateId": "{" + TEMPLATE + "}"}, 400, "TPL-0012"),
    ("a template id as urn", {**GOOD, "templateId": f"urn:uuid:{TEMPLATE}"}, 400, "TPL-0012"),
    ("a template id without dashes", {**GOOD, "templateId": TEMPLATE.replace("-", "")}, 400, "TPL-0012"),
    ("a template that is not there", {**GOOD, "templateId": REPORT}, 404, "TPL-0011"),
    ("a source that is not there", filters({}, source="lake"), 400, "TPL-0031"),
    ("a table that is not there", filters({"name": {"eq": ["a"]}}, "secrets"), 400, "TPL-0030"),
    ("a catalogue table", filters({"rolname": {"eq": ["a"]}}, "pg_catalog.pg_authid"), 400, "TPL-0030"),
    ("a field that is not there", filters({'id" OR "1"="1': {"eq": ["a"]}}), 400, "TPL-0014"),
    ("an operator nobody knows", filters({"name": {"like": ["a"]}}), 400, "TPL-0015"),
    ("an object as value", filters({"name": {"eq": [{"$gt": ""}]}}), 400, "TPL-0017"),
    ("too many values", filters({"name": {"in": ["a"] * 1001}}), 400, "TPL-0017"),
    ("between with three values", filters({"name": {"between": ["a", "b", "c"]}}), 400, "TPL-0017"),
    ("filters that are a list", {**GOOD, "filters": []}, 400, "TPL-0017"),
    ("a time zone nobody knows", {**GOOD, "timeZone": "Mars/Olympus"}, 400, "TPL-0017"),
    ("a time zone that is a path", {**GOOD, "timeZone": "../../etc/passwd"}, 400, "TPL-0017"),
    ("an end in the past", {**GOOD, "expiresAt": "2001-01-01T00:00:00Z"}, 400, "TPL-0017"),
    ("a long metadata key", {**GOOD, "metadata": {"k" * 101: 1}}, 400, "TPL-0026"),
    ("a long metadata text", {**GOOD, "metadata": {"k": "v" * 2001}}, 400, "TPL-0027"),
    ("nested metadata", {**GOOD, "metadata": {"k": []}}, 400, "TPL-0028"),
]

RAW: list[tuple[str, str, int, str]] = [
    ("a member twice", '{"templateId": "a", "templateId": "b", "filters": {}}', 400, "TPL-0017"),
    ("NaN", '{"templateId": "a", "filters": {}, "metadata": {"n": NaN}}', 400, "TPL-0017"),
    ("Infinity", '{"filters": -Infinity}', 400, "TPL-0017"),
    ("a thousand digits too many", '{"filters": ' + "9" * 5000 + "}", 400, "TPL-0017"),
    ("a huge exponent", '{"filters": 1e999999}', 400, "TPL-0017"),
    ("a number with too many digits, written out", '{"filters": 12e999}', 400, "TPL-0017"),
    ("an exponent that no decimal holds", '{"filters": 0E1000000000000000000}', 400, "TPL-0017"),
    ("deep nesting", "[" * 100_000, 400, "TPL-0017"),
    ("65 levels", "[" * 65 + "]" * 65, 400, "TPL-0017"),
    ("half of a surrogate pair", '{"filters": {"\\ud800": {}}}', 400, "TPL-0017"),
    ("a trailing comma", '{"filters": {},}', 400, "TPL-0017"),
    ("a byte order mark", "\ufeff{}", 400, "TPL-0017"),
    ("no body", "", 400, "TPL-0017"),
    ("a body beyond the limit", '{"filters": "' + "x" * 131_072 + '"}', 413, "TPL-0047"),
]


def assert_refused(world: World, answer: Any, expected: int, code: str) -> None:
    assert (answer.status, answer.code) == (expected, code), answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in json.dumps(answer.body)
    assert world.rows("reports") == []
    assert world.messages() == []
    assert world.rows("idempotency") == []


@pytest.mark.parametrize(("body", "expected", "code"), [case[1:] for case in POSTS], ids=[case[0] for case in POSTS])
def test_a_refused_request_leaves_no_report(world: World, body: Any, expected: int, code: str) -> None:
    world.add_template(template_in(ORGANIZATION))
    assert_refused(world, world.call("POST", REPORTS, body, {**ORG, "X-Idempotency": "k"}), expected, code)


@pytest.mark.parametrize(("body", "expected", "code"), [case[1:] for case in RAW], ids=[case[0] for case in RAW])
def test_json_is_never_guessed(world: World, body: str, expected: int, code: str) -> None:
    world.add_template(template_in(ORGANIZATION))
    assert_refused(world, world.call("POST", REPORTS, body, ORG, raw=True), expected, code)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Organization-Id": ""},
        {"X-Organization-Id": "null"},
        {"X-Organization-Id": f"{ORGANIZATION},{ORGANIZATION}"},
        {"X-Organization-Id": "{" + ORGANIZATION + "}"},
        {"X-Organization-Id": ORGANIZATION, "x-organization-id": ORGANIZATION},
        {**ORG, "X-Idempotency": ""},
        {**ORG, "X-Idempotency": "k" * 256},
        {**ORG, "X-Idempotency": "ключ"},
        {**ORG, "X-Idempotency": "a", "Idempotency-Key": "b"},
    ],
)
def test_a_header_that_is_missing_malformed_or_doubled_is_refused(world: World, headers: dict[str, str]) -> None:
    world.add_template(template_in(ORGANIZATION))
    assert_refused(world, world.call("POST", REPORTS, GOOD, headers), 400, "TPL-0004")


def test_an_organization_in_capitals_is_the_same_organization(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    assert world.call("GET", f"{REPORTS}/{REPORT.upper()}", None, {"x-organization-id": ORGANIZATION.upper()}).status == 200


UPLOADS: list[tuple[str, bytes | None, dict[str, str], str, int, str]] = [
    ("no file", None, {}, "t.tpl", 400, "TPL-0005"),
    ("an empty file", b"", {}, "t.tpl", 400, "TPL-0006"),
    ("another ending", b"x", {}, "t.html", 400, "TPL-0002"),
    ("another format", b"x", {"outputFormat": "docx"}, "t.tpl", 400, "TPL-0003"),
    ("a blank description", b"x", {"description": " "}, "t.tpl", 400, "TPL-0001"),
    ("no UTF-8", b"caf\xe9", {}, "t.tpl", 400, "TPL-0007"),
    ("UTF-16", "x{{ 1 }}".encode("utf-16"), {}, "t.tpl", 400, "TPL-0007"),
    ("a program", b"MZ\x90\x00\x03\x00\x00\x00", {}, "t.tpl", 400, "TPL-0007"),
    ("a tag nobody knows", b"{% nosuch %}", {}, "t.tpl", 400, "TPL-0007"),
    ("a source nobody knows", b"{{ lake.t.0.x }}", {}, "t.tpl", 400, "TPL-0031"),
    ("a table nobody knows", b"{{ erp.nope.0.x }}", {}, "t.tpl", 400, "TPL-0030"),
    ("a field nobody knows", b"{{ erp.customers.0.nope }}", {}, "t.tpl", 400, "TPL-0014"),
    ("script", b"<p onclick='x()'>a</p>", {"outputFormat": "html"}, "t.tpl", 400, "TPL-0032"),
    ("a part nobody knows", b"x", {"extra": "1"}, "t.tpl", 400, "TPL-0015"),
    *(
        (f"days as {days[:20]}", b"x", {"expiresAfterDays": days}, "t.tpl", 400, "TPL-0017")
        for days in ("0", "-1", "1.5", "\u0661", "3651", "0000010000000000", "9" * 5006, "")
    ),
    ("a guard that is no switch", b"x", {"formulaGuard": "maybe"}, "t.tpl", 400, "TPL-0017"),
    ("a file beyond the limit", b"x" * (4 * 1024 * 1024), {}, "t.tpl", 413, "TPL-0005"),
]


@pytest.mark.parametrize(
    ("content", "fields", "name", "expected", "code"), [case[1:] for case in UPLOADS], ids=[case[0] for case in UPLOADS]
)
def test_a_refused_upload_leaves_no_template(
    world: World, content: bytes | None, fields: dict[str, str], name: str, expected: int, code: str
) -> None:
    answer = world.upload(content, {"outputFormat": "txt", "description": "d", **fields}, ORG, name=name)
    assert (answer.status, answer.code) == (expected, code), answer.body
    assert world.rows("templates") == []
    assert world.rows("idempotency") == []
    stored = client("s3").list_objects_v2(Bucket="documents", Prefix="templates/")
    assert stored["KeyCount"] == 0


def test_a_broken_form_is_refused(world: World) -> None:
    sent = {**ORG, "Content-Type": "multipart/form-data; boundary=b"}
    for body in (b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\ncut", b"nothing of the kind"):
        assert world.call("POST", "/v1/templates", body, sent).code == "TPL-0005"


def test_an_expired_report_is_gone(world: World) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    world.add_report(replace(report_in(ORGANIZATION, status=Status.FINISHED), expires_at=past))
    for path in (f"{REPORTS}/{REPORT}", f"{REPORTS}/{REPORT}/download"):
        assert (world.call("GET", path, None, ORG).status, world.call("GET", path, None, ORG).code) == (410, "TPL-0043")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("page=0", "TPL-0019"),
        ("page=x", "TPL-0019"),
        ("page=1&page=2", "TPL-0019"),
        ("page=101&limit=100", "TPL-0019"),
        ("cursor=..%2F..", "TPL-0019"),
        ("status=done", "TPL-0019"),
        ("createdAt=2024-13-45", "TPL-0020"),
        ("createdAt=now()", "TPL-0020"),
        ("limit=0", "TPL-0024"),
        ("sortOrder=up", "TPL-0025"),
        ("sort_order=", "TPL-0025"),
    ],
)
def test_a_query_that_cannot_be_is_refused(world: World, query: str, code: str) -> None:
    answer = world.call("GET", f"{REPORTS}?{query}", None, ORG)
    assert (answer.status, answer.code) == (400, code)


def test_wrong_routes_and_methods_have_their_codes(world: World) -> None:
    assert world.call("GET", "/v1/nothing", None, ORG).code == "TPL-0048"
    assert world.call("DELETE", REPORTS, None, ORG).code == "TPL-0049"


def test_a_cursor_leads_through_all_reports_once(world: World) -> None:
    for number in range(7):
        world.add_report(report_in(ORGANIZATION, f"0192f000-0000-7000-8000-00000000030{number}"))
    for order in ("asc", "desc"):
        seen: list[str] = []
        path = f"{REPORTS}?limit=3&sort_order={order}"
        while path:
            page = world.call("GET", path, None, ORG).body
            seen += [item["id"] for item in page["items"]]
            path = f"{REPORTS}?limit=3&sort_order={order}&cursor={page['nextCursor']}" if "nextCursor" in page else ""
        assert seen == sorted(seen, reverse=order == "desc")
        assert len(set(seen)) == len(seen) == 7


def test_what_nobody_expected_is_a_500_without_a_word_of_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*_arguments: Any) -> Any:
        raise KeyError("secret-password")

    monkeypatch.setattr(status, "describe", burst)
    answer = world.call("GET", f"{REPORTS}/{REPORT}", None, ORG)
    assert (answer.status, answer.code) == (500, "TPL-0018")
    assert "secret-password" not in json.dumps(answer.body)


def test_an_outage_says_when_to_come_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_arguments: Any, **_named: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://down")

    monkeypatch.setattr(client("dynamodb"), "_make_api_call", down)
    answer = world.call("GET", f"{REPORTS}/{REPORT}", None, ORG)
    assert (answer.status, answer.code) == (503, "TPL-0018")
    assert answer.headers["retry-after"].isdigit()


def test_the_settings_of_the_door_are_the_contract_s() -> None:
    assert accept.settings.max_body_bytes == 128 * 1024
