"""Checking a template at upload: parsed and walked, never compiled, never run."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from reporter.errors import TemplateProblem, TemplateProblems
from reporter.language.advice import advice
from reporter.language.cells import SHEET_FILTER
from reporter.language.environment import TemplateEnvironment
from reporter.language.limits import DEFAULT_LIMITS, TemplateLimits, nested_too_deeply, too_deep
from reporter.language.places import WORKBOOKS, literal_text, mark_values
from reporter.language.reads import Reader, problem_at
from reporter.language.script import script_in
from reporter.schema import SourceSchema


@dataclass(frozen=True, slots=True)
class CheckedTemplate:
    """``reads``: source → qualified table → columns in the table's order. ``tables``: source → the key the template's data
    goes by (``table`` or ``schema__table``) → qualified table. ``notices``: what is allowed, but perhaps not meant.
    """

    reads: Mapping[str, Mapping[str, tuple[str, ...]]]
    tables: Mapping[str, Mapping[str, str]]
    notices: tuple[TemplateProblem, ...]
    names_places: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """The notices as text, each with its line, unless they name their places themselves."""
        return tuple(n.message if self.names_places else f"line {n.line}: {n.message}" for n in self.notices)


def decoded(content: bytes) -> str:
    """A template's text. Raises ``TemplateProblems`` unless it is UTF-8 without NUL."""
    try:
        text = content.decode()
        place = content.find(b"\0")
        message = "the template holds the NUL character"
    except UnicodeDecodeError as error:
        place = error.start
        message = "the template is not UTF-8 text"
    if place < 0:
        return text
    line = content[:place].count(b"\n") + 1
    raise TemplateProblems([TemplateProblem("TPL-0007", message, line, 1)])


def check(
    text: str,
    output_format: str,
    schemas: Mapping[str, SourceSchema] | None,
    limits: TemplateLimits = DEFAULT_LIMITS,
) -> CheckedTemplate:
    """What the template reads. ``schemas``: source → schema, asked only for sources the template names; None: unknown.

    Raises ``TemplateProblems``: the first syntax error, or every problem of names and references in the text's order.
    """
    if not text.strip():
        raise TemplateProblems([TemplateProblem("TPL-0007", "the template is blank", 1, 1)])
    tree = _parsed(text, schemas, limits)
    problems = _Collected(limits.problems)
    _check_depth(tree, limits)
    if output_format in {"HTML", "PDF"}:
        problems.found.extend(script_in(tree, limits.problems))
    if output_format == "XML" and not any("<" in data.data for data in literal_text(tree.body)):
        problems.found.append(TemplateProblem("TPL-0007", "an XML template needs at least one element", 1, 1))
    reader = Reader(schemas, problems.add)
    try:
        reader.walk(tree)
    except RecursionError:
        problems.found.append(TemplateProblem("TPL-0007", nested_too_deeply(), 1, 1))
    _check_cells(tree, output_format, problems)
    if problems.found:
        raise TemplateProblems(sorted(problems.found, key=lambda problem: (problem.line, problem.column)))
    reads: dict[str, dict[str, tuple[str, ...]]] = {}
    for (source, table), columns in sorted(reader.columns.items()):
        known = schemas[source].tables[table] if schemas is not None else columns
        reads.setdefault(source, {})[table] = tuple(name for name in known if name in columns)
    return CheckedTemplate(reads, reader.tables, advice(tree, reader, output_format))


class _EverySource(Collection[str]):
    """Where nothing is known of any source, every name may be one."""

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _parsed(text: str, schemas: Mapping[str, SourceSchema] | None, limits: TemplateLimits) -> nodes.Template:
    try:
        sources = _EverySource() if schemas is None else schemas
        return TemplateEnvironment(text, sources, limits).syntax_tree(text)
    except TemplateSyntaxError as error:
        line = error.lineno
        message = error.message or "the template does not parse"
        shown = getattr(line, "text", "")
        problem = TemplateProblem("TPL-0007", message, int(line), getattr(line, "column", 1), shown)
    except RecursionError:
        problem = TemplateProblem("TPL-0007", nested_too_deeply(), 1, 1)
    except ValueError:
        problem = TemplateProblem("TPL-0007", "a number has too many digits", 1, 1)
    raise TemplateProblems([problem])


def _check_depth(tree: nodes.Template, limits: TemplateLimits) -> None:
    pending: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        if depth > limits.depth:
            message = too_deep("expressions", limits.depth)
            raise TemplateProblems([problem_at("TPL-0007", message, node, "")])
        pending.extend((child, depth + 1) for child in node.iter_child_nodes())


def _check_cells(tree: nodes.Template, output_format: str, problems: "_Collected") -> None:
    if output_format not in WORKBOOKS:
        for sheet in tree.find_all(nodes.Filter):
            if sheet.name == SHEET_FILTER:
                problems.add("TPL-0007", "only workbooks (XLSX) have sheets", sheet, "sheet")
        return
    try:
        mark_values(tree, output_format)
    except TemplateSyntaxError as error:
        place = error.lineno
        problems.found.append(TemplateProblem("TPL-0007", str(error.message), int(place), getattr(place, "column", 1), ""))


class _Collected:
    """Problems, each place and message once, up to a limit."""

    def __init__(self, most: int) -> None:
        self.found: list[TemplateProblem] = []
        self._most = most

    def add(self, code: str, message: str, node: nodes.Node, text: str) -> None:
        """Remember one problem."""
        problem = problem_at(code, message, node, text)
        if problem not in self.found and len(self.found) < self._most:
            self.found.append(problem)
