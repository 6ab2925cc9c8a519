"""Workbooks designed in a spreadsheet: rows that repeat, what follows them, and everything that is kept."""

import hashlib
import io
import os
import re
import time
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.chart import BarChart, Reference
from openpyxl.drawing.image import Image
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font, PatternFill
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table
from PIL import Image as Picture
from reporter.errors import ReportFailure, TemplateProblems
from reporter.formats.template_file import check_template
from reporter.formats.workbook.design import Design
from reporter.formats.workbook.filling import FilledWorkbook, LayoutRecorder
from reporter.formats.workbook.limits import DEFAULT as LIMITS
from reporter.formats.workbook.parts import PACKAGE_RELATIONS
from reporter.formats.writing import DocumentWriter
from reporter.language.render import render
from reporter.schema import SourceSchema

from tests.unit.formats.test_workbook_from_text import HOSTILE, assert_same
from tests.unit.formats.workbook_reading import NOW, calamine_values, openpyxl_values, with_openpyxl

TYPES = "[Content_Types].xml"

ROWS = [
    {"name": "Ana", "amount": Decimal("10.50"), "day": date(2024, 1, 2), "tags": [1, 2]},
    {"name": "=1+1", "amount": Decimal("0.25"), "day": date(2024, 2, 3), "tags": []},
    {"name": "Bob <&>", "amount": Decimal("-3.00"), "day": date(2024, 3, 4), "tags": [3]},
]
SCHEMA = {
    "s": SourceSchema.from_json(
        "s", {"tables": {"t": {"name": "text", "amount": "numeric", "day": "date", "tags": "other"}}, "schemas": []}
    )
}


def designed(*sheets: dict[str, Any]) -> Any:
    """A workbook: a dictionary of cells for each sheet, whose name is under ``name``."""
    book: Any = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for cells in sheets:
        sheet = book.create_sheet(cells.get("name", "Data"))
        for place, value in cells.items():
            if place != "name":
                sheet[place] = value
    return book


def saved(book: Any) -> bytes:
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def with_shared_strings(template: bytes) -> bytes:
    """The same with its texts in a part of their own, as spreadsheets save them."""
    texts: list[str] = []

    def shared(found: re.Match[str]) -> str:
        texts.append(found[1])
        return f't="s"><v>{len(texts) - 1}</v>'

    with ZipFile(io.BytesIO(template)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith((".xml", ".rels"))}
        others = {name: archive.read(name) for name in archive.namelist() if name not in parts}
    for name in parts:
        if name.startswith("xl/worksheets/sheet"):
            parts[name] = re.sub(r't="inlineStr"><is>(<t[^>]*>[^<]*</t>)</is>', shared, parts[name])
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="{main}">' + "".join(f"<si>{text}</si>" for text in texts) + "</sst>"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    override = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    relation = '<Relationship Id="rIdS" Type="urn:x/sharedStrings" Target="/xl/sharedStrings.xml"/></Relationships>'
    if "xl/sharedStrings.xml" not in parts[TYPES]:
        parts[TYPES] = parts[TYPES].replace("</Types>", override)
        links = "xl/_rels/workbook.xml.rels"
        parts[links] = parts[links].replace("</Relationships>", relation)
    return zipped({**{name: text.encode() for name, text in parts.items()}, **others})


def with_picture(cells: dict[str, Any], place: str) -> bytes:
    book = designed(cells)
    chart = BarChart()
    chart.add_data(Reference(book.worksheets[0], min_col=1, min_row=1, max_row=1))
    book.worksheets[0].add_chart(chart, place)
    return saved(book)


def with_table(cells: dict[str, Any]) -> bytes:
    book = designed(cells)
    book.worksheets[0].add_table(Table(displayName="T", ref="A1:B2"))
    return saved(book)


def with_validation(formula: str) -> bytes:
    book = designed({"A1": "x"}, {**SIMPLE, "name": "Later"}, {"name": "{% for r in s.t %}{{ r.name }}", "A1": "x"})
    validation = DataValidation(type="list", formula1=formula)
    validation.add("B1")
    book.worksheets[0].add_data_validation(validation)
    return saved(book)


