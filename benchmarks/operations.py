"""A million rows of a bank's ledger, the same each time: made by the database itself, in seconds."""

from typing import Any

import psycopg
from psycopg import sql

from local.postgresql import EmbeddedPostgres

ORGANIZATION = "0192f000-0000-7000-8000-00000000000a"
SOURCE = "bank"
TABLE = "operation"
COLUMNS = ("id", "account_alias", "direction", "amount", "balance_after", "description", "created_at")

_CREATE = """
CREATE TABLE operation (id uuid, organization_id uuid, account_id uuid, account_alias text, direction text,
    amount numeric(20, 2), balance_after numeric(20, 2), description text, created_at timestamptz)"""
_FILL = """
INSERT INTO operation
SELECT md5('operation ' || n)::uuid, {organization}, md5('account ' || n % 5000)::uuid, '@conta_' || n % 5000,
    CASE WHEN n % 3 = 0 THEN 'debit' ELSE 'credit' END, n::bigint * 7919 % 500000000 / 100.0,
    n::bigint * 104729 % 900000000 / 100.0 - 4000000,
    CASE WHEN n % 11 > 0 THEN 'Ana & Filhos <' || n || '>, "co"' END,
    timestamptz '2024-01-01 00:00Z' + n * interval '13 minutes'
FROM generate_series(1, {rows}) AS n"""


def load(server: EmbeddedPostgres, rows: int) -> str:
    """Make a database with so many operations; its name."""
    name = f"bank_{rows}"
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute(_CREATE)
        connection.execute(sql.SQL(_FILL).format(organization=sql.Literal(ORGANIZATION), rows=sql.Literal(rows)))
        connection.execute("VACUUM ANALYZE operation")
    return name


def entry(server: EmbeddedPostgres, database: str) -> dict[str, Any]:
    """The database as an entry of the registry."""
    login = {"username": server.user, "password": server.password, "sslmode": "disable"}
    return {
        "id": SOURCE,
        "type": "postgresql",
        "organizations": ["*"],
        "connection": {"host": "127.0.0.1", "port": server.port, "database": database, **login},
        "schemas": ["public"],
        "scope": {"default": "organization_id"},
    }
