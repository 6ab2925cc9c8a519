"""The renderer from the worker's side: documents, their checks, and everything that may go wrong with one."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from python_calamine import CalamineWorkbook
from reporter.document import Document
from reporter.errors import ReportFailure, TemplateProblems, Unavailable
from reporter.formats.workbook.limits import WorkbookLimits
from reporter.press import Order, plan
from reporter.renderer.client import Renderer

from tests.unit.formats.test_designed_workbook import designed, saved

Rendering = Callable[..., Document]
SHEETS = "{% for r in erp.t %}{% sheet r.a %}1\n{% endfor %}"
REPEATED = saved(designed({"name": "{% for r in erp.t %}{{ r.a }}", "A1": "x"}))
ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


def text(document: Document) -> str:
    return document.path.read_bytes().decode()


def test_a_document_comes_with_its_size_and_digest(render: Rendering) -> None:
    rows = [(1, "Ana"), (2, "João, Lda."), (3, None)]
    document = render("id,name\n{% for r in erp.t %}{{ r.a }},{{ r.b }}\n{% endfor %}", "CSV", rows)
    content = document.path.read_bytes()
    assert content.decode() == 'id,name\n1,Ana\n2,"João, Lda."\n3,\n'
    assert (document.size, document.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_values_reach_the_template_exactly(render: Rendering) -> None:
    values = (Decimal("12345678901234567.890"), 10**30, datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC), date(2026, 2, 3))
    shown = "{% for r in erp.t %}{{ r.a }}|{{ r.b }}|{{ r.c }}|{{ r.d }}{% endfor %}"
    document = render(shown, rows=[values], columns=["a", "b", "c", "d"])
    assert text(document) == f"12345678901234567.890|{10**30}|2026-02-03T04:05:06+00:00|2026-02-03"


def test_a_table_is_looped_over_again_inside_itself_and_indexed(render: Rendering) -> None:
    rows = [(number, number * number) for number in range(50)]
    template = "{% for r in erp.t %}{% for q in erp.t %}{% if q.a == r.a %}{{ q.b }} {% endif %}{% endfor %}{% endfor %}"
    document = render(template + "{{ erp.t.49.b }} {{ erp.t|length }}", rows=rows)
    assert text(document).split() == [*(str(number * number) for number in range(50)), "2401", "50"]


@pytest.mark.parametrize("template", [SHEETS, REPEATED], ids=["text", "designed"])
def test_a_workbook_of_more_sheets_than_allowed_names_the_limit(render: Rendering, template: str | bytes) -> None:
    with pytest.raises(ReportFailure, match=r"more than 2 sheets \(WorkbookSheets\)"):
        render(template, "XLSX", [("a", 1), ("b", 2), ("c", 3)], workbook_limits=WorkbookLimits(sheets=2))


def test_a_template_past_a_limit_is_refused_before_anything_is_read() -> None:
    order = Order(
        template=saved(designed({"A1": "x"})),
        output_format="XLSX",
        filters={},
        now=datetime(2026, 1, 2, tzinfo=UTC),
        workbook_limits=WorkbookLimits(parts=3),
    )
    with pytest.raises(TemplateProblems, match=r"more than 3 parts \(WorkbookParts\)"):
        plan(order, {})


def test_what_a_template_needs_late_is_loaded_already(render: Rendering) -> None:
    """No file can be opened in the child, so nothing may be imported there for the first time."""
    late = (
        '{% date_time "dd/MM/YYYY HH:mm" %} {{ erp.t.0.a|date:"d F Y" }} {{ erp.t.0.b|floatformat:2 }}'
        ' {{ "ça va"|title }} {{ "<b>x</b>"|striptags }} {{ "a b"|urlencode }} {{ erp.t|tojson }}'
        ' {% last_item_by_group erp.t group_by "b" order_by "a" as newest %}{{ newest|length }}'
        ' {% calc 1 / 3 %} {{ 2 ** 0.5 }} {% sum_by erp.t by "b" if b > 1 scale 2 %} {{ erp.t.0.b|number:"1.234,56" }}'
    )
    for output_format in ("TXT", "HTML"):
        document = render(late, output_format, [(datetime(2026, 1, 1, tzinfo=UTC), 5)], time_zone="America/Sao_Paulo")
        assert text(document).startswith("02/01/2026 00:04")


def test_warnings_come_with_the_document(render: Rendering) -> None:
    document = render('{% count_by erp.t if a > "x" %}', rows=[(1, 2)])
    assert (text(document), len(document.warnings)) == ("0", 1)


@pytest.mark.parametrize(
    ("template", "output_format", "code", "line"),
    [
        ("a\nb\n{{ 1 / 0 }}", "TXT", "TEMPLATE_ERROR", 3),
        ("{% if %}", "TXT", "TEMPLATE_ERROR", 1),
        ("<a>\n<b></a>", "XML", "DOCUMENT_INVALID", 2),
        ('{"a": 1,}', "JSON", "DOCUMENT_INVALID", 1),
        ("{% macro m(n) %}{{ m(n) }}{% endmacro %}\n{{ m(1) }}", "TXT", "TEMPLATE_RECURSION", 1),
        ("{% for r in erp.t %}{{ r.b }}{% endfor %}", "XML", "TEMPLATE_ERROR", 1),
    ],
)
def test_a_failure_says_what_and_where(
    render: Rendering, tmp_path: Path, template: str, output_format: str, code: str, line: int
) -> None:
    with pytest.raises(ReportFailure) as failure:
        render(template, output_format, [(1, "a\x0bb")])
    assert (failure.value.code, failure.value.line) == (code, line)
    assert not list(tmp_path.glob("*/document")), "a refused document must not stay"


DOUBLING = "{% set x = 'AAAAAAAAAA' %}{% for i in range(60) %}{% set x = x ~ x %}{% endfor %}"
NESTING = "{% set l = [1] %}{% for i in range(60) %}{% set l = [l, l] %}{% if loop.last %}{{ l }}{% endif %}{% endfor %}"
HOARDING = "{% set x = 'A'|ljust:10000 %}{% set l = [] %}{% for i in range(99999) %}{% set l = [l, i ~ x] %}{% endfor %}"
HOSTILE: list[tuple[str, set[str]]] = [
    (ENDLESS, {"TEMPLATE_TIMEOUT"}),
    (DOUBLING, {"TEMPLATE_MEMORY", "TEMPLATE_ERROR"}),
    (NESTING, {"TEMPLATE_MEMORY", "TEMPLATE_TIMEOUT"}),
    (HOARDING, {"TEMPLATE_MEMORY"}),
    ("{{ 'a'|center:1000000000 }}", {"TEMPLATE_ERROR", "TEMPLATE_MEMORY"}),
    ('{{ 1|stringformat:"1000000000d" }}', {"TEMPLATE_ERROR", "TEMPLATE_MEMORY"}),
    ("{{ 9 ** 9 ** 9 ** 9 }}", {"TEMPLATE_ERROR"}),
    ("{% for i in range(99999) %}{{ 'x'|ljust:2100 }}{% endfor %}", {"TEMPLATE_OUTPUT"}),
    ("{% for i in range(10 ** 9) %}{% endfor %}", {"TEMPLATE_ERROR"}),
    ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", {"TEMPLATE_RECURSION"}),
]


def test_ten_hostile_templates_among_a_hundred_good_ones_hurt_only_themselves(render: Rendering) -> None:
    good = "{% for r in erp.t %}{{ r.a }}={{ r.b }};{% endfor %}"
    for number in range(110):
        if number % 11 == 5:
            template, codes = HOSTILE[number // 11]
            started = time.monotonic()
            with pytest.raises(ReportFailure) as failure:
                render(template)
            assert failure.value.code in codes, template
            assert time.monotonic() - started < 12, template
        else:
            assert text(render(good, rows=[(number, "x"), (number, "y")])) == f"{number}=x;{number}=y;"


def test_two_hundred_megabytes_out_of_one_row_stop_at_the_output_limit(render: Rendering, tmp_path: Path) -> None:
    with pytest.raises(ReportFailure, match="more than 20971520 bytes") as failure:
        render("{% for i in range(10000) %}{{ erp.t.0.b }}{% endfor %}", rows=[(1, "x" * 20_000)])
    assert failure.value.code == "TEMPLATE_OUTPUT"
    assert not list(tmp_path.glob("*/document"))


def test_processor_time_has_its_own_limit(render: Rendering) -> None:
    started = time.monotonic()
    with pytest.raises(ReportFailure, match="more than 1 seconds of processor time"):
        render(ENDLESS)
    assert time.monotonic() - started < 12


def test_the_wall_clock_ends_a_rendering(render: Rendering) -> None:
    started = time.monotonic()
    with pytest.raises(ReportFailure, match="more than 0 seconds") as failure:
        render(ENDLESS, seconds=0.2)
    assert failure.value.code == "TEMPLATE_TIMEOUT"
    assert time.monotonic() - started < 6


def test_no_time_left_is_a_timeout_and_not_a_hang(render: Rendering) -> None:
    with pytest.raises(ReportFailure) as failure:
        render(ENDLESS, seconds=0)
    assert failure.value.code == "TEMPLATE_TIMEOUT"


def test_a_cancelled_rendering_ends_soon(render: Rendering) -> None:
    asked = threading.Event()
    threading.Timer(0.3, asked.set).start()
    started = time.monotonic()
    with pytest.raises(ReportFailure) as failure:
        render(ENDLESS, cancelled=asked.is_set)
    assert failure.value.code == "CANCELED"
    assert time.monotonic() - started < 6


def process_of(renderer: Renderer) -> int:
    assert renderer._process is not None
    return renderer._process.pid


def test_a_renderer_that_died_is_replaced_at_the_next_report(renderer: Renderer, render: Rendering) -> None:
    before = process_of(renderer)
    os.kill(before, signal.SIGKILL)
    assert text(render("fine")) == "fine"
    assert process_of(renderer) != before


def children_of(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def end(process: int, of: Callable[[], Any]) -> None:
    """Kills ``of()`` as soon as there is one."""
    while not (found := of()):
        time.sleep(0.01)
    os.kill(found[0], signal.SIGKILL)


def test_a_renderer_that_dies_in_between_makes_the_report_come_again_and_leaves_no_child(
    renderer: Renderer, render: Rendering
) -> None:
    server = process_of(renderer)
    seen: list[int] = []

    def child_seen() -> list[int]:
        seen.extend(children_of(server))
        return [server] if seen else []

    killing = threading.Thread(target=end, args=(server, child_seen))
    killing.start()
    with pytest.raises(Unavailable):
        render(ENDLESS)
    killing.join()
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{child}/stat").exists() and "Z" not in state(child) for child in seen):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert text(render("fine")) == "fine"


def state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def test_a_child_that_is_killed_from_outside_is_an_error_of_its_report_alone(renderer: Renderer, render: Rendering) -> None:
    server = process_of(renderer)
    killing = threading.Thread(target=end, args=(server, lambda: children_of(server)))
    killing.start()
    with pytest.raises(ReportFailure) as failure:
        render(ENDLESS)
    killing.join()
    assert failure.value.code == "TEMPLATE_MEMORY"
    assert process_of(renderer) == server
    assert text(render("fine")) == "fine"


def test_jobs_of_several_threads_do_not_mix(render: Rendering) -> None:
    found: dict[int, str] = {}

    def one(number: int) -> None:
        found[number] = text(render("{% for r in erp.t %}{{ r.a }}{% endfor %}", rows=[(number, None)] * 3))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: str(number) * 3 for number in range(8)}


def test_many_tables_need_no_more_descriptors(render: Rendering) -> None:
    """All tables of a report lie in one file."""
    assert text(render("fine", tables={})) == "fine"
    before = len(os.listdir("/proc/self/fd"))
    render("fine")
    assert len(os.listdir("/proc/self/fd")) == before


XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a" type="xs:decimal"/></xs:schema>"""


