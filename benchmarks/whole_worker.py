"""The whole worker: a message in, a document in S3, from a real PostgreSQL to a local AWS.

``python -m benchmarks.whole_worker FORMAT NUMBER`` is one report in a process of its own; its environment says where all is.
All contenders begin cold, their clients and connections included, with everything imported.
"""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from benchmarks.floors.pipeline import KEYS
from benchmarks.operations import COLUMNS, ORGANIZATION, SOURCE, TABLE, entry, load
from benchmarks.processes import Measure, in_turn, report
from benchmarks.render_once import FORMATS, template
from local import stack
from local.paths import REGION, STAGE
from local.postgresql import EmbeddedPostgres
from local.shell import aws_environment

BUCKET = "documents"
TABLES = {"reports": ("organizationId", "id"), "schemas": ("source",), "limits": ("id",)}


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
        for output_format in FORMATS:
            body = template(output_format).encode()
            running.client("s3").put_object(Bucket=BUCKET, Key=f"templates/{output_format}", Body=body)
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


def main(output_format: str, number: str) -> None:
    """One report, from its message to its end; the process is the worker."""
    from reporter.aws.clients import client
    from reporter.aws.report_items import item_of
    from reporter.message import RenderMessage
    from reporter.report import Report, Status
    from reporter.request import ReportRequest
    from reporter.template import Template

    from functions.worker import app as worker

    now = datetime.now(UTC)
    registered = Template(
        id=str(UUID(int=1)),
        organization_id=ORGANIZATION,
        description="benchmark",
        output_format=output_format,
        created_at=now,
        updated_at=now,
        version=1,
        file_name="operations.tpl",
        sha256=hashlib.sha256(template(output_format).encode()).hexdigest(),
        content_key=f"templates/{output_format}",
        reads={SOURCE: {f"public.{TABLE}": COLUMNS}},
    )
    report_id = f"0192f000-0000-7000-8000-{hash((number, output_format, now)) % 16**12:012x}"
    request = ReportRequest(organization_id=ORGANIZATION, template_id=registered.id, filters={})
    accepted = replace(Report.accepted(report_id, request, registered, now), status=Status.PENDING)
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


def measured(server: EmbeddedPostgres, rows: int, runs: int) -> Iterator[tuple[str, dict[str, Measure]]]:
    """Output format, and ``ours``, ``by hand`` and ``bare COPY``. Raises ``AssertionError`` when the documents differ."""
    database = load(server, rows)
    dsn = server.dsn(database)
    with local_aws() as environment:
        endpoint = environment["AWS_ENDPOINT_URL"]
        stack.register_sources(endpoint, [entry(server, database)])
        s3 = stack.local_client("s3", endpoint)
        for output_format in FORMATS:
            contenders = {
                "ours": ["benchmarks.whole_worker", output_format],
                "by hand": ["benchmarks.floors.pipeline", "by_hand", output_format, dsn, BUCKET],
                "bare COPY": ["benchmarks.floors.pipeline", "bare", output_format, dsn, BUCKET],
            }
            yield output_format, in_turn(contenders, runs, environment)
            documents = [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET, Prefix="documents/")["Contents"]]
            if len(documents) != runs or len({digest(s3, key) for key in (*documents, KEYS["by_hand"])}) != 1:
                raise AssertionError(f"the two pipelines make different documents in {output_format}")
            for key in documents:
                s3.delete_object(Bucket=BUCKET, Key=key)


def digest(s3: Any, key: str) -> str:
    """Of an object's bytes."""
    found = hashlib.sha256()
    for piece in s3.get_object(Bucket=BUCKET, Key=key)["Body"].iter_chunks(1 << 20):
        found.update(piece)
    return found.hexdigest()


def line(output_format: str, rows: int, found: dict[str, Measure]) -> str:
    """Of the table, for one format."""
    ours, hand, bare = (found[name] for name in ("ours", "by hand", "bare COPY"))
    return (
        f"| {output_format} | {rows:,} | {ours.seconds / hand.seconds:.2f} × | {ours.seconds / bare.seconds:.1f} × "
        f"| {ours.seconds:.2f} | {hand.seconds:.2f} | {rows / ours.seconds:,.0f} | {ours.peak / 1e6:.0f} MB "
        f"| {hand.peak / 1e6:.0f} MB |"
    )


HEADING = (
    "| whole worker | rows | takes, of the same by hand | of bare COPY and upload | seconds | by hand | rows/s "
    "| peak memory | by hand |",
    "|---|---|---|---|---|---|---|---|---|",
)

if __name__ == "__main__":
    main(*sys.argv[1:3])
