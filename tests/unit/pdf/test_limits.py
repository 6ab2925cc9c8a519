"""What a document in PDF may cost: every limit has its error, and whatever a document holds ends soon and in bounds."""

import struct
import time
from dataclasses import replace
from pathlib import Path

import pytest
from reporter.command_line import main
from reporter.errors import ReportFailure
from reporter.formats.pdf.limits import PdfLimits
from reporter.renderer.client import Job, Renderer

from tests.unit.pdf.conftest import LIMITS, MB, NOW, PDF_LIMITS, Making
from tests.unit.pdf.hostile import HOSTILE
from tests.unit.pdf.markup import image, nested, png, svg, url, verbatim


def many_rows(count: int) -> str:
    """Rows by the template language, which counts only to 99,999 at once."""
    return f"<table>{{% for i in range({count}) %}}<tr><td>{{{{ i }}}}</td><td>text and text</td></tr>{{% endfor %}}</table>"


def held(content: bytes, times: int = 1) -> str:
    """An image in SVG images, so many of them around it."""
    inside = f"<image href='{url(content)}'/>"
    for _ in range(times - 1):
        inside = f"<image href='{svg(inside)}'/>"
    return f'<img src="{svg(inside)}">'


BIG = png(2000, 501, b"")
LONG = "A" * 100_001
GIF = b"GIF89a" + struct.pack("<HH", 30000, 30000) + bytes(30)
PAST_A_LIMIT = {
    "pages": ("{% for i in range(51) %}<p style='break-before: page'>x</p>{% endfor %}", "TEMPLATE_OUTPUT", "50"),
    "HTML bytes": ("{% for i in range(90000) %}<p>" + "é" * 30 + "</p>{% endfor %}", "TEMPLATE_OUTPUT", "4194304"),
    "nesting": (nested("div", 101), "TEMPLATE_RECURSION", "100"),
    "nesting, never closed": ("<b><i>" * 51, "TEMPLATE_RECURSION", "100"),
    "nesting by a loop": ("{% for i in range(99) %}<section><p>x<i>{% endfor %}", "TEMPLATE_RECURSION", "100"),
    "nesting in SVG": ("<svg>" + nested("g", 101) + "</svg>", "TEMPLATE_RECURSION", "100"),
    "nesting in an SVG image": (f'<img src="{svg(nested("g", 101))}">', "TEMPLATE_RECURSION", "100"),
    "pixels of one image": (image(BIG), "TEMPLATE_OUTPUT", "1000000"),
    "pixels of all": ("".join(image(png(1000, height, b"")) for height in (400, 401, 402)), "TEMPLATE_OUTPUT", "1000000"),
    "pixels in a style": (f'<p style="background: url({url(BIG)})">', "TEMPLATE_OUTPUT", "1000000"),
    "pixels in an SVG image": (held(BIG), "TEMPLATE_OUTPUT", "1000000"),
    "pixels in an SVG image in one": (held(BIG, 2), "TEMPLATE_OUTPUT", "1000000"),
    "pixels of several SVG images": (
        "".join(held(png(1000, height, b"")) for height in (400, 401, 402)),
        "TEMPLATE_OUTPUT",
        "1000000",
    ),
    "pixels of a GIF": (image(GIF, "image/gif"), "TEMPLATE_OUTPUT", "1000000"),
    "data URL": (image(png(9, 9) + bytes(100_000)), "TEMPLATE_OUTPUT", "100000"),
    "data URL by references": (f'<img src="&#100;ata&colon;image/png;base64,{LONG}">', "TEMPLATE_OUTPUT", "100000"),
    "data URL by CSS escapes": (
        f'<p style="background: url(\\64 ata:image/png;base64,{LONG})">',
        "TEMPLATE_OUTPUT",
        "100000",
    ),
    "data URL over lines": (f'<img src="da\nta:image/png;base64,{LONG}">', "TEMPLATE_OUTPUT", "100000"),
    "time": ("<table><tr><td>" * 30, "TEMPLATE_TIMEOUT", "seconds"),
    "images in images": (held(png(1, 1), 5), "DOCUMENT_INVALID", "3"),
}


@pytest.mark.parametrize("name", PAST_A_LIMIT)
def test_past_a_limit_a_document_ends_with_its_error(pdf: Making, name: str) -> None:
    template, code, said = PAST_A_LIMIT[name]
    with pytest.raises(ReportFailure) as failure:
        pdf(template if "{%" in template else verbatim(template), seconds=3 if name == "time" else None)
    assert failure.value.code == code
    assert said in failure.value.message


