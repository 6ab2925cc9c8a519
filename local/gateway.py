"""What the local AWS leaves out of a deployed API: methods that stand for all others, and the gateway's own answers.

Both are read from the deployed template and put in by API Gateway's own calls, then deployed once more.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from local.paths import STAGE

HEADER = "gatewayresponse.header."


def complete_api(client: Any, api_id: str, built: Path, parameters: Mapping[str, str]) -> None:
    """``client``: API Gateway's; ``built``: the template that ``sam build`` wrote; ``parameters``: those deployed with."""
    template = yaml.safe_load(built.read_text())
    resources = template["Resources"]
    values = {name: str(about.get("Default", "")) for name, about in template["Parameters"].items()} | dict(parameters)
    known = {item["path"]: item for item in client.get_resources(restApiId=api_id, limit=500)["items"]}
    for path in _paths_with_any(resources):
        resource = known[path]
        method = next(iter(resource["resourceMethods"]))
        found = client.get_integration(restApiId=api_id, resourceId=resource["id"], httpMethod=method)
        target = {"restApiId": api_id, "resourceId": resource["id"], "httpMethod": "ANY"}
        client.put_method(**target, authorizationType="NONE")
        client.put_integration(**target, type="AWS_PROXY", integrationHttpMethod="POST", uri=found["uri"])
    for kind, response in resources["Api"]["Properties"]["GatewayResponses"].items():
        headers = (response.get("ResponseParameters") or {}).get("Headers") or {}
        status = {"statusCode": str(response["StatusCode"])} if "StatusCode" in response else {}
        client.put_gateway_response(
            restApiId=api_id,
            responseType=kind,
            responseParameters={HEADER + name: value for name, value in headers.items()},
            responseTemplates={media: filled(text, values) for media, text in response["ResponseTemplates"].items()},
            **status,
        )
    client.create_deployment(restApiId=api_id, stageName=STAGE)


def filled(text: str | Mapping[str, str], values: Mapping[str, str]) -> str:
    """A text of the template, as it is or as the argument of ``Fn::Sub``, with the values of its parameters."""
    written = text if isinstance(text, str) else text["Fn::Sub"]
    return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], written)


def _paths_with_any(resources: dict[str, Any]) -> list[str]:
    return [
        event["Properties"]["Path"]
        for resource in resources.values()
        for event in (resource["Properties"].get("Events") or {}).values()
        if event["Type"] == "Api" and event["Properties"]["Method"] == "ANY"
    ]


def literal_media_types(template: str) -> str:
    """The local AWS takes binary media types literally, where AWS wants the slash escaped."""
    return re.sub(r"([*\w]+)~1([*\w-]+)", r"\1/\2", template)
