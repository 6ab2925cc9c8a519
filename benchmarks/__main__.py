"""``python -m benchmarks [--rows N …] [--runs N] [PART …]``: the tables of rendering, of joins and of the whole worker."""

import argparse
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import accept_path, spool_to_file, statements, whole_worker
from local.postgresql import EmbeddedPostgres

SIZES, RUNS = (1_000, 10_000, 100_000, 1_000_000), 5


def rendering(sizes: Sequence[int], runs: int) -> Iterator[str]:
    """Spool → file in every format, against the same by hand; and how the cost grows."""
    yield from spool_to_file.HEADING
    found = {}
    with EmbeddedPostgres() as server:
        for rows in sizes:
            found[rows] = spool_to_file.compared(server, rows, runs)
            yield from spool_to_file.lines(rows, found[rows])
    if spool_to_file.LARGE in found and spool_to_file.TENTH in found:
        yield from ("", *spool_to_file.GROWTH_HEADING)
        yield from spool_to_file.growth(found[spool_to_file.LARGE], found[spool_to_file.TENTH])


def joins(sizes: Sequence[int], runs: int) -> Iterator[str]:
    """The statement, at its own sizes."""
    yield from statements.lines(runs)


def worker(sizes: Sequence[int], runs: int) -> Iterator[str]:
    """PostgreSQL → document in S3, against the same by hand and against COPY's own output."""
    yield from whole_worker.HEADING
    with EmbeddedPostgres() as server:
        for rows in sizes:
            for output_format, found in whole_worker.measured(server, rows, runs):
                yield whole_worker.line(output_format, rows, found)


def machine() -> str:
    """What it ran on, and when."""
    facts = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.partition(":")[2].strip() for line in facts.splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    processor = f"{os.cpu_count()} × {models[0] if models else platform.machine()}"
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {processor}, {memory:.0f} GB, Python {platform.python_version()}"


def accepting(sizes: Sequence[int], runs: int) -> Iterator[str]:
    """AWS calls, units and money per report, and the accept handler's own time; sizes and runs are its own."""
    yield from accept_path.lines()


PARTS: dict[str, Callable[[Sequence[int], int], Iterator[str]]] = {
    "render": rendering,
    "joins": joins,
    "worker": worker,
    "accept": accepting,
}


def main() -> None:
    """Print them as they are found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rows", nargs="+", type=int, default=SIZES)
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args()
    print(f"{machine()}; medians of {given.runs} runs")
    for part in given.parts or PARTS:
        print()
        for line in PARTS[part](given.rows, given.runs):
            print(line, flush=True)


if __name__ == "__main__":
    main()
