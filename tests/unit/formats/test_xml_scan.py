"""Parts of a stranger's workbook, read with the places of their elements."""

import resource

from reporter.formats.workbook.xml_scan import scan


def processor_seconds() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime + resource.getrusage(resource.RUSAGE_SELF).ru_stime


def test_the_text_of_an_element_is_its_own_joined_around_its_children() -> None:
    root = scan(b"<a>x<b>y</b>z &amp; <c/>&#252;</a>")
    assert (root.text, [child.text for child in root.children]) == ("xz & ü", ["y", ""])


def test_a_long_text_in_many_pieces_costs_no_more_than_its_length() -> None:
    """Copied for each of its pieces, a text of 8 MB would take minutes: 200,000 pieces of 8 MB."""
    begun = processor_seconds()
    assert len(scan(b"<a>" + b"x" * 8_000_000 + b"<b/>y" * 200_000 + b"</a>").text) == 8_200_000
    assert processor_seconds() - begun < 15
