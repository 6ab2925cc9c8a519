"""Every case of idempotency, step by step, through the doors on moto."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reporter.assembly import clock
from reporter.exact_json import canonical_hash
from reporter.idempotency import KeyedCall
from reporter.request import ReportRequest
from reporter.workflow.accept import ENDPOINT

from functions.accept import app as accept
from tests.conformance.test_api_cases import break_down, template_in
from tests.world import ORGANIZATION, OTHER, TEMPLATE, Answer, World

CASES = [json.loads(line) for line in (Path(__file__).parent / "idempotency.jsonl").read_text().splitlines()]


def in_flight(step: dict[str, Any]) -> None:
    """The first call has begun and not stored anything yet."""
    request = ReportRequest.from_json(ORGANIZATION, step["body"], clock())
    content = canonical_hash(request.content())
    key = step["headers"].get("X-Idempotency")
    call = KeyedCall(ORGANIZATION, ENDPOINT, key or f"1:{content}", content, key is None)
    window = accept.ports.idempotency._windows[call.derived]  # type: ignore[attr-defined]
    window.store.save_inprogress({"scope": call.reservation_id, "content": content}, 10_000)


def send(world: World, step: dict[str, Any]) -> Answer:
    """One step's call."""
    if "form" in step:
        fields = dict(step["form"])
        return world.upload(fields.pop("template").encode(), fields, step["headers"])
    answer: Answer = world.call(step["method"], step["path"], step["body"], step["headers"])
    return answer


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_the_case_holds(case: dict[str, Any], world: World) -> None:
    run(case, world)


def run(case: dict[str, Any], world: World) -> None:
    """All steps of a case, from an empty store."""
    world.add_template(template_in(ORGANIZATION))
    saved: dict[str, str] = {}
    seen: set[str] = set()
    # One call first makes Powertools know its configuration, as in a warm container.
    world.call("POST", "/v1/reports", {"templateId": TEMPLATE, "filters": {}}, {"X-Organization-Id": OTHER})
    for step in case["steps"]:
        prepare(world, step)
        with pytest.MonkeyPatch.context() as patch:
            if step.get("given") == "database down":
                break_down(patch, "dynamodb")
            answer = send(world, step)
        assert (answer.status, answer.code) == (step["expected_status"], step["expected_code"]), answer.body
        if answer.status == 201:
            assert answer.headers["x-idempotency-replayed"] == ("true" if step["replayed"] else "false")
            assert answer.headers["location"].endswith(answer.body["id"])
        if "expected_headers" in step:
            assert answer.headers["retry-after"].isdigit()
        if "save" in step:
            saved[step["save"]] = answer.body["id"]
        if "same_id_as" in step:
            assert answer.body["id"] == saved[step["same_id_as"]]
        if step.get("new_id"):
            assert answer.body["id"] not in seen
        if answer.status == 201:
            seen.add(answer.body["id"])


def prepare(world: World, step: dict[str, Any]) -> None:
    """Bring about what a step presupposes."""
    match step.get("given"):
        case "first request with k1 still running" | "an identical request without a key is still running":
            in_flight(step)
        case "template 0192f000-0000-7000-8000-000000000001 exists in both organizations":
            world.add_template(template_in(OTHER))
        case "the template got a new version in between":
            world.add_template(replace(template_in(ORGANIZATION), version=2))
        case "301 s later":
            world.age_keys(301)
        case None | "database back" | "database down":
            return
        case other:
            raise AssertionError(other)


def test_a_derived_key_replays_only_within_its_window(world: World) -> None:
    world.add_template(template_in(ORGANIZATION))
    body, headers = {"templateId": TEMPLATE, "filters": {}}, {"X-Organization-Id": ORGANIZATION}
    first = world.call("POST", "/v1/reports", body, headers)
    second = world.call("POST", "/v1/reports", body, headers)
    assert second.body["id"] == first.body["id"]
    world.age_keys(301)
    third = world.call("POST", "/v1/reports", body, headers)
    assert third.status == 201
    assert third.body["id"] != first.body["id"]
    assert third.headers["x-idempotency-replayed"] == "false"


def test_a_derived_key_never_replays_a_deleted_template(world: World) -> None:
    headers = {"X-Organization-Id": ORGANIZATION}
    fields = {"outputFormat": "txt", "description": "d"}
    first = world.upload(b"x", fields, headers)
    assert world.call("DELETE", f"/v1/templates/{first.body['id']}", None, headers).status == 204
    second = world.upload(b"x", fields, headers)
    assert second.status == 201
    assert second.body["id"] != first.body["id"]
    assert second.headers["x-idempotency-replayed"] == "false"


def test_a_derived_key_of_an_upload_is_of_content_format_and_options(world: World) -> None:
    headers, fields = {"X-Organization-Id": ORGANIZATION}, {"outputFormat": "txt", "description": "d"}
    first = world.upload(b"x", fields, headers, name="a.tpl").body["id"]
    assert world.upload(b"x", {**fields, "outputFormat": "TXT"}, headers, name="b.tpl").body["id"] == first
    others = [(b"y", fields), (b"x", {**fields, "outputFormat": "csv"}), (b"x", {**fields, "description": "e"})]
    others.append((b"x", {**fields, "timeZone": "Europe/Lisbon"}))
    made = {world.upload(content, form, headers).body["id"] for content, form in others}
    assert len(made | {first}) == len(others) + 1
