"""Whatever goes past a limit is told by which setting, at what value, and what to do about it."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import psycopg
import pytest
from reporter.deadline import Deadline
from reporter.errors import ReportFailure, RequestError, TemplateProblems
from reporter.formats.workbook.archive import MOST_BYTES, Archive
from reporter.formats.workbook.cells import MOST_CHARACTERS, MOST_COLUMNS, MOST_ROWS, Cell, Place
from reporter.formats.writing import DocumentWriter
from reporter.given_data import given_json
from reporter.language.check import check
from reporter.language.limits import DEFAULT_LIMITS
from reporter.language.render import render
from reporter.message import RenderMessage
from reporter.report import Report
from reporter.sources.postgresql_session import Session
from reporter.workflow.budget import Budget
from reporter.workflow.fulfil import fulfil

from functions.preview import app as preview
from functions.templates import app as templates
from functions.worker import app as worker
from tests.conformance.test_api_cases import REPORT, report_in, template_in
from tests.integration.test_limits import own
from tests.sam_template import gateway_answer, parameters
from tests.unit.formats.test_designed_workbook import designed, saved
from tests.unit.pdf.markup import image, nested, png
from tests.world import ORGANIZATION, TEMPLATE, World

HOUSE = Path(templates.__file__).parents[2] / "layers/reporter/reporter"
ORG = {"X-Organization-Id": ORGANIZATION}
ROWS = {"erp": {"customers": [{"name": name} for name in "abc"]}}
NAMES = "{% for c in erp.customers %}{{ c.name }}{% endfor %}"
ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
GREEDY = "{% set x = 'A'|ljust:10000 %}{% for i in range(99999) %}{% set l = [l, i ~ x] %}{% endfor %}"
CALLS_ITSELF = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"
SHEETS = "{% for c in erp.customers %}{% sheet c.name %}1\n{% endfor %}"
MB = 1024 * 1024
PRESS: Any = worker.ports.press


@dataclass(frozen=True)
class Bench:
    """What scenes are played on. ``patch`` is undone after each."""

    world: World
    patch: pytest.MonkeyPatch

    def limit(self, owner: Any, name: str, **changes: int) -> None:
        """Other values in one of an object's tables of limits."""
        self.patch.setattr(owner, name, replace(getattr(owner, name), **changes))

    def upload(
        self, content: bytes = b"<a/>", output_format: str = "XML", path: str = "/v1/templates", **fields: str
    ) -> str:
        """What is said of an upload."""
        sent = {"outputFormat": output_format, "description": "d", **fields}
        name = "t.xlsx" if content.startswith(b"PK") else "t.tpl"
        return str(self.world.upload(content, sent, ORG, path=path, name=name).body["message"])

    def preview(self, content: str, output_format: str = "TXT") -> str:
        """What is said of a preview over given rows."""
        return self.upload(content.encode(), output_format, "/v1/templates/preview", data=json.dumps(ROWS))

    def post(self, **more: Any) -> str:
        """What is said of an order."""
        self.world.add_template(template_in(ORGANIZATION))
        return str(
            self.world.call("POST", "/v1/reports", {"templateId": TEMPLATE, "filters": {}, **more}, ORG).body["message"]
        )

    def report(self, template: str | bytes, output_format: str = "TXT", seconds: float = 60) -> str:
        """How a report ends, over given rows and with the worker's own containment."""
        content = template.encode() if isinstance(template, str) else template
        self.world.add_object("templates/limit", content)
        digest = hashlib.sha256(content).hexdigest()
        about: dict[str, Any] = {
            "template_key": "templates/limit",
            "template_sha256": digest,
            "output_format": output_format,
        }
        self.world.add_report(report_in(ORGANIZATION, **about))
        self.patch.setattr(PRESS, "_rows_of", lambda _organization: given_json(ROWS, "data"))
        fulfil(RenderMessage(ORGANIZATION, REPORT), worker.ports, worker.limits, lambda _s: None, Deadline(seconds))
        ended = worker.ports.reports.get(ORGANIZATION, REPORT)
        assert ended is not None
        assert ended.error is not None
        return ended.error.message


@dataclass(frozen=True)
class Scene:
    """``setting``: a parameter, or a member of an organization's own limits; None: nothing that can be set."""

    setting: str | None
    value: int
    act: Callable[[Bench], str]


