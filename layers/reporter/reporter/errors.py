"""Every way a call or a report can fail, and what a client is told.

``CODES`` is the source of the table code → status → when → fields in the documentation; a test walks it.
An error knows its code and whether trying again can help. Only the doors turn a code into an HTTP answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NotRequired, TypedDict


class FieldProblem(TypedDict):
    """What is wrong with one named part of the input; ``line`` and ``column`` count from 1."""

    message: str
    line: NotRequired[int]
    column: NotRequired[int]
    code: NotRequired[str]
    text: NotRequired[str]


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One row of the table of codes. ``fields`` says what the answer's ``fields`` member names, if anything."""

    status: int
    title: str
    when: str
    fields: str = ""


CODES: Mapping[str, ErrorCode] = {
    "TPL-0001": ErrorCode(400, "Blank field", "a required form field is missing or blank", "the field"),
    "TPL-0002": ErrorCode(400, "File name", "the template's file name does not end in .tpl (.xlsx for XLSX)", "template"),
    "TPL-0003": ErrorCode(
        400, "Output format", "the output format is none of HTML PDF XML CSV TXT JSON XLSX", "outputFormat"
    ),
    "TPL-0004": ErrorCode(400, "Header", "a header is missing, malformed or sent twice", "the header"),
    "TPL-0005": ErrorCode(
        400, "Upload", "the body is not multipart/form-data, or holds no file or a damaged part", "the part"
    ),
    "TPL-0006": ErrorCode(400, "Empty file", "the template file holds no bytes", "template"),
    "TPL-0007": ErrorCode(
        400,
        "Template",
        "the template or its XML schema does not parse or does not fit its format, or a preview fails while rendering",
        "the place, with line and column",
    ),
    "TPL-0009": ErrorCode(400, "Id in the path", "the id in the path is not a UUID", "id"),
    "TPL-0010": ErrorCode(400, "Format without file", "PATCH changes the output format without a new file", "outputFormat"),
    "TPL-0011": ErrorCode(404, "Not found", "nothing with this id belongs to the organization"),
    "TPL-0012": ErrorCode(400, "Template id", "templateId is not a UUID", "templateId"),
    "TPL-0014": ErrorCode(400, "Field", "a field does not exist in its table", "the field's place"),
    "TPL-0015": ErrorCode(
        400, "Member or operator", "an unknown member, an unknown operator or an empty list of values", "each place"
    ),
    "TPL-0016": ErrorCode(400, "Missing member", "a required member is missing or null", "each member"),
    "TPL-0017": ErrorCode(
        400, "JSON, type or count", "the body is not valid JSON, or a value has the wrong type or count", "the place"
    ),
    "TPL-0018": ErrorCode(
        503, "Outage", "a part the service stands on is down or throttled; or (500) something unexpected happened"
    ),
    "TPL-0019": ErrorCode(400, "Query parameter", "a query parameter has a value it cannot have", "the parameter"),
    "TPL-0020": ErrorCode(400, "Date in a query", "a date in the query is not YYYY-MM-DD", "the parameter"),
    "TPL-0024": ErrorCode(400, "Limit", "limit is not between 1 and 100", "limit"),
    "TPL-0025": ErrorCode(400, "Sort order", "sort_order is neither asc nor desc", "sort_order"),
    "TPL-0026": ErrorCode(400, "Metadata key", "a metadata key is longer than 100 characters", "the key"),
    "TPL-0027": ErrorCode(400, "Metadata value", "a metadata text is longer than 2000 characters", "the key"),
    "TPL-0028": ErrorCode(400, "Metadata nesting", "a metadata value is a list or an object", "the key"),
    "TPL-0029": ErrorCode(400, "Not finished", "the report has no document (yet)"),
    "TPL-0030": ErrorCode(
        400, "Table", "a table does not exist in its data source, or may not be read", "the table's place"
    ),
    "TPL-0031": ErrorCode(
        400,
        "Data source",
        "a data source does not exist for this organization (404 on its own path)",
        "the source's place",
    ),
    "TPL-0032": ErrorCode(400, "Script", "an HTML or PDF template holds script", "the place, with line and column"),
    "TPL-0035": ErrorCode(
        400, "Ambiguous schema", "a table name without schema exists in several schemas", "the table's place"
    ),
    "TPL-0039": ErrorCode(409, "In flight", "the first call with this idempotency key is still running"),
    "TPL-0040": ErrorCode(409, "Key used", "the idempotency key was used with other content"),
    "TPL-0043": ErrorCode(410, "Expired", "the report has expired, or its document is not kept any more"),
    "TPL-0045": ErrorCode(409, "Cannot cancel", "the report has already ended"),
    "TPL-0046": ErrorCode(409, "Cannot retry", "only a report in Error can be retried"),
    "TPL-0047": ErrorCode(413, "Too large", "the body is larger than the limit"),
    "TPL-0048": ErrorCode(404, "Route", "there is no such route"),
    "TPL-0049": ErrorCode(405, "Method", "the route does not know this method"),
    "TPL-0401": ErrorCode(401, "Token", "no bearer token, or one that is not valid"),
    "TPL-0403": ErrorCode(403, "Not allowed", "the token does not allow this action or organization"),
    "TPL-0429": ErrorCode(429, "Too many requests", "a rate or concurrency limit is reached"),
}