def test_an_xml_document_must_fit_its_templates_schema(render: Rendering) -> None:
    assert text(render("<a>{{ erp.t.0.a }}</a>", "XML", [(1, 2)], xml_schema=XSD)) == "<a>1</a>"
    with pytest.raises(ReportFailure, match="not a valid value") as failure:
        render("<a>\n{{ erp.t.0.a }}</a>", "XML", [("x", 2)], xml_schema=XSD)
    assert (failure.value.code, failure.value.line) == ("DOCUMENT_INVALID", 2)


def test_a_document_cannot_have_its_schema_read_from_anywhere(render: Rendering, tmp_path: Path) -> None:
    instance = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="/etc/hostname"'
    with pytest.raises(ReportFailure) as failure:
        render(f"<a {instance}><b/></a>", "XML", xml_schema=XSD)
    assert failure.value.code == "DOCUMENT_INVALID"


def test_a_schema_that_never_stops_is_stopped(render: Rendering) -> None:
    """A pattern that backtracks without end, or needs endless states."""
    pattern = "<xs:restriction base='xs:string'><xs:pattern value='((a{1,900}){1,900}){1,900}'/></xs:restriction>"
    with pytest.raises(ReportFailure) as failure:
        render(
            f"<a>{'a' * 5000}b</a>",
            "XML",
            xml_schema=XSD.replace(' type="xs:decimal"/>', f"><xs:simpleType>{pattern}</xs:simpleType></xs:element>"),
        )
    assert failure.value.code in {"TEMPLATE_TIMEOUT", "TEMPLATE_MEMORY", "DOCUMENT_INVALID"}


