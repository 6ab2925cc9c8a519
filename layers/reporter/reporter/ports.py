"""What the corridor needs from outside, and nothing more."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from reporter.deadline import Deadline
from reporter.document import Document, RowCounts
from reporter.idempotency import Reservation
from reporter.message import RenderMessage
from reporter.report import Report, ReportError
from reporter.schema import SourceSchema
from reporter.template import Template

Clock = Callable[[], datetime]


class Reports(Protocol):
    """The report table. Reads are consistent; writes are conditional."""

    def get(self, organization_id: str, report_id: str) -> Report | None:
        """The report, soft-deleted ones included."""
        ...

    def add(self, report: Report, reservation: Reservation) -> None:
        """Store the report and bind its key in one transaction. Raises ``KeyReserved``."""
        ...

    def claim(self, organization_id: str, report_id: str, now: datetime, lease_until: datetime) -> Report:
        """Take a report that is accepted, or whose worker's lease has run out: one attempt more, status Processing.

        Raises ``Claimed`` with the report as it is when it cannot be taken, ``ReportMissing`` when there is none.
        """
        ...

    def extend_lease(self, report: Report, now: datetime, lease_until: datetime) -> None:
        """At the new lease's end it is due to be looked at.

        Raises ``ConditionFailed`` when another attempt or an end has come in between, or the lease ran out before ``now``.
        """
        ...

    def rest(self, report: Report, now: datetime, until: datetime) -> None:
        """As ``extend_lease``; and this attempt is none, but a rest."""
        ...

    def finish(self, report: Report, key: str, document: Document, rows: RowCounts, now: datetime) -> Report:
        """Processing → Finished, for this attempt and its lease only, with loose ends. Raises ``ConditionFailed``."""
        ...

    def fail(self, report: Report, error: ReportError, now: datetime, warnings: Sequence[str] = ()) -> Report:
        """Processing → Error, for this attempt and its lease only, with loose ends. Raises ``ConditionFailed``."""
        ...

    def cancel(self, report: Report, now: datetime) -> Report:
        """PendingExtraction or Processing → Canceled, with loose ends. Raises ``ConditionFailed`` when it has ended."""
        ...

    def retry(self, report: Report, now: datetime, due_at: datetime) -> Report:
        """Error → PendingExtraction, the next attempt counted already. Raises ``ConditionFailed`` when it is another."""
        ...

    def delete(self, report: Report, now: datetime) -> Report:
        """Soft-delete a report that has ended, with loose ends of its own.

        Raises ``ConditionFailed`` when it is deleted or retried, or has loose ends: others are still to hear of its end.
        """
        ...

    def end(self, report: Report, error: ReportError, now: datetime) -> Report:
        """Open → Error, with loose ends. Raises ``ConditionFailed`` unless state, attempt and lease are as given."""
        ...

    def queued_again(self, report: Report, due_at: datetime) -> None:
        """An open report is due later. Raises ``ConditionFailed`` unless state, attempt and lease are as given."""
        ...

    def tied_up(self, report: Report, due_at: datetime | None) -> None:
        """The report's loose ends are done; look again at ``due_at``. Nothing happens if it is no longer as given."""
        ...


class Claimed(Exception):
    """A report cannot be claimed: it has ended, or another worker's lease on it is alive."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.id)
        self.report = report


class ReportMissing(Exception):
    """A message names a report that does not exist (any more)."""


class Templates(Protocol):
    """The template table."""

    def get(self, organization_id: str, template_id: str) -> Template | None:
        """The current version, consistently read; deleted ones are None."""
        ...


class RenderQueue(Protocol):
    """The queue between accepting and rendering."""

    def send(self, message: RenderMessage, output_format: str) -> None:
        """To whoever makes documents of that format. Raises ``Unavailable``; it may have arrived all the same."""
        ...


class Documents(Protocol):
    """The bucket."""

    def read_bytes(self, key: str, sha256: str) -> bytes:
        """A stored template. Raises as ``read_text``."""
        ...

    def read_text(self, key: str, sha256: str) -> str:
        """A stored schema. Raises ``ReportFailure`` TEMPLATE_UNAVAILABLE when it is missing or not those bytes."""
        ...

    def store(
        self, key: str, document: Document, content_type: str, deadline: Deadline, correlation_id: str | None = None
    ) -> None:
        """Visible only when whole, never over another object. Raises ``ConditionFailed`` when other bytes are there,

        ``ReportFailure`` REPORT_TIMEOUT when the upload is not done by ``deadline``.
        """
        ...

    def discard(self, key: str) -> None:
        """Remove every version under the key."""
        ...

    def discard_all(self, report: Report, keep: str | None) -> None:
        """Remove every version of every attempt's document, but for the one under ``keep``.

        Of a report in Error, that of an attempt after this one stays: it may have been retried since it was read.
        """
        ...


class Events(Protocol):
    """What others hear of a report's end."""

    def report_ended(self, report: Report) -> None:
        """Publish ReportFinished, ReportFailed or ReportCanceled; the event id is the end's. Raises ``Unavailable``."""
        ...


class Sources(Protocol):
    """The data sources one organization may read."""

    def for_organization(self, organization_id: str) -> Mapping[str, SourceSchema]:
        """Source id → schema; iterating is cheap, an access may ask the source. Raises ``Unavailable``."""
        ...
