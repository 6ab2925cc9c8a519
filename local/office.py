"""``make check-office``: what other people's programs make of our documents, with pictures for somebody to look at.

LibreOffice opens the sample workbooks, recalculates their formulas and draws their sheets; qpdf, poppler and Chromium look
at the documents in PDF. Their versions and what was found are written to docs/office.md, the pictures to docs/pictures.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import psycopg
from openpyxl.worksheet.properties import PageSetupProperties

from local.office_pages import beside_chromium, pages
from local.paths import ROOT
from local.postgresql import EmbeddedPostgres
from local.programs import PICTURES, Finding, converted, made, pictures, run
from local.shell import StepFailed, step
from samples import ledger, rows

PROGRAMS = {"soffice": "libreoffice-calc-nogui", "pdftoppm": "poppler-utils", "qpdf": "qpdf", "chromium": "chromium"}
"""What is run → the Debian package that it comes with."""
RESULT = ROOT / "docs" / "office.md"


def main() -> int:
    """Run every check; 1 when one fails."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        print(f"These come from Debian: apt-get install {' '.join(missing)}", file=sys.stderr)
        return 1
    print("What other programs make of our documents:")
    findings: list[Finding] = []
    try:
        with tempfile.TemporaryDirectory(prefix="office-") as name:
            folder = Path(name)
            with step("loading the sample ledger"):
                postgres = EmbeddedPostgres()
                postgres.start()
            try:
                ledger.load(postgres.dsn())
                rows.dump(postgres.dsn(), folder / "data.json")
                for check in CHECKS:
                    findings += check(folder, postgres)
            finally:
                postgres.stop()
    except StepFailed as failed:
        print(f"\n{failed}", file=sys.stderr)
        return 1
    RESULT.write_text(_record(findings), encoding="utf-8")
    print(f"Written to {RESULT.relative_to(ROOT)}; the pictures in {PICTURES.relative_to(ROOT)} are for you to look at.")
    return 0


def workbooks(folder: Path, postgres: EmbeddedPostgres) -> list[Finding]:
    """Totals recalculated by LibreOffice against SQL, and a picture of each kind of sheet."""
    statements = made(folder, "account_statements.xlsx", "XLSX")
    operations = made(folder, "operations_workbook.tpl", "XLSX")
    found = []
    with step("recalculating the formulas"):
        found.append(_statements_agree(recalculated(statements), postgres))
        found.append(_operations_agree(recalculated(operations), postgres))
    with step("drawing the sheets"):
        drawn = pictures(statements, "account_statements", pages=(1, 2))
        drawn += pictures(first_rows(operations, folder / "operations_page.xlsx"), "operations_workbook", pages=(1,))
    return [*found, *(f"![{page.stem}](pictures/{page.name})" for page in drawn)]


CHECKS: Sequence[Callable[[Path, EmbeddedPostgres], list[Finding]]] = (workbooks, pages, beside_chromium)


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


def _record(findings: Sequence[Finding]) -> str:
    asked = (["soffice", "--version"], ["pdftoppm", "-v"], ["qpdf", "--version"], ["chromium", "--version"])
    versions = [run(command).splitlines()[0].strip() for command in asked]
    listed = "\n".join(f"- {version}" for version in versions)
    shown = "\n\n".join(findings)
    day = datetime.now(UTC).date().isoformat()
    head = f"# What other programs make of the documents\n\nThe last result of `make check-office`, {day}."
    return f"{head}\n\n{listed}\n\n{shown}\n"


if __name__ == "__main__":
    sys.exit(main())
