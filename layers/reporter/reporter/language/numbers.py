"""Exact numbers: what operators and sums mean in a template. Never a binary float.

Every operation runs in a decimal context made once here, so nothing depends on the thread's own context.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import ROUND_05UP, ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow, Rounded
from typing import Any

from reporter.language.rows import Row, Rows

Number = int | Decimal

EXACT_DIGITS = 100
QUOTIENT_DIGITS = 28
MAX_EXPONENT = 1000
MAX_TEXT_DIGITS = 1000
MAX_PRINTED_DIGITS = 10_000

_EXACT = Context(prec=EXACT_DIGITS, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Overflow, Rounded])
_QUOTIENT = Context(prec=QUOTIENT_DIGITS, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])
_ROOMY = Context(prec=2 * MAX_TEXT_DIGITS, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Overflow])
# Rounding 0 and 5 up keeps a trace of what was cut off, so that rounding the result once more cannot go wrong.
_STICKY = Context(prec=3 * EXACT_DIGITS, rounding=ROUND_05UP, traps=[InvalidOperation, DivisionByZero, Overflow])
_INTEGER_LIMIT = 10**EXACT_DIGITS


class TemplateValueError(ValueError):
    """A value a template works with cannot be used that way. The message is for the template's author."""


def operand(value: Any, operator: str) -> Number:
    """A number for an operator; null counts as 0. Raises ``TemplateValueError`` for text, booleans and the rest."""
    if value is None:
        return 0
    kind = type(value)
    if kind is int or kind is Decimal:
        number: Number = value
        return number
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise TemplateValueError(f"{operator} needs numbers, not {described(value)}")


def described(value: Any) -> str:
    """What a value is, in a template author's words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return f"the text {value[:40]!r}" if value else "empty text"
    if isinstance(value, int | Decimal):
        return "a number"
    if isinstance(value, datetime | date):
        return "a date"
    if isinstance(value, Row | Mapping):
        return "an object"
    return "a list" if isinstance(value, Rows | list | tuple | range) else "no data"


def add(a: Any, b: Any) -> Number:
    """``a + b``, exact. Raises ``TemplateValueError`` past 100 digits, as do ``subtract`` and ``multiply``."""
    a, b = operand(a, "+"), operand(b, "+")
    return _integer(a + b) if type(a) is int and type(b) is int else _exact(_EXACT.add, a, b)


def subtract(a: Any, b: Any) -> Number:
    """``a - b``, exact."""
    a, b = operand(a, "-"), operand(b, "-")
    return _integer(a - b) if type(a) is int and type(b) is int else _exact(_EXACT.subtract, a, b)


def multiply(a: Any, b: Any) -> Number:
    """``a * b``, exact; the scales add up as in ``10.50 * 2`` = ``21.00``."""
    a, b = operand(a, "*"), operand(b, "*")
    return _integer(a * b) if type(a) is int and type(b) is int else _exact(_EXACT.multiply, a, b)


def divide(a: Any, b: Any) -> Number:
    """``a / b`` to 28 significant digits; an ``int`` where it comes out whole. Raises for 0."""
    a, b = operand(a, "/"), operand(b, "/")
    if not b:
        raise TemplateValueError("division by zero")
    quotient = _QUOTIENT.divide(a, b)
    if quotient == quotient.to_integral_value():
        return _integer(whole_part(quotient))
    return quotient.normalize(_QUOTIENT)


def divide_rounded(a: Number, b: Number, places: int) -> Decimal:
    """``a / b`` to so many decimals, rounded once, half away from zero. ``b`` is not 0."""
    return rounded(_STICKY.divide(a, b), places)


def floor_divide(a: Any, b: Any) -> Number:
    """``a // b``: the quotient rounded down."""
    a, b = operand(a, "//"), operand(b, "//")
    if not b:
        raise TemplateValueError("division by zero")
    if type(a) is int and type(b) is int:
        return a // b
    try:
        quotient = _ROOMY.divide_int(a, b)
    except InvalidOperation:
        raise TemplateValueError(f"a result has more than {EXACT_DIGITS} digits") from None
    if (a < 0) != (b < 0) and _ROOMY.remainder(a, b):
        quotient = _ROOMY.subtract(quotient, 1)
    return _integer(int(quotient))


def modulo(a: Any, b: Any) -> Number:
    """``a % b``: what ``floor_divide`` leaves, with the sign of ``b``."""
    a, b = operand(a, "%"), operand(b, "%")
    return subtract(a, multiply(b, floor_divide(a, b)))


