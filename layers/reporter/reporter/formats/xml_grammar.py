"""Whether a document is well-formed XML, piece by piece: no entities, no DTD, no network, namespaces declared."""

from collections.abc import Iterable
from xml.parsers import expat

_ENCODINGS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class NotXml(ValueError):
    """``line`` counts from 1."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def check_xml(chunks: Iterable[bytes]) -> None:
    """Raises ``NotXml``: not well-formed, a DOCTYPE, or a declared encoding that the document is not in."""
    # Told the encoding, expat does not believe another one that the document claims for itself; told a separator, it
    # also wants every prefix declared, as the document's readers will.
    parser = expat.ParserCreate("utf-8", " ")

    def no_doctype(*_arguments: object) -> None:
        raise NotXml("a DOCTYPE is not allowed, as it can declare entities", parser.CurrentLineNumber)

    def declared(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            reason = f"it says that it is encoded in {encoding[:40]}, but documents are UTF-8"
            raise NotXml(reason, parser.CurrentLineNumber)

    parser.StartDoctypeDeclHandler = no_doctype
    parser.XmlDeclHandler = declared
    try:
        for chunk in chunks:
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        raise NotXml(f"{reason}, column {error.offset + 1}", error.lineno) from None
