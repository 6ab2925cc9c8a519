"""What a document must be before anyone can see it."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from reporter.errors import ReportFailure
from reporter.formats.verifying import CHUNK_BYTES, verify
from reporter.formats.writing import DocumentWriter

Verifying = Callable[..., None]


@pytest.fixture
def verifying(tmp_path: Path) -> Iterator[Verifying]:
    """``verifying(text or bytes, format, schema)``."""
    descriptor = os.open(tmp_path / "document", os.O_RDWR | os.O_CREAT)

    def check(content: str | bytes, output_format: str = "XML", xml_schema: str | None = None) -> None:
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, content.encode() if isinstance(content, str) else content, 0)
        verify(descriptor, output_format, xml_schema)

    yield check
    os.close(descriptor)


def refused(verifying: Verifying, content: str | bytes, *more: str) -> ReportFailure:
    with pytest.raises(ReportFailure) as failure:
        verifying(content, *more)
    assert failure.value.code == "DOCUMENT_INVALID"
    return failure.value


@pytest.mark.parametrize(
    "content",
    [
        "<a/>",
        '<?xml version="1.0" encoding="UTF-8"?>\n<a b="1">é&amp;<![CDATA[<x>]]><!-- c --></a>\n',
        '<?xml version="1.0"?><a xmlns:x="urn:x"><x:b/></a>',
        "<a>" + "<b>text</b>\n" * (CHUNK_BYTES // 8) + "</a>",
    ],
)
def test_well_formed_xml_passes(verifying: Verifying, content: str) -> None:
    verifying(content)


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("", 1, "no element"),
        ("<a>\n<b></a>", 2, "mismatched tag"),
        ("<a/>\n<b/>", 2, "junk"),
        ("<a>&nbsp;</a>", 1, "undefined entity"),
        ("<a>\n\x0b</a>", 2, "not well-formed"),
        ("<a><x:b/></a>", 1, "unbound prefix"),
        ("<a b='1' b='2'/>", 1, "duplicate attribute"),
        ("text", 1, "not well-formed|syntax error"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>', 1, "encoded in ISO-8859-1"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', 1, "DOCTYPE"),
        ('<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>', 1, "DOCTYPE"),
        ("<a>" + "<b>text</b>\n" * CHUNK_BYTES + "<c></a>", CHUNK_BYTES + 1, "mismatched tag"),
    ],
)
def test_xml_that_is_not_is_refused_with_its_line(verifying: Verifying, content: str, line: int, said: str) -> None:
    failure = refused(verifying, content)
    assert failure.line == line
    assert any(one in failure.message for one in said.split("|"))


def test_a_billion_laughs_cost_nothing(verifying: Verifying) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    refused(verifying, f'<!DOCTYPE a [<!ENTITY l0 "ha">{entities}]><a>&l11;</a>')


def test_json_is_checked_across_chunks_and_characters(verifying: Verifying) -> None:
    verifying('["' + "é€😀" * CHUNK_BYTES + '"]', "JSON")
    assert refused(verifying, '["x",\n' * 5 + "}", "JSON").line == 6


@pytest.mark.parametrize("output_format", ["CSV", "TXT", "HTML"])
def test_formats_without_a_grammar_pass(verifying: Verifying, output_format: str) -> None:
    verifying("<a>&{[", output_format)


XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
<xs:element name="rows"><xs:complexType><xs:sequence>
<xs:element name="row" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
<xs:element name="amount" type="xs:decimal"/>
</xs:sequence><xs:attribute name="id" type="xs:int" use="required"/></xs:complexType></xs:element>
</xs:sequence></xs:complexType></xs:element></xs:schema>"""
ROW = '<row id="1"><amount>1.50</amount></row>\n'


