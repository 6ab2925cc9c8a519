"""The form of an upload: what was sent, and what the form alone shows to be wrong with it."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from reporter.document import CONTENT_TYPES
from reporter.errors import FieldProblem, RequestError
from reporter.request import parse_time_zone

MAX_DESCRIPTION = 1000
MAX_FILE_NAME = 255
MAX_DAYS = 3650


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A form as sent; None where a part is missing. ``file_name`` and ``content`` come together."""

    file_name: str | None = None
    content: bytes | None = None
    output_format: str | None = None
    description: str | None = None
    time_zone: str | None = None
    formula_guard: str | None = None
    expires_after_days: str | None = None
    xml_schema: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewForm:
    """A template's form with rows, or with filters for the rows of the data sources: JSON as sent, None where missing."""

    upload: Upload
    data: str | None = None
    filters: str | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """What its caller must be allowed besides uploading: who chooses rows could as well order a report."""
        return () if self.filters is None else ("reports:post",)


def require(upload: Upload, *fields: tuple[str, str | None]) -> None:
    """The file, and text in each of the named fields. Raises ``RequestError`` TPL-0005 or TPL-0001."""
    blank = {name: FieldProblem(message="is required") for name, value in fields if value is None or not value.strip()}
    if upload.content is None:
        raise RequestError.at("TPL-0005", "template", "a file is required")
    if blank:
        raise RequestError("TPL-0001", f"missing or blank: {', '.join(blank)}", blank)


def options_of(upload: Upload) -> dict[str, Any]:
    """The options sent, by their names in ``Template``. Raises ``RequestError`` TPL-0001, 0003 or 0017."""
    if upload.description is not None and not upload.description.strip():
        raise RequestError.at("TPL-0001", "description", "must not be blank")
    if upload.description is not None and len(upload.description) > MAX_DESCRIPTION:
        raise RequestError.at("TPL-0001", "description", f"must not be longer than {MAX_DESCRIPTION} characters")
    return {
        name: value
        for name, value in {
            "output_format": None if upload.output_format is None else _format(upload.output_format),
            "description": upload.description,
            "time_zone": None if upload.time_zone is None else parse_time_zone(upload.time_zone),
            "formula_guard": None if upload.formula_guard is None else _switch(upload.formula_guard),
            "expires_after_days": None if upload.expires_after_days is None else _days(upload.expires_after_days),
        }.items()
        if value is not None
    }


def _format(text: str) -> str:
    if text.strip().upper() not in CONTENT_TYPES:
        raise RequestError.at("TPL-0003", "outputFormat", f"must be one of {', '.join(CONTENT_TYPES)}")
    return text.strip().upper()


def _switch(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise RequestError.at("TPL-0017", "formulaGuard", "must be true or false")
    return text.lower() == "true"


def _days(text: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_DAYS:
        raise RequestError.at("TPL-0017", "expiresAfterDays", f"must be 1 to {MAX_DAYS}")
    return int(text)


def file_of(upload: Upload, output_format: str) -> tuple[bytes, str]:
    """The file's content and its name as it is shown. Raises ``RequestError`` TPL-0002, 0006 or 0007."""
    name = _clean_name(upload.file_name or "")
    wanted = (".tpl", ".xlsx") if output_format == "XLSX" else (".tpl",)
    if not name.lower().endswith(wanted):
        raise RequestError.at("TPL-0002", "template", f"the file's name must end in {' or '.join(wanted)}")
    content = upload.content or b""
    if not content:
        raise RequestError.at("TPL-0006", "template", "the file is empty")
    return content, name


def _clean_name(name: str) -> str:
    """The last part of a path, without control and direction characters; it is shown, never used as a key."""
    # First made plain: a full-width slash is none before, and one after.
    base = unicodedata.normalize("NFKC", name).replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in base if unicodedata.category(c) not in {"Cc", "Cf", "Cs"})[:MAX_FILE_NAME]
