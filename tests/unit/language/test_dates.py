"""Dates: reading ISO text, printing in the three kinds of layouts."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporter.language.date_filters import date_filter
from reporter.language.dates import DAYS, MONTHS, format_date, instant_of, moment_of_text
from reporter.language.numbers import TemplateValueError

AT = datetime(2024, 3, 5, 14, 7, 9, 123456, tzinfo=UTC)
SAO_PAULO = timezone(timedelta(hours=-3))


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("02/01/2006", "05/03/2024"),
        ("2006-01-02T15:04:05Z07:00", "2024-03-05T14:07:09Z"),
        ("2006-01-02 15:04:05.000", "2024-03-05 14:07:09.123"),
        ("Mon, 02 Jan 2006", "Tue, 05 Mar 2024"),
        ("Monday, _2 January 2006", "Tuesday,  5 March 2024"),
        ("3:04 PM", "2:07 PM"),
        ("3:04PM", "2:07PM"),
        ("02/01/06", "05/03/24"),
        ("20060102150405", "20240305140709"),
        ("15:04", "14:07"),
        ("15h04", "14h07"),
        ("1/2/06", "3/5/24"),
        ("dd/MM/YYYY HH:mm:ss", "05/03/2024 14:07:09"),
        ("DD/MM/YYYY", "05/03/2024"),
        ("YYYY-MM-DD HH:mm:SS", "2024-03-05 14:07:09"),
        ("yyyy-MM-dd", "2024-03-05"),
        ("YYMMdd", "240305"),
        ("dd de MMMM de YYYY", "05 de March de 2024"),
        ("YYYY-MM-01", "2024-03-01"),
        ("HH:mm:ss.SSS", "14:07:09.123"),
        ("d/m/Y", "05/03/2024"),
        ("Y-m-01", "2024-03-01"),
        ("01/m/Y", "01/03/2024"),
        ("j M Y", "5 Mar 2024"),
        ("H:i:s", "14:07:09"),
        ("D, jS F Y", "Tue, 5th March 2024"),
        ("N j, Y, P", "March 5, 2024, 2:07 p.m."),
        ("y", "24"),
        ("d \\d\\e F", "05 de March"),
        ("t z L W o", "31 65 True 10 2024"),
        ("r", "Tue, 5 Mar 2024 14:07:09 +0000"),
        ("c", "2024-03-05T14:07:09.123456+00:00"),
        ("U", "1709647629"),
        ("", ""),
    ],
)
def test_a_layout_is_understood_by_what_it_contains(layout: str, text: str) -> None:
    assert format_date(AT, layout) == text


@pytest.mark.parametrize("layout", ["2006-01-02", "YYYY-MM-DD", "Y-m-d"])
@given(st.dates())
def test_the_three_kinds_of_layouts_write_the_same_date(layout: str, day: date) -> None:
    assert format_date(day, layout) == day.isoformat()


@given(st.datetimes())
def test_the_three_kinds_of_layouts_write_the_same_time(at: datetime) -> None:
    expected = at.isoformat(sep=" ", timespec="seconds")
    for layout in ("2006-01-02 15:04:05", "YYYY-MM-DD HH:mm:ss", "Y-m-d H:i:s"):
        assert format_date(at, layout) == expected


@given(st.datetimes(), st.integers(-23 * 60, 23 * 60))
def test_a_time_is_printed_in_its_own_zone_and_reads_back(at: datetime, minutes: int) -> None:
    zoned = at.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    assert moment_of_text(format_date(zoned, "2006-01-02T15:04:05-07:00")) == zoned


def test_a_zone_is_written_as_asked() -> None:
    at = AT.astimezone(SAO_PAULO)
    assert format_date(at, "2006-01-02 15:04 -0700 -07 Z0700") == "2024-03-05 11:07 -0300 -03 -0300"
    assert format_date(at, "H:i O Z") == "11:07 -0300 -10800"


def test_months_and_days_are_english() -> None:
    assert [format_date(date(2024, month, 1), "F") for month in range(1, 13)] == MONTHS
    assert [format_date(date(2024, 1, day), "l") for day in range(1, 8)] == DAYS


def test_midnight_noon_and_ordinals_in_words() -> None:
    assert [format_date(AT.replace(hour=hour, minute=0), "P|f|a|g|h|A") for hour in (0, 12, 13)] == [
        "midnight|12|a.m.|12|12|AM",
        "noon|12|p.m.|12|12|PM",
        "1 p.m.|1|p.m.|1|01|PM",
    ]
    assert [format_date(date(2024, 1, day), "jS") for day in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23)] == [
        *["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd"]
    ]


def test_the_last_month_there_is_has_a_length() -> None:
    assert format_date(date(9999, 12, 31), "t") == "31"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-03-05", date(2024, 3, 5)),
        ("2024-03-05T14:07:09Z", datetime(2024, 3, 5, 14, 7, 9, tzinfo=UTC)),
        ("2024-02-01 08:00:00", datetime(2024, 2, 1, 8)),
        ("2024-03-05T14:07:09.123456789Z", datetime(2024, 3, 5, 14, 7, 9, 123456, tzinfo=UTC)),
    ],
)
def test_iso_text_is_a_moment(text: str, moment: Any) -> None:
    assert moment_of_text(text) == moment


@pytest.mark.parametrize("text", ["", "today", "05/03/2024", "2024-13-01", "2024-02-30", "20240305", "2024", "0000-01-01"])
def test_other_text_is_no_moment(text: str) -> None:
    assert moment_of_text(text) is None
    assert instant_of(text) is None


def test_a_bare_date_is_its_first_moment_in_utc() -> None:
    first = datetime(2024, 3, 5, tzinfo=UTC)
    assert instant_of("2024-03-05") == instant_of(date(2024, 3, 5)) == instant_of(datetime(2024, 3, 5)) == first


@pytest.mark.parametrize("value", [None, ""])
def test_no_date_prints_nothing(value: Any) -> None:
    assert date_filter(value, "d/m/Y") == ""


@pytest.mark.parametrize("value", ["not a date", 5, True, [], {}])
def test_what_is_no_date_is_refused(value: Any) -> None:
    with pytest.raises(TemplateValueError, match="date needs a date"):
        date_filter(value, "d/m/Y")


def test_a_layout_is_bounded() -> None:
    with pytest.raises(TemplateValueError, match="layout"):
        date_filter(AT, "c" * 100_000)
