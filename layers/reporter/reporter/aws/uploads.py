"""The upload form of a template, from an HTTP call."""

from reporter.aws.http import Call
from reporter.aws.multipart import parse_form
from reporter.errors import RequestError
from reporter.workflow.upload import Upload

FIELDS = frozenset({"outputFormat", "description", "timeZone", "formulaGuard", "expiresAfterDays"})
FILES = ("template", "templateFile")
SCHEMA = "schema"


def upload_of(call: Call, max_bytes: int) -> Upload:
    """The form's parts. Raises ``RequestError`` TPL-0005 (413 when too large) or TPL-0015."""
    body = call.body()
    if len(body) > max_bytes:
        raise RequestError("TPL-0005", f"the body is larger than {max_bytes} bytes", status=413)
    parts = parse_form(call.content_type(), body)
    if unknown := sorted(set(parts) - FIELDS - {*FILES, SCHEMA}):
        raise RequestError.at("TPL-0015", unknown[0], "is not a part of this form")
    files = [parts[name] for name in FILES if name in parts]
    if len(files) > 1:
        raise RequestError.at("TPL-0005", "template", "is there twice, once as templateFile")
    texts: dict[str, str] = {}
    for name in FIELDS & set(parts):
        try:
            texts[name] = parts[name].content.decode()
        except UnicodeDecodeError:
            raise RequestError.at("TPL-0005", name, "is not UTF-8") from None
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
