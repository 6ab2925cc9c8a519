"""The whole worker: a message in, a document in S3, from a real PostgreSQL to a local AWS.

``python -m benchmarks.whole_worker once NUMBER`` is one report in a process of its own; its environment says where all is.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from benchmarks.operations import COLUMNS, ORGANIZATION, SOURCE, TABLE, entry, load
from benchmarks.processes import Measure, in_turn, report
from local import stack
from local.paths import REGION, STAGE
from local.postgresql import EmbeddedPostgres
from local.shell import aws_environment

BUCKET = "documents"
TABLES = {"reports": ("organizationId", "id"), "schemas": ("source",), "limits": ("id",)}
TEMPLATE = (
    ",".join(COLUMNS)
    + f"\n{{% for o in {SOURCE}.{TABLE} %}}"
    + ",".join(f"{{{{ o.{name} }}}}" for name in COLUMNS)
    + "\n{% endfor -%}"
)


@dataclass(frozen=True)
class Context:
    """What Lambda tells a worker."""

    aws_request_id: str = "benchmark"
    function_name: str = "worker"
    function_version: str = "1"
    memory_limit_in_mb: int = 2048
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:000000000000:function:worker"

    def get_remaining_time_in_millis(self) -> int:
        """Fifteen minutes."""
        return 900_000


@contextmanager
def local_aws() -> Iterator[dict[str, str]]:
    """A local AWS with what the worker needs; the environment to find it."""
    port, pid = stack.start_aws()
    running = stack.Running(port, pid, 0, "", {})
    try:
        for name, keys in TABLES.items():
            running.client("dynamodb").create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
            )
        running.client("s3").create_bucket(Bucket=BUCKET)
        running.client("events").create_event_bus(Name="reporter")
        queue = running.client("sqs").create_queue(QueueName="render")["QueueUrl"]
        running.client("s3").put_object(Bucket=BUCKET, Key="templates/csv", Body=TEMPLATE.encode())
        yield {
            **{name: value for name, value in aws_environment(running.endpoint).items() if name.startswith("AWS_")},
            "STAGE": STAGE,
            "REPORT_TABLE": "reports",
            "SCHEMA_TABLE": "schemas",
            "LIMIT_TABLE": "limits",
            "DOCUMENT_BUCKET": BUCKET,
            "EVENT_BUS": "reporter",
            "RENDER_QUEUE_URL": queue,
            "ALLOW_PRIVATE_SOURCES": "true",
            "POWERTOOLS_SERVICE_NAME": "reporter",
        }
    finally:
        stack.stop(running)


def once(number: str) -> None:
    """One report, from its message to its end; the process is the worker."""
    from reporter.aws.clients import client
    from reporter.aws.report_items import item_of
    from reporter.message import RenderMessage
    from reporter.report import Report, Status
    from reporter.request import ReportRequest
    from reporter.template import Template

    from functions.worker import app as worker

    now = datetime.now(UTC)
    template = Template(
        id=str(UUID(int=1)),
        organization_id=ORGANIZATION,
        description="benchmark",
        output_format="CSV",
        created_at=now,
        updated_at=now,
        version=1,
        file_name="operations.tpl",
        sha256=hashlib.sha256(TEMPLATE.encode()).hexdigest(),
        content_key="templates/csv",
        reads={SOURCE: {f"public.{TABLE}": COLUMNS}},
    )
    report_id = f"0192f000-0000-7000-8000-{hash((number, now)) % 16**12:012x}"
    request = ReportRequest(organization_id=ORGANIZATION, template_id=template.id, filters={})
    accepted = replace(Report.accepted(report_id, request, template, now), status=Status.PENDING)
    client("dynamodb").put_item(TableName="reports", Item=item_of(accepted))
    body = RenderMessage(ORGANIZATION, report_id).as_text()
    received = client("sqs")
    received.send_message(QueueUrl=worker.settings.render_queue_url, MessageBody=body)
    [message] = received.receive_message(QueueUrl=worker.settings.render_queue_url, WaitTimeSeconds=5)["Messages"]
    record = {"messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"]}
    answers: list[Any] = []
    report(lambda: answers.append(worker.handler({"Records": [record]}, Context())), worker.renderer.close)
    received.delete_message(QueueUrl=worker.settings.render_queue_url, ReceiptHandle=message["ReceiptHandle"])
    made = worker.ports.reports.get(ORGANIZATION, report_id)
    if made is None or made.status is not Status.FINISHED:
        raise SystemExit(f"the report did not finish: {answers} {made and made.error}")


def measured(server: EmbeddedPostgres, rows: int, runs: int) -> dict[str, Measure]:
    """``ours``, ``by hand`` and ``bare COPY`` on so many rows. Raises ``AssertionError`` when the documents differ."""
    database = load(server, rows)
    with local_aws() as environment:
        endpoint = environment["AWS_ENDPOINT_URL"]
        stack.register_sources(endpoint, [entry(server, database)])
        hand = ["benchmarks.floors.pipeline"]
        contenders = {
            "ours": ["benchmarks.whole_worker", "once"],
            "by hand": [*hand, "by_hand", server.dsn(database), BUCKET],
            "bare COPY": [*hand, "bare", server.dsn(database), BUCKET],
        }
        found = in_turn(contenders, runs, environment)
        s3 = stack.local_client("s3", endpoint)
        documents = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"documents/{ORGANIZATION}/")["Contents"]
        digests = {digest(s3, key) for key in ("documents/by-hand.csv", documents[0]["Key"])}
        if len(documents) != runs or len(digests) != 1:
            raise AssertionError("the two pipelines make different documents")
    return found


def digest(s3: Any, key: str) -> str:
    """Of an object's bytes."""
    found = hashlib.sha256()
    for piece in s3.get_object(Bucket=BUCKET, Key=key)["Body"].iter_chunks(1 << 20):
        found.update(piece)
    return found.hexdigest()


def main(arguments: list[str]) -> None:
    """``once NUMBER``, or ``ROWS RUNS``."""
    if arguments[0] == "once":
        once(arguments[1])
        return
    with EmbeddedPostgres() as server:
        for name, measure in measured(server, int(arguments[0]), int(arguments[1])).items():
            print(json.dumps({"name": name, "seconds": round(measure.seconds, 2), "MB": measure.peak // 1024**2}))


if __name__ == "__main__":
    main(sys.argv[1:])
