"""The sparse index of the report table: who must be looked at, and when."""

import random
from collections import deque
from collections.abc import Iterator
from datetime import datetime

from reporter.aws.clients import AWS_ERRORS, client
from reporter.aws.items import item, moment_text, values
from reporter.aws.report_items import open_shards
from reporter.errors import Unavailable
from reporter.message import RenderMessage

INDEX = "due"
TURN = 10
"""How many reports of one part of the index are told before the next part's: a fraction of what one run settles."""


class DueIndex:
    """Reads are late by nature: what they say must be checked against the row."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._client = client("dynamodb")

    def due(self, now: datetime) -> Iterator[RenderMessage]:
        """See ``workflow.sweep.DueReports``. All parts take turns, in another order each time: whoever waits in one of
        them waits for its own part only, however much is due in the others.
        """
        shards = open_shards()
        random.shuffle(shards)
        turns = deque(self._pages(shard, now) for shard in shards)
        while turns:
            pages = turns.popleft()
            page = next(pages, None)
            if page is not None:
                turns.append(pages)
                yield from page

    def _pages(self, shard: str, now: datetime) -> Iterator[list[RenderMessage]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=INDEX,
            KeyConditionExpression="openShard = :shard AND dueAt <= :now",
            ExpressionAttributeValues=item({":shard": shard, ":now": moment_text(now)}),
            PaginationConfig={"PageSize": TURN},
        )
        try:
            for page in pages:
                yield [RenderMessage(found["organizationId"], found["id"]) for found in map(values, page["Items"])]
        except AWS_ERRORS as error:
            raise Unavailable("the index of due reports") from error
