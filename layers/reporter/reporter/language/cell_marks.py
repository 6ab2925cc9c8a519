"""A template's own text on its way into the cells of a workbook: rewritten once, before anything is rendered.

It goes behind ``OWN``, in rows and fields as the text itself has them, or as a designed workbook marks them: see ``cells``.
"""

import re
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from reporter.language.cells import CELL, CELL_END, LINE, OWN, ROW_END, SHEET_FILTER

_OWN_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_DESIGN_TOKEN = re.compile(rf"\n?({LINE}(?:[sie]?[0-9]+)?|{CELL})|(?:(?!\n?[{LINE}{CELL}])[\s\S])+")


def mark_cells(tree: nodes.Template, delimiter: str) -> None:
    """Rewrite the own text of a template that is structured like CSV into cells and rows, and place its values.

    Raises ``TemplateSyntaxError`` with a place.
    """
    _Marking(delimiter).mark(tree.body, "start")


def mark_captured(tree: nodes.Template) -> None:
    """In a designed workbook: only what macros and blocks capture is changed. Raises ``TemplateSyntaxError``."""
    _Marking(",").mark(tree.body, "designed")


class _Marking:
    """States: at the ``start`` of a field, ``in`` one, in a ``quoted`` one; in a ``designed`` workbook always that."""

    def __init__(self, delimiter: str) -> None:
        self._tokens = re.compile(rf'\r\n|[\r\n{re.escape(delimiter)}"]|[^\r\n{re.escape(delimiter)}"]+')
        self._delimiter = delimiter
        self._blocks = 0

    def mark(self, body: list[nodes.Node], state: str) -> str:
        for position, node in enumerate(body):
            if isinstance(node, nodes.Output):
                state = self._output(node, state)
            elif isinstance(node, nodes.FilterBlock):
                body[position] = self._filter_block(node)
                state = state if state in {"quoted", "designed"} else "in"
            elif isinstance(node, nodes.AssignBlock | nodes.Macro):
                self._capture(node.body)
            elif isinstance(node, nodes.If):
                after = self.mark(node.body, state)
                for branch in node.elif_:
                    self.mark(branch.body, state)
                self.mark(node.else_, state)
                state = after
            elif isinstance(node, nodes.For):
                after = self.mark(node.body, state)
                self.mark(node.else_, state)
                state = after
            elif isinstance(node, nodes.With):
                state = self.mark(node.body, state)
        return state

    def _output(self, node: nodes.Output, state: str) -> str:
        after_value = False
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                if state == "designed":
                    child.data = _DESIGN_TOKEN.sub(_designed_token, child.data)
                else:
                    child.data, state = self._own_text(child, state, after_value=after_value)
                after_value = False
                continue
            child.escaped = True  # type: ignore[attr-defined]
            after_value = True
            if isinstance(child, nodes.Filter) and child.name == SHEET_FILTER:
                if state in {"quoted", "designed"}:
                    _refuse("a sheet cannot begin here", child)
                child.place, state, after_value = "sheet", "start", False  # type: ignore[attr-defined]
            else:
                child.place = "plain"  # type: ignore[attr-defined]
                state = "in" if state == "start" else state
        return state

    def _own_text(self, data: nodes.TemplateData, state: str, *, after_value: bool) -> tuple[str, str]:
        found = _OWN_CONTROLS.search(data.data)
        if found:
            _refuse(f"a text holds U+{ord(found.group()):04X}, which no cell can hold", data)
        made: list[str] = []
        # A line with nothing but tags makes no row. A blank line that the author wrote makes one.
        blank_lines, line_is_blank = False, not after_value
        for token in self._tokens.findall(data.data):
            if state == "quoted":
                if token == '"':
                    state = "quote"
                else:
                    made.append(OWN + token)
            elif token == '"' and state in {"start", "quote"}:
                if state == "quote":
                    made.append(OWN + '"')
                state = "quoted"
            elif token in {"\r\n", "\r", "\n"}:
                made.append(OWN + ROW_END if blank_lines and line_is_blank else ROW_END)
                state, blank_lines, line_is_blank = "start", True, True
                continue
            elif token == self._delimiter:
                made.append(CELL_END)
                state = "start"
            else:
                made.append(OWN + token)
                state = "in"
            line_is_blank = False
        return "".join(made), "in" if state == "quote" else state

    def _filter_block(self, node: nodes.FilterBlock) -> nodes.Node:
        """What a filter makes of a block is one value."""
        self._capture(node.body)
        self._blocks += 1
        name = f"_filter_block_{self._blocks}"
        innermost: Any = node.filter
        while innermost.node is not None:
            innermost = innermost.node
        innermost.node = nodes.Name(name, "load", lineno=node.lineno)
        shown: Any = node.filter
        shown.place, shown.escaped = "plain", True
        captured = nodes.AssignBlock(nodes.Name(name, "store", lineno=node.lineno), None, node.body, lineno=node.lineno)
        return nodes.With([], [], [captured, nodes.Output([shown], lineno=node.lineno)], lineno=node.lineno)

    def _capture(self, body: list[nodes.Node]) -> None:
        for node in body:
            for output in [node] if isinstance(node, nodes.Output) else node.find_all(nodes.Output):
                for child in output.nodes:
                    if isinstance(child, nodes.Filter) and child.name == SHEET_FILTER:
                        _refuse("a sheet cannot begin here", child)
                    child.place, child.escaped = "captured", True  # type: ignore[attr-defined]


def _designed_token(found: re.Match[str]) -> str:
    """A mark as it is, without the line end before it; the author's text as such."""
    mark = found[1]
    if mark is None:
        return OWN + found[0]
    return "" if mark == LINE else mark


def _refuse(message: str, node: nodes.Node) -> NoReturn:
    raise TemplateSyntaxError(message, node.lineno)
