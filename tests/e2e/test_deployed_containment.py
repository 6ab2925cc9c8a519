"""Containment on the deployed stack, from inside: the worker as it was built and deployed, with its layers and its rights.

Its function is deployed once more beside itself, with a secret in its environment and code in its renderer that tries what a
template could try that had broken out of its language.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from local.paths import BUILD, STACK
from local.postgresql import EmbeddedPostgres
from local.stack import Running

HERE = Path(__file__).parent
PLANTED = "planted-secret-4711"
NAME = "probing-worker"
FAILURES = {"PermissionError", "OSError", "gaierror", "EndpointConnectionError", "ConnectTimeoutError", "HTTPClientError"}


@pytest.fixture(scope="module")
def found(deployed: tuple[Running, EmbeddedPostgres]) -> dict[str, Any]:
    """What the child reported."""
    running = deployed[0]
    functions = running.client("lambda")
    worker = functions.get_function_configuration(FunctionName=worker_of(running))
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        for path in (BUILD / "WorkerFunction").rglob("*.py"):
            archive.write(path, path.relative_to(BUILD / "WorkerFunction"))
        for name in ("escaped.py", "probing_worker.py"):
            archive.write(HERE / name, name)
        archive.writestr("endpoint", running.endpoint)
    functions.create_function(
        FunctionName=NAME,
        Runtime=worker["Runtime"],
        Role=worker["Role"],
        Handler="probing_worker.handler",
        Code={"ZipFile": code.getvalue()},
        Layers=[layer["Arn"] for layer in worker["Layers"]],
        Environment={"Variables": {**worker["Environment"]["Variables"], "PLANTED_SECRET": PLANTED}},
        Timeout=60,
        MemorySize=worker["MemorySize"],
    )
    try:
        answer = functions.invoke(FunctionName=NAME, Payload=b"{}")
        made = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, made
        assert made["worker"] == PLANTED
        inside: dict[str, Any] = made["found"]
        return inside
    finally:
        functions.delete_function(FunctionName=NAME)


def worker_of(running: Running) -> str:
    """The worker's physical name."""
    stack = running.client("cloudformation").describe_stack_resources(StackName=STACK)
    return next(str(r["PhysicalResourceId"]) for r in stack["StackResources"] if r["LogicalResourceId"] == "WorkerFunction")


def test_no_planted_secret_is_in_any_environment_in_memory_or_in_live_objects(found: dict[str, Any]) -> None:
    places = ["environ", "own environ", "parent's environ", "memory", "objects"]
    assert {place: found[place] for place in places} == {**dict.fromkeys(places, 0), "environ": []}


@pytest.mark.parametrize(
    "what",
    [
        *["open", "open own environ", "open the parent's environ", "open for writing", "list", "socket", "connect", "name"],
        *["fork", "exec", "signal the parent"],
    ],
)
def test_nothing_can_be_opened_or_reached(found: dict[str, Any], what: str) -> None:
    assert found[what] in FAILURES


def test_a_call_to_s3_fails_though_it_worked_before(found: dict[str, Any]) -> None:
    assert found["buckets before"] >= 1
    assert found["s3"] in FAILURES
