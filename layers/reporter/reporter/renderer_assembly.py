"""The renderer, as the doors and the command line start it from their settings.

Start it before any client exists: it must never have shared memory with credentials.
"""

from reporter.renderer.client import Renderer
from reporter.renderer.containment import Limits, Told
from reporter.settings import PreviewSettings, RenderSettings, TemplateSettings, WorkerSettings


def render_limits(settings: RenderSettings) -> Limits:
    """What one document may cost."""
    return Limits(
        seconds=settings.render_seconds,
        cpu_seconds=settings.render_cpu_seconds,
        memory_bytes=settings.render_memory_bytes,
        output_bytes=settings.max_output_bytes,
        filter_required=settings.require_system_call_filter,
    )


def worker_renderer(settings: WorkerSettings) -> Renderer:
    """For whole documents."""
    pages = Told(seconds="PdfRenderSeconds", cpu_seconds="PdfRenderCpuSeconds", memory_bytes="PdfRenderMemoryBytes")
    return Renderer(
        render_limits(settings),
        settings.pdf_limits(),
        pages=pages,
        unfiltered=lambda: _count_unfiltered(settings.stage),
    )


def preview_renderer(settings: PreviewSettings) -> Renderer:
    """For the beginnings of documents."""
    limits = Limits(
        seconds=settings.preview_seconds,
        cpu_seconds=settings.preview_seconds,
        memory_bytes=settings.preview_memory_bytes,
        output_bytes=settings.preview_output_bytes,
        filter_required=settings.require_system_call_filter,
        told=Told(
            seconds="PreviewSeconds",
            cpu_seconds="PreviewSeconds",
            memory_bytes="PreviewMemoryBytes",
            output_bytes="PreviewOutputBytes",
        ),
    )
    return Renderer(limits, settings.pdf_limits(), unfiltered=lambda: _count_unfiltered(settings.stage))


def schema_renderer(settings: TemplateSettings) -> Renderer:
    """For looking at uploaded XML schemas: it makes no document, and most often has nothing to do."""
    limits = Limits(
        seconds=settings.schema_seconds,
        cpu_seconds=settings.schema_seconds,
        memory_bytes=settings.schema_memory_bytes,
        output_bytes=1,
        filter_required=settings.require_system_call_filter,
        told=Told(
            what="understanding the schema",
            seconds="SchemaSeconds",
            cpu_seconds="SchemaSeconds",
            memory_bytes="SchemaMemoryBytes",
            advice="make it simpler",
        ),
    )
    return Renderer(limits, warm=False, unfiltered=lambda: _count_unfiltered(settings.stage))


def _count_unfiltered(stage: str) -> None:
    # Imported late, so that the renderer starts before anything else is loaded.
    from reporter.aws.metrics import Meter

    Meter(stage).count("SystemCallsUnfiltered")
