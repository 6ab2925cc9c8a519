"""A template as it was uploaded: text, or a workbook that was designed in a spreadsheet."""

from collections.abc import Mapping
from dataclasses import replace

from reporter.errors import TemplateProblems
from reporter.formats.workbook.design import Design
from reporter.formats.workbook.limits import DEFAULT, WorkbookLimits
from reporter.formats.workbook.package import ZIP_MAGIC
from reporter.language.check import CheckedTemplate, check, decoded
from reporter.schema import SourceSchema

TemplateFile = str | bytes
"""The text of a template; bytes where it is a workbook."""


def template_file(content: bytes, output_format: str, file_name: str = "") -> TemplateFile:
    """What the bytes of an upload are. A stored one needs no ``file_name``: no text begins like a workbook.

    Raises ``TemplateProblems`` for text that is none.
    """
    if output_format == "XLSX" and (file_name.lower().endswith(".xlsx") or content.startswith(ZIP_MAGIC)):
        return content
    return decoded(content)


def check_template(
    template: TemplateFile,
    output_format: str,
    schemas: Mapping[str, SourceSchema] | None,
    workbook_limits: WorkbookLimits = DEFAULT,
) -> CheckedTemplate:
    """See ``language.check.check``; problems of a workbook name sheet and cell."""
    if isinstance(template, str):
        return check(template, output_format, schemas)
    design = Design(template, workbook_limits)
    try:
        checked = check(design.text, "WORKBOOK", schemas)
    except TemplateProblems as error:
        raise design.placed(error) from None
    return replace(checked, notices=tuple(map(design.placed_problem, checked.notices)), names_places=True)
