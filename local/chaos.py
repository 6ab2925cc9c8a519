"""``make chaos``: the deployed stack under load while its network fails and its workers are killed; then its books.

What clients were told, what the table holds and what lies in the bucket must agree: every accepted report ended, none
was made twice, and nobody holds a row of another organization.
"""

import hashlib
import io
import json
import os
import random
import signal
import sys
import threading
import time
import zipfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from pypdfium2 import PdfDocument  # type: ignore[import-untyped]

from local import stack
from local.api import Api
from local.paths import STACK, STATE
from local.postgresql import EmbeddedPostgres
from local.shell import StepFailed, step
from local.unreliable import Faults, unreliable
from samples import ledger

REPORTS = int(os.environ.get("CHAOS_REPORTS") or 500)
HOSTILE_SHARE = 0.05
CLIENTS = 6
KILL_EVERY_SECONDS = 4.0
SWEEP_EVERY_SECONDS = 5.0
PATIENCE_SECONDS = 2400
ORGANIZATIONS = (ledger.ORGANIZATION, ledger.OTHER_ORGANIZATION)
PARAMETERS = {
    "LeaseSeconds": "12",
    "HeartbeatSeconds": "3",
    "RetryDelaySeconds": "1",
    "RequeueSeconds": "20",
    "RenderSeconds": "10",
    "RenderCpuSeconds": "10",
    "MaxAttempts": "6",
    "MaxOutputBytes": str(8 * 1024 * 1024),
}
"""Times are short, so that what takes minutes in a real deployment happens often here."""

ROWS = "{% for b in midaz_transaction.balance %}"
LINES = (
    "organization;account;available\n" + ROWS + "{{ b.organization_id }};{{ b.account_id }};{{ b.available }}\n{% endfor %}"
)
GOOD = {
    "TXT": ROWS + "{{ b.organization_id }} {{ b.available }}\n{% endfor %}",
    "CSV": LINES,
    "XLSX": LINES,
    "XML": "<b>" + ROWS + '<r o="{{ b.organization_id }}">{{ b.available }}</r>{% endfor %}</b>',
    "JSON": "[" + ROWS + '{"o": "{{ b.organization_id }}", "v": {{ b.available }}},{% endfor %}null]',
    "HTML": "<html><body>" + ROWS + "<p>{{ b.organization_id }} {{ b.available }}</p>{% endfor %}</body></html>",
    "PDF": "<html><body>" + ROWS + "<p>{{ b.organization_id }} {{ b.available }}</p>{% endfor %}</body></html>",
}
HOSTILE = {
    "{{ 1 / 0 }}": "TEMPLATE_ERROR",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}": "TEMPLATE_RECURSION",
    "{% for i in range(99999) %}{{ 'x'|ljust:9999 }}{% endfor %}": "TEMPLATE_OUTPUT",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}": "TEMPLATE_TIMEOUT",
}


@dataclass
class Order:
    """One thing a client wants once. ``expects``: the code a hostile template must end with. ``told``: ids it was given."""

    organization: str
    template: str
    output_format: str
    key: str
    expects: str | None
    told: list[str] = field(default_factory=list)
    refused: list[Any] = field(default_factory=list)


