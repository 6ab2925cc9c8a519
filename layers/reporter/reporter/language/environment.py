"""The Jinja environment of one template: its lexer, its parser and what a template may name."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Never

from jinja2 import Undefined, nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from reporter.language.data_tests import DATA_TESTS
from reporter.language.filters import FILTERS
from reporter.language.functions import FUNCTIONS
from reporter.language.lexer import TemplateLexer
from reporter.language.limits import DEFAULT_LIMITS, TemplateLimits, nested_too_deeply
from reporter.language.parser import TemplateParser


class Nothing(Undefined):
    """What a missing name is: null."""

    def __new__(cls, *_arguments: Any, **_named: Any) -> None:  # type: ignore[misc]
        return None


class TemplateEnvironment(SandboxedEnvironment):
    """One per template: the declared sources decide how ``source:schema.table`` is read."""

    def __init__(
        self,
        text: str,
        sources: Collection[str],
        limits: TemplateLimits = DEFAULT_LIMITS,
        filters: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        super().__init__(
            undefined=Nothing,
            optimized=False,
            cache_size=0,
            keep_trailing_newline=True,
        )
        self.globals.clear()
        self.tests = dict(DATA_TESTS)
        self.filters = {**FILTERS, **(filters or {})}
        self._sources = sources
        self._limits = limits
        self._made_lexer: TemplateLexer | None = None

    @property
    def lexer(self) -> TemplateLexer:
        """Counts against this template's limits."""
        if self._made_lexer is None:
            self._made_lexer = TemplateLexer(self, self._sources, self._limits)
        return self._made_lexer

    def syntax_tree(self, text: str) -> nodes.Template:
        """Parsed only: nothing is compiled, folded or run. Raises ``TemplateSyntaxError`` with a ``Place`` as line."""
        try:
            parser = TemplateParser(
                self,
                text,
                filters=FILTERS,
                functions=FUNCTIONS,
                limits=self._limits,
            )
            return parser.parse()
        except RecursionError:
            raise TemplateSyntaxError(nested_too_deeply(), 1) from None

    def handle_exception(self, source: str | None = None) -> Never:
        """Errors keep their own line numbers: there is no template file to point into."""
        raise
