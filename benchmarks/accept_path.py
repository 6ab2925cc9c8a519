"""What a report costs at AWS: calls, DynamoDB units, money; and the accept handler's own time, without AWS.

Counted on moto from what botocore sends. Units follow DynamoDB's rules: a write per begun kilobyte of the item, twice in a
transaction, once more for an entry that appears in or leaves an index, a read per begun four kilobytes, half without
consistency. The prices are those of us-east-1 in 2026; look up yours.
"""

import json
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from time import perf_counter
from typing import Any

import boto3
from botocore.client import BaseClient

PRICES: Mapping[str, float] = {
    "API call": 3.50e-6,
    "Lambda request": 0.20e-6,
    "Lambda GB-second": 16.6667e-6,
    "write unit": 0.625e-6,
    "read unit": 0.125e-6,
    "SQS request in a fair queue": 0.50e-6,
    "S3 PUT": 5.0e-6,
    "S3 GET": 0.4e-6,
    "EventBridge event": 1.0e-6,
}
"""In US dollars. Left out: storage, logs, traces, transfer, and what the data sources cost."""
ACCEPT_GB_SECONDS = 0.5 * 0.1
WORKER_GB_SECONDS = 2.0 * 1.0
"""Assumed: accept takes 0.1 s at 512 MB, a small report 1 s at 2 GB. A million rows take some ten times that."""
INDEX_KEYS = ("openShard", "dueAt")
WARM_CALLS = 300


@dataclass
class Spent:
    """What was sent, and what it takes."""

    calls: list[str] = field(default_factory=list)
    writes: float = 0.0
    reads: float = 0.0


def _size(item: Mapping[str, Any]) -> int:
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return ceil(len(content) / 2) + 1
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(item) for name, item in content.items())
        case "L":
            return 3 + sum(1 + _value_size(item) for item in content)
    return len(content) if isinstance(content, bytes) else 1


def _index_writes(before: Mapping[str, Any], after: Mapping[str, Any]) -> int:
    entries = [
        tuple(str(item.get(key)) for key in INDEX_KEYS) if INDEX_KEYS[0] in item else None for item in (before, after)
    ]
    return 0 if entries[0] == entries[1] else sum(entry is not None for entry in entries)


