"""Workbooks from text: what is typed, how it looks, and that whatever the rows hold comes back equal."""

import hashlib
import tracemalloc
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reporter.errors import ReportFailure, TemplateProblems
from reporter.formats.workbook import cells as workbook_cells
from reporter.formats.workbook import from_text as workbook_from_text
from reporter.language.check import check

from tests.unit.formats.workbook_reading import calamine_values, from_text, openpyxl_values, with_openpyxl

LINE = "{% for r in s.t %}{{ r.a }};{{ r.b }}\n{% endfor %}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made.xlsx"


def rows_of(*values: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [{"a": a, "b": b} for a, b in values]


def test_a_field_of_one_value_is_typed_and_mixed_text_stays_text(path: Path) -> None:
    template = (
        'number;decimal;when;day;yes;nothing;"a ""quoted""; text";mixed\n'
        '{{ 7 }};"{{ 1.50 }}";{{ s.t.0.a }};{{ s.t.0.b }};{{ true }};{{ null }};{{ "=1+1" }};up to {{ 1.50 }}\n'
    )
    from_text(path, template, rows_of((datetime(2024, 1, 2, 3, 4, 5), date(2024, 2, 29))))
    header, values = openpyxl_values(path)["Sheet1"]
    assert header == ["number", "decimal", "when", "day", "yes", "nothing", 'a "quoted"; text', "mixed"]
    when, day = datetime(2024, 1, 2, 3, 4, 5), datetime(2024, 2, 29)
    assert values == [7, 1.5, when, day, True, None, "=1+1", "up to 1.50"]
    sheet = with_openpyxl(path)["Sheet1"]
    assert [cell.data_type for cell in sheet[2]] == ["n", "n", "d", "d", "b", "n", "s", "s"]
    assert [cell.number_format for cell in sheet[2]][:4] == ["0", "#,##0.00", "yyyy-mm-dd hh:mm:ss", "yyyy-mm-dd"]


def test_a_header_is_styled_frozen_filterable_and_as_wide_as_what_stands_below(path: Path) -> None:
    from_text(path, "account;amount\n" + LINE, rows_of(("a name of some length, whoever has it", Decimal("1.00")), ("b", 2)))
    sheet = with_openpyxl(path)["Sheet1"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:B3"
    assert sheet["A1"].font.b
    assert (sheet["A1"].alignment.horizontal, sheet["B1"].alignment.horizontal) == ("left", "right")
    assert sheet.column_dimensions["A"].width > 37 > sheet.column_dimensions["B"].width


def test_rows_without_a_header_are_neither_frozen_nor_filtered(path: Path) -> None:
    from_text(path, LINE, rows_of((1, "x")))
    sheet = with_openpyxl(path)["Sheet1"]
    assert (sheet.freeze_panes, sheet.auto_filter.ref, sheet["A1"].font.b) == (None, None, False)


def test_tags_on_lines_of_their_own_make_no_rows_but_blank_lines_do(path: Path) -> None:
    template = "a\n{% for r in s.t %}\n  {% if r.a %}\n{{ r.a }}\n  {% endif %}\n{% endfor %}\n\nend\n"
    from_text(path, template, rows_of((1, 1), (0, 0), (2, 2)))
    assert [row[0] for row in calamine_values(path)["Sheet1"]] == ["a", 1, 2, "", "end"]


def test_what_conditions_and_loops_put_side_by_side_is_one_text(path: Path) -> None:
    template = (
        "{% for r in s.t %}{{ r.a }}{% endfor %};{% if 1 %}-{% endif %}{{ 5 }};{% if 1 %}{{ 5 }}{% else %}x{% endif %};\n"
    )
    from_text(path, template, rows_of(("<a>", 1), (True, 1), (date(2024, 1, 2), 1), (Decimal("1.50"), 2), ("_x000B_", 3)))
    assert openpyxl_values(path)["Sheet1"] == [["<a>True2024-01-021.50_x000B_", "-5", 5, None]]


def test_calculated_numbers_are_numbers_and_formatted_ones_text(path: Path) -> None:
    template = (
        '{% calc 1 / 4 %};{% sum_by s.t by "a" %};{{ 2|floatformat:2 }};{{ 2|number:"1,00" }};{{ 7|stringformat:"03d" }}\n'
    )
    from_text(path, template, rows_of((Decimal("1.10"), 1)))
    assert openpyxl_values(path)["Sheet1"] == [[0.25, 1.1, 2, "2,00", "007"]]


def test_what_macros_and_blocks_capture_is_one_text(path: Path) -> None:
    template = (
        "{% macro m(x) %}<{{ x }};{% endmacro %}{% set c %}{{ 1 }};2{% endset %}"
        "{{ m(1) }};{{ c }};{% filter upper %}a;{{ 1 }}{% endfilter %}\n"
    )
    from_text(path, template)
    assert openpyxl_values(path)["Sheet1"] == [["<1;", "1;2", "A;1"]]


def test_each_sheet_tag_begins_a_sheet_and_names_are_made_fit(path: Path) -> None:
    names = ["a/b", "A_B", "History", "'q'", "", "x" * 40, "😀" * 16, "Sheet5"]
    template = 'before;x\n{% for n in names %}{% sheet n %}\nhead;er\n{{ loop.index }};{{ "x" }}\n{% endfor %}'
    template = template.replace("names", str(names))
    warnings = from_text(path, template)
    made = openpyxl_values(path)
    assert list(made) == ["Sheet1", "a_b", "A_B (2)", "History_", "q", "Sheet6", "x" * 31, "😀" * 15, "Sheet5"]
    assert made["q"] == [["head", "er"], [4, "x"]]
    assert any("'History' is called 'History_'" in warning for warning in warnings)
    assert len(warnings) == 6


def test_a_template_that_prints_nothing_is_a_workbook_with_an_empty_sheet(path: Path) -> None:
    from_text(path, "{% for r in s.t %}{{ r.a }}{% endfor %}\n")
    assert openpyxl_values(path) == {"Sheet1": []} or openpyxl_values(path) == {"Sheet1": [[None]]}


def test_numbers_that_a_spreadsheet_cannot_hold_exactly_are_text_and_told_of(path: Path) -> None:
    exact = [
        Decimal("999999999999999"),
        Decimal("1234567890123.45"),
        10**20,
        Decimal("0.000000000000001"),
        Decimal("-5E-20"),
    ]
    inexact: list[Decimal | int] = [
        Decimal("1234567890123456"),
        Decimal("12345678901234567.89"),
        10**15 + 1,
        Decimal("0.1000000000000001"),
    ]
    warnings = from_text(path, LINE, rows_of(*((n, 0) for n in exact + inexact)))
    values = [row[0] for row in openpyxl_values(path)["Sheet1"]]
    assert [Decimal(repr(value)) for value in values[: len(exact)]] == exact
    assert values[len(exact) :] == [format(n, "f") for n in (Decimal(n) for n in inexact)]
    assert warnings == [
        "sheet Sheet1, cell A6: a number has more than 15 digits, more than a spreadsheet's numbers hold, and is written"
        " as text (4 such cells in the sheet)"
    ]


def test_times_with_a_zone_are_written_in_utc_and_say_so(path: Path) -> None:
    moment = datetime(2024, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=3)))
    from_text(path, LINE, rows_of((moment, moment.replace(microsecond=250_000))))
    first, second = with_openpyxl(path)["Sheet1"][1]
    assert (first.value, first.number_format) == (datetime(2023, 12, 31, 22, 30), 'yyyy-mm-dd hh:mm:ss" UTC"')
    assert second.value == datetime(2023, 12, 31, 22, 30, 0, 250_000)


