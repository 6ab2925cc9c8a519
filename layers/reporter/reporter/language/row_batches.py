"""What a loop over tuples runs over: batch by batch, one tuple an iteration, printed fields as text.

A whole column is printed at once where nothing can go wrong with it. Otherwise its values are printed one by one when
their turn comes, so that errors come as late, and from as far, as if every value had been looked up in its row.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

from reporter.language.access import field_in
from reporter.language.numbers import TemplateValueError
from reporter.language.printing import SEPARATOR, Printer
from reporter.language.row_loops import Slot
from reporter.language.rows import Column, PartOfTable, Row, Rows

Late = Callable[[Any], Any]
"""Makes of what a slot holds what the loop needs."""
Batch = tuple[Sequence[Late | None], Iterable[tuple[Any, ...]]]
"""For each slot what is still to be done with it, None for nothing; and the tuples, a position last if one is wanted."""

MAX_CHARACTERS = 1 << 20
"""Longer columns of a batch are not printed at once: memory would hold them several times."""
_NEGATIVE_ZERO = re.compile(rf"-0(?:\.0+)?(?:{SEPARATOR}|\Z)")


def row_batches(printers: Mapping[str, Printer], value: Any, slots: Sequence[Slot], counts: bool) -> Iterator[Batch]:
    """The batches of what ``each`` gives."""
    if isinstance(value, Rows):
        return _of_table(printers, value, slots, counts)
    late = [_late(printers, name, place) for name, place in slots]
    if isinstance(value, list):
        alike = _of_rows(printers, value, slots, counts)
        if alike is not None:
            return iter([alike])
    members: Iterable[tuple[Any, ...]] = ((member,) * len(slots) for member in value)
    if counts:
        members = ((*slot, position) for position, slot in enumerate(members))
    return iter([(late, members)])


def _late(printers: Mapping[str, Printer], name: str, place: str | None) -> Late:
    if place is None:
        return lambda member: field_in(member, name)
    one = printers[place].one
    return lambda member: one(field_in(member, name))


def _of_rows(printers: Mapping[str, Printer], rows: list[Any], slots: Sequence[Slot], counts: bool) -> Batch | None:
    """A list of rows of one table; None where it holds anything else."""
    shared = rows[0]._positions if rows and type(rows[0]) is Row else None
    if shared is None or not all(type(row) is Row and row._positions is shared for row in rows):
        return None
    if not all(name in shared for name, _place in slots):
        return None
    late = [None if place is None else printers[place].one for _name, place in slots]
    chosen = [[row._values[shared[name]] for row in rows] for name, _place in slots]
    return late, zip(*chosen, *([range(len(rows))] if counts else []), strict=True)


def _of_table(printers: Mapping[str, Printer], rows: Rows, slots: Sequence[Slot], counts: bool) -> Iterator[Batch]:
    known = [name for name in dict.fromkeys(map(itemgetter(0), slots)) if name in rows.columns]
    start = 0
    positions = [rows.columns.index(name) for name in known]
    numbered = counts and isinstance(rows, PartOfTable) and rows.numbered
    for size, columns in rows.batches([*positions, len(rows.columns)] if numbered else positions):
        found = dict(zip(known, columns, strict=False))
        nothing = Column([None] * size)
        late: list[Late | None] = []
        contents: list[Iterable[Any]] = []
        for name, place in slots:
            column = found.get(name, nothing)
            printer = None if place is None else printers[place]
            texts = None if printer is None else print_column(column, printer)
            late.append(printer.one if printer is not None and texts is None else None)
            contents.append(column.values() if texts is None else texts)
        if counts:
            contents.append(columns[-1].values() if numbered else range(start, start + size))
        yield late, zip(*contents, strict=True)
        start += size


def print_column(column: Column, printer: Printer) -> Sequence[str] | None:
    """The text of each value; None where they are better, or have to be, printed one by one."""
    try:
        if printer.column is not None:
            made = printer.column(column)
            if made is not None:
                return made
        if column.digits:
            return _decimals(column, printer)
        if printer.many is not None and (texts := column.iso_texts()) is not None:
            null = printer.one(None)
            return printer.many([null if text is None else text for text in texts])
        return _values(column.values(), printer)
    except (TemplateValueError, ValueError):
        return None


def _decimals(column: Column, printer: Printer) -> Sequence[str] | None:
    null = printer.one(None)
    texts = [null if text is None else text for text in column.texts()]
    together = SEPARATOR.join(texts)
    if printer.many is None or "E" in together or ("-0" in together and _NEGATIVE_ZERO.search(together)):
        return list(map(printer.one, column.values()))
    return texts


def _values(values: Sequence[Any], printer: Printer) -> Sequence[str] | None:
    kinds = set(map(type, values)) - {type(None)}
    if kinds <= {str} and sum(map(len, filter(None, values))) > MAX_CHARACTERS:
        return None
    if kinds <= {int, Decimal} and Decimal in kinds:
        return list(map(printer.one, values))
    if len(kinds) > 1 or not kinds <= {str, int, datetime, date}:
        return None
    if printer.many is None:
        return list(map(printer.one, values))
    kind = next(iter(kinds), int)
    null = printer.one(None)
    if kind is str:
        return printer.many([null if value is None else value for value in values] if None in values else values)
    if kind is int:
        return [null if value is None else str(value) for value in values]
    return printer.many([null if value is None else value.isoformat() for value in values])
