"""template.yaml as the tests read it: its resources, and which function has which route."""

import json
import re
from functools import cache
from typing import Any

import yaml

from local.gateway import filled
from local.paths import ROOT


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short functions as their arguments."""


def _argument(loader: _Loader, _tag: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    return loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else loader.construct_mapping(node)


_Loader.add_multi_constructor("!", _argument)


@cache
def template() -> dict[str, Any]:
    """All of template.yaml."""
    found: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader=_Loader)
    return found


class _FunctionLoader(yaml.SafeLoader):
    """Reads CloudFormation's short functions as ``{name: arguments}``."""


def _function(loader: _FunctionLoader, name: str, node: Any) -> Any:
    scalar = isinstance(node, yaml.ScalarNode)
    return {name: loader.construct_scalar(node) if scalar else loader.construct_sequence(node, deep=True)}


_FunctionLoader.add_multi_constructor("!", _function)


@cache
def rules() -> dict[str, Any]:
    """The rules of template.yaml, with their functions."""
    found: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader=_FunctionLoader)["Rules"]
    return found


def resources() -> dict[str, Any]:
    """The resources of template.yaml."""
    found: dict[str, Any] = template()["Resources"]
    return found


def parameters() -> dict[str, Any]:
    """The parameters of template.yaml."""
    found: dict[str, Any] = template()["Parameters"]
    return found


@cache
def routes() -> list[tuple[str, str, str]]:
    """Method (``ANY`` for all others of the path), path, and the folder of the function behind it."""
    return [
        (event["Properties"]["Method"], event["Properties"]["Path"], resource["Properties"]["CodeUri"])
        for resource in resources().values()
        for event in (resource.get("Properties", {}).get("Events") or {}).values()
        if event["Type"] == "Api"
    ]


def door_of(method: str, path: str) -> str | None:
    """Where API Gateway sends a call: fixed parts of a path go before parameters, the method before ``ANY``."""
    fitting = [route for route in routes() if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route[1]), path)]
    fewest = min((route[1].count("{") for route in fitting), default=0)
    found = {route[0]: route[2] for route in fitting if route[1].count("{") == fewest}
    return found.get(method) or found.get("ANY")


def gateway_answer(kind: str) -> tuple[int, dict[str, Any]]:
    """Status and body of one of the gateway's own answers."""
    response = resources()["Api"]["Properties"]["GatewayResponses"][kind]
    defaults = {name: str(about.get("Default", "")) for name, about in parameters().items()}
    return response["StatusCode"], json.loads(filled(response["ResponseTemplates"]["application/json"], defaults))
