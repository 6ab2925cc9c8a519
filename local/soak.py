"""The soak: chance for long, part by part, and docs/soak.md with the last run of each. ``make soak PARTS="api fuzz"``."""

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from local.paths import ROOT

PAGE = ROOT / "docs" / "soak.md"
HEAD = """# The last soak

`make soak` writes this page: the last run of each part. `FUZZ_SEED=…` runs a seed of the first two again, `SOAK=1` and
`--hypothesis-seed=…` one of the third.

| part | date (UTC) | seconds | outcome | seeds and counts |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Part:
    """``tests``: what pytest runs; ``told``: how its output tells seeds and counts."""

    tests: str
    told: str
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()


PARTS = {
    "fuzz": Part("tests/fuzz/test_fuzz.py", r"^\w+: \d+ rounds of \d+, seeds .*$", {"FUZZ_SECONDS": "100"}),
    "api": Part("tests/e2e/test_deployed_calls.py", r"^FUZZ_SEED=\d+: \d+ calls, .*$", {"API_CALLS": "5000"}),
    "life": Part(
        "tests/integration/test_life_of_reports.py",
        r"\d+ passing, \d+ failing, and \d+ invalid test cases",
        {"SOAK": "1"},
        ("--hypothesis-show-statistics", "--timeout", "14400"),
    ),
}


def main() -> int:
    """Run the parts named by ``PARTS``, all by default. 1 when one has failed."""
    names = (os.environ.get("PARTS") or " ".join(PARTS)).split()
    lines = _written()
    failed = False
    for name in names:
        line, passed = run(name, PARTS[name])
        lines[name] = line
        failed = failed or not passed
        PAGE.write_text(HEAD + "".join(f"{lines[part]}\n" for part in PARTS if part in lines))
    return int(failed)


def run(name: str, part: Part) -> tuple[str, bool]:
    """The part's line for the page, and whether it passed. What it prints goes on to the terminal, but for the log."""
    seed = random.SystemRandom().randrange(2**32)
    command = [sys.executable, "-m", "pytest", "-s", f"--hypothesis-seed={seed}", *part.arguments, part.tests]
    started = time.monotonic()
    environment = {**os.environ, **part.environment}
    told: list[str] = []
    print(f"{name}: --hypothesis-seed={seed}", flush=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        assert process.stdout is not None
        for text in process.stdout:
            if not text.startswith("{"):
                print(text, end="", flush=True)
            told += [found.group().strip() for found in [re.search(part.told, text)] if found]
    counts = "<br>".join([f"--hypothesis-seed={seed}", *told]) if name == "life" else "<br>".join(told)
    outcome = "passed" if process.returncode == 0 else "**failed**"
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    return f"| {name} | {moment} | {time.monotonic() - started:.0f} | {outcome} | {counts} |", process.returncode == 0


def _written() -> dict[str, str]:
    """The lines of the page by their part."""
    lines = PAGE.read_text().splitlines() if PAGE.exists() else []
    return {name: line for name in PARTS for line in lines if line.startswith(f"| {name} |")}


if __name__ == "__main__":
    sys.exit(main())
