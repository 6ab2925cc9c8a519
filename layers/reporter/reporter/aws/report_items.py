"""Reports as items of their table."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from reporter.aws.items import from_json_text, item, json_text, moment, moment_text, values
from reporter.report import ENDS, Report, ReportError, Status

KEPT_AFTER_EXPIRY = timedelta(days=30)
"""How long an expired report still answers 410 before DynamoDB removes the row."""

SHARDS = 8
"""Into how many parts the index of due reports is divided per stage: one partition would be one hot key."""


def open_shard(report_id: str, status: Status) -> str:
    """Where a report stands in the index of due reports. Its id ends in random digits."""
    stage = "Ended" if status in ENDS else status.value
    return f"{stage}#{int(report_id[-2:], 16) % SHARDS}"


def open_shards() -> list[str]:
    """All parts of the index."""
    return [f"{stage}#{n}" for stage in (Status.PENDING.value, Status.PROCESSING.value, "Ended") for n in range(SHARDS)]


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
            "schemaSha256": report.schema_sha256,
            "expiresAt": moment_text(report.expires_at),
            "expires": int((report.expires_at + KEPT_AFTER_EXPIRY).timestamp()) if report.expires_at else None,
            "completedAt": moment_text(report.completed_at),
            "deletedAt": moment_text(report.deleted_at),
            "createdBy": report.created_by,
            "correlationId": report.correlation_id,
            "attempts": report.attempts,
            "attemptsBefore": report.attempts_before,
            "rests": report.rests or None,
            # What the next claim adds to the attempts; a retry has counted its own already.
            "claimAdds": 1,
            "retriedAt": moment_text(report.retried_at),
            "leaseUntil": moment_text(report.lease_until),
            "openShard": open_shard(report.id, report.status) if report.due_at else None,
            "dueAt": moment_text(report.due_at),
            "looseEnds": report.loose_ends or None,
            "rows": report.rows,
            "rowsWritten": report.rows_written,
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
        schema_sha256=row.get("schemaSha256"),
        expires_at=moment(row.get("expiresAt")),
        completed_at=moment(row.get("completedAt")),
        deleted_at=moment(row.get("deletedAt")),
        created_by=row.get("createdBy"),
        correlation_id=row.get("correlationId"),
        attempts=row["attempts"],
        attempts_before=row.get("attemptsBefore", 0),
        rests=row.get("rests", 0),
        retried_at=moment(row.get("retriedAt")),
        lease_until=moment(row.get("leaseUntil")),
        due_at=moment(row.get("dueAt")),
        loose_ends=row.get("looseEnds", False),
        rows=row.get("rows"),
        rows_written=row.get("rowsWritten"),
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
