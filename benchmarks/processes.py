"""Measuring: each run in a process of its own, contenders in turn, medians."""

import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Measure:
    """``seconds`` of the work itself, imports left out; ``peak`` memory in bytes, children included."""

    seconds: float
    peak: int

    @classmethod
    def median(cls, runs: Sequence["Measure"]) -> "Measure":
        """Of each on its own."""
        return cls(statistics.median(run.seconds for run in runs), int(statistics.median(run.peak for run in runs)))


def report(work: Callable[[], object], after: Callable[[], object] = lambda: None) -> None:
    """In the measured process: do the work, then ``after``, and print how it went."""
    began = perf_counter()
    work()
    seconds = perf_counter() - began
    after()
    peak = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"seconds": seconds, "peak": peak * 1024}))


def in_turn(contenders: Mapping[str, Sequence[str]], runs: int, environment: Mapping[str, str]) -> dict[str, Measure]:
    """Name → median of its runs. A contender is a module with arguments that calls ``report``, run in turn."""
    found: dict[str, list[Measure]] = {name: [] for name in contenders}
    for number in range(runs):
        for name, command in contenders.items():
            done = subprocess.run(
                [sys.executable, "-m", *command, str(number)],
                env={**os.environ, **environment},
                check=True,
                stdout=subprocess.PIPE,
                timeout=600,
            )
            found[name].append(Measure(**json.loads(done.stdout.splitlines()[-1])))
    return {name: Measure.median(measures) for name, measures in found.items()}
