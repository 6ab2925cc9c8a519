"""``python -m benchmarks.workbooks [ROWS [RUNS]]``: workbooks, beside the same by hand, exceljs and carbone.

Ours run in the worker's own containment, with the time that starting the renderer takes left out; the peers are whole
processes that read the rows as JSON.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import openpyxl
from openpyxl.styles import Font
from reporter.dataset import SpooledTable
from reporter.formats.template_file import TemplateFile
from reporter.renderer.client import Job, Renderer
from reporter.renderer.containment import Limits

from benchmarks.against_peers import HEAP_MEGABYTES, PEERS, prepared
from benchmarks.operations import COLUMNS, SOURCE, TABLE
from benchmarks.processes import Measure, in_turn, report
from local.postgresql import EmbeddedPostgres

ROWS, RUNS = 1_000_000, 3
DESIGNED_ROWS = 100_000


def from_text() -> str:
    """A ``.tpl`` of all columns."""
    fields = ";".join(f"{{{{ o.{name} }}}}" for name in COLUMNS)
    return f"{';'.join(COLUMNS)}\n{{% for o in {SOURCE}.{TABLE} %}}{fields}\n{{% endfor %}}"


def designed(marks: Callable[[str], str], loop: bool = True) -> Any:
    """A workbook of the same columns, with styles and a total."""
    book: Any = openpyxl.Workbook()
    sheet = book.active
    sheet.append(COLUMNS)
    if loop:
        sheet["A2"] = f"{{% for o in {SOURCE}.{TABLE} %}}"
        sheet["A4"] = "{% endfor %}"
        sheet["D5"] = "=SUM(D3:D3)"
    row = 3 if loop else 2
    for column, name in enumerate(COLUMNS, start=1):
        cell = sheet.cell(row, column, marks(name))
        cell.font = Font(name="Calibri", size=10)
    for letter in ("D", "E"):
        sheet[f"{letter}{row}"].number_format = "#,##0.00"
    sheet[f"G{row}"].number_format = "dd/mm/yyyy hh:mm"
    if not loop:
        for column, name in enumerate(COLUMNS, start=1):
            sheet.cell(3, column, marks(name).replace("[i]", "[i+1]"))
    return book


def ours(kind: str, folder: Path, output: Path) -> None:
    """Measured: the rendering."""
    table = SpooledTable(**json.loads((folder / "table.json").read_text()))
    template: TemplateFile = from_text() if kind == "text" else (folder / "designed.xlsx").read_bytes()
    renderer = Renderer(Limits(600, 600, 512 * 1024 * 1024, 2 * 1024**3))
    tables = {table.source: {table.table: table.table}}
    renderer.render(Job("x", "TXT", {}, [], datetime.now(UTC)), Path(tempfile.mkdtemp(dir=folder)))
    job = Job(template, "XLSX", tables, [table], datetime.now(UTC))
    with tempfile.TemporaryDirectory(dir=folder) as name:
        report(lambda: shutil.move(renderer.render(job, Path(name)).path, output), renderer.close)


def peer(name: str, folder: Path, rows: int) -> Measure | None:
    """A whole process; None where it dies."""
    output = folder / f"{name}.xlsx"
    heap = f"--max-old-space-size={HEAP_MEGABYTES}"
    command = [
        "node",
        heap,
        str(PEERS / f"{name}-xlsx.js"),
        str(folder / "rows.json"),
        str(output),
        str(folder / "carbone.xlsx"),
    ]
    began = perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    seconds = perf_counter() - began
    return None if status or not output.exists() else Measure(seconds, usage.ru_maxrss * 1024)


def measured(server: EmbeddedPostgres, rows: int, runs: int, folder: Path, *, peers: bool) -> Mapping[str, Measure | None]:
    """Contender → median."""
    prepared(server, rows, folder)
    designed(lambda name: f"{{{{ o.{name} }}}}").save(folder / "designed.xlsx")
    designed(lambda name: f"{{d.rows[i].{name}}}", loop=False).save(folder / "carbone.xlsx")
    contenders = {
        "by hand": ["benchmarks.floors.sheet", str(folder), str(folder / "floor.xlsx")],
        "from text": ["benchmarks.workbooks", "text", str(folder), str(folder / "text.xlsx")],
        "designed": ["benchmarks.workbooks", "designed", str(folder), str(folder / "filled.xlsx")],
    }
    found: dict[str, Measure | None] = {**in_turn(contenders, runs, {})}
    for name in ("exceljs", "carbone") if peers else ():
        found[name] = peer(name, folder, rows)
    return found


def main(rows: int, runs: int, *, peers: bool) -> None:
    """Print the table."""
    print("| rows | workbook | seconds | rows/s | peak memory | ours from text takes |\n|---|---|---|---|---|---|")
    with EmbeddedPostgres() as server:
        for size in dict.fromkeys([min(rows, DESIGNED_ROWS), rows]):
            with tempfile.TemporaryDirectory(prefix="reporter-workbooks-") as name:
                found = measured(server, size, runs, Path(name), peers=peers)
            text = found["from text"]
            for who, one in found.items():
                if one is None or text is None:
                    print(f"| {size:,} | {who} | died | | | |")
                    continue
                speed, memory = f"{size / one.seconds:,.0f}", f"{one.peak / 1e6:.0f} MB"
                print(f"| {size:,} | {who} | {one.seconds:.2f} | {speed} | {memory} | {text.seconds / one.seconds:.2f} × |")
                sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in {"text", "designed"}:
        ours(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        given = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
        main(*[*given, *(ROWS, RUNS)[len(given) :]], peers="peers" in sys.argv)