def test_a_workbook_is_written_by_the_contained_child(render: Rendering) -> None:
    rows = [(1, "Ana"), (Decimal("12345678901234567.89"), "=1+1")]
    document = render("id;name\n{% for r in erp.t %}{{ r.a }};{{ r.b }}\n{% endfor %}", "XLSX", rows)
    sheet = CalamineWorkbook.from_path(str(document.path)).get_sheet_by_index(0)
    assert sheet.to_python() == [["id", "name"], [1, "Ana"], ["12345678901234567.89", "=1+1"]]
    assert document.sha256 == hashlib.sha256(document.path.read_bytes()).hexdigest()
    assert document.warnings[0].startswith("sheet Sheet1, cell A3: ")
    with pytest.raises(ReportFailure, match="sheet Sheet1, cell A1: a text has 40000 characters"):
        render("{{ erp.t.0.a }};x\n", "XLSX", [("x" * 40_000, 1)])


def test_a_designed_workbook_is_filled_by_the_contained_child(render: Rendering) -> None:
    cells = {"B1": "=SUM(B3:B3)", "A2": "{% for r in erp.t %}", "A3": "{{ r.b }}", "B3": "{{ r.a }}", "A4": "{% endfor %}"}
    template = saved(designed(cells))
    document = render(template, "XLSX", [(Decimal("1.50"), "Ana"), (2, "=1+1")])
    sheet = openpyxl.load_workbook(BytesIO(document.path.read_bytes()))["Data"]
    shown = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert shown == [[None, "=SUM(B2:B3)"], ["Ana", 1.5], ["=1+1", 2]]
    assert document.sha256 == hashlib.sha256(document.path.read_bytes()).hexdigest()
    with pytest.raises(ReportFailure, match="sheet Data, cell C2: division by zero") as failure:
        render(saved(designed({"C2": "{{ 1 / 0 }}"})), "XLSX", [(1, 1)])
    assert failure.value.code == "TEMPLATE_ERROR"
