"""The rights of the functions can be missing, and then a test says so."""

from collections.abc import Callable
from typing import Any

import pytest
from reporter.aws.clients import client

from tests.rights import acting
from tests.world import World


def test_what_is_allowed_passes(world: World) -> None:
    with acting("StatusFunction"):
        client("dynamodb").query(
            TableName="reports",
            KeyConditionExpression="organizationId = :o",
            ExpressionAttributeValues={":o": {"S": "x"}},
        )


def test_what_is_not_allowed_is_found(world: World) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: client("dynamodb").scan(TableName="reports"),
        lambda: client("dynamodb").get_item(TableName="templates", Key={"organizationId": {"S": "x"}, "id": {"S": "x"}}),
        lambda: client("s3").put_object(Bucket="documents", Key="documents/x", Body=b""),
        lambda: client("sqs").send_message(QueueUrl=world.queue_url, MessageBody="x"),
    ]
    for call in calls:
        with pytest.raises(AssertionError, match="StatusFunction may not do this"), acting("StatusFunction"):
            call()
