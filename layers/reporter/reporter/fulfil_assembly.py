"""Making reports, as the worker's door assembles it from its settings."""

from reporter.assembly import clock
from reporter.aws.document_bucket import DocumentBucket, document_key
from reporter.aws.events import EventBridgeEvents
from reporter.aws.report_table import ReportTable
from reporter.press import Press
from reporter.renderer.client import Renderer
from reporter.settings import WorkerSettings
from reporter.sources.registry import SourceRegistry
from reporter.workflow.fulfil import FulfilLimits, FulfilPorts


def fulfil_ports(settings: WorkerSettings, sources: SourceRegistry, renderer: Renderer) -> FulfilPorts:
    """What making a report needs."""
    documents = DocumentBucket(settings.document_bucket)
    press = Press(
        sources.rows_of,
        documents,
        renderer,
        clock,
        max_rows=settings.max_rows,
        max_bytes=settings.max_spool_bytes,
        workbook_limits=settings.workbook_limits(),
    )
    return FulfilPorts(
        reports=ReportTable(settings.report_table),
        documents=documents,
        events=EventBridgeEvents(settings.event_bus),
        press=press,
        clock=clock,
        document_key=document_key,
    )


def fulfil_limits(settings: WorkerSettings) -> FulfilLimits:
    """How often and until when a report may be begun."""
    return FulfilLimits(
        budget=settings.budget(),
        max_rests=settings.max_rests,
        heartbeat_seconds=settings.heartbeat_seconds,
        retry_delay_seconds=settings.retry_delay_seconds,
    )
