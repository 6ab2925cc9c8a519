"""Faults that AWS itself makes, put into single calls: refusals on the wire, stale reads, things that happen meanwhile."""

import inspect
import io
import json
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from reporter.aws.clients import client
from urllib3 import HTTPResponse

FOR_EVER = 10**6


def _answer(status: int, content: bytes) -> AWSResponse:
    raw = HTTPResponse(io.BytesIO(content), preload_content=False)
    return AWSResponse("https://refused", status, HTTPHeaders(), raw)


def json_error(code: str, **more: Any) -> bytes:
    """An error's body as DynamoDB and SQS send it."""
    return json.dumps({"__type": f"com.amazonaws#{code}", "message": code, **more}).encode()


def xml_error(code: str) -> bytes:
    """An error's body as S3 sends it."""
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()


@contextmanager
def refused(
    service: str, operation: str, status: int, content: bytes, times: int = FOR_EVER, *, applied: bool = False
) -> Iterator[list[int]]:
    """Answer the first ``times`` requests so, below the SDK's own retries; yields one entry for each.

    ``applied``: they have their effect all the same.
    """
    seen: list[int] = []

    def refuse(request: Any, **_named: Any) -> AWSResponse | None:
        if len(seen) >= times:
            return None
        seen.append(status)
        if not applied:
            # All handlers are called, whatever the first says: the fake cloud must not know this address.
            request.url = "https://refused.invalid/"
        return _answer(status, content)

    events, name = client(service).meta.events, f"before-send.{service}.{operation}"
    events.register_first(name, refuse, unique_id="refused")
    try:
        yield seen
    finally:
        events.unregister(name, unique_id="refused")


@contextmanager
def meanwhile(service: str, operation: str, act: Callable[[], object]) -> Iterator[list[str]]:
    """Let something happen just before the first such call; yields an entry once it has."""
    done: list[str] = []

    def happen(**_named: Any) -> None:
        if not done:
            done.append(operation)
            act()

    events, name = client(service).meta.events, f"before-call.{service}.{operation}"
    events.register(name, happen, unique_id="meanwhile")
    try:
        yield done
    finally:
        events.unregister(name, unique_id="meanwhile")


@contextmanager
def stale_reads() -> Iterator[None]:
    """Every read of an item that need not be consistent finds nothing."""

    def nothing(params: dict[str, Any], **_named: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        return None if json.loads(params["body"]).get("ConsistentRead") else (_answer(200, b"{}"), {})

    events = client("dynamodb").meta.events
    events.register("before-call.dynamodb.GetItem", nothing, unique_id="stale")
    try:
        yield
    finally:
        events.unregister("before-call.dynamodb.GetItem", unique_id="stale")


@contextmanager
def without(function: Any, guard: str, instead: str = "") -> Iterator[None]:
    """The function with a piece of its source taken out, for whoever calls it."""
    assert isinstance(function, FunctionType)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(guard) == 1, f"{function.__qualname__} has not this guard: {guard}"
    space = dict(function.__globals__)
    exec(compile(source.replace(guard, instead), f"{function.__qualname__} without a guard", "exec"), space)
    whole = function.__code__
    function.__code__ = space[function.__name__].__code__
    try:
        yield
    finally:
        function.__code__ = whole
