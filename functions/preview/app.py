"""POST /v1/templates/preview: a template's document over a few rows, at once. Nothing is stored."""

from typing import Any

from reporter.renderer_assembly import preview_renderer
from reporter.settings import PreviewSettings

settings = PreviewSettings.from_env()
# Before any client exists: the renderer must never have shared memory with credentials.
renderer = preview_renderer(settings)

from reporter.assembly import clock  # noqa: E402
from reporter.aws.http import Call, answer, make_resolver  # noqa: E402
from reporter.aws.logs import answered  # noqa: E402
from reporter.aws.uploads import preview_of  # noqa: E402
from reporter.preview import Preview, PreviewLimits  # noqa: E402
from reporter.source_assembly import source_registry  # noqa: E402

registry = source_registry(settings, stores=False)
preview = Preview(
    registry.rows_of,
    renderer,
    clock,
    PreviewLimits(
        rows=settings.preview_rows,
        seconds=settings.preview_seconds,
        spool_bytes=settings.preview_spool_bytes,
        answer_bytes=settings.preview_answer_bytes,
        schema_bytes=settings.max_schema_bytes,
        workbook=settings.workbook_limits(),
    ),
)
app = make_resolver()


@app.post("/v1/templates/preview")
def preview_template() -> Any:
    """A template's document over given rows, or over the first rows of the data sources. Nothing is stored."""
    call = Call(app)
    organization = call.organization()
    form = preview_of(call, settings.max_upload_bytes)
    for action in form.actions:
        call.allow(action)
    return answer(200, preview.make(organization, form))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """API Gateway's events."""
    return answered(event, context, app.resolve)
