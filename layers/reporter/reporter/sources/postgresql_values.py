"""PostgreSQL's values as plain ones: exact numbers, UTC, nothing that only the driver knows."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.types.json import set_json_loads

from reporter.sources.values import exact_number, refuse_surrogates


class _Numeric(Loader):
    def load(self, data: Any) -> Decimal:
        return exact_number(str(data, "ascii"))


class _Double(Loader):
    """A double by its shortest text, which is what PostgreSQL sends; whole ones without a point."""

    def load(self, data: Any) -> Decimal | int:
        number = exact_number(str(data, "ascii"))
        return int(number) if number == number.to_integral_value() else number


class _Moment(Loader):
    """Always with ``UTC`` itself: a zone by name would have to be looked up where there are no files to open."""

    def load(self, data: Any) -> datetime:
        return datetime.fromisoformat(str(data, "ascii")).astimezone(UTC)


def _json(data: str | bytes) -> Any:
    if isinstance(data, bytes):
        data = data.decode()
    refuse_surrogates(data)
    return json.loads(data, parse_float=exact_number)


def register_values(connection: psycopg.Connection[Any]) -> None:
    """Make a connection deliver plain values. Loaders raise ``ValueError`` for what has no plain value."""
    connection.adapters.register_loader("float4", _Double)
    connection.adapters.register_loader("float8", _Double)
    connection.adapters.register_loader("numeric", _Numeric)
    connection.adapters.register_loader("timestamptz", _Moment)
    set_json_loads(_json, connection)
