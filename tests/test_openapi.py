"""The API's description says what the doors do, and the deployment has the same routes."""

import json
import re
from typing import Any

import yaml

from functions.accept import app as accept
from functions.data_sources import app as data_sources
from functions.status import app as status
from functions.templates import app as templates
from local.openapi import FILE, text_of
from local.paths import ROOT
from tests.world import World

RESOLVERS: list[Any] = [door.app for door in (accept, status, templates, data_sources)]


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short functions as their arguments."""


def _argument(loader: _Loader, _tag: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    return loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else loader.construct_mapping(node)


_Loader.add_multi_constructor("!", _argument)


def resources() -> dict[str, Any]:
    """The resources of template.yaml."""
    found: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader=_Loader)["Resources"]
    return found


def deployed_routes() -> set[tuple[str, str]]:
    return {
        (event["Properties"]["Method"].lower(), re.sub(r"\{.*?\}", "{}", event["Properties"]["Path"]))
        for resource in resources().values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "Api"
    }


def test_the_description_is_fresh() -> None:
    assert FILE.read_text() == text_of(RESOLVERS), "run: python -m local.openapi"


def test_the_deployment_has_exactly_the_described_routes() -> None:
    described = {
        (method, re.sub(r"\{.*?\}", "{}", path))
        for path, operations in json.loads(FILE.read_text())["paths"].items()
        for method in operations
    }
    assert described == deployed_routes()


def test_the_service_serves_its_description(world: World) -> None:
    answer = world.call("GET", "/openapi.json")
    assert answer.status == 200
    assert answer.body["openapi"].startswith("3.1")
