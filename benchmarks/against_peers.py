"""The peers on the same rows: carbone and jsreport from npm, each run a whole process, from rows on disk to the document.

The peers read the rows as JSON, decimals and times as text; our process, interpreter and imports included, reads them from
the spool. What carbone makes of text that is not XML is wrong (it repeats the headings), and is measured all the same.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any

from reporter.dataset import SpooledRows

from benchmarks.floors.pipeline import spooled
from benchmarks.operations import COLUMNS, load
from benchmarks.processes import Measure
from benchmarks.render_once import FORMATS
from local.paths import ROOT
from local.postgresql import EmbeddedPostgres

PEERS = ROOT / "benchmarks" / "peers"
NAMES = ("carbone", "jsreport")
SIZES = (1_000, 10_000, 100_000, 1_000_000)
HEAP_MEGABYTES = 8192


def prepared(server: EmbeddedPostgres, rows: int, folder: Path) -> None:
    """The rows twice: as the spool with ``table.json``, and as ``rows.json``."""
    table = spooled(server.dsn(load(server, rows)), folder)
    (folder / "table.json").write_text(json.dumps(asdict(table)))
    descriptor = os.open(table.path, os.O_RDONLY)
    found = SpooledRows(descriptor, table.columns, table.offsets, table.starts)
    with (folder / "rows.json").open("w") as file:
        file.writelines(_json_rows(found.tuples()))
    os.close(descriptor)


def _json_rows(rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    before = "["
    for row in rows:
        yield before + json.dumps(dict(zip(COLUMNS, map(_plain, row), strict=True)), ensure_ascii=False)
        before = ",\n"
    yield "]"


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _whole_process(name: str, output_format: str, folder: Path) -> Measure | None:
    """None where it dies."""
    output = folder / "document"
    if name == "ours":
        command = [sys.executable, "-m", "benchmarks.render_once", output_format, str(folder), str(output)]
    else:
        heap = f"--max-old-space-size={HEAP_MEGABYTES}"
        command = ["node", heap, str(PEERS / f"{name}.js"), output_format.lower(), str(folder / "rows.json"), str(output)]
    output.unlink(missing_ok=True)
    began = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    said = process.stdout.read() if process.stdout else b""
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    seconds = perf_counter() - began
    if status or not output.exists() or not output.stat().st_size:
        return None
    return Measure(seconds, int(said.split()[-1]) if name == "ours" else usage.ru_maxrss * 1024)


def compared(server: EmbeddedPostgres, rows: int, runs: int) -> dict[str, dict[str, Measure]]:
    """Output format → contender → median of its runs; a contender that dies is left out."""
    found: dict[str, dict[str, Measure]] = {}
    with tempfile.TemporaryDirectory(prefix="reporter-peers-") as name:
        folder = Path(name)
        prepared(server, rows, folder)
        for output_format in FORMATS:
            measures: dict[str, list[Measure]] = {contender: [] for contender in ("ours", *NAMES)}
            for _run in range(runs):
                for contender, known in measures.items():
                    measure = _whole_process(contender, output_format, folder)
                    if measure is not None:
                        known.append(measure)
            found[output_format] = {who: Measure.median(known) for who, known in measures.items() if len(known) == runs}
    return found


def lines(rows: int, found: dict[str, dict[str, Measure]]) -> Iterator[str]:
    """The table's lines for one number of rows: how many times faster and smaller than the faster peer we are."""
    for output_format, measures in found.items():
        mine = measures["ours"]
        peers = {name: measures[name] for name in NAMES if name in measures}
        best = min(peers.values(), key=lambda measure: measure.seconds)
        memory = f"1/{best.peak / mine.peak:.0f}" if best.peak > mine.peak else f"{mine.peak / best.peak:.1f} ×"
        shown = [f"{best.seconds / mine.seconds:.1f} ×", memory]
        for name in ("ours", *NAMES):
            one = measures.get(name)
            shown.append(f"{one.seconds:.2f} s, {one.peak / 1e6:.0f} MB" if one else "died")
        yield f"| {output_format} | {rows:,} | " + " | ".join(shown) + " |"


def main(arguments: list[str]) -> None:
    """``RUNS ROWS…``, each optional."""
    runs = int(arguments[0]) if arguments else 5
    print("| format | rows | faster than the faster peer | of its memory | ours | carbone | jsreport |")
    print("|---|---|---|---|---|---|---|")
    with EmbeddedPostgres() as server:
        for rows in map(int, arguments[1:] or SIZES):
            for line in lines(rows, compared(server, rows, runs)):
                print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
