"""What the doors that end reports from outside their worker assemble alike from their settings."""

from reporter.assembly import clock
from reporter.aws.document_bucket import DocumentBucket
from reporter.aws.events import EventBridgeEvents
from reporter.aws.render_queue import SqsRenderQueue
from reporter.aws.report_table import ReportTable
from reporter.settings import EndSettings, SweepSettings
from reporter.workflow.loose_ends import EndPorts
from reporter.workflow.sweep import SweepPorts


def end_ports(settings: EndSettings) -> EndPorts:
    """What ending a report needs."""
    return EndPorts(
        reports=ReportTable(settings.report_table),
        documents=DocumentBucket(settings.document_bucket),
        events=EventBridgeEvents(settings.event_bus),
        clock=clock,
        worker_seconds=settings.worker_seconds,
    )


def render_queues(settings: EndSettings) -> SqsRenderQueue:
    """The queues that a report may be put into again."""
    return SqsRenderQueue(settings.render_queue_url, settings.pdf_queue_url)


def sweep_ports(settings: SweepSettings) -> SweepPorts:
    """What settling unfinished reports needs."""
    return SweepPorts(
        ends=end_ports(settings),
        queue=render_queues(settings),
        budget=settings.budget(),
        requeue_seconds=settings.requeue_seconds,
    )
