"""Changing a report from outside: cancel, retry, delete. Safe beside a worker that finishes at the same moment."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from reporter.errors import ConditionFailed, RequestError, Unavailable
from reporter.message import RenderMessage
from reporter.ports import RenderQueue
from reporter.report import Report, Status
from reporter.workflow.describe import describe
from reporter.workflow.limits import CheckRate
from reporter.workflow.loose_ends import EndPorts, tie_up

MAX_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class ChangePorts:
    """What changing needs. ``requeue_seconds``: after so long without a worker the sweeper sends the message again."""

    ends: EndPorts
    queue: RenderQueue
    requeue_seconds: int
    check_rate: CheckRate


def cancel(organization_id: str, report_id: str, ports: ChangePorts) -> Report:
    """The canceled report. Raises ``RequestError`` as ``describe``, and 409 TPL-0045 when it has ended.

    What must follow is tried at once and left to the sweeper where it fails: the report is canceled all the same.
    """
    report = _described(organization_id, report_id, ports)
    try:
        canceled = ports.ends.reports.cancel(report, ports.ends.clock())
    except ConditionFailed:
        status = _described(organization_id, report_id, ports).status
        raise RequestError("TPL-0045", f"the report is {status}: only one that has not ended can be canceled") from None
    with suppress(Unavailable):
        tie_up(canceled, ports.ends)
    return canceled


def retry(organization_id: str, report_id: str, ports: ChangePorts) -> Report:
    """The report on its way again, with the template version it had. Raises as ``describe``, and 409 TPL-0046.

    A retry counts as a request for a report (429 TPL-0429). If the message does not get through the sweeper sends it: the
    report is on its way all the same.
    """
    report = _described(organization_id, report_id, ports)
    now = ports.ends.clock()
    if report.status is not Status.ERROR:
        raise _not_in_error(report)
    ports.check_rate(organization_id)
    if report.loose_ends:
        tie_up(report, ports.ends)
    try:
        retried = ports.ends.reports.retry(report, now, now + timedelta(seconds=ports.requeue_seconds))
    except ConditionFailed:
        raise _not_in_error(_described(organization_id, report_id, ports)) from None
    with suppress(Unavailable):
        ports.queue.send(RenderMessage(organization_id, report_id), retried.output_format)
    return retried


def delete(organization_id: str, report_id: str, ports: ChangePorts) -> None:
    """Gone: canceled first if need be, its end told, then marked, then every version of every document removed.

    Raises as ``describe``. Whoever got ``Unavailable`` may call again: as long as something of it is left to remove,
    that is no 404.
    """
    found = ports.ends.reports.get(organization_id, report_id)
    if found is not None and found.deleted and found.loose_ends:
        tie_up(found, ports.ends)
        return
    for _round in range(MAX_ROUNDS):
        report = _described(organization_id, report_id, ports)
        if not report.ended:
            with suppress(RequestError):
                # Refused when it has ended in this moment, which is as well.
                cancel(organization_id, report_id, ports)
            continue
        if report.loose_ends:
            # Nobody tells the end of what is deleted.
            tie_up(report, ports.ends)
        with suppress(ConditionFailed):
            tie_up(ports.ends.reports.delete(report, ports.ends.clock()), ports.ends)
            return
    raise Unavailable(f"report {report_id}, which is retried all the time,")


def _described(organization_id: str, report_id: str, ports: ChangePorts) -> Report:
    return describe(organization_id, report_id, ports.ends.reports, ports.ends.clock())


def _not_in_error(report: Report) -> RequestError:
    if report.status is Status.ERROR:
        return RequestError("TPL-0046", "another call has retried the report meanwhile, and it ended in Error again")
    return RequestError("TPL-0046", f"the report is {report.status}: only one in Error can be retried")