@contextmanager
def spending() -> Iterator[Spent]:
    """Counts every call of every client meanwhile."""
    spent = Spent()
    look = boto3.client("dynamodb")
    real: Callable[..., Any] = BaseClient._make_api_call  # type: ignore[attr-defined]

    def counted(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if client is look:
            return real(client, operation, parameters)
        before = _item(look, parameters) if operation == "UpdateItem" else {}
        spent.calls.append(operation)
        if operation == "PutItem":
            # Also when its condition refuses it.
            spent.writes += _written(parameters["Item"])
        answer = real(client, operation, parameters)
        match operation:
            case "TransactWriteItems":
                items = [action["Put"]["Item"] for action in parameters["TransactItems"] if "Put" in action]
                spent.writes += sum(2 * ceil(_size(item) / 1024) + _index_writes({}, item) for item in items)
            case "UpdateItem":
                after = _item(look, parameters)
                spent.writes += ceil(max(_size(before), _size(after), 1) / 1024) + _index_writes(before, after)
            case "GetItem":
                units = max(1, ceil(_size(answer.get("Item", {})) / 4096))
                spent.reads += units if parameters.get("ConsistentRead") else units / 2
        return answer

    BaseClient._make_api_call = counted  # type: ignore[attr-defined]
    try:
        yield spent
    finally:
        BaseClient._make_api_call = real  # type: ignore[attr-defined]


def _item(look: Any, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    item: Mapping[str, Any] = look.get_item(TableName=parameters["TableName"], Key=parameters["Key"]).get("Item", {})
    return item


def _written(item: Mapping[str, Any]) -> int:
    return ceil(_size(item) / 1024) + _index_writes({}, item)


def measured() -> tuple[dict[str, Spent], float]:
    """``new``, ``replay`` and ``worker``; and the accept handler's median seconds without AWS, warm."""
    import moto

    import tests.conftest  # noqa: F401 - the environment, and moto before everything else
    from functions.accept import app as accept
    from functions.worker import app as worker
    from tests.integration.test_lost_calls import BODY, HEADERS, post, prepared
    from tests.wire import Worker
    from tests.world import World

    with moto.mock_aws():
        world = World()
        prepared(world)
        assert world.call("POST", "/v1/reports", BODY, {**HEADERS, "X-Idempotency": "first"}).status == 201
        found: dict[str, Spent] = {}
        with spending() as found["new"]:
            report_id = post(world).body["id"]
        with spending() as found["replay"]:
            post(world)
        running = Worker()
        running.deliver(world.call("POST", "/v1/reports", BODY, {**HEADERS, "X-Idempotency": "second"}).body["id"])
        with spending() as found["worker"]:
            assert running.deliver(report_id)
        worker.renderer.close()
        own = [_own_seconds(accept.handler, number) for number in range(WARM_CALLS)]
    return found, statistics.median(own)


def _own_seconds(handler: Callable[[Any, Any], Any], number: int) -> float:
    """One new report; what it takes less what its calls take."""
    from tests.integration.test_lost_calls import BODY, HEADERS
    from tests.world import Context

    headers = {name: [value] for name, value in {**HEADERS, "X-Idempotency": f"warm {number}"}.items()}
    event = {
        "httpMethod": "POST",
        "path": "/v1/reports",
        "resource": "/v1/reports",
        "headers": {name: values[0] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "body": json.dumps(BODY),
        "isBase64Encoded": False,
        "requestContext": {"stage": "test", "path": "/v1/reports", "authorizer": {"access": "off"}},
    }
    real: Callable[..., Any] = BaseClient._make_api_call  # type: ignore[attr-defined]
    elsewhere = 0.0

    def timed(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        nonlocal elsewhere
        began = perf_counter()
        try:
            return real(client, operation, parameters)
        finally:
            elsewhere += perf_counter() - began

    BaseClient._make_api_call = timed  # type: ignore[attr-defined]
    try:
        began = perf_counter()
        answer = handler(event, Context())
        took = perf_counter() - began
    finally:
        BaseClient._make_api_call = real  # type: ignore[attr-defined]
    assert answer["statusCode"] == 201, answer
    return took - elsewhere


def cost(found: Mapping[str, Spent]) -> float:
    """US dollars for 1,000 small reports: each posted once, asked for five times, downloaded once."""
    new, worker = found["new"], found["worker"]
    units = {
        "API call": 1 + 5 + 1,
        "Lambda request": 1 + 5 + 1 + 1,
        "Lambda GB-second": 7 * ACCEPT_GB_SECONDS + WORKER_GB_SECONDS,
        "write unit": new.writes + worker.writes,
        "read unit": new.reads + worker.reads + 5 + 1,
        "SQS request in a fair queue": 3,
        "S3 PUT": 1,
        "S3 GET": 2,
        "EventBridge event": 1,
    }
    return 1000 * sum(PRICES[what] * number for what, number in units.items())


def lines() -> Iterator[str]:
    """The table."""
    found, own = measured()
    yield "| path | AWS calls | which | write units | read units |"
    yield "|---|---|---|---|---|"
    for name, spent in found.items():
        yield f"| {name} | {len(spent.calls)} | {', '.join(spent.calls)} | {spent.writes:g} | {spent.reads:g} |"
    yield ""
    yield f"Accept handler, warm, without AWS calls: {own * 1000:.1f} ms (median of {WARM_CALLS})."
    yield f"1,000 small reports, each posted once, asked for five times and downloaded once: about ${cost(found):.2f}."


if __name__ == "__main__":
    print("\n".join(lines()))
