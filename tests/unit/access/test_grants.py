"""What a token grants, and nothing more."""

from typing import Any

import pytest
from reporter.access.actions import ACTIONS
from reporter.access.authorize import Attempt, Rules, authorize
from reporter.access.grant import ClaimNames, grant_of
from reporter.errors import RequestError

from tests.unit.access.issuer import EXPECTED, ORGANIZATION, OTHER, Endpoint, claims, rsa_jwk, token

NAMES = ClaimNames()


def test_organizations_and_actions_are_lists_or_texts_with_blanks() -> None:
    for organizations in ([ORGANIZATION.upper(), OTHER], f"{ORGANIZATION} {OTHER}"):
        grant = grant_of(claims(organizations=organizations, permissions="reports/get templates:post"), NAMES)
        assert grant.organizations == {ORGANIZATION, OTHER}
        assert grant.actions == {"reports:get", "templates:post"}


def test_claims_can_have_other_names_and_stand_in_objects() -> None:
    names = ClaimNames("https://bank.test/organizations", "resource_access.reporter.roles")
    found = {
        "sub": "s",
        "https://bank.test/organizations": [ORGANIZATION],
        "resource_access": {"reporter": {"roles": ["reports:get"]}},
    }
    grant = grant_of(found, names)
    assert grant.organizations == {ORGANIZATION}
    assert grant.actions == {"reports:get"}


@pytest.mark.parametrize("missing", ["organizations", "permissions"])
def test_what_a_token_does_not_name_it_does_not_grant(missing: str) -> None:
    grant = grant_of(claims(**{missing: None}), NAMES)
    with pytest.raises(RequestError) as error:
        grant.check(ORGANIZATION, "reports:get")
    assert error.value.code == "TPL-0403"


@pytest.mark.parametrize("value", [{ORGANIZATION: 1}, 5, [[ORGANIZATION]], [None], True, ["x"] * 1001])
def test_claims_of_another_shape_are_no_claims(value: Any) -> None:
    with pytest.raises(RequestError) as error:
        grant_of(claims(organizations=value), NAMES)
    assert error.value.code == "TPL-0401"


@pytest.mark.parametrize("subject", ["", "x" * 256, "a\nb", 5, None])
def test_the_subject_is_a_short_line_of_text(subject: Any) -> None:
    with pytest.raises(RequestError):
        grant_of({**claims(), "sub": subject}, NAMES)


@pytest.mark.parametrize("organization", ["*", "null", "", ORGANIZATION.replace("-", ""), f"{{{ORGANIZATION}}}", "%"])
def test_nothing_but_an_organizations_id_names_an_organization(organization: str) -> None:
    assert not grant_of(claims(organizations=[organization]), NAMES).organizations


@pytest.mark.parametrize("action", ["*", "reports:*", "reports", "report:get", "Reports:get", "reports:get:all"])
def test_an_action_is_named_in_full(action: str) -> None:
    assert not grant_of(claims(permissions=[action]), NAMES).actions


RULES = Rules(Endpoint(rsa_jwk()).key_set(), EXPECTED)
EVERYTHING = sorted(set(ACTIONS.values()))


def tried(route: tuple[str, str], text: str | None, *organization: str) -> str:
    """``allowed``, or the code of the refusal."""
    headers = [] if text is None else [f"Bearer {text}"]
    try:
        told = authorize(Attempt(*route, headers, list(organization)), RULES)
    except RequestError as error:
        return error.code
    assert told["access"] == "on"
    return "allowed"


@pytest.mark.parametrize("route", ACTIONS)
def test_every_route_asks_for_token_organization_and_action(route: tuple[str, str]) -> None:
    others = [action for action in EVERYTHING if action != ACTIONS[route]]
    assert tried(route, token(permissions=[ACTIONS[route]]), ORGANIZATION) == "allowed"
    assert tried(route, token(permissions=EVERYTHING), OTHER) == "TPL-0403"
    assert tried(route, token(permissions=others), ORGANIZATION) == "TPL-0403"
    assert tried(route, token(permissions=others)) == "TPL-0403"
    assert tried(route, None, ORGANIZATION) == "TPL-0401"


@pytest.mark.parametrize(
    "route", [("GET", "/v1/secrets"), ("PUT", "/v1/reports"), ("get", "/v1/reports"), ("GET", "/health")]
)
def test_a_route_without_an_action_is_nobodys(route: tuple[str, str]) -> None:
    assert tried(route, token(permissions=EVERYTHING), ORGANIZATION) == "TPL-0403"


@pytest.mark.parametrize("organizations", [(), (ORGANIZATION, OTHER), ("nonsense",)])
def test_a_broken_organization_header_goes_on_to_be_refused_by_its_door(organizations: tuple[str, ...]) -> None:
    attempt = Attempt("GET", "/v1/reports", [f"Bearer {token()}"], list(organizations))
    assert authorize(attempt, RULES)["organization"] == ""
