"""What ``==``, ``<``, ``in`` and sorting mean: numbers with numbers, text with text, times with times and ISO text."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reporter.language.dates import instant_of
from reporter.language.numbers import TemplateValueError, described
from reporter.language.rows import Row, Rows

_ALIKE = frozenset({str, int, Decimal, bool, type(None), date})


def equal(a: Any, b: Any) -> bool:
    """``a == b``: text never equals a number, a boolean only a boolean; times compare with ISO text."""
    kind = type(a)
    if kind is type(b) and kind in _ALIKE:
        return bool(a == b)
    if isinstance(a, bool) or isinstance(b, bool):
        return isinstance(a, bool) and isinstance(b, bool) and a is b
    if isinstance(a, int | Decimal) and isinstance(b, int | Decimal):
        return a == b
    if isinstance(a, datetime | date) or isinstance(b, datetime | date):
        first, second = instant_of(a), instant_of(b)
        return first is not None and first == second
    if isinstance(a, str) and isinstance(b, str):
        return str(a) == str(b)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return a is b


def less(a: Any, b: Any) -> bool:
    """``a < b``. Numbers, texts, times (also against ISO text); null orders as 0 or empty text beside these.

    Raises ``TemplateValueError`` where there is no order: text against a number, booleans, lists.
    """
    if isinstance(a, str) and isinstance(b, str):
        return str(a) < str(b)
    if isinstance(a, datetime | date) or isinstance(b, datetime | date):
        first, second = instant_of(a), instant_of(b)
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
        if _is_number(other):
            return bool((a or 0) < (b or 0))
    elif _is_number(a) and _is_number(b):
        return bool(a < b)
    raise TemplateValueError(f"{described(a)} and {described(b)} have no order")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


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
        return item in container if isinstance(item, str) else any(equal(item, key) for key in container)
    if isinstance(container, Row):
        return isinstance(item, str) and item in container._positions
    if isinstance(container, Sequence | Rows):
        return any(equal(item, member) for member in container)
    raise TemplateValueError(f"in needs a list, an object or a text, not {described(container)}")


def order_keys(values: Sequence[Any]) -> list[tuple[int, Any]]:
    """Keys that sort the values as ``less`` orders them, null first. Raises where two of them have no order."""
    kinds = {_order_kind(value): value for value in values if value is not None}
    if kinds.keys() == {"text", "time"}:
        instants = [instant_of(value) for value in values]
        if all(instant is not None or value is None for instant, value in zip(instants, values, strict=True)):
            return [(instant is not None, instant or 0) for instant in instants]
    if len(kinds) > 1 or "" in kinds:
        a, b = [*kinds.values(), *kinds.values()][:2]
        raise TemplateValueError(f"{described(a)} and {described(b)} have no order")
    if "time" in kinds:
        return [(value is not None, instant_of(value) or 0) for value in values]
    return [(value is not None, value if value is not None else 0) for value in values]


def _order_kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, datetime | date):
        return "time"
    return "number" if _is_number(value) else ""
