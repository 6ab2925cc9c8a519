"""Checking a finished document before anyone can see it: XML and JSON must parse, workbooks open; in flat memory."""

import codecs
import importlib
import os
from collections.abc import Iterator

from reporter.errors import ReportFailure
from reporter.formats.json_grammar import JsonGrammar, NotJson
from reporter.formats.workbook.finished import NotWorkbook, check_workbook
from reporter.formats.xml_grammar import NotXml, check_xml

CHUNK_BYTES = 1 << 18
SCHEMA_ONLY = "XSD"
"""The format of a job without a document: only its XML schema is looked at."""


def verify(descriptor: int, output_format: str, xml_schema: str | None = None) -> None:
    """Raises ``ReportFailure`` DOCUMENT_INVALID with the document's line; formats without a grammar always pass.

    ``xml_schema``: the XSD that an XML document must fit; where it is all there is, SCHEMA_INVALID with its line.
    """
    try:
        if output_format == "XML":
            check_xml(_chunks(descriptor))
            if xml_schema is not None:
                _check_against_schema(descriptor, xml_schema)
        elif output_format == SCHEMA_ONLY:
            _check_schema(xml_schema or "")
        elif output_format == "JSON":
            _check_json(_chunks(descriptor))
        elif output_format == "XLSX":
            check_workbook(descriptor)
    except NotWorkbook as error:
        raise ReportFailure("DOCUMENT_INVALID", f"the workbook is damaged: {error}") from None
    except NotXml as error:
        raise _invalid("the document is not well-formed XML", error, error.line) from None
    except NotJson as error:
        raise _invalid("the document is not valid JSON", error, error.line) from None


def load_schema_checks() -> None:
    """Import what checking against an XSD needs, where it is not wanted by every document."""
    importlib.import_module("reporter.formats.xml_schema")


def _check_against_schema(descriptor: int, xml_schema: str) -> None:
    from reporter.formats.xml_schema import NotValid, WrongSchema, check_against_schema

    try:
        check_against_schema(lambda: _chunks(descriptor), xml_schema)
    except WrongSchema as error:
        raise _invalid("the template's XML schema cannot be used", error, error.line, "schema's") from None
    except NotValid as error:
        raise _invalid("the document does not fit its XML schema", error, error.line) from None


def _check_schema(text: str) -> None:
    from reporter.formats.xml_schema import WrongSchema, compiled

    try:
        compiled(text)
    except WrongSchema as error:
        raise ReportFailure("SCHEMA_INVALID", str(error), error.line) from None


def _check_json(chunks: Iterator[bytes]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    grammar = JsonGrammar()
    for chunk in chunks:
        grammar.feed(decoder.decode(chunk))
    grammar.feed(decoder.decode(b"", True))
    grammar.end()


def _chunks(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, offset):
        offset += len(chunk)
        yield chunk


def _invalid(what: str, error: ValueError, line: int, whose: str = "document's") -> ReportFailure:
    return ReportFailure("DOCUMENT_INVALID", f"{what}: {error} (the {whose} line {line})", line)
