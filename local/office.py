"""``make check-office``: what other people's programs make of our documents, with pictures for somebody to look at.

LibreOffice opens the sample workbooks, recalculates their formulas and draws their sheets; qpdf, poppler and Chromium look
at the documents in PDF. Their versions and what was found are written to docs/office.md, the pictures to docs/pictures.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from local.office_pages import beside_chromium, pages
from local.office_workbooks import workbooks
from local.paths import ROOT
from local.postgresql import EmbeddedPostgres
from local.programs import PICTURES, Finding, run
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


CHECKS: Sequence[Callable[[Path, EmbeddedPostgres], list[Finding]]] = (workbooks, pages, beside_chromium)


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
