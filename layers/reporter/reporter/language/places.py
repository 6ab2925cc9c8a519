"""Where a value stands in the document: plainly, between quotes, in a markup attribute, in a CDATA section.

Decided once per ``{{ }}`` from the template's own text before it, in the order of the text. Branches are taken to be
balanced: what an ``if`` opens it also closes.
"""

from collections.abc import Callable, Iterator

from jinja2 import nodes

from reporter.language.cell_marks import mark_captured, mark_cells
from reporter.language.printing import csv_delimiter

WORKBOOKS = frozenset({"XLSX", "WORKBOOK"})
"""A workbook from text, and the language's own name for the cells of a workbook that was designed as one."""


def mark_values(tree: nodes.Template, output_format: str) -> None:
    """Set ``place`` on every printed value of the tree; in workbooks the own text becomes cells and rows too.

    Raises ``TemplateSyntaxError`` for what no workbook can hold.
    """
    if output_format == "XLSX":
        mark_cells(tree, first_line_delimiter(tree))
    elif output_format == "WORKBOOK":
        mark_captured(tree)
    else:
        _mark(tree.body, _SCANNERS.get(output_format, _plain), "")


def literal_text(body: list[nodes.Node]) -> Iterator[nodes.TemplateData]:
    """The template's own text, in its order."""
    for node in body:
        if isinstance(node, nodes.TemplateData):
            yield node
        elif not isinstance(node, nodes.Expr):
            yield from literal_text(list(node.iter_child_nodes()))


def first_line_delimiter(tree: nodes.Template) -> str:
    """The delimiter of a CSV template, from the first line of its own text that holds any."""
    text = "".join(data.data for data in literal_text(tree.body))
    return csv_delimiter(next((line for line in text.split("\n") if set(line) & set(";,\t|")), ""))


def _mark(body: list[nodes.Node], scan: "_Scan", state: str) -> str:
    for node in body:
        if isinstance(node, nodes.Output):
            for child in node.nodes:
                if isinstance(child, nodes.TemplateData):
                    state = scan(child.data, state)
                else:
                    child.place = _PLACE.get(state, "plain")  # type: ignore[attr-defined]
        elif isinstance(node, nodes.If):
            after = _mark(node.body, scan, state)
            for other in (*node.elif_, node):
                _mark(other.body if other is not node else node.else_, scan, state)
            state = after
        elif isinstance(node, nodes.For):
            after = _mark(node.body, scan, state)
            _mark(node.else_, scan, state)
            state = after
        elif isinstance(node, nodes.Macro):
            _mark(node.body, scan, "")
        elif not isinstance(node, nodes.Expr):
            state = _mark(list(node.iter_child_nodes()), scan, state)
    return state


# What stands in a tag outside of any attribute must not become an attribute of its own.
_PLACE = {'"': "quoted", "<": "unquoted", "=": "unquoted", "='": "attribute", '="': "attribute", "<![": "cdata"}
_Scan = Callable[[str, str], str]


def _plain(text: str, state: str) -> str:
    return state


def _csv(text: str, state: str) -> str:
    return state if text.count('"') % 2 == 0 else ("" if state else '"')


def _json(text: str, state: str) -> str:
    escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = bool(state)
        elif character == '"':
            state = "" if state else '"'
    return state


def _markup(text: str, state: str) -> str:
    """States: text, ``<`` in a tag, ``=`` and a quote in an attribute, ``<!-`` in a comment, ``<![`` in CDATA."""
    at = 0
    while at < len(text):
        if state == "":
            at = text.find("<", at)
            if at < 0:
                return state
            if text.startswith("<!--", at):
                state = "<!-"
            elif text.startswith("<![CDATA[", at):
                state = "<!["
            elif text[at + 1 : at + 2].isalpha() or text[at + 1 : at + 2] in {"/", "?", "!", ""}:
                state = "<"
            at += 1
        elif state in {"<!-", "<!["}:
            end = {"<!-": "-->", "<![": "]]>"}[state]
            at = text.find(end, at)
            if at < 0:
                return state
            at, state = at + len(end), ""
        elif len(state) == 2:
            at = text.find(state[1], at)
            if at < 0:
                return state
            at, state = at + 1, "<"
        else:
            character = text[at]
            if character == ">":
                state = ""
            elif character in "\"'" and state in {"=", "<"}:
                state = "=" + character
            elif character == "=":
                state = "="
            elif not character.isspace() or state == "<":
                state = "<" if character.isspace() or state == "<" else state
            at += 1
    return state


_SCANNERS = {"CSV": _csv, "JSON": _json, "HTML": _markup, "PDF": _markup, "XML": _markup}
