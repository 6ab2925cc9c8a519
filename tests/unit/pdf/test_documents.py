"""Documents in PDF as a reader sees them: pages, running text, bookmarks, fonts, and the same bytes every time."""

import io
import json
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pikepdf
import pypdfium2  # type: ignore[import-untyped]
import pytest
from reporter.errors import ReportFailure
from reporter.formats.pdf.bookmarks import mark_headings
from reporter.renderer.client import Job, Renderer

from local.fonts import FOLDER, covered
from tests.unit.pdf.conftest import LIMITS, NOW, Making

STATEMENT = """<!DOCTYPE html><html lang="pt"><head><title>Extrato de São João</title>
<meta name="author" content="Banco Ação"><meta name="description" content="Contas"><style>
@page { size: A5 landscape; margin: 20mm 15mm; @top-left { content: element(head) }
        @bottom-right { content: "page " counter(page) " of " counter(pages) } }
.head { position: running(head) } h1 { break-before: page } .n { text-align: right }
table { width: 100%; border-collapse: collapse }</style></head><body><div class="head">Banco Ação, S.A.</div>
<p>Capa</p><h1>Conta é nº 1</h1><h2 id="own">Movimentos</h2><h2 id="não simples">Resumo &amp; fim</h2>
<table><thead><tr><th>Data</th><th class="n">Valor</th></tr></thead><tbody>
{% for r in erp.t %}<tr><td>{{ r.a }}</td><td class="n">{{ r.b|number:"1.234,56" }}</td></tr>
{% endfor %}</tbody></table><h1>Conta 2</h1></body></html>"""
ROWS = [(f"lançamento {number}", Decimal(number * 12345) / 100) for number in range(60)]


def opened(content: bytes) -> pikepdf.Pdf:
    return pikepdf.open(io.BytesIO(content))


def test_a_document_has_its_pages_running_text_and_repeated_heads(pdf: Making) -> None:
    made = pdf(STATEMENT, ROWS)
    pages = made.pages
    assert len(pages) > 4
    for number, page in enumerate(pages, start=1):
        assert f"page {number} of {len(pages)}" in page
        assert "Banco Ação, S.A." in page
    table = [page for page in pages if "lançamento" in page]
    assert len(table) > 2
    assert all("Data Valor" in page for page in table)
    assert "Conta 2" in pages[-1]
    with pypdfium2.PdfDocument(made.content) as document:
        assert {tuple(round(side) for side in page.get_size()) for page in document} == {(595, 420)}


def test_every_amount_is_in_the_text_and_ends_at_the_same_place(pdf: Making) -> None:
    made = pdf(STATEMENT, ROWS)
    for _name, amount in ROWS:
        whole, cents = f"{amount:,.2f}".replace(",", ".").rsplit(".", 1)
        assert f"{whole},{cents}" in made.text
    ends: set[int] = set()
    with pypdfium2.PdfDocument(made.content) as document:
        for page in document:
            text = page.get_textpage()
            for line in range(text.count_rects()):
                left, _bottom, right, _top = text.get_rect(line)
                if text.get_text_bounded(left, _bottom, right, _top).strip().replace(".", "").replace(",", "").isdigit():
                    ends.add(round(right))
    assert len(ends) == 1


def test_headings_become_bookmarks_and_what_says_who_made_it_is_there(pdf: Making) -> None:
    document = opened(pdf(STATEMENT, ROWS).content)
    with document.open_outline() as outline:
        found = [(item.title, [child.title for child in item.children]) for item in outline.root]
        assert found == [("Conta é nº 1", ["Movimentos", "Resumo & fim"]), ("Conta 2", [])]
        names = {item.destination for item in outline.root} | {c.destination for i in outline.root for c in i.children}
    assert {str(name) for name in names} <= set(pikepdf.NameTree(document.Root.Names.Dests))
    assert {name: str(value) for name, value in document.docinfo.items()} == {
        "/Title": "Extrato de São João",
        "/Author": "Banco Ação",
        "/Subject": "Contas",
        "/Creator": "Reporter",
        "/Producer": str(document.docinfo["/Producer"]),
        "/CreationDate": "D:20260102030405Z",
    }
    assert not document.check_pdf_syntax()


def test_a_document_without_headings_has_no_outline(pdf: Making) -> None:
    document = opened(pdf("<p>Recibo</p>").content)
    assert "/Outlines" not in document.Root
    assert not document.check_pdf_syntax()


def test_the_same_data_and_clock_make_the_same_bytes(pdf: Making) -> None:
    first = pdf(STATEMENT, ROWS)
    assert first.content == pdf(STATEMENT, ROWS).content
    later = pdf(STATEMENT, ROWS, now=NOW + timedelta(seconds=1)).content
    assert len(later) == len(first.content)
    assert sum(a != b for a, b in zip(later, first.content, strict=True)) == 1


@pytest.mark.parametrize(
    "family", ["sans-serif", "serif", "monospace", "Arial", "Times New Roman", "Courier New", "Unheard Of"]
)
@pytest.mark.parametrize("style", ["", "font-weight:bold", "font-style:italic", "font-weight:bold;font-style:italic"])
def test_every_family_and_style_draws_every_script(pdf: Making, family: str, style: str) -> None:
    text = "Ação Žluťoučký ŐŰ ĞİŞ Ελληνικά Кириллица Ѓќ € ₺ ½ − ✓ → ★ ∑ 😀 📄"
    made = pdf(f"<p style=\"font-family:'{family}';{style};font-size:13.7px\">{text}</p>")
    assert made.text == text
    assert made.warnings == ""


