"""Joins: the sample statement over accounts and their operations, with both ways to write the join.

``python -m benchmarks.statements WAY FOLDER`` is one document in a process of its own.
"""

import json
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from reporter.dataset import BATCH_ROWS, SpooledTable, SpoolWriter
from reporter.renderer.client import Job

from benchmarks.processes import Measure, in_turn
from benchmarks.spool_to_file import NOW, measure_job
from local.paths import ROOT

SIZES = ((100, 100_000), (1_000, 1_000_000))
"""Accounts and operations."""
START = datetime(2024, 1, 1, tzinfo=UTC)
TABLES = {
    "midaz_onboarding": {"organization": "public.organization", "account": "public.account"},
    "midaz_transaction": {"operation": "public.operation"},
}
_BY_FILTER = '{%- for op in filter(midaz_transaction.operation, "account_id", account.id)|add_signed:"amount" %}'
_BY_CONDITION = "{%- for op in midaz_transaction.operation if op.account_id == account.id %}"


def ways() -> dict[str, str]:
    """The sample as it stands, and with a condition in the loop instead of the filter."""
    sample = (ROOT / "samples" / "templates" / "statement.tpl").read_text()
    by_condition = sample.replace(_BY_FILTER, _BY_CONDITION).replace("op.signed", "op.amount")
    if by_condition.count(_BY_CONDITION) != 1:
        raise AssertionError("the sample statement has changed")
    return {"filter": sample, "condition": by_condition}


def spool(accounts: int, operations: int, folder: Path) -> list[SpooledTable]:
    """The tables in a spool: the operations of an account lie scattered among all others."""
    chance = random.Random(1)
    keys = [str(UUID(int=chance.getrandbits(128), version=4)) for _number in range(accounts)]

    def rows() -> Iterator[tuple[Any, ...]]:
        for number in range(operations):
            note = None if number % 11 == 0 else f'Ana & Filhos <{number}> "co"'
            direction = "credit" if chance.random() < 0.6 else "debit"
            amount = Decimal(chance.randint(1, 5_000_000)).scaleb(-2)
            yield chance.choice(keys), amount, note, direction, START + timedelta(minutes=number)

    def batches() -> Iterator[list[tuple[Any, ...]]]:
        found = rows()
        while batch := list(islice(found, BATCH_ROWS)):
            yield batch

    writer = SpoolWriter(folder, 10**8, 10**11)
    writer.write("midaz_onboarding", "public.organization", ["legal_name"], [[("Banco & Filhos",)]])
    owners = [(key, f"Owner {number}", f"@conta_{number}") for number, key in enumerate(keys)]
    writer.write("midaz_onboarding", "public.account", ["id", "name", "alias"], [owners])
    columns = ["account_id", "amount", "description", "direction", "created_at"]
    writer.write("midaz_transaction", "public.operation", columns, batches())
    return writer.tables


def main(way: str, folder: str) -> None:
    """Measured."""
    tables = [SpooledTable(**table) for table in json.loads((Path(folder) / "tables.json").read_text())]
    measure_job(Job(ways()[way], "HTML", TABLES, tables, NOW), str(Path(folder) / "document"))


def measured(accounts: int, operations: int, runs: int) -> dict[str, Measure]:
    """Way → median."""
    with tempfile.TemporaryDirectory(prefix="reporter-spool-") as name:
        tables = spool(accounts, operations, Path(name))
        (Path(name) / "tables.json").write_text(json.dumps([asdict(table) for table in tables]))
        return in_turn({way: ["benchmarks.statements", way, name] for way in ways()}, runs, {})


def lines(runs: int) -> Iterator[str]:
    """The table: how the cost grows with ten times the accounts and the operations."""
    yield "| statement, join by | 10 × accounts and operations take | memory | seconds | peak memory |"
    yield "|---|---|---|---|---|"
    small, large = (measured(*size, runs) for size in SIZES)
    for way, measure in large.items():
        ratio, more = measure.seconds / small[way].seconds, (measure.peak - small[way].peak) / 1e6
        yield f"| {way} | {ratio:.1f} × | {more:+.0f} MB | {measure.seconds:.2f} | {measure.peak / 1e6:.0f} MB |"


if __name__ == "__main__":
    main(*sys.argv[1:3])
