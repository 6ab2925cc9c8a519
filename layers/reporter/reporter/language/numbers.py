"""Exact numbers: what operators, comparisons and aggregates mean in a template. Never a binary float."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow, Rounded, localcontext
from typing import Any

from reporter.language.dates import moment_of_text
from reporter.language.rows import Row, Rows, field

Number = int | Decimal

EXACT_DIGITS = 100
QUOTIENT_DIGITS = 28
MAX_EXPONENT = 1000
MAX_TEXT_DIGITS = 1000

_EXACT = Context(prec=EXACT_DIGITS, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Overflow, Rounded])
_QUOTIENT = Context(prec=QUOTIENT_DIGITS, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])
_ROOMY = Context(prec=2 * MAX_TEXT_DIGITS, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Overflow])
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
    return "a list"


def add(a: Any, b: Any) -> Number:
    """``a + b``, exact."""
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
    if b == 0:
        raise TemplateValueError("division by zero")
    quotient = _QUOTIENT.divide(Decimal(a), Decimal(b))
    if quotient == quotient.to_integral_value():
        return _integer(int(quotient))
    return quotient.normalize(_QUOTIENT)


def floor_divide(a: Any, b: Any) -> Number:
    """``a // b``: the quotient rounded down."""
    a, b = operand(a, "//"), operand(b, "//")
    if b == 0:
        raise TemplateValueError("division by zero")
    if type(a) is int and type(b) is int:
        return a // b
    quotient = _ROOMY.divide_int(Decimal(a), Decimal(b))
    if quotient * b != a and (a < 0) != (b < 0):
        quotient -= 1
    return _integer(int(quotient))


def modulo(a: Any, b: Any) -> Number:
    """``a % b``: what ``floor_divide`` leaves, with the sign of ``b``."""
    return subtract(a, multiply(b, floor_divide(a, b)))


def power(a: Any, b: Any) -> Number:
    """``a ** b``. Raises when the result would have more than 100 digits, before computing it."""
    a, b = operand(a, "**"), operand(b, "**")
    if abs(b) > MAX_EXPONENT:
        raise TemplateValueError(f"an exponent is beyond {MAX_EXPONENT}")
    if a == 0 and b < 0:
        raise TemplateValueError("division by zero")
    whole = b == int(b)
    if whole and b >= 0 and a != 0:
        if abs(Decimal(a).adjusted() + 1) * int(b) > 2 * EXACT_DIGITS + MAX_EXPONENT:
            raise TemplateValueError(f"a result has more than {EXACT_DIGITS} digits")
        if type(a) is int:
            return _integer(a ** int(b))
        try:
            return _EXACT.power(Decimal(a), int(b))
        except (Rounded, Overflow):
            return _settled(_QUOTIENT.power(Decimal(a), int(b)))
    if a < 0 and not whole:
        raise TemplateValueError("a negative number has no such root")
    return _settled(_QUOTIENT.power(Decimal(a), Decimal(b)))


def negate(a: Any) -> Number:
    """``-a``; there is no negative zero."""
    return subtract(0, a) if a is not None else 0


def _settled(number: Decimal) -> Number:
    """A power to 28 digits, whole where it is within the last digit of being so."""
    whole = number.to_integral_value()
    if whole != 0 and abs(number - whole) <= abs(whole).scaleb(2 - QUOTIENT_DIGITS):
        return int(whole)
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


def equal(a: Any, b: Any) -> bool:
    """``a == b``: text never equals a number, a boolean only a boolean; times compare with ISO text."""
    if type(a) is type(b) and not isinstance(a, list | dict):
        return bool(a == b)
    if isinstance(a, bool) or isinstance(b, bool):
        return isinstance(a, bool) and isinstance(b, bool) and a is b
    if isinstance(a, int | Decimal) and isinstance(b, int | Decimal):
        return a == b
    if isinstance(a, datetime | date) or isinstance(b, datetime | date):
        first, second = _moment(a), _moment(b)
        return first is not None and first == second
    if isinstance(a, str) and isinstance(b, str):
        return str(a) == str(b)
    if isinstance(a, Row) and isinstance(b, Row):
        return a is b
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return a is None and b is None


