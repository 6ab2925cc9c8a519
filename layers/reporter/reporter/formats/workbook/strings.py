"""The texts that a workbook's cells share, by number."""

import re

from reporter.formats.workbook.package import Package
from reporter.formats.workbook.xml_scan import Element, edited

_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def text_of(element: Element) -> tuple[str, bool]:
    """The text of ``<si>`` or ``<is>``, and whether it has formats inside. What is read aloud (``rPh``) is no part of it."""
    runs = [child for child in element.children if child.name == "r"]
    parts = [child for child in element.children if child.name == "t"]
    parts += [part for run in runs for part in run.children if part.name == "t"]
    formats = any(run.child("rPr") is not None for run in runs)
    text = "".join(part.text for part in parts)
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text), formats and len(runs) > 1


class SharedStrings:
    """``part``: its name, empty where the workbook has none."""

    def __init__(self, package: Package, part: str) -> None:
        self.part = part
        self._content = package.parts.get(part, b"")
        self._elements = [e for e in package.xml(part).children if e.name == "si"] if part else []
        self._template: set[int] = set()
        self._kept: set[int] = set()

    def text(self, number: int) -> tuple[str, bool]:
        """A text, and whether it has formats inside. Raises ``LookupError``."""
        if not 0 <= number < len(self._elements):
            raise LookupError(number)
        return text_of(self._elements[number])

    def use(self, number: int, *, by_template: bool) -> None:
        """A cell has this text: one that the template fills, or one that stays."""
        (self._template if by_template else self._kept).add(number)

    def content(self) -> bytes:
        """The part. What only the template's own cells held is empty, so that no template shows in the document."""
        edits = []
        for number in self._template - self._kept:
            element = self._elements[number]
            prefix = self._content[element.start + 1 : element.open_end].partition(b"si")[0]
            if element.close_start > element.open_end:
                edits.append((element.open_end, element.close_start, b"<" + prefix + b"t/>"))
        return edited(self._content, edits)
