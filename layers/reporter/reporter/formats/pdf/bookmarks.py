"""Bookmarks: a document's headings become the outline that a PDF viewer shows beside the pages.

The engine gives an element a named destination when a link points at it. So each heading gets an id, where it has none,
and a link to itself that is not displayed.
"""

import html
import re
from dataclasses import dataclass

_HEADING = re.compile(
    r"<!--.*?-->|<(style|script|title|textarea)\b.*?</\1\s*>|<h([1-6])\b([^<>]*)>(.*?)(?=</h\2\s*>)",
    re.IGNORECASE | re.DOTALL,
)
_ID = re.compile(r"""(?:^|\s)id\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_PLAIN_ID = re.compile(r"[\w.:-]+", re.ASCII)
MAX_TITLE = 200


@dataclass(frozen=True, slots=True)
class Bookmark:
    """``level``: 1 to 6. ``target``: the name of the destination."""

    level: int
    title: str
    target: str


def mark_headings(text: str) -> tuple[str, list[Bookmark]]:
    """The HTML with a destination at each heading, and the headings in order. Without headings it stays as it is."""
    found: list[Bookmark] = []

    def marked(match: re.Match[str]) -> str:
        if match[2] is None:
            return match[0]
        level, attributes, content = match[2], match[3], match[4]
        title = " ".join(html.unescape(_TAG.sub(" ", content)).split())
        if not title:
            return match[0]
        own = _ID.search(attributes)
        target = html.unescape(next(filter(None, own.groups()), "")) if own else ""
        if not _PLAIN_ID.fullmatch(target):
            target = f"heading-{len(found) + 1}"
            if own is None:
                attributes += f' id="{target}"'
            else:
                # An id that no URL holds as it is: the target is inside.
                content = f'<span id="{target}">{content}</span>'
        found.append(Bookmark(int(level), title[:MAX_TITLE], target))
        return f'<h{level}{attributes}>{content}<a href="#{target}" style="display:none"></a>'

    return _HEADING.sub(marked, text), found