def zipped(parts: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with ZipFile(stream, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


def filled(path: Path, template: bytes, rows: Any = ROWS) -> list[str]:
    """As the renderer fills it; the warnings."""
    design = Design(template)
    data = {"s": {"t": rows}}
    layouts = None
    if design.looks_ahead:
        recorder = LayoutRecorder(design)
        render(design.text, "WORKBOOK", data, recorder.write, now=NOW)
        layouts = recorder.finish()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        book = FilledWorkbook(design, DocumentWriter(descriptor, 1 << 30), layouts)
        return render(design.text, "WORKBOOK", data, book.write, now=NOW) + book.finish()
    finally:
        os.close(descriptor)


def made(path: Path, book: Any, rows: Any = ROWS) -> Any:
    filled(path, saved(book), rows)
    return with_openpyxl(path)


def values(sheet: Any) -> list[list[Any]]:
    return [list(row) for row in sheet.iter_rows(values_only=True)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made.xlsx"


LOOP = {"A1": "name", "B1": "amount", "A2": "{% for r in s.t %}", "A4": "{% endfor %}"}
SIMPLE = {**LOOP, "A3": "{{ r.name }}", "B3": "{{ r.amount }}"}


def test_rows_between_tags_repeat_and_the_rows_of_the_tags_go(path: Path) -> None:
    sheet = made(path, designed({**SIMPLE, "A5": "end"}))["Data"]
    assert values(sheet) == [["name", "amount"], ["Ana", 10.5], ["=1+1", 0.25], ["Bob <&>", -3], ["end", None]]
    assert sheet["A3"].data_type == "s"


def test_a_cell_of_one_value_is_typed_and_keeps_its_own_number_format(path: Path) -> None:
    book = designed({**SIMPLE, "C3": "{{ r.day }}", "D3": "{{ r.day }}", "E3": "{{ r.amount > 0 }}", "F3": "on {{ r.day }}"})
    book["Data"]["B3"].number_format = '#,##0.000 "R$"'
    book["Data"]["D3"].number_format = "dd/mm/yyyy"
    book["Data"]["A3"].font = Font(bold=True, color="FF0000")
    sheet = made(path, book)["Data"]
    assert values(sheet)[1] == ["Ana", 10.5, datetime(2024, 1, 2), datetime(2024, 1, 2), True, "on 2024-01-02"]
    assert [sheet.cell(2, column).number_format for column in (2, 3, 4)] == ['#,##0.000 "R$"', "yyyy-mm-dd", "dd/mm/yyyy"]
    assert all(sheet.cell(row, 1).font.b and sheet.cell(row, 1).font.color.rgb == "00FF0000" for row in (2, 3, 4))


def test_loops_nest_and_conditions_and_totals_work_across_cells(path: Path) -> None:
    cells = {
        "A1": "{% set total = 0 %}",
        "A2": "{% for r in s.t %}",
        "A3": "{{ loop.index }}",
        "B3": "{{ r.name }}",
        "A4": "{% if r.amount > 0 %}",
        "B5": "positive",
        "A6": "{% else %}",
        "B7": "negative",
        "A8": "{% endif %}",
        "A9": "{% for tag in r.tags %}",
        "C10": "tag {{ tag }}",
        "A11": "{% endfor %}",
        "A12": "{% set total = total + r.amount %}",
        "A13": "{% empty %}",
        "A14": "none",
        "A15": "{% endfor %}",
        "A16": "{{ total }}",
        "B16": '{% sum_by s.t by "amount" %}',
    }
    sheet = made(path, designed(cells))["Data"]
    assert values(sheet) == [
        [1, "Ana", None],
        [None, "positive", None],
        [None, None, "tag 1"],
        [None, None, "tag 2"],
        [2, "=1+1", None],
        [None, "positive", None],
        [3, "Bob <&>", None],
        [None, "negative", None],
        [None, None, "tag 3"],
        # What a loop sets ends with it.
        [0, 7.75, None],
    ]
    assert values(made(path, designed(cells), [])["Data"]) == [["none", None], [0, 0]]


def test_formulas_follow_their_rows(path: Path) -> None:
    cells = {
        **SIMPLE,
        "C1": "=SUM(B3:B3)",
        "C3": "=B3*2",
        "D3": "=B3/B$5",
        "A5": "Total",
        "B5": "=SUM(B3:B3)",
        "C5": '=SUM($C$3:$C$3)&" A3:A3 "&COUNTA(A1:A5)',
        "B7": "=B5",
        "B8": "=SUM(D:D)+B3",
    }
    sheet = made(path, designed(cells, {"name": "Other", "A1": "=SUM(Data!B3:B3)", "A2": "='Data'!$B$5"}))["Data"]
    assert sheet["C1"].value == "=SUM(B2:B4)"
    assert [sheet.cell(row, 3).value for row in (2, 3, 4)] == ["=B2*2", "=B3*2", "=B4*2"]
    assert [sheet.cell(row, 4).value for row in (2, 3, 4)] == ["=B2/B$5", "=B3/B$5", "=B4/B$5"]
    assert sheet["C5"].value == '=SUM($C$2:$C$4)&" A3:A3 "&COUNTA(A1:A5)'
    assert (sheet["B5"].value, sheet["B7"].value, sheet["B8"].value) == ("=SUM(B2:B4)", "=B5", "=SUM(D:D)+B2")
    other = with_openpyxl(path)["Other"]
    assert (other["A1"].value, other["A2"].value) == ("=SUM(Data!B2:B4)", "='Data'!$B$5")


def test_a_range_over_rows_that_were_not_repeated_means_an_empty_cell(path: Path) -> None:
    sheet = made(path, designed({**SIMPLE, "B5": "=SUM(B3:B3)"}), [])["Data"]
    assert sheet["B2"].value == "=SUM(B1048576:B1048576)"


def test_subtotals_inside_a_loop_mean_the_rows_of_their_iteration(path: Path) -> None:
    cells = {
        "A1": "{% for r in s.t %}",
        "A2": "{{ r.name }}",
        "B2": "=SUM(B4:B4)",
        "A3": "{% for tag in r.tags %}",
        "B4": "{{ tag }}",
        "A5": "{% endfor %}",
        "A6": "subtotal",
        "B6": "=SUM(B4:B4)",
        "A7": "{% endfor %}",
        "B8": "=SUM(B6:B6)",
    }
    sheet = made(path, designed(cells))["Data"]
    column = [row[1] for row in values(sheet)]
    empty = "=SUM(B1048576:B1048576)"
    assert column == [
        *("=SUM(B2:B3)", 1, 2, "=SUM(B2:B3)"),
        *(empty, empty),
        *("=SUM(B8:B8)", 3, "=SUM(B8:B8)"),
        "=SUM(B4:B9)",
    ]


def test_a_fixed_range_inside_its_own_loop_means_the_rows_of_all_iterations(path: Path) -> None:
    cells = {**SIMPLE, "C3": "=B3/SUM(B$3:B$3)", "D3": "=SUM(B3:B3)", "E3": "=SUM($B$1:B3)", "F3": "=SUM(B$3:B3)-B$3"}
    sheet = made(path, designed(cells))["Data"]
    assert values(sheet)[2][2:] == ["=B3/SUM(B$2:B$4)", "=SUM(B3:B3)", "=SUM($B$1:B3)", "=SUM(B$2:B3)-B$2"]


def test_a_formula_filled_down_is_each_cells_own(path: Path) -> None:
    template = saved(designed({**SIMPLE, "C5": "=B5*2", "C6": "=B6*2", "B5": 1, "B6": 2, "D5": "=$B$5+B6"}))
    shared = changed(
        template,
        "xl/worksheets/sheet1.xml",
        lambda text: text.replace("<f>B5*2</f>", '<f t="shared" ref="C5:C6" si="0">B5*2</f>').replace(
            "<f>B6*2</f>", '<f t="shared" si="0"/>'
        ),
    )
    filled(path, shared)
    sheet = with_openpyxl(path)["Data"]
    assert (sheet["C5"].value, sheet["C6"].value, sheet["D5"].value) == ("=B5*2", "=B6*2", "=$B$5+B6")


def changed(template: bytes, part: str, change: Any, **added: str | bytes) -> bytes:
    """The workbook with one of its parts changed, and others added."""
    stream = io.BytesIO()
    with ZipFile(io.BytesIO(template)) as old, ZipFile(stream, "w", ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content.decode()) if name == part else content)
        for name, more in added.items():
            new.writestr(name, more)
    return stream.getvalue()


def test_everything_around_the_rows_is_kept_and_follows_them(path: Path) -> None:
    book = designed({**SIMPLE, "A5": "Total", "B5": "=SUM(B3:B3)", "A7": "link", "C3": "=B3"})
    sheet = book["Data"]
    sheet.merge_cells("C3:D3")
    sheet.merge_cells("A5:A6")
    sheet.row_dimensions[3].height = 33
    sheet.column_dimensions["B"].width = 44
    sheet.freeze_panes = "B2"
    sheet.print_title_rows = "1:1"
    sheet.print_area = "A1:D5"
    sheet.oddHeader.center.text = "The bank"
    sheet.oddFooter.right.text = "&P/&N"
    sheet.page_setup.orientation = "landscape"
    less: Any = CellIsRule
    sheet.conditional_formatting.add("B3:B3", less("lessThan", ["$B3"], fill=PatternFill("solid")))
    validation = DataValidation(type="list", formula1="$A$3:$A$3")
    validation.add("D3")
    sheet.add_data_validation(validation)
    sheet["A7"].hyperlink = "https://bank.example/"
    book.defined_names["amounts"] = DefinedName("amounts", attr_text="Data!$B$3:$B$3")
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=2, min_row=3, max_row=3))
    sheet.add_chart(chart, "F7")
    picture = io.BytesIO()
    Picture.new("RGB", (8, 8), "red").save(picture, "PNG")
    sheet.add_image(Image(picture), "F1")
    result = made(path, book)
    got = result["Data"]
    assert {str(area) for area in got.merged_cells.ranges} == {"C2:D2", "C3:D3", "C4:D4", "A5:A6"}
    assert [got.row_dimensions[row].height for row in (2, 3, 4)] == [33, 33, 33]
    assert (got.column_dimensions["B"].width, got.freeze_panes) == (44, "B2")
    assert (got.print_title_rows, got.print_area) == ("$1:$1", "'Data'!$A$1:$D$5")
    assert (got.oddHeader.center.text, got.oddFooter.right.text, got.page_setup.orientation) == (
        *("The bank", "&P/&N"),
        "landscape",
    )
    (formatting,) = got.conditional_formatting
    assert (str(formatting.sqref), formatting.rules[0].formula) == ("B2:B4", ["$B2"])
    (validated,) = got.data_validations.dataValidation
    assert (str(validated.sqref), validated.formula1) == ("D2:D4", "$A$2:$A$4")
    assert got["A7"].hyperlink.target == "https://bank.example/"
    assert result.defined_names["amounts"].attr_text == "Data!$B$2:$B$4"
    assert (len(got._images), len(got._charts)) == (1, 1)
    assert got._charts[0].series[0].val.numRef.f == "'Data'!$B$2:$B$4"
    # Row 7 of the template is row 7 again: two rows of tags went, two rows came.
    assert got._charts[0].anchor._from.row == 6
    assert result.calculation.fullCalcOnLoad


