"""Which characters of a document no font has a glyph for: the reader would see a box."""

import html
import json
import re
import unicodedata
from functools import cache

from reporter.formats.pdf.engine import fonts_folder

MAX_NAMED = 20
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,40});")
# Control, format and private ones, marks that choose a variant, ends of lines: nothing is drawn for them.
_NOT_DRAWN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_VARIANTS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


@cache
def _without_glyph() -> re.Pattern[str]:
    ranges = json.loads((fonts_folder() / "coverage.json").read_text())
    return re.compile("[^" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges) + "\0-\x1f]")


def load() -> None:
    """Read what the fonts cover, which a contained child could not."""
    _without_glyph()


def warnings_for(text: str) -> list[str]:
    """A warning that names them, if there are any."""
    found = set() if text.isascii() else set(_without_glyph().findall(text))
    references = {html.unescape(reference) for reference in set(_REFERENCE.findall(text))}
    found.update(c for characters in references for c in _without_glyph().findall(characters))
    drawn = sorted(c for c in found if unicodedata.category(c) not in _NOT_DRAWN and not _VARIANTS.match(c))
    if not drawn:
        return []
    named = ", ".join(f"{c} (U+{ord(c):04X})" for c in drawn[:MAX_NAMED])
    more = f" and {len(drawn) - MAX_NAMED} more" if len(drawn) > MAX_NAMED else ""
    return [f"no font has a glyph for {named}{more}"]
