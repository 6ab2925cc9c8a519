"""Where the rows of a designed sheet have gone: which rows of the document each row of the template became.

A loop repeats the rows between its tags; a reference follows the rows it means. Seen from a row inside a loop, the rows of
that loop are those of the same iteration.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from reporter.formats.workbook.cells import MOST_ROWS

NOWHERE = MOST_ROWS
"""The sheet's last row, which is empty: what a reference to rows that were not repeated at all means."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """``count`` rows of the template from ``first`` on, which stay together."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Loop:
    """A ``for``: the rows of its tags, and the loop around it by its number."""

    first: int
    last: int
    outer: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A sheet's stretches, in their order, and its loops. ``last``: the last row that the template mentions.

    ``fixed``: nothing moves, as there are no tags.
    """

    stretches: tuple[Stretch, ...]
    loops: tuple[Loop, ...]
    last: int
    fixed: bool

    def loop_around(self, first: int, last: int) -> int | None:
        """The innermost loop that these template rows lie in together."""
        found = None
        for number, loop in enumerate(self.loops):
            if loop.first < first and last < loop.last and (found is None or loop.first > self.loops[found].first):
                found = number
        return found

    def scope(self, row: int, other: int, *, fixed: bool) -> int | None:
        """The loop whose iteration a formula in ``row`` means when it refers to an ``other`` row.

        With a ``$``, a row that the same loop repeats means all of its iterations: shares of a total, running totals.
        """
        loop = self.loop_around(min(row, other), max(row, other))
        if loop is not None and fixed and loop == self.loop_around(row, row) == self.loop_around(other, other):
            return self.loops[loop].outer
        return loop


Window = tuple[int, int]
WHOLE: Window = (1, MOST_ROWS)


class Layout:
    """One sheet of the document. Filled while its rows are written; ``row`` is the last one so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.row = 0
        self._firsts = [stretch.first for stretch in plan.stretches]
        self._places: list[array[int]] = [array("I") for _stretch in plan.stretches]
        self._begun: list[array[int]] = [array("I") for _loop in plan.loops]
        self._ended: list[array[int]] = [array("I") for _loop in plan.loops]

    def put(self, stretch: int) -> int:
        """The next stretch is written; its first row."""
        first = self.row + 1
        self._places[stretch].append(first)
        self.row += self.plan.stretches[stretch].count
        return first

    def begin(self, loop: int) -> None:
        """An iteration begins."""
        if len(self._ended[loop]) < len(self._begun[loop]):
            self._ended[loop].append(self.row)
        self._begun[loop].append(self.row + 1)

    def end(self, loop: int) -> None:
        """The loop's last iteration, if it had any, has ended."""
        if len(self._ended[loop]) < len(self._begun[loop]):
            self._ended[loop].append(self.row)

    def window(self, loop: int | None, row: int) -> Window:
        """The rows of the iteration that the document's ``row`` is in."""
        if loop is None:
            return WHOLE
        number = bisect_right(self._begun[loop], row) - 1
        last = self._ended[loop][number] if number < len(self._ended[loop]) else MOST_ROWS
        return self._begun[loop][number], last

    def reach(self, row: int, written: int, rows: tuple[int, int], fixed: tuple[bool, bool]) -> Window:
        """The rows of the document that a formula may mean: it stands in the template's ``row``, now ``written``, and
        refers to ``rows``, each ``fixed`` or not.
        """
        first, last = (self.plan.scope(row, end, fixed=dollar) for end, dollar in zip(rows, fixed, strict=True))
        return self.window(first, written)[0], self.window(last, written)[1]

    def windows(self, loop: int | None) -> Iterator[Window]:
        """All iterations, of every time the loop ran."""
        if loop is None:
            yield WHOLE
        else:
            yield from zip(self._begun[loop], self._ended[loop], strict=True)

    def rows(self, first: int, last: int, window: Window = WHOLE) -> tuple[int, int] | None:
        """Where the template's rows ``first`` to ``last`` begin and end within a window; None where none was written."""
        if self.plan.fixed:
            return first, last
        start = bisect_right(self._firsts, first) - 1
        stop = bisect_right(self._firsts, last)
        found_first = found_last = None
        for number in range(max(0, start), stop):
            stretch, places = self.plan.stretches[number], self._places[number]
            begin = bisect_left(places, window[0])
            end = bisect_right(places, window[1])
            top, bottom = max(first, stretch.first), min(last, stretch.first + stretch.count - 1)
            if begin >= end or top > bottom:
                continue
            highest = places[begin] + top - stretch.first
            lowest = places[end - 1] + bottom - stretch.first
            found_first = highest if found_first is None else min(found_first, highest)
            found_last = lowest if found_last is None else max(found_last, lowest)
        beyond = self.plan.last
        if window == WHOLE and last > beyond:
            # Rows that the template does not mention follow behind all others.
            low = min(MOST_ROWS, self.row + last - beyond)
            found_last = low
            if found_first is None:
                found_first = min(MOST_ROWS, self.row + max(first, beyond + 1) - beyond)
        return None if found_first is None or found_last is None else (found_first, found_last)