def test_a_table_grows_with_its_rows(path: Path) -> None:
    book = designed(
        {"A1": "name", "B1": "amount", "A3": "{{ s.t.0.name }}", "A2": "{% for r in s.t %}", "A4": "{% endfor %}"}
    )
    book["Data"]["A2"].value, book["Data"]["A3"].value = "{% for r in s.t %}", "{{ r.name }}"
    book["Data"].add_table(Table(displayName="Amounts", ref="A1:B3"))
    assert made(path, book)["Data"].tables["Amounts"].ref == "A1:B4"
    assert made(path, book, [])["Data"].tables["Amounts"].ref == "A1:B2"


def test_sheets_repeat_by_a_tag_in_their_name(path: Path) -> None:
    repeated = {
        "name": "{% for r in s.t %}{{ r.name }}",
        "A1": "{{ r.name }}",
        "A2": "{% for tag in r.tags %}",
        "A3": "{{ tag }}",
        "A4": "{% endfor %}",
        "A5": "=SUM(A3:A3)",
    }
    book = designed({"name": "First", "A1": "x"}, repeated, {"name": "last", "A1": "=First!A1"})
    sheet = book.worksheets[1]
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=1, min_row=3, max_row=3))
    sheet.add_chart(chart, "D2")
    sheet.print_title_rows = "1:1"
    result = made(path, book, [*ROWS, {"name": "LAST", "tags": [9]}])
    assert result.sheetnames == ["First", "Ana", "=1+1", "Bob <&>", "LAST (2)", "last"]
    assert [value for (value,) in values(result["Ana"])] == ["Ana", 1, 2, "=SUM(A2:A3)"]
    assert [value for (value,) in values(result["LAST (2)"])] == ["LAST", 9, "=SUM(A2:A2)"]
    assert result["Ana"]._charts[0].series[0].val.numRef.f == "'Ana'!$A$2:$A$3"
    assert result["LAST (2)"]._charts[0].series[0].val.numRef.f == "'LAST (2)'!$A$2"
    assert result["LAST (2)"].print_title_rows == "$1:$1"
    with pytest.raises(ReportFailure, match="the workbook has no sheet"):
        filled(path, saved(designed(repeated)), [])
    assert made(path, book, []).sheetnames == ["First", "last"]