def test_all_fonts_travel_with_the_document(pdf: Making) -> None:
    document = opened(pdf("<p>sans <b>b</b> <i>i</i> ✓ 📄</p><p style='font-family:monospace'>mono</p>").content)
    fonts = [found for found in document.objects if isinstance(found, pikepdf.Dictionary) and "/FontName" in found]
    assert len(fonts) >= 5
    assert all("/FontFile2" in font or "/FontFile" in font or "/FontFile3" in font for font in fonts)


def test_a_character_without_a_glyph_is_a_warning_wherever_it_comes_from(pdf: Making) -> None:
    made = pdf("<p>&#20013; 日 {% for r in erp.t %}{{ r.a }}{% endfor %} ok\u200d\ufe0f\xad</p>", [("ท", 1)])
    assert made.warnings == "no font has a glyph for ท (U+0E17), 中 (U+4E2D), 日 (U+65E5)"


def test_what_the_fonts_cover_is_written_down_rightly() -> None:
    assert json.loads((FOLDER / "coverage.json").read_text()) == covered()


def test_fonts_are_few_enough_to_stay_open() -> None:
    """The engine keeps ten open; one more would have to be opened again where nothing can be."""
    assert len(list(FOLDER.glob("*.ttf"))) <= 10


def test_values_are_escaped_as_in_html(pdf: Making) -> None:
    hostile = "<script>x</script><img src=http://127.0.0.1/> & \"q\" 'a'"
    made = pdf("<p>{% for r in erp.t %}{{ r.a }}{% endfor %}</p>", [(hostile, 1)])
    assert (made.text, made.warnings) == (hostile, "")


def links(content: bytes) -> set[str]:
    with opened(content) as document:
        found = [note for page in document.pages for note in page.get("/Annots", [])]
        return {str(note.A.URI) if "/A" in note else f"#{note.Dest}" for note in found}


def test_links_lead_to_the_web_a_mailbox_a_telephone_and_into_the_document(pdf: Making) -> None:
    good = ["https://example.com/a?b=1&amp;c=2", "HTTP://example.com/", "mailto:a@example.com", "tel:+5511999"]
    made = pdf("".join(f'<p><a href="{address}">x</a>' for address in good) + "<a href='#there'>y</a><p id=there>z")
    expected = {"https://example.com/a?b=1&c=2", "http://example.com/", "mailto:a@example.com", "tel:+5511999", "#there"}
    assert (links(made.content), made.warnings) == (expected, "")


@pytest.mark.parametrize(
    "attribute",
    [
        "href='javascript:alert(1)'",
        'href="JavaScript:alert(1)"',
        "href=vbscript:x",
        "href='&#106;avascript:alert(1)'",
        "href='java\tscript:alert(1)'",
        "href=' \x01file:///etc/passwd'",
        "href='FILE:///etc/passwd'",
        "href='page.html'",
        "href='//example.com/'",
        "title='>' href='javascript:alert(1)'",
        "href='https://example.com/' href='javascript:alert(1)'",
        "xlink:href='javascript:alert(1)'",
    ],
)
def test_other_links_are_plain_text(pdf: Making, attribute: str) -> None:
    made = pdf(f"<p><a {attribute}>words</a><svg><a {attribute}><text y='9'>drawn</text></a></svg>")
    assert links(made.content) <= {"https://example.com/"}
    assert "words" in made.text
    assert "was left out" in made.warnings


def test_a_value_cannot_make_a_link_run_something(pdf: Making) -> None:
    made = pdf(
        '{% for r in erp.t %}<a href="{{ r.a }}">{{ r.b }}</a> {% endfor %}', [("javascript:x", 1), ("https://e.x/", 2)]
    )
    assert links(made.content) == {"https://e.x/"}


def test_where_the_engine_is_missing_a_report_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the functions without its layer."""
    fonts = str(FOLDER.parent)
    monkeypatch.setattr("sys.path", [path for path in sys.path if path != fonts])
    renderer = Renderer(LIMITS)
    try:
        assert renderer.render(Job("x", "HTML", {}, [], NOW), tmp_path).size == 1
        (tmp_path / "document").unlink()
        with pytest.raises(ReportFailure) as failure:
            renderer.render(Job("x", "PDF", {}, [], NOW), tmp_path)
    finally:
        renderer.close()
    assert failure.value.code == "FORMAT_NOT_AVAILABLE"


NO_HEADINGS = "<!-- <h1>a</h1> --><style>h1 { content: '<h1>b</h1>' }</style><h1></h1><h2> <b></b> </h2><p>h1"
"""What only looks like headings, or has nothing to show."""


def test_only_headings_that_a_reader_sees_are_bookmarks(pdf: Making) -> None:
    assert mark_headings(NO_HEADINGS) == (NO_HEADINGS, [])
    html = "<H3 class='x' ID = 'own'>A <i>b</i> &lt;c&gt;<br>d</H3><h1\nid='own'>e</h1><h2>f"
    document = opened(pdf(NO_HEADINGS + html).content)
    with document.open_outline() as outline:
        assert [(item.title, item.children) for item in outline.root] == [("A b <c> d", []), ("e", [])]
