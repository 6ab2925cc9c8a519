"""Every path with every method: the right ones reach their route, the others are told which are right."""

import json

import pytest

from local.openapi import FILE
from tests.world import ORGANIZATION, World

METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
PATHS = {path: sorted(map(str.upper, known)) for path, known in json.loads(FILE.read_text())["paths"].items()}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_knows_its_methods_and_no_others(world: World, path: str) -> None:
    place = path.replace("{source_id}", "nowhere").replace("{report_id}", "x").replace("{template_id}", "x")
    for method in METHODS:
        answer = world.call(method, place, None, {})
        if method in PATHS[path]:
            assert answer.code in {None, "TPL-0004"}, method
        else:
            assert (answer.status, answer.code) == (405, "TPL-0049"), method
            assert answer.headers["allow"] == ", ".join(PATHS[path])
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/v1/reports/a/b", "/v1/templates/a/content/b", "/v2/reports"])
def test_a_path_that_is_not_there_is_404(world: World, path: str) -> None:
    for method in METHODS:
        answer = world.call(method, path, None, {})
        assert (answer.status, answer.code) == (404, "TPL-0048"), method


@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("/v1")])
def test_a_method_in_small_letters_is_none_that_a_door_knows(world: World, path: str) -> None:
    """The gateway's ANY, which asks no authorizer, would let it through to the route."""
    place = path.replace("{source_id}", "nowhere").replace("{report_id}", "x").replace("{template_id}", "x")
    for method in PATHS[path]:
        answer = world.call(method.lower(), place, None, {"X-Organization-Id": ORGANIZATION})
        assert (answer.status, answer.code) == (405, "TPL-0049"), method
        assert answer.headers["allow"] == ", ".join(PATHS[path])