def test_a_validation_may_look_at_a_later_sheet(path: Path) -> None:
    filled(path, with_validation("Later!$A$3:$A$3"))
    (validated,) = with_openpyxl(path)["Data"].data_validations.dataValidation
    assert validated.formula1 == "Later!$A$2:$A$4"


@pytest.mark.parametrize("kept_in", [saved, lambda book: with_shared_strings(saved(book))], ids=["cells", "shared strings"])
def test_no_template_shows_in_the_document(path: Path, kept_in: Any) -> None:
    filled(path, kept_in(designed({**SIMPLE, "A6": "kept", "C3": "{{ r.name }} <&> _x0041_"})))
    assert calamine_values(path)["Data"][1] == ["Ana", 10.5, "Ana <&> A"]
    assert calamine_values(path)["Data"][5 - 1][0] == ""
    assert calamine_values(path)["Data"][5][0] == "kept"
    with ZipFile(path) as archive:
        assert not any(b"{{" in archive.read(name) or b"{%" in archive.read(name) for name in archive.namelist())
        assert archive.testzip() is None


def test_the_same_rows_make_the_same_bytes(path: Path) -> None:
    template = saved(designed({**SIMPLE, "B5": "=SUM(B3:B3)"}))
    digests = set()
    for _time in range(2):
        filled(path, template)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_exact_numbers_and_long_texts_name_sheet_and_cell(path: Path) -> None:
    template = saved(designed(SIMPLE))
    (warning,) = filled(path, template, [{"name": "x", "amount": Decimal("12345678901234567.89")}])
    assert warning.startswith("sheet Data, cell B2: a number has more than 15 digits")
    assert calamine_values(path)["Data"][1][1] == "12345678901234567.89"
    with pytest.raises(ReportFailure, match="sheet Data, cell A3: a text has 32768 characters"):
        filled(path, template, [ROWS[0], {"name": "x" * 32_768, "amount": 1}])


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"A1": "{% for r in s.t %}", "A2": "{{ r.name }}"}, "sheet Data, cell A1: the tag for has no end"),
        ({"A1": "{% endfor %}"}, "sheet Data, cell A1: endfor has no beginning"),
        ({"A1": "x", "B2": "{% if 1 %}y"}, "sheet Data, cell B2: the tag if must begin and end in the cell"),
        ({"A1": "{% if 1 %}", "B1": "note", "A2": "{% endif %}"}, "sheet Data, cell B1: a row that begins with a tag"),
        ({"C7": "{{ s.t.0.nmae }}"}, "sheet Data, cell C7: s.t has no field nmae"),
        ({"C7": "{{ 1 +"}, "sheet Data, cell C7: "),
        ({"A1": "ok", "B3": "line\n{{ s.t.0.x }}"}, "sheet Data, cell B3: s.t has no field x"),
        ({"A1": '="{{ s.t.0.name }}"'}, "sheet Data, cell A1: a formula cannot hold tags"),
        ({"A1": "=[1]Sheet1!A1"}, "sheet Data, cell A1: the formula cannot be kept: it refers to another workbook"),
        ({"A1": "=SUM(Data:Other!A1)"}, "it refers to several sheets"),
        ({**SIMPLE, "A6": "=A2"}, "sheet Data, cell A6: a formula refers to row 2, which holds a tag"),
        ({"name": "{% for r in s.x %}{{ r.name }}", "A1": "x"}, "its name: data source s has no table x"),
        ({"A1": '{% sheet "x" %}'}, "a sheet cannot begin here"),
    ],
)
def test_what_is_wrong_with_a_template_names_sheet_and_cell(cells: dict[str, Any], said: str) -> None:
    with pytest.raises(TemplateProblems) as problems:
        check_template(saved(designed(cells)), "XLSX", SCHEMA)
    assert said in problems.value.message
    assert problems.value.code in {"TPL-0007", "TPL-0014", "TPL-0030"}


