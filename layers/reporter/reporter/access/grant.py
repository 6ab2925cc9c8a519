"""What a verified token grants: to whom, for which organizations, which actions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reporter.access.actions import ACTIONS
from reporter.errors import RequestError
from reporter.request import UUID_PATTERN

MAX_SUBJECT = 255
MAX_NAMES = 1000


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Which claims hold what. A name is looked up as it stands, then as a path of members (``realm_access.roles``)."""

    organizations: str = "organizations"
    actions: str = "permissions"


@dataclass(frozen=True, slots=True)
class Grant:
    """``organizations``: ids in lower case. ``actions``: those of ``ACTIONS`` the token names."""

    subject: str
    organizations: frozenset[str]
    actions: frozenset[str]

    def check(self, organization_id: str, action: str) -> None:
        """Raises ``RequestError`` TPL-0403 unless both are named."""
        if organization_id not in self.organizations:
            raise RequestError("TPL-0403", "the token does not name this organization")
        if action not in self.actions:
            raise RequestError("TPL-0403", f"the token does not allow {action}")


def grant_of(claims: Mapping[str, Any], names: ClaimNames) -> Grant:
    """The grant of a verified token's claims; what is missing is not granted.

    Organizations and actions are lists of texts, or one text with blanks between them; an action is written
    ``reports:post`` or ``reports/post``. Raises ``RequestError`` TPL-0401 for claims of any other shape.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
        raise malformed("sub")
    known = frozenset(ACTIONS.values())
    organizations = {name.lower() for name in _texts(claims, names.organizations) if UUID_PATTERN.fullmatch(name)}
    actions = {name.replace("/", ":", 1) for name in _texts(claims, names.actions)}
    return Grant(subject, frozenset(organizations), known & actions)


def malformed(claim: str) -> RequestError:
    """A token whose claim is not what it must be."""
    return RequestError("TPL-0401", f"the token's claim {claim} is missing or malformed")


def _texts(claims: Mapping[str, Any], name: str) -> list[str]:
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for member in name.split("."):
            found = found.get(member) if isinstance(found, Mapping) else None
    if found is None:
        return []
    if isinstance(found, str):
        found = found.split()
    if not isinstance(found, list) or len(found) > MAX_NAMES or not all(isinstance(item, str) for item in found):
        raise malformed(name)
    return found
