"""Tags that stand alone in a row, or in a sheet's name: they decide which rows and sheets there are."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reporter.formats.workbook.layout import Loop

_STRINGS = r"\"[^\"]*\"|'[^']*'"
_TAG = re.compile(rf"\{{%[-+]?\s*(\w+)(?:{_STRINGS}|(?!%\}})[\s\S])*%\}}")
_UNREAD = re.compile(r"\{#[\s\S]*?#\}|\{%[-+]?\s*(comment|verbatim|raw)\b[\s\S]*?%\}[\s\S]*?\{%[-+]?\s*end\1\b[\s\S]*?%\}")
_ALONE = frozenset(
    [
        *("for", "endfor", "empty", "else", "elif", "if", "endif", "with", "endwith"),
        *("set", "counter", "last_item_by_group", "autoescape", "endautoescape"),
    ]
)
_BLOCKS = frozenset(["for", "if", "with", "filter", "macro", "autoescape"])
_BRANCHES = {"else": {"for", "if"}, "elif": {"if"}, "empty": {"for"}}


class Unbalanced(ValueError):
    """A tag has no beginning or no end where it must have one."""


def is_directive(text: str) -> bool:
    """Whether a cell is nothing but tags that make rows come and go."""
    rest = _TAG.sub("", text)
    return not rest.strip() and all(name in _ALONE for name in _TAG.findall(text)) and "{%" in text


def unbalanced(text: str) -> str:
    """The tag of a cell that does not begin and end in it; empty where all do."""
    open_tags: list[str] = []
    for found in _TAG.finditer(_UNREAD.sub("", text)):
        name = found[1]
        if _opens(name, found.group()):
            open_tags.append(name)
        elif name.startswith("end"):
            if not open_tags or open_tags.pop() != name[3:]:
                return name
        elif name in _BRANCHES and not open_tags:
            return name
    return open_tags[-1] if open_tags else ""


def sheet_name_parts(name: str) -> tuple[str, str, str]:
    """The tags that a sheet's name begins with, what remains of the name, and the tags that end them."""
    begin, rest = "", name
    while (found := _TAG.match(rest)) is not None and found[1] in {"for", "if", "with", "set"}:
        begin, rest = begin + found.group(), rest[found.end() :].lstrip()
    ends = [f"{{% end{found[1]} %}}" for found in _TAG.finditer(begin) if found[1] != "set"]
    return begin, rest, "".join(reversed(ends))


def _opens(name: str, tag: str) -> bool:
    return name in _BLOCKS or (name == "set" and "=" not in tag)


@dataclass(slots=True)
class _Open:
    name: str
    row: int
    loop: int | None


class Directives:
    """The tags of one sheet's directive rows, in their order."""

    def __init__(self) -> None:
        self.loops: list[Loop] = []
        self.open: list[_Open] = []
        self.rows: list[int] = []

    def take(self, texts: Sequence[str], row: int, begin: str, end: str) -> str:
        """A directive row's text for the template, with the marks that tell of iterations: ``begin`` and ``end`` take a
        loop's number. Raises ``Unbalanced``.
        """
        self.rows.append(row)
        made = []
        for tag in (found for text in texts for found in _TAG.finditer(text)):
            made.append(tag.group() + self._take(tag[1], tag.group(), row, begin, end))
        return "".join(made)

    def _take(self, name: str, tag: str, row: int, begin: str, end: str) -> str:
        if name in _BRANCHES:
            if not self.open or self.open[-1].name not in _BRANCHES[name]:
                raise Unbalanced(f"{name} has no beginning in this sheet")
            self._close(self.open[-1], row)
        elif name.startswith("end"):
            if not self.open or self.open[-1].name != name[3:]:
                raise Unbalanced(f"{name} has no beginning in this sheet")
            opened = self.open.pop()
            self._close(opened, row)
            return "" if opened.loop is None else end.format(opened.loop)
        elif name == "for":
            outer = next((opened.loop for opened in reversed(self.open) if opened.loop is not None), None)
            self.open.append(_Open(name, row, len(self.loops)))
            self.loops.append(Loop(row, 0, outer))
            return begin.format(len(self.loops) - 1)
        elif name == "set" and "=" not in tag:
            raise Unbalanced("a set without a value belongs into one cell")
        elif _opens(name, tag):
            self.open.append(_Open(name, row, None))
        return ""

    def _close(self, opened: _Open, row: int) -> None:
        """The rows behind else are no iteration's."""
        if opened.loop is not None and not self.loops[opened.loop].last:
            self.loops[opened.loop] = Loop(opened.row, row, self.loops[opened.loop].outer)