def less(a: Any, b: Any) -> bool:
    """``a < b``. Numbers, texts, times (also against ISO text); null orders as 0 or empty text beside these."""
    if isinstance(a, str) and isinstance(b, str):
        return str(a) < str(b)
    if isinstance(a, datetime | date) or isinstance(b, datetime | date):
        first, second = _moment(a), _moment(b)
        if first is not None and second is not None:
            return first < second
        if a is None or b is None:
            return a is None and b is not None
    elif a is None or b is None:
        other = b if a is None else a
        if isinstance(other, str):
            return (a or "") < (b or "")
        if other is None:
            return False
        if not isinstance(other, bool) and isinstance(other, int | Decimal):
            return bool((a or 0) < (b or 0))
    elif (
        not isinstance(a, bool) and not isinstance(b, bool) and isinstance(a, int | Decimal) and isinstance(b, int | Decimal)
    ):
        return a < b
    raise TemplateValueError(f"{described(a)} and {described(b)} have no order")


def less_equal(a: Any, b: Any) -> bool:
    """``a <= b``."""
    return not less(b, a)


def contains(item: Any, container: Any) -> bool:
    """``item in container``: a member of a list, a part of a text, a key of an object."""
    if container is None:
        return False
    if isinstance(container, str):
        if isinstance(item, str):
            return item in container
        raise TemplateValueError(f"a text can hold text, not {described(item)}")
    if isinstance(container, Mapping):
        return item in container
    if isinstance(container, Row):
        return item in container._positions
    if isinstance(container, Sequence | Rows):
        return any(equal(item, member) for member in container)
    raise TemplateValueError(f"in needs a list, an object or a text, not {described(container)}")


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
    """All digits, no exponent, no negative zero."""
    if type(number) is int:
        return str(number)
    text = format(number, "f")
    return text[1:] if text[0] == "-" and not number else text


def trimmed(number: Number) -> str:
    """``plain`` without trailing zeros after the point."""
    text = plain(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def rounded(number: Number, places: int) -> Decimal:
    """To exactly so many decimals, half away from zero; no negative zero."""
    result = _ROOMY.quantize(Decimal(number), Decimal(1).scaleb(-places))
    return result if result else abs(result)


def exact_sum(numbers: Any) -> Number:
    """The sum of an iterable of numbers, exact. Raises ``TemplateValueError`` past 100 digits."""
    with localcontext(_EXACT):
        try:
            total: Number = sum(numbers)
        except (Rounded, Overflow):
            raise TemplateValueError(f"a sum has more than {EXACT_DIGITS} digits") from None
    return total


def from_float(value: float) -> Number:
    """A source's double by its shortest text, whole ones without ``.0``. Raises ``TemplateValueError`` for NaN."""
    number = Decimal(repr(value))
    if not number.is_finite():
        raise TemplateValueError("NaN and Infinity are no numbers a document can show")
    return int(number) if number == number.to_integral_value() else number


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        value = moment_of_text(value)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return None


def field_of(value: Any, path: str) -> Any:
    """What a dotted path leads to through rows and objects; null where it breaks off. Lists are not indexed."""
    for name in path.split("."):
        if type(value) is Row:
            value = field(value, name)
        elif isinstance(value, Mapping):
            value = value.get(name)
        else:
            return None
    return value


def has_field(value: Any, path: str) -> bool:
    """Whether the path's last field exists, even as null."""
    *parents, last = path.split(".")
    holder = field_of(value, ".".join(parents)) if parents else value
    if isinstance(holder, Row):
        return last in holder._positions
    return isinstance(holder, Mapping) and last in holder
