"""Printing values into a document: text of a value, and escaping by output format.

The template's own text is never touched; only what ``{{ }}`` prints passes here. Where it stands decides how it is
escaped: plainly, between quotes that the template holds, in a markup attribute, or in a CDATA section.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from reporter.language.formula_guard import HARMLESS_STARTS, guarded
from reporter.language.numbers import TemplateValueError, from_float, plain
from reporter.language.rows import Column, Row, Rows, as_dict

Escape = Callable[[Any], str]
SEPARATOR = "\x7f"
"""Stands between texts that are escaped at once: no format escapes it."""


@dataclass(frozen=True, slots=True)
class Printer:
    """Escapes for one place: ``one`` value of any kind, or ``many`` texts at once, which is several times as fast.

    Both raise ``TemplateValueError`` for what the document cannot hold. Without ``many``, ``one`` is all there is, and
    numbers, too, are more than their digits; ``column`` then takes a whole column, or None where it is better not to.
    """

    one: Escape
    many: Callable[[Sequence[str]], Sequence[str]] | None = None
    column: Callable[[Column], Sequence[str] | None] | None = None


class SafeText(str):
    """Text that is part of the document as it is: nothing escapes it again."""

    __slots__ = ()


class NumberText(str):
    """A formatted number: text for a reader, never a formula for a spreadsheet."""

    __slots__ = ()


class PlainNumber(NumberText):
    """A number printed as digits and a point: in a workbook it is a number still."""

    __slots__ = ()


class JsonText(str):
    """A JSON value as text: part of a JSON document as it is, text like any other elsewhere."""

    __slots__ = ()


class EscapedText(str):
    """Text that is escaped where it is printed, even where escaping is switched off."""

    __slots__ = ()


_json_text = json.JSONEncoder(ensure_ascii=False).encode


def to_json(value: Any) -> str:
    """Any value as a JSON value: exact numbers, times as ISO text, rows as objects.

    Raises ``TemplateValueError`` for what JSON cannot hold: half a surrogate pair, a value that is no data.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _json_text(_whole(str(value)))
    if isinstance(value, int | Decimal):
        return plain(value)
    if isinstance(value, float):
        return plain(from_float(value))
    if isinstance(value, Row):
        value = as_dict(value)
    if isinstance(value, Mapping):
        members = (f"{_json_text(_whole(text_of(name)))}: {to_json(member)}" for name, member in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, Rows | list | tuple | range):
        return "[" + ", ".join(map(to_json, value)) + "]"
    return _json_text(text_of(value))


def text_of(value: Any) -> str:
    """A value as plain text: nothing for null, True and False, ISO times, lists and objects as JSON.

    Raises ``TemplateValueError`` for what is no data (a macro, a loop's state, bytes).
    """
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
    if isinstance(value, Row | Rows | Mapping | list | tuple | range):
        return to_json(value)
    raise TemplateValueError("a macro, a loop or another thing that is no data cannot be printed")


def _whole(text: str) -> str:
    if not text.isascii() and _SURROGATE.search(text):
        raise TemplateValueError("a text holds half of a surrogate pair")
    return text


