"""Whether a call may go on to its door."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reporter.access.actions import ACTIONS
from reporter.access.grant import ClaimNames, grant_of
from reporter.access.key_set import KeySet
from reporter.access.token import Expected, bearer_token, verified_claims
from reporter.errors import RequestError
from reporter.request import UUID_PATTERN


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call as the gateway knows it. ``resource``: the route's path with its parameters' names."""

    method: str
    resource: str
    authorization: list[str]
    organization: list[str]


@dataclass(frozen=True, slots=True)
class Rules:
    """What tokens must be and where they say what they grant."""

    keys: KeySet
    expected: Expected
    names: ClaimNames = field(default_factory=ClaimNames)


def authorize(attempt: Attempt, rules: Rules) -> Mapping[str, str]:
    """What the door is told of the caller: ``access``, ``subject``, ``actions`` (blanks between), ``organization``.

    A call whose organization header is missing, doubled or malformed goes on with an empty ``organization``: its door
    refuses it with the header's own error. Raises ``RequestError`` TPL-0401 or TPL-0403, and ``Unavailable``.
    """
    claims = verified_claims(bearer_token(attempt.authorization), rules.keys, rules.expected)
    grant = grant_of(claims, rules.names)
    action = ACTIONS.get((attempt.method, attempt.resource))
    if action is None:
        raise RequestError("TPL-0403", "this route is not open to anyone")
    organization = ""
    if len(attempt.organization) == 1 and UUID_PATTERN.fullmatch(attempt.organization[0]):
        organization = attempt.organization[0].lower()
        grant.check(organization, action)
    elif action not in grant.actions:
        raise RequestError("TPL-0403", f"the token does not allow {action}")
    return {
        "access": "on",
        "subject": grant.subject,
        "organization": organization,
        "actions": " ".join(sorted(grant.actions)),
    }
