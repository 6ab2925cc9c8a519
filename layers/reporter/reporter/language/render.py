"""Rendering: a template, the data, and a function that takes the text piece by piece."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal, DecimalException
from functools import partial
from types import CodeType
from typing import Any
from zoneinfo import ZoneInfo

from jinja2.exceptions import TemplateRuntimeError, TemplateSyntaxError
from jinja2.runtime import new_context

from reporter.errors import ReportFailure
from reporter.language import comparisons, numbers
from reporter.language.access import each, each_pair, element_of, field_in, part_of, row_field_or
from reporter.language.arguments import check_length
from reporter.language.cells import SHEET_FILTER, cell_printers
from reporter.language.compiler import TemplateCompiler
from reporter.language.dates import format_date
from reporter.language.environment import TemplateEnvironment
from reporter.language.functions import FUNCTIONS
from reporter.language.joins import NARROWED, mark_joins
from reporter.language.limits import nested_too_deeply
from reporter.language.lookup import narrowed
from reporter.language.loops import keep_values_across_iterations
from reporter.language.numbers import TemplateValueError, described, numeric, rounded, trimmed
from reporter.language.places import WORKBOOKS, first_line_delimiter, mark_values
from reporter.language.printing import PlainNumber, Printer, SafeText, place_printers, text_of
from reporter.language.row_batches import row_batches
from reporter.language.row_loops import mark_row_loops
from reporter.language.rows import PartOfTable, Rows
from reporter.language.selection import AGGREGATES, last_item_by_group, sum_field

CHARACTERS_PER_WRITE = 1 << 16
MAX_WARNINGS = 50
CALC_DECIMALS = 10
_CODE_NAME = "<template>"


def render(
    text: str,
    output_format: str,
    data: Mapping[str, Any],
    write: Callable[[str], object],
    *,
    now: datetime,
    time_zone: str = "UTC",
    formula_guard: bool = True,
) -> list[str]:
    """Render ``text`` over ``data`` (source → table key → ``Rows`` or list of rows), return the warnings.

    ``write`` gets joined pieces, never the whole document. ``now`` is aware. Raises ``ReportFailure`` TEMPLATE_ERROR or
    TEMPLATE_RECURSION with the template's line.
    """
    rendering = _Rendering(now.astimezone(ZoneInfo(time_zone)))
    environment = TemplateEnvironment(text, data.keys(), filters=rendering.filters())
    try:
        tree = environment.syntax_tree(text)
        delimiter = first_line_delimiter(tree)
        escapes: Mapping[str, Printer]
        mark_values(tree, output_format)
        if output_format in WORKBOOKS:
            escapes = cell_printers(output_format)
        else:
            escapes = place_printers(output_format, formula_guard=formula_guard, delimiter=delimiter)
        keep_values_across_iterations(tree)
        mark_row_loops(tree)
        mark_joins(tree)
        compiler = TemplateCompiler(environment, frozenset(FUNCTIONS))
        code = compile(compiler.code_of(tree), _CODE_NAME, "exec")
    except TemplateSyntaxError as error:
        raise ReportFailure("TEMPLATE_ERROR", error.message or "the template does not parse", int(error.lineno)) from None
    except RecursionError:
        raise ReportFailure("TEMPLATE_RECURSION", nested_too_deeply()) from None
    pieces = _run(environment, code, data, rendering.names(escapes))
    try:
        _write_batched(pieces, write)
    except (TemplateValueError, TemplateRuntimeError, DecimalException, TypeError, ValueError, OverflowError) as error:
        message = str(error) if isinstance(error, TemplateValueError | TemplateRuntimeError) else "a value does not fit"
        raise ReportFailure("TEMPLATE_ERROR", message, _line(error, compiler.debug_info)) from error
    except RecursionError as error:
        raise ReportFailure("TEMPLATE_RECURSION", nested_too_deeply(), _line(error, compiler.debug_info)) from None
    return rendering.warnings


def _run(
    environment: TemplateEnvironment, code: CodeType, data: Mapping[str, Any], names: Mapping[str, Any]
) -> Iterator[str]:
    namespace: dict[str, Any] = {"environment": environment, **names}
    exec(code, namespace)
    context = new_context(environment, None, {}, dict(data), shared=True)
    pieces: Iterator[str] = namespace["root"](context)
    return pieces


def _write_batched(pieces: Iterator[str], write: Callable[[str], object]) -> None:
    batch: list[str] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        # Counting one for the piece itself bounds a batch of nothing but empty ones.
        size += len(piece) + 1
        if size > CHARACTERS_PER_WRITE:
            write("".join(batch))
            batch.clear()
            size = 0
    write("".join(batch))


def _line(error: BaseException, debug_info: list[tuple[int, int]]) -> int | None:
    """The template's line of the innermost piece of generated code that the error passed."""
    code_line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _CODE_NAME:
            code_line = trace.tb_lineno
        trace = trace.tb_next
    if code_line is None:
        return None
    return next((int(line) for line, start in reversed(debug_info) if start <= code_line), 1)


