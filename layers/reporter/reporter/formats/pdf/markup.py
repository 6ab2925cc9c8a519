"""What is checked in a document's HTML before the engine sees it: how deep it nests, and what it brings along."""

import base64
import html
import re
from binascii import Error as NotBase64
from collections.abc import Iterator
from itertools import accumulate
from urllib.parse import unquote_to_bytes

from reporter.errors import ReportFailure
from reporter.formats.pdf.images import NotAnImage, pixels
from reporter.formats.pdf.limits import PdfLimits
from reporter.limit import passed

MAX_EMBEDDING = 3
"""An SVG image may hold images, which may be SVG again; so often."""

# Elements that hold nothing, and those whose end may be left out, which therefore nest only through others.
_UNCOUNTED = (
    "t[dhr]|p|li|br|col|img|hr|thead|tbody|tfoot|colgroup|dt|dd|option|optgroup|rp|rt|html|head|body"
    "|area|base|embed|input|link|meta|param|source|track|wbr|path|rect|circle|ellipse|line|polyline|polygon|use|stop"
)
_TAG = re.compile(rf"<(/?)(?!(?:{_UNCOUNTED})\b)[a-z][^\s/>]*", re.IGNORECASE)
_SELF_CLOSED = re.compile(r"<(?:g|svg|symbol|defs|text|tspan|image|marker|pattern|mask)\b[^<>]*/>", re.IGNORECASE)
# A URL parser drops tabs and line ends wherever they stand.
_DATA_URL = re.compile(r"""\bd[\t\r\n]*a[\t\r\n]*t[\t\r\n]*a[\t\r\n]*:([^,"'<>()]{0,2000}),""", re.IGNORECASE)
_END = re.compile(r"""["'<>()]""")
_QUOTES = {quote: re.compile(quote) for quote in ('"', "'")}
_UNQUOTED_END = re.compile(r"[)\s>]")
_MEDIA_TYPE = re.compile(r"(?:text|font|application|image|audio|video|multipart|message|model)/", re.IGNORECASE)
# References that the printing of values never makes, and escapes of CSS: either could hide a URL.
_REFERENCE = re.compile(r"&(?:#(?!(?:39|13|10|9);)|colon;|comma;|semi;|sol;|Tab;|NewLine;|lpar;|rpar;)")
_CSS_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})[ \t\r\n\f]?|([^0-9a-fA-F\r\n\f]))")


def check_markup(text: str, limits: PdfLimits) -> None:
    """Raises ``ReportFailure``: TEMPLATE_RECURSION for what nests too deeply, TEMPLATE_OUTPUT for data that is too large,
    DOCUMENT_INVALID for data that may not be.
    """
    _check_nesting(text, limits.nesting)
    _check_data(text, limits, limits.image_pixels)


def _check_nesting(text: str, most: int) -> None:
    steps = (-1 if slash else 1 for slash in _TAG.findall(text))
    if max(accumulate(steps), default=0) <= most:
        return
    # Elements of SVG may be closed where they begin; that is looked for only when it matters.
    steps = (-1 if slash else 1 for slash in _TAG.findall(_SELF_CLOSED.sub("", text)))
    if max(accumulate(steps), default=0) > most:
        message = passed("the document's elements are nested", most, "deep", "nest them less", "PdfNesting")
        raise ReportFailure("TEMPLATE_RECURSION", message)


def _check_data(text: str, limits: PdfLimits, left: int, depth: int = 0) -> int:
    """How many of the pixels that were ``left`` still are, behind the images of this text and those in its SVG images."""
    seen: set[bytes] = set()
    for content in _data(_plain(text), limits.data_url_bytes):
        if content in seen:
            continue
        seen.add(content)
        try:
            left -= pixels(content)
        except NotAnImage:
            left = _check_svg(content, limits, left, depth)
        if left < 0:
            what, advice = "the document's images have", "show fewer or smaller ones"
            raise ReportFailure("TEMPLATE_OUTPUT", passed(what, limits.image_pixels, "pixels", advice, "PdfImagePixels"))
    return left


def _plain(text: str) -> str:
    """The text with everything resolved behind which a URL could hide."""
    if _REFERENCE.search(text):
        text = html.unescape(text)
    return _CSS_ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(found: re.Match[str]) -> str:
    code = int(found[1], 16) if found[1] else 0
    return found[2] or (chr(code) if 0 < code < 0x110000 else "\ufffd")


def _data(text: str, most: int) -> Iterator[bytes]:
    """What the ``data:`` URLs of a text hold. Words like "Data: 02/01/2026, …" are none."""
    for found in _DATA_URL.finditer(text):
        kind = found[1].strip()
        encoded = kind.lower().replace(" ", "").endswith(";base64")
        if not encoded and not _MEDIA_TYPE.match(kind):
            continue
        if not kind.lower().startswith("image/"):
            raise ReportFailure("DOCUMENT_INVALID", "a data: URL may only hold an image")
        end = (_END if encoded else _closing(text, found.start())).search(text, found.end())
        written = text[found.end() : end.start() if end else len(text)]
        if len(written) > most:
            message = passed("a data: URL has", most, "bytes", "show a smaller image", "PdfDataUrlBytes")
            raise ReportFailure("TEMPLATE_OUTPUT", message)
        content = unquote_to_bytes(written)
        try:
            yield base64.b64decode(content) if encoded else content
        except NotBase64:
            raise ReportFailure("DOCUMENT_INVALID", "a data: URL is not what it says") from None


def _closing(text: str, start: int) -> re.Pattern[str]:
    """What ends a URL that begins here: the quote before it, or a bracket or white space."""
    before = text[max(0, start - 20) : start].rstrip()[-1:]
    return _QUOTES.get(before, _UNQUOTED_END)


def _check_svg(content: bytes, limits: PdfLimits, left: int, depth: int) -> int:
    text = content.decode(errors="replace")
    if "<svg" not in text[:2000].lower():
        raise ReportFailure("DOCUMENT_INVALID", "a data: URL holds no image of a kind that documents may have")
    if depth >= MAX_EMBEDDING:
        raise ReportFailure("DOCUMENT_INVALID", passed("images hold images", MAX_EMBEDDING, "deep", "take them out"))
    _check_nesting(text, limits.nesting)
    return _check_data(text, limits, left, depth + 1)