def test_dates_from_before_march_1900_are_text(path: Path) -> None:
    from_text(path, LINE, rows_of((date(1900, 2, 28), datetime(1, 1, 1)), (date(1900, 3, 1), datetime(9999, 12, 31))))
    early, late = openpyxl_values(path)["Sheet1"]
    assert early == ["1900-02-28", "0001-01-01T00:00:00"]
    assert late == [datetime(1900, 3, 1), datetime(9999, 12, 31)]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x" * 32_768, "cell B250: a text has 32768"),
        ("😀" * 16_384, "a text has 32768"),
        ("\ud800", "cell B250: a text holds"),
    ],
)
def test_what_no_cell_can_hold_names_sheet_and_cell(path: Path, value: str, said: str) -> None:
    rows = rows_of(*[(n, "x" * 32_767 if n == 7 else n) for n in range(249)], (249, value), (250, 0))
    with pytest.raises(ReportFailure, match=f"sheet Sheet1, {'' if 'cell' in said else 'cell B250: '}{said}") as failure:
        from_text(path, LINE, rows)
    assert failure.value.code == "DOCUMENT_INVALID"


def test_more_rows_or_columns_than_a_sheet_has_are_an_error_and_never_lost(path: Path, monkeypatch: Any) -> None:
    for module in (workbook_cells, workbook_from_text):
        monkeypatch.setattr(module, "MOST_ROWS", 1000)
    from_text(path, "a;b\n" + LINE, rows_of(*[(n, n) for n in range(999)]))
    assert len(openpyxl_values(path)["Sheet1"]) == 1000
    with pytest.raises(ReportFailure, match="sheet Sheet1 has more than 1000 rows"):
        from_text(path, "a;b\n" + LINE, rows_of(*[(n, n) for n in range(1000)]))
    from_text(path, "{% for n in range(16384) %}{{ n }}{% if not loop.last %};{% endif %}{% endfor %}\n")
    with pytest.raises(ReportFailure, match="cell XFE1: a sheet has more than 16384 columns"):
        from_text(path, "{% for n in range(16385) %}{{ n }}{% if not loop.last %};{% endif %}{% endfor %}\n")


