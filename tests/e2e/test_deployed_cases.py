"""The cases of the contract once more, on the deployed stack: all that need no part of it to be down."""

import json
from typing import Any

import pytest

from tests.conformance import test_api_cases as api_cases
from tests.conformance import test_idempotency_cases as idempotency_cases
from tests.e2e.deployed import Deployed
from tests.integration.test_routes import METHODS, PATHS
from tests.world import ORGANIZATION, TEMPLATE

pytestmark = pytest.mark.timeout(600)
API = [case for case in api_cases.CASES if not any(text.endswith(" down") for text in case.get("given", ()))]
IDEMPOTENCY = [
    case
    for case in idempotency_cases.CASES
    if not any(str(step.get("given")).endswith((" down", "still running")) for step in case["steps"])
]


def test_most_cases_are_among_them() -> None:
    assert len(API) > 0.95 * len(api_cases.CASES)
    assert len(IDEMPOTENCY) > 0.8 * len(idempotency_cases.CASES)


@pytest.mark.parametrize("case", API, ids=lambda c: c["id"])
def test_the_api_case_holds(case: dict[str, Any], empty_world: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in case.get("given", ()):
        api_cases.given(empty_world, text, monkeypatch)
    api_cases.check(case, api_cases.sent(case, empty_world))


@pytest.mark.parametrize("case", IDEMPOTENCY, ids=lambda c: c["id"])
def test_the_idempotency_case_holds(case: dict[str, Any], empty_world: Deployed) -> None:
    idempotency_cases.run(case, empty_world)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_knows_its_methods_and_no_others(path: str, deployed_world: Deployed) -> None:
    place = path.replace("{source_id}", "nowhere").replace("{report_id}", "x").replace("{template_id}", "x")
    for method in METHODS:
        answer = deployed_world.call(method, place, None, {})
        if method in PATHS[path]:
            assert answer.status == (200 if path in {"/health", "/openapi.json"} else 400), method
        else:
            assert answer.status == 405, method
            assert answer.headers["allow"] == ", ".join(PATHS[path])
            assert method == "HEAD" or answer.code == "TPL-0049"


@pytest.mark.parametrize("name", ["X-Organization-Id", "x-organization-id"])
def test_an_organization_named_twice_is_refused(name: str, empty_world: Deployed) -> None:
    headers = [("X-Organization-Id", ORGANIZATION), (name, ORGANIZATION), ("Content-Type", "application/json")]
    body = json.dumps({"templateId": TEMPLATE, "filters": {}})
    answer = empty_world.send("POST", "/v1/reports", body, headers)
    assert (answer.status, answer.code) == (400, "TPL-0004")
    assert empty_world.rows("reports") == []
