"""Templates by chance over the tables of one schema: mostly right, sometimes with wrong names, some of them damaged."""

from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import strategies as st
from reporter.schema import SourceSchema

SCHEMAS = {
    "erp": SourceSchema(
        "erp",
        {
            "public.t": {"id": "integer", "name": "text", "v": "numeric", "on": "boolean", "meta": "jsonb", "items": "text"},
            "public.u": {"id": "integer", "t_id": "integer", "direction": "text", "at": "timestamptz", "v": "numeric"},
            "sales.o": {"id": "integer", "total": "numeric", "kind": "text"},
        },
        ("public", "sales"),
    )
}
SPELLINGS = {
    "public.t": ["erp.t", "erp:public.t", "erp.public__t"],
    "public.u": ["erp.u", 'erp["u"]'],
    "sales.o": ["erp.o", "erp:sales.o", "erp.sales__o"],
}
_LITERALS = ["1", "0", "2.50", '"a"', "'5'", '"2024-01-02"', "true", "null", "nil", "[1, 2]", '{"a": 1}', "7", "-3"]
_OPERATORS = [*"+-*/<>~%", "**", "//", "==", "!=", "<=", ">=", " and ", " or ", "&&", "||", " in ", " not in "]
_FILTERS = ["upper", "default:1", "default: 'x'", "floatformat:2", "tojson", "length", "add:1", "safe", "yesno:'a,b'", "e"]
_TEXTS = [
    "text",
    "\n",
    "\r\n",
    '"',
    ",",
    "{# c #}",
    "{% comment %}{{ gone }}{% endcomment %}",
    "{% verbatim %}{{{% endverbatim %}",
]


