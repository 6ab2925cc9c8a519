"""What the benchmarks compare is the same work: the documents made by hand are those that our templates make."""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from reporter.dataset import SpooledRows, SpoolWriter
from reporter.language.render import render

from benchmarks.floors.documents import written
from benchmarks.operations import COLUMNS, SOURCE, TABLE
from benchmarks.render_once import FORMATS, template
from benchmarks.statements import ways

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("output_format", FORMATS)
def test_the_same_by_hand_is_the_same_to_the_byte(tmp_path: Path, output_format: str) -> None:
    notes = [None, "plain", "a,b", 'Ana & "Filhos" <3>', "=1+1", "O'Neil", "", "-x", "São\r\nPaulo"]
    rows = [
        (f"key-{n}", f"@conta_{n}", "debit", Decimal(n) / 100, Decimal(-n).scaleb(-2), note, NOW + timedelta(minutes=n))
        for n, note in enumerate(notes, start=1)
    ]
    table = SpoolWriter(tmp_path, 1000, 1 << 20).write(SOURCE, TABLE, COLUMNS, [rows])
    written(table, tmp_path / "by-hand", output_format)
    descriptor = os.open(table.path, os.O_RDONLY)
    spooled = SpooledRows(descriptor, table.columns, table.offsets, table.starts)
    pieces: list[str] = []
    render(template(output_format), output_format, {SOURCE: {TABLE: spooled}}, pieces.append, now=NOW)
    os.close(descriptor)
    assert (tmp_path / "by-hand").read_bytes().decode() == "".join(pieces)


def test_both_ways_to_write_a_join_say_the_same() -> None:
    accounts = [{"id": key, "name": key.upper(), "alias": f"@{key}"} for key in ("a", "b", "c")]
    operations = [
        {"account_id": "aab"[n % 3], "amount": Decimal(n), "direction": "credit", "description": None, "created_at": NOW}
        for n in range(7)
    ]
    data = {
        "midaz_onboarding": {"organization": [{"legal_name": "Banco"}], "account": accounts},
        "midaz_transaction": {"operation": operations},
    }
    made: dict[str, list[str]] = {way: [] for way in ways()}
    for way, text in ways().items():
        render(text, "HTML", data, made[way].append, now=NOW)
    assert "".join(made["filter"]) == "".join(made["condition"])
    assert "".join(made["filter"]).count("<tr><td>") == len(operations)