def test_the_fields_that_a_workbook_reads_are_found_across_its_cells() -> None:
    cells = {**SIMPLE, "A6": "{% set first = s.t.0 %}", "A7": "{{ first.day }}"}
    assert check_template(saved(designed(cells)), "XLSX", SCHEMA).reads == {"s": {"t": ("name", "amount", "day")}}
    looped = {"A1": "{% for r in s.t %}", "A2": "{% set x = r.amount %}", "A3": "{{ x }}", "A4": "{% endfor %}"}
    (warning,) = check_template(saved(designed(looped)), "XLSX", SCHEMA).warnings
    assert warning.startswith("sheet Data, cell A2: x keeps its value")


def test_an_error_while_rendering_names_the_cell(path: Path) -> None:
    design = Design(saved(designed({"A1": "fine", "B4": "{{ 1 / 0 }}"})))
    with pytest.raises(ReportFailure) as failure:
        render(design.text, "WORKBOOK", {}, len, now=NOW)
    assert design.named(failure.value.line) + failure.value.message == "sheet Data, cell B4: division by zero"


PLAIN = saved(designed({"A1": "x"}))


def with_type(part: str, kind: str) -> bytes:
    override = f'<Override PartName="/{part}" ContentType="{kind}"/></Types>'
    return changed(PLAIN, TYPES, lambda text: text.replace("</Types>", override), **{part: b"x"})


def with_relation(target: str, kind: str) -> bytes:
    relation = f'<Relationship Id="rIdX" Type="urn:x/{kind}" Target="{target}" TargetMode="External"/></Relationships>'
    return changed(PLAIN, "xl/_rels/workbook.xml.rels", lambda text: text.replace("</Relationships>", relation))