class _Rendering:
    """What one rendering remembers: the clock, counters, warnings."""

    def __init__(self, now: datetime) -> None:
        self.warnings: list[str] = []
        self._now = now
        self._warned: set[int] = set()
        self._counters: dict[str, int] = {}
        self._cycles: dict[str, int] = {}
        self._found: dict[tuple[Any, ...], Any] = {}

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The tags that are filters inside."""
        return {
            "each": each,
            "each pair": each_pair,
            NARROWED: narrowed,
            "captured": lambda value: SafeText(text_of(value)),
            SHEET_FILTER: lambda name: name,
            "firstof": lambda values: next((value for value in values if value), None),
            "cycle": self._cycle,
            "counter": self._count,
            "counter_show": lambda names: sum(self._counters.get(text_of(name), 0) for name in names),
            "date_time": lambda layout: format_date(self._now, text_of(layout)),
            "calc operand": _calc_operand,
            "calc result": lambda value: PlainNumber(trimmed(rounded(value, CALC_DECIMALS))),
            "sum": self._once("sum", sum_field),
            "last_item_by_group": self._once(
                "last_item_by_group",
                lambda rows, group, order, condition=None: last_item_by_group(rows, group, order, condition),
            ),
            **{
                name: self._once(
                    name, lambda rows, field, scale, condition=None, run=run: run(rows, field, condition, scale)
                )
                for name, run in AGGREGATES.items()
            },
        }

    def _once(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same, but what is asked of a whole table is found once: in a loop it is asked in every iteration."""

        def found(rows: Any, *arguments: Any) -> Any:
            whole = isinstance(rows, Rows) and not isinstance(rows, PartOfTable)
            if not whole or not all(isinstance(argument, str | int | None) for argument in arguments):
                return function(rows, *arguments)
            # The tables live as long as this rendering.
            key = name, id(rows), *arguments
            if key not in self._found:
                self._found[key] = function(rows, *arguments)
            return self._found[key]

        return found

    def names(self, escapes: Mapping[str, Printer]) -> dict[str, Any]:
        """What the generated code calls."""
        return {
            "Decimal": Decimal,
            "r_add": numbers.add,
            "r_subtract": numbers.subtract,
            "r_multiply": numbers.multiply,
            "r_divide": numbers.divide,
            "r_floor_divide": numbers.floor_divide,
            "r_modulo": numbers.modulo,
            "r_power": numbers.power,
            "r_negate": numbers.negate,
            "r_equal": comparisons.equal,
            "r_less": comparisons.less,
            "r_less_equal": comparisons.less_equal,
            "r_contains": comparisons.contains,
            "r_concat": _concat,
            "r_field": field_in,
            "r_item": element_of,
            "r_slice": part_of,
            "r_either": row_field_or,
            "r_condition": self._condition,
            "r_functions": FUNCTIONS,
            "r_narrowed": narrowed,
            "r_repeated": _repeated,
            "r_batches": partial(row_batches, escapes),
            **{f"r_print_{place}": printer.one for place, printer in escapes.items()},
        }

    def _condition(self, test: Callable[[Any], Any], line: int) -> Callable[[Any], bool]:
        def holds(row: Any) -> bool:
            try:
                return bool(test(row))
            except (TemplateValueError, DecimalException) as error:
                self._warn(line, error)
                return False

        return holds

    def _warn(self, line: int, error: Exception) -> None:
        """The first error of a line stands for all of them: another row's would only differ in its values."""
        if line not in self._warned and len(self.warnings) < MAX_WARNINGS:
            self._warned.add(line)
            self.warnings.append(f"line {line}: a condition could not be evaluated and counts as false: {error}")

    def _cycle(self, values: list[Any], key: str) -> Any:
        turn = self._cycles.get(key, 0)
        self._cycles[key] = turn + 1
        return values[turn % len(values)]

    def _count(self, names: list[Any]) -> None:
        for name in map(text_of, names):
            self._counters[name] = self._counters.get(name, 0) + 1


def _calc_operand(value: Any) -> numbers.Number:
    if value is None:
        return 0
    number = numeric(value)
    if number is None:
        raise TemplateValueError(f"calc needs numbers, not {described(value)}")
    return number


def _concat(*values: Any) -> str:
    texts = list(map(text_of, values))
    check_length(sum(map(len, texts)))
    return "".join(texts)


def _repeated(text: str, times: int) -> Iterator[str]:
    """Pieces of bounded size."""
    at_once = max(1, CHARACTERS_PER_WRITE // len(text))
    for done in range(0, times, at_once):
        yield text * min(at_once, times - done)