class ReporterError(Exception):
    """The root. ``retryable``: whether the same thing may succeed later."""

    retryable = False

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class RequestError(ReporterError):
    """The caller's request cannot be met. ``code`` is a key of ``CODES``; ``fields`` names what is wrong where."""

    def __init__(
        self,
        code: str,
        message: str,
        fields: Mapping[str, FieldProblem] | None = None,
        *,
        status: int | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(code, message)
        self.status = status or CODES[code].status
        self.fields = dict(fields or {})
        self.retry_after_seconds = retry_after_seconds

    @classmethod
    def at(cls, code: str, place: str, message: str) -> "RequestError":
        """An error that points at one place of the input, e.g. ``filters.erp.customers.region``."""
        return cls(code, f"{place}: {message}", {place: FieldProblem(message=message)})


class NotNow(RequestError):
    """The same request may be met in ``retry_after_seconds``."""

    retryable = True

    def __init__(self, code: str, message: str, retry_after_seconds: int) -> None:
        super().__init__(code, message, retry_after_seconds=retry_after_seconds)


class TemplateProblems(RequestError):
    """A template was refused; ``problems`` in the order of the text, the first one gives the code."""

    def __init__(self, problems: "list[TemplateProblem]") -> None:
        first = problems[0]
        fields: dict[str, FieldProblem] = {}
        for number, problem in enumerate(problems, start=1):
            fields["template" if number == 1 else f"template.{number}"] = FieldProblem(
                message=problem.message, line=problem.line, column=problem.column, code=problem.code, text=problem.text
            )
        super().__init__(first.code, f"line {first.line}, column {first.column}: {first.message}", fields)
        self.problems = problems


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """One thing wrong with a template's text. ``line`` and ``column`` count from 1, ``text`` is the offending piece."""

    code: str
    message: str
    line: int
    column: int
    text: str = ""


class Unavailable(ReporterError):
    """A part we stand on is down, slow or throttles: the same call may succeed later."""

    retryable = True

    def __init__(self, what: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__("TPL-0018", f"{what} is not available, try again")
        self.retry_after_seconds = retry_after_seconds


class ReportFailure(ReporterError):
    """A report cannot be made: it ends in ``Error`` with this code and message (and the template's line)."""

    def __init__(self, code: str, message: str, line: int | None = None) -> None:
        super().__init__(code, message)
        self.line = line


class SourceUnavailable(ReportFailure):
    """A data source is down, slow or broke off in mid-stream: the report is tried again, then ends in ``Error``.

    ``dead``: whether nobody else would get an answer either, as far as one can see.
    """

    retryable = True

    def __init__(self, source: str, reason: str, *, dead: bool = True) -> None:
        super().__init__("SOURCE_UNAVAILABLE", f"data source {source}: {reason}")
        self.source = source
        self.dead = dead


class SourceResting(SourceUnavailable):
    """A data source that is down is left alone for ``seconds``: the report waits, and that is no attempt; a call is told."""

    def __init__(self, source: str, seconds: float) -> None:
        super().__init__(source, "it is down, and is tried again later", dead=False)
        self.seconds = seconds


class ConditionFailed(ReporterError):
    """A conditional write found another state than it asked for: somebody else was there before."""

    def __init__(self, what: str) -> None:
        super().__init__("CONDITION_FAILED", what)
