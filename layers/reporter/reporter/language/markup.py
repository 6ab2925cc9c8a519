"""The tags of HTML as browsers see them, in one pass whatever the text: by the states of the HTML standard's tokenizer.

Python's own ``html.parser`` takes a quadratic time for tags without an end, fails on some declarations, and reads a text
differently from one version of Python to the next.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

RAW_TEXT = frozenset({"title", "textarea", "style", "xmp", "iframe", "noembed", "noframes", "noscript", "script"})
"""Elements whose content is text, not markup; but not within SVG and MathML, and ``noscript`` only where scripts run."""

MAX_ATTRIBUTES = 1000
"""Of one tag; what comes after one more is passed over."""

_BLANK = r"[\t\n\f\r ]"
_OPENING = re.compile(
    r"<(?:(?P<comment>!--)|(?P<name>[A-Za-z][^\t\n\f\r />]*+)|/(?P<end>[A-Za-z][^\t\n\f\r />]*+)|[!?]|/(?!>))"
)
_COMMENT_END = re.compile(r"--!?>")
_NAME = re.compile(r"[\t\n\f\r /]*+(?:>|(?P<name>[^\t\n\f\r />][^\t\n\f\r />=]*+))")
_EQUALS = re.compile(rf"{_BLANK}*+={_BLANK}*+")
_UNQUOTED = re.compile(r"[^\t\n\f\r >]*+")


@dataclass(frozen=True, slots=True)
class Tag:
    """An opening tag: ``start`` and ``end`` in the text, names in lower case, values as written."""

    start: int
    end: int
    name: str
    attributes: tuple[tuple[str, str], ...]


def tags_in(text: str, *, raw_text: bool) -> Iterator[Tag]:
    """Every opening tag that has an end. ``raw_text``: whether ``RAW_TEXT`` holds; else its content is read as markup."""
    at = 0
    while (opening := _OPENING.search(text, at)) is not None:
        at = opening.end()
        if opening["comment"]:
            at = _after_comment(text, at)
        elif opening["name"] or opening["end"]:
            attributes, at = _attributes(text, at)
            if opening["name"] and at >= 0:
                name = opening["name"].lower()
                yield Tag(opening.start(), at, name, attributes)
                if raw_text and name in RAW_TEXT:
                    closing = re.compile(rf"</{name}[\t\n\f\r />]", re.IGNORECASE).search(text, at)
                    at = closing.start() if closing else -1
        else:
            at = text.find(">", at) + 1 or -1
        if at < 0:
            return


def _after_comment(text: str, at: int) -> int:
    for early in (">", "->"):
        if text.startswith(early, at):
            return at + len(early)
    found = _COMMENT_END.search(text, at)
    return found.end() if found else -1


def _attributes(text: str, at: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """The attributes from here on, and where the tag ends: -1 where it never does."""
    found: list[tuple[str, str]] = []
    while (name := _NAME.match(text, at)) is not None:
        at = name.end()
        if name["name"] is None:
            return tuple(found), at
        value = ""
        if (equals := _EQUALS.match(text, at)) is not None:
            at = equals.end()
            quote = text[at : at + 1]
            if quote in {'"', "'"}:
                end = text.find(quote, at + 1)
                if end < 0:
                    break
                value, at = text[at + 1 : end], end + 1
            else:
                end = _UNQUOTED.match(text, at).end()  # type: ignore[union-attr]
                value, at = text[at:end], end
        if len(found) <= MAX_ATTRIBUTES:
            found.append((name["name"].lower(), value))
    return (), -1