def test_the_same_data_at_the_same_time_make_the_same_bytes(path: Path) -> None:
    digests = set()
    for _time in range(2):
        from_text(path, 'a;b\n{% sheet "x" %}' + LINE, rows_of(*[(n, str(n)) for n in range(500)]))
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1
    with ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {part.date_time for part in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_memory_stays_flat_however_many_rows_there_are(path: Path) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        from_text(
            path,
            "a;b\n{% for r in range(100) %}{% for q in range("
            + str(count)
            + ") %}{{ r }};x{{ q }}\n{% endfor %}{% endfor %}",
        )
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(300) < peak(30) + 200_000


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ('{% macro m() %}{% sheet "x" %}{% endmacro %}{{ m() }}', "a sheet cannot begin here"),
        ('a;"b{% sheet "x" %}"', "a sheet cannot begin here"),
        ("a;b\n\x02c", "U\\+0002"),
    ],
)
def test_what_cannot_become_a_workbook_is_refused_at_upload(template: str, said: str) -> None:
    with pytest.raises(TemplateProblems, match=said) as problems:
        check(template, "XLSX", {})
    assert problems.value.code == "TPL-0007"


@pytest.mark.parametrize("output_format", ["CSV", "HTML", "XML", "TXT", "JSON"])
def test_only_workbooks_have_sheets(output_format: str) -> None:
    with pytest.raises(TemplateProblems, match="line 2, column 4: only workbooks"):
        check('<a/>\n{% sheet "x" %}', output_format, {})


DECIMALS = st.decimals(-(10**12), 10**12, places=2)
HOSTILE = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\uffff"), max_size=30),
    st.text("=+-@;,\t\n\r\"'&<>_x0041 \x00\x0b\x1f\ufffe😀é", max_size=12),
    st.sampled_from(["=1+1", "@SUM(A1)", "-1", "+55 11", "_x000D_", "]]>", " x ", "\n", "{{ 7*7 }}", "1e5", "TRUE", "1/2"]),
    st.integers(-(10**14), 10**14),
    DECIMALS,
    st.booleans(),
    st.none(),
    st.dates(date(1900, 3, 1)),
    st.datetimes(datetime(1900, 3, 1)).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)),
    st.datetimes(datetime(1950, 3, 1), datetime(9000, 1, 1), timezones=st.just(UTC)).map(lambda m: m.replace(microsecond=0)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=40))
def test_every_reader_gives_back_what_the_rows_held(path: Path, values: list[tuple[Any, Any]]) -> None:
    from_text(path, "a;b\n" + LINE, rows_of(*values))
    first_read, second_read = openpyxl_values(path)["Sheet1"][1:], calamine_values(path)["Sheet1"][1:]
    # Empty rows at the end are none to the second reader.
    second_read += [["", ""]] * (len(first_read) - len(second_read))
    for row, read, read_too in zip(values, first_read, second_read, strict=True):
        for value, first, second in zip(row, read, read_too, strict=True):
            assert_same(value, first)
            assert_same(value, second)


def assert_same(value: Any, read: Any) -> None:
    if value is None or value == "":
        assert read in (None, "")
    elif isinstance(value, bool | str):
        # The second reader knows the escapes of control characters, but not those of the two non-characters.
        read = read.replace("_xFFFE_", "\ufffe") if isinstance(value, str) and "\ufffe" in value else read
        assert (read, type(read)) == (value, type(value))
    elif isinstance(value, datetime):
        read = read if isinstance(read, datetime) else datetime(read.year, read.month, read.day)
        assert abs(read - value.replace(tzinfo=None)) < timedelta(milliseconds=1)
    elif isinstance(value, date):
        assert read in (value, datetime(value.year, value.month, value.day))
    else:
        assert Decimal(repr(read)) == value
