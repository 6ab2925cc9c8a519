"""Workbooks in LibreOffice: formulas recalculated against SQL, hostile texts read back, sheets drawn."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import psycopg
from openpyxl.utils.escape import unescape
from openpyxl.worksheet.properties import PageSetupProperties
from reporter.command_line import main as reporter

from local.postgresql import EmbeddedPostgres
from local.programs import Finding, converted, made, pictures
from local.shell import StepFailed, step
from samples import ledger

HOSTILE = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " before", "after ", "two\nlines", "'quoted", '<&>"]]>', "_x0041_", "_x000D_"),
    *("_x000D_", "\x0b", "\x01", "\r", "é😀", "1e5", "TRUE", "01/02/2024", "{{ 7*7 }}", "+55 11 91234-5678", "x" * 32_767),
]
"""Texts that a spreadsheet might take for something else, or not at all."""


def workbooks(folder: Path, postgres: EmbeddedPostgres) -> list[Finding]:
    """Totals recalculated by LibreOffice against SQL, and a picture of each kind of sheet."""
    statements = made(folder, "account_statements.xlsx", "XLSX")
    operations = made(folder, "operations_workbook.tpl", "XLSX")
    found = []
    with step("recalculating the formulas"):
        found.append(_statements_agree(recalculated(statements), postgres))
        found.append(_operations_agree(recalculated(operations), postgres))
    with step("reading hostile texts"):
        found.append(_hostile_agree(folder))
    with step("drawing the sheets"):
        drawn = pictures(statements, "account_statements", pages=(1, 2))
        drawn += pictures(first_rows(operations, folder / "operations_page.xlsx"), "operations_workbook", pages=(1,))
    return [*found, *(f"![{page.stem}](pictures/{page.name})" for page in drawn)]


def recalculated(path: Path) -> Any:
    """A workbook's values after LibreOffice has calculated its formulas."""
    return openpyxl.load_workbook(converted(path, "xlsx", "Calc MS Excel 2007 XML"), data_only=True)


def first_rows(path: Path, target: Path, count: int = 40) -> Path:
    """The workbook with only its first rows, as ten thousand need no picture."""
    book: Any = openpyxl.load_workbook(path)
    for sheet in book:
        sheet.delete_rows(count + 1, sheet.max_row)
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
        sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    book.save(target)
    return target


def _statements_agree(book: Any, postgres: EmbeddedPostgres) -> Finding:
    accounts, *statements = book.sheetnames
    with psycopg.connect(postgres.dsn("midaz_transaction")) as connection:
        expected: dict[str, Decimal] = dict(
            connection.execute(
                "SELECT account_alias, sum(CASE direction WHEN 'credit' THEN amount ELSE -amount END) FROM operation"
                " WHERE organization_id = %s GROUP BY account_alias",
                [ledger.ORGANIZATION],
            ).fetchall()
        )
    summary = {row[1]: row[4] for row in book[accounts].iter_rows(min_row=5, values_only=True) if row[1] in statements}
    total = next(row[4] for row in book[accounts].iter_rows(values_only=True) if row[0] == "Total")
    for name in statements:
        sheet_rows = list(book[name].iter_rows(values_only=True))
        running, last = sheet_rows[-2][4], sheet_rows[-1][4]
        values = [_cents(value) for value in (last, running, summary[name], sheet_rows[2][4])]
        if set(values) != {expected[name]}:
            raise StepFailed(f"sheet {name} says {values}, the database {expected[name]}")
    if _cents(total) != sum(expected[name] for name in statements):
        raise StepFailed(f"the summary says {total}")
    return (
        f"account_statements.xlsx: {len(statements)} statements and their summary, every balance recalculated as SQL has it"
    )


def _operations_agree(book: Any, postgres: EmbeddedPostgres) -> Finding:
    read = [(row[0], _cents(row[4])) for row in book["Operations"].iter_rows(min_row=2, values_only=True)]
    with psycopg.connect(postgres.dsn("midaz_transaction")) as connection:
        expected = connection.execute(
            "SELECT id::text, amount FROM operation WHERE organization_id = %s ORDER BY ctid", [ledger.ORGANIZATION]
        ).fetchall()
    if read != expected:
        raise StepFailed("the operations are not those of the database")
    return f"operations_workbook.xlsx: {len(read)} operations read back, each amount as SQL has it"


def _cents(value: Any) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))


def _hostile_agree(folder: Path) -> Finding:
    data, template, path = folder / "hostile.json", folder / "hostile.tpl", folder / "hostile.xlsx"
    data.write_text(json.dumps({"s": {"t": [{"a": text, "n": number} for number, text in enumerate(HOSTILE)]}}))
    template.write_text("a;n\n{% for r in s.t %}{{ r.a }};{{ r.n }}\n{% endfor %}")
    if reporter(["render", str(template), "--format", "XLSX", "--data", str(data), "-o", str(path)]) != 0:
        raise StepFailed("hostile texts could not be rendered")
    read = recalculated(path).active.iter_rows(min_row=2, values_only=True)
    for number, (text, (found, place)) in enumerate(zip(HOSTILE, read, strict=True)):
        # It saves some escapes as escapes, and what only looks like one as it is.
        if place != number or text not in {found, unescape(found)}:
            raise StepFailed(f"{text[:40]!r} comes back as {found!r}")
    return f"{len(HOSTILE)} hostile texts read back equal"
