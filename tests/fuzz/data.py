"""Rows for the templates of chance, whole or cut to the columns that the check found."""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from reporter.dataset import SpoolWriter, data_for_template
from reporter.indexed_rows import IndexedRows, Scratch
from reporter.language.check import CheckedTemplate
from reporter.language.rows import Rows

from tests.fuzz.templates import SCHEMAS

DAY = datetime(2024, 1, 2, tzinfo=UTC)
ROWS: Mapping[str, list[tuple[Any, ...]]] = {
    "public.t": [
        (1, "a", Decimal("10.50"), True, {"id": 1, "k": [1]}, "i"),
        (2, "5", None, False, None, None),
        (3, None, Decimal(-2), None, [1], "a"),
    ],
    "public.u": [
        (1, 1, "debit", DAY, Decimal(3)),
        (2, 1, "CREDIT", None, Decimal("3.25")),
        (2, 2, None, DAY.replace(year=2023), None),
    ],
    "sales.o": [(1, Decimal("0.10"), "a"), (7, Decimal("0.20"), "1")],
}


class HeldRows(Rows):
    """A table in memory."""

    def __init__(self, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        self.columns = tuple(columns)
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def tuples(self) -> Iterator[tuple[Any, ...]]:
        """A fresh pass."""
        return iter(self._rows)

    def tuple_at(self, index: int) -> tuple[Any, ...] | None:
        """One row."""
        return self._rows[index] if -len(self._rows) <= index < len(self._rows) else None


def spooled() -> dict[str, Rows]:
    """The tables as a report reads them, all columns, from a file that is gone when the test run ends."""
    folder = Path(mkdtemp(prefix="fuzz-"))
    writer = SpoolWriter(folder, 1000, 1 << 20)
    written = [writer.write("erp", table, list(SCHEMAS["erp"].tables[table]), [rows]) for table, rows in ROWS.items()]
    descriptor = os.open(written[0].path, os.O_RDONLY)
    room = Scratch(os.open(folder / "scratch", os.O_RDWR | os.O_CREAT))
    rmtree(folder)
    return {table.table: IndexedRows(descriptor, table.columns, table.offsets, table.starts, room) for table in written}


def data_for(checked: CheckedTemplate, held: Mapping[str, Rows] | None = None) -> dict[str, dict[str, Rows]]:
    """What the template's tables hold: these, or only the columns that the check found."""
    made: dict[tuple[str, str], Rows] = {}
    for source, tables in checked.reads.items():
        for table, columns in tables.items():
            known = list(SCHEMAS[source].tables[table])
            positions = [known.index(name) for name in columns]
            rows = [tuple(row[position] for position in positions) or (1,) for row in ROWS[table]]
            made[source, table] = HeldRows(columns or [""], rows) if held is None else held[table]
    return data_for_template(checked.tables, made)
