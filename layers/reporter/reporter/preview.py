"""A preview: a template's document over a few rows, made at once in the worker's containment. Nothing is stored."""

import base64
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any

from reporter.conditions import Condition
from reporter.dataset import Batch, SpoolWriter
from reporter.deadline import Deadline
from reporter.document import CONTENT_TYPES, TEXT_FORMATS, Document
from reporter.errors import FieldProblem, ReportFailure, RequestError, SourceResting
from reporter.exact_json import parse_json
from reporter.formats.template_file import template_file
from reporter.formats.workbook.limits import WorkbookLimits
from reporter.given_data import given_json
from reporter.limit import FEWER_ROWS, passed
from reporter.ports import Clock
from reporter.press import Order, Plan, RowSource, TableReader, make_document, plan
from reporter.renderer.client import Renderer
from reporter.row_filters import check_operators
from reporter.workflow.upload_form import PreviewForm, file_of, options_of, require
from reporter.workflow.xml_schema import require_fitting, schema_text

_FEWER_ROWS = f"{FEWER_ROWS}, or make the document as a report"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewLimits:
    """``rows`` of each table. ``seconds`` for reading and rendering together. ``answer_bytes`` of a text are shown."""

    rows: int
    seconds: int
    spool_bytes: int
    answer_bytes: int
    schema_bytes: int
    workbook: WorkbookLimits


class Preview:
    """``rows_of``: organization → what it may read; asked only where no rows are given."""

    def __init__(self, rows_of: Callable[[str], RowSource], renderer: Renderer, clock: Clock, limits: PreviewLimits) -> None:
        self._rows_of = rows_of
        self._renderer = renderer
        self._clock = clock
        self._limits = limits

    def make(self, organization_id: str, form: PreviewForm) -> dict[str, Any]:
        """What the API answers.

        Raises ``RequestError``: what an upload or a report's filters are refused for, TPL-0017 for the rows given,
        TPL-0007 for what goes wrong while rendering, and ``Unavailable``.
        """
        order = self._order(form)
        source = self._rows_of(organization_id) if form.data is None else given_json(parse_json(form.data, "data"), "data")
        rows = _FirstRows(source, self._limits.rows)
        deadline = Deadline(self._limits.seconds, setting="PreviewSeconds", what="the preview")
        planned = plan(order, rows.schemas)
        with tempfile.TemporaryDirectory(prefix="preview-") as name:
            folder = Path(name)
            spool = SpoolWriter(folder, sys.maxsize, self._limits.spool_bytes, ("PreviewRows", "PreviewSpoolBytes"))
            try:
                document, counts = make_document(order, planned, rows, self._renderer, spool, folder, deadline=deadline)
                return self._answer(order, planned, rows, document, counts.read)
            except ReportFailure as failure:
                raise _refused(failure) from None

    def _order(self, form: PreviewForm) -> Order:
        upload = form.upload
        require(upload, ("outputFormat", upload.output_format))
        options = options_of(upload)
        output_format = options["output_format"]
        content, name = file_of(upload, output_format)
        require_fitting(upload.xml_schema, output_format, self._limits.schema_bytes)
        return Order(
            template=template_file(content, output_format, name),
            output_format=output_format,
            filters={} if form.filters is None else check_operators(parse_json(form.filters, "filters")),
            now=self._clock(),
            time_zone=options.get("time_zone", "UTC"),
            formula_guard=options.get("formula_guard", True),
            xml_schema=schema_text(upload.xml_schema) if upload.xml_schema else None,
            workbook_limits=self._limits.workbook,
        )

    def _answer(self, order: Order, planned: Plan, rows: "_FirstRows", document: Document, read: int) -> dict[str, Any]:
        text = order.output_format in TEXT_FORMATS
        most = self._limits.answer_bytes
        cut = [f"only the first {self._limits.rows} rows of {table} were read" for table in rows.cut]
        if document.size > most:
            if not text:
                message = passed("the document has", most, "bytes", _FEWER_ROWS, "PreviewAnswerBytes")
                raise ReportFailure("TEMPLATE_OUTPUT", message)
            cut.append(f"only the first {most} of {document.size} bytes are shown")
        with document.path.open("rb") as file:
            content = file.read(most)
        return {
            "outputFormat": order.output_format,
            "contentType": CONTENT_TYPES[order.output_format],
            "encoding": "utf-8" if text else "base64",
            "content": content.decode(errors="ignore") if text else base64.b64encode(content).decode(),
            "rows": read,
            "truncated": bool(cut),
            "warnings": [*planned.checked.warnings, *document.warnings, *cut],
        }


class _FirstRows:
    """See ``press.RowSource``: the first ``most`` rows of each table. ``cut``: the tables that hold more."""

    def __init__(self, rows: RowSource, most: int) -> None:
        self.schemas = rows.schemas
        self.cut: list[str] = []
        self._rows = rows
        self._most = most

    @contextmanager
    def snapshot(self, source: str, deadline: Deadline) -> Iterator[TableReader]:
        """A snapshot of its own for each table: one that is left early can be read no further."""

        def first(table: str, columns: Sequence[str], conditions: Sequence[Condition]) -> Iterator[Batch]:
            deadline.check()
            with self._rows.snapshot(source, deadline) as read:
                yield from self._first(f"{source}.{table}", read(table, columns, conditions))

        yield first

    def _first(self, table: str, batches: Iterable[Batch]) -> Iterator[Batch]:
        left = self._most
        for batch in batches:
            yield list(islice(batch, left))
            if len(batch) > left:
                self.cut.append(table)
                return
            left -= len(batch)


def _refused(failure: ReportFailure) -> RequestError:
    """What would have ended a report, as an answer: with its code, and the line of the template or the document."""
    if failure.retryable or failure.code == "CONTAINMENT_NOT_AVAILABLE":
        seconds = ceil(failure.seconds) if isinstance(failure, SourceResting) else 5
        return RequestError("TPL-0018", failure.message, retry_after_seconds=seconds)
    place = {"DOCUMENT_INVALID": "document", "TEMPLATE": "template"}.get(failure.code, "template")
    problem = FieldProblem(message=failure.message, code=failure.code)
    shown = failure.message
    if failure.line is not None:
        problem["line"] = failure.line
        shown = shown if place == "document" else f"line {failure.line}: {shown}"
    return RequestError("TPL-0007", shown, {place: problem})
