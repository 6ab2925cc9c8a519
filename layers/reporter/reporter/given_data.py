"""Rows that an author gives beside a template: one JSON file, or a folder of JSON Lines that is streamed.

``{source: {table: [rows]}}`` or ``source/table.jsonl``. Numbers are exact decimals; ``{"$type": …, "value": …}`` marks a
value that JSON has no type for. Columns and their types are what the rows show.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reporter.conditions import Condition, RowTest
from reporter.deadline import Deadline
from reporter.errors import RequestError
from reporter.exact_json import parse_json
from reporter.given_values import kind_of, native
from reporter.schema import ColumnType, SourceSchema
from reporter.sources.values import read_json

BATCH_ROWS = 2000
MAX_LINE = 16 * 1024 * 1024
"""Bytes of one row in a folder of JSON Lines."""

Row = dict[str, Any]
Placed = tuple[str, Row]
"""Where a row stands, for a message, and the row as JSON has it."""
Rows = Callable[[], Iterator[Placed]]
"""Begins a fresh pass over a table."""


class GivenData:
    """See ``press.RowSource``. All rows are looked at once when it is made.

    Raises ``RequestError`` TPL-0017 naming the row and what is wrong with it.
    """

    def __init__(self, tables: Mapping[str, Mapping[str, Rows]]) -> None:
        self._tables = tables
        self.schemas = {source: _schema_of(source, found) for source, found in tables.items()}

    @contextmanager
    def snapshot(self, source: str, _deadline: Deadline) -> Iterator[Callable[..., Iterator[list[tuple[Any, ...]]]]]:
        """See ``press.RowSource.snapshot``."""

        def read(table: str, columns: Sequence[str], conditions: Sequence[Condition]) -> Iterator[list[tuple[Any, ...]]]:
            test = RowTest(conditions)
            batch: list[tuple[Any, ...]] = []
            for place, given in self._tables[source][table]():
                row = {name: native(value, place, name) for name, value in given.items()}
                if test.keeps(row.get):
                    batch.append(tuple(map(row.get, columns)) or (1,))
                    if len(batch) == BATCH_ROWS:
                        yield batch
                        batch = []
            if batch:
                yield batch

        yield read


def given_json(value: Any, place: str) -> GivenData:
    """From parsed JSON, numbers exact. ``place`` names it in errors. Raises ``RequestError`` TPL-0017."""
    tables: dict[str, dict[str, Rows]] = {}
    for source, found in _members(value, place, "an object of sources: {source: {table: [rows]}}"):
        tables[source] = {}
        for table, rows in _members(found, f"{place}: {source}", "an object of tables: {table: [rows]}"):
            where = f"{place}: {source}.{table}"
            if not isinstance(rows, list):
                raise RequestError.at("TPL-0017", where, "must be a list of rows")
            tables[source][table] = _listed(rows, where, (source, table))
    return GivenData(tables)


def given_path(path: Path) -> GivenData:
    """From a JSON file or a folder with ``source/table.jsonl`` files. Raises ``RequestError`` TPL-0017 and ``OSError``."""
    if not path.is_dir():
        text = _text(path)
        try:
            return given_json(parse_json(text, str(path)), str(path))
        except RequestError as error:
            raise _with_line(error, text, path) from None
    tables: dict[str, dict[str, Rows]] = {}
    for file in sorted(path.glob("*/*.jsonl")):
        tables.setdefault(file.parent.name, {})[file.name.removesuffix(".jsonl")] = _lines_of(file)
    if not tables:
        raise RequestError.at("TPL-0017", str(path), "holds no files called source/table.jsonl")
    return GivenData(tables)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise RequestError.at("TPL-0017", f"{path}:{line}", "is not UTF-8; save the file as UTF-8") from None


def _members(value: Any, place: str, wanted: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise RequestError.at("TPL-0017", place, f"must be {wanted}")
    yield from value.items()


class _RowPlace(str):
    """Where a row stands in parsed JSON, for a message; ``keys`` lead to it."""

    __slots__ = ("keys",)
    keys: tuple[str | int, ...]


def _listed(rows: list[Any], where: str, keys: tuple[str, str]) -> Rows:
    def begin() -> Iterator[Placed]:
        for number, row in enumerate(rows):
            place = _RowPlace(f"{where}.{number}")
            place.keys = (*keys, number)
            yield place, _object(row, place)

    return begin


def _with_line(error: RequestError, text: str, path: Path) -> RequestError:
    """The same error with the line of the row it is about, in the file it stands in."""
    ((place, problem),) = error.fields.items()
    if not isinstance(place, _RowPlace):
        return error
    return RequestError.at(
        error.code, f"{path}:{_line_of(text, place.keys)}{place.removeprefix(str(path))}", problem["message"]
    )


def _line_of(text: str, keys: Sequence[str | int]) -> int:
    """The line, from 1, where the value begins that ``keys`` lead to. ``text`` is valid JSON and holds it."""
    decode = json.JSONDecoder().raw_decode
    at = _after_blanks(text, 0)
    for key in keys:
        found: str | int = -1
        at = _after_blanks(text, at + 1)
        while True:
            if isinstance(key, str):
                found, at = decode(text, at)
                at = _after_blanks(text, _after_blanks(text, at) + 1)
            else:
                found = int(found) + 1
            if found == key:
                break
            _value, at = decode(text, at)
            at = _after_blanks(text, _after_blanks(text, at) + 1)
    return text.count("\n", 0, at) + 1


def _after_blanks(text: str, at: int) -> int:
    while text[at].isspace():
        at += 1
    return at


def _lines_of(file: Path) -> Rows:
    def begin() -> Iterator[Placed]:
        with file.open("rb") as lines:
            number = 0
            while line := lines.readline(MAX_LINE + 1):
                number += 1
                place = f"{file}:{number}"
                if len(line) > MAX_LINE:
                    raise RequestError.at("TPL-0017", place, f"the line is longer than {MAX_LINE} bytes")
                if not line.strip():
                    continue
                try:
                    text = line.decode()
                except UnicodeDecodeError:
                    raise RequestError.at("TPL-0017", place, "is not UTF-8; save the file as UTF-8") from None
                yield place, _object(_parsed_line(text, place), place)

    return begin


def _parsed_line(text: str, place: str) -> Any:
    """Quickly, where nothing is wrong; else slowly, for what there is to say."""
    try:
        return read_json(text)
    except ValueError:
        return parse_json(text, place)


def _object(row: Any, place: str) -> Row:
    if not isinstance(row, dict):
        raise RequestError.at("TPL-0017", place, 'a row must be an object like {"id": 1}')
    return row


def _schema_of(source: str, tables: Mapping[str, Rows]) -> SourceSchema:
    found = {table: _columns(rows) for table, rows in tables.items()}
    schemas = {table.partition(".")[0] for table in tables if "." in table}
    open_tables = frozenset(table for table, columns in found.items() if not columns)
    return SourceSchema(source, found, tuple(sorted(schemas)), open_tables)


def _columns(rows: Rows) -> dict[str, ColumnType]:
    """The columns of all rows; a column whose values differ in type cannot be filtered."""
    kinds: dict[str, ColumnType | None] = {}
    for place, row in rows():
        for name, value in row.items():
            known = kinds.setdefault(name, None)
            kind = kind_of(value, place, name)
            if kind is not None and kind != known:
                kinds[name] = kind if known is None else _both(known, kind)
    return {name: kind or "other" for name, kind in kinds.items()}


def _both(one: ColumnType, other: ColumnType) -> ColumnType:
    return "numeric" if {one, other} == {"integer", "numeric"} else "other"
