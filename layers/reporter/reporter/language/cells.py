"""Values and a template's own text on their way into the cells of a workbook.

A rendering is text, joined piece by piece; so what a value is travels inside that text. A value comes as the rest of its
cell's XML behind ``VALUE``, the template's own text behind ``OWN``; control characters, which neither may hold, separate
cells, rows and sheets. Nothing is parsed back: a number is a number from the source to the cell.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from reporter.language.numbers import plain
from reporter.language.printing import Escape, PlainNumber, text_of

VALUE, OWN = "\x02", "\x03"
SHOWN = "\x04"
"""Stands around the text that a value has beside other text, where its cell's XML does not tell."""
TOO_EXACT = "\x05"
"""Follows ``VALUE`` where a number has more digits than a spreadsheet's numbers hold, and goes as text."""
CELL_END, ROW_END, SHEET = "\x1f", "\x1e", "\x1c"
KIND = "\x10"
"""In a designed workbook: the number of the value's kind follows in two digits, for the cell's own style to decide."""

LINE, CELL = "\x11", "\x13"
"""In a designed workbook: a row (with its number), a sheet (``s``), a loop's iteration (``i``) or end (``e``); a cell."""

SHEET_FILTER = "sheet name"
MOST_DIGITS = 15
MOST_DECIMALS = 15
_LONGEST_NUMBER = 300
_FIRST_DATE = date(1900, 3, 1)
_DAY_ZERO = date(1899, 12, 30).toordinal()

KINDS: Mapping[str, str] = {
    "whole": "0",
    **{f"decimals {n}": "#,##0." + "0" * n for n in range(1, MOST_DECIMALS + 1)},
    "date": "yyyy-mm-dd",
    "time": "yyyy-mm-dd hh:mm:ss",
    "time with fractions": "yyyy-mm-dd hh:mm:ss.000",
    "moment": 'yyyy-mm-dd hh:mm:ss" UTC"',
    "moment with fractions": 'yyyy-mm-dd hh:mm:ss.000" UTC"',
    "digits": "@",
}
"""A kind of value → its number format. Text and booleans have none."""

_NOT_AS_IT_IS = re.compile(r"[&<>\x00-\x08\x0b-\x1f\ufffe\uffff]|_x[0-9A-Fa-f]{4}_")
_AS_REFERENCE = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_OWN_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def escaped(text: str) -> str:
    """Text inside a cell's XML. What XML 1.0 cannot hold is written as OOXML does, ``_x000B_``: nothing is lost."""
    return _NOT_AS_IT_IS.sub(_reference, text)


def _reference(found: re.Match[str]) -> str:
    text = found.group()
    if len(text) > 1:
        # What only looks like such an escape must not become a character.
        return "_x005F" + text
    return _AS_REFERENCE.get(text) or f"_x{ord(text):04X}_"


def text_cell(text: str) -> str:
    """The rest of the XML of a cell that holds text; never a formula."""
    if _NOT_AS_IT_IS.search(text):
        text = escaped(text)
    if text.strip() is text and "\n" not in text:
        return f' t="inlineStr"><is><t>{text}</t></is></c>'
    return f' t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def cell_printers(output_format: str) -> Mapping[str, Escape]:
    """Place → what prints a value there: ``plain``, in a ``sheet``'s name, or ``captured`` by a macro or a block.

    The format ``WORKBOOK`` is that of a designed workbook, whose cells have their own styles.
    """
    own_styles = output_format == "WORKBOOK"
    styles = {kind: f"{KIND}{number:02d}" if own_styles else f' s="{number}"' for number, kind in enumerate(KINDS, start=1)}
    plain_place = _plain_printer(styles)
    return {
        **dict.fromkeys(("plain", "quoted", "attribute", "unquoted", "cdata", "raw"), plain_place),
        "captured": text_of,
        "sheet": lambda value: f"{ROW_END}{SHEET}{text_of(value)}{ROW_END}",
    }


def _plain_printer(styles: Mapping[str, str]) -> Escape:
    number, moment = _number_printer(styles), _time_printer(styles)
    whole, most = f"{VALUE}{styles['whole']}><v>", 10**MOST_DIGITS

    def other(value: Any) -> str:
        if isinstance(value, bool):
            return f'{VALUE} t="b"><v>{int(value)}</v></c>{SHOWN}{value}{SHOWN}'
        if isinstance(value, PlainNumber):
            return number(value)
        if isinstance(value, date):
            return moment(value)
        if isinstance(value, float):
            return number(text_of(value))
        return VALUE + text_cell(str(text_of(value)))

    def printed(value: Any) -> str:
        kind = type(value)
        if kind is str:
            return VALUE + text_cell(value)
        if kind is Decimal:
            return number(plain(value))
        if kind is int:
            return f"{whole}{value}</v></c>" if -most < value < most else number(plain(value))
        if value is None:
            return f"{VALUE}/>"
        return other(value)

    return printed


def _number_printer(styles: Mapping[str, str]) -> Callable[[str], str]:
    """Of a number's digits. Up to 15 of them a spreadsheet's number, a double, holds exactly."""
    by_decimals = [f"{VALUE}{styles['whole']}><v>"]
    by_decimals += [f"{VALUE}{styles[f'decimals {n}']}><v>" for n in range(1, MOST_DECIMALS + 1)]

    def printed(text: str) -> str:
        point = text.find(".")
        decimals = len(text) - point - 1 if point >= 0 else 0
        if len(text) > MOST_DIGITS:
            exact = len(text.lstrip("-").replace(".", "").strip("0")) <= MOST_DIGITS
            if not exact or len(text) > _LONGEST_NUMBER:
                return f"{VALUE}{TOO_EXACT}{styles['digits']}{text_cell(text)}"
            if decimals > MOST_DECIMALS:
                return f"{VALUE}><v>{text}</v></c>"
        return f"{by_decimals[decimals]}{text}</v></c>"

    return printed


def _time_printer(styles: Mapping[str, str]) -> Callable[[date], str]:
    """Of dates and times, in days since the end of 1899; with a zone in UTC, whose format says so."""

    def printed(value: date) -> str:
        shown = value.isoformat()
        if not isinstance(value, datetime):
            style, serial = styles["date"], str(value.toordinal() - _DAY_ZERO)
            early = value < _FIRST_DATE
        else:
            zoned = value.tzinfo is not None
            value = value.astimezone(UTC) if zoned and value.tzinfo is not UTC else value
            seconds = value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1_000_000
            name = ("moment" if zoned else "time") + (" with fractions" if value.microsecond else "")
            style, serial = styles[name], repr(value.toordinal() - _DAY_ZERO + seconds / 86400)
            early = value.date() < _FIRST_DATE
        if early:
            # Spreadsheets disagree about the days before March 1900, and know none before that year.
            return f"{VALUE}{text_cell(shown)}"
        return f"{VALUE}{style}><v>{serial}</v></c>{SHOWN}{shown}{SHOWN}"

    return printed


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


_DESIGN_TOKEN = re.compile(rf"\n?({LINE}(?:[sie]?[0-9]+)?|{CELL})|(?:(?!\n?[{LINE}{CELL}])[\s\S])+")


def _designed_token(found: re.Match[str]) -> str:
    """A mark as it is, without the line end before it; the author's text as such."""
    mark = found[1]
    if mark is None:
        return OWN + found[0]
    return "" if mark == LINE else mark


def _refuse(message: str, node: nodes.Node) -> NoReturn:
    raise TemplateSyntaxError(message, node.lineno)
