"""Printing values into a document: text of a value, and escaping by output format.

The template's own text is never touched; only what ``{{ }}`` prints passes here. Where it stands decides how it is
escaped: plainly, between quotes that the template holds, in a markup attribute, or in a CDATA section.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from reporter.language.numbers import TemplateValueError, from_float, plain
from reporter.language.rows import Row, Rows, as_dict

Escape = Callable[[Any], str]


class SafeText(str):
    """Text that is part of the document as it is: nothing escapes it again."""

    __slots__ = ()


class NumberText(str):
    """A formatted number: text for a reader, never a formula for a spreadsheet."""

    __slots__ = ()


class JsonText(str):
    """A JSON value as text: part of a JSON document as it is, text like any other elsewhere."""

    __slots__ = ()


_json_text = json.JSONEncoder(ensure_ascii=False).encode


def to_json(value: Any) -> str:
    """Any value as a JSON value: exact numbers, times as ISO text, rows as objects."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _json_text(_whole(str(value)))
    if isinstance(value, int | Decimal):
        return plain(value)
    if isinstance(value, Row):
        value = as_dict(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_json_text(_whole(str(name)))}: {to_json(member)}" for name, member in value.items()) + "}"
    if isinstance(value, Iterable):
        return "[" + ", ".join(map(to_json, value)) + "]"
    return _json_text(text_of(value))


def text_of(value: Any) -> str:
    """A value as plain text: nothing for null, True and False, ISO times, lists and objects as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, int | Decimal):
        return plain(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float):
        return plain(from_float(value))
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Row | Rows | Mapping | list | tuple):
        return to_json(value)
    if isinstance(value, Iterable):
        return to_json(list(value))
    raise TemplateValueError(f"a value of type {type(value).__name__} cannot be printed")


def _whole(text: str) -> str:
    if not text.isascii() and _SURROGATE.search(text):
        raise TemplateValueError("a text holds half of a surrogate pair")
    return text


_SURROGATE = re.compile("[\ud800-\udfff]")
_FORBIDDEN_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "\r": "&#13;"})
_ATTRIBUTE = {**_MARKUP, ord("\t"): "&#9;", ord("\n"): "&#10;"}
_NEEDS_MARKUP = re.compile("[&<>\"'\r]")


def _legal_xml(text: str) -> str:
    found = _FORBIDDEN_IN_XML.search(text)
    if found:
        raise TemplateValueError(f"a text holds U+{ord(found.group()):04X}, which XML 1.0 forbids")
    return text


def _printer(of_text: Callable[[str], str], of_other: Callable[[Any], str] | None = None) -> Escape:
    """Escape text by ``of_text``; numbers, null and safe text need none, the rest is made text first."""

    def escape(value: Any) -> str:
        kind = type(value)
        if kind is str:
            return of_text(value)
        if kind is Decimal or kind is int:
            return plain(value)
        if kind is SafeText:
            return _whole(value)
        if of_other is not None:
            return of_other(value)
        return "" if value is None else of_text(text_of(value))

    return escape


def _markup(check: Callable[[str], str], table: Mapping[int, str]) -> Callable[[str], str]:
    def escape(text: str) -> str:
        return check(text).translate(table)

    return escape


def _html(text: str) -> str:
    return _whole(text).translate(_MARKUP) if _NEEDS_MARKUP.search(text) or not text.isascii() else text


def _cdata(text: str) -> str:
    return _legal_xml(text).replace("]]>", "]]]]><![CDATA[>")


def _json_string(text: str) -> str:
    return _json_text(_whole(text))[1:-1]


def _json_outside(value: Any) -> str:
    if isinstance(value, JsonText):
        return _whole(value)
    if value is None or isinstance(value, bool):
        return to_json(value)
    if isinstance(value, Mapping | Row | Rows | list | tuple):
        return to_json(value)
    return _json_string(text_of(value))


def _json_quoted(value: Any) -> str:
    if value is None:
        return ""
    return to_json(value) if isinstance(value, bool) else _json_string(text_of(value))


_FORMULA_START = frozenset("=+-@")
_BLANKS = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_NUMBER_OR_PHONE = re.compile(r"[+-]?[\d.,]*\d[\d.,]*%?|\+[\d ()\-.]*\d", re.ASCII)


def _guarded(text: str) -> str:
    """Text that a spreadsheet would run as a formula gets a leading apostrophe."""
    if not text:
        return text
    first = text[0]
    if first.isalnum() and first.isascii():
        return text
    if first in "\t\r\n":
        return "'" + text
    folded = unicodedata.normalize("NFKC", text[:64]).lstrip(_BLANKS + " \t\r\n\x0b\x0c\u00a0\u2028\u2029\u3000")
    if folded and folded[0] in _FORMULA_START and not _NUMBER_OR_PHONE.fullmatch(text):
        return "'" + text
    return text


def _csv_printers(delimiter: str, formula_guard: bool) -> dict[str, Escape]:
    special = re.compile(f'[{re.escape(delimiter)}"\r\n]')

    def guard(text: str) -> str:
        return _guarded(_whole(text)) if formula_guard else _whole(text)

    def outside(text: str) -> str:
        text = guard(text)
        return '"' + text.replace('"', '""') + '"' if special.search(text) else text

    def quoted(text: str) -> str:
        return guard(text).replace('"', '""')

    def numbers_pass(then: Callable[[str], str]) -> Callable[[Any], str]:
        def other(value: Any) -> str:
            if isinstance(value, NumberText):
                return str(value) if not special.search(value) or then is quoted else '"' + value + '"'
            return "" if value is None else then(text_of(value))

        return other

    return {
        "plain": _printer(outside, numbers_pass(outside)),
        "quoted": _printer(quoted, numbers_pass(quoted)),
    }


def csv_delimiter(first_line: str) -> str:
    """The one of ``; , tab |`` that the template's first line holds most; a comma where it holds none."""
    return max(",;\t|", key=first_line.count)


def printers(output_format: str, *, formula_guard: bool = True, delimiter: str = ",") -> Mapping[str, Escape]:
    """Place → escape function: ``plain``, ``quoted`` (CSV, JSON), ``attribute`` (markup), ``cdata`` (XML), ``raw``."""
    table: dict[str, Escape]
    match output_format:
        case "HTML" | "PDF":
            table = {"plain": _printer(_html), "attribute": _printer(_markup(_whole, _ATTRIBUTE))}
        case "XML":
            table = {
                "plain": _printer(_markup(_legal_xml, _MARKUP)),
                "attribute": _printer(_markup(_legal_xml, _ATTRIBUTE)),
                "cdata": _printer(_cdata),
            }
        case "CSV":
            table = _csv_printers(delimiter, formula_guard)
        case "JSON":
            table = {"plain": _printer(_json_string, _json_outside), "quoted": _printer(_json_string, _json_quoted)}
        case _:
            table = {"plain": _printer(_whole)}
    table["raw"] = _printer(_whole)
    for place in ("quoted", "attribute", "cdata"):
        table.setdefault(place, table["plain"])
    return table
