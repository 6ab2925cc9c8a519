"""``python -m benchmarks [ROWS [RUNS]]``: the table of the whole worker."""

import sys

from benchmarks.processes import Measure
from benchmarks.whole_worker import measured
from local.postgresql import EmbeddedPostgres

ROWS, RUNS = 1_000_000, 5


def whole_worker(rows: int, runs: int) -> list[str]:
    """PostgreSQL → CSV in S3, against the same by hand and against COPY's own output."""
    with EmbeddedPostgres() as server:
        found = measured(server, rows, runs)
    ours = found["ours"]
    lines = ["| whole worker, CSV | ours takes | seconds | rows/s | peak memory |", "|---|---|---|---|---|"]
    lines.append(_line("ours", rows, ours, "1"))
    for name in ("by hand", "bare COPY"):
        lines.append(_line(name, rows, found[name], f"{ours.seconds / found[name].seconds:.2f} ×"))
    return lines


def _line(name: str, rows: int, measure: Measure, ratio: str) -> str:
    return f"| {name} | {ratio} | {measure.seconds:.2f} | {rows / measure.seconds:,.0f} | {measure.peak / 1e6:.0f} MB |"


def main(arguments: list[str]) -> None:
    """Print it."""
    rows, runs = [*map(int, arguments), *(ROWS, RUNS)[len(arguments) :]]
    print(f"\n{rows:,} rows, medians of {runs} runs\n")
    print("\n".join(whole_worker(rows, runs)))


if __name__ == "__main__":
    main(sys.argv[1:])
