"""References in formulas: found, so that they can follow the rows that a template repeats."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from reporter.formats.workbook.cells import MOST_COLUMNS, MOST_ROWS, column_name

_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"]|"")*")
    |(?P<sheet>(?:'(?:[^']|'')+'|[^\W\d][\w.]*)!)?
     (?P<area>\$?[A-Z]{1,3}\$?[0-9]{1,7}(?::\$?[A-Z]{1,3}\$?[0-9]{1,7})?|\$?[0-9]{1,7}:\$?[0-9]{1,7})(?![\w(.!\[])
    |(?P<word>'(?:[^']|'')*'!?|[^\W\d][\w.?\\]*!?|[0-9.]+|\[)""",
    re.X,
)
_END = re.compile(r"(\$?)([A-Z]{0,3})(\$?)([0-9]+)")
_OTHER_WORKBOOK = re.compile(r"\[[0-9]+\]|'[^']*\[[^']*\][^']*'!")
_SEVERAL_SHEETS = re.compile(r"(?:[\w.]+:[\w.]+|'(?:[^']|'')*:(?:[^']|'')*')!")


@dataclass(frozen=True, slots=True)
class End:
    """One corner of a reference: a letter-less one means whole rows. ``fixed``: with a ``$``."""

    column: str
    column_fixed: bool
    row: int
    row_fixed: bool

    def at(self, row: int) -> str:
        """The corner in another row."""
        return f"{'$' * self.column_fixed}{self.column}{'$' * self.row_fixed}{row}"


@dataclass(frozen=True, slots=True)
class Reference:
    """``sheet``: its name, None for the formula's own; ``prefix``: as the formula has it. ``last``: None for one cell."""

    sheet: str | None
    prefix: str
    first: End
    last: End | None

    @property
    def rows(self) -> tuple[int, int]:
        """The first and the last row, from 1."""
        rows = (self.first.row, (self.last or self.first).row)
        return min(rows), max(rows)

    @property
    def fixed(self) -> tuple[bool, bool]:
        """Whether the first and the last row have a ``$`` before them."""
        last = self.last or self.first
        return (self.first, last)[self.first.row > last.row].row_fixed, (last, self.first)[
            self.first.row > last.row
        ].row_fixed

    def at(self, first: int, last: int) -> str:
        """The reference, without its sheet, over other rows."""
        if self.last is None:
            return self.first.at(first)
        if self.first.row > self.last.row:
            first, last = last, first
        return f"{self.first.at(first)}:{self.last.at(last)}"


Pieces = tuple[str | Reference, ...]
"""A formula: its text between its references, and these."""


class UnknownReference(ValueError):
    """A formula refers to something that cannot follow the template's rows."""


def pieces_of(formula: str) -> Pieces:
    """Take a formula apart. Raises ``UnknownReference``."""
    outside = re.sub(r'"(?:[^"]|"")*"', "", formula)
    if _OTHER_WORKBOOK.search(outside):
        raise UnknownReference("it refers to another workbook")
    if _SEVERAL_SHEETS.search(outside):
        raise UnknownReference("it refers to several sheets at once")
    made: list[str | Reference] = []
    at = position = 0
    while (found := _TOKEN.search(formula, position)) is not None:
        position = found.end()
        if found["word"] == "[":
            position = _after_bracket(formula, found.start())
        if found["area"] is None:
            continue
        ends = [_end(text) for text in found["area"].split(":")]
        if not all(1 <= end.row <= MOST_ROWS and _column(end.column) <= MOST_COLUMNS for end in ends):
            continue
        made.append(formula[at : found.start()])
        prefix = found["sheet"] or ""
        name = prefix[:-1].removeprefix("'").removesuffix("'").replace("''", "'") if prefix else None
        made.append(Reference(name, prefix, ends[0], ends[1] if len(ends) == 2 else None))
        at = found.end()
    return tuple(piece for piece in (*made, formula[at:]) if piece != "")


def moved(formula: str, rows: int, columns: int) -> str:
    """A shared formula, as it reads so many rows and columns away: what has no ``$`` moves along."""

    def end(corner: End) -> str:
        row = corner.row if corner.row_fixed else (corner.row + rows - 1) % MOST_ROWS + 1
        column = corner.column
        if column and not corner.column_fixed:
            column = column_name((_column(column) + columns - 1) % MOST_COLUMNS + 1)
        return End(column, corner.column_fixed, row, corner.row_fixed).at(row)

    return "".join(
        piece if isinstance(piece, str) else piece.prefix + ":".join(end(c) for c in (piece.first, piece.last) if c)
        for piece in pieces_of(formula)
    )


def resolved(pieces: Pieces, resolve: Callable[[Reference], str]) -> str:
    """A formula with its references as ``resolve`` writes them."""
    return "".join([piece if isinstance(piece, str) else resolve(piece) for piece in pieces])


def _end(text: str) -> End:
    found = _END.fullmatch(text)
    if found is None:
        raise UnknownReference(f"{text} is no reference")
    fixed, column, row_fixed, row = found.groups()
    # Of whole rows the one mark stands before the number.
    if not column:
        return End("", False, int(row), bool(fixed or row_fixed))
    return End(column, bool(fixed), int(row), bool(row_fixed))


def _column(name: str) -> int:
    number = 0
    for letter in name:
        number = number * 26 + ord(letter) - 64
    return number


def _after_bracket(formula: str, start: int) -> int:
    """Behind the brackets of a table's column."""
    depth, position = 0, start
    while position < len(formula):
        character = formula[position]
        if character == "'":
            position += 1
        depth += (character == "[") - (character == "]")
        position += 1
        if not depth:
            break
    return position


def cell_position(reference: str) -> tuple[int, int]:
    """``B5`` → row 5, column 2."""
    found = _END.fullmatch(reference)
    if found is None or not found[2] or int(found[4]) < 1 or int(found[4]) > MOST_ROWS or _column(found[2]) > MOST_COLUMNS:
        raise UnknownReference(f"{reference[:20]} is no cell")
    return int(found[4]), _column(found[2])


def area_of(text: str) -> Reference:
    """``B5``, ``A1:C9`` or ``1:2``, without a sheet. Raises ``UnknownReference``."""
    ends = [_end(part) for part in text.split(":")]
    if len(ends) > 2 or not all(1 <= end.row <= MOST_ROWS for end in ends):
        raise UnknownReference(f"{text[:40]} is no range")
    return Reference(None, "", ends[0], ends[1] if len(ends) == 2 else None)
