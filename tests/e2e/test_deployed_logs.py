"""The logs of the deployed stack, as the functions write them: ids and codes, and none of what they work on."""

import json
import urllib.request
from typing import Any

import pytest

from local.api import Api
from local.paths import STAGE
from local.postgresql import EmbeddedPostgres
from local.stack import Running
from samples import ledger

pytestmark = pytest.mark.timeout(600)
SECRETS = {
    "a bearer token": "planted.bearer.token",
    "a filter's value": "planted filter value",
    "a value of a row": "planted row value",
    "metadata": "planted metadata",
    "an idempotency key": "planted-key",
}
TEMPLATE = b"{% for o in midaz_transaction.operation %}{{ o.id }}{{ o.direction }}\n{% endfor %}"


def test_nothing_planted_in_calls_rows_and_filters_is_in_the_logs(
    deployed: tuple[Running, EmbeddedPostgres], api: Api
) -> None:
    headers: dict[str, Any] = {
        "Authorization": f"Bearer {SECRETS['a bearer token']}",
        "X_Idempotency": SECRETS["an idempotency key"],
    }
    template = api.register("logged", TEMPLATE, "TXT")

    def post(condition: Any) -> tuple[int, Any]:
        filters = {"midaz_transaction": {"operation": condition}}
        body = {"templateId": template, "filters": filters, "metadata": {"note": SECRETS["metadata"]}}
        sent = json.dumps(body).encode()
        status, answer, _ = api.call("POST", "/v1/reports", sent, Content_Type="application/json", **headers)
        return status, answer

    assert post({"amount": {"gt": [SECRETS["a filter's value"]]}})[1]["code"] == "TPL-0017"
    status, report = post({"direction": {"in": ["debit", SECRETS["a filter's value"]]}})
    assert status == 201, report
    api.finished(report["id"])
    link = api.call("GET", f"/v1/reports/{report['id']}/download?redirect=false")[1]["url"]
    with urllib.request.urlopen(link, timeout=60) as answer:
        document = answer.read().decode()
    row = document.splitlines()[0].removesuffix("debit")
    given = json.dumps({"midaz_transaction": {"operation": [{"id": SECRETS["a value of a row"], "direction": "debit"}]}})
    for text, expected in ((TEMPLATE, 200), (b"{% for o in midaz_transaction.operation %}{{ o.id + 1 }}{% endfor %}", 400)):
        assert api.send_form("/v1/templates/preview", "p", text, outputFormat="TXT", data=given)[0] == expected
    assert api.call("DELETE", f"/v1/reports/{report['id']}", **headers)[0] == 204
    logs = written(deployed[0])
    for function in ("templates", "accept", "worker", "status", "preview", "reports"):
        assert '"level":' in logs[f"/aws/lambda/reporter-{STAGE}-{function}"], function
    everything = "".join(logs.values())
    assert report["id"] in everything
    for what, secret in {**SECRETS, "a row that the worker read": row, "a link": "X-Amz-Signature"}.items():
        assert secret not in everything, what
    assert len(row) == len(ledger.ORGANIZATION)


def written(running: Running) -> dict[str, str]:
    """Log group → all that was written there."""
    logs = running.client("logs")
    groups = logs.get_paginator("describe_log_groups").paginate()
    names = [group["logGroupName"] for page in groups for group in page["logGroups"]]
    pages = logs.get_paginator("filter_log_events").paginate
    return {name: "\n".join(e["message"] for page in pages(logGroupName=name) for e in page["events"]) for name in names}
