"""How large an image is, from its first bytes, before anything decodes it."""

import io

import imagesize  # type: ignore[import-untyped]

_KINDS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"RIFF")
"""How the kinds of images begin that the engine decodes; SVG is text, and looked at as such."""


class NotAnImage(ValueError):
    """The bytes are no image made of pixels."""


def pixels(content: bytes) -> int:
    """Width times height. Raises ``NotAnImage``."""
    if not content.startswith(_KINDS):
        raise NotAnImage
    try:
        width, height = imagesize.get(io.BytesIO(content))
    except (ValueError, ArithmeticError, LookupError, OSError) as error:
        raise NotAnImage from error
    if width <= 0 or height <= 0:
        raise NotAnImage
    return int(width) * int(height)