def orders(apis: dict[str, Api], dice: random.Random) -> list[Order]:
    """Templates of every kind registered for both, and what is to be asked of them, mixed."""
    made: list[Order] = []
    for organization, api in apis.items():
        good = {kind: api.register("chaos", text.encode(), kind) for kind, text in GOOD.items()}
        hostile = {code: api.register("hostile", text.encode(), "TXT") for text, code in HOSTILE.items()}
        for number in range(REPORTS // len(apis)):
            kind, code = dice.choice(list(GOOD)), dice.choice(list(HOSTILE.values()))
            evil = dice.random() < HOSTILE_SHARE
            template, kind = (hostile[code], "TXT") if evil else (good[kind], kind)
            made.append(Order(organization, template, kind, f"order-{number}", code if evil else None))
    dice.shuffle(made)
    return made


def place(order: Order, api: Api, until: float) -> None:
    """As a careful client does: again with the same key until there is an answer."""
    body = json.dumps({"templateId": order.template, "filters": {}}).encode()
    while time.monotonic() < until:
        with suppress(OSError, ValueError):
            headers = {"Content_Type": "application/json", "X_Idempotency": order.key}
            status, answer, _ = api.call("POST", "/v1/reports", body, **headers)
            if status == 201:
                order.told.append(answer["id"])
                return
            if status < 500 and status not in {409, 429}:
                order.refused.append(answer)
                return
        time.sleep(0.5)


class Trouble:
    """Kills workers and acceptors, and keeps the sweeper running more often than its schedule does."""

    def __init__(self, running: stack.Running, dice: random.Random) -> None:
        self.killed = 0
        self._running = running
        self._dice = dice
        self._over = threading.Event()
        self._killing = threading.Event()
        self._killing.set()
        resources = running.client("cloudformation")
        found = resources.describe_stack_resource(StackName=STACK, LogicalResourceId="SweeperFunction")
        self._sweeper = found["StackResourceDetail"]["PhysicalResourceId"]
        names = ("WorkerFunctionName", "PdfWorkerFunctionName", "AcceptFunctionName")
        self._victims = [running.outputs[name] for name in names]
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._kill, self._sweep)]
        for thread in self._threads:
            thread.start()

    def stop_killing(self) -> None:
        """From now on everyone may live."""
        self._killing.clear()

    def end(self) -> None:
        """No more sweeping either."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _kill(self) -> None:
        while not self._over.wait(self._dice.uniform(0.5, 1.5) * KILL_EVERY_SECONDS):
            found = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._is_victim(pid)]
            if found and self._killing.is_set():
                with suppress(ProcessLookupError):
                    os.kill(self._dice.choice(found), signal.SIGKILL)
                    self.killed += 1

    def _is_victim(self, pid: int) -> bool:
        with suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            return str(STATE) in command and any(name in command for name in self._victims)
        return False

    def _sweep(self) -> None:
        while not self._over.wait(SWEEP_EVERY_SECONDS):
            with suppress(Exception):
                self._running.client("lambda").invoke(FunctionName=self._sweeper, Payload=b"{}")


def rows(running: stack.Running) -> dict[str, dict[str, Any]]:
    """The whole report table, past the network's faults."""
    pages = running.client("dynamodb").get_paginator("scan").paginate(TableName=running.outputs["ReportTableName"])
    plain = TypeDeserializer().deserialize
    found = [{name: plain(value) for name, value in item.items()} for page in pages for item in page["Items"]]
    return {row["id"]: row for row in found}


def text_of(content: bytes, output_format: str) -> str:
    """What a reader of the document sees."""
    if output_format == "PDF":
        return "".join(page.get_textpage().get_text_range() for page in PdfDocument(content))
    if output_format == "XLSX":
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            return "".join(parts.read(name).decode() for name in parts.namelist() if name.endswith(".xml"))
    return content.decode()


def books(running: stack.Running, made: list[Order]) -> tuple[Counter[str], list[str]]:
    """The counts, and what is wrong."""
    table, s3, wrong = rows(running), running.client("s3"), []
    count: Counter[str] = Counter()
    owner = {report_id: order for order in made for report_id in order.told}
    for order in made:
        count["accepted"] += bool(order.told)
        if len(set(order.told)) > 1:
            count["doubled"] += 1
            wrong.append(f"{order.key} was answered with {set(order.told)}")
        for refusal in order.refused:
            wrong.append(f"{order.key} was refused: {refusal}")
        if not order.told:
            wrong.append(f"{order.key} never had an answer")
    for report_id in owner.keys() - table.keys():
        count["lost"] += 1
        wrong.append(f"{report_id} was accepted and is not there")
    documents: dict[str, list[str]] = defaultdict(list)
    for report_id, row in table.items():
        if report_id not in owner:
            count["doubled"] += 1
            wrong.append(f"{report_id} was made for nobody")
            continue
        order = owner[report_id]
        reason = json.loads(row["error"])["code"] if row.get("error") else None
        if row["status"] not in {"Finished", "Error"}:
            count["lost"] += 1
            wrong.append(f"{report_id} is still {row['status']}")
        elif row["status"] == "Error":
            count["failed with reason"] += 1
            count[f"  {reason}"] += 1
            if reason is None or (order.expects is None and reason.startswith("TEMPLATE")):
                wrong.append(f"{report_id} failed with {reason}")
        else:
            count["finished"] += 1
            documents[row["documentKey"]].append(report_id)
            content = s3.get_object(Bucket=running.outputs["DocumentBucketName"], Key=row["documentKey"])["Body"].read()
            if (len(content), hashlib.sha256(content).hexdigest()) != (row["size"], row["sha256"]):
                wrong.append(f"{report_id} is not the document its record tells of")
            text = text_of(content, order.output_format)
            stranger = next(other for other in ORGANIZATIONS if other != order.organization)
            if stranger in text or order.organization not in text:
                count["leaked"] += 1
                wrong.append(f"{report_id} holds another organization's rows, or none of its own")
    count["doubled"] += sum(len(reports) > 1 for reports in documents.values())
    return count, wrong


