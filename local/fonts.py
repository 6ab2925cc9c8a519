"""``python -m local.fonts``: writes down which characters the fonts for PDF documents have glyphs for."""

import json
from pathlib import Path

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

from local.paths import ROOT

FOLDER = ROOT / "layers" / "pdf" / "reporter_fonts"
COVERAGE = FOLDER / "coverage.json"


def covered(folder: Path = FOLDER) -> list[list[int]]:
    """First and last code point of each run of characters that at least one font draws."""
    points: set[int] = set()
    for path in sorted(folder.glob("*.ttf")):
        with TTFont(path, lazy=True) as font:
            points.update(font.getBestCmap())
    ranges: list[list[int]] = []
    for point in sorted(points):
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return ranges


if __name__ == "__main__":
    COVERAGE.write_text(json.dumps(covered(), separators=(",", ":")) + "\n")