def with_sheet(added: str) -> bytes:
    return changed(PLAIN, "xl/worksheets/sheet1.xml", lambda text: text.replace("</sheetData>", "</sheetData>" + added))


SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml."


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (with_type("xl/vbaProject.bin", "application/vnd.ms-office.vbaProject"), "macros"),
        (
            changed(
                PLAIN,
                TYPES,
                lambda t: t.replace(
                    "openxmlformats-officedocument.spreadsheetml.sheet.main", "ms-excel.sheet.macroEnabled.main"
                ),
            ),
            "macros",
        ),
        (with_type("xl/pivotTables/pivotTable1.xml", SPREADSHEET + "pivotTable+xml"), "a pivot table"),
        (with_type("xl/pivotCache/x.xml", SPREADSHEET + "pivotCacheDefinition+xml"), "a pivot table"),
        (with_type("xl/externalLinks/externalLink1.xml", SPREADSHEET + "externalLink+xml"), "another workbook"),
        (with_type("xl/comments1.xml", SPREADSHEET + "comments+xml"), "note"),
        (with_type("xl/embeddings/oleObject1.bin", "application/vnd.openxmlformats-officedocument.oleObject"), "embedded"),
        (with_type("xl/activeX/activeX1.xml", "application/vnd.ms-office.activeX+xml"), "a control"),
        (with_type("xl/connections.xml", SPREADSHEET + "connections+xml"), "connection"),
        (with_type("xl/slicers/slicer1.xml", "application/vnd.ms-excel.slicer+xml"), "slicer"),
        (
            with_type(
                "_xmlsignatures/sig1.xml", "application/vnd.openxmlformats-package.digital-signature-xmlsignature+xml"
            ),
            "signature",
        ),
        (with_type("xl/thing.bin", "application/x-unheard-of"), "x-unheard-of"),
        (changed(PLAIN, "", None, **{"xl/payload.exe": b"MZ"}), "payload.exe"),
        (with_relation("file:///etc/passwd", "image"), "outside of the workbook"),
        (with_relation("http://169.254.169.254/", "externalLink"), "outside of the workbook"),
        (with_relation("file:///etc/passwd", "hyperlink"), "outside of the workbook"),
        (with_sheet("<oleObjects/>"), "embedded objects"),
        (with_sheet("<controls/>"), "controls"),
        (with_sheet("<scenarios/>"), "scenarios"),
        (with_sheet("<x:AlternateContent xmlns:x='u'><controls/></x:AlternateContent>"), "controls"),
        (with_picture(SIMPLE, "C3"), "sheet Data: a picture or chart stands in row 3, which repeats"),
        (with_table({"name": "{{ s.t.0.name }}", "A1": "a", "B1": "b"}), "a table cannot be in a sheet that repeats"),
        (with_validation("'{% for r in s.t %}{{ r.name }}'!$A$1"), "whose name a template makes"),
        (with_validation("[1]Other!$A$1"), "dataValidations cannot be kept: it refers to another workbook"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_never_dropped(template: bytes, said: str) -> None:
    with pytest.raises(TemplateProblems) as problems:
        Design(template)
    assert said in problems.value.message
    assert problems.value.code == "TPL-0007"


SHEET = re.compile(r"<sheet [^>]*/>")
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    "template",
    [
        b"",
        b"not a zip file",
        b"PK\x03\x04" + b"\0" * 100,
        bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600,
        zipped({}),
        zipped({TYPES: b"<Types/>"}),
        zipped({TYPES: BOMB}),
        zipped({TYPES: b"<a>" * 5000}),
        zipped({TYPES: b"<a>" + b"<b/>" * 400_000 + b"</a>"}),
        zipped({f"xl/{n}.xml": b"" for n in range(LIMITS.parts + 1)}),
        zipped({TYPES: b"<Types/>", "../../etc/passwd": b"x"}),
        zipped({TYPES: b"<Types/>", "/etc/passwd": b"x"}),
        zipped({TYPES: b"<Types/>", "a\\b": b"x"}),
        zipped({TYPES: b"<Types/>", "xl/a.xml": b"x", "XL/A.xml": b"x"}),
        zipped({"big": b"\0" * (LIMITS.bytes + 1)}),
        changed(PLAIN, "xl/workbook.xml", lambda _text: BOMB.decode()),
        changed(PLAIN, "xl/worksheets/sheet1.xml", lambda _text: BOMB.decode()),
        changed(
            PLAIN,
            "xl/worksheets/sheet1.xml",
            lambda text: text.replace("<is><t>x</t></is>", "<v>999</v>").replace("inlineStr", "s"),
        ),
        changed(PLAIN, "xl/worksheets/sheet1.xml", lambda text: text.replace('r="A1"', 'r="ZZZZ1"')),
        changed(PLAIN, "xl/worksheets/sheet1.xml", lambda text: text.replace('r="1"', 'r="9999999"')),
        changed(PLAIN, "xl/worksheets/sheet1.xml", lambda text: text.replace("<c ", '<c s="99999" ')),
        changed(PLAIN, "xl/workbook.xml", lambda text: text.replace("rId1", "rId77")),
        changed(PLAIN, "xl/workbook.xml", lambda text: re.sub('sheetId="[^"]*"', 'sheetId="x"', text)),
        changed(PLAIN, "xl/workbook.xml", lambda text: re.sub('activeTab="[^"]*"', 'activeTab="-1"', text)),
        changed(PLAIN, "xl/workbook.xml", lambda text: text.replace("</sheets>", f"{SHEET.findall(text)[0]}</sheets>")),
        changed(PLAIN, "xl/styles.xml", lambda text: re.sub('numFmtId="[^"]*"', 'numFmtId="x"', text)),
        PLAIN[: len(PLAIN) // 2],
        PLAIN[:-200] + b"\0" * 200,
    ],
    # Their sizes change with the second they were made in: several processes would not agree on names made of them.
    ids=lambda _template: "file",
)
def test_hostile_files_are_refused_at_once(template: bytes) -> None:
    started = time.process_time()
    with pytest.raises(TemplateProblems):
        check_template(template, "XLSX", SCHEMA)
    assert time.process_time() - started < 5


def test_all_parts_together_are_bounded() -> None:
    rows = "".join(f'<row r="{n}">' + "<c/>" * 1000 + "</row>" for n in range(2, 4))

    def with_rows(sheets: int) -> bytes:
        made = saved(designed(*({"name": f"s{n}", "A1": "x"} for n in range(sheets))))
        for n in range(sheets):
            part = f"xl/worksheets/sheet{n + 1}.xml"
            made = changed(made, part, lambda text: text.replace("</sheetData>", f"{rows}</sheetData>"))
        return made

    assert len(Design(with_rows(10)).sheets) == 10
    fewer = replace(LIMITS, tags=10_000)
    assert len(Design(with_rows(2), fewer).sheets) == 2
    with pytest.raises(TemplateProblems, match=r"more than 10000 tags \(WorkbookTags\)"):
        Design(with_rows(10), fewer)


@pytest.mark.parametrize(
    ("limit", "most", "said"),
    [
        ("parts", 3, "more than 3 parts (WorkbookParts)"),
        ("bytes", 400, "more than 400 bytes unpacked (WorkbookBytes)"),
        ("part_bytes", 100, "more than 100 bytes (WorkbookPartBytes)"),
        ("part_elements", 7, "more than 7 elements (WorkbookPartElements)"),
        ("tags", 9, "more than 9 tags (WorkbookTags)"),
    ],
)
def test_what_is_past_a_limit_of_templates_names_it(limit: str, most: int, said: str) -> None:
    with pytest.raises(TemplateProblems) as problems:
        check_template(PLAIN, "XLSX", SCHEMA, replace(LIMITS, **{limit: most}))
    assert said in problems.value.message


CHART, DRAWING = "xl/charts/chart1.xml", "xl/drawings/drawing1.xml"
CHARTED = with_picture({"A1": "x"}, "C3")


def relations(name: str, *targets: tuple[str, str]) -> dict[str, str]:
    """The relations of a part: each a kind and a part."""
    folder, _, file = name.rpartition("/")
    listed = "".join(
        f'<Relationship Id="r{n}" Type="urn:x/{kind}" Target="/{target}"/>' for n, (kind, target) in enumerate(targets)
    )
    return {f"{folder}/_rels/{file}.rels": f'<Relationships xmlns="{PACKAGE_RELATIONS}">{listed}</Relationships>'}


def related(name: str, *targets: tuple[str, str]) -> bytes:
    """A workbook with a chart, where a part that referred to nothing refers to others."""
    return changed(CHARTED, "", None, **relations(name, *targets))


def with_charts(count: int, each: int) -> bytes:
    """Each chart belongs to the one before, so often: written for each, that many to the power of so many."""
    names = [CHART, *(f"xl/charts/c{n}.xml" for n in range(count))]
    added: dict[str, str | bytes] = dict.fromkeys(names[1:], "<c/>")
    for name, target in pairwise(names):
        added.update(relations(name, *[("chart", target)] * each))
    kind = "application/vnd.openxmlformats-officedocument.drawingml.chart+xml"
    types = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name in names[1:])
    return changed(CHARTED, TYPES, lambda text: text.replace("</Types>", f"{types}</Types>"), **added)


