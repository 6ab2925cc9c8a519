"""The ledger's rows as data to give beside a template: one JSON file, as ``python -m reporter render --data`` takes it."""

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from samples import ledger

TABLES = {
    "midaz_onboarding": ("organization", "account"),
    "midaz_transaction": ("transaction", "operation", "balance"),
}


def dump(dsn: str, path: Path) -> None:
    """Write the rows of the sample organization that the samples read."""
    data: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for database, tables in TABLES.items():
        with psycopg.connect(dsn, dbname=database) as connection:
            data[database] = {table: _rows(connection, table) for table in tables}
    path.write_text(json.dumps(data, default=_marked), encoding="utf-8")


def _rows(connection: psycopg.Connection[Any], table: str) -> list[dict[str, Any]]:
    column = "id" if table == "organization" else "organization_id"
    query = sql.SQL("SELECT * FROM {} WHERE {} = %s ORDER BY ctid").format(sql.Identifier(table), sql.Identifier(column))
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(query, [ledger.ORGANIZATION]).fetchall()


def _marked(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"$type": "datetime", "value": value.isoformat()}
    if isinstance(value, date):
        return {"$type": "date", "value": value.isoformat()}
    if isinstance(value, Decimal):
        return {"$type": "decimal", "value": str(value)}
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(type(value).__name__)