class Author:
    """Writes one template. ``scope``: name → the table it is a row of, with ``[]`` all rows of, or empty."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._made = 0

    def template(self) -> str:
        """A whole template."""
        return self._body({}, self._chance.randint(0, 3))

    def _one(self, *choices: Any) -> Any:
        return self._chance.choice(choices)

    def _name(self, scope: dict[str, str]) -> str:
        self._made += 1
        return str(self._one(f"n{self._made}", f"n{self._made}", "id", "v", *scope))

    def _column(self, table: str) -> str:
        if self._chance.random() < 0.01:
            return "gone"
        return str(self._chance.choice(list(SCHEMAS["erp"].tables[table.rstrip("[]")])))

    def _rows(self, scope: dict[str, str], depth: int) -> tuple[str, str]:
        """An expression for rows, and their table."""
        held = [name for name, kind in scope.items() if kind.endswith("[]")]
        if held and self._chance.random() < 0.3:
            name = self._chance.choice(held)
            return name, scope[name].rstrip("[]")
        if depth <= 0 or self._chance.random() < 0.5:
            table = self._chance.choice(list(SPELLINGS))
            return self._chance.choice(SPELLINGS[table]), table
        rows, table = self._rows(scope, depth - 1)
        column = self._column(table)
        made = [
            f'{rows}|where:"{column}:1"',
            f'filter({rows}, "{column}", {self._value(scope, 0)})',
            f'{rows}|sort:"{column}"',
            f"{rows}|reverse",
            f"{rows}|unique",
            f'{rows}|slice:":2"',
            f"{rows}[0:2]",
            f"({rows} if {self._value(scope, depth - 1)} else {rows})",
            f"{rows}|default:{rows.partition('|')[0] if '(' not in rows else 'nil'}",
            f'{rows}|add_signed:"{self._one("id", "v")}"' if table == "public.u" else f"{rows}|list",
        ]
        return self._chance.choice(made), table

    def _row_value(self, scope: dict[str, str], depth: int) -> str:
        rows = [name for name, kind in scope.items() if kind and not kind.endswith("[]")]
        if rows and self._chance.random() < 0.7:
            name = self._chance.choice(rows)
            column = self._column(scope[name])
            return str(self._one(f"{name}.{column}", f'{name}["{column}"]', f"{name}.{column}"))
        held, table = self._rows(scope, depth)
        if "|" in held or held.startswith("("):
            return f"({held}|{self._one('first', 'last')}).{self._column(table)}"
        return f"{held}{self._one('.0', '[0]', '[-1]', '.1', '[7]')}.{self._column(table)}"

    def _value(self, scope: dict[str, str], depth: int) -> str:
        chance = self._chance.random()
        if chance < 0.35:
            return self._row_value(scope, depth - 1)
        if depth <= 0 or chance < 0.5:
            return str(self._one(*_LITERALS, *scope) if self._chance.random() < 0.99 else "nobody")
        a, b = self._value(scope, depth - 1), self._value(scope, depth - 1)
        rows, table = self._rows(scope, depth - 1)
        made = [
            *[f"({a} {self._chance.choice(_OPERATORS)} {b})" for _ in range(3)],
            f"({self._one('not ', '!', '-')}{a})",
            f"({a} if {b} else 1)",
            *[f"({a})|{self._chance.choice(_FILTERS)}" for _ in range(2)],
            f"{rows}|length",
            f'({rows})|sum:"{self._column(table)}"',
            f'({rows})|count:"{self._column(table)}:a"',
            f"contains({a}, {b})",
            f"[{a}, {b}]",
            f"({a} is none)",
            f"({rows})|{self._one('first', 'last', 'tojson')}",
            f'(erp.u|add_signed:"{self._one("id", "v")}"|last).signed',
            '(erp.u|add_day:"at"|first).dia',
        ]
        return str(self._chance.choice(made))

    def _body(self, scope: dict[str, str], depth: int) -> str:
        return "".join(self._pieces(scope, depth))

    def _pieces(self, scope: dict[str, str], depth: int) -> Iterator[str]:
        for _ in range(self._chance.randint(1, 4)):
            yield self._tag(scope, depth) if depth and self._chance.random() < 0.6 else self._leaf(scope)

    def _leaf(self, scope: dict[str, str]) -> str:
        rows, table = self._rows(scope, 1)
        condition = f" if {self._column(table)} {self._one('==', '>', '!=', '<=')} {self._value(scope, 1)}"
        tag = self._one("sum_by", "avg_by", "min_by", "max_by")
        name = self._name(scope)
        by = f'group_by "{self._column(table)}" order_by "{self._column(table)}"'
        choice = self._chance.randint(0, 9)
        if choice <= 3:
            return "{{ " + self._value(scope, 3) + " }}"
        if choice == 4:
            return f'{{% {tag} {rows} by "{self._column(table)}"{self._one("", condition)}{self._one("", " scale 2")} %}}'
        if choice == 5:
            return f"{{% count_by {rows}{self._one('', condition)} %}}"
        if choice == 6:
            value = self._value(scope, 2)
            scope[name] = ""
            return f"{{% set {name} = {value} %}}"
        if choice == 7:
            scope[name] = f"{table}[]"
            return f"{{% set {name} = {rows} %}}"
        if choice == 8:
            scope[name] = f"{table}[]"
            return f"{{% last_item_by_group {rows} {by}{self._one('', condition)} as {name} %}}"
        return str(self._one(*_TEXTS, f"{{% calc {self._row_value(scope, 0)} * 2 - 1 %}}"))

    def _tag(self, scope: dict[str, str], depth: int) -> str:
        choice = self._chance.randint(0, 7)
        if choice == 7:
            return self._join(scope, depth)
        if choice == 6:
            (rows, table), name = self._rows(scope, 1), self._name({})
            return f"{{% for n in {rows} %}}{{{{ {name}.{self._column(table)} }}}}{{% set {name} = n %}}{{% endfor %}}"
        if choice <= 2:
            rows, table = self._rows(scope, 2)
            name = self._name(scope)
            order = self._one("", "", " reversed")
            inner = self._body({**scope, name: table}, depth - 1)
            return f"{{% for {name} in {rows}{order} %}}{inner}{{% empty %}}{self._body(dict(scope), 0)}{{% endfor %}}"
        if choice == 3:
            test, other = self._value(scope, 2), self._value(scope, 2)
            bodies = [self._body(dict(scope), depth - 1) for _ in range(3)]
            return f"{{% if {test} %}}{bodies[0]}{{% elif {other} %}}{bodies[1]}{{% else %}}{bodies[2]}{{% endif %}}"
        if choice == 4:
            name, (rows, table) = self._name(scope), self._rows(scope, 1)
            return f"{{% with {name}={rows} %}}{self._body({**scope, name: table + '[]'}, depth - 1)}{{% endwith %}}"
        self._made += 1
        name, (rows, table) = f"m{self._made}", self._rows(scope, 1)
        inner = self._body({"a": f"{table}[]"}, depth - 1)
        return f"{{% macro {name}(a) %}}{inner}{{% endmacro %}}{{{{ {name}({rows}) }}}}"

    def _join(self, scope: dict[str, str], depth: int) -> str:
        """A loop that only wants the rows with one value in a column, said in one of three ways."""
        (rows, table), name = self._rows(scope, 1), f"j{self._made}"
        self._made += 1
        sides = [f"{name}.{self._column(table)}", self._value(scope, 1)]
        self._chance.shuffle(sides)
        test = f"{sides[0]} == {sides[1]}" + self._one("", "", f" and {self._value({**scope, name: table}, 1)}")
        inner = self._body({**scope, name: table}, depth - 1)
        if self._chance.random() < 0.3:
            column = self._column(table)
            return f'{{% sum_by {rows} by "{self._column(table)}" if {column} == {self._value(scope, 1)} %}}'
        if self._chance.random() < 0.5:
            return f"{{% for {name} in {rows} if {test} %}}{inner}{self._one('', '{% else %}none')}{{% endfor %}}"
        gap = self._one("", " ", "\n")
        return f"{{% for {name} in {rows} %}}{gap}{{% if {test} %}}{inner}{{% endif %}}{gap}{{% endfor %}}"


templates = st.integers(0, 2**64).map(lambda number: Author(Random(number)).template())
_PUT = ["", "{{", "%}", "{%", "|", "__class__", "\x00", "(", ":", "'", "{% endfor %}", "é", "\ud800", "{#", "**", "9" * 200]


@st.composite
def damaged(draw: Any) -> str:
    """A template with a piece cut out, doubled or put in."""
    text = draw(templates)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 12)))
    put = draw(st.sampled_from([*_PUT, text[start:end] * 2]))
    made: str = text[:start] + put + text[end:]
    return made