@pytest.mark.parametrize(
    ("template", "place", "said"),
    [
        (related(CHART, ("chart", CHART)), CHART, "belongs to another part"),
        (related(CHART, ("drawing", DRAWING)), DRAWING, "belongs to another part"),
        (related(CHART, ("drawing", "xl/worksheets/sheet1.xml")), "sheet1.xml", "belongs to another part"),
        (related(CHART, ("drawing", "xl/workbook.xml")), "xl/workbook.xml", "belongs to another part"),
        (related(CHART, ("chartStyle", "xl/styles.xml")), "xl/styles.xml", "belongs to another part"),
        (related(CHART, ("chartStyle", TYPES)), TYPES, "belongs to another part"),
        (related(CHART, ("table", "_rels/.rels")), "_rels/.rels", "belongs to another part"),
        (related(CHART, ("table", "#nowhere")), "#nowhere", "not in the workbook"),
        (with_charts(4, 2), "xl/charts/c3.xml", "belongs to another part"),
        (with_charts(900, 1), "xl/charts/c6.xml", "more than 8 parts deep"),
    ],
)
def test_a_part_that_belongs_to_itself_or_to_two_is_refused_with_its_place(template: bytes, place: str, said: str) -> None:
    started = time.process_time()
    with pytest.raises(TemplateProblems) as problems:
        check_template(template, "XLSX", SCHEMA)
    assert said in problems.value.message
    assert f"{place}, " in problems.value.message
    assert ".xml.rels refers to " in problems.value.message
    assert time.process_time() - started < 5


