"""The child that renders one report: contains itself, renders from the spool into the document, says how it went."""

import base64
import codecs
import importlib
import json
import os
import resource
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

from reporter.dataset import data_for_template
from reporter.errors import ReportFailure
from reporter.formats.pdf import engine
from reporter.formats.pdf.limits import PdfLimits
from reporter.formats.verifying import SCHEMA_ONLY, load_schema_checks, verify
from reporter.formats.workbook.design import Design
from reporter.formats.workbook.filling import FilledWorkbook, LayoutRecorder
from reporter.formats.workbook.from_text import WorkbookFromText
from reporter.formats.workbook.limits import WorkbookLimits
from reporter.formats.workbook.names import SheetNames
from reporter.formats.writing import DocumentWriter
from reporter.indexed_rows import IndexedRows, Scratch
from reporter.language.limits import nested_too_deeply
from reporter.language.render import render
from reporter.renderer.containment import Limits, Told, enter_containment

MAX_MESSAGE_CHARACTERS = 2000
RESERVE_BYTES = 8 * 1024 * 1024
_TOO_MUCH_MEMORY = {"code": "TEMPLATE_MEMORY", "message": "there is no memory left"}
"""Whoever started the child knows the limit, and has the memory to say it."""

Answer = dict[str, Any]


def warm_up() -> None:
    """Load what Python loads at first use (codecs, zone data): a contained child cannot open files any more."""
    # Its codec counts characters as spreadsheets do; the other one is that of names in zip files.
    SheetNames().add("x")
    codecs.lookup("cp437")
    if engine.available():
        _pdf_documents().load()
    for output_format in ("XML", "CSV", "JSON", "HTML", "TXT", "XLSX", "WORKBOOK"):
        render("{% for x in range(2) sorted %}{{ 'é'|upper }}{% endfor %}", output_format, {}, len, now=datetime.now(UTC))


def be_child(descriptors: Sequence[int], held: int) -> None:
    """Never returns. ``held`` stays open until the end."""
    result = descriptors[2]
    # Given back when memory runs out, so that there is some left to say so.
    reserve = bytearray(RESERVE_BYTES)
    try:
        os.setpgid(0, 0)
        try:
            answer = _answer(descriptors, held)
        except MemoryError:
            del reserve
            answer = _TOO_MUCH_MEMORY
        except RecursionError:
            answer = {"code": "TEMPLATE_RECURSION", "message": nested_too_deeply()}
        except ReportFailure as failure:
            answer = {"code": failure.code, "message": failure.message, "line": failure.line}
        except BaseException as error:  # noqa: BLE001 - whatever a template provokes ends here, as this report's error
            answer = {"code": "TEMPLATE_ERROR", "message": f"the renderer failed with {type(error).__name__}"}
        _send(result, answer)
    finally:
        os._exit(0)


def _answer(descriptors: Sequence[int], held: int) -> Answer:
    job_file, output, result, scratch, *spools = descriptors
    job = json.loads(os.pread(job_file, os.fstat(job_file).st_size, 0))
    # A zone's rules and a module are files, which cannot be opened any more later.
    ZoneInfo(job["timeZone"])
    if job["xmlSchema"] is not None:
        load_schema_checks()
    if job["format"] == "PDF" and not engine.available():
        raise ReportFailure("FORMAT_NOT_AVAILABLE", "the engine for documents in PDF is not installed here")
    limits = Limits(**{**job["limits"], "told": Told(**job["limits"]["told"])})
    if not enter_containment(limits, [output, result, held, scratch, *spools]):
        _send(result, {"filtered": False})
        if limits.filter_required:
            raise ReportFailure(
                "CONTAINMENT_NOT_AVAILABLE",
                "the kernel here filters no system calls, and REQUIRE_SYSTEM_CALL_FILTER is on: nothing is rendered without",
            )
    room = Scratch(scratch)
    rows = {
        (table["source"], table["table"]): IndexedRows(
            spools[table["spool"]], table["columns"], table["offsets"], table["starts"], room
        )
        for table in job["spool"]
    }
    writer = DocumentWriter(output, limits.output_bytes, limits.told.output_bytes)
    warnings = [] if job["format"] == SCHEMA_ONLY else _write_document(job, data_for_template(job["tables"], rows), writer)
    verify(output, job["format"], job["xmlSchema"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"size": writer.size, "sha256": writer.sha256, "warnings": warnings, "peakBytes": peak}


def _write_document(job: Mapping[str, Any], data: Mapping[str, Any], writer: DocumentWriter) -> list[str]:
    """The warnings."""
    if job["workbook"] is not None:
        return _fill_workbook(job, data, writer)
    now = datetime.fromisoformat(job["now"])
    document: Any = writer
    if job["format"] == "XLSX":
        document = WorkbookFromText(writer, job["workbookLimits"]["sheets"])
    elif job["format"] == "PDF":
        document = _pdf_documents().PdfFromHtml(writer, PdfLimits(**job["pdfLimits"]), now)
    warnings = render(
        job["template"],
        job["format"],
        data,
        document.write,
        now=now,
        time_zone=job["timeZone"],
        formula_guard=job["formulaGuard"],
    )
    return [*warnings, *document.finish()]


def _pdf_documents() -> ModuleType:
    """What it imports is there only where the layer with the engine is."""
    return importlib.import_module("reporter.formats.pdf.document")


def _fill_workbook(job: Mapping[str, Any], data: Mapping[str, Any], writer: DocumentWriter) -> list[str]:
    """The warnings. Where a formula looks ahead, a first rendering only tells where its rows will be."""
    design = Design(base64.b64decode(job["workbook"]), WorkbookLimits(**job["workbookLimits"]))

    def rendered(write: Callable[[str], object]) -> list[str]:
        now = datetime.fromisoformat(job["now"])
        try:
            return render(design.text, "WORKBOOK", data, write, now=now, time_zone=job["timeZone"])
        except ReportFailure as failure:
            if failure.line is None:
                raise
            raise ReportFailure(failure.code, design.named(failure.line) + failure.message) from None

    layouts = None
    if design.looks_ahead:
        recorder = LayoutRecorder(design)
        rendered(recorder.write)
        layouts = recorder.finish()
    workbook = FilledWorkbook(design, writer, layouts)
    warnings = [design.warning(warning) for warning in rendered(workbook.write)]
    return warnings + workbook.finish()


def _send(result: int, answer: Answer) -> None:
    """One line."""
    if "message" in answer:
        answer = {**answer, "message": answer["message"][:MAX_MESSAGE_CHARACTERS]}
    content = memoryview(json.dumps(answer).encode() + b"\n")
    while content:
        content = content[os.write(result, content) :]
