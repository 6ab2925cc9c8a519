"""Validation of a finished XML document against an XSD, streamed; the schema itself is untrusted text too.

lxml is only loaded where a template has a schema. Neither side may name other documents: nothing is fetched.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lxml import etree

from reporter.formats.xml_grammar import NotXml, check_xml

MAX_PROBLEMS_SHOWN = 5
_OTHER_DOCUMENTS = ("{*}include", "{*}import", "{*}redefine", "{*}override")
MAX_PROBLEM_CHARACTERS = 300


class NotValid(ValueError):
    """``line`` counts from 1: in the document, or in the schema where that is wrong."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


class WrongSchema(NotValid):
    """The schema itself is none that documents can be checked against."""


def check_against_schema(chunks: Callable[[], Iterator[bytes]], schema_text: str) -> None:
    """``chunks()`` begins a pass over the document, which is well-formed. Raises ``NotValid``."""
    schema = compiled(schema_text)
    if _first_problems(schema, ((1, chunk) for chunk in chunks())) is None:
        return
    # The streamed validation knows no places: a second pass goes line by line.
    found = _first_problems(schema, _lines(chunks()))
    line, reasons = found if found is not None else (1, ["it does not fit the schema"])
    raise NotValid("; ".join(reasons), line)


def compiled(schema_text: str) -> etree.XMLSchema:
    """The schema. Raises ``WrongSchema``."""
    try:
        check_xml([schema_text.encode()])
    except NotXml as error:
        raise WrongSchema(str(error), error.line) from None
    etree.clear_error_log()
    parser = etree.XMLParser(encoding="utf-8", no_network=True, resolve_entities=False, load_dtd=False)
    parser.resolvers.add(_Nothing())
    try:
        tree: Any = etree.fromstring(schema_text.encode(), parser)
        other = next(tree.iter(*_OTHER_DOCUMENTS), None)
        if other is not None:
            raise WrongSchema(
                "the schema must not name other documents (include, import, redefine, override)", other.sourceline
            )
        return etree.XMLSchema(tree)
    except (etree.XMLSyntaxError, etree.XMLSchemaParseError) as error:
        log: Any = error.error_log
        raise WrongSchema(_shown(str(error)), max([1, *(entry.line for entry in log)][:2])) from None


class _Nothing(etree.Resolver):
    """No other document is ever read, whatever names it."""

    def resolve(self, *_asked: Any) -> Any:
        """An empty document, which is no document."""
        empty: Any = self.resolve_string
        return empty("", *_asked[2:])


def _first_problems(schema: etree.XMLSchema, pieces: Iterable[tuple[int, bytes]]) -> tuple[int, list[str]] | None:
    """The line of the first piece at which something is wrong, and what. ``pieces``: lines and their text."""
    # Entities were refused before: huge_tree only allows long texts and deep nesting.
    parser = etree.XMLPullParser(
        events=("end",), schema=schema, no_network=True, resolve_entities=False, load_dtd=False, huge_tree=True
    )
    line = 1
    for line, piece in pieces:
        parser.feed(piece)
        if len(parser.feed_error_log):
            return line, [_shown(entry.message) for entry in list(parser.feed_error_log)[:MAX_PROBLEMS_SHOWN]]
        _forget(parser)
    try:
        parser.close()
    except etree.XMLSyntaxError as error:
        return line, [_shown(str(error))]
    return None


def _forget(parser: etree.XMLPullParser) -> None:
    """Validation needs no element once it has ended; kept, they would hold the whole document in memory."""
    element: Any
    for _event, element in parser.read_events():
        element.clear()
        parent = element.getparent()
        if parent is not None:
            del parent[0]


def _lines(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    line = 1
    for chunk in chunks:
        for piece in chunk.splitlines(keepends=True):
            yield line, piece
            line += piece.endswith(b"\n")


def _shown(message: str) -> str:
    return " ".join(message.split())[:MAX_PROBLEM_CHARACTERS]