def made(setting: str, value: int, owner: Any, limits: str, template: Any, output_format: str = "TXT") -> Scene:
    """A report on a template, where the worker has another limit. ``limits``: attribute, or attribute and field."""
    attribute, _, field = limits.partition(".")

    def act(bench: Bench) -> str:
        if field:
            bench.limit(owner, attribute, **{field: value})
        else:
            bench.patch.setattr(owner, attribute, value)
        return bench.report(template, output_format)

    return Scene(setting, value, act)


def previewed(setting: str, value: int, owner: Any, field: str, template: str, output_format: str = "TXT") -> Scene:
    """A preview of a template, where its door has another limit."""

    def act(bench: Bench) -> str:
        bench.limit(owner, "_limits", **{field: value})
        return bench.preview(template, output_format)

    return Scene(setting, value, act)


def of_a_workbook(setting: str, value: int, field: str) -> Scene:
    """An upload of a workbook, where templates may hold less."""

    def act(bench: Bench) -> str:
        bench.patch.setattr(
            templates,
            "ports",
            replace(templates.ports, workbook_limits=replace(templates.ports.workbook_limits, **{field: value})),
        )
        return bench.upload(saved(designed({"A1": "x"})), "XLSX")

    return Scene(setting, value, act)


def of_a_schema(setting: str, value: int, **changes: int) -> Scene:
    """An upload with a schema that takes forty kilobytes and half a minute to be understood."""
    some = "".join(
        f'<xs:sequence><xs:element name="x{n}" minOccurs="0"/><xs:element name="y" minOccurs="0"/></xs:sequence>'
        for n in range(400)
    )
    many = f'<xs:complexType><xs:choice maxOccurs="unbounded">{some}</xs:choice></xs:complexType>'
    schema = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a">{many}</xs:element></xs:schema>'

    def act(bench: Bench) -> str:
        bench.limit(templates.renderer, "_limits", **changes)
        return bench.upload(schema=schema)

    return Scene(setting, value, act)


def raised(setting: str | None, value: int, act: Callable[[], object]) -> Scene:
    """What is cheaper to ask where it is raised."""

    def told(_bench: Bench) -> str:
        with suppress(TemplateProblems, RequestError, ReportFailure):
            try:
                act()
            except (TemplateProblems, RequestError, ReportFailure) as error:
                return error.message
        raise AssertionError("nothing was raised")

    return Scene(setting, value, told)


def hopeless(max_attempts: int, queue_age: int) -> Callable[[Bench], str]:
    """Why a report is given up."""

    def act(_bench: Bench) -> str:
        report: Report = report_in(ORGANIZATION)
        why = Budget(queue_age, max_attempts, 1, 1, 1).hopeless(report, 1, datetime(2099, 1, 1, tzinfo=UTC))
        assert why is not None
        return why.message

    return act


def own_rate(bench: Bench) -> str:
    own(ORGANIZATION, reportsPerMinute=0)
    return bench.post()


def past_the_body(bench: Bench) -> str:
    return bench.post(metadata={"k": "v" * 131_072})


def past_the_form(bench: Bench) -> str:
    return bench.upload(b"x" * templates.settings.max_upload_bytes)


def past_the_schema(bench: Bench) -> str:
    return bench.upload(schema=" " * (templates.settings.max_schema_bytes + 1))


def out_of_memory(bench: Bench) -> str:
    bench.limit(templates.renderer, "_limits", memory_bytes=1)
    return bench.upload(schema=f"<a><!--{'x' * 1_000_000}--></a>")


def out_of_time(bench: Bench) -> str:
    return bench.report(ENDLESS, seconds=1)


def a_slow_source() -> None:
    session = Session("erp", Mock(**{"execute.side_effect": psycopg.errors.QueryCanceled}), 7, Deadline(60))
    session.ask("SELECT 1", ())


def on_a_full_disk() -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        DocumentWriter(full.fileno(), 100).write("x")


def nest(count: int, opening: str, closing: str) -> str:
    return opening * count + closing * count


def checked(text: str) -> Callable[[], object]:
    return lambda: check(text, "TXT", {})


def rendered(text: str) -> Callable[[], object]:
    return lambda: render(text, "TXT", {}, len, now=datetime.now(UTC))


def a_huge_workbook() -> None:
    archive = Archive(DocumentWriter(os.open(os.devnull, os.O_WRONLY), MB))
    archive.enter(b"x", MOST_BYTES + 1, 0, (0, 0))


