"""Names of sheets: what a spreadsheet refuses in one is replaced, always in the same way."""

import re

LONGEST = 31
_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_RESERVED = "history"


class SheetNames:
    """The names of one workbook, which differ even when letter case is ignored."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def add(self, wanted: str) -> str:
        """A name as near to ``wanted`` as can be: without forbidden characters, at most 31 UTF-16 units, unique."""
        name = _cut(_FORBIDDEN.sub("_", wanted).strip(" '"), LONGEST).strip(" '")
        if not name:
            name = f"Sheet{len(self._taken) + 1}"
        if name.casefold() == _RESERVED:
            name += "_"
        unique, folded = name, name.casefold()
        while unique.casefold() in self._taken:
            self._numbers[folded] = self._numbers.get(folded, 1) + 1
            ending = f" ({self._numbers[folded]})"
            unique = _cut(name, LONGEST - len(ending)).rstrip() + ending
        self._taken.add(unique.casefold())
        return unique


def _cut(text: str, units: int) -> str:
    return text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore")


def quoted(name: str) -> str:
    """A sheet's name as formulas write it."""
    return "'" + name.replace("'", "''") + "'"
