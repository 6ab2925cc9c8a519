"""A template rendered twice: as it is rendered, and with a row object for every row and every row looked at."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from reporter.errors import ReportFailure
from reporter.indexed_rows import IndexedRows
from reporter.language import render as rendering

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

Outcome = tuple[str, str, list[str] | int | None]
"""The text and the warnings, or an error's code, message and line."""


def outcome(template: str, output_format: str, data: dict[str, Any]) -> Outcome:
    """As templates are rendered."""
    pieces: list[str] = []
    try:
        warnings = rendering.render(template, output_format, data, pieces.append, now=NOW)
    except ReportFailure as failure:
        return failure.code, failure.message, failure.line
    return "text", "".join(pieces), warnings


def plain_outcome(template: str, output_format: str, data: dict[str, Any]) -> Outcome:
    """Without loops over tuples, without indexes, and nothing remembered."""
    with (
        patch.object(rendering, "mark_row_loops", lambda _tree: None),
        patch.object(rendering, "mark_joins", lambda _tree: None),
        patch.object(rendering._Rendering, "_once", lambda _rendering, _name, function: function),
        patch.object(IndexedRows, "matching", lambda *_arguments: None),
    ):
        return outcome(template, output_format, data)
