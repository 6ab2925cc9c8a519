"""Markup that tests put documents together from: images in URLs, elements inside one another."""

import base64
import struct
import zlib


def png(width: int, height: int, rows: bytes | None = None) -> bytes:
    """A PNG that says it is so large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    data = zlib.compress((b"\0" + b"\x40\x80\xc0" * width) * height) if rows is None else rows
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def svg(inside: str) -> str:
    return url(f"<svg xmlns='http://www.w3.org/2000/svg'>{inside}</svg>".encode(), "image/svg+xml")


def verbatim(html: str) -> str:
    return "{% verbatim %}" + html + "{% endverbatim %}"


def nested(element: str, times: int) -> str:
    return f"<{element}>" * times + "x" + f"</{element}>" * times


def image(content: bytes, kind: str = "image/png") -> str:
    """An element that shows it."""
    return f'<img src="{url(content, kind)}">'
