"""Tables as the rendering child gets them."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest.mock import patch

import pytest
from reporter.dataset import SpoolWriter
from reporter.indexed_rows import IndexedRows, Scratch

Spooled = Callable[[Sequence[str], Sequence[tuple[Any, ...]]], IndexedRows]


@pytest.fixture(scope="module")
def spooled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spooled]:
    """``spooled(columns, rows)``: a table in batches of four, looked up by an index from the first time on."""
    opened: list[int] = []
    scratch = os.memfd_create("scratch")

    def make(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> IndexedRows:
        with patch("reporter.dataset.BATCH_ROWS", 4):
            table = SpoolWriter(tmp_path_factory.mktemp("spool"), 10**9, 10**9).write("s", "t", columns, [rows])
        opened.append(os.open(table.path, os.O_RDONLY))
        return IndexedRows(opened[-1], table.columns, table.offsets, table.starts, Scratch(scratch))

    with (
        patch("reporter.indexed_rows.ASKED_BEFORE", 0),
        patch("reporter.indexed_rows.ROWS_PER_BUCKET", 2),
        patch("reporter.indexed_rows.ROWS_IN_MEMORY", 2),
    ):
        yield make
    for descriptor in (scratch, *opened):
        os.close(descriptor)
