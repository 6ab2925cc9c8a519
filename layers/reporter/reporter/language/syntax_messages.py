"""What is said of template text that does not parse: in the words of a template's author, not of its parser."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import Token, TokenStream

MAX_GUESSED = 60
"""Characters of a name worth guessing at: comparing costs their square."""
_WANTED = {
    "block_end": "the end of the tag (%})",
    "variable_end": "the end of the value (}})",
    "name": "a name",
    "string": "a text in quotes",
    "integer": "a whole number",
    "eof": "the end of the template",
    "assign": "=",
    "colon": ":",
    "comma": ",",
    "dot": ".",
    "lparen": "(",
    "rparen": ")",
    "lbracket": "[",
    "rbracket": "]",
    "lbrace": "{",
    "rbrace": "}",
}
_TYPOGRAPHIC_QUOTES = "“”„‘’‚«»"


class TemplateTokens(TokenStream):
    """Jinja's stream of tokens; it says plainly what it misses."""

    def expect(self, expr: str) -> Token:
        """The current token, if it is of this kind. Raises ``TemplateSyntaxError``."""
        if not self.current.test(expr):
            hint = "; to compare, write ==" if self.current.type == "assign" else ""
            message = f"{wanted(expr)} is expected here, not {shown(self.current)}{hint}"
            raise TemplateSyntaxError(message, self.current.lineno)
        return next(self)


def wanted(expr: str) -> str:
    """A kind of token, or ``kind:value``."""
    kind, _colon, value = expr.partition(":")
    return f"'{value}'" if value else _WANTED.get(kind, kind)


def shown(token: Token) -> str:
    """What stands there."""
    if token.type in {"block_end", "variable_end", "eof"}:
        return _WANTED[token.type]
    return "text outside of tags" if token.type == "data" else f"'{str(token.value)[:80]}'"


def unreadable(rest: str) -> str:
    """``rest``: the template from the first character that begins no word or mark."""
    character = rest[:1]
    if character in {"'", '"'}:
        return "a text in quotes is not closed"
    if character in _TYPOGRAPHIC_QUOTES:
        return f"{character} is no quotation mark for a template: write \" or '"
    if character in ")]}":
        return f"{character} closes nothing here"
    return f"the character {character} means nothing here"


def unknown_tag(name: str, known: Sequence[str], open_tag: Token | None, ends: Sequence[str]) -> str:
    """``open_tag``: the innermost one, which one of ``ends`` would continue or close."""
    if name in known:
        return f"the tag {name} is not available here"
    if name.startswith("end") or name in {"else", "elif", "empty"}:
        if open_tag is None:
            return f"{name} belongs to no tag: none is open here"
        return f"{name} does not fit here: {open_tag.value} of line {int(open_tag.lineno)} is open, which takes {_any(ends)}"
    return f"there is no tag {name}{meant(name, known)}"


def not_closed(open_tag: Token, ends: Sequence[str]) -> str:
    """At the end of the template."""
    closing = [end for end in ends if end.startswith("name:end")]
    return f"{open_tag.value} is not closed: {_any(closing or ends)} is missing"


def meant(name: str, known: Iterable[str]) -> str:
    """A guess at a name that does not exist, to be put behind what is said of it."""
    close = get_close_matches(name, list(known), 1) if len(name) <= MAX_GUESSED else []
    return f"; is {close[0]} meant?" if close else ""


def _any(ends: Sequence[str]) -> str:
    words = [end.removeprefix("name:") for end in ends]
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
