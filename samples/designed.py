"""Draws ``templates/account_statements.xlsx``: a workbook designed as a person would in a spreadsheet, tags in its cells.

``python -m samples.designed`` writes it again; the file itself is kept, as an author would keep it.
"""

from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.drawing.image import Image
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from PIL import Image as Picture
from PIL import ImageDraw

PATH = Path(__file__).parent / "templates" / "account_statements.xlsx"
NAVY, PALE, GREY = "FF1F3864", "FFDDE6F3", "FF7F7F7F"
MONEY = "#,##0.00;[Red]-#,##0.00"
DAY = "dd/mm/yyyy"
ACCOUNTS_SHOWN = 12


def _font(**look: Any) -> Any:
    return Font(name="Calibri", **look)


THIN, MEDIUM = Side(style="thin", color="FFBFBFBF"), Side(style="medium", color=NAVY)
HEAD = {
    "font": _font(bold=True, color="FFFFFFFF"),
    "fill": PatternFill("solid", fgColor=NAVY),
    "alignment": Alignment(vertical="center"),
}
NUMBER, MIDDLE = Alignment(horizontal="right"), Alignment(horizontal="center", vertical="center")
NUMBER_HEAD = {**HEAD, "alignment": Alignment(horizontal="right", vertical="center")}
BODY: dict[str, Any] = {"border": Border(bottom=THIN)}
TOTAL = {"font": _font(bold=True), "border": Border(top=MEDIUM), "fill": PatternFill("solid", fgColor=PALE)}


def template() -> Any:
    """The workbook."""
    book: Any = Workbook()
    _summary(book.active)
    _statement(book.create_sheet("{% for a in top %}{{ a.alias }}"))
    book.properties.title = "Extrato mensal"
    book.properties.creator = "Reporter"
    book.properties.created = datetime(2024, 1, 1)
    return book


def _put(sheet: Any, place: str, value: Any, number_format: str = "General", **look: Any) -> None:
    cell = sheet[place]
    cell.value, cell.number_format = value, number_format
    if number_format != "General":
        cell.alignment = MIDDLE if number_format == DAY else NUMBER
    for name, style in look.items():
        setattr(cell, name, style)


def _summary(sheet: Any) -> None:
    sheet.title = "Resumo"
    sheet.sheet_view.showGridLines = False
    _widths(sheet, A=34, B=16, C=18, D=18, E=18)
    sheet.add_image(_logo(), "A1")
    sheet.row_dimensions[1].height = 42
    _put(sheet, "B1", "{{ midaz_onboarding.organization.0.legal_name }}", font=_font(bold=True, size=16, color=NAVY))
    sheet.merge_cells("B1:E1")
    _put(sheet, "B2", 'Extrato das contas · {% date_time "02/01/2006" %}', font=_font(color=GREY))
    sheet.merge_cells("B2:E2")
    _put(sheet, "A3", f'{{% set top = midaz_onboarding.account|slice:":{ACCOUNTS_SHOWN}" %}}')
    for column, title in zip("ABCDE", ["Titular", "Conta", "Créditos", "Débitos", "Saldo"], strict=True):
        _put(sheet, f"{column}5", title, **(HEAD if column in "AB" else NUMBER_HEAD))
    sheet.row_dimensions[5].height = 20
    _put(sheet, "A6", "{% for a in top %}")
    of_account = 'filter(midaz_transaction.operation, "account_id", a.id)'
    _put(sheet, "A7", "{{ a.name }}", **BODY)
    _put(sheet, "B7", "{{ a.alias }}", **BODY)
    _put(sheet, "C7", f'{{% sum_by {of_account} by "amount" if direction == "credit" %}}', MONEY, **BODY)
    _put(sheet, "D7", f'{{% sum_by {of_account} by "amount" if direction == "debit" %}}', MONEY, **BODY)
    _put(sheet, "E7", "=C7-D7", MONEY, **BODY)
    _put(sheet, "A8", "{% endfor %}")
    _put(sheet, "A9", "Total", **TOTAL)
    _put(sheet, "B9", '=COUNTA(B7:B7)&" contas"', **TOTAL)
    for column in "CDE":
        _put(sheet, f"{column}9", f"=SUM({column}7:{column}7)", MONEY, **TOTAL)
    sheet.freeze_panes = "A6"
    chart = BarChart()
    chart.title, chart.type, chart.legend = "Saldo por conta", "bar", None
    chart.add_data(Reference(sheet, min_col=5, min_row=7, max_row=7))
    chart.set_categories(Reference(sheet, min_col=2, min_row=7, max_row=7))
    chart.x_axis.tickLblPos = "low"
    chart.width, chart.height = 18, 9
    sheet.add_chart(chart, "A11")
    _pages(sheet, "1:5")


