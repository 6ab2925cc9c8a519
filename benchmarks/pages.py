"""``python -m benchmarks.pages [RUNS]``: a PDF of 190 pages, beside the engine alone and headless Chromium on the same HTML.

``python -m benchmarks.pages NAME FOLDER NUMBER`` is one run in a process of its own.
"""

import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from pypdfium2 import PdfDocument  # type: ignore[import-untyped]
from reporter.dataset import SpooledTable, SpoolWriter, Values
from reporter.formats.pdf import engine
from reporter.renderer.client import Job, Renderer
from reporter.renderer.containment import Limits

from benchmarks.processes import Measure, in_turn, report

ROWS, RUNS = 9_000, 5
COLUMNS = ("id", "day", "account", "description", "direction", "amount", "balance")
LIMITS = Limits(600, 600, 2 * 1024**3, 2 * 1024**3)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATE = """<!DOCTYPE html><html><head><meta charset="utf-8"><title>Ledger</title><style>
@page { size: A4; margin: 20mm 15mm 18mm; @top-left { content: "Ledger" }
        @bottom-right { content: "page " counter(page) " of " counter(pages) } }
body { font: 9pt Arial, sans-serif; margin: 0 } table { width: 100%; border-collapse: collapse }
th, td { padding: 2pt 4pt; border-bottom: .5pt solid #ccc; text-align: left } .n { text-align: right }
</style></head><body><h1>Ledger</h1><table><thead><tr><th>Id</th><th>Day</th><th>Account</th><th>Description</th>
<th>Direction</th><th class="n">Amount</th><th class="n">Balance</th></tr></thead><tbody>
{% for o in erp.operation %}<tr><td>{{ o.id }}</td><td>{{ o.day }}</td><td>{{ o.account }}</td><td>{{ o.description }}</td>
<td>{{ o.direction }}</td><td class="n">{{ o.amount }}</td><td class="n">{{ o.balance }}</td></tr>
{% endfor %}</tbody></table></body></html>"""


def rows() -> Iterator[list[Values]]:
    """The same ones every time, in batches."""
    chance = random.Random(1)
    names = ("José & Filhos", "Ana <Conta>", "Müller", "Niño, Peña e Cia")
    made: list[Values] = [
        (n, date(2026, 1, 1) + timedelta(days=n % 28), f"@conta_{n % 97:04d}", f"{names[n % 4]} nº {n * 7}",
         "credit" if n % 3 else "debit", Decimal(chance.randint(1, 10**7)) / 100, Decimal(chance.randint(1, 10**9)) / 100)
        for n in range(ROWS)
    ]  # fmt: skip
    yield from (made[start : start + 1000] for start in range(0, ROWS, 1000))


def job(output_format: str, folder: Path) -> Job:
    """All rows, spooled."""
    writer = SpoolWriter(folder, 10**9, 10**12)
    table: SpooledTable = writer.write("erp", "operation", COLUMNS, rows())
    return Job(TEMPLATE, output_format, {"erp": {"operation": "operation"}}, [table], NOW)


def ours(folder: Path) -> None:
    """From spooled rows to the document, in the worker's contained child."""
    renderer = Renderer(LIMITS)
    # The first job waits until the renderer has imported everything.
    ready = Path(tempfile.mkdtemp(dir=folder))
    renderer.render(Job("x", "PDF", {}, [], NOW), ready)
    work = Path(tempfile.mkdtemp(dir=folder))
    wanted = job("PDF", work)
    report(lambda: renderer.render(wanted, work), renderer.close)
    shutil.copy(work / "document", folder / "ours.pdf")


def alone(folder: Path) -> None:
    """The engine in a process that does nothing else, from the finished HTML."""
    import plutoprint

    engine.load()
    html = (folder / "ledger.html").read_text()

    def work() -> None:
        book = plutoprint.Book()
        book.load_html(html)
        book.write_to_pdf(str(folder / "alone.pdf"))

    report(work)


def chromium(folder: Path) -> None:
    """A whole headless browser, as a service would start it for a document."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    arguments = [f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={folder / 'chromium.pdf'}"]
    report(lambda: subprocess.run([*command, *arguments, str(folder / "ledger.html")], check=True, capture_output=True))


CONTENDERS = {"ours": ours, "alone": alone, "chromium": chromium}


def measured(runs: int, folder: Path) -> tuple[dict[str, Measure], dict[str, int]]:
    """Measures by contender, and the pages each made. Chromium is left out where there is none."""
    here = {name for name in CONTENDERS if name != "chromium" or shutil.which("chromium")}
    renderer = Renderer(LIMITS)
    try:
        work = Path(tempfile.mkdtemp(dir=folder))
        shutil.move(renderer.render(job("HTML", work), work).path, folder / "ledger.html")
    finally:
        renderer.close()
    found = in_turn({name: ["benchmarks.pages", name, str(folder)] for name in CONTENDERS if name in here}, runs, {})
    pages = {}
    for name in found:
        with PdfDocument(folder / f"{name}.pdf") as document:
            pages[name] = len(document)
    return found, pages


def main(arguments: list[str]) -> None:
    """One run, or the table."""
    if len(arguments) == 3:
        CONTENDERS[arguments[0]](Path(arguments[1]))
        return
    runs = int(arguments[0]) if arguments else RUNS
    with tempfile.TemporaryDirectory() as name:
        found, pages = measured(runs, Path(name))
    print(f"\n{ROWS:,} rows, medians of {runs} runs\n")
    print("| PDF | pages | ours takes | seconds | peak memory |\n|---|---|---|---|---|")
    for name, measure in found.items():
        ratio = found["ours"].seconds / measure.seconds
        print(f"| {name} | {pages[name]} | {ratio:.2f} × | {measure.seconds:.2f} | {measure.peak / 1e6:.0f} MB |")


if __name__ == "__main__":
    main(sys.argv[1:])
