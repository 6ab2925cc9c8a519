"""The press: reads what a template needs into a spool and has it rendered. It changes no state of any report.

Where the rows come from is not its matter: from an organization's data sources, or from what an author gives.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from reporter.conditions import Condition, Conditions
from reporter.dataset import Batch, SpoolWriter
from reporter.deadline import FOR_EVER, Deadline
from reporter.document import Document, RowCounts
from reporter.errors import ReportFailure, RequestError
from reporter.formats.template_file import TemplateFile, check_template, template_file
from reporter.formats.workbook.limits import DEFAULT, WorkbookLimits
from reporter.language.check import CheckedTemplate
from reporter.ports import Clock, Documents
from reporter.renderer.client import Job, Renderer
from reporter.report import Report
from reporter.row_filters import resolve
from reporter.schema import SourceSchema

_PAST_A_LIMIT = {"REPORT_TOO_LARGE", "TEMPLATE_TIMEOUT", "TEMPLATE_MEMORY", "TEMPLATE_OUTPUT", "TEMPLATE_RECURSION"}
TableReader = Callable[[str, Sequence[str], Sequence[Condition]], Iterable[Batch]]
"""Qualified table, columns and conditions → batches of rows; without columns one constant a row."""


class RowSource(Protocol):
    """The rows that one document may be made of."""

    @property
    def schemas(self) -> Mapping[str, SourceSchema]:
        """Source → schema; an access may ask the source. Raises ``Unavailable``."""
        ...

    def snapshot(self, source: str, deadline: Deadline) -> AbstractContextManager[TableReader]:
        """Reads of one source, as it is at one moment, by ``deadline``. Raises ``ReportFailure`` and ``Unavailable``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be made. ``filters`` have passed ``check_operators``; ``now`` is aware; ``xml_schema``: an XSD."""

    template: TemplateFile
    output_format: str
    filters: Mapping[str, Any]
    now: datetime
    time_zone: str = "UTC"
    formula_guard: bool = True
    xml_schema: str | None = None
    workbook_limits: WorkbookLimits = DEFAULT


@dataclass(frozen=True, slots=True)
class Plan:
    """What an order reads, checked against the schemas."""

    checked: CheckedTemplate
    conditions: Conditions


def plan(order: Order, schemas: Mapping[str, SourceSchema]) -> Plan:
    """Raises ``TemplateProblems``, and ``RequestError`` as ``row_filters.resolve``."""
    checked = check_template(order.template, order.output_format, schemas, order.workbook_limits)
    return Plan(checked, resolve(order.filters, schemas))


def make_document(
    order: Order,
    planned: Plan,
    rows: RowSource,
    renderer: Renderer,
    spool: SpoolWriter,
    folder: Path,
    cancelled: Callable[[], bool] = lambda: False,
    deadline: Deadline = FOR_EVER,
) -> tuple[Document, RowCounts]:
    """Spool what the plan reads and have it rendered, by ``deadline``.

    Raises ``ReportFailure`` and ``Unavailable``.
    """
    checked, conditions = planned.checked, planned.conditions
    delivered = _Delivered(cancelled)
    with _advising(order.output_format), ExitStack() as stack:
        # All snapshots first: the moments they show are as close as they can be, and nothing is read in vain.
        reads = {source: stack.enter_context(rows.snapshot(source, deadline)) for source in checked.reads}
        for source, tables in checked.reads.items():
            for table, columns in tables.items():
                batches = reads[source](table, columns, conditions.get(source, {}).get(table, ()))
                # Without columns the template only counts rows.
                spool.write(source, table, columns or ("",), delivered.of(batches))
    job = Job(
        template=order.template,
        output_format=order.output_format,
        tables=checked.tables,
        spool=spool.tables,
        now=order.now,
        time_zone=order.time_zone,
        formula_guard=order.formula_guard,
        xml_schema=order.xml_schema,
        workbook_limits=order.workbook_limits,
    )
    deadline.check()
    with _advising(order.output_format):
        document = renderer.render(job, folder, cancelled, deadline)
    made = replace(document, warnings=(*document.warnings, *_without_effect(conditions, checked)))
    return made, RowCounts(delivered.rows, spool.rows)


class Press:
    """``rows_of``: organization → what it may read. ``max_rows`` and ``max_bytes`` bound what one report may read."""

    def __init__(
        self,
        rows_of: Callable[[str], RowSource],
        documents: Documents,
        renderer: Renderer,
        clock: Clock,
        *,
        max_rows: int,
        max_bytes: int,
        workbook_limits: WorkbookLimits,
    ) -> None:
        self._rows_of = rows_of
        self._documents = documents
        self._renderer = renderer
        self._clock = clock
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._workbook_limits = workbook_limits

    def make(
        self, report: Report, folder: Path, cancelled: Callable[[], bool], deadline: Deadline
    ) -> tuple[Document, RowCounts]:
        """See ``workflow.fulfil.Press.make``."""
        order = Order(
            template=self._template(report),
            output_format=report.output_format,
            filters=report.filters,
            now=self._clock(),
            time_zone=report.time_zone,
            formula_guard=report.formula_guard,
            xml_schema=self._xml_schema(report),
            workbook_limits=self._workbook_limits,
        )
        rows = self._rows_of(report.organization_id)
        try:
            planned = plan(order, rows.schemas)
        except RequestError as error:
            # It was right when it was accepted: a table, a field or a whole source has changed since.
            raise ReportFailure("SOURCE_CHANGED", error.message) from None
        # Pages cost more than rows, and have a setting of their own.
        settings = ("PdfMaxRows" if report.output_format == "PDF" else "MaxRows", "MaxSpoolBytes")
        spool = SpoolWriter(folder, self._max_rows, self._max_bytes, settings)
        return make_document(order, planned, rows, self._renderer, spool, folder, cancelled, deadline)

    def _template(self, report: Report) -> TemplateFile:
        content = self._documents.read_bytes(report.template_key, report.template_sha256)
        return template_file(content, report.output_format)

    def _xml_schema(self, report: Report) -> str | None:
        if report.schema_key is None or report.schema_sha256 is None:
            return None
        return self._documents.read_text(report.schema_key, report.schema_sha256)


@contextmanager
def _advising(output_format: str) -> Iterator[None]:
    """Pages cost far more than rows: what is too much for them may well be a table."""
    try:
        yield
    except ReportFailure as failure:
        if output_format != "PDF" or failure.code not in _PAST_A_LIMIT:
            raise
        raise ReportFailure(failure.code, f"{failure.message}; CSV and XLSX hold more", failure.line) from failure


class _Delivered:
    """Counts the rows that the sources deliver, as long as somebody wants them."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled
        self.rows = 0

    def of(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches. Raises ``ReportFailure`` CANCELED."""
        for batch in batches:
            if self._cancelled():
                raise ReportFailure("CANCELED", "the reading was stopped")
            self.rows += len(batch)
            yield batch


def _without_effect(conditions: Conditions, checked: CheckedTemplate) -> list[str]:
    """Filters on tables that the template does not read: nobody should believe that they did something."""
    return [
        f"the filter on {source}.{table} has no effect: the template does not read that table"
        for source, tables in conditions.items()
        for table, found in tables.items()
        if found and table not in checked.reads.get(source, {})
    ]
