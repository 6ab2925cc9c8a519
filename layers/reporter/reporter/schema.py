"""What a data source holds: tables, their columns and the columns' types.

One meaning for every kind of source. A table is known by its qualified name: ``schema.table`` where the source has
schemas, else ``table``. Requests and templates may write ``table``, ``schema.table`` or ``schema__table``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from reporter.errors import RequestError

ColumnType = Literal[
    "text",
    "integer",
    "numeric",
    "boolean",
    "uuid",
    "date",
    "timestamp",
    "timestamptz",
    "jsonb",
    "array",
    "object",
    "other",
]
"""``timestamp`` has no zone and is read as UTC; ``other`` can be printed, but not filtered."""

COLUMN_TYPES: frozenset[str] = frozenset(get_args(ColumnType))
TIMESTAMP_TYPES: frozenset[str] = frozenset({"timestamp", "timestamptz"})
NESTED_TYPES: frozenset[str] = frozenset({"jsonb", "object"})

Columns = Mapping[str, ColumnType]


@dataclass(frozen=True, slots=True)
class SourceSchema:
    """The tables of one source by qualified name. ``schemas``: in the order the source declares them.

    ``open_tables``: those without a row to show what they hold; any name may be a column of theirs.
    """

    source: str
    tables: Mapping[str, Columns]
    schemas: tuple[str, ...] = ()
    open_tables: frozenset[str] = frozenset()
    by_name: Mapping[str, tuple[str, ...]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        by_name: dict[str, tuple[str, ...]] = {}
        for qualified in self.tables:
            bare = qualified.partition(".")[2] if self.schemas and "." in qualified else qualified
            by_name[bare] = (*by_name.get(bare, ()), qualified)
        object.__setattr__(self, "by_name", by_name)

    def qualified_name(self, table: str, place: str) -> str:
        """The one table that ``table`` means.

        Raises ``RequestError`` TPL-0030 (no such table) or TPL-0035 (in several schemas, none of them ``public``),
        naming ``place``.
        """
        for spelling in (table, table.replace("__", ".", 1)):
            if spelling in self.tables:
                return spelling
        found = self.by_name.get(table, ())
        if len(found) > 1 and f"public.{table}" in found:
            return f"public.{table}"
        if len(found) > 1:
            raise RequestError.at("TPL-0035", place, f"{table} is in several schemas: write one of {', '.join(found)}")
        if not found:
            raise RequestError.at("TPL-0030", place, f"data source {self.source} has no table {table}")
        return found[0]

    def as_json(self) -> dict[str, Any]:
        """The shape that caches and files hold: ``{"schemas": [...], "tables": {table: {column: type}}}``."""
        return {"schemas": list(self.schemas), "tables": {name: dict(columns) for name, columns in self.tables.items()}}

    @classmethod
    def from_json(cls, source: str, value: Mapping[str, Any]) -> "SourceSchema":
        """The inverse of ``as_json``. Raises ``ValueError`` where a type is unknown."""
        for table, columns in value["tables"].items():
            for column, kind in columns.items():
                if kind not in COLUMN_TYPES:
                    raise ValueError(f"{source}: {table}.{column} has the unknown type {kind!r}")
        return cls(source, value["tables"], tuple(value.get("schemas", ())))
