"""The styles of a designed workbook, and for its cells of no number format those that show what a value is."""

import re
from collections.abc import Iterable

from reporter.formats.workbook.package import Package, check_numbers, refuse
from reporter.formats.workbook.xml_scan import Element, edited, with_attribute, without_attributes, written
from reporter.language.cells import KINDS

_FIRST_OWN_FORMAT = 164
_DIGITS = len(KINDS)
"""The kind of a number that goes as text."""


class Styles:
    """``part``: its name."""

    def __init__(self, package: Package, part: str) -> None:
        self.part = part
        self._content = package.parts.get(part, b"")
        self._root = package.xml(part) if part else None
        self._formats: list[Element] = []
        cells = self._root.child("cellXfs") if self._root is not None else None
        if cells is None:
            raise refuse("the workbook has no styles")
        for parent in (cells, self._root.child("numFmts") if self._root is not None else None):
            check_numbers(parent, "numFmtId")
        self._cells = cells
        self._formats = [child for child in cells.children if child.name == "xf"]
        self._chosen: dict[int, int] = {}

    def has(self, style: int) -> bool:
        """Whether there is such a style."""
        return style < len(self._formats)

    def use(self, style: int) -> None:
        """A template cell has this style."""
        if int(self._formats[style].attributes.get("numFmtId", "0") or 0) == 0:
            self._chosen.setdefault(style, len(self._formats) + len(self._chosen) * (len(KINDS) - 1))

    def for_kind(self, style: int, kind: int) -> int:
        """The style for a value of a kind (from 1): the cell's own where it says how numbers look."""
        first = self._chosen.get(style)
        return style if first is None or kind == _DIGITS else first + kind - 1

    def content(self) -> bytes:
        """The part, with the styles that were added."""
        if not self._chosen or self._root is None:
            return self._content
        numbers = self._root.child("numFmts")
        used = [int(e.attributes.get("numFmtId", "0")) for e in (numbers.children if numbers else ())]
        first = max([_FIRST_OWN_FORMAT - 1, *used]) + 1
        kinds = list(KINDS.values())[: _DIGITS - 1]
        formats = "".join(
            f'<numFmt xmlns="{_MAIN}" numFmtId="{number}" formatCode="{written(code)}"/>'
            for number, code in enumerate(kinds, start=first)
        ).encode()
        edits: list[tuple[int, int, bytes]] = []
        if numbers is not None:
            edits += _grown(self._content, numbers, formats, len(numbers.children) + len(kinds))
        else:
            whole = f'<numFmts xmlns="{_MAIN}" count="{len(kinds)}">'.encode() + formats + b"</numFmts>"
            edits.append((self._root.open_end, self._root.open_end, whole))
        added = b"".join(
            self._variant(self._formats[style], number)
            for style in self._chosen
            for number in range(first, first + len(kinds))
        )
        count = len(self._formats) + len(self._chosen) * len(kinds)
        return edited(self._content, [*edits, *_grown(self._content, self._cells, added, count)])

    def _variant(self, style: Element, number: int) -> bytes:
        tag = without_attributes(self._content[style.start : style.open_end], "applyNumberFormat")
        tag = with_attribute(with_attribute(tag, "numFmtId", str(number)), "applyNumberFormat", "1")
        return tag + self._content[style.open_end : style.end]


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def _grown(content: bytes, element: Element, added: bytes, count: int) -> Iterable[tuple[int, int, bytes]]:
    """Edits that put something at the end of an element."""
    tag = with_attribute(content[element.start : element.open_end], "count", str(count))
    if tag.endswith(b"/>"):
        name = re.match(rb"<([^\s/>]+)", tag)
        close = b"</" + (name[1] if name else b"") + b">"
        return [(element.start, element.end, tag[:-2] + b">" + added + close)]
    return [(element.start, element.open_end, tag), (element.close_start, element.close_start, added)]
