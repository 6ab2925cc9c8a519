"""The press: reads what a template needs into a spool and has it rendered. It changes no state of any report."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from reporter.dataset import SpoolWriter
from reporter.document import Document
from reporter.errors import ReportFailure, RequestError
from reporter.language.check import CheckedTemplate, check
from reporter.ports import Clock, Documents
from reporter.renderer.client import Job, Renderer
from reporter.report import Report
from reporter.row_filters import Conditions, resolve
from reporter.sources.registry import SourceRegistry, VisibleSchemas


class Press:
    """``max_rows`` and ``max_bytes`` bound what one report may read."""

    def __init__(
        self,
        registry: SourceRegistry,
        documents: Documents,
        renderer: Renderer,
        clock: Clock,
        *,
        max_rows: int,
        max_bytes: int,
    ) -> None:
        self._registry = registry
        self._documents = documents
        self._renderer = renderer
        self._clock = clock
        self._max_rows = max_rows
        self._max_bytes = max_bytes

    def make(self, report: Report, folder: Path, cancelled: Callable[[], bool]) -> tuple[Document, int]:
        """See ``workflow.fulfil.Press.make``."""
        if report.output_format in {"PDF", "XLSX"}:
            raise ReportFailure("FORMAT_NOT_AVAILABLE", f"documents in {report.output_format} cannot be made yet")
        template = self._documents.read_text(report.template_key, report.template_sha256)
        schemas = self._registry.for_organization(report.organization_id)
        try:
            checked = check(template, report.output_format, schemas)
            conditions = resolve(report.filters, schemas)
        except RequestError as error:
            # It was right when it was accepted: a table, a field or a whole source has changed since.
            raise ReportFailure("SOURCE_CHANGED", error.message) from None
        spool = SpoolWriter(folder, self._max_rows, self._max_bytes)
        self._read(report, checked, schemas, conditions, spool)
        job = Job(
            template=template,
            output_format=report.output_format,
            tables=checked.tables,
            spool=spool.tables,
            now=self._clock(),
            time_zone=report.time_zone,
            formula_guard=report.formula_guard,
        )
        document = self._renderer.render(job, folder, cancelled)
        return replace(document, warnings=(*document.warnings, *_without_effect(conditions, checked))), spool.rows

    def _read(
        self,
        report: Report,
        checked: CheckedTemplate,
        schemas: VisibleSchemas,
        conditions: Conditions,
        spool: SpoolWriter,
    ) -> None:
        entries = self._registry.entries(report.organization_id)
        with ExitStack() as stack:
            for source, tables in checked.reads.items():
                snapshot = stack.enter_context(self._registry.snapshot(entries[source], report.organization_id))
                for table, columns in tables.items():
                    filters = conditions.get(source, {}).get(table, ())
                    rows = snapshot.rows(table, columns, schemas[source], filters, report.organization_id)
                    # Without columns the template only counts rows, and the query selects a constant.
                    spool.write(source, table, columns or ("",), rows)


def _without_effect(conditions: Conditions, checked: CheckedTemplate) -> list[str]:
    """Filters on tables that the template does not read: nobody should believe that they did something."""
    return [
        f"the filter on {source}.{table} has no effect: the template does not read that table"
        for source, tables in conditions.items()
        for table, found in tables.items()
        if found and table not in checked.reads.get(source, {})
    ]
