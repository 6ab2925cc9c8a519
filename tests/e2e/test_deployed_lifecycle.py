"""Reports canceled, deleted, swept up and dead on the deployed stack: the functions, their rights and their triggers."""

import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reporter.aws.report_items import item_of
from reporter.report import Report, Status

from local.api import Api
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
    until(lambda: api.call("GET", f"/v1/reports/{report}")[1]["status"] == "Error")
    status, retried, _ = api.call("POST", f"/v1/reports/{report}/retry")
    assert (status, retried["attempts"], retried["error"]) == (200, 2, None)
    again = until(lambda: (r := api.call("GET", f"/v1/reports/{report}")[1])["status"] == "Error" and r)
    assert (again["attempts"], again["error"]["code"]) == (2, "TEMPLATE_ERROR")
    waiting = report_in(ledger.ORGANIZATION, str(uuid.uuid4()))
    put(deployed[0], waiting)
    status, canceled, _ = api.call("POST", f"/v1/reports/{waiting.id}/cancel")
    assert (status, canceled["status"]) == (200, "Canceled")


def test_the_schedule_sweeps_up_what_workers_left(deployed: Stack, api: Api) -> None:
    ended = abandoned(attempts=3)
    put(deployed[0], ended)
    found = until(lambda: (r := api.call("GET", f"/v1/reports/{ended.id}")[1])["status"] == "Error" and r)
    assert found["error"]["code"] == "ATTEMPTS_USED_UP"


def test_the_limits_in_force_are_told(deployed: Stack, api: Api) -> None:
    status, limits, _ = api.call("GET", "/v1/limits")
    assert status == 200
    assert limits["concurrentReports"] == 5
    assert limits["deadlineSeconds"] == 86_400 + 3 * (900 + 120 + 60)
