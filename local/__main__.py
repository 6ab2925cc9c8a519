"""``python -m local up|down|demo|token|logs``: the local stack from a shell."""

import json
import os
import shutil
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psycopg
from pypdfium2 import PdfDocument  # type: ignore[import-untyped]
from python_calamine import CalamineWorkbook

from local import stack, tokens
from local.api import Api
from local.paths import LOGS, ROOT, STATE, URL
from local.postgresql import EmbeddedPostgres
from local.shell import StepFailed, step
from samples import ledger

SAMPLES = {
    "balance_4010": "XML",
    "statement": "HTML",
    "operations": "CSV",
    "receipt": "TXT",
    "accounts": "JSON",
    "account_statement": "PDF",
    "transfer_receipt": "PDF",
    "operations_workbook": "XLSX",
    "account_statements.xlsx": "XLSX",
}
"""Template → output format. A name without an ending stands for a ``.tpl``."""


def up(sources: Path | None = None, *, access: bool = False) -> tuple[stack.Running, EmbeddedPostgres | None]:
    """Build, start, deploy; with the samples unless ``sources`` names other data sources. ``access``: tokens are needed."""
    entries = None if sources is None else _given(sources)
    if stack.Running.saved() is not None:
        down()
    STATE.mkdir(exist_ok=True)
    stack.build()
    postgres = EmbeddedPostgres() if entries is None else None
    running = stack.Running(0, 0, 0, "", {})
    try:
        if postgres is not None:
            with step("starting PostgreSQL and loading the sample ledger"):
                postgres.start()
                running = replace(running, postgres_pid=postgres.pid, postgres_folder=str(postgres.folder))
                ledger.load(postgres.dsn())
            entries = ledger.sources("127.0.0.1", postgres.port, postgres.user, postgres.password)
        port, pid = stack.start_aws()
        running = replace(running, port=port, pid=pid)
        outputs = stack.deploy(port, **(tokens.publish(running.endpoint) if access else {}))
        with step("registering data sources"):
            stack.register_sources(running.endpoint, entries or [])
    except BaseException:
        stack.stop(running)
        raise
    running = replace(running, url=stack.api_url(port, outputs), outputs=outputs)
    running.save()
    return running, postgres


def _given(sources: Path) -> list[dict[str, Any]]:
    """The registry entries in a file. Raises ``StepFailed`` where there is no list of objects."""
    try:
        entries = json.loads(sources.read_text())
    except (OSError, ValueError) as error:
        raise StepFailed(f"{sources}: {error}") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise StepFailed(f"{sources}: a list of registry entries is expected, see README.md")
    return entries


def down() -> None:
    """Stop what ``up`` started."""
    running = stack.Running.saved()
    if running is None:
        print("Nothing runs.")
        return
    stack.stop(running)
    (STATE / "state.json").unlink()
    URL.unlink(missing_ok=True)


def demo() -> None:
    """The main job from end to end: a report of every sample template, the documents on disk, the stack stopped again."""
    print("Reporter, from template to document, on this machine:")
    running, postgres = up()
    if postgres is None:
        raise StepFailed("the demo runs on the samples")
    try:
        api = Api(running.url, ledger.ORGANIZATION)
        folder = ROOT / "reports"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        made: dict[str, Path] = {}
        for name, output_format in SAMPLES.items():
            with step(f"{name}: template, report, document"):
                file = ROOT / "samples" / "templates" / (name if "." in name else f"{name}.tpl")
                template = api.register(name, file.read_bytes(), output_format)
                report = api.order(template, {})
                api.finished(report)
                _file, content = api.download(report)
                made[name] = folder / f"{file.stem}.{output_format.lower()}"
                made[name].write_bytes(content)
        with step("checking the totals against SQL"):
            check_totals(made, postgres)
    finally:
        down()
    print("\nThe documents:")
    for path in made.values():
        print(f"  {path.relative_to(ROOT)}  ({path.stat().st_size:,} bytes)")
    print("\nThe first lines of the balance:")
    print("\n".join(made["balance_4010"].read_text().splitlines()[:6]))


def check_totals(made: dict[str, Path], postgres: EmbeddedPostgres) -> None:
    """Raises ``StepFailed`` where a document and the database disagree by a cent or a row."""
    with psycopg.connect(postgres.dsn("midaz_transaction")) as connection:
        total, operations = connection.execute(
            "SELECT (SELECT sum(available) FROM balance WHERE organization_id = %(o)s),"
            " (SELECT count(*) FROM operation WHERE organization_id = %(o)s)",
            {"o": ledger.ORGANIZATION},
        ).fetchone() or (None, None)
        signed = "CASE direction WHEN 'debit' THEN -amount ELSE amount END"
        sums = [
            amount
            for (amount,) in connection.execute(
                f"SELECT sum({signed}) FROM operation WHERE organization_id = %s GROUP BY account_id", [ledger.ORGANIZATION]
            )
        ]
    root = ElementTree.fromstring(made["balance_4010"].read_bytes())
    shown = root.find("total")
    routes = sum(Decimal(account.attrib["saldoDia"]) for account in root.iter("conta"))
    exported = json.loads(made["accounts"].read_text(), parse_float=Decimal)["balance"]
    rows = len(made["operations"].read_text().splitlines()) - 1
    book = CalamineWorkbook.from_path(str(made["operations_workbook"]))
    listed = len(book.get_sheet_by_name("Operations").to_python()) - 1
    if listed != rows:
        raise StepFailed(f"the workbook holds {listed} operations, the CSV {rows}")
    found = (Decimal(shown.attrib["saldo"]) if shown is not None else None, routes, exported, rows)
    if found != (total, total, total, operations):
        raise StepFailed(f"the documents say {found}, the database {total} and {operations} operations")
    with PdfDocument(made["account_statement"]) as pages:
        text = " ".join(page.get_textpage().get_text_range() for page in pages)
    missing = [amount for amount in sums if f"{amount:,.2f}".translate(str.maketrans(",.", ".,")) not in text]
    if missing:
        raise StepFailed(f"the statement in PDF lacks the totals {missing}")


def main(arguments: list[str]) -> int:
    """Run one command; 1 when it failed."""
    command = arguments[0] if arguments else ""
    try:
        match command:
            case "up":
                chosen = os.environ.get("SOURCES")
                running, _postgres = up(Path(chosen) if chosen else None, access=os.environ.get("ACCESS") == "on")
                print(f"The service answers at {running.url}")
            case "down":
                down()
            case "demo":
                demo()
            case "token":
                organizations = (os.environ.get("ORGANIZATIONS") or ledger.ORGANIZATION).split(",")
                named = os.environ.get("ACTIONS")
                print(tokens.signed(tokens.claims_for(organizations, named.split(",") if named else None)))
            case "logs":
                print(LOGS.read_text() if LOGS.exists() else "There are no logs: nothing ran yet.")
            case _:
                print("usage: python -m local up|down|demo|token|logs", file=sys.stderr)
                return 2
    except StepFailed as failed:
        print(f"\n{failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
