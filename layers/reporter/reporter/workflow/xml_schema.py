"""The XML schema of a template: what its documents must fit. Checked at upload, immutable like the version it belongs to."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from reporter.errors import ConditionFailed, FieldProblem, ReportFailure, RequestError, Unavailable
from reporter.limit import passed
from reporter.template import Template

PART = "schema"
CONTENT_TYPE = "application/xml"


class Files(Protocol):
    """The bucket, for schemas."""

    def store_bytes(self, key: str, content: bytes, content_type: str) -> None: ...


@dataclass(frozen=True, slots=True)
class XmlSchemas:
    """``check`` tells of a schema's text, in containment, whether documents can be checked against it.

    It raises ``ReportFailure`` with the schema's line, and ``Unavailable``.
    """

    files: Files
    check: Callable[[str], None]
    max_bytes: int

    def with_schema(self, template: Template, part: bytes | None) -> Template:
        """The template with the schema in ``part`` stored beside it; None: with the one it had; empty: with none.

        Raises ``RequestError`` TPL-0007 with the schema's line, and ``Unavailable``.
        """
        if template.output_format != "XML" or part == b"":
            return replace(template, schema_key=None, schema_sha256=None)
        if part is None:
            return template
        try:
            self.check(schema_text(part))
        except ReportFailure as failure:
            raise _refused(failure.message, failure.line) from None
        digest = hashlib.sha256(part).hexdigest()
        key = f"{template.content_key}.{digest[:16]}.xsd"
        try:
            self.files.store_bytes(key, part, CONTENT_TYPE)
        except ConditionFailed:
            raise Unavailable("the template's schema") from None
        return replace(template, schema_key=key, schema_sha256=digest)


def require_fitting(part: bytes | None, output_format: str, max_bytes: int) -> None:
    """What is wrong with a form's part at first sight. Raises ``RequestError`` TPL-0007."""
    if not part:
        return
    if output_format != "XML":
        raise RequestError.at("TPL-0007", PART, f"only XML documents have a schema, not {output_format}")
    if len(part) > max_bytes:
        message = passed("the schema has", max_bytes, "bytes", "take out what documents do not need", "MaxSchemaBytes")
        raise RequestError.at("TPL-0007", PART, message)


def schema_text(part: bytes) -> str:
    """Raises ``RequestError`` TPL-0007 with the line."""
    try:
        return part.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused("the schema is not UTF-8 text", part[: error.start].count(b"\n") + 1) from None


def changes(part: bytes | None, template: Template) -> bool:
    """Whether a form's part is another schema than the template has."""
    return part is not None and template.schema_sha256 != (hashlib.sha256(part).hexdigest() if part else None)


def _refused(message: str, line: int | None) -> RequestError:
    problem = FieldProblem(message=message) if line is None else FieldProblem(message=message, line=line)
    return RequestError("TPL-0007", f"{PART}: {message}", {PART: problem})
