"""For template authors, without AWS: ``check`` says what is wrong with a template, ``render`` makes its document.

Rendering is the worker's own: the same press, the same contained child, the same limits from the same settings.
"""

import shutil
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reporter.dataset import SpoolWriter
from reporter.document import CONTENT_TYPES
from reporter.errors import ReportFailure, RequestError, TemplateProblems, Unavailable
from reporter.exact_json import parse_json
from reporter.formats.template_file import check_template, template_file
from reporter.given_data import given_path
from reporter.press import Order, make_document, plan
from reporter.renderer.client import Renderer
from reporter.renderer_assembly import render_limits
from reporter.request import parse_time_zone
from reporter.row_filters import check_operators
from reporter.schema import SourceSchema
from reporter.settings import RenderSettings, SettingsError

FINE, PROBLEMS, UNUSABLE = 0, 1, 2
"""How the program ends."""


class Unusable(Exception):
    """An argument that nothing can be done with; the message names it."""


def main(arguments: Sequence[str]) -> int:
    """Runs one command and returns how it ended; what is wrong goes to the standard error, but for ``check``."""
    options = _parser().parse_args(arguments)
    try:
        ended: int = options.command(options)
    except TemplateProblems as error:
        return _told(options.template, error, options.problems_to)
    except Unusable as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    except OSError as error:
        print(f"{error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return UNUSABLE
    return ended


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m reporter", description="Check and render templates.")
    commands = parser.add_subparsers(required=True, metavar="check|render")
    checking = commands.add_parser("check", help="what is wrong with a template, as FILE:LINE:COLUMN: CODE MESSAGE")
    rendering = commands.add_parser("render", help="make a template's document from given data")
    for command in (checking, rendering):
        command.add_argument("template", metavar="FILE.tpl", type=Path)
        command.add_argument("--format", required=True, type=str.upper, choices=list(CONTENT_TYPES), metavar="FORMAT")
    checking.add_argument("--schema", type=Path, help="JSON: what the data sources hold; without it names are not checked")
    checking.set_defaults(command=_check, problems_to=sys.stdout)
    rendering.add_argument("--data", required=True, type=Path, help="a JSON file, or a folder with source/table.jsonl files")
    rendering.add_argument("--filters", type=Path, help="JSON: row filters, as in a report's request")
    rendering.add_argument("--now", help="the moment of rendering, ISO 8601; by default now")
    rendering.add_argument("--time-zone", default="UTC", help="an IANA name; by default UTC")
    rendering.add_argument("--formula-guard", choices=["true", "false"], default="true", help="for CSV; by default true")
    rendering.add_argument("--xsd", type=Path, help="an XML schema that the document must fit")
    rendering.add_argument("-o", "--output", type=Path, help="where the document goes; by default the standard output")
    rendering.set_defaults(command=_render, problems_to=sys.stderr)
    return parser


def _check(options: Namespace) -> int:
    schemas = None if options.schema is None else _schemas(options.schema)
    template = template_file(options.template.read_bytes(), options.format, options.template.name)
    checked = check_template(template, options.format, schemas, _settings().workbook_limits())
    for notice in checked.notices:
        print(f"{options.template}:{notice.line}:{notice.column}: warning {notice.message}")
    if schemas is None:
        print("no --schema given: sources, tables and fields were not checked", file=sys.stderr)
    return FINE


def _render(options: Namespace) -> int:
    settings = _settings()
    order = _order(options, settings)
    try:
        data = given_path(options.data)
        planned = plan(order, data.schemas)
    except TemplateProblems:
        raise
    except RequestError as error:
        raise Unusable(_every_problem(error)) from None
    with (
        tempfile.TemporaryDirectory(prefix="reporter-") as name,
        closing(Renderer(render_limits(settings), settings.pdf_limits())) as renderer,
    ):
        folder = Path(name)
        spool = SpoolWriter(folder, settings.max_rows, settings.max_spool_bytes)
        try:
            document, _rows = make_document(order, planned, data, renderer, spool, folder)
        except (ReportFailure, Unavailable) as error:
            line = f":{error.line}" if isinstance(error, ReportFailure) and error.line is not None else ""
            of = "" if error.code == "DOCUMENT_INVALID" else line
            print(f"{options.template}{of}: {error.code} {error.message}", file=sys.stderr)
            return PROBLEMS
        for warning in (*planned.checked.warnings, *document.warnings):
            print(f"{options.template}: warning {warning}", file=sys.stderr)
        if options.output is not None:
            shutil.copyfile(document.path, options.output)
        else:
            with document.path.open("rb") as content:
                shutil.copyfileobj(content, sys.stdout.buffer)
    return FINE


def _order(options: Namespace, settings: RenderSettings) -> Order:
    try:
        now = datetime.now(UTC) if options.now is None else datetime.fromisoformat(options.now)
    except ValueError:
        raise Unusable("--now must be a moment like 2024-05-31T18:30:00Z") from None
    if options.xsd is not None and options.format != "XML":
        raise Unusable("--xsd is for --format XML only")
    try:
        return Order(
            template=template_file(options.template.read_bytes(), options.format, options.template.name),
            output_format=options.format,
            filters={} if options.filters is None else check_operators(_json(options.filters)),
            now=now if now.tzinfo else now.replace(tzinfo=UTC),
            time_zone=parse_time_zone(options.time_zone),
            formula_guard=options.formula_guard == "true",
            xml_schema=None if options.xsd is None else options.xsd.read_text(encoding="utf-8"),
            workbook_limits=settings.workbook_limits(),
        )
    except TemplateProblems:
        raise
    except RequestError as error:
        raise Unusable(_every_problem(error)) from None
    except UnicodeDecodeError:
        raise Unusable(f"{options.xsd}: is not UTF-8; save the file as UTF-8") from None


def _settings() -> RenderSettings:
    try:
        return RenderSettings.from_env()
    except SettingsError as error:
        raise Unusable(str(error)) from None


def _json(path: Path) -> Any:
    try:
        return parse_json(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise Unusable(f"{path}: is not UTF-8; save the file as UTF-8") from None


def _schemas(path: Path) -> Mapping[str, SourceSchema]:
    """``{source: {"tables": {table: {column: type}}, "schemas"?: […]}}``, or what ``GET /v1/data-sources/{id}`` answers."""
    try:
        given = _json(path)
    except RequestError as error:
        raise Unusable(error.message) from None
    try:
        if "id" in given and "tables" in given:
            given = {given["id"]: given}
        return {source: _schema(source, value) for source, value in given.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        wanted = '{source: {"tables": {table: {column: type}}}}, or the answer of GET /v1/data-sources/{id}'
        reason = f" ({error})" if isinstance(error, ValueError) else ""
        raise Unusable(f"{path}: must be {wanted}{reason}") from None


def _schema(source: str, value: Any) -> SourceSchema:
    tables = value["tables"]
    if isinstance(tables, list):
        tables = {table["name"]: dict.fromkeys(table["fields"], "other") for table in tables}
    schemas = value.get("schemas") or sorted({name.partition(".")[0] for name in tables if "." in name})
    return SourceSchema.from_json(source, {"schemas": schemas, "tables": tables})


def _every_problem(error: RequestError) -> str:
    found = [f"{place}: {problem['message']}" for place, problem in error.fields.items()]
    return "\n".join(found) or error.message


def _told(template: Path, error: TemplateProblems, to: Any) -> int:
    for problem in error.problems:
        print(f"{template}:{problem.line}:{problem.column}: {problem.code} {problem.message}", file=to)
    return PROBLEMS