def test_two_sheets_may_share_their_printers_settings(path: Path) -> None:
    printer = ("printerSettings", "xl/printerSettings/printerSettings1.bin")
    both = relations("xl/worksheets/sheet1.xml", printer) | relations("xl/worksheets/sheet2.xml", printer)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.printerSettings"
    known = f'<Default Extension="bin" ContentType="{kind}"/></Types>'
    book = saved(designed(SIMPLE, {"A1": "x"}))
    filled(path, changed(book, TYPES, lambda text: text.replace("</Types>", known), **both, **{printer[1]: "p"}))
    with ZipFile(path) as archive:
        assert archive.namelist().count(printer[1]) == 1
    assert len(with_openpyxl(path).sheetnames) == 2


def test_parts_that_only_mention_one_another_may_do_so_in_a_circle(path: Path) -> None:
    """What belongs to nobody is copied once, whoever mentions it: there is nothing to follow."""
    theme = "xl/theme/theme1.xml"
    circle = {
        **relations(CHART, ("image", DRAWING), ("theme", theme)),
        **relations(theme, ("image", theme), ("sheet", CHART)),
    }
    filled(path, changed(CHARTED, "", None, **circle))
    with ZipFile(path) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    assert {CHART, DRAWING, theme, "xl/theme/_rels/theme1.xml.rels"} <= set(names)


def test_a_far_away_row_costs_nothing(path: Path) -> None:
    sheet = made(path, designed({**SIMPLE, "A1048576": "far", "XFD6": "=SUM(B3:B3)"}), ROWS[:1])["Data"]
    assert sheet["XFD4"].value == "=SUM(B2:B2)"
    assert sheet["A1048574"].value == "far"


def test_parts_with_a_prefix_are_understood(path: Path) -> None:
    def prefixed(text: str) -> str:
        head, _, rest = text.partition("<worksheet")
        tags = rest.replace("</", "</x:").replace("<", "<x:").replace("<x:/x:", "</x:")
        return head + "<x:worksheet" + tags.replace("xmlns=", "xmlns:x=", 1)

    filled(path, changed(saved(designed({**SIMPLE, "B5": "=SUM(B3:B3)"})), "xl/worksheets/sheet1.xml", prefixed))
    assert with_openpyxl(path)["Data"]["B5"].value == "=SUM(B2:B4)"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=20))
def test_every_reader_gives_back_what_a_designed_workbook_was_filled_with(path: Path, rows: list[tuple[Any, Any]]) -> None:
    cells = {
        "A1": "name",
        "A2": "{% for r in s.t %}",
        "A3": "{{ r.a }}",
        "B3": "{{ r.b }}",
        "C3": "=A3",
        "A4": "{% endfor %}",
    }
    filled(path, saved(designed(cells)), [{"a": a, "b": b} for a, b in rows])
    read, read_too = openpyxl_values(path)["Data"][1:], calamine_values(path)["Data"][1:]
    # Empty rows at the end are none to the second reader.
    read_too += [["", ""]] * (len(read) - len(read_too))
    for number, (row, first, second) in enumerate(zip(rows, read, read_too, strict=True), start=2):
        assert first[2] == f"=A{number}"
        for value, one, other in zip(row, first, second, strict=False):
            assert_same(value, one)
            assert_same(value, other)
