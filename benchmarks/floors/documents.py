"""The same documents by hand: a loop over the spool's rows for each format, with the same rules as the templates'.

Each knows its rows, as a program for one report would: keys and directions need no escaping, amounts have two decimals.
None of them verifies its document, none hashes it, and none is contained; ours does all that in the time it takes.

``python -m benchmarks.floors.documents FORMAT FOLDER OUTPUT`` is one document in a process of its own.
"""

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, TextIO

from reporter.dataset import SpooledRows, SpooledTable

from benchmarks.processes import report

Rows = Iterable[tuple[Any, ...]]

ROWS_PER_WRITE = 1000
_RISKY = ("=", "+", "-", "@", "\t", "\r")
_FORBIDDEN_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MARKUP = re.compile("[&<>\"'\r]")


def guarded(text: str) -> str:
    """What a spreadsheet would take for a formula gets an apostrophe."""
    return f"'{text}" if text.startswith(_RISKY) else text


def escaped(text: str | None) -> str:
    """Text in markup."""
    if text is None:
        return ""
    if _MARKUP.search(text):
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return text.replace('"', "&quot;").replace("'", "&#39;").replace("\r", "&#13;")
    return text


def escaped_xml(text: str | None) -> str:
    """Text in XML, which forbids some characters."""
    if text is not None and _FORBIDDEN_IN_XML.search(text):
        raise ValueError("a text holds a character that XML 1.0 forbids")
    return escaped(text)


def write_csv(file: TextIO, columns: Iterable[str], rows: Rows) -> None:
    """By the csv module."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(
        (key, guarded(alias), direction, amount, balance, "" if text is None else guarded(text), at.isoformat())
        for key, alias, direction, amount, balance, text, at in rows
    )


def write_xml(file: TextIO, columns: Iterable[str], rows: Rows) -> None:
    """An element for each row, with one for each column."""
    file.write('<?xml version="1.0" encoding="UTF-8"?><operations>')
    _write_lines(
        file,
        (
            f"<operation><id>{key}</id><account_alias>{escaped_xml(alias)}</account_alias><direction>{direction}</direction>"
            f"<amount>{amount}</amount><balance_after>{balance}</balance_after>"
            f"<description>{escaped_xml(text)}</description><created_at>{at.isoformat()}</created_at></operation>"
            for key, alias, direction, amount, balance, text, at in rows
        ),
    )
    file.write("</operations>")


def write_html(file: TextIO, columns: Iterable[str], rows: Rows) -> None:
    """A row of a table for each row."""
    file.write("<html><body><table>")
    _write_lines(
        file,
        (
            f"<tr><td>{key}</td><td>{escaped(alias)}</td><td>{direction}</td><td>{amount}</td><td>{balance}</td>"
            f"<td>{escaped(text)}</td><td>{at.isoformat()}</td></tr>"
            for key, alias, direction, amount, balance, text, at in rows
        ),
    )
    file.write("</table></body></html>")


def write_json(file: TextIO, columns: Iterable[str], rows: Rows) -> None:
    """An object for each row, a line each."""
    file.write("[\n")
    before = ""

    def lines() -> Iterator[str]:
        nonlocal before
        for key, alias, direction, amount, balance, text, at in rows:
            yield (
                f'{before}{{"id": "{key}", "account_alias": {encode_basestring(alias)}, "direction": "{direction}", '
                f'"amount": "{amount}", "balance_after": "{balance}", '
                f'"description": {encode_basestring(text or "")}, "created_at": "{at.isoformat()}"}}'
            )
            before = ",\n"

    _write_lines(file, lines())
    file.write("\n]\n")


def _write_lines(file: TextIO, lines: Iterator[str]) -> None:
    while some := list(islice(lines, ROWS_PER_WRITE)):
        file.write("".join(some))


WRITERS: Mapping[str, Callable[[TextIO, Iterable[str], Rows], None]] = {
    "CSV": write_csv,
    "XML": write_xml,
    "HTML": write_html,
    "JSON": write_json,
}


def written(table: SpooledTable, path: Path, output_format: str) -> None:
    """The spool as a document: the same bytes as the worker's."""
    descriptor = os.open(table.path, os.O_RDONLY)
    rows = SpooledRows(descriptor, table.columns, table.offsets, table.starts)
    with path.open("w", newline="", encoding="utf-8") as file:
        WRITERS[output_format](file, table.columns, rows.tuples())
    os.close(descriptor)


def main(output_format: str, folder: str, output: str) -> None:
    """Measured."""
    table = SpooledTable(**json.loads((Path(folder) / "table.json").read_text()))
    report(lambda: written(table, Path(output), output_format))


if __name__ == "__main__":
    main(*sys.argv[1:4])
