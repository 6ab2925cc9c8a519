"""The upload form of a template, and that of a preview, from an HTTP call."""

from collections.abc import Mapping

from reporter.aws.http import Call
from reporter.aws.multipart import Part, parse_form
from reporter.errors import RequestError
from reporter.limit import passed
from reporter.workflow.upload_form import PreviewForm, Upload

FIELDS = frozenset({"outputFormat", "description", "timeZone", "formulaGuard", "expiresAfterDays"})
FILES = ("template", "templateFile")
SCHEMA = "schema"
PREVIEW = frozenset({"data", "filters"})


def upload_of(call: Call, max_bytes: int) -> Upload:
    """The form's parts. Raises ``RequestError`` TPL-0005 (413 when too large) or TPL-0015."""
    return _upload(_parts(call, max_bytes, {*FIELDS, *FILES, SCHEMA}))


def preview_of(call: Call, max_bytes: int) -> PreviewForm:
    """The same with rows or filters. Raises as ``upload_of``, and TPL-0016 when neither is there."""
    parts = _parts(call, max_bytes, {*FIELDS, *FILES, SCHEMA, *PREVIEW})
    # A browser sends an empty part for a file that nobody chose.
    texts = {name: _text(parts, name) for name in PREVIEW & set(parts) if parts[name].content.strip()}
    if not texts:
        raise RequestError.at("TPL-0016", "data", "is required, unless filters are given")
    return PreviewForm(upload=_upload(parts), data=texts.get("data"), filters=texts.get("filters"))


def _parts(call: Call, max_bytes: int, known: set[str]) -> Mapping[str, Part]:
    body = call.body()
    if len(body) > max_bytes:
        advice = "make the files in it smaller, the images in them above all"
        message = passed("the body has", max_bytes, "bytes", advice, "MaxUploadBytes")
        raise RequestError("TPL-0005", message, status=413)
    parts = parse_form(call.content_type(), body)
    if unknown := sorted(set(parts) - known):
        raise RequestError.at("TPL-0015", unknown[0], "is not a part of this form")
    return parts


def _text(parts: Mapping[str, Part], name: str) -> str:
    try:
        return parts[name].content.decode()
    except UnicodeDecodeError:
        raise RequestError.at("TPL-0005", name, "is not UTF-8") from None


def _upload(parts: Mapping[str, Part]) -> Upload:
    files = [parts[name] for name in FILES if name in parts]
    if len(files) > 1:
        raise RequestError.at("TPL-0005", "template", "is there twice, once as templateFile")
    texts = {name: _text(parts, name) for name in FIELDS & set(parts)}
    file = files[0] if files else None
    return Upload(
        file_name=file.file_name or "" if file else None,
        content=file.content if file else None,
        output_format=texts.get("outputFormat"),
        description=texts.get("description"),
        time_zone=texts.get("timeZone"),
        formula_guard=texts.get("formulaGuard"),
        expires_after_days=texts.get("expiresAfterDays"),
        xml_schema=parts[SCHEMA].content if SCHEMA in parts else None,
    )
