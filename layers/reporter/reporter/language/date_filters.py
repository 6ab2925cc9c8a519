"""Filters on dates and times."""

from datetime import date, datetime
from typing import Any

from reporter.language.dates import Moment, format_date, moment_of_text
from reporter.language.numbers import TemplateValueError, described
from reporter.language.printing import text_of
from reporter.language.rows import field_of
from reporter.language.selection import with_field


def date_filter(value: Any, layout: Any = "YYYY-MM-DD") -> str:
    """A timestamp, date or ISO text in a layout; nothing for null."""
    if value is None or value == "":
        return ""
    try:
        return format_date(_moment(value, "date"), text_of(layout))
    except TemplateValueError:
        raise
    except ValueError as error:
        raise TemplateValueError(str(error)) from None


def _moment(value: Any, name: str) -> Moment:
    moment = moment_of_text(value.strip()) if isinstance(value, str) else value
    if not isinstance(moment, datetime | date):
        raise TemplateValueError(f"{name} needs a date, not {described(value)}")
    return moment


def add_day(rows: Any, name: Any) -> list[Any]:
    """Rows with an integer field ``dia``: YYYYMMDD of the named field, null where that is null."""
    path = text_of(name)

    def day(row: Any) -> int | None:
        value = field_of(row, path)
        if value is None or value == "":
            return None
        moment = _moment(value, "add_day")
        return moment.year * 10_000 + moment.month * 100 + moment.day

    return with_field(rows, "dia", day)
