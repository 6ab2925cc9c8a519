"""The sparse index of the report table: who must be looked at, and when."""

import random
from collections.abc import Iterator
from datetime import datetime

from reporter.aws.clients import AWS_ERRORS, client
from reporter.aws.items import item, moment_text, values
from reporter.aws.report_items import open_shards
from reporter.errors import Unavailable
from reporter.message import RenderMessage

INDEX = "due"


class DueIndex:
    """Reads are late by nature: what they say must be checked against the row."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._client = client("dynamodb")

    def due(self, now: datetime) -> Iterator[RenderMessage]:
        """See ``workflow.sweep.DueReports``. Another part goes first each time, so that none always comes last."""
        shards = open_shards()
        random.shuffle(shards)
        for shard in shards:
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=INDEX,
                KeyConditionExpression="openShard = :shard AND dueAt <= :now",
                ExpressionAttributeValues=item({":shard": shard, ":now": moment_text(now)}),
            )
            try:
                for page in pages:
                    for found in map(values, page["Items"]):
                        yield RenderMessage(found["organizationId"], found["id"])
            except AWS_ERRORS as error:
                raise Unavailable("the index of due reports") from error