def chaos() -> None:
    """Raises ``StepFailed`` where the books do not agree."""
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(10**9))
    dice, faults = random.Random(seed), Faults(seed)
    print(f"{REPORTS} reports of two organizations, seed {seed} (CHAOS_SEED={seed} throws the same dice):")
    stack.build()
    with step("starting PostgreSQL and loading the sample ledger"):
        postgres = EmbeddedPostgres()
        postgres.start()
        ledger.load(postgres.dsn(), operations=1000)
    running = stack.Running(0, 0, postgres.pid, "", {}, str(postgres.folder))
    try:
        port, pid = stack.start_aws(lambda port: unreliable(port, faults))
        running = replace(running, port=port, pid=pid)
        outputs = stack.deploy(port, **PARAMETERS)
        running = replace(running, outputs=outputs, url=stack.api_url(port, outputs))
        stack.register_sources(
            running.endpoint, ledger.sources("127.0.0.1", postgres.port, postgres.user, postgres.password)
        )
        made, trouble = under_load(running, faults, dice)
        with step("checking the books"):
            count, wrong = books(running, made)
    finally:
        stack.stop(running)
    print(f"\nThe network: {', '.join(f'{number} {name}' for name, number in faults.met.most_common())}.")
    print(f"Killed: {trouble.killed} processes of workers and acceptors.\n")
    for name in ("accepted", "finished", "failed with reason", "doubled", "lost", "leaked"):
        print(f"{name:>20}  {count[name]}")
        if name.startswith("failed"):
            for reason in sorted(reason for reason in count if reason.startswith("  ")):
                print(f"{reason:>42}  {count[reason]}")
    if wrong or any(count[name] for name in ("doubled", "lost", "leaked")):
        raise StepFailed("\n".join(["The books do not agree:", *wrong[:20]]))


def under_load(running: stack.Running, faults: Faults, dice: random.Random) -> tuple[list[Order], Trouble]:
    """Everything at once; returns when all has ended, or patience has."""
    apis = {organization: Api(running.url, organization) for organization in ORGANIZATIONS}
    with step("registering templates"):
        made = orders(apis, dice)
    faults.on = True
    trouble = Trouble(running, dice)
    until = time.monotonic() + PATIENCE_SECONDS
    with step("posting reports while calls are lost and processes die"), ThreadPoolExecutor(CLIENTS) as pool:
        # Every tenth is sent by two clients at the same time.
        twice = [order for number, order in enumerate(made) for _time in range(2 if number % 10 == 0 else 1)]
        for _done in pool.map(lambda order: place(order, apis[order.organization], until), twice):
            pass
    with step("waiting for the rest, with half of it still under fire"):
        open_reports, half = -1, None
        while open_reports and time.monotonic() < until:
            open_reports = sum(row["status"] not in {"Finished", "Error"} for row in rows(running).values())
            half = half or open_reports // 2
            if open_reports <= half:
                faults.on = False
                trouble.stop_killing()
            time.sleep(1)
    trouble.end()
    return made, trouble


def main() -> int:
    """0 when the books agree."""
    try:
        chaos()
    except StepFailed as failed:
        print(f"\n{failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
