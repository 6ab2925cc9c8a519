"""The report table: partition key ``organizationId``, sort key ``id`` (version 7, so ids sort by time)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from reporter.aws.clients import AWS_ERRORS, client, error_code
from reporter.aws.items import from_json_text, item, json_text, moment, moment_text, values
from reporter.aws.reservations import add_with_reservation
from reporter.document import Document
from reporter.errors import ConditionFailed, Unavailable
from reporter.idempotency import Reservation
from reporter.ports import Claimed, ReportMissing
from reporter.report import Report, ReportError, Status

KEPT_AFTER_EXPIRY = timedelta(days=30)
"""How long an expired report still answers 410 before DynamoDB removes the row."""


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
        claim = str(uuid4())
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(organization_id, report_id),
                UpdateExpression="SET #status = :processing, leaseUntil = :lease, updatedAt = :now, claim = :claim "
                "ADD attempts :one",
                ConditionExpression="attribute_exists(id) AND attribute_not_exists(deletedAt) AND "
                "(#status = :pending OR (#status = :processing AND leaseUntil < :now))",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=item(
                    {
                        ":processing": Status.PROCESSING.value,
                        ":pending": Status.PENDING.value,
                        ":lease": moment_text(lease_until),
                        ":now": moment_text(now),
                        ":one": 1,
                        ":claim": claim,
                    }
                ),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AWS_ERRORS as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise Unavailable("the report table") from error
            found: Mapping[str, Any] = getattr(error, "response", {}).get("Item", {})
            if not found or "deletedAt" in found:
                raise ReportMissing(report_id) from None
            report = report_of(found)
            if values(found).get("claim") != claim:
                raise Claimed(report) from None
            # The SDK repeated our own claim, whose acknowledgement was lost.
            return report
        return report_of(answer["Attributes"])

    def extend_lease(self, report: Report, lease_until: datetime) -> None:
        """See ``ports.Reports.extend_lease``. A time in the past gives the report back."""
        self._change(report, {"leaseUntil": moment_text(lease_until)})

    def finish(self, report: Report, key: str, document: Document, rows: int, now: datetime) -> Report:
        """See ``ports.Reports.finish``."""
        return self._change(
            report,
            {
                "status": Status.FINISHED.value,
                "completedAt": moment_text(now),
                "updatedAt": moment_text(now),
                "documentKey": key,
                "size": document.size,
                "sha256": document.sha256,
                "rows": rows,
                "warnings": json_text(document.warnings),
            },
        )

    def fail(self, report: Report, error: ReportError, now: datetime, warnings: Sequence[str] = ()) -> Report:
        """See ``ports.Reports.fail``."""
        return self._change(
            report,
            {
                "status": Status.ERROR.value,
                "completedAt": moment_text(now),
                "updatedAt": moment_text(now),
                "error": json_text(error.as_json()),
                "warnings": json_text(warnings),
            },
        )

    def _change(self, report: Report, changes: Mapping[str, Any]) -> Report:
        """Set attributes while this attempt still owns the report. The attempt's number is the fencing token."""
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(report.organization_id, report.id),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
                ConditionExpression="#status = :mine AND attempts = :attempt",
                ExpressionAttributeNames={"#status": "status", **{f"#{name}": name for name in changes}},
                ExpressionAttributeValues=item(
                    {":mine": Status.PROCESSING.value, ":attempt": report.attempts}
                    | {f":{name}": value for name, value in changes.items()}
                ),
                ReturnValues="ALL_NEW",
            )
        except AWS_ERRORS as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise ConditionFailed(f"report {report.id} is no longer this worker's") from None
            raise Unavailable("the report table") from error
        return report_of(answer["Attributes"])


def _key(organization_id: str, report_id: str) -> dict[str, Any]:
    return item({"organizationId": organization_id, "id": report_id})


def item_of(report: Report) -> dict[str, Any]:
    """The row of a report. ``expires`` is DynamoDB's TTL."""
    return item(
        {
            "organizationId": report.organization_id,
            "id": report.id,
            "templateId": report.template_id,
            "templateVersion": report.template_version,
            "outputFormat": report.output_format,
            "templateDescription": report.template_description,
            "templateKey": report.template_key,
            "templateSha256": report.template_sha256,
            "filters": json_text(report.filters),
            "status": report.status.value,
            "createdAt": moment_text(report.created_at),
            "updatedAt": moment_text(report.updated_at),
            "metadata": json_text(report.metadata),
            "timeZone": report.time_zone,
            "formulaGuard": report.formula_guard,
            "schemaKey": report.schema_key,
            "expiresAt": moment_text(report.expires_at),
            "expires": int((report.expires_at + KEPT_AFTER_EXPIRY).timestamp()) if report.expires_at else None,
            "completedAt": moment_text(report.completed_at),
            "deletedAt": moment_text(report.deleted_at),
            "createdBy": report.created_by,
            "attempts": report.attempts,
            "leaseUntil": moment_text(report.lease_until),
            "rows": report.rows,
            "size": report.size,
            "sha256": report.sha256,
            "documentKey": report.document_key,
            "warnings": json_text(report.warnings),
            "error": json_text(report.error.as_json()) if report.error else None,
        }
    )


def report_of(attributes: Mapping[str, Any]) -> Report:
    """The inverse of ``item_of``."""
    row = values(attributes)
    error = from_json_text(row.get("error"))
    return Report(
        id=row["id"],
        organization_id=row["organizationId"],
        template_id=row["templateId"],
        template_version=row["templateVersion"],
        output_format=row["outputFormat"],
        template_description=row["templateDescription"],
        template_key=row["templateKey"],
        template_sha256=row["templateSha256"],
        filters=from_json_text(row["filters"]),
        status=Status(row["status"]),
        created_at=_required(row["createdAt"]),
        updated_at=_required(row["updatedAt"]),
        metadata=from_json_text(row.get("metadata")),
        time_zone=row["timeZone"],
        formula_guard=row["formulaGuard"],
        schema_key=row.get("schemaKey"),
        expires_at=moment(row.get("expiresAt")),
        completed_at=moment(row.get("completedAt")),
        deleted_at=moment(row.get("deletedAt")),
        created_by=row.get("createdBy"),
        attempts=row["attempts"],
        lease_until=moment(row.get("leaseUntil")),
        rows=row.get("rows"),
        size=row.get("size"),
        sha256=row.get("sha256"),
        document_key=row.get("documentKey"),
        warnings=tuple(from_json_text(row.get("warnings")) or ()),
        error=ReportError(error["code"], error["message"], error.get("line")) if error else None,
    )


def _required(text: str) -> datetime:
    found = moment(text)
    if found is None:
        raise ValueError("a stored time is missing")
    return found
