"""What qpdf, poppler and Chromium make of our documents in PDF."""

import tempfile
from pathlib import Path

import psycopg

from benchmarks.pages import measured
from local.postgresql import EmbeddedPostgres
from local.programs import Finding, made, pictures, run
from local.shell import StepFailed, step
from samples import ledger

RUNS = 5
MOST_OF_ENGINE, LEAST_OF_CHROMIUM = 1.3, 5
"""How much longer than the engine alone a document may take, and how much faster than Chromium it must be."""


def pages(folder: Path, postgres: EmbeddedPostgres) -> list[Finding]:
    """Both samples are sound, the statement's text holds every amount, every page its number; and pictures of them."""
    statement, receipt = made(folder, "account_statement.tpl", "PDF"), made(folder, "transfer_receipt.tpl", "PDF")
    with step("reading the documents in PDF"):
        found = [_sound(statement), _sound(receipt), _amounts_are_there(statement, postgres)]
        drawn = pictures(statement, "account_statement", pages=(1, 2)) + pictures(receipt, "transfer_receipt", pages=(1,))
    return [*found, *(f"![{page.stem}](pictures/{page.name})" for page in drawn)]


def beside_chromium(_folder: Path, _postgres: EmbeddedPostgres) -> list[Finding]:
    """190 pages in time. Raises ``StepFailed``."""
    with step("190 pages, beside the engine alone and Chromium"), tempfile.TemporaryDirectory() as name:
        found, counts = measured(RUNS, Path(name))
        ours, alone, chromium = (found[name] for name in ("ours", "alone", "chromium"))
        peaks = ", ".join(f"{name} {measure.peak / 1e6:.0f} MB" for name, measure in found.items())
        slower, faster = ours.seconds / alone.seconds, chromium.seconds / ours.seconds
        said = (
            f"{counts['ours']} pages in PDF, medians of {RUNS} runs: {slower:.2f} times the engine alone on the same HTML,"
            f" {faster:.1f} times faster than headless Chromium; peak memory: {peaks}"
        )
        if slower > MOST_OF_ENGINE or faster < LEAST_OF_CHROMIUM:
            raise StepFailed(said)
    return [said]


def _sound(path: Path) -> Finding:
    if "No syntax or stream encoding errors found" not in run(["qpdf", "--check", str(path)]):
        raise StepFailed(f"qpdf finds errors in {path.name}")
    return f"{path.name}: {run(['qpdf', '--show-npages', str(path)]).strip()} pages, `qpdf --check` finds no errors"


def _amounts_are_there(path: Path, postgres: EmbeddedPostgres) -> Finding:
    text = run(["pdftotext", "-layout", str(path), "-"])
    with psycopg.connect(postgres.dsn("midaz_transaction")) as connection:
        query = "SELECT amount FROM operation WHERE organization_id = %s"
        amounts = [amount for (amount,) in connection.execute(query, [ledger.ORGANIZATION])]
    shown = {word.removeprefix("-") for word in text.split()}
    missing = [amount for amount in amounts if f"{amount:,.2f}".translate(str.maketrans(",.", ".,")) not in shown]
    count = text.count("\f")
    unnumbered = [number for number in range(1, count + 1) if f"página {number} de {count}" not in text]
    if missing or unnumbered:
        raise StepFailed(f"{path.name} lacks the amounts {missing[:5]} and the numbers of the pages {unnumbered[:5]}")
    return f"{path.name}: pdftotext finds all {len(amounts):,} amounts and the number of every page"
