"""The shapes of what the API takes and gives, for its description. A test holds every answer it sees against them."""

from typing import Any

from reporter.document import CONTENT_TYPES
from reporter.errors import CODES
from reporter.report import Status

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
UUID: Schema = {"type": "string", "format": "uuid"}
WHOLE: Schema = {"type": "integer"}
YES_OR_NO: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
HASH: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
FORMAT: Schema = {"enum": list(CONTENT_TYPES)}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def listed(schema: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": schema}


def known(properties: Schema, optional: Schema | None = None) -> Schema:
    """An object with all of these members, perhaps the optional ones, and no others."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": {**properties, **(optional or {})},
        "additionalProperties": False,
    }


LIMITS = known(
    {
        **{name: nullable(WHOLE) for name in ("reportsPerMinute", "concurrentReports")},
        **dict.fromkeys(
            (
                "maxBodyBytes",
                "maxUploadBytes",
                "maxAnswerBytes",
                "maxRows",
                "maxSpoolBytes",
                "maxOutputBytes",
                "renderSeconds",
                "pdfMaxRows",
                "pdfPages",
                "pdfRenderSeconds",
                "maxAttempts",
                "deadlineSeconds",
                "downloadSeconds",
                "idempotencyHours",
                "derivedKeySeconds",
            ),
            WHOLE,
        ),
    }
)
REPORT = known(
    {
        "id": UUID,
        "templateId": UUID,
        "templateOutputFormat": FORMAT,
        "templateDescription": TEXT,
        "filters": {"type": "object"},
        "status": {"enum": [status.value for status in Status]},
        "completedAt": nullable(TIME),
        "createdAt": TIME,
        "updatedAt": TIME,
        "deletedAt": nullable(TIME),
        "metadata": nullable({"type": "object"}),
        "templateVersion": WHOLE,
        "attempts": WHOLE,
        "rows": nullable(WHOLE),
        "size": nullable(WHOLE),
        "sha256": nullable(HASH),
        "timeZone": TEXT,
        "expiresAt": nullable(TIME),
        "createdBy": nullable(TEXT),
        "warnings": listed(TEXT),
        "error": nullable(known({"code": TEXT, "message": TEXT}, {"line": WHOLE})),
    }
)
TEMPLATE = known(
    {
        "id": UUID,
        "outputFormat": FORMAT,
        "description": TEXT,
        "fileName": TEXT,
        "version": WHOLE,
        "createdAt": TIME,
        "updatedAt": TIME,
        "warnings": listed(TEXT),
        "timeZone": TEXT,
        "formulaGuard": YES_OR_NO,
        "expiresAfterDays": nullable(WHOLE),
        "schemaSha256": nullable(HASH),
    }
)
SOURCE = {"id": TEXT, "externalName": TEXT, "type": TEXT}
TABLE = known({"name": TEXT, "fields": listed(TEXT)})
LINK = known({"url": TEXT, "expiresAt": TIME, "fileName": TEXT, "contentType": TEXT, "size": WHOLE, "sha256": HASH})
PREVIEW = known(
    {
        "outputFormat": FORMAT,
        "contentType": TEXT,
        "encoding": {"enum": ["utf-8", "base64"], "description": "How content is written: base64 for PDF and XLSX"},
        "content": TEXT,
        "rows": {"type": "integer", "description": "Rows read, over all tables"},
        "truncated": {"type": "boolean", "description": "Whether rows or bytes were left out; warnings say which"},
        "warnings": listed(TEXT),
    }
)
FIELD_PROBLEM = known({"message": TEXT}, {"line": WHOLE, "column": WHOLE, "code": TEXT, "text": TEXT})
PROBLEM = known(
    {"type": TEXT, "title": TEXT, "status": WHOLE, "detail": TEXT, "code": {"enum": sorted(CODES)}, "message": TEXT},
    {"fields": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/FieldProblem"}}},
)
REQUEST: Schema = {
    "type": "object",
    "required": ["templateId", "filters"],
    "additionalProperties": False,
    "properties": {
        "templateId": UUID,
        "filters": {"type": "object", "description": "source, table, field, operator, values"},
        "metadata": nullable({"type": "object"}),
        "timeZone": nullable({**TEXT, "description": "An IANA name; by default the template's"}),
        "expiresAt": nullable(TIME),
    },
}


def page_of(name: str) -> Schema:
    """One page of a list."""
    items = listed({"$ref": f"#/components/schemas/{name}"})
    return known({"items": items, "page": WHOLE, "limit": WHOLE, "total": WHOLE}, {"nextCursor": TEXT})


SCHEMAS = {
    "Report": REPORT,
    "ReportPage": page_of("Report"),
    "Template": TEMPLATE,
    "TemplatePage": page_of("Template"),
    "DataSources": listed(known(SOURCE)),
    "DataSource": known({**SOURCE, "tables": listed(TABLE)}),
    "Limits": LIMITS,
    "Link": LINK,
    "Preview": PREVIEW,
    "FieldProblem": FIELD_PROBLEM,
    "Problem": PROBLEM,
}
