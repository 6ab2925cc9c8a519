"""Making workbooks in a test, and reading them back with two independent readers."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.escape import unescape
from openpyxl.workbook import Workbook
from python_calamine import CalamineWorkbook
from reporter.formats.workbook.from_text import WorkbookFromText
from reporter.formats.writing import DocumentWriter
from reporter.language.render import render

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
Sheets = dict[str, list[list[Any]]]


def from_text(path: Path, template: str, rows: Any = (), **data: Mapping[str, Any]) -> list[str]:
    """Render a template over ``s.t``; the warnings."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        book = WorkbookFromText(DocumentWriter(descriptor, 1 << 30))
        warnings = render(template, "XLSX", {"s": {"t": rows}, **data}, book.write, now=NOW)
        return warnings + book.finish()
    finally:
        os.close(descriptor)


def with_openpyxl(path: Path) -> Workbook:
    """The workbook, with styles."""
    return openpyxl.load_workbook(path)


def openpyxl_values(path: Path) -> Sheets:
    """Values by sheet and row; openpyxl itself leaves the escapes of OOXML as they are."""
    return {
        sheet.title: [[unescape(v) if isinstance(v, str) else v for v in row] for row in sheet.iter_rows(values_only=True)]
        for sheet in with_openpyxl(path)
    }


def calamine_values(path: Path) -> Sheets:
    """Values by sheet and row; whole numbers come as floats, empty cells as empty text."""
    book = CalamineWorkbook.from_path(str(path))
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
