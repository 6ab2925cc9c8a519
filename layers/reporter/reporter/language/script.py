"""Script in HTML and PDF templates, found in the template's own text, read as a browser would.

One text can be read in several ways: with and without what stands in branches and loops, and with the content of some
elements as text or as markup. Whatever would run in one of them is refused.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from html import unescape
from itertools import islice

from jinja2 import nodes

from reporter.errors import TemplateProblem
from reporter.language.markup import MAX_ATTRIBUTES, RAW_TEXT, Tag, tags_in

_ACTIVE_TAGS = frozenset({"script", "iframe", "object", "embed", "applet", "frame", "frameset", "portal", "base"})
_ANIMATIONS = frozenset({"set", "animate", "animatemotion", "animatetransform"})
_URL_ATTRIBUTES = frozenset({"href", "src", "action", "formaction", "xlink:href", "data", "srcdoc", "poster", "background"})
_ACTIVE_SCHEMES = ("javascript:", "vbscript:", "data:text/html", "data:application/xhtml", "data:image/svg")
_SKIPPED_IN_URLS = re.compile("[\x00-\x20\x7f-\xa0]+")
_RAW_TEXT = re.compile(f"<(?:{'|'.join(RAW_TEXT)})", re.IGNORECASE)
_STAND_IN = "x"
"""What a printed value is read as."""


def script_in(tree: nodes.Template, most: int) -> list[TemplateProblem]:
    """The places where the template's own markup would run something, up to ``most`` of each reading."""
    found: dict[TemplateProblem, None] = {}
    texts = dict.fromkeys(_Text(_pieces(tree.body, branches=branches)) for branches in (True, False))
    for text in texts:
        for raw_text in (True, False) if _RAW_TEXT.search(text.text) else (True,):
            reasons = ((tag, reason) for tag in tags_in(text.text, raw_text=raw_text) for reason in _reasons(tag))
            found.update(dict.fromkeys(text.problem(tag, reason) for tag, reason in islice(reasons, most)))
    return list(found)


def _pieces(body: Iterable[nodes.Node], *, branches: bool) -> Iterator[nodes.TemplateData | None]:
    """The template's own text in its order; None for a printed value."""
    for node in body:
        if isinstance(node, nodes.Output):
            yield from (child if isinstance(child, nodes.TemplateData) else None for child in node.nodes)
        elif not isinstance(node, nodes.Expr) and (branches or not isinstance(node, nodes.If | nodes.For)):
            yield from _pieces(node.iter_child_nodes(), branches=branches)


class _Text:
    """The pieces as one text that knows where each of them stands in the template. Equal texts are read once."""

    def __init__(self, pieces: Iterable[nodes.TemplateData | None]) -> None:
        self._starts: list[int] = []
        self._pieces: list[nodes.TemplateData] = []
        texts: list[str] = []
        at = 0
        for piece in pieces:
            if piece is not None:
                self._starts.append(at)
                self._pieces.append(piece)
            texts.append(_STAND_IN if piece is None else piece.data)
            at += len(texts[-1])
        self.text = "".join(texts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Text) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def problem(self, tag: Tag, message: str) -> TemplateProblem:
        index = bisect_right(self._starts, tag.start) - 1
        piece = self._pieces[index]
        before = piece.data[: tag.start - self._starts[index]]
        newline = before.rfind("\n")
        column = getattr(piece.lineno, "column", 1) + len(before) if newline < 0 else len(before) - newline
        line = int(piece.lineno) + before.count("\n")
        return TemplateProblem("TPL-0032", message, line, column, self.text[tag.start : tag.end][:80])


def _reasons(tag: Tag) -> Iterator[str]:
    if len(tag.attributes) > MAX_ATTRIBUTES:
        yield f"a tag has more than {MAX_ATTRIBUTES} attributes"
    if tag.name in _ACTIVE_TAGS:
        yield f"the tag {tag.name} is not allowed"
    for name, value in tag.attributes:
        plain = _SKIPPED_IN_URLS.sub("", unescape(value)).lower()
        if name.startswith("on"):
            yield f"the handler {name} is not allowed"
        elif name in _URL_ATTRIBUTES and plain.startswith(_ACTIVE_SCHEMES):
            yield f"{name} must not hold script"
        elif name == "srcdoc":
            yield "srcdoc is not allowed"
        elif tag.name == "meta" and name == "http-equiv" and plain == "refresh":
            yield "a refresh is not allowed"
        elif tag.name in _ANIMATIONS and name == "attributename" and plain.endswith("href"):
            yield f"the tag {tag.name} must not change links"
