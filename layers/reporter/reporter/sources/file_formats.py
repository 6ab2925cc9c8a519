"""Tables in text files: CSV with a header and JSON Lines."""

import csv
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, TextIO

from reporter.schema import Columns, ColumnType
from reporter.sources.values import common_type, guess_json, guess_text, json_reader, read_json, text_reader

MAX_LINE = 16 * 1024 * 1024
"""Characters."""


class UnfitFile(ValueError):
    """A file does not hold what its table should. ``changed``: it did when its schema was found."""

    def __init__(self, place: str, reason: str, *, changed: bool = False) -> None:
        super().__init__(f"{place}: {reason}")
        self.changed = changed


Value = Callable[[str], Any]
"""Column → value of one record; raises ``UnfitFile``."""


class FileFormat(ABC):
    """How a file spells rows."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter

    @abstractmethod
    def records(self, text: TextIO, kinds: Columns) -> Iterator[Value]:
        """The rows; each gives the values of the columns in ``kinds``. Raises ``UnfitFile``, ``UnicodeDecodeError``."""

    @abstractmethod
    def sniff(self, text: TextIO, rows: int) -> Columns:
        """The columns as the first ``rows`` rows show them; without any value a column is text."""


class Csv(FileFormat):
    """The first line names the columns. An empty cell is null."""

    def records(self, text: TextIO, kinds: Columns) -> Iterator[Value]:
        """See ``FileFormat``."""
        lines = self._lines(text)
        _number, header = next(lines, (0, []))
        if missing := [name for name in kinds if name not in header]:
            raise UnfitFile("line 1", f"there is no column {missing[0]}", changed=True)
        readers = {name: (header.index(name), text_reader(kind)) for name, kind in kinds.items()}
        cells: list[str] = []
        number = 0

        def value(name: str) -> Any:
            position, read = readers[name]
            return _read(read, cells[position], number, name, kinds[name]) if cells[position] else None

        for number, cells in lines:  # noqa: B007 - ``value`` reads both
            yield value

    def sniff(self, text: TextIO, rows: int) -> Columns:
        """See ``FileFormat``."""
        lines = self._lines(text)
        _number, header = next(lines, (0, []))
        found: dict[str, ColumnType] = {}
        for _number, cells in islice(lines, rows):
            for name, cell in zip(header, cells, strict=True):
                if cell:
                    kind = guess_text(cell)
                    found[name] = common_type(found.get(name, kind), kind, strings=True)
        return {name: found.get(name, "text") for name in header}

    def _lines(self, text: TextIO) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(_bounded(text), delimiter=self._delimiter, strict=True)
        header: list[str] = []
        try:
            for cells in reader:
                if not header:
                    header = cells
                    if len(set(header)) != len(header) or not all(header):
                        raise UnfitFile("line 1", "a column's name is missing or stands twice")
                elif not cells:
                    continue
                elif len(cells) != len(header):
                    raise UnfitFile(f"line {reader.line_num}", f"{len(cells)} cells under {len(header)} columns")
                yield reader.line_num, cells
        except csv.Error:
            raise UnfitFile(f"line {reader.line_num}", "not valid CSV") from None


class JsonLines(FileFormat):
    """One object a line. A missing member is null."""

    def records(self, text: TextIO, kinds: Columns) -> Iterator[Value]:
        """See ``FileFormat``."""
        readers = {name: json_reader(kind) for name, kind in kinds.items()}
        members: Mapping[str, Any] = {}
        number = 0

        def value(name: str) -> Any:
            found = members.get(name)
            return None if found is None else _read(readers[name], found, number, name, kinds[name])

        for number, members in _objects(text):  # noqa: B007 - ``value`` reads both
            yield value

    def sniff(self, text: TextIO, rows: int) -> Columns:
        """See ``FileFormat``."""
        found: dict[str, ColumnType | None] = {}
        for _number, members in islice(_objects(text), rows):
            for name, value in members.items():
                known = found.setdefault(name, None)
                if value is not None:
                    kind = guess_json(value)
                    found[name] = common_type(known or kind, kind, strings=False)
        return {name: kind or "text" for name, kind in found.items()}


FORMATS: Mapping[str, type[FileFormat]] = {"csv": Csv, "jsonl": JsonLines}


def _read(read: Callable[[Any], Any], found: Any, number: int, name: str, kind: str) -> Any:
    try:
        return read(found)
    except ValueError:
        raise UnfitFile(f"line {number}, column {name}", f"the value does not fit the type {kind}") from None


def _objects(text: TextIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(_bounded(text), start=1):
        if not line.strip():
            continue
        try:
            members = read_json(line)
        except ValueError:
            raise UnfitFile(f"line {number}", "not valid JSON") from None
        if not isinstance(members, dict):
            raise UnfitFile(f"line {number}", "not a JSON object")
        yield number, members


def _bounded(text: TextIO) -> Iterator[str]:
    while line := text.readline(MAX_LINE):
        if len(line) == MAX_LINE and not line.endswith("\n"):
            raise UnfitFile("the file", f"a line is longer than {MAX_LINE} characters")
        yield line