NOT_IMAGES = {
    "font": "@font-face {{ font-family: q; src: url({font}) }} p {{ font-family: q }}",
    "font as octets": "@font-face {{ font-family: q; src: url({octets}) }}",
    "font as an image": "@font-face {{ font-family: q; src: url({image}) }}",
    "font escaped": "@f\\6fnt-face {{ font-family: q; src: url('d\\61 ta:font/ttf;base64,AAEAAAAKAIAAAwAg') }}",
    "style sheet": "@import '{css}'; @import url(data:text/css,p%7Bcolor:red%7D);",
    "HTML": "p {{ background: url('data:text/html,<img src=x>') }}",
}
FONT = b"\x00\x01\x00\x00\x00\x0a\x00\x80\x00\x03\x00\x20" + bytes(range(256)) * 4


@pytest.mark.parametrize("name", NOT_IMAGES)
def test_data_that_is_no_image_is_refused(pdf: Making, name: str) -> None:
    """Fonts with malformed tables above all: they come with the project only."""
    kinds = {"font": "font/ttf", "octets": "application/octet-stream", "image": "image/png", "css": "text/css"}
    style = NOT_IMAGES[name].format(**{place: url(FONT, kind) for place, kind in kinds.items()})
    with pytest.raises(ReportFailure, match="data: URL") as failure:
        pdf(verbatim(f"<style>{style}</style><p>x"))
    assert failure.value.code == "DOCUMENT_INVALID"


def test_words_that_look_like_data_are_words(pdf: Making) -> None:
    words = "Data: 02/01/2026, São Paulo. metadata:image/png, data: a, b; Data:12:30, ok"
    made = pdf(f"<p style='content: \"Data: \" counter(page)'>{words}</p>")
    assert (made.text, made.warnings) == (words, "")


SECONDS = 5
ENDS = {"TEMPLATE_TIMEOUT", "TEMPLATE_MEMORY", "TEMPLATE_OUTPUT", "TEMPLATE_RECURSION", "TEMPLATE_ERROR", "DOCUMENT_INVALID"}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_document_holds_it_ends_and_the_next_is_made(pdf: Making, name: str) -> None:
    """Seconds and 256 MB are what these tests give; the contained child has no more."""
    begun = time.monotonic()
    made, code = None, ""
    try:
        made = pdf(verbatim(HOSTILE[name]), seconds=SECONDS)
    except ReportFailure as failure:
        code = failure.code
    assert code in ENDS if made is None else made.content.startswith(b"%PDF-1.7")
    assert time.monotonic() - begun < SECONDS + 10
    assert pdf("<p>next").text == "next"


def test_a_document_is_whole_or_none_however_little_memory_there_is(tmp_path: Path) -> None:
    """The engine does not tell when memory ran out: it leaves out what it could not draw."""
    template = many_rows(2200) + image(png(300, 300)) + "<h1>end</h1>"
    whole: set[str] = set()
    codes: list[str] = []
    renderer = Renderer(LIMITS)
    for megabytes in (9, 11, 12, 13, 14, 15, 17, 20, 28, 256):
        # Each job takes the limits along.
        renderer._limits = replace(LIMITS, memory_bytes=megabytes * MB)
        folder = tmp_path / str(megabytes)
        folder.mkdir()
        try:
            whole.add(renderer.render(Job(template, "PDF", {}, [], NOW), folder).sha256)
        except ReportFailure as failure:
            codes.append(failure.code)
    renderer.close()
    assert set(codes) == {"TEMPLATE_MEMORY"}
    assert len(whole) == 1


def test_the_limits_are_the_settings(pdf: Making) -> None:
    assert PdfLimits() != PDF_LIMITS
    assert pdf("{% for i in range(50) %}<p style='break-before: page'>x</p>{% endfor %}").pages[49] == "x"


def test_past_a_limit_other_formats_are_suggested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The settings reach the child, and the error what else there is."""
    (tmp_path / "t.tpl").write_text("<p>1<p style='break-before: page'>2")
    (tmp_path / "data.json").write_text("{}")
    monkeypatch.setenv("PDF_PAGES", "1")
    command = ["render", str(tmp_path / "t.tpl"), "--format", "PDF", "--data", str(tmp_path / "data.json")]
    assert main([*command, "-o", str(tmp_path / "t.pdf")]) == 1
    said = capfd.readouterr().err
    assert "TEMPLATE_OUTPUT the document has more than 1 pages, 2 in all (PdfPages): " in said
