"""Registering, changing and reading templates."""

from typing import Any

from reporter.renderer_assembly import schema_renderer
from reporter.settings import TemplateSettings

settings = TemplateSettings.from_env()
# Before any client exists: what looks at uploaded schemas must never have shared memory with credentials.
renderer = schema_renderer(settings)

from reporter.aws.http import Call, answer, attachment, created, file_answer, make_resolver  # noqa: E402
from reporter.aws.logs import answered  # noqa: E402
from reporter.aws.paging import PageLimits, page_request, read_page  # noqa: E402
from reporter.aws.template_store import template_of  # noqa: E402
from reporter.aws.uploads import upload_of  # noqa: E402
from reporter.template import Template  # noqa: E402
from reporter.upload_assembly import upload_ports  # noqa: E402
from reporter.workflow.describe import template_filters  # noqa: E402
from reporter.workflow.upload import change, content, existing, register, remove  # noqa: E402

ports = upload_ports(settings, renderer)
page_limits = PageLimits(settings.max_answer_bytes, settings.list_seconds)
app = make_resolver()


@app.post("/v1/templates")
def post_template() -> Any:
    """Register a template."""
    call = Call(app)
    organization, key = call.organization(), call.idempotency_key()
    upload = upload_of(call, settings.max_upload_bytes)
    template, replayed = register(organization, upload, key, ports, app.lambda_context)
    return created(template, "templates", replayed)


@app.get("/v1/templates")
def list_templates() -> Any:
    """An organization's templates, newest first."""
    call = Call(app)
    organization = call.organization()
    holds = {"description": text.lower()} if (text := call.query("description")) else {}
    request = page_request(call, template_filters(call.query("outputFormat", "output_format")), holds)
    page = read_page(settings.template_table, organization, request, template_of, Template.as_answer, page_limits)
    return answer(200, page.as_answer(request, Template.as_answer))


@app.get("/v1/templates/<template_id>")
def get_template(template_id: str) -> Any:
    """One template."""
    call = Call(app)
    return answer(200, existing(call.organization(), call.path_id(template_id), ports).as_answer())


@app.get("/v1/templates/<template_id>/content")
def get_content(template_id: str) -> Any:
    """The template's file, of the current or an earlier version; with part=schema the XML schema of that version."""
    call = Call(app)
    organization, found = call.organization(), call.path_id(template_id)
    version = call.number("version", 0, lambda n: n >= 1, "TPL-0019", "a version's number")
    file = content(organization, found, version, call.query("part") or "template", ports)
    return file_answer(file.content, file.content_type, {"Content-Disposition": attachment(file.name)})


@app.patch("/v1/templates/<template_id>")
def patch_template(template_id: str) -> Any:
    """Change a template; a new file or option makes a new version."""
    call = Call(app)
    organization, found = call.organization(), call.path_id(template_id)
    upload = upload_of(call, settings.max_upload_bytes)
    return answer(200, change(organization, found, upload, ports).as_answer())


@app.delete("/v1/templates/<template_id>")
def delete_template(template_id: str) -> Any:
    """Soft-delete a template; its reports stay."""
    call = Call(app)
    remove(call.organization(), call.path_id(template_id), ports)
    return answer(204, None)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """API Gateway's events."""
    return answered(event, context, app.resolve)