_SURROGATE = re.compile("[\ud800-\udfff]")
_FORBIDDEN_IN_XML = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_NOT_XML = re.compile(f"[{_FORBIDDEN_IN_XML}]")
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "\r": "&#13;"}
_ATTRIBUTE = {**_MARKUP, "\t": "&#9;", "\n": "&#10;"}
# Not the control characters that some readers take for white space: their references mean other characters in HTML.
_WHITE_SPACE = (
    " \x0c\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_UNQUOTED = {**_ATTRIBUTE, **{mark: f"&#{ord(mark)};" for mark in _WHITE_SPACE + "=`"}}


def _legal_xml(text: str) -> str:
    found = _NOT_XML.search(text)
    if found:
        raise TemplateValueError(f"a text holds U+{ord(found.group()):04X}, which XML 1.0 forbids")
    return text


def _printer(
    of_text: Callable[[str], str],
    of_other: Callable[[Any], str] | None = None,
    check: Callable[[str], str] = _whole,
    many: Callable[[Sequence[str]], Sequence[str]] | None = None,
) -> Printer:
    """Escape text by ``of_text``; numbers and null need none, safe text only the check, the rest is made text first.

    Without ``many``, ``of_text`` must do to joined texts what it does to each of them, and never make one shorter.
    """

    def escape(value: Any) -> str:
        kind = type(value)
        if kind is str:
            return of_text(value)
        if kind is Decimal or kind is int:
            return plain(value)
        if kind is SafeText:
            return check(value)
        if of_other is not None:
            return of_other(value)
        return "" if value is None else of_text(text_of(value))

    def joined(texts: Sequence[str]) -> Sequence[str]:
        together = SEPARATOR.join(texts)
        escaped = of_text(together)
        if len(escaped) == len(together):
            return texts
        parts = escaped.split(SEPARATOR)
        return parts if len(parts) == len(texts) else list(map(of_text, texts))

    return Printer(escape, many or joined)


def _markup(references: Mapping[str, str], forbidden: str, check: Callable[[str], str]) -> Callable[[str], str]:
    """One search decides whether a text can stand as it is, as most do."""
    special = re.compile(f"[{''.join(references)}{forbidden}]")

    def escape(text: str) -> str:
        if special.search(text):
            check(text)
            # The ampersand comes first in every table: what the others become is not escaped again.
            for mark, reference in references.items():
                text = text.replace(mark, reference)
        return text

    return escape


def _markup_printers(forbidden: str, check: Callable[[str], str]) -> dict[str, Printer]:
    places = {"plain": _MARKUP, "attribute": _ATTRIBUTE, "unquoted": _UNQUOTED}
    return {place: _printer(_markup(references, forbidden, check), check=check) for place, references in places.items()}


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


def _csv_printers(delimiter: str, formula_guard: bool) -> dict[str, Printer]:
    special = re.compile(f'[{re.escape(delimiter)}"\r\n]')

    def guard(text: str) -> str:
        return guarded(_whole(text)) if formula_guard else _whole(text)

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

    def many(texts: Sequence[str]) -> Sequence[str]:
        quotes = special.search(_whole(SEPARATOR.join(texts)))
        if formula_guard:
            texts = [text if text[:1] in HARMLESS_STARTS else guarded(text) for text in texts]
        if quotes:
            return ['"' + text.replace('"', '""') + '"' if special.search(text) else text for text in texts]
        return texts

    def many_quoted(texts: Sequence[str]) -> Sequence[str]:
        return list(map(quoted, texts))

    return {
        "plain": _printer(outside, numbers_pass(outside), many=many),
        "quoted": _printer(quoted, numbers_pass(quoted), many=many_quoted),
    }


def csv_delimiter(first_line: str) -> str:
    """The one of ``; , tab |`` that the template's first line holds most; a comma where it holds none."""
    return max(",;\t|", key=first_line.count)


def printers(output_format: str, *, formula_guard: bool = True, delimiter: str = ",") -> Mapping[str, Escape]:
    """Place → escape function for one value; see ``place_printers``."""
    table = place_printers(output_format, formula_guard=formula_guard, delimiter=delimiter)
    return {place: printer.one for place, printer in table.items()}


def place_printers(output_format: str, *, formula_guard: bool = True, delimiter: str = ",") -> Mapping[str, Printer]:
    """Place → printer.

    ``plain``, ``quoted`` (CSV, JSON: between the template's own quotes), ``attribute`` and ``unquoted`` (markup:
    attributes with and without quotes), ``cdata`` (XML), ``raw`` (escaping switched off).
    """
    check = _whole
    table: dict[str, Printer]
    match output_format:
        case "HTML" | "PDF":
            table = _markup_printers("\ud800-\udfff", _whole)
        case "XML":
            check = _legal_xml
            table = {**_markup_printers(_FORBIDDEN_IN_XML, check), "cdata": _printer(_cdata, check=check)}
        case "CSV":
            table = _csv_printers(delimiter, formula_guard)
        case "JSON":
            table = {"plain": _printer(_json_string, _json_outside), "quoted": _printer(_json_string, _json_quoted)}
        case _:
            table = {"plain": _printer(_whole)}
    table["raw"] = _raw(table["plain"].one, check)
    for place in ("quoted", "attribute", "unquoted", "cdata"):
        table.setdefault(place, table["plain"])
    return table


def _raw(plain_place: Escape, check: Callable[[str], str]) -> Printer:
    def unescaped(value: Any) -> str:
        if type(value) is EscapedText:
            return plain_place(value)
        return "" if value is None else check(text_of(value))

    return _printer(check, unescaped, check)