PDF: Any = worker.renderer
PAGES = "<p>1<p style='break-before: page'>2"
SCENES = {
    "a rate": Scene("reportsPerMinute", 0, own_rate),
    "calls a second": Scene("ApiRequestsPerSecond", 100, lambda _bench: str(gateway_answer("THROTTLED")[1]["message"])),
    "calls at once": Scene("ApiBurst", 200, lambda _bench: str(gateway_answer("THROTTLED")[1]["detail"])),
    "the gateway's body": Scene(
        "MaxUploadBytes", 4_194_304, lambda _b: str(gateway_answer("REQUEST_TOO_LARGE")[1]["message"])
    ),
    "the gateway's JSON": Scene("MaxBodyBytes", 131_072, lambda _b: str(gateway_answer("REQUEST_TOO_LARGE")[1]["detail"])),
    "a body": Scene("MaxBodyBytes", 131_072, past_the_body),
    "a form": Scene("MaxUploadBytes", templates.settings.max_upload_bytes, past_the_form),
    "a schema": Scene("MaxSchemaBytes", templates.settings.max_schema_bytes, past_the_schema),
    "a schema's time": of_a_schema("SchemaSeconds", 1, seconds=1),
    "a schema's processor time": of_a_schema("SchemaSeconds", 1, cpu_seconds=1),
    "a schema's memory": Scene("SchemaMemoryBytes", 1, out_of_memory),
    "a metadata key": Scene(None, 100, lambda bench: bench.post(metadata={"k" * 101: 1})),
    "a metadata text": Scene(None, 2000, lambda bench: bench.post(metadata={"k": "v" * 2001})),
    "levels of JSON": Scene(None, 64, lambda bench: bench.post(metadata=json.loads("[" * 65 + "]" * 65))),
    "digits of JSON": Scene(None, 1000, lambda bench: bench.post(metadata={"k": 10**1001})),
    "operators": Scene(
        None, 100, lambda bench: bench.post(filters={"e": {"t": {f"f{n}": {"eq": [1]} for n in range(101)}}})
    ),
    "a filter's text": Scene(None, 4000, lambda bench: bench.post(filters={"e": {"t": {"f": {"eq": ["x" * 4001]}}}})),
    "parts of a form": Scene(None, 16, lambda bench: bench.upload(b"x", **dict.fromkeys(map(str, range(16)), "x"))),
    "rows": made("MaxRows", 1, PRESS, "_max_rows", NAMES),
    "rows for pages": made("PdfMaxRows", 1, PRESS, "_max_rows", NAMES, "PDF"),
    "bytes of rows": made("MaxSpoolBytes", 10, PRESS, "_max_bytes", NAMES),
    "a worker's time": Scene("WorkerSeconds less ReserveSeconds", 1, out_of_time),
    "a source's answer": raised("SourceReadSeconds", 7, a_slow_source),
    "time": made("RenderSeconds", 1, worker.renderer, "_limits.seconds", ENDLESS),
    "time for pages": made("PdfRenderSeconds", 1, PDF, "_limits.seconds", ENDLESS, "PDF"),
    "processor time": made("RenderCpuSeconds", 1, worker.renderer, "_limits.cpu_seconds", ENDLESS),
    "processor time for pages": made("PdfRenderCpuSeconds", 1, PDF, "_limits.cpu_seconds", ENDLESS, "PDF"),
    "memory": made("RenderMemoryBytes", 20 * MB, worker.renderer, "_limits.memory_bytes", GREEDY),
    "memory for pages": made("PdfRenderMemoryBytes", 20 * MB, PDF, "_limits.memory_bytes", GREEDY, "PDF"),
    "memory of the engine": made("PdfRenderMemoryBytes", 9 * MB, PDF, "_limits.memory_bytes", "<p>x" * 9000, "PDF"),
    "output": made("MaxOutputBytes", 2, worker.renderer, "_limits.output_bytes", NAMES),
    "output for pages": made("MaxOutputBytes", 2, PDF, "_limits.output_bytes", NAMES, "PDF"),
    "calls": Scene(None, 1000, lambda bench: bench.report(CALLS_ITSELF)),
    "room": raised("WorkerDiskMegabytes", 0, on_a_full_disk),
    "HTML": made("PdfHtmlBytes", 2, PDF, "_pdf_limits.html_bytes", NAMES, "PDF"),
    "pages": made("PdfPages", 1, PDF, "_pdf_limits.pages", PAGES, "PDF"),
    "elements": made("PdfNesting", 9, PDF, "_pdf_limits.nesting", nested("div", 10), "PDF"),
    "a URL": made("PdfDataUrlBytes", 9, PDF, "_pdf_limits.data_url_bytes", image(png(9, 9)), "PDF"),
    "pixels": made("PdfImagePixels", 9, PDF, "_pdf_limits.image_pixels", image(png(9, 9)), "PDF"),
    "sheets": made("WorkbookSheets", 1, PRESS, "_workbook_limits.sheets", SHEETS, "XLSX"),
    "sheets of a design": made(
        "WorkbookSheets", 1, PRESS, "_workbook_limits.sheets", saved(designed({"A1": "x"}, {"name": "b"})), "XLSX"
    ),
    "a workbook's parts": of_a_workbook("WorkbookParts", 3, "parts"),
    "a workbook's bytes": of_a_workbook("WorkbookBytes", 400, "bytes"),
    "a part's bytes": of_a_workbook("WorkbookPartBytes", 100, "part_bytes"),
    "a part's elements": of_a_workbook("WorkbookPartElements", 7, "part_elements"),
    "a workbook's tags": of_a_workbook("WorkbookTags", 9, "tags"),
    "rows of a sheet": raised(None, MOST_ROWS, lambda: Place("a", MOST_ROWS + 1).check([])),
    "columns of a sheet": raised(
        None, MOST_COLUMNS, lambda: Place("a", 1).check([Cell("", "", False)] * (MOST_COLUMNS + 1))
    ),
    "characters of a cell": raised(
        None, MOST_CHARACTERS, lambda: Place("a", 1).check([Cell("", "x" * (MOST_CHARACTERS + 1), False)])
    ),
    "bytes of a zip file": raised(None, MOST_BYTES, a_huge_workbook),
    "a preview's time": previewed("PreviewSeconds", 1, preview.preview, "seconds", ENDLESS),
    "a preview's processor time": previewed("PreviewSeconds", 1, preview.renderer, "cpu_seconds", ENDLESS),
    "a preview's memory": previewed("PreviewMemoryBytes", 20 * MB, preview.renderer, "memory_bytes", GREEDY),
    "a preview's rows": previewed("PreviewSpoolBytes", 10, preview.preview, "spool_bytes", NAMES),
    "a preview's output": previewed("PreviewOutputBytes", 2, preview.renderer, "output_bytes", NAMES),
    "a preview's answer": previewed("PreviewAnswerBytes", 100, preview.preview, "answer_bytes", NAMES, "XLSX"),
    "attempts": Scene("MaxAttempts", 1, hopeless(1, 60)),
    "waiting": Scene("QueueAgeSeconds", 60, hopeless(9, 60)),
    "words": raised(None, DEFAULT_LIMITS.tokens, checked("{{ 1 }}" * 50_000)),
    "brackets": raised(None, DEFAULT_LIMITS.brackets, checked("{{ " + nest(41, "(", ")").replace("()", "(1)") + " }}")),
    "tags": raised(None, DEFAULT_LIMITS.blocks, checked(nest(41, "{% if 1 %}", "{% endif %}"))),
    "loops": raised(None, DEFAULT_LIMITS.loops, checked(nest(13, "{% for i in range(1) %}", "{% endfor %}"))),
    "expressions": raised(None, DEFAULT_LIMITS.depth, checked("{{ 1" + "|abs" * 100 + " }}")),
    "a range": raised(None, 100_000, rendered("{% for i in range(100001) %}{% endfor %}")),
    "a text": raised(
        None, 4_000_000, rendered("{% set x = 'A' %}{% for i in range(60) %}{% set x = x ~ x %}{% endfor %}{{ x }}")
    ),
}


@pytest.mark.parametrize("name", SCENES)
def test_past_a_limit_its_name_its_value_and_what_to_do_are_told(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    scene = SCENES[name]
    said = scene.act(Bench(world, monkeypatch))
    advice = r".{8,}, or have the limit raised" if scene.setting else r".{8,}"
    named = re.escape(scene.setting or "fixed")
    assert re.search(rf"more than (?:.* )?{scene.value} (?:.* )?\({named}\)(?:, or .*)?: {advice}", said), said


def test_every_setting_that_an_error_names_is_a_parameter_and_has_its_scene() -> None:
    walked = {word for scene in SCENES.values() for word in (scene.setting or "").split(" less ")}
    text = "\n".join(path.read_text() for path in HOUSE.rglob("*.py"))
    named = {word for literal in re.findall(r'"([A-Z]\w+(?: less \w+)?)"', text) for word in literal.split(" less ")}
    # A preview does not refuse rows: it shows the first ones. What discovery ends in is told as an outage.
    assert (named & set(parameters())) - walked == {"PreviewRows", "DiscoverySeconds"}
    assert walked - set(parameters()) == {"", "reportsPerMinute"}
