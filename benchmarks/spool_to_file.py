"""Rendering alone: from a spool that lies there to the document, ours beside the same by hand.

``python -m benchmarks.spool_to_file FORMAT FOLDER OUTPUT`` is one document of ours in a process of its own: the renderer is
warm, as it is in a worker; fork, containment, verification and digest are in the time, and both processes in the memory.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path

from reporter.dataset import SpooledTable
from reporter.document import Document
from reporter.renderer.client import Job, Renderer
from reporter.renderer.containment import Limits

from benchmarks.floors.pipeline import spooled
from benchmarks.operations import load
from benchmarks.processes import Measure, in_turn, report
from benchmarks.render_once import FORMATS, template
from local.postgresql import EmbeddedPostgres

LIMITS = Limits(seconds=600, cpu_seconds=600, memory_bytes=512 * 1024 * 1024, output_bytes=2 * 1024**3)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LARGE, TENTH = 1_000_000, 100_000

Found = Mapping[str, Mapping[str, Measure]]
"""Output format → ``ours`` or ``by hand`` → median."""


def measure_job(job: Job, output: str) -> None:
    """In the measured process: the job by a warm renderer, the document moved to ``output``."""
    renderer = Renderer(LIMITS)
    made: list[Document] = []
    with tempfile.TemporaryDirectory(prefix="reporter-") as warm, tempfile.TemporaryDirectory(prefix="reporter-") as folder:
        renderer.render(Job("", "TXT", {}, [], NOW), Path(warm))
        report(lambda: made.append(renderer.render(job, Path(folder))), renderer.close)
        shutil.move(made[0].path, output)


def main(output_format: str, folder: str, output: str) -> None:
    """Measured."""
    table = SpooledTable(**json.loads((Path(folder) / "table.json").read_text()))
    tables = {table.source: {table.table: table.table}}
    measure_job(Job(template(output_format), output_format, tables, [table], NOW), output)


def compared(server: EmbeddedPostgres, rows: int, runs: int) -> Found:
    """On so many rows, as a worker reads them. Raises ``AssertionError`` when the documents differ by a byte."""
    found: dict[str, dict[str, Measure]] = {}
    with tempfile.TemporaryDirectory(prefix="reporter-spool-") as name:
        folder = Path(name)
        table = spooled(server.dsn(load(server, rows)), folder)
        (folder / "table.json").write_text(json.dumps(asdict(table)))
        for output_format in FORMATS:
            outputs = [folder / "ours", folder / "by-hand"]
            modules = ("benchmarks.spool_to_file", "benchmarks.floors.documents")
            contenders = {
                who: [module, output_format, name, str(output)]
                for who, module, output in zip(("ours", "by hand"), modules, outputs, strict=True)
            }
            found[output_format] = in_turn(contenders, runs, {})
            if _digest(outputs[0]) != _digest(outputs[1]):
                raise AssertionError(f"the two documents in {output_format} differ")
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def lines(rows: int, found: Found) -> Iterator[str]:
    """The table's lines for one number of rows."""
    for output_format, measures in found.items():
        ours, hand = measures["ours"], measures["by hand"]
        yield (
            f"| {output_format} | {rows:,} | {ours.seconds / hand.seconds:.2f} × | {ours.seconds:.3f} | {hand.seconds:.3f} "
            f"| {rows / ours.seconds:,.0f} | {ours.peak / 1e6:.0f} MB | {hand.peak / 1e6:.0f} MB |"
        )


def growth(large: Found, tenth: Found) -> Iterator[str]:
    """The table's lines about ten times as many rows."""
    for output_format in large:
        ours, before = large[output_format]["ours"], tenth[output_format]["ours"]
        more = (ours.peak - before.peak) / 1e6
        yield f"| {output_format} | {ours.seconds / before.seconds:.1f} × | {more:+.0f} MB |"


HEADING = (
    "| format | rows | takes, of the same by hand | seconds | by hand | rows/s | peak memory | by hand |",
    "|---|---|---|---|---|---|---|---|",
)
GROWTH_HEADING = (f"| {LARGE:,} rows against {TENTH:,} | time | memory |", "|---|---|---|")

if __name__ == "__main__":
    main(*sys.argv[1:4])
