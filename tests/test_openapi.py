"""The API's description says what the doors do, and the deployment has the same routes."""

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from functions.accept import app as accept
from functions.data_sources import app as data_sources
from functions.preview import app as preview
from functions.reports import app as reports
from functions.status import app as status
from functions.templates import app as templates
from local.openapi import FILE, text_of
from tests.described import assert_described
from tests.sam_template import routes
from tests.world import World

RESOLVERS: list[Any] = [door.app for door in (accept, reports, status, preview, templates, data_sources)]


def deployed_routes() -> set[tuple[str, str]]:
    """Method and path, without the names of the path's parameters."""
    return {(method.lower(), re.sub(r"\{.*?\}", "{}", path)) for method, path, _door in routes()}


def test_the_description_is_fresh() -> None:
    assert FILE.read_text() == text_of(RESOLVERS), "run: python -m local.openapi"


def test_the_description_is_valid_openapi() -> None:
    assert list(OpenAPIV31SpecValidator(json.loads(FILE.read_text())).iter_errors()) == []


def test_an_answer_that_is_not_described_is_found() -> None:
    with pytest.raises(AssertionError, match="required property"):
        assert_described("GET", "/v1/data-sources", 200, "application/json", [{"id": "a"}])
    with pytest.raises(AssertionError, match="202"):
        assert_described("POST", "/v1/reports", 202, "application/json", {})


def test_the_deployment_has_exactly_the_described_routes() -> None:
    described = {
        (method, re.sub(r"\{.*?\}", "{}", path))
        for path, operations in json.loads(FILE.read_text())["paths"].items()
        for method in operations
    }
    assert described == {route for route in deployed_routes() if route[0] != "any"}


def test_every_path_sends_its_other_methods_to_a_door() -> None:
    routes = deployed_routes()
    assert {path for method, path in routes if method == "any"} == {path for _method, path in routes}


def test_the_service_serves_its_description(world: World) -> None:
    answer = world.call("GET", "/openapi.json")
    assert answer.status == 200
    assert answer.body["openapi"].startswith("3.1")
