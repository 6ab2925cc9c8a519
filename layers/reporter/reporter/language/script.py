"""Script in HTML and PDF templates, found by a real HTML tokenizer in the template's own text."""

from bisect import bisect_right
from html.parser import HTMLParser

from jinja2 import nodes

from reporter.errors import TemplateProblem
from reporter.language.places import literal_text

_ACTIVE_TAGS = frozenset({"script", "iframe", "object", "embed", "applet", "frame", "frameset", "portal", "base"})
_URL_ATTRIBUTES = frozenset({"href", "src", "action", "formaction", "xlink:href", "data", "srcdoc", "poster", "background"})
_ACTIVE_SCHEMES = ("javascript:", "vbscript:", "data:text/html", "data:application/xhtml", "data:image/svg")
_STAND_IN = "x"


def script_in(tree: nodes.Template) -> list[TemplateProblem]:
    """Every place where the template's own markup would run something."""
    text, starts, places = "", [], []
    for data in literal_text(tree.body):
        starts.append(len(text))
        places.append((int(data.lineno), getattr(data.lineno, "column", 1), data.data))
        text += data.data + _STAND_IN
    finder = _Finder(text)
    problems = []
    for offset, message, shown in finder.found:
        index = bisect_right(starts, offset) - 1
        line, column, piece = places[index]
        before = piece[: offset - starts[index]]
        newline = before.rfind("\n")
        problems.append(
            TemplateProblem(
                "TPL-0032",
                message,
                line + before.count("\n"),
                column + len(before) if newline < 0 else len(before) - newline,
                shown[:80],
            )
        )
    return problems


class _Finder(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str, str]] = []
        self._line_starts = [0]
        for index, character in enumerate(text):
            if character == "\n":
                self._line_starts.append(index + 1)
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Tags that run something, handlers, and URLs that are script."""
        line, column = self.getpos()
        offset = self._line_starts[line - 1] + column
        shown = self.get_starttag_text() or ""
        if tag in _ACTIVE_TAGS:
            self.found.append((offset, f"the tag {tag} is not allowed", shown))
        for name, value in attrs:
            plain = "".join((value or "").split()).lower()
            if name.startswith("on"):
                self.found.append((offset, f"the handler {name} is not allowed", shown))
            elif name in _URL_ATTRIBUTES and plain.startswith(_ACTIVE_SCHEMES):
                self.found.append((offset, f"{name} must not hold script", shown))
            elif name == "srcdoc":
                self.found.append((offset, "srcdoc is not allowed", shown))
            elif tag == "meta" and name == "http-equiv" and plain == "refresh":
                self.found.append((offset, "a refresh is not allowed", shown))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """``<br/>`` is judged like ``<br>``."""
        self.handle_starttag(tag, attrs)
