"""The authorizer's door: from API Gateway's event to a policy, and what the doors behind it make of the caller."""

import json
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from reporter.aws.http import Call
from reporter.errors import RequestError

from tests.unit.access.issuer import EXPECTED, ORGANIZATION, OTHER, Endpoint, rsa_jwk, token
from tests.world import Context, World

door: Any = import_module("functions.authorizer.app")
ARN = "arn:aws:execute-api:us-east-1:123456789012:api/test/GET/v1/reports"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    made = Endpoint(rsa_jwk())
    monkeypatch.setattr(door, "settings", door.settings.model_copy(update={"access_control": True}))
    monkeypatch.setattr(door, "rules", replace(door.rules, keys=made.key_set(), expected=EXPECTED))
    return made


def event(authorization: str | None, organization: str | None = ORGANIZATION) -> dict[str, Any]:
    headers = {"authorization": authorization, "x-organization-id": organization}
    return {
        "type": "REQUEST",
        "methodArn": ARN,
        "httpMethod": "GET",
        "resource": "/v1/reports",
        "headers": {name: value for name, value in headers.items() if value is not None},
        "multiValueHeaders": {name: [value] for name, value in headers.items() if value is not None},
    }


def effect(answer: dict[str, Any]) -> str:
    [statement] = answer["policyDocument"]["Statement"]
    assert statement["Resource"] == ARN
    return str(statement["Effect"])


def test_with_access_control_off_everyone_passes_and_is_nobody() -> None:
    answer = door.handler(event(None), Context())
    assert (effect(answer), answer["context"]) == ("Allow", {"access": "off"})


def test_a_good_token_passes_and_the_door_is_told_whose_it_is(endpoint: Endpoint) -> None:
    answer = door.handler(event(f"Bearer {token()}"), Context())
    assert effect(answer) == "Allow"
    assert answer["principalId"] == "auditor"
    assert answer["context"] == {
        "access": "on",
        "subject": "auditor",
        "organization": ORGANIZATION,
        "actions": "reports:get reports:post",
    }


def test_no_token_is_the_gateways_401_and_the_wrong_organization_its_403(endpoint: Endpoint) -> None:
    for authorization in (None, "Bearer nonsense", f"Bearer {token(exp=1)}"):
        with pytest.raises(Exception, match=r"^Unauthorized$"):
            door.handler(event(authorization), Context())
    assert effect(door.handler(event(f"Bearer {token()}", OTHER), Context())) == "Deny"


def test_an_issuer_that_is_down_is_an_outage_and_no_refusal(endpoint: Endpoint) -> None:
    endpoint.down = True
    with pytest.raises(Exception, match="key set is not available"):
        door.handler(event(f"Bearer {token()}"), Context())


def test_tokens_are_never_logged(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    secret = token(sub="secret subject", organizations=[OTHER])
    assert effect(door.handler(event(f"Bearer {secret}"), Context())) == "Deny"
    written = caplog.text + str([vars(record) for record in caplog.records])
    assert "does not name this organization" in written
    assert secret not in written
    assert "secret subject" not in written


def called(authorizer: dict[str, str]) -> Call:
    raw = {"headers": {"X-Organization-Id": ORGANIZATION}, "requestContext": {"authorizer": authorizer}}
    app: Any = SimpleNamespace(current_event=SimpleNamespace(raw_event=raw, path="/v1/reports", http_method="GET"))
    return Call(app)


def test_a_door_takes_the_organization_only_that_the_token_was_checked_for() -> None:
    assert called({"access": "on", "organization": ORGANIZATION}).organization() == ORGANIZATION
    assert called({"access": "off"}).organization() == ORGANIZATION
    for checked in (OTHER, ""):
        with pytest.raises(RequestError) as error:
            called({"access": "on", "organization": checked}).organization()
        assert error.value.code == "TPL-0403"


@pytest.mark.parametrize(
    "told", [{}, {"access": ""}, {"access": "On"}, {"organization": ORGANIZATION, "subject": "auditor"}]
)
def test_a_door_that_no_authorizer_stands_in_front_of_stays_shut(told: dict[str, str]) -> None:
    for asked in (called(told).organization, called(told).subject, lambda: called(told).allow("reports:get")):
        with pytest.raises(RequestError) as error:
            asked()
        assert error.value.code == "TPL-0401"


def test_a_door_can_ask_for_a_further_action() -> None:
    granted = called({"access": "on", "organization": ORGANIZATION, "actions": "templates:post reports:post"})
    granted.allow("reports:post")
    called({"access": "off"}).allow("reports:post")
    with pytest.raises(RequestError) as error:
        granted.allow("reports:delete")
    assert error.value.code == "TPL-0403"


def test_a_report_tells_who_asked_for_it(world: World) -> None:
    headers = {"X-Organization-Id": ORGANIZATION, "Content-Type": "application/json"}
    uploaded = world.upload(
        b"{% for c in erp.customers %}{{ c.name }}{% endfor %}", {"outputFormat": "TXT", "description": "d"}, headers
    )
    body = json.dumps({"templateId": uploaded.body["id"], "filters": {}})
    caller = {"access": "on", "organization": ORGANIZATION, "subject": "auditor", "actions": "reports:post"}
    answer = world.call("POST", "/v1/reports", body, headers, raw=True, caller=caller)
    assert answer.body["createdBy"] == "auditor"
    [row] = world.rows("reports")
    assert row["createdBy"] == {"S": "auditor"}
