"""Answers held against the API's description: what it does not describe, no door may answer."""

import json
import re
from functools import cache
from typing import Any

from openapi_schema_validator import OAS31Validator

from local.openapi import FILE


@cache
def _description() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


@cache
def _operation(method: str, path: str) -> dict[str, Any] | None:
    # Fixed paths come before those with parameters.
    paths = sorted(_description()["paths"].items(), key=lambda item: item[0].count("{"))
    fitting = [known for pattern, known in paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path)]
    return fitting[0].get(method.lower()) if fitting else None


@cache
def _validator(schema: str) -> Any:
    return OAS31Validator({"components": _description()["components"], **json.loads(schema)})


def assert_described(method: str, path: str, status: int, content_type: str, body: Any) -> None:
    """Status, content type and shape are what the description says of this operation."""
    operation = _operation(method, path)
    if operation is None:
        assert status in {404, 405}, (method, path, status)
        return
    responses = operation["responses"]
    if status < 400:
        assert str(status) in responses, (method, path, status)
    content = responses.get(str(status), responses["default"]).get("content")
    if content is None:
        assert body in {"", b""}, (method, path, body)
        return
    kind = content_type.partition(";")[0]
    assert kind in content, (method, path, content_type)
    if "schema" in content[kind]:
        problems = [error.message for error in _validator(json.dumps(content[kind]["schema"])).iter_errors(body)]
        assert problems == [], (method, path, problems)
