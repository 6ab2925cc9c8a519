"""The report table: partition key ``organizationId``, sort key ``id`` (version 7, so ids sort by time).

A sparse index (``openShard``, ``dueAt``) holds the reports somebody must look at, should nothing happen before.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from reporter.aws.clients import AWS_ERRORS, client, error_code
from reporter.aws.items import item, json_text, moment_text, values
from reporter.aws.report_items import item_of, open_shard, report_of
from reporter.aws.reservations import add_with_reservation
from reporter.document import Document, RowCounts
from reporter.errors import ConditionFailed, Unavailable
from reporter.idempotency import Reservation
from reporter.ports import Claimed, ReportMissing
from reporter.report import Report, ReportError, Status

TOLD_WITHIN = timedelta(seconds=60)
"""A worker that ends a report has told others by then; after that the sweeper does."""

_OPEN = {":pending": Status.PENDING.value, ":processing": Status.PROCESSING.value}


class ReportTable:
    """Reads are consistent; every change of a report is conditional on the state and attempt it was made for."""

    def __init__(self, table: str, idempotency_table: str = "") -> None:
        self._table = table
        self._idempotency_table = idempotency_table
        self._client = client("dynamodb")

    def get(self, organization_id: str, report_id: str) -> Report | None:
        """The report, soft-deleted ones included. Raises ``Unavailable``."""
        try:
            answer = self._client.get_item(TableName=self._table, Key=_key(organization_id, report_id), ConsistentRead=True)
        except AWS_ERRORS as error:
            raise Unavailable("the report table") from error
        return report_of(answer["Item"]) if "Item" in answer else None

    def add(self, report: Report, reservation: Reservation) -> None:
        """Store the report and bind its key in one transaction. Raises ``KeyReserved`` or ``Unavailable``."""
        add_with_reservation(self._idempotency_table, reservation, self._table, item_of(report))

    def claim(self, organization_id: str, report_id: str, now: datetime, lease_until: datetime) -> Report:
        """See ``ports.Reports.claim``."""
        try:
            return self._write(
                (organization_id, report_id),
                {"updatedAt": now, "leaseUntil": lease_until, **_state(report_id, Status.PROCESSING, lease_until)},
                "attribute_exists(id) AND attribute_not_exists(deletedAt) AND "
                "(#status = :pending OR (#status = :processing AND leaseUntil < :updatedAt))",
                {**_OPEN, ":one": 1},
                also=", attempts = attempts + claimAdds, claimAdds = :one",
            )
        except _Refused as refused:
            if refused.found is None or refused.found.deleted:
                raise ReportMissing(report_id) from None
            raise Claimed(refused.found) from None

    def extend_lease(self, report: Report, now: datetime, lease_until: datetime) -> None:
        """See ``ports.Reports.extend_lease``."""
        self._work(report, now, {"leaseUntil": lease_until, "dueAt": lease_until})

    def rest(self, report: Report, now: datetime, until: datetime) -> None:
        """See ``ports.Reports.rest``."""
        counts = {"rests": report.rests + 1, "attemptsBefore": report.attempts_before + 1}
        self._work(report, now, {"leaseUntil": until, "dueAt": until, **counts})

    def finish(self, report: Report, key: str, document: Document, rows: RowCounts, now: datetime) -> Report:
        """See ``ports.Reports.finish``."""
        return self._work(
            report,
            now,
            {
                **_end(report.id, Status.FINISHED, now, now + TOLD_WITHIN),
                "documentKey": key,
                "size": document.size,
                "sha256": document.sha256,
                "rows": rows.read,
                "rowsWritten": rows.written,
                "warnings": json_text(document.warnings),
            },
        )

    def fail(self, report: Report, error: ReportError, now: datetime, warnings: Sequence[str] = ()) -> Report:
        """See ``ports.Reports.fail``."""
        known = {"error": json_text(error.as_json()), "warnings": json_text(warnings)}
        return self._work(report, now, {**_end(report.id, Status.ERROR, now, now + TOLD_WITHIN), **known})

    def cancel(self, report: Report, now: datetime) -> Report:
        """See ``ports.Reports.cancel``."""
        return self._change(
            report,
            _end(report.id, Status.CANCELED, now, now),
            "attribute_exists(id) AND attribute_not_exists(deletedAt) AND #status IN (:pending, :processing)",
            _OPEN,
        )

    def retry(self, report: Report, now: datetime, due_at: datetime) -> Report:
        """See ``ports.Reports.retry``."""
        return self._change(
            report,
            {
                **_state(report.id, Status.PENDING, due_at),
                "updatedAt": now,
                "retriedAt": now,
                "attempts": report.attempts + 1,
                "claimAdds": 0,
                "attemptsBefore": report.attempts,
                **dict.fromkeys(("completedAt", "leaseUntil", "error", "warnings", "looseEnds", "rests")),
            },
            "attribute_not_exists(deletedAt) AND #status = :seen AND attempts = :seenAttempts",
            {":seen": Status.ERROR.value, ":seenAttempts": report.attempts},
        )

    def delete(self, report: Report, now: datetime) -> Report:
        """See ``ports.Reports.delete``."""
        return self._change(
            report,
            {**_state(report.id, None, now), "deletedAt": now, "updatedAt": now, "looseEnds": True},
            "attribute_exists(id) AND attribute_not_exists(deletedAt) AND attribute_not_exists(looseEnds) AND "
            "NOT (#status IN (:pending, :processing))",
            _OPEN,
        )

    def end(self, report: Report, error: ReportError, now: datetime) -> Report:
        """See ``ports.Reports.end``."""
        known = {"error": json_text(error.as_json())}
        return self._unchanged(report, {**_end(report.id, Status.ERROR, now, now), **known})

    def queued_again(self, report: Report, due_at: datetime) -> None:
        """See ``ports.Reports.queued_again``."""
        self._unchanged(report, {"dueAt": due_at})

    def tied_up(self, report: Report, due_at: datetime | None) -> None:
        """See ``ports.Reports.tied_up``."""
        changes = {**_state(report.id, None, due_at), "looseEnds": None}
        seen = {":seen": report.status.value, ":seenUpdate": moment_text(report.updated_at)}
        try:
            self._change(report, changes, "#status = :seen AND updatedAt = :seenUpdate", seen)
        except ConditionFailed:
            return

    def _unchanged(self, report: Report, changes: Mapping[str, Any]) -> Report:
        """Change a report that nobody else has changed, nor works on."""
        seen = {
            ":seen": report.status.value,
            ":seenAttempts": report.attempts,
            ":seenLease": moment_text(report.lease_until),
        }
        lease = "leaseUntil = :seenLease" if report.lease_until else "attribute_not_exists(leaseUntil)"
        return self._change(report, changes, f"#status = :seen AND attempts = :seenAttempts AND {lease}", seen)

    def _work(self, report: Report, now: datetime, changes: Mapping[str, Any]) -> Report:
        """Change a report while this attempt still owns it. The attempt's number is the fencing token.

        ``now`` is by the clock that the lease was written with: other workers' clocks do not matter.
        """
        mine = {":mine": Status.PROCESSING.value, ":attempt": report.attempts, ":asOf": moment_text(now)}
        return self._change(report, changes, "#status = :mine AND attempts = :attempt AND leaseUntil >= :asOf", mine)

    def _change(self, report: Report, changes: Mapping[str, Any], condition: str, compared: Mapping[str, Any]) -> Report:
        try:
            return self._write((report.organization_id, report.id), changes, condition, compared)
        except _Refused:
            raise ConditionFailed(f"report {report.id} is not as it was") from None

    def _write(
        self,
        key: tuple[str, str],
        changes: Mapping[str, Any],
        condition: str,
        compared: Mapping[str, Any],
        also: str = "",
    ) -> Report:
        """Set attributes, and remove those that are None, under a condition. Raises ``_Refused`` and ``Unavailable``.

        Every change carries a mark of its own: when the SDK repeats one whose acknowledgement was lost, the condition
        fails on our own doing, and the mark tells.
        """
        mark = str(uuid4())
        given = {name: moment_text(v) if isinstance(v, datetime) else v for name, v in changes.items()} | {"mark": mark}
        kept = {name: value for name, value in given.items() if value is not None}
        removed = [f"#{name}" for name, value in given.items() if value is None]
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in kept) + also
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(*key),
                UpdateExpression=expression + (" REMOVE " + ", ".join(removed) if removed else ""),
                ConditionExpression=condition,
                ExpressionAttributeNames={"#status": "status"} | {f"#{name}": name for name in given},
                ExpressionAttributeValues=item({f":{name}": value for name, value in kept.items()} | dict(compared)),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AWS_ERRORS as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise Unavailable("the report table") from error
            found: Mapping[str, Any] = getattr(error, "response", {}).get("Item", {})
            if found and values(found).get("mark") == mark:
                return report_of(found)
            raise _Refused(report_of(found) if found else None) from None
        return report_of(answer["Attributes"])


class _Refused(Exception):
    """The condition of a change does not hold: the report as it is, or None where there is none."""

    def __init__(self, found: Report | None) -> None:
        super().__init__("refused")
        self.found = found


def _state(report_id: str, status: Status | None, due_at: datetime | None) -> dict[str, Any]:
    """A status, and when the report is due to be looked at. None: it has ended, and its status stays."""
    shard = open_shard(report_id, status or Status.FINISHED) if due_at else None
    state = {} if status is None else {"status": status.value}
    return {**state, "openShard": shard, "dueAt": due_at}


def _end(report_id: str, status: Status, now: datetime, due_at: datetime) -> dict[str, Any]:
    return {**_state(report_id, status, due_at), "completedAt": now, "updatedAt": now, "looseEnds": True}


def _key(organization_id: str, report_id: str) -> dict[str, Any]:
    return item({"organizationId": organization_id, "id": report_id})