def test_a_document_that_fits_its_schema_passes(verifying: Verifying) -> None:
    verifying(f"<rows>{ROW * 20_000}</rows>", "XML", XSD)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('<row id="1"><amount>1,50</amount></row>', "'1,50' is not a valid value"),
        ('<row id="1"/>', "Missing child element"),
        ("<row><amount>1</amount></row>", "attribute 'id' is required"),
        ("<other/>", "This element is not expected"),
    ],
)
def test_a_document_that_does_not_fit_is_refused_with_line_and_reason(verifying: Verifying, wrong: str, said: str) -> None:
    failure = refused(verifying, f"<rows>\n{ROW * 20_000}{wrong}\n{ROW}</rows>", "XML", XSD)
    assert failure.line == 20_002
    assert said in failure.message


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("<xs:", "cannot be used"),
        ("", "cannot be used"),
        ("<a/>", "cannot be used"),
        (XSD.replace("xs:decimal", "xs:nothing"), "nothing"),
        (XSD.replace("<xs:element", '<xs:include schemaLocation="file:///etc/passwd"/><xs:element', 1), "other doc"),
        (XSD.replace("<xs:element", '<xs:import namespace="u" schemaLocation="http://x/"/><xs:element', 1), "other doc"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + XSD, "DOCTYPE"),
    ],
)
def test_a_schema_that_cannot_be_used_says_so(verifying: Verifying, schema: str, said: str) -> None:
    assert said in refused(verifying, "<rows/>", "XML", schema).message


def test_a_document_cannot_bring_its_own_schema(verifying: Verifying, tmp_path: Path) -> None:
    (tmp_path / "own.xsd").write_text(XSD)
    instance = f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="{tmp_path}/own.xsd"'
    assert refused(verifying, f"<rows {instance}><other/></rows>", "XML", XSD).line == 1


def writer(tmp_path: Path, most: int) -> tuple[DocumentWriter, int]:
    descriptor = os.open(tmp_path / "document", os.O_RDWR | os.O_CREAT)
    return DocumentWriter(descriptor, most), descriptor


def test_half_of_a_surrogate_pair_is_refused_when_written(tmp_path: Path) -> None:
    made, descriptor = writer(tmp_path, 100)
    with pytest.raises(ReportFailure, match="surrogate") as failure:
        made.write("a\ud800b")
    assert (failure.value.code, os.fstat(descriptor).st_size) == ("DOCUMENT_INVALID", 0)
    os.close(descriptor)


def test_size_is_counted_in_bytes_and_bounded(tmp_path: Path) -> None:
    made, descriptor = writer(tmp_path, 7)
    made.write("éé")
    made.write("abc")
    assert made.size == os.fstat(descriptor).st_size == 7
    with pytest.raises(ReportFailure, match="more than 7 bytes") as failure:
        made.write("d")
    assert failure.value.code == "TEMPLATE_OUTPUT"
    os.close(descriptor)


def test_a_full_disk_is_told_apart() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(ReportFailure, match="no room for more than 0 bytes of the document"):
        DocumentWriter(descriptor, 100).write("x")
    os.close(descriptor)


def zipped(**changes: str) -> bytes:
    """The parts of a small workbook, some of them changed."""
    parts = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": "<Relationships/>",
        "xl/workbook.xml": "<workbook/>",
        **changes,
    }
    stream = io.BytesIO()
    with ZipFile(stream, "w") as archive:
        for name, content in parts.items():
            if content:
                archive.writestr(name, content)
    return stream.getvalue()


def test_a_workbook_whose_parts_parse_passes(verifying: Verifying) -> None:
    verifying(zipped(), "XLSX")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (zipped(**{"xl/workbook.xml": "<workbook>"}), "xl/workbook.xml, line 1"),
        (zipped(**{"xl/workbook.xml": "<x:workbook/>"}), "xl/workbook.xml, line 1"),
        (zipped(**{"_rels/.rels": ""}), "a part is missing"),
        (zipped()[:-30], "damaged"),
        (zipped().replace(b"<workbook/>", b"<wXrkbook/>"), "xl/workbook.xml"),
        (b"", "damaged"),
    ],
)
def test_a_workbook_that_readers_would_refuse_is_refused(verifying: Verifying, content: bytes, said: str) -> None:
    assert said in refused(verifying, content, "XLSX").message
