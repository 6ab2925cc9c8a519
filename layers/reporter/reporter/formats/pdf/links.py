"""Links that a reader of a PDF may follow: into the document, to the web, to a mailbox, to a telephone. No others."""

import html
import re

MAX_NAMED = 10
_ANCHOR = re.compile(r"""<a\b(?:[^<>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE)
_HREF = re.compile(r"""(?<=[\s"':])href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))""", re.IGNORECASE)
_IGNORED = re.compile(r"[\x00-\x20]")
_FOLLOWED = re.compile(r"#|(?:https?|mailto|tel):", re.IGNORECASE)


def without_other_links(text: str) -> tuple[str, list[str]]:
    """The HTML, its other links made plain text, and a warning for each of those."""
    dropped: dict[str, None] = {}

    def kept(found: re.Match[str]) -> str:
        address = html.unescape(next(filter(None, found.groups()), ""))
        if not address or _FOLLOWED.match(_IGNORED.sub("", address)):
            return found[0]
        dropped[address[:100]] = None
        return "data-" + found[0]

    text = _ANCHOR.sub(lambda anchor: _HREF.sub(kept, anchor[0]), text)
    named = [f"the link to {address} was left out: only http, https, mailto and tel are followed" for address in dropped]
    more = len(named) - MAX_NAMED
    return text, named if more <= 0 else [*named[:MAX_NAMED], f"{more} more links were left out"]
