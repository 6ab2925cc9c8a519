"""The limit table: one item an organization, with its own limits, its count of this minute, and its places in work.

``reportsPerMinute`` and ``concurrentReports`` are set by an operator and go before the deployment's; nothing here
writes them. A limit of 0 in the deployment turns it off for all, and spares the call.
"""

import random
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from reporter.aws.clients import AWS_ERRORS, client, error_code
from reporter.aws.items import item, moment_text, values
from reporter.errors import Unavailable
from reporter.workflow.limits import OrganizationLimits

MAX_ROUNDS = 5
LATEST_AHEAD = timedelta(minutes=1)
"""How far ahead of ours a minute may lie that is counted in. One further ahead is a wrong clock's, and not open.

While clocks differ by more, each opens its own minute again, and the limit is loose: it must shut nobody out.
"""


class LimitTable:
    """``workflow.limits.Rates`` and ``workflow.turns.Turns``. Every change is one conditional update where it can be."""

    def __init__(self, table: str, reports_per_minute: int, concurrent_reports: int) -> None:
        self._table = table
        self._rate = reports_per_minute
        self._places = concurrent_reports
        self._client = client("dynamodb")

    def of(self, organization_id: str) -> OrganizationLimits:
        """The limits in force. Raises ``Unavailable``."""
        found = self._found(organization_id)
        return OrganizationLimits(
            int(found.get("reportsPerMinute", self._rate)) if self._rate else None,
            int(found.get("concurrentReports", self._places)) if self._places else None,
        )

    def count(self, organization_id: str, window: datetime) -> int | None:
        """See ``workflow.limits.Rates``."""
        if not self._rate:
            return None
        # A clock that is behind counts in the minute of the one that is a little ahead.
        now, latest = str(moment_text(window)), str(moment_text(window + LATEST_AHEAD))
        given = {":window": now, ":latest": latest, ":one": 1}
        for _round in range(MAX_ROUNDS):
            old = self._update(
                organization_id,
                "ADD requested :one",
                "requestWindow BETWEEN :window AND :latest AND (requested < reportsPerMinute OR "
                "(attribute_not_exists(reportsPerMinute) AND requested < :rate))",
                {**given, ":rate": self._rate},
            )
            if old is None:
                return None
            limit = int(old.get("reportsPerMinute", self._rate))
            if limit < 1 or now <= str(old.get("requestWindow", "")) <= latest:
                return limit
            opened = self._update(
                organization_id,
                "SET requestWindow = :window, requested = :one",
                "attribute_not_exists(requestWindow) OR NOT requestWindow BETWEEN :window AND :latest",
                given,
            )
            if opened is None:
                return None
        return None

    def take(self, organization_id: str, now: datetime, until: datetime) -> str | None:
        """See ``workflow.turns.Turns``. A place is free when its time is over; that takes a second look."""
        place = uuid4().hex
        if not self._places:
            return place
        names = {"#place": place}
        old = self._update(
            organization_id,
            "SET places.#place = :until ADD changes :one",
            "attribute_exists(places) AND (size(places) < concurrentReports OR "
            "(attribute_not_exists(concurrentReports) AND size(places) < :places))",
            {":until": moment_text(until), ":one": 1, ":places": self._places},
            names,
        )
        rounds = 0
        # A place that is ours although the condition fails: the SDK repeated a change whose acknowledgement was lost.
        while old is not None and place not in old.get("places", {}):
            held: Mapping[str, str] = old.get("places", {})
            alive = {name: end for name, end in held.items() if end >= str(moment_text(now))}
            if rounds == MAX_ROUNDS or len(alive) >= int(old.get("concurrentReports", self._places)):
                return None
            rounds += 1
            seen = old.get("changes")
            old = self._update(
                organization_id,
                "SET places = :all ADD changes :one",
                "attribute_not_exists(changes)" if seen is None else "changes = :seen",
                {":all": {**alive, place: moment_text(until)}, ":one": 1, ":seen": seen},
            )
            time.sleep(random.uniform(0, 0.02) if old is not None else 0)
        return place

    def extend(self, organization_id: str, place: str, until: datetime) -> None:
        """See ``workflow.turns.Turns``."""
        self._change_place(organization_id, place, "SET places.#place = :until ADD changes :one", until)

    def give_back(self, organization_id: str, place: str) -> None:
        """See ``workflow.turns.Turns``."""
        self._change_place(organization_id, place, "REMOVE places.#place ADD changes :one", None)

    def _change_place(self, organization_id: str, place: str, expression: str, until: datetime | None) -> None:
        if self._places:
            given = {":until": moment_text(until), ":one": 1}
            self._update(organization_id, expression, "attribute_exists(places.#place)", given, {"#place": place})

    def _found(self, organization_id: str) -> dict[str, Any]:
        try:
            answer = self._client.get_item(TableName=self._table, Key=item({"id": organization_id}), ConsistentRead=True)
        except AWS_ERRORS as error:
            raise Unavailable("the limit table") from error
        return values(answer.get("Item", {}))

    def _update(
        self,
        organization_id: str,
        expression: str,
        condition: str,
        given: Mapping[str, Any],
        names: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | None:
        """None when done, else the item that the condition does not hold for. Raises ``Unavailable``."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=item({"id": organization_id}),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeValues=item(given),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **({"ExpressionAttributeNames": dict(names)} if names else {}),
            )
        except AWS_ERRORS as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise Unavailable("the limit table") from error
            return values(getattr(error, "response", {}).get("Item", {}))
        return None
