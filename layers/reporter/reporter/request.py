"""What a caller asks for: a template, filters and a few wishes; checked for all that the request alone decides."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reporter.errors import FieldProblem, RequestError
from reporter.limit import passed
from reporter.row_filters import check_operators

UUID_PATTERN = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", re.ASCII)
NOBODY = "00000000-0000-0000-0000-000000000000"
MAX_METADATA_KEY = 100
MAX_METADATA_TEXT = 2000
MAX_UNKNOWN_SHOWN = 20
MAX_NAME_SHOWN = 100


def rfc3339(moment: datetime | None) -> str | None:
    """UTC with milliseconds and ``Z``; None stays None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_organization(text: Any, place: str) -> str:
    """An organization's id. Raises ``RequestError`` TPL-0004, also for the UUID of nobody: zeros are a missing value."""
    organization = parse_uuid(text, "TPL-0004", place)
    if organization == NOBODY:
        raise RequestError.at("TPL-0004", place, "must name an organization")
    return organization


def parse_uuid(text: Any, code: str, place: str) -> str:
    """The UUID in lower case. Raises ``RequestError`` with ``code`` for braces, ``urn:``, undashed and other text."""
    if not isinstance(text, str) or not UUID_PATTERN.fullmatch(text):
        raise RequestError.at(code, place, "must be a UUID with dashes")
    return text.lower()


Filters = Mapping[str, Mapping[str, Mapping[str, Mapping[str, tuple[Any, ...]]]]]
"""source → table → field → operator → values, as the caller wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """One request for a report. ``time_zone`` is None when the caller leaves it to the template."""

    organization_id: str
    template_id: str
    filters: Mapping[str, Any]
    metadata: Mapping[str, Any] | None = None
    time_zone: str | None = None
    expires_at: datetime | None = None
    created_by: str | None = None
    correlation_id: str | None = None

    @classmethod
    def from_json(
        cls,
        organization_id: str,
        body: Any,
        now: datetime,
        created_by: str | None = None,
        correlation_id: str | None = None,
    ) -> "ReportRequest":
        """Check everything the request alone decides. ``correlation_id``: what logs and document will carry.

        Raises ``RequestError`` TPL-0012, 0015, 0016, 0017, 0026, 0027 or 0028, naming each place.
        """
        if not isinstance(body, Mapping):
            raise RequestError("TPL-0017", "the body must be a JSON object")
        known = {"templateId", "filters", "metadata", "timeZone", "expiresAt"}
        if unknown := sorted(name[:MAX_NAME_SHOWN] for name in set(body) - known)[:MAX_UNKNOWN_SHOWN]:
            fields = {name: FieldProblem(message="unknown member") for name in unknown}
            raise RequestError("TPL-0015", f"unknown members: {', '.join(unknown)}", fields)
        if missing := [name for name in ("templateId", "filters") if body.get(name) is None]:
            fields = {name: FieldProblem(message="required") for name in missing}
            raise RequestError("TPL-0016", f"missing members: {', '.join(missing)}", fields)
        return cls(
            organization_id=organization_id,
            template_id=parse_uuid(body["templateId"], "TPL-0012", "templateId"),
            filters=check_operators(body["filters"]),
            metadata=_metadata(body.get("metadata")),
            time_zone=None if body.get("timeZone") is None else parse_time_zone(body["timeZone"]),
            expires_at=None if body.get("expiresAt") is None else _expiry(body["expiresAt"], now),
            created_by=created_by,
            correlation_id=correlation_id,
        )

    def content(self) -> dict[str, Any]:
        """What two requests must share to be the same request."""
        return {
            "templateId": self.template_id,
            "filters": self.filters,
            "metadata": self.metadata,
            "timeZone": self.time_zone,
            "expiresAt": rfc3339(self.expires_at),
        }


def parse_time_zone(value: Any) -> str:
    """An IANA name. Raises ``RequestError`` TPL-0017."""
    try:
        if not isinstance(value, str):
            raise ValueError(value)
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise RequestError.at("TPL-0017", "timeZone", "must be the name of an IANA time zone, e.g. Europe/Lisbon") from None
    return value


def _metadata(value: Any) -> Mapping[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise RequestError.at("TPL-0017", "metadata", "must be an object")
    for name, member in value.items():
        place = f"metadata.{name[:MAX_METADATA_KEY]}"
        if len(name) > MAX_METADATA_KEY:
            message = passed("the key has", MAX_METADATA_KEY, "characters", "shorten it")
            raise RequestError.at("TPL-0026", place, message)
        if isinstance(member, Mapping | list):
            raise RequestError.at("TPL-0028", place, "must not be a list or an object")
        if isinstance(member, str) and len(member) > MAX_METADATA_TEXT:
            message = passed("the text has", MAX_METADATA_TEXT, "characters", "shorten it, or spread it over several keys")
            raise RequestError.at("TPL-0027", place, message)
    return value


def _expiry(value: Any, now: datetime) -> datetime:
    problem = "must be a moment in the future like 2030-01-31T00:00:00Z"
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None or moment <= now:
            raise ValueError(value)
        return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise RequestError.at("TPL-0017", "expiresAt", problem) from None
