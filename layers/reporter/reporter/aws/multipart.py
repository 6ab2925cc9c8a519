"""``multipart/form-data`` read strictly: every part once, each with a name, nothing cut short."""

from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from reporter.errors import RequestError
from reporter.limit import passed

MAX_PARTS = 16


@dataclass(slots=True)
class Part:
    """One part. ``file_name`` is None for a plain field."""

    name: str
    file_name: str | None
    content: bytes


def parse_form(content_type: str, body: bytes) -> dict[str, Part]:
    """The parts by name. Raises ``RequestError`` TPL-0005."""
    try:
        kind, options = parse_options_header(content_type)
    except ValueError:
        kind, options = b"", {}
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise RequestError.at("TPL-0005", "Content-Type", "must be multipart/form-data with a boundary")
    reader = _Reader()
    try:
        parser = MultipartParser(boundary, reader.callbacks(), max_size=len(body) + 1)
        parser.write(body)
        parser.finalize()
    except (MultipartParseError, FormParserError, ValueError):
        raise RequestError.at("TPL-0005", "body", "is damaged") from None
    if not reader.ended:
        if not body.strip():
            return {}
        if not reader.parts and body.strip().startswith(b"--" + boundary):
            return {}
        raise RequestError.at("TPL-0005", "body", "breaks off before its last boundary")
    return reader.parts


class _Reader:
    def __init__(self) -> None:
        self.parts: dict[str, Part] = {}
        self.ended = False
        self._field = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._content = bytearray()

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_field,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_part_data": self._add_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._headers, self._content = {}, bytearray()

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]

    def _end_part(self) -> None:
        _kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if not name:
            raise RequestError.at("TPL-0005", "body", "a part has no name")
        if name in self.parts:
            raise RequestError.at("TPL-0005", name, "is there twice")
        if len(self.parts) >= MAX_PARTS:
            raise RequestError.at("TPL-0005", "body", passed("has", MAX_PARTS, "parts", "send each field once"))
        file_name = options.get(b"filename")
        shown = None if file_name is None else file_name.decode("utf-8", "replace")
        self.parts[name] = Part(name, shown, bytes(self._content))

    def _end(self) -> None:
        self.ended = True
