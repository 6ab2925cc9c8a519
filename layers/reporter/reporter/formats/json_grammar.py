"""Whether a text is JSON (RFC 8259), told piece by piece, in flat memory and at the speed of the C parser.

Python's parser only takes whole texts. Here it gets whole rows where a piece holds some; what it cannot take (the brackets
around everything, a row that goes on in the next piece) goes token by token.
"""

import json
import re
from typing import NoReturn

MAX_DEPTH = 1000
MAX_NUMBER_CHARACTERS = 100_000
_MAX_FAILURES = 8
"""How many containers of one piece may turn out not to end in it before the rest goes token by token."""

_BLANK = re.compile(r"[ \t\r\n]*+")
_STRING_INSIDE = re.compile(r'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null")
_SCALAR_BEGUN = re.compile(r"[-+.0-9a-zA-Z]*+")
_LONGEST_ESCAPE = 6


class NotJson(ValueError):
    """``line`` counts from 1."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


# The values themselves are thrown away: the cheapest callables will do, and numbers of any length pass.
_decoder = json.JSONDecoder(parse_float=len, parse_int=len, parse_constant=_no_constant)


class JsonGrammar:
    """Feed it the text in pieces, then ``end`` it. Both raise ``NotJson``."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._expects = "value"
        self._in_string = False
        self._line = 1
        self._text = ""
        self._at = 0
        self._failures = 0
        self._many = True

    def feed(self, piece: str) -> None:
        """The next piece of the text."""
        self._line += self._text.count("\n", 0, self._at)
        self._text, self._at = self._text[self._at :] + piece, 0
        self._failures, self._many = 0, True
        while self._step(final=False):
            pass

    def end(self) -> None:
        """There is no more text."""
        while self._step(final=True):
            pass
        if self._in_string or self._at < len(self._text) or self._expects != "end":
            self._fail("it breaks off")

    def _fail(self, reason: str) -> NoReturn:
        raise NotJson(reason, self._line + self._text.count("\n", 0, self._at))

    def _step(self, *, final: bool) -> bool:
        """Take one token or several; False when more text is needed."""
        if self._in_string:
            return self._string(final=final)
        self._at = _BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]
        if self._at >= len(self._text):
            return False
        character = self._text[self._at]
        if character in "}]":
            self._close(character)
        elif self._expects in {"key", "first key"}:
            if character != '"':
                self._unexpected("the name of a member in quotes")
            self._in_string, self._expects = True, "colon"
        elif self._expects in {"colon", "comma"}:
            if character != (":" if self._expects == "colon" else ","):
                self._unexpected("a colon" if self._expects == "colon" else "a comma or the end of the list or object")
            self._expects = "key" if self._expects == "comma" and self._open[-1] == "}" else "value"
        elif self._expects == "end":
            self._unexpected("the end")
        else:
            return self._value(character, final=final)
        self._at += 1
        return True

    def _unexpected(self, expected: str) -> NoReturn:
        self._fail(f"{expected} is expected, not {self._text[self._at : self._at + 20]!r}")

    def _value(self, character: str, *, final: bool) -> bool:
        if character == '"':
            self._in_string = True
            self._at += 1
            self._after_value()
        elif character in "{[":
            if not self._whole_values():
                if len(self._open) >= MAX_DEPTH:
                    self._fail(f"it is nested deeper than {MAX_DEPTH} levels")
                self._open.append("}" if character == "{" else "]")
                self._expects = "first key" if character == "{" else "first"
                self._at += 1
        else:
            return self._scalar(final=final)
        return True

    def _whole_values(self) -> bool:
        """Let the C parser take as many rows as end in this piece, or this one value."""
        text, at = self._text, self._at
        if self._many and self._open and self._open[-1] == "]" and (end := text.rfind("},", at) + 1) > 0:
            try:
                _decoder.decode(f"[{text[at:end]}]")
            except (ValueError, RecursionError):
                # Its last row goes on in the next piece, or holds rows itself.
                self._many = False
            else:
                self._at = end
                self._after_value()
                return True
        if self._failures >= _MAX_FAILURES:
            return False
        try:
            _value, self._at = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            self._failures += 1
            return False
        self._after_value()
        return True

    def _scalar(self, *, final: bool) -> bool:
        end = _SCALAR_BEGUN.match(self._text, self._at).end()  # type: ignore[union-attr]
        if end - self._at > MAX_NUMBER_CHARACTERS:
            self._fail(f"a number has more than {MAX_NUMBER_CHARACTERS} characters")
        if end == len(self._text) and not final:
            return False
        if _SCALAR.fullmatch(self._text, self._at, end) is None:
            self._unexpected("a value")
        self._at = end
        self._after_value()
        return True

    def _string(self, *, final: bool) -> bool:
        self._at = _STRING_INSIDE.match(self._text, self._at).end()  # type: ignore[union-attr]
        rest = len(self._text) - self._at
        if rest and self._text[self._at] == '"':
            self._in_string = False
            self._at += 1
        elif rest >= _LONGEST_ESCAPE or (rest and (final or self._text[self._at] != "\\")):
            self._fail(f"a text in quotes holds {self._text[self._at : self._at + 2]!r}")
        return not self._in_string

    def _close(self, bracket: str) -> None:
        if not self._open or self._open[-1] != bracket or self._expects not in {"comma", "first", "first key"}:
            self._fail(f"unexpected {bracket!r}")
        self._open.pop()
        self._after_value()

    def _after_value(self) -> None:
        self._expects = "comma" if self._open else "end"
