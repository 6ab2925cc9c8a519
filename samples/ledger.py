"""A deterministic bank ledger in PostgreSQL, shaped like Midaz's public tables.

The same size gives the same rows, always: no clock, no unseeded randomness.
"""

import json
import random
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

ORGANIZATION = "0192f000-0000-7000-8000-00000000000a"
OTHER_ORGANIZATION = "0192f000-0000-7000-8000-00000000000b"
ACCOUNTS = 200
OPERATIONS = 10_000
START = datetime(2024, 1, 1, tzinfo=UTC)
NAMES = [
    "Ana & Filhos Ltda",
    "João <Conta Única>",
    'Café "Aurora"',
    "Müller & Söhne",
    "Niño, Peña e Cia",
    "O'Neill S.A.",
]
ROUTES = [("1.1.1.10.00-6", "Caixa"), ("4.1.1.00.00-0", "Depósitos à vista"), ("4.1.5.10.00-9", "Depósitos a prazo")]

ONBOARDING = """
CREATE TABLE organization (id uuid PRIMARY KEY, legal_name text, legal_document text, created_at timestamptz);
CREATE TABLE ledger (id uuid PRIMARY KEY, organization_id uuid, name text, created_at timestamptz);
CREATE TABLE asset (id uuid PRIMARY KEY, organization_id uuid, ledger_id uuid, name text, code text);
CREATE TABLE portfolio (id uuid PRIMARY KEY, organization_id uuid, ledger_id uuid, name text);
CREATE TABLE account (id uuid PRIMARY KEY, organization_id uuid, ledger_id uuid, portfolio_id uuid, name text, alias text,
    type text, asset_code text, status text, metadata jsonb, created_at timestamptz);
"""
TRANSACTION = """
CREATE TABLE operation_route (id uuid PRIMARY KEY, organization_id uuid, code text, title text);
CREATE TABLE transaction (id uuid PRIMARY KEY, organization_id uuid, ledger_id uuid, description text, amount numeric(20, 2),
    asset_code text, status text, created_at timestamptz);
CREATE TABLE operation (id uuid PRIMARY KEY, organization_id uuid, transaction_id uuid, account_id uuid, route_id uuid,
    account_alias text, direction text, amount numeric(20, 2), balance_after numeric(20, 2), description text,
    metadata jsonb, created_at timestamptz);
CREATE TABLE balance (id uuid PRIMARY KEY, organization_id uuid, account_id uuid, route_id uuid, asset_code text,
    available numeric(20, 2), on_hold numeric(20, 2), updated_at timestamptz);
"""


def databases() -> tuple[str, str]:
    """The two databases, which are also the two data sources."""
    return "midaz_onboarding", "midaz_transaction"


def load(dsn: str, accounts: int = ACCOUNTS, operations: int = OPERATIONS) -> None:
    """Create both databases on the server behind ``dsn`` and fill them: most rows for one organization, some for another."""
    with psycopg.connect(dsn, autocommit=True) as server:
        for name in databases():
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    onboarding, transaction = databases()
    with psycopg.connect(dsn, dbname=onboarding) as first, psycopg.connect(dsn, dbname=transaction) as second:
        first.execute(ONBOARDING)
        second.execute(TRANSACTION)
        _fill(first, second, ORGANIZATION, accounts, operations, seed=1)
        _fill(first, second, OTHER_ORGANIZATION, max(1, accounts // 20), max(1, operations // 20), seed=2)


def _fill(
    onboarding: psycopg.Connection[Any],
    transactions: psycopg.Connection[Any],
    organization: str,
    accounts: int,
    operations: int,
    seed: int,
) -> None:
    chance = random.Random(seed)

    def new_id() -> str:
        return str(uuid.UUID(int=chance.getrandbits(128), version=4))

    ledger, portfolio = new_id(), new_id()
    _copy(onboarding, "organization", [(organization, NAMES[seed % len(NAMES)], f"{seed:014d}", START)])
    _copy(onboarding, "ledger", [(ledger, organization, "Livro principal", START)])
    _copy(onboarding, "asset", [(new_id(), organization, ledger, "Real", "BRL")])
    _copy(onboarding, "portfolio", [(portfolio, organization, ledger, "Varejo")])
    routes = [(new_id(), organization, code, title) for code, title in ROUTES]
    _copy(transactions, "operation_route", routes)
    ids = [new_id() for _number in range(accounts)]
    _copy(
        onboarding,
        "account",
        (
            (id_, organization, ledger, portfolio if n % 7 else None, f"{NAMES[n % len(NAMES)]} {n:04d}", f"@conta_{n:04d}",
             "deposit" if n % 5 else "savings", "BRL", "ACTIVE",
             json.dumps({"branch": f"{n % 9:04d}", "vip": n % 10 == 0}) if n % 3 else None, START + timedelta(hours=n))
            for n, id_ in enumerate(ids)
        ),
    )  # fmt: skip
    balances = dict.fromkeys(ids, Decimal(0))
    made, rows = [], []
    for number in range(operations):
        account = ids[number % accounts] if number < accounts else chance.choice(ids)
        direction = "credit" if number < accounts or chance.random() < 0.6 else "debit"
        amount = Decimal(chance.randint(1, 5_000_000)) / 100
        balances[account] += amount if direction == "credit" else -amount
        at = START + timedelta(minutes=number * 13)
        transaction = new_id()
        note = None if number % 11 == 0 else f'{NAMES[number % len(NAMES)]} <{number}> & "co"'
        made.append((transaction, organization, ledger, note, amount, "BRL", "APPROVED", at))
        rows.append(
            (new_id(), organization, transaction, account, routes[number % len(routes)][0],
             f"@conta_{ids.index(account):04d}", direction, amount, balances[account], note,
             json.dumps({"channel": "pix" if number % 2 else "ted"}), at)
        )  # fmt: skip
    _copy(transactions, "transaction", made)
    _copy(transactions, "operation", rows)
    end = START + timedelta(minutes=operations * 13)
    _copy(
        transactions,
        "balance",
        (
            (new_id(), organization, id_, routes[n % len(routes)][0], "BRL", balances[id_], Decimal(n % 4) * 10, end)
            for n, id_ in enumerate(ids)
        ),
    )


def _copy(connection: psycopg.Connection[Any], table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
        for row in rows:
            copy.write_row(row)


def sources(host: str, port: int, user: str, password: str) -> list[dict[str, Any]]:
    """The registry entries of the two databases, for the local stage."""
    common = {"host": host, "port": port, "username": user, "password": password, "sslmode": "disable"}
    onboarding, transaction = databases()
    return [
        {
            "id": onboarding,
            "externalName": "Onboarding",
            "type": "postgresql",
            "organizations": ["*"],
            "connection": {**common, "database": onboarding},
            "schemas": ["public"],
            "scope": {"default": "organization_id", "tables": {"organization": "id"}},
        },
        {
            "id": transaction,
            "externalName": "Transactions",
            "type": "postgresql",
            "organizations": ["*"],
            "connection": {**common, "database": transaction},
            "schemas": ["public"],
            "scope": {"default": "organization_id"},
        },
    ]
