"""The floor of a workbook: sheet XML written by hand into a zip file, with the same deflate, from the same spool."""

import json
import os
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from reporter.dataset import SpooledRows, SpooledTable
from reporter.formats.workbook import parts
from reporter.formats.workbook.archive import Archive
from reporter.formats.writing import DocumentWriter

from benchmarks.processes import report

ROWS_A_WRITE = 500
_ZERO = datetime(1899, 12, 30, tzinfo=UTC)


def _text(text: str | None) -> str:
    return "" if text is None else text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _row(number: int, values: tuple[Any, ...]) -> str:
    key, alias, direction, amount, balance, text, at = values
    since = at - _ZERO
    return (
        f'<row r="{number}"><c r="A{number}" t="inlineStr"><is><t>{_text(key)}</t></is></c>'
        f'<c r="B{number}" t="inlineStr"><is><t>{_text(alias)}</t></is></c>'
        f'<c r="C{number}" t="inlineStr"><is><t>{_text(direction)}</t></is></c>'
        f'<c r="D{number}" s="3"><v>{amount}</v></c><c r="E{number}" s="3"><v>{balance}</v></c>'
        f'<c r="F{number}" t="inlineStr"><is><t>{_text(text)}</t></is></c>'
        f'<c r="G{number}" s="20"><v>{since.days + since.seconds / 86400}</v></c></row>'
    )


def written(folder: Path, output: Path) -> None:
    """The whole workbook."""
    table = SpooledTable(**json.loads((folder / "table.json").read_text()))
    descriptor = os.open(table.path, os.O_RDONLY)
    rows = SpooledRows(descriptor, table.columns, table.offsets, table.starts)
    target = os.open(output, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    archive = Archive(DocumentWriter(target, 1 << 40))
    archive.add("_rels/.rels", parts.root_relations())
    archive.add("xl/styles.xml", parts.styles())
    with archive.part("xl/worksheets/sheet1.xml") as part:
        part.write(f'{parts.HEAD}<worksheet xmlns="{parts.MAIN}"><sheetData>'.encode())
        batch = []
        for number, values in zip(count(1), rows.tuples(), strict=False):
            batch.append(_row(number, values))
            if len(batch) == ROWS_A_WRITE:
                part.write("".join(batch).encode())
                batch.clear()
        part.write("".join(batch).encode())
        part.write(b"</sheetData></worksheet>")
    archive.add("xl/workbook.xml", parts.workbook(["Sheet1"], [None]))
    archive.add("xl/_rels/workbook.xml.rels", parts.workbook_relations(1))
    archive.add("[Content_Types].xml", parts.content_types(1))
    archive.close()
    os.close(target)
    os.close(descriptor)


if __name__ == "__main__":
    report(lambda: written(Path(sys.argv[1]), Path(sys.argv[2])))