def _statement(sheet: Any) -> None:
    sheet.sheet_view.showGridLines = False
    _widths(sheet, A=12, B=40, C=16, D=16, E=18)
    _put(sheet, "A1", "{{ a.name }}", font=_font(bold=True, size=14, color=NAVY))
    sheet.merge_cells("A1:E1")
    _put(sheet, "A2", "Conta {{ a.alias }} · {{ a.asset_code }} · {{ a.status }}", font=_font(color=GREY))
    sheet.merge_cells("A2:E2")
    _put(sheet, "D3", "Saldo final", alignment=NUMBER)
    _put(sheet, "E3", "=C9-D9", MONEY, font=_font(bold=True))
    for column, title in zip("ABCDE", ["Data", "Histórico", "Crédito", "Débito", "Saldo"], strict=True):
        _put(sheet, f"{column}5", title, **(HEAD if column in "AB" else NUMBER_HEAD))
    sheet["A5"].alignment = MIDDLE
    _put(sheet, "A6", '{% for op in filter(midaz_transaction.operation, "account_id", a.id) %}')
    _put(sheet, "A7", "{{ op.created_at }}", DAY, **BODY)
    _put(sheet, "B7", "{{ op.description }}", **BODY)
    _put(sheet, "C7", '{% if op.direction == "credit" %}{{ op.amount }}{% endif %}', MONEY, **BODY)
    _put(sheet, "D7", '{% if op.direction == "debit" %}{{ op.amount }}{% endif %}', MONEY, **BODY)
    _put(sheet, "E7", "=SUM(C$7:C7)-SUM(D$7:D7)", MONEY, **BODY)
    _put(sheet, "A8", "{% endfor %}")
    _put(sheet, "A9", "Total", **TOTAL)
    _put(sheet, "B9", '=COUNT(A7:A7)&" lançamentos"', **TOTAL)
    _put(sheet, "C9", "=SUM(C7:C7)", MONEY, **TOTAL)
    _put(sheet, "D9", "=SUM(D7:D7)", MONEY, **TOTAL)
    _put(sheet, "E9", "=C9-D9", MONEY, **TOTAL)
    less_than: Any = CellIsRule
    sheet.conditional_formatting.add("E7:E7", less_than("lessThan", ["0"], fill=PatternFill("solid", bgColor="FFFCE4E4")))
    sheet.freeze_panes = "A6"
    sheet.auto_filter.ref = "A5:E7"
    _pages(sheet, "1:5")


def _widths(sheet: Any, **widths: float) -> None:
    for column, width in widths.items():
        sheet.column_dimensions[column].width = width


def _pages(sheet: Any, titles: str) -> None:
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "portrait", sheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = titles
    sheet.oddFooter.left.text, sheet.oddFooter.right.text = "&A", "Página &P de &N"


def _logo() -> Any:
    picture = Picture.new("RGBA", (176, 176), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((0, 0, 175, 175), 36, fill="#1F3864")
    for index, height in enumerate((50, 84, 118)):
        draw.rectangle((36 + index * 38, 144 - height, 64 + index * 38, 144), fill="#DDE6F3")
    stream = BytesIO()
    picture.save(stream, "PNG")
    image = Image(stream)
    image.width = image.height = 52
    return image


if __name__ == "__main__":
    template().save(PATH)
    print(PATH)
