"""Access control on the deployed stack: every route against every kind of token."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from reporter.access.actions import ACTIONS, OPEN_ROUTES

from local import tokens
from local.paths import STACK
from local.postgresql import EmbeddedPostgres
from local.stack import Running
from samples import ledger
from tests.e2e.deployed import Deployed

pytestmark = pytest.mark.timeout(600)
Route = tuple[str, str]
ORGANIZATION, STRANGER = ledger.ORGANIZATION, ledger.OTHER_ORGANIZATION
LIST = ("GET", "/v1/reports")
VARIABLES = {
    "AccessControl": "ACCESS_CONTROL",
    "JwksUrl": "JWKS_URL",
    "TokenIssuer": "TOKEN_ISSUER",
    "TokenAudience": "TOKEN_AUDIENCE",
}
"""Parameter of the template → variable of the authorizer, the only function that knows of access control."""


@pytest.fixture(scope="module", autouse=True)
def locked(deployed: tuple[Running, EmbeddedPostgres], deployed_world: Deployed) -> Iterator[None]:
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
    yield
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})
    wait_until(deployed_world, 200)


def wait_until(world: Deployed, status: int) -> None:
    deadline = time.monotonic() + 60
    while (found := called(world, LIST, None)[0]) != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def good(route: Route, **changes: Any) -> str:
    """A token for this route and nothing else."""
    return tokens.signed({**tokens.claims_for([ORGANIZATION], [ACTIONS[route]]), **changes})


def others(route: Route) -> str:
    return tokens.signed(tokens.claims_for([ORGANIZATION], [a for a in ACTIONS.values() if a != ACTIONS[route]]))


@cache
def strangers_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def forged(route: Route) -> str:
    claims = tokens.claims_for([ORGANIZATION], [ACTIONS[route]])
    return jwt.encode(claims, strangers_key(), algorithm="RS256", headers={"kid": tokens.KEY_ID})


TOKENS: dict[str, tuple[Callable[[Route], str | None], int, str]] = {
    "none": (lambda route: None, 401, "TPL-0401"),
    "broken": (lambda route: good(route)[:-8], 401, "TPL-0401"),
    "forged": (forged, 401, "TPL-0401"),
    "expired": (lambda route: good(route, exp=int(time.time()) - 120), 401, "TPL-0401"),
    "for another audience": (lambda route: good(route, aud="somebody"), 401, "TPL-0401"),
    "for another organization": (lambda route: good(route, organizations=[STRANGER]), 403, "TPL-0403"),
    "without the action": (others, 403, "TPL-0403"),
}
RIGHT: dict[Route, tuple[int, str | None]] = {
    ("POST", "/v1/reports"): (400, "TPL-0016"),
    ("POST", "/v1/templates"): (400, "TPL-0005"),
    ("POST", "/v1/templates/preview"): (400, "TPL-0005"),
    ("PATCH", "/v1/templates/{id}"): (400, "TPL-0005"),
    ("GET", "/v1/data-sources/{id}"): (404, "TPL-0031"),
    **{
        route: (404, "TPL-0011")
        for route in ACTIONS
        if "/{id}" in route[1] and route[0] != "PATCH" and "data" not in route[1]
    },
    **{(method, path): (200, None) for method, path in ACTIONS if method == "GET" and "{id}" not in path},
}
"""What a call without anything in it is answered once it may go on."""


def called(
    world: Deployed, route: Route, token: str | None, organization: str | None = ORGANIZATION
) -> tuple[int, str | None]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    headers |= {} if organization is None else {"X-Organization-Id": organization}
    body: dict[str, Any] | None = {} if route == ("POST", "/v1/reports") else None
    answer = world.call(route[0], route[1].replace("{id}", str(uuid.uuid4())), body, headers)
    if answer.status in {401, 403}:
        assert set(answer.body) == {"type", "title", "status", "detail", "code", "message"}
        assert answer.headers["content-type"] == "application/problem+json"
    return answer.status, answer.code


@pytest.mark.parametrize("route", ACTIONS, ids=" ".join)
def test_every_route_is_answered_as_its_token_deserves(deployed_world: Deployed, route: Route) -> None:
    for kind, (token, *expected) in TOKENS.items():
        assert called(deployed_world, route, token(route)) == tuple(expected), kind
    assert called(deployed_world, route, good(route)) == RIGHT[route]


def test_a_missing_organization_is_told_to_who_has_a_token_only(deployed_world: Deployed) -> None:
    route = LIST
    assert called(deployed_world, route, good(route), None) == (400, "TPL-0004")
    assert called(deployed_world, route, good(route), "nonsense") == (400, "TPL-0004")
    assert called(deployed_world, route, None, None) == (401, "TPL-0401")


def test_two_organization_headers_are_refused_whichever_the_token_names(deployed_world: Deployed) -> None:
    authorization = ("Authorization", f"Bearer {good(('GET', '/v1/reports'))}")
    twice = [("X-Organization-Id", ORGANIZATION), ("x-organization-id", STRANGER)]
    for headers in (twice, twice[::-1]):
        answer = deployed_world.send("GET", "/v1/reports", None, [authorization, *headers])
        assert answer.code in {"TPL-0004", "TPL-0403"}
        assert answer.status in {400, 403}


def test_open_routes_need_nothing(deployed_world: Deployed) -> None:
    for method, path in OPEN_ROUTES:
        assert deployed_world.call(method, path).status == 200


def test_a_wrong_method_is_told_apart_from_a_missing_token(deployed_world: Deployed) -> None:
    assert called(deployed_world, ("PUT", "/v1/reports"), None) == (405, "TPL-0049")
    assert called(deployed_world, ("GET", "/v1/nothing"), None) == (404, "TPL-0048")


def test_a_report_tells_who_asked_for_it_and_two_people_with_one_key_get_one_report(deployed_world: Deployed) -> None:
    made = []
    content = b"fixed"
    for subject in ("first@bank", "second@bank"):
        claims = tokens.claims_for([ORGANIZATION], subject=subject)
        headers = {"X-Organization-Id": ORGANIZATION, "Authorization": f"Bearer {tokens.signed(claims)}"}
        fields = {"outputFormat": "TXT", "description": "d"}
        template = deployed_world.upload(content, fields, {**headers, "X-Idempotency": "who"}).body["id"]
        body = json.dumps({"templateId": template, "filters": {}})
        answer = deployed_world.call("POST", "/v1/reports", body, {**headers, "X-Idempotency": "whose"}, raw=True)
        made.append((answer.status, answer.body["id"], answer.body["createdBy"]))
    assert made[0] == made[1]
    assert made[0][2] == "first@bank"
