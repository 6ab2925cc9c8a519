"""Accepting a report: check, store, queue. Exactly one report per key, whatever dies in between."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from reporter.errors import RequestError
from reporter.exact_json import canonical_hash
from reporter.idempotency import Idempotency, KeyedCall, Reservation
from reporter.message import RenderMessage
from reporter.ports import Clock, RenderQueue, Reports, Sources, Templates
from reporter.report import Report, Status
from reporter.request import ReportRequest
from reporter.row_filters import resolve
from reporter.template import Template
from reporter.workflow.limits import CheckRate

_log = logging.getLogger("reporter")
ENDPOINT = "POST /v1/reports"


@dataclass(frozen=True, slots=True)
class AcceptPorts:
    """What accepting needs. ``requeue_seconds``: after so long without a worker the sweeper sends the message again.
    ``document_days``: after so many the bucket removes a document.
    """

    reports: Reports
    templates: Templates
    sources: Sources
    queue: RenderQueue
    idempotency: Idempotency
    clock: Clock
    new_id: Callable[[datetime], str]
    requeue_seconds: int
    check_rate: CheckRate
    document_days: int


def accept(request: ReportRequest, key: str | None, ports: AcceptPorts, context: Any) -> tuple[Report, bool]:
    """The report of this request and whether it existed before this call.

    ``key``: what the client sent, else None: then one is derived from organization, template version, filters and
    metadata. Raises ``NotNow`` (429 TPL-0429 before anything else, TPL-0039), ``RequestError`` (404 TPL-0011 unknown
    template, what ``row_filters.resolve`` refuses, TPL-0017 an expiry too far ahead, TPL-0040 for the key) and
    ``Unavailable``.
    """
    ports.check_rate(request.organization_id)
    content = canonical_hash(request.content())
    template = None
    derived = key is None
    if key is None:
        template = _template(request, ports)
        key = f"{template.version}:{content}"
    call = KeyedCall(request.organization_id, ENDPOINT, key, content, derived)
    return ports.idempotency.run(call, _Acceptance(request, template, ports), context)


@dataclass(frozen=True, slots=True)
class _Acceptance:
    """The work behind one key."""

    request: ReportRequest
    template: Template | None
    ports: AcceptPorts

    def make(self, reserve: Callable[[str], Reservation]) -> Report:
        template = self.template or _template(self.request, self.ports)
        schemas = self.ports.sources.for_organization(self.request.organization_id)
        for source in template.reads:
            if source not in schemas:
                raise RequestError.at("TPL-0031", source, "the template reads a data source that does not exist")
        resolve(self.request.filters, schemas)
        now = self.ports.clock()
        due = now + timedelta(seconds=self.ports.requeue_seconds)
        report = Report.accepted(self.ports.new_id(now), self.request, template, now, due)
        report = replace(report, expires_at=_expiry(self.request, report, self.ports.document_days))
        self.ports.reports.add(report, reserve(report.id))
        _log.info("accepted", extra=report.traced())
        return report

    def find(self, record_id: str) -> Report | None:
        return self.ports.reports.get(self.request.organization_id, record_id)

    def complete(self, made: Report) -> None:
        """Queue it. Once a worker has it there is nothing to do, and a second message would do no harm."""
        if made.status is Status.PENDING:
            self.ports.queue.send(RenderMessage(made.organization_id, made.id), made.output_format)


def _expiry(request: ReportRequest, report: Report, document_days: int) -> datetime | None:
    """When the report expires, if it does: no later than its document goes. Raises ``RequestError`` TPL-0017."""
    latest = report.created_at + timedelta(days=document_days)
    if request.expires_at is not None and request.expires_at > latest:
        problem = f"must be at most {document_days} days ahead (DocumentDays): documents are kept no longer"
        raise RequestError.at("TPL-0017", "expiresAt", problem)
    return None if report.expires_at is None else min(report.expires_at, latest)


def _template(request: ReportRequest, ports: AcceptPorts) -> Template:
    template = ports.templates.get(request.organization_id, request.template_id)
    if template is None:
        raise RequestError("TPL-0011", "no such template")
    return template
