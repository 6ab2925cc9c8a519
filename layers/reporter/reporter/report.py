"""A report: the record of one request for one document, from acceptance to its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from reporter.request import ReportRequest, rfc3339
from reporter.template import Template


class Status(StrEnum):
    """``PendingExtraction`` (accepted) → ``Processing`` (a worker has it) → one of the three ends."""

    PENDING = "PendingExtraction"
    PROCESSING = "Processing"
    FINISHED = "Finished"
    ERROR = "Error"
    CANCELED = "Canceled"


ENDS = frozenset({Status.FINISHED, Status.ERROR, Status.CANCELED})


@dataclass(frozen=True, slots=True)
class ReportError:
    """Why a report ended in ``Error``. ``line`` is the template's, from 1, where there is one."""

    code: str
    message: str
    line: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The answer's ``error`` member."""
        known = {"code": self.code, "message": self.message}
        return known if self.line is None else {**known, "line": self.line}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One row of the report table. ``attempts`` is the fencing token of whoever works on it.

    ``attempts_before``: how many of them do not count: those before the last retry, and ``rests``, those that found a
    data source resting.
    ``loose_ends``: the report has ended, but not yet everything is done that follows an end (``workflow.loose_ends``).
    ``due_at``: when the sweeper looks at it unless something happens before; None: never.
    ``rows``: how many the sources delivered; ``rows_written``: from how many the document was made.
    """

    id: str
    organization_id: str
    template_id: str
    template_version: int
    output_format: str
    template_description: str
    template_key: str
    template_sha256: str
    filters: Mapping[str, Any]
    status: Status
    created_at: datetime
    updated_at: datetime
    metadata: Mapping[str, Any] | None = None
    time_zone: str = "UTC"
    formula_guard: bool = True
    schema_key: str | None = None
    schema_sha256: str | None = None
    expires_at: datetime | None = None
    completed_at: datetime | None = None
    deleted_at: datetime | None = None
    created_by: str | None = None
    correlation_id: str | None = None
    attempts: int = 0
    attempts_before: int = 0
    rests: int = 0
    retried_at: datetime | None = None
    lease_until: datetime | None = None
    due_at: datetime | None = None
    loose_ends: bool = False
    rows: int | None = None
    rows_written: int | None = None
    size: int | None = None
    sha256: str | None = None
    document_key: str | None = None
    warnings: tuple[str, ...] = ()
    error: ReportError | None = None

    @classmethod
    def accepted(
        cls, report_id: str, request: ReportRequest, template: Template, now: datetime, due_at: datetime | None = None
    ) -> "Report":
        """The record of a request that has passed every check. The template's current version is pinned here."""
        return cls(
            id=report_id,
            organization_id=request.organization_id,
            template_id=template.id,
            template_version=template.version,
            output_format=template.output_format,
            template_description=template.description,
            template_key=template.content_key,
            template_sha256=template.sha256,
            filters=request.filters,
            status=Status.PENDING,
            created_at=now,
            updated_at=now,
            metadata=request.metadata,
            time_zone=request.time_zone or template.time_zone,
            formula_guard=template.formula_guard,
            schema_key=template.schema_key,
            schema_sha256=template.schema_sha256,
            expires_at=request.expires_at or template.expiry(now),
            created_by=request.created_by,
            correlation_id=request.correlation_id,
            due_at=due_at,
        )

    @property
    def deleted(self) -> bool:
        """Whether the record is soft-deleted."""
        return self.deleted_at is not None

    @property
    def ended(self) -> bool:
        """Whether nobody works on it any more, unless it is retried."""
        return self.status in ENDS

    @property
    def tries(self) -> int:
        """Attempts begun since it was accepted or last retried, rests left out; a retry counts its own before it begins."""
        return 0 if self.status is Status.PENDING else self.attempts - self.attempts_before

    @property
    def opened_at(self) -> datetime:
        """Since when it is on its way: accepted, or last retried."""
        return self.retried_at or self.created_at

    def expired(self, now: datetime) -> bool:
        """Whether it is past its ``expires_at``."""
        return self.expires_at is not None and self.expires_at <= now

    def held(self, now: datetime) -> bool:
        """Whether a worker's lease on it is alive."""
        return self.status is Status.PROCESSING and self.lease_until is not None and self.lease_until >= now

    def traced(self) -> dict[str, Any]:
        """What every log line about this report names."""
        return {
            "correlation_id": self.correlation_id,
            "organization_id": self.organization_id,
            "report_id": self.id,
            "template_id": self.template_id,
            "attempt": self.attempts,
        }

    def as_answer(self) -> dict[str, Any]:
        """The members of the contract, in its order."""
        return {
            "id": self.id,
            "templateId": self.template_id,
            "templateOutputFormat": self.output_format,
            "templateDescription": self.template_description,
            "filters": self.filters,
            "status": str(self.status),
            "completedAt": rfc3339(self.completed_at),
            "createdAt": rfc3339(self.created_at),
            "updatedAt": rfc3339(self.updated_at),
            "deletedAt": rfc3339(self.deleted_at),
            "metadata": self.metadata,
            "templateVersion": self.template_version,
            "attempts": self.attempts,
            "rows": self.rows,
            "size": self.size,
            "sha256": self.sha256,
            "timeZone": self.time_zone,
            "expiresAt": rfc3339(self.expires_at),
            "createdBy": self.created_by,
            "warnings": list(self.warnings),
            "error": self.error.as_json() if self.error else None,
        }
