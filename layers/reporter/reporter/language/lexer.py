"""Template text to tokens: Jinja's lexer, taught the spellings of Django-like templates.

Line numbers become ``Place``s, which know their column too. ``{% comment %}`` and ``{% verbatim %}`` reuse the lexer's
raw state; ``&&``, ``||`` and ``!`` become words; ``source:schema.table`` becomes ``source.schema__table``.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from jinja2 import Environment
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import TOKEN_DATA, TOKEN_RAW_BEGIN, TOKEN_RAW_END, Lexer, OptionalLStrip, Token, TokenStream

from reporter.language.limits import TemplateLimits, too_deep
from reporter.language.numbers import EXACT_DIGITS
from reporter.language.syntax_messages import TemplateTokens, unreadable
from reporter.limit import passed

_lstrip: Any = OptionalLStrip
_WORDS = {"&&": "and", "||": "or", "!": "not"}
_OPENINGS = frozenset({"comment_tag_begin", "verbatim_begin", TOKEN_RAW_BEGIN, "comment_begin"})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


class Place(int):
    """A line number, from 1, that also knows the ``column``, from 1, and the ``text`` that stands there."""

    column: int
    text: str

    @classmethod
    def at(cls, line: int, column: int, text: str) -> "Place":
        """A place in a template."""
        place = cls(line)
        place.column = column
        place.text = text
        return place


class TemplateLexer(Lexer):
    """One per template: it counts against the limits and knows the declared sources."""

    def __init__(self, environment: Environment, sources: Collection[str], limits: TemplateLimits) -> None:
        super().__init__(environment)
        self._sources = sources
        self._limits = limits
        self._seen = self._brackets = 0
        start, end = (re.escape(mark) for mark in (environment.block_start_string, environment.block_end_string))
        root = self.rules["root"][0]
        names = {"verbatim_begin": "verbatim", "comment_tag_begin": "comment"}
        openings = "|".join(
            rf"(?P<{state}>{start}(\-|\+|)\s*{name}\b[^%]*?(?:\-{end}\s*|{end}))" for state, name in names.items()
        )
        pattern = re.compile(root.pattern.pattern.replace("(?:", f"(?:{openings}|", 1), root.pattern.flags)
        self.rules["root"][0] = root._replace(pattern=pattern)
        for state, name in names.items():
            closing = rf"(.*?)((?:{start}(\-|\+|))\s*end{name}\s*(?:\-{end}\s*|{end}))"
            rule = type(root)
            self.rules[state] = [
                rule(re.compile(closing, re.S), _lstrip(TOKEN_DATA, TOKEN_RAW_END), "#pop"),
            ]
        for state, rules in self.rules.items():
            if state in {"block_begin", "variable_begin"}:
                rules.insert(1, type(root)(re.compile(r"&&|\|\||!(?!=)"), "logic", None))
                rules.insert(
                    1, type(root)(re.compile(r"(?<![.\w])(?:\d+\.\d+|\d+)(?:[eE][+-]?\d+)?(?![\w])"), "number", None)
                )

    def tokeniter(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> Iterator[tuple[int, str, str]]:
        """Jinja's raw tokens with places, without what stands in comments."""
        return self._with_tables(self._placed(super().tokeniter(source, name, filename, state), source))

    def _placed(self, tokens: Iterator[tuple[int, str, str]], source: str) -> Iterator[tuple[int, str, str]]:
        written, source = source, re.sub(r"\r\n|\r", "\n", source)
        lost = [end.start() - number for number, end in enumerate(re.finditer(r"\r\n", written))]
        position, line, line_start, in_comment = 0, 1, 0, False
        self._seen = self._brackets = 0
        opening: Place | None = None
        try:
            for _line, kind, text in tokens:
                found = source.find(text, position)
                start = found if found >= 0 else position
                line += source.count("\n", position, start)
                if (newline := source.rfind("\n", position, start)) >= 0:
                    line_start = newline + 1
                position = start
                place = Place.at(line, start - line_start + 1, text[:80])
                line += text.count("\n")
                if "\n" in text:
                    line_start = start + text.rfind("\n") + 1
                position = start + len(text)
                if kind in _OPENINGS:
                    opening = place
                elif kind in {TOKEN_RAW_END, "comment_end"}:
                    opening = None
                if kind == "comment_tag_begin":
                    in_comment = True
                elif kind == TOKEN_RAW_END:
                    in_comment = False
                elif kind not in {"verbatim_begin", TOKEN_RAW_BEGIN} and not in_comment:
                    self._count(kind, text, place)
                    if kind == "logic":
                        yield place, "name", _WORDS[text]
                    else:
                        # Jinja makes all line ends alike; a document keeps the template's own.
                        yield place, kind, written[start + bisect_left(lost, start) : position + bisect_left(lost, position)]
        except TemplateSyntaxError as error:
            if isinstance(error.lineno, Place):
                raise
            if opening is not None:
                raise TemplateSyntaxError(f"{opening.text} is not closed", opening) from None
            rest = source[position:].lstrip()
            at = len(source) - len(rest)
            place = Place.at(line + source.count("\n", position, at), at - source.rfind("\n", 0, at), rest[:1])
            raise TemplateSyntaxError(unreadable(rest), place) from None

    def _count(self, kind: str, text: str, place: Place) -> None:
        self._seen += kind != "whitespace"
        if self._seen > self._limits.tokens:
            advice = "make several templates of it"
            raise TemplateSyntaxError(passed("the template has", self._limits.tokens, "words and marks", advice), place)
        if kind == "operator":
            self._brackets += (text in _OPEN) - (text in _CLOSE)
            if self._brackets > self._limits.brackets:
                raise TemplateSyntaxError(too_deep("brackets", self._limits.brackets), place)
        elif kind in {"block_end", "variable_end"}:
            self._brackets = 0

    def _normalize_newlines(self, value: str) -> str:
        return value

    def _with_tables(self, tokens: Iterator[tuple[int, str, str]]) -> Iterator[tuple[int, str, str]]:
        """``source:schema.table`` without blanks, where the source is declared, becomes ``source.schema__table``."""
        window: list[tuple[int, str, str]] = []
        before = ""
        for token in tokens:
            window.append(token)
            if len(window) < 5:
                continue
            if self._names_a_table(window, before):
                place = window[2][0]
                window = [window[0], (place, "operator", "."), (place, "name", f"{window[2][2]}__{window[4][2]}")]
            before = window[0][2]
            yield window.pop(0)
        yield from window

    def _names_a_table(self, window: list[tuple[int, str, str]], before: str) -> bool:
        kinds = [kind for _place, kind, _text in window]
        texts = [text for _place, _kind, text in window]
        return (
            kinds == ["name", "operator", "name", "operator", "name"]
            and texts[1] == ":"
            and texts[3] == "."
            and texts[0] in self._sources
            and before not in {"|", "."}
        )

    def tokenize(
        self, source: str, name: str | None = None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        """The tokens for the parser."""
        return TemplateTokens(self.wrap(self.tokeniter(source, name, filename, state), name, filename), name, filename)

    def wrap(
        self, stream: Iterable[tuple[int, str, str]], name: str | None = None, filename: str | None = None
    ) -> Iterator[Token]:
        """Parser tokens; numbers are exact."""
        for token in super().wrap(stream, name, filename):
            if token.type != "number":
                yield token
                continue
            digits = token.value
            value: Any = int(digits) if digits.isdigit() and len(digits) <= EXACT_DIGITS else None
            if len(digits) > EXACT_DIGITS:
                raise TemplateSyntaxError(f"a number has more than {EXACT_DIGITS} digits", token.lineno)
            if value is None:
                try:
                    value = Decimal(digits)
                except InvalidOperation:
                    raise TemplateSyntaxError("a number's exponent is too large", token.lineno) from None
            yield Token(token.lineno, "integer" if isinstance(value, int) else "float", value)
