"""Reports canceled, deleted, swept up and dead on the deployed stack: the functions, their rights and their triggers."""

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reporter.aws.report_items import item_of
from reporter.message import RenderMessage
from reporter.report import Report, Status

from local.api import Api
from local.paths import STACK
from local.postgresql import EmbeddedPostgres
from local.stack import Running
from samples import ledger
from tests.conformance.test_api_cases import report_in

pytestmark = pytest.mark.timeout(600)
Stack = tuple[Running, EmbeddedPostgres]
SECONDS = 120


def until(found: Callable[[], Any]) -> Any:
    """What it finds, within two minutes."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.5)
    raise AssertionError("it did not come about in time")


def failed(api: Api, report_id: str) -> Any:
    """The report, as soon as it has ended in ``Error``."""
    return until(lambda: (found := api.call("GET", f"/v1/reports/{report_id}")[1])["status"] == "Error" and found)


def put(running: Running, report: Report) -> None:
    running.client("dynamodb").put_item(TableName=running.outputs["ReportTableName"], Item=item_of(report))


def abandoned(status: Status = Status.PROCESSING, **more: Any) -> Report:
    """A report whose worker died."""
    past = datetime.now(UTC) - timedelta(seconds=5)
    return report_in(ledger.ORGANIZATION, str(uuid.uuid4()), status, due_at=past, lease_until=past, **more)


def test_a_deleted_report_is_gone_and_its_link_dead(deployed: Stack, api: Api) -> None:
    template = api.register("fixed", b"fixed", "TXT")
    report = api.order(template, {})
    assert api.finished(report)["attempts"] == 1
    _status, link, _ = api.call("GET", f"/v1/reports/{report}/download?redirect=false")
    assert api.call("POST", f"/v1/reports/{report}/cancel")[1]["code"] == "TPL-0045"
    assert api.call("POST", f"/v1/reports/{report}/retry")[1]["code"] == "TPL-0046"
    assert api.call("DELETE", f"/v1/reports/{report}")[0] == 204
    assert api.call("GET", f"/v1/reports/{report}")[0] == 404
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(link["url"], timeout=60)
    bucket = deployed[0].outputs["DocumentBucketName"]
    prefix = f"documents/{ledger.ORGANIZATION}/{report}/"
    found = deployed[0].client("s3").list_object_versions(Bucket=bucket, Prefix=prefix)
    assert found.get("Versions", []) == []


def test_a_failed_report_is_retried_and_an_open_one_canceled(deployed: Stack, api: Api) -> None:
    template = api.register("broken", b"{{ 1 / 0 }}", "TXT")
    report = api.order(template, {})
    failed(api, report)
    status, retried, _ = api.call("POST", f"/v1/reports/{report}/retry")
    assert (status, retried["attempts"], retried["error"]) == (200, 2, None)
    again = failed(api, report)
    assert (again["attempts"], again["error"]["code"]) == (2, "TEMPLATE_ERROR")
    waiting = report_in(ledger.ORGANIZATION, str(uuid.uuid4()))
    put(deployed[0], waiting)
    status, canceled, _ = api.call("POST", f"/v1/reports/{waiting.id}/cancel")
    assert (status, canceled["status"]) == (200, "Canceled")


def test_the_schedule_sweeps_up_what_workers_left(deployed: Stack, api: Api) -> None:
    ended = abandoned(attempts=3)
    put(deployed[0], ended)
    assert failed(api, ended.id)["error"]["code"] == "ATTEMPTS_USED_UP"


def test_the_limits_in_force_are_told(deployed: Stack, api: Api) -> None:
    status, limits, _ = api.call("GET", "/v1/limits")
    assert status == 200
    assert limits["concurrentReports"] == 5
    assert limits["deadlineSeconds"] == 86_400 + 3 * (900 + 120 + 60)


@pytest.fixture(scope="module")
def unreadable(deployed: Stack) -> Iterator[str]:
    """The render queue gives up what was received once; the id of a message that nobody can read, sent first."""
    sqs, url = deployed[0].client("sqs"), deployed[0].outputs["RenderQueueUrl"]
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
    at_once = json.dumps({**json.loads(policy), "maxReceiveCount": 1})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": at_once})
    try:
        yield sqs.send_message(QueueUrl=url, MessageBody="garbage")["MessageId"]
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})


@pytest.fixture
def stopped(deployed: Stack, unreadable: str) -> Iterator[tuple[Api, Callable[[], Any]]]:
    """An organization that no worker may work for, and how to let them again."""
    organization = str(uuid.uuid4())
    stack = deployed[0].client("cloudformation")
    found = stack.describe_stack_resource(StackName=STACK, LogicalResourceId="LimitTable")["StackResourceDetail"]
    table, key = found["PhysicalResourceId"], {"id": {"S": organization}}
    dynamodb = deployed[0].client("dynamodb")

    def allow(places: int) -> None:
        given = {":places": {"N": str(places)}}
        dynamodb.update_item(
            TableName=table, Key=key, UpdateExpression="SET concurrentReports = :places", ExpressionAttributeValues=given
        )

    allow(0)
    yield Api(deployed[0].url, organization), lambda: allow(1)
    allow(1)


def queue(running: Running, report: Report) -> None:
    """The report and its message, which nobody but a worker or the dead-letter function is to look after."""
    put(running, replace(report, due_at=datetime.now(UTC) + timedelta(hours=1)))
    body = RenderMessage(report.organization_id, report.id).as_text()
    running.client("sqs").send_message(QueueUrl=running.outputs["RenderQueueUrl"], MessageBody=body)


def test_a_report_that_no_worker_may_ever_take_is_given_up_and_ends_with_the_reason(
    deployed: Stack, stopped: tuple[Api, Callable[[], Any]]
) -> None:
    api, _release = stopped
    two_days_ago = datetime.now(UTC) - timedelta(days=2)
    old = report_in(api.organization, str(uuid.uuid4()), created_at=two_days_ago, updated_at=two_days_ago)
    queue(deployed[0], old)
    found = failed(api, old.id)
    assert (found["attempts"], found["error"]["code"]) == (0, "WAITED_TOO_LONG")
    assert found["completedAt"] is not None


def test_a_report_whose_last_worker_died_is_given_up_and_ends_with_the_reason(
    deployed: Stack, api: Api, unreadable: str
) -> None:
    lease = datetime.now(UTC) + timedelta(seconds=10)
    died = report_in(ledger.ORGANIZATION, str(uuid.uuid4()), Status.PROCESSING, attempts=3, lease_until=lease)
    queue(deployed[0], died)
    found = failed(api, died.id)
    # A worker that had ended it would have counted as a fourth.
    assert (found["attempts"], found["error"]["code"]) == (3, "ATTEMPTS_USED_UP")


def test_a_report_that_was_only_kept_waiting_is_queued_again_and_finishes(
    deployed: Stack, stopped: tuple[Api, Callable[[], Any]]
) -> None:
    api, release = stopped
    report = api.order(api.register("fixed", b"fixed", "TXT"), {})
    key = {"organizationId": {"S": api.organization}, "id": {"S": report}}
    where = {"TableName": deployed[0].outputs["ReportTableName"], "Key": key, "ConsistentRead": True}

    def row() -> Any:
        return deployed[0].client("dynamodb").get_item(**where)["Item"]

    accepted = row()
    requeued = until(lambda: (found := row())["dueAt"] != accepted["dueAt"] and found)
    assert (requeued["status"], requeued["attempts"]) == (accepted["status"], accepted["attempts"])
    release()
    assert api.finished(report)["attempts"] == 1


def test_a_message_that_nobody_can_read_is_given_up_and_kept(deployed: Stack, unreadable: str) -> None:
    s3, bucket = deployed[0].client("s3"), deployed[0].outputs["DocumentBucketName"]
    key = f"dead-letters/{unreadable}.json"
    until(lambda: s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents"))
    kept = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert kept["body"] == "garbage"
    assert kept["reason"]
