"""Rows found by an index are the rows that a pass over the table finds, whatever counts as equal to what."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from reporter.indexed_rows import IndexedRows

from tests.unit.language.both_ways import outcome, plain_outcome

Spooled = Callable[[Sequence[str], Sequence[tuple[Any, ...]]], IndexedRows]

COLUMNS = ("k", "n", "a", "r")
KEYS: list[Any] = [
    *["7", 7, Decimal("7.0"), Decimal("7.00"), "7.0", "007", True, False, "true", "True", 1, 0, None, "", "null", "None"],
    *[date(2024, 2, 29), datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 2, 29, 12, tzinfo=UTC), "2024-02-29"],
    *["2024-02-29T00:00:00Z", "2024-02-28T21:00:00-03:00", [7], [], {"k": 7}, '{"k": 7}', "[7]", "x", -1, 10**30],
]
ROWS = [
    (key, None if number == 0 else number % 5, "text" if number % 3 else 9, {"k": "x"})
    for number, key in enumerate([*KEYS, *KEYS[::-1], *KEYS])
]

CHOOSING = [
    "{% for q in filter(s.t, 'k', r.k) %}{{ q.n }}{{ loop.index }},{% endfor %}",
    "{{ filter(s.t, 'k', r.k)|length }}/{{ filter(s.t, 'k', r.k).0.n }}/{{ filter(s.t, 'k', r.k).1.k }}",
    "{{ filter(s.t, 'k', r.k)|tojson }}{% if filter(s.t, 'k', r.k) %}some{% endif %}",
    "{{ s.t|where:'k:7'|length }}{{ s.t|count:'k:7' }}{{ s.t|count:'k:true' }}{{ s.t|count:'k:[7]' }}{{ s.t|count:'k:' }}",
    "{{ s.t|where:'k:7'|where:'n:2'|length }}{{ s.t|where:'k:2024-02-29'|sum:'n' }}",
    "{% for q in s.t if q.k == r.k %}{{ q.n }},{% else %}none{% endfor %}",
    "{% for q in s.t if r.k == q.k and q.n > 1 %}{{ q.n }}{{ loop.index }}{{ loop.last }}{% endfor %}",
    "{% for q in s.t %}{% if q.k == r.k %}{{ q.n }}{{ loop.index }},{% endif %}{% endfor %}",
    "{% for q in s.t %}.{% if q.k == r.k %}{{ q.n }}{{ r.k }}{% endif %}\n{% endfor %}",
    "{% for q in s.t %}{% if q.k == r.k %}{{ q|tojson }}{% endif %}{% endfor %}",
    "{% for q in s.t %}.{% if q.k == r.k %}{{ q|tojson }}{% endif %}{% endfor %}",
    "{% for q in s.t %}{% if q.k == r.k %}{{ q|tojson }}{{ loop.index }}{% endif %}{% endfor %}",
    "{% for q in s.t %}{% if q.k == r.k %}{{ q.n }}{% else %}-{% endif %}{% endfor %}",
    "{% for q in s.t %}{% if q.k == r.k %}{{ q.n }}{% elif q.n == 2 %}-{% endif %}{% endfor %}",
    "{% for q in s.t %}{% if q.k == r.k or q.n == 1 %}{{ q.n }}{% endif %}{% endfor %}",
    "{% for q in s.t %}{% if q.n == x %}{% set x = q.n + 1 %}{{ x }},{% endif %}{% endfor %}",
    "{% for q in s.t %}{% if q.k == r.k %}{{ q.n }}{% endif %}{% set y = y + 1 %}{% endfor %}{{ y }}",
    "{% for q in s.t if q.k == r.k %}{% counter 'c' %}{% endfor %}{% counter_show 'c' %}",
    "{% macro m(x) %}{% for q in s.t %}.{% if q.k == x %}{{ q.n }}{% endif %}{% endfor %}{% endmacro %}{{ m(r.k) }}",
    "{% with w = r.k %}{% for q in s.t if w == q['k'] %}{{ q.n }}{% endfor %}{% endwith %}",
    "{% for q in s.t if q.k == 'x' %}{{ q.n }}{% endfor %}{% for q in s.t if q.nosuch == r.k %}{{ q.n }}{% endfor %}",
    "{% set w = r.k %}{% sum_by s.t by 'n' if k == w %},{% max_by s.t by 'n' if w == k and n > 1 %}",
    "{% set w = r.k %}{% count_by s.t if k == w and a > 5 %}{% count_by s.t if a > 5 and k == w %}",
    "{% count_by s.t if k == r.k %}{% count_by s.t if k == n %}{% count_by s.t if k == nosuch %}",
    "{% set n = 3 %}{% count_by s.t if k == n %}{% count_by s.t if n == 3 %}{% avg_by s.t by 'n' if n == 2 scale 2 %}",
    "{% set w = r.k %}{% last_item_by_group s.t group_by 'n' order_by 'n' if k == w as g %}{{ g|tojson }}",
    "{% count_by s.t|where:'n:2' if k == 7 %}",
    "{% sum_by s.t by 'n' %}{% sum_by s.t by 'n' scale 1 %}{% max_by s.t by 'n' %}{{ s.t|sum:'n' }}{{ s.t|sum:'k' }}",
    "{% sum_by s.t|where:'n:2' by 'n' %}{{ filter(s.t, 'k', r.k)|sum:'n' }}",
    "{% last_item_by_group s.t group_by 'n' order_by 'n' as g %}{{ g|length }}",
]
FAILING = [
    "{% for q in s.t %}\n{% if 1 / q.n > 0 and q.k == r.k %}{{ q.n }}{% endif %}{% endfor %}",
    "{% for q in s.t if q.k == r.k.nosuch %}\n{{ q.n }}{% endfor %}",
    "{% for q in s.t %}{% if q.k == r.k %}\n{{ 1 / q.n }}{% endif %}{% endfor %}",
    "{% for q in s.t if q.k == r.k and q.a > 5 %}{{ q.n }}{% endfor %}",
]


@pytest.mark.parametrize("body", [*CHOOSING, *FAILING])
def test_an_index_finds_what_a_pass_over_the_table_finds(spooled: Spooled, body: str) -> None:
    template = "{% for r in s.t %}\n" + body + "|{% endfor %}"
    data = {"s": {"t": spooled(COLUMNS, ROWS)}}
    assert outcome(template, "TXT", data) == plain_outcome(template, "TXT", data)
    assert (outcome(template, "TXT", data)[0] == "text") is (body in CHOOSING)


@pytest.mark.parametrize(
    "body",
    [
        "{% for q in filter(s.t, 'k', r.k) %}{{ q.n }}{% endfor %}",
        "{{ s.t|count:'k:7' }}",
        "{% for q in s.t if q.k == r.k and q.n %}{{ q.n }}{% endfor %}",
        "{% for q in s.t if r.k == q.k %}{{ q|tojson }}{{ loop.index }}{% endfor %}",
        "{% for q in s.t %}\n{% if q.k == r.k %}{{ q.n }}{{ loop.index }}{% endif %}\n{% endfor %}",
        "{% for q in s.t %}{% if q.k == r.k %}{{ q|tojson }}{% endif %}{% endfor %}",
        "{% sum_by s.t by 'n' if k == r.k %}",
        "{% sum_by s.t by 'n' %}{{ s.t|sum:'n' }}{% max_by s.t by 'n' scale 2 %}",
        "{% last_item_by_group s.t group_by 'k' order_by 'n' as g %}{{ g|length }}",
        "{% last_item_by_group s.t group_by 'n' order_by 'n' if k == r.k as g %}{{ g|length }}",
    ],
)
def test_a_join_reads_the_table_a_few_times_and_not_for_every_row(spooled: Spooled, body: str) -> None:
    table = spooled(("k", "n"), [(f"key {number % 40}", number) for number in range(400)])
    others = [{"k": f"key {number}"} for number in range(40)]
    template = "{% for r in s.o %}" + body + "{% endfor %}"
    with (
        patch("reporter.indexed_rows.ASKED_BEFORE", 2),
        patch.object(IndexedRows, "encoded", autospec=True, side_effect=IndexedRows.encoded) as read,
    ):
        assert outcome(template, "TXT", {"s": {"t": table, "o": others}})[0] == "text"
    # Two plain passes, each of which may look twice, and one to make the index.
    assert read.call_count <= 5 * 100