def power(a: Any, b: Any) -> Number:
    """``a ** b``. Raises when the result would have more than 100 digits, before computing it."""
    a, b = operand(a, "**"), operand(b, "**")
    if not -MAX_EXPONENT <= b <= MAX_EXPONENT:
        raise TemplateValueError(f"an exponent is beyond {MAX_EXPONENT}")
    if not b:
        return 1
    if not a:
        if b < 0:
            raise TemplateValueError("division by zero")
        return 0
    whole = b == int(b)
    if whole and b > 0:
        if abs(Decimal(a).adjusted() + 1) * int(b) > 2 * EXACT_DIGITS + MAX_EXPONENT:
            raise TemplateValueError(f"a result has more than {EXACT_DIGITS} digits")
        if type(a) is int:
            return _integer(a ** int(b))
        try:
            return _EXACT.power(a, int(b))
        except (Rounded, Overflow):
            return _settled(_QUOTIENT.power(a, int(b)))
    if a < 0 and not whole:
        raise TemplateValueError("a negative number has no such root")
    return _settled(_QUOTIENT.power(a, b))


def negate(a: Any) -> Number:
    """``-a``; there is no negative zero."""
    return subtract(0, a) if a is not None else 0


def _settled(number: Decimal) -> Number:
    """A power to 28 digits, whole where it is within the last digit of being so."""
    whole = number.to_integral_value()
    tolerance = Decimal(1).scaleb(whole.adjusted() + 2 - QUOTIENT_DIGITS)
    if whole and abs(_ROOMY.subtract(number, whole)) <= tolerance:
        return _integer(whole_part(whole))
    return number.normalize(_QUOTIENT)


def _exact(operation: Any, a: Number, b: Number) -> Decimal:
    try:
        result: Decimal = operation(a, b)
    except (Rounded, Overflow, InvalidOperation):
        raise TemplateValueError(f"a result has more than {EXACT_DIGITS} digits") from None
    return result if result else abs(result)


def _integer(number: int) -> int:
    if -_INTEGER_LIMIT < number < _INTEGER_LIMIT:
        return number
    raise TemplateValueError(f"a result has more than {EXACT_DIGITS} digits")


def whole_part(number: Number) -> int:
    """The number without its decimals. Raises for one that would not fit in memory, say 1E+999999."""
    if type(number) is not int and Decimal(number).adjusted() > MAX_PRINTED_DIGITS:
        raise TemplateValueError(f"a number has more than {MAX_PRINTED_DIGITS} digits")
    return int(number)


def numeric(value: Any) -> Number | None:
    """A number, or text that is plainly one (``1e2``, ``.5``, ``+3``); None for everything else, booleans included."""
    kind = type(value)
    if kind is Decimal or kind is int:
        number: Number = value
        return number
    if isinstance(value, str):
        return _number_of_text(value)
    if isinstance(value, Decimal):
        return value
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number_of_text(text: str) -> Number | None:
    if not text or len(text) > MAX_TEXT_DIGITS or text[0] not in "+-.0123456789" or "_" in text or not text.isascii():
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or text[-1].isspace() or abs(number.adjusted()) > MAX_TEXT_DIGITS:
        return None
    return number


def plain(number: Number) -> str:
    """All digits, no exponent, no negative zero. Raises for what is no number a document can show (NaN)."""
    try:
        text = str(number)
    except ValueError:
        raise TemplateValueError("a number has too many digits to be shown") from None
    if "E" in text or "a" in text or "y" in text:
        text = _without_exponent(Decimal(number))
    return text[1:] if text[0] == "-" and not number else text


def _without_exponent(number: Decimal) -> str:
    if not number.is_finite():
        raise TemplateValueError("NaN and Infinity are no numbers a document can show")
    if abs(number.adjusted()) > MAX_PRINTED_DIGITS:
        raise TemplateValueError(f"a number has more than {MAX_PRINTED_DIGITS} digits")
    return format(number, "f")


def trimmed(number: Number) -> str:
    """``plain`` without trailing zeros after the point."""
    text = plain(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def rounded(number: Number, places: int) -> Decimal:
    """To exactly so many decimals (before the point where negative), half away from zero; no negative zero."""
    try:
        result = _ROOMY.quantize(number, Decimal((0, (1,), -places)))
    except InvalidOperation:
        raise TemplateValueError(f"a number has more than {2 * MAX_TEXT_DIGITS} digits") from None
    return result if result else abs(result)


def exact_sum(numbers: Iterable[Number]) -> Number:
    """The sum, exact. Raises ``TemplateValueError`` past 100 digits."""
    total: Number = 0
    exactly = _EXACT.add
    try:
        for number in numbers:
            total = total + number if type(total) is int and type(number) is int else exactly(total, number)
    except (Rounded, Overflow):
        raise TemplateValueError(f"a sum has more than {EXACT_DIGITS} digits") from None
    return _integer(total) if isinstance(total, int) else total


def from_float(value: float) -> Number:
    """A source's double by its shortest text, whole ones without ``.0``. Raises ``TemplateValueError`` for NaN."""
    number = Decimal(repr(value))
    if not number.is_finite():
        raise TemplateValueError("NaN and Infinity are no numbers a document can show")
    return int(number) if number == number.to_integral_value() else number
