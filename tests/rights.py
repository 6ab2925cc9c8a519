"""What template.yaml allows each function, held against the AWS calls that its code makes in the tests."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from reporter.aws.clients import client

from tests.sam_template import resources

SERVICES = ("dynamodb", "events", "s3", "secretsmanager", "sqs", "ssm")
TABLES = {
    "reports": "ReportTable",
    "templates": "TemplateTable",
    "idempotency": "IdempotencyTable",
    "schemas": "SchemaTable",
    "limits": "LimitTable",
}
S3_ACTIONS = {"HeadObject": "GetObject", "ListObjectVersions": "ListBucketVersions", "ListObjectsV2": "ListBucket"}
TELLING_MISSING = {"GetObject", "HeadObject"}
SAMPLES = {"Stage": "local", "AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012"}

Right = tuple[str, str]
"""An action and what it is done to."""


@contextmanager
def acting(function: str) -> Iterator[None]:
    """Every AWS call meanwhile must be allowed to the function of that name in template.yaml."""
    refused: list[Right] = []

    def check(params: dict[str, Any], model: Any, **_named: Any) -> None:
        service = model.service_model.service_name
        wanted = _rights(service, model.name, params)
        refused.extend(right for right in wanted if not _allowed(function, right))

    for service in SERVICES:
        client(service).meta.events.register("before-parameter-build", check, unique_id="rights")
    try:
        yield
    finally:
        for service in SERVICES:
            client(service).meta.events.unregister("before-parameter-build", unique_id="rights")
    assert refused == [], f"{function} may not do this"


def function_in(folder: str) -> str:
    """The function whose code lies in that folder."""
    return next(name for name, made in resources().items() if made.get("Properties", {}).get("CodeUri") == folder)


def _rights(service: str, operation: str, params: dict[str, Any]) -> list[Right]:
    match service:
        case "dynamodb" if operation == "TransactWriteItems":
            steps = [step for item in params["TransactItems"] for step in item.items()]
            return [(f"dynamodb:{_of_transaction(kind)}", f"{TABLES[step['TableName']]}.Arn") for kind, step in steps]
        case "dynamodb":
            place = f"{TABLES[params['TableName']]}.Arn"
            index = params.get("IndexName")
            return [(f"dynamodb:{operation}", f"${{{place}}}/index/{index}" if index else place)]
        case "s3":
            action = S3_ACTIONS.get(operation, operation) + ("Version" if "VersionId" in params else "")
            bucket = "DocumentBucket.Arn" if params["Bucket"] == "documents" else "SourceBucketArn"
            wanted = [(f"s3:{action}", f"${{{bucket}}}/{params['Key']}" if "Key" in params else bucket)]
            # Without the second, what is missing is "forbidden".
            return [*wanted, ("s3:ListBucket", bucket)] if operation in TELLING_MISSING else wanted
        case "sqs":
            return [(f"sqs:{operation}", "RenderQueue.Arn")]
        case "events":
            return [("events:PutEvents", "EventBus.Arn")]
        case "ssm":
            return [(f"ssm:{operation}", f"arn:aws:ssm:us-east-1:123456789012:parameter{params['Path'].rstrip('/')}")]
        case _:
            return [(f"{service}:{operation}", str(params.get("SecretId")))]


def _of_transaction(kind: str) -> str:
    return "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"


@cache
def _allowed(function: str, right: Right) -> bool:
    statements = resources()[function]["Properties"]["Policies"][0]["Statement"]
    return any(
        statement["Effect"] == "Allow"
        and right[0] in _texts(statement["Action"])
        and any(_covers(place, right[1]) for place in _texts(statement["Resource"]))
        for statement in statements
    )


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [text for item in value for text in _texts(item)]


def _covers(pattern: str, place: str) -> bool:
    for name, value in SAMPLES.items():
        pattern = pattern.replace(f"${{{name}}}", value)
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), place) is not None
