"""The table of codes, row by row: what brings a code about, its status, what it points at, and that nothing is stored."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from reporter.aws.clients import client
from reporter.errors import CODES
from reporter.report import Status

from local.paths import ROOT
from tests.conformance.test_api_cases import NOW, REPORT, add_finished, break_down, report_in, template_in
from tests.conformance.test_idempotency_cases import in_flight
from tests.sam_template import gateway_answer
from tests.world import ORGANIZATION, TEMPLATE, Answer, World

ORG = {"X-Organization-Id": ORGANIZATION}
KEYED = {**ORG, "X-Idempotency": "k"}
GOOD: dict[str, Any] = {"templateId": TEMPLATE, "filters": {}}
FORM = {"outputFormat": "txt", "description": "d"}

Act = Callable[[], Answer]
Scene = Callable[[World], Act]
"""Prepares a world and returns the call that is refused in it."""


def filtered(by_table: dict[str, Any], source: str = "erp") -> Scene:
    return posted({**GOOD, "filters": {source: by_table}})


def posted(body: Any) -> Scene:
    def scene(world: World) -> Act:
        world.add_template(template_in(ORGANIZATION))
        return lambda: world.call("POST", "/v1/reports", body, KEYED, raw=isinstance(body, str))

    return scene


def uploaded(content: bytes | None, name: str = "t.tpl", **fields: str) -> Scene:
    return lambda world: lambda: world.upload(content, {**FORM, **fields}, KEYED, name=name)


def asked(path: str, headers: dict[str, str] = ORG, method: str = "GET") -> Scene:
    return lambda world: lambda: world.call(method, path, None, headers)


def from_the_gateway(kind: str) -> Scene:
    def act() -> Answer:
        status, body = gateway_answer(kind)
        return Answer(status, body, {"content-type": "application/problem+json"})

    return lambda _world: act


def format_without_file(world: World) -> Act:
    world.add_template(template_in(ORGANIZATION))
    path = f"/v1/templates/{TEMPLATE}"
    return lambda: world.upload(None, {"outputFormat": "txt"}, ORG, method="PATCH", path=path)


def key_in_flight(world: World) -> Act:
    world.add_template(template_in(ORGANIZATION))
    # A warm container: Powertools knows its configuration.
    world.call("POST", "/v1/reports", {**GOOD, "metadata": {"another": True}}, ORG)
    in_flight({"headers": KEYED, "body": GOOD})
    return lambda: world.call("POST", "/v1/reports", GOOD, KEYED)


def key_with_other_content(world: World) -> Act:
    world.add_template(template_in(ORGANIZATION))
    world.call("POST", "/v1/reports", GOOD, KEYED)
    return lambda: world.call("POST", "/v1/reports", {**GOOD, "metadata": {"other": 1}}, KEYED)


def table_in_two_schemas(world: World) -> Act:
    columns = {"id": "uuid"}
    world.register_source("two", {"schemas": ["a", "b"], "tables": {"a.t": columns, "b.t": columns}})
    return filtered({"t": {"id": {"eq": [REPORT]}}}, "two")(world)


def outage(world: World) -> Act:
    world.add_template(template_in(ORGANIZATION))

    def act() -> Answer:
        with pytest.MonkeyPatch.context() as patch:
            break_down(patch, "dynamodb")
            return world.call("POST", "/v1/reports", GOOD, KEYED)

    return act


def not_finished(world: World) -> Act:
    world.add_report(report_in(ORGANIZATION, status=Status.PROCESSING))
    return lambda: world.call("GET", f"/v1/reports/{REPORT}/download", None, ORG)


def expired(world: World) -> Act:
    add_finished(world, ORGANIZATION, "HTML", expires_at=NOW - timedelta(seconds=1))
    return lambda: world.call("GET", f"/v1/reports/{REPORT}/download", None, ORG)


def already_over(what: str) -> Scene:
    def scene(world: World) -> Act:
        add_finished(world, ORGANIZATION, "HTML")
        return lambda: world.call("POST", f"/v1/reports/{REPORT}/{what}", None, ORG)

    return scene


SCENES: dict[str, Scene] = {
    "TPL-0001": uploaded(b"x", description=" "),
    "TPL-0002": uploaded(b"x", name="t.txt"),
    "TPL-0003": uploaded(b"x", outputFormat="docx"),
    "TPL-0004": asked("/v1/reports", {}),
    "TPL-0005": uploaded(None),
    "TPL-0006": uploaded(b""),
    "TPL-0007": uploaded(b"{% if %}"),
    "TPL-0009": asked("/v1/reports/42"),
    "TPL-0010": format_without_file,
    "TPL-0011": asked(f"/v1/reports/{REPORT}"),
    "TPL-0012": posted({**GOOD, "templateId": "42"}),
    "TPL-0014": filtered({"customers": {"nope": {"eq": [1]}}}),
    "TPL-0015": filtered({"customers": {"name": {"like": ["a"]}}}),
    "TPL-0016": posted({"templateId": TEMPLATE}),
    "TPL-0017": posted("{"),
    "TPL-0018": outage,
    "TPL-0019": asked("/v1/reports?page=0"),
    "TPL-0020": asked("/v1/reports?createdAt=yesterday"),
    "TPL-0024": asked("/v1/reports?limit=101"),
    "TPL-0025": asked("/v1/reports?sort_order=up"),
    "TPL-0026": posted({**GOOD, "metadata": {"k" * 101: 1}}),
    "TPL-0027": posted({**GOOD, "metadata": {"k": "v" * 2001}}),
    "TPL-0028": posted({**GOOD, "metadata": {"k": {}}}),
    "TPL-0029": not_finished,
    "TPL-0030": filtered({"nope": {"id": {"eq": [1]}}}),
    "TPL-0031": filtered({"customers": {}}, "lake"),
    "TPL-0032": uploaded(b"<script>1</script>", outputFormat="html"),
    "TPL-0035": table_in_two_schemas,
    "TPL-0039": key_in_flight,
    "TPL-0040": key_with_other_content,
    "TPL-0043": expired,
    "TPL-0045": already_over("cancel"),
    "TPL-0046": already_over("retry"),
    "TPL-0047": posted({**GOOD, "metadata": {"k": "v" * 131_072}}),
    "TPL-0048": asked("/v1/nothing"),
    "TPL-0049": asked("/v1/reports", method="PUT"),
    "TPL-0401": from_the_gateway("UNAUTHORIZED"),
    "TPL-0403": from_the_gateway("ACCESS_DENIED"),
    "TPL-0429": from_the_gateway("THROTTLED"),
}


def everything(world: World) -> list[Any]:
    """All that is stored: rows, versions of objects, messages."""
    rows = [world.rows(table) for table in ("reports", "templates", "idempotency", "schemas")]
    versions = client("s3").list_object_versions(Bucket="documents").get("Versions", [])
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    queue = client("sqs").get_queue_attributes(QueueUrl=world.queue_url, AttributeNames=names)
    return [*rows, [(v["Key"], v["VersionId"]) for v in versions], queue["Attributes"]]


def test_every_code_has_its_scene() -> None:
    assert set(SCENES) == set(CODES)


@pytest.mark.parametrize("code", SCENES)
def test_the_code_comes_as_the_table_says_and_nothing_is_stored(code: str, world: World) -> None:
    act = SCENES[code](world)
    before = everything(world)
    answer = act()
    assert (answer.status, answer.code) == (CODES[code].status, code), answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    known = {"type": f"urn:reporter:error:{code}", "title": CODES[code].title, "status": CODES[code].status, "code": code}
    assert {name: answer.body[name] for name in known} == known
    assert answer.body["message"] == answer.body["detail"] != ""
    assert set(answer.body) - {"type", "title", "status", "detail", "code", "message", "fields"} == set()
    assert bool(answer.body.get("fields")) is bool(CODES[code].fields)
    assert everything(world) == before


@pytest.mark.parametrize("kind", ["MISSING_AUTHENTICATION_TOKEN", "RESOURCE_NOT_FOUND"])
def test_the_gateway_says_it_in_the_same_words(kind: str) -> None:
    status, body = gateway_answer(kind)
    assert (body["status"], body["title"], body["detail"]) == (
        status,
        CODES[body["code"]].title,
        CODES[body["code"]].when,
    )


def test_the_table_in_the_documentation_is_the_table_in_the_code() -> None:
    rows = [f"| {code} | {row.status} | {row.title} | {row.when} | {row.fields} |" for code, row in CODES.items()]
    written = [line for line in (ROOT / "docs" / "errors.md").read_text().splitlines() if line.startswith("| TPL-")]
    assert written == rows
