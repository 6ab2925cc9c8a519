"""XML with the places of its elements in the bytes: a part can be changed here and there, and be kept everywhere else."""

import re
from collections.abc import Iterable, Iterator, Mapping
from xml.parsers import expat

from reporter.formats.workbook.limits import DEFAULT, SIMPLER
from reporter.limit import passed

MOST_DEPTH = 100
"""Not to be set: spreadsheets nest a dozen deep, whatever they hold."""
_TAG = re.compile(rb"<[^>\"']*(?:\"[^\"]*\"[^>\"']*|'[^']*'[^>\"']*)*>")
_WRITTEN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_SPECIAL = re.compile('[&<>"\t\n\r]')


class NotXml(ValueError):
    """A part is not well-formed, has a DOCTYPE, or is more than a template needs."""


class Element:
    """``start`` to ``end`` in bytes; the content between ``open_end`` and ``close_start``. ``text``: its own, joined."""

    __slots__ = ("attributes", "children", "close_start", "end", "name", "open_end", "start", "text")

    def __init__(self, name: str, attributes: Mapping[str, str], start: int, open_end: int) -> None:
        self.name = name
        self.attributes = attributes
        self.start = start
        self.open_end = open_end
        self.close_start = self.end = open_end
        self.children: list[Element] = []
        self.text = ""

    def child(self, name: str) -> "Element | None":
        """The first child of this name, without its namespace."""
        return next((child for child in self.children if child.name == name), None)

    def all_elements(self) -> Iterator["Element"]:
        """Every element below this one, in the order of the text."""
        pending = list(reversed(self.children))
        while pending:
            found = pending.pop()
            yield found
            pending.extend(reversed(found.children))

    def all(self, *names: str) -> Iterator["Element"]:
        """Those of these names."""
        return (found for found in self.all_elements() if found.name in names)


def scan(content: bytes, most_elements: int = DEFAULT.part_elements) -> Element:
    """The root. Names lose their namespace; attributes of a namespace are called ``{uri}name``.

    Raises ``NotXml``.
    """
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    root: list[Element] = []
    stack: list[Element] = []
    # Joined at the end: appending to a long text for every piece of it would copy the text every time.
    texts: list[list[str]] = []
    count = 0

    def refuse(*_arguments: object) -> None:
        raise NotXml("it has a DOCTYPE")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > most_elements:
            raise NotXml(passed("it has", most_elements, "elements", SIMPLER, "WorkbookPartElements"))
        if len(stack) > MOST_DEPTH:
            raise NotXml(passed("its elements are nested", MOST_DEPTH, "deep", SIMPLER))
        at = parser.CurrentByteIndex
        tag = _TAG.match(content, at)
        if tag is None:
            raise NotXml("a tag does not end")
        named = {key.rpartition(" ")[2] if " " not in key else _clark(key): value for key, value in attributes.items()}
        element = Element(name.rpartition(" ")[2], named, at, tag.end())
        (stack[-1].children if stack else root).append(element)
        stack.append(element)
        texts.append([])

    def end(_name: str) -> None:
        element = stack.pop()
        element.text = "".join(texts.pop())
        if content[element.open_end - 2 : element.open_end] != b"/>":
            element.close_start = parser.CurrentByteIndex
            element.end = content.index(b">", element.close_start) + 1

    def characters(text: str) -> None:
        if texts:
            texts[-1].append(text)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise NotXml(f"it is not well-formed XML (line {error.lineno})") from None
    return root[0]


def _clark(key: str) -> str:
    namespace, _, name = key.rpartition(" ")
    return f"{{{namespace}}}{name}"


def without_attributes(tag: bytes, *names: str) -> bytes:
    """A tag without some of its attributes."""
    pattern = rb"\s(?:" + b"|".join(re.escape(name.encode()) for name in names) + rb")\s*=\s*(?:\"[^\"]*\"|'[^']*')"
    return re.sub(pattern, b"", tag)


def with_attribute(tag: bytes, name: str, value: str) -> bytes:
    """A tag with an attribute set."""
    bare = without_attributes(tag, name)
    at = bare.index(b"/>") if bare.endswith(b"/>") else bare.rindex(b">")
    return bare[:at] + f' {name}="{written(value)}"'.encode() + bare[at:]


def written(text: str) -> str:
    """Text as it stands in XML, in attributes too."""
    return _SPECIAL.sub(lambda found: _WRITTEN[found.group()], text)


def edited(content: bytes, edits: Iterable[tuple[int, int, bytes]], start: int = 0, end: int | None = None) -> bytes:
    """``content`` from ``start`` to ``end``, with pieces (from, to, instead) replaced; they do not overlap."""
    made, at = [], start
    for begin, stop, instead in sorted(edits):
        made += [content[at:begin], instead]
        at = stop
    return b"".join([*made, content[at:end]])
