"""Checking a finished document before anyone can see it: XML and JSON must parse, streamed in flat memory."""

import os
import re
from collections.abc import Iterator
from xml.parsers import expat

from reporter.errors import ReportFailure

CHUNK_BYTES = 1 << 18
MAX_DEPTH = 500


def verify(descriptor: int, output_format: str) -> None:
    """Raises ``ReportFailure`` DOCUMENT_INVALID with the document's line; formats without a grammar always pass."""
    if output_format == "XML":
        _verify_xml(descriptor)
    elif output_format == "JSON":
        _verify_json(descriptor)


def _chunks(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, offset):
        offset += len(chunk)
        yield chunk


def _verify_xml(descriptor: int) -> None:
    def refuse(*_arguments: object) -> None:
        raise ReportFailure("DOCUMENT_INVALID", "the XML document declares entities", parser.CurrentLineNumber)

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    try:
        for chunk in _chunks(descriptor):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        message = f"the document is not well-formed XML: {reason} at its line {error.lineno}, column {error.offset + 1}"
        raise ReportFailure("DOCUMENT_INVALID", message, error.lineno) from None


_TOKEN = re.compile(
    r'[ \t\r\n]*(?:("(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")'
    r"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)|([{}\[\],:]))"
)
_BLANK = re.compile(r"[ \t\r\n]*")


def _verify_json(descriptor: int) -> None:
    """A token machine: ``expects`` is what may come next, ``stack`` the open brackets."""
    grammar = _JsonGrammar()
    rest, line = "", 1
    pending = b""
    chunks = _chunks(descriptor)
    final = False
    while not final:
        chunk = next(chunks, None)
        final = chunk is None
        pending += chunk or b""
        cut = len(pending) if final else _whole_characters(pending)
        text, pending = rest + pending[:cut].decode(), pending[cut:]
        at = 0
        while True:
            found = _TOKEN.match(text, at)
            # A token that touches the end of the chunk may go on in the next one.
            if found is None or (found.end() == len(text) and not final and found.group(3) is None):
                break
            line += text.count("\n", at, found.end())
            kind = "string" if found.group(1) is not None else "value" if found.group(2) is not None else found.group(3)
            if not grammar.takes(kind):
                raise _not_json(f"unexpected {found.group().strip()[:20]}", line)
            at = found.end()
        rest = text[at:]
        if final and (_BLANK.fullmatch(rest) is None or not grammar.complete):
            raise _not_json("it breaks off or holds something that is no JSON", line)
        if len(rest) > CHUNK_BYTES and _TOKEN.match(rest[:CHUNK_BYTES]) is None and not rest.lstrip().startswith('"'):
            raise _not_json("it holds something that is no JSON", line)


def _whole_characters(content: bytes) -> int:
    """Where the last complete UTF-8 character ends."""
    for back in range(1, min(4, len(content)) + 1):
        byte = content[-back]
        if byte < 0x80:
            return len(content)
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(content) if back >= needed else len(content) - back
    return len(content)


class _JsonGrammar:
    def __init__(self) -> None:
        self._stack: list[str] = []
        self._expects = "value"

    @property
    def complete(self) -> bool:
        return self._expects == "end"

    def takes(self, kind: str) -> bool:
        """Whether the token may stand here; if so, moves on."""
        expects = self._expects
        if kind in {"]", "}"}:
            if not self._stack or self._stack[-1] != kind or expects not in {"comma", "first", "first key"}:
                return False
            self._stack.pop()
            self._after_value()
        elif expects in {"key", "first key"}:
            self._expects = "colon"
            return kind == "string"
        elif expects == "colon":
            self._expects = "value"
            return kind == ":"
        elif expects == "comma":
            self._expects = "key" if self._stack[-1] == "}" else "value"
            return kind == ","
        elif expects == "end" or kind in {",", ":"} or len(self._stack) > MAX_DEPTH:
            return False
        elif kind in {"{", "["}:
            self._stack.append("}" if kind == "{" else "]")
            self._expects = "first key" if kind == "{" else "first"
        else:
            self._after_value()
        return True

    def _after_value(self) -> None:
        self._expects = "comma" if self._stack else "end"


def _not_json(reason: str, line: int) -> ReportFailure:
    return ReportFailure("DOCUMENT_INVALID", f"the document is not valid JSON: {reason} at its line {line}", line)
