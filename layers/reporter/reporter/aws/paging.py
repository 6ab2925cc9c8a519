"""Pages of a table: newest or oldest first, filtered, by page number or by cursor.

DynamoDB applies a limit before its filter, so an empty page with more to come is normal: reading goes on until enough
has matched. A cursor holds the last id only; the organization always comes from the header.
"""

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from reporter.aws.clients import AWS_ERRORS, client
from reporter.aws.http import Call
from reporter.aws.items import item
from reporter.errors import RequestError, Unavailable
from reporter.exact_json import write_json
from reporter.identifiers import day_bounds
from reporter.request import UUID_PATTERN, rfc3339

MAX_LIMIT = 100
MAX_OFFSET = 10_000
GO_ON = "go on with cursor"
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of what. ``matches``: attribute → the text it equals; ``holds``: the lower-case text it holds."""

    page: int = 1
    limit: int = 10
    ascending: bool = False
    cursor: str | None = None
    day: datetime | None = None
    matches: Mapping[str, str] = field(default_factory=dict)
    holds: Mapping[str, str] = field(default_factory=dict)


def page_request(call: Call, matches: Mapping[str, str], holds: Mapping[str, str] | None = None) -> PageRequest:
    """Read ``page``, ``limit``, ``sort_order``, ``createdAt`` and ``cursor``. Raises TPL-0019, 0020, 0024 or 0025."""
    limit = call.number("limit", 10, lambda n: 1 <= n <= MAX_LIMIT, "TPL-0024", f"1 to {MAX_LIMIT}")
    page = call.number("page", 1, lambda n: n >= 1, "TPL-0019", "a whole number from 1")
    if page * limit > MAX_OFFSET:
        raise RequestError.at("TPL-0019", "page", f"pages end at {MAX_OFFSET} items: {GO_ON}")
    order = call.query("sort_order", "sortOrder")
    if order is not None and order.lower() not in {"asc", "desc"}:
        raise RequestError.at("TPL-0025", "sort_order", "must be asc or desc")
    cursor = call.query("cursor")
    return PageRequest(
        page=page,
        limit=limit,
        ascending=order is not None and order.lower() == "asc",
        cursor=None if cursor is None else _decoded(cursor),
        day=call.day("createdAt", "created_at"),
        matches=matches,
        holds=holds or {},
    )


@dataclass(frozen=True, slots=True)
class PageLimits:
    """Where a page ends early, with what there is and a cursor: after ``bytes`` of answer, or ``seconds`` of reading."""

    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Items and, when there may be more, the cursor that leads to them."""

    items: list[Item]
    next_cursor: str | None

    def as_answer(self, request: PageRequest, describe: Callable[[Item], Any]) -> dict[str, Any]:
        """The contract's list."""
        made = {
            "items": [describe(item) for item in self.items],
            "page": request.page,
            "limit": request.limit,
            "total": len(self.items),
        }
        return made if self.next_cursor is None else {**made, "nextCursor": self.next_cursor}


def read_page(
    table: str,
    organization_id: str,
    request: PageRequest,
    make: Callable[[Any], Item],
    size_of: Callable[[Item], Any],
    limits: PageLimits,
) -> Page[Item]:
    """One page of an organization's rows that are neither deleted nor expired.

    Raises ``Unavailable``, and TPL-0019 when the time is over before the page is reached.
    """
    skip = 0 if request.cursor else (request.page - 1) * request.limit
    low, high = _between(request)
    if low > high:
        # DynamoDB refuses such a range, where nothing can lie.
        return Page([], None)
    query = _query(table, organization_id, request, low, high)
    found: list[Item] = []
    size = 0
    begun = time.monotonic()
    try:
        for page in client("dynamodb").get_paginator("query").paginate(**query):
            for attributes in page["Items"]:
                if not _holds(attributes, request.holds):
                    continue
                if skip:
                    skip -= 1
                    continue
                made = make(attributes)
                size += len(write_json(size_of(made)).encode())
                if found and (len(found) == request.limit or size > limits.bytes):
                    return Page(found, _encoded(str(getattr(found[-1], "id", ""))))
                found.append(made)
            last = page.get("LastEvaluatedKey")
            if last and time.monotonic() - begun > limits.seconds:
                if skip:
                    raise RequestError.at("TPL-0019", "page", f"lies too far back: {GO_ON}")
                return Page(found, _encoded(last["id"]["S"]))
    except AWS_ERRORS as error:
        raise Unavailable("the table") from error
    return Page(found, None)


def _between(request: PageRequest) -> tuple[str, str]:
    """The ids that the day and the cursor leave, both inclusive."""
    low, high = day_bounds(request.day) if request.day else ("0", "g")
    if request.cursor and request.ascending:
        # No id lies between one id and itself with a suffix.
        low = max(low, request.cursor + "~")
    elif request.cursor:
        high = min(high, request.cursor[:-1] + chr(ord(request.cursor[-1]) - 1) + "~")
    return low, high


def _query(table: str, organization_id: str, request: PageRequest, low: str, high: str) -> dict[str, Any]:
    names = {f"#{name}": name for name in request.matches}
    values: dict[str, Any] = {f":{name}": value for name, value in request.matches.items()}
    values[":organization"] = organization_id
    values[":now"] = rfc3339(datetime.now(UTC))
    key = "organizationId = :organization"
    values |= {":low": low, ":high": high}
    alive = "attribute_not_exists(deletedAt) AND (attribute_not_exists(expiresAt) OR expiresAt > :now)"
    conditions = [alive, *(f"#{name} = :{name}" for name in request.matches)]
    query: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": f"{key} AND id BETWEEN :low AND :high",
        "FilterExpression": " AND ".join(conditions),
        "ExpressionAttributeValues": item(values),
        "ScanIndexForward": request.ascending,
    }
    if names:
        query["ExpressionAttributeNames"] = names
    return query


def _holds(attributes: Mapping[str, Any], holds: Mapping[str, str]) -> bool:
    return all(text in attributes.get(name, {}).get("S", "").lower() for name, text in holds.items())


def _encoded(last_id: str) -> str:
    return base64.urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def _decoded(cursor: str) -> str:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        if not UUID_PATTERN.fullmatch(text):
            raise ValueError(cursor)
    except (ValueError, binascii.Error):
        raise RequestError.at("TPL-0019", "cursor", "is not one this service gave out") from None
    return text
