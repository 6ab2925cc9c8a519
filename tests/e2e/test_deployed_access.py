"""Access control on the deployed stack: the gateway asks the authorizer, and says no in the contract's words."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local import tokens
from local.paths import STACK
from local.postgresql import EmbeddedPostgres
from local.stack import Running
from tests.e2e.deployed import Deployed
from tests.world import ORGANIZATION, OTHER, Answer

pytestmark = pytest.mark.timeout(300)
VARIABLES = {
    "AccessControl": "ACCESS_CONTROL",
    "JwksUrl": "JWKS_URL",
    "TokenIssuer": "TOKEN_ISSUER",
    "TokenAudience": "TOKEN_AUDIENCE",
}
GOOD = {"templateId": "0192f000-0000-7000-8000-000000000001", "filters": {}}


@pytest.fixture(scope="module")
def guarded(deployed: tuple[Running, EmbeddedPostgres], deployed_world: Deployed) -> Iterator[Deployed]:
    """The stack with access control on, and off again afterwards."""
    running = deployed[0]
    resource = running.client("cloudformation").describe_stack_resource(
        StackName=STACK, LogicalResourceId="AuthorizerFunction"
    )
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    functions = running.client("lambda")
    before: dict[str, str] = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    told = {VARIABLES[parameter]: value for parameter, value in tokens.publish(running.endpoint).items()}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, **told}})
    wait_until(deployed_world, 401)
    yield deployed_world
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})
    wait_until(deployed_world, 200)


def wait_until(world: Deployed, status: int) -> None:
    deadline = time.monotonic() + 60
    while (found := asked(world, None).status) != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def asked(world: Deployed, token: str | None, organization: str = ORGANIZATION, *call: Any) -> Answer:
    """The list of reports, or another call, with this token."""
    headers = {"X-Organization-Id": organization, "Content-Type": "application/json"}
    method, path, body = call or ("GET", "/v1/reports", None)
    return world.call(method, path, body, headers if token is None else {**headers, "Authorization": f"Bearer {token}"})


def assert_refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.code, answer.body["status"]) == (status, code, status)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_good_token_opens_what_it_names(guarded: Deployed) -> None:
    assert asked(guarded, tokens.signed(tokens.claims_for([ORGANIZATION]))).status == 200
    assert asked(guarded, tokens.signed(tokens.claims_for([OTHER, ORGANIZATION], ["reports:get"]))).status == 200


def test_without_a_valid_token_nothing_is_open_but_health_and_the_description(guarded: Deployed) -> None:
    good = tokens.claims_for([ORGANIZATION])
    for token in (
        None,
        "",
        "nonsense",
        tokens.signed({**good, "exp": good["iat"] - 3600}),
        tokens.signed(good)[:-6] + "AAAAAA",
    ):
        assert_refused(asked(guarded, token), 401, "TPL-0401")
    for path in ("/health", "/openapi.json"):
        assert guarded.call("GET", path, None, {}).status == 200


def test_a_token_opens_no_other_organization_and_no_other_action(guarded: Deployed) -> None:
    token = tokens.signed(tokens.claims_for([ORGANIZATION], ["reports:get"]))
    assert_refused(asked(guarded, token, OTHER), 403, "TPL-0403")
    assert_refused(asked(guarded, token, ORGANIZATION, "POST", "/v1/reports", GOOD), 403, "TPL-0403")
    assert_refused(asked(guarded, token, ORGANIZATION, "GET", "/v1/data-sources", None), 403, "TPL-0403")
    writer = tokens.signed(tokens.claims_for([ORGANIZATION], ["reports:post"]))
    answer = asked(guarded, writer, ORGANIZATION, "POST", "/v1/reports", {**GOOD, "templateId": json.dumps(GOOD)})
    assert_refused(answer, 400, "TPL-0012")


def test_a_wrong_method_is_told_apart_from_a_missing_token(guarded: Deployed) -> None:
    assert_refused(asked(guarded, None, ORGANIZATION, "PUT", "/v1/reports", None), 405, "TPL-0049")
    assert_refused(asked(guarded, None, ORGANIZATION, "GET", "/v1/nothing", None), 404, "TPL-0048")
