"""The deployed stack as a world: calls go over HTTP, what is given is put into the stack's own tables and bucket."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from local.stack import Running
from tests.world import CUSTOMERS, Answer, World

KEYS = {"reports": ("organizationId", "id"), "templates": ("organizationId", "id"), "idempotency": ("id",)}
SECONDS = 60


class Deployed(World):
    """See ``World``; the data source of the cases is there besides the samples."""

    def __init__(self, running: Running) -> None:
        self.client = running.client
        self.bucket = running.outputs["DocumentBucketName"]
        self.queue_url = running.outputs["RenderQueueUrl"]
        self.names = {
            "reports": running.outputs["ReportTableName"],
            "templates": running.outputs["TemplateTableName"],
            "idempotency": running.outputs["IdempotencyTableName"],
        }
        self._url = urlsplit(running.url)
        self.register_source("erp", {"schemas": ["public"], "tables": {"public.customers": CUSTOMERS}})

    def empty(self) -> None:
        """Forget all records and keys."""
        for table, keys in KEYS.items():
            for row in self.rows(table):
                key = {name: row[name] for name in keys}
                self.client("dynamodb").delete_item(TableName=self.names[table], Key=key)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        raw: bool = False,
        caller: dict[str, str] | None = None,
    ) -> Answer:
        """One HTTP call, not sent on anywhere."""
        assert caller is None, "who calls is for the stack to find out"
        content = body if raw or body is None or isinstance(body, bytes) else json.dumps(body)
        return self.send(method, path, content, list((headers or {}).items()))

    def send(self, method: str, path: str, body: str | bytes | None, headers: list[tuple[str, str]]) -> Answer:
        """The headers exactly as listed, also twice."""
        content = body.encode() if isinstance(body, str) else body
        connection = http.client.HTTPConnection(str(self._url.hostname), self._url.port, timeout=SECONDS)
        connection.putrequest(method, self._url.path + path, skip_accept_encoding=True)
        for name, value in [("Accept", "*/*"), *headers]:
            connection.putheader(name, value)
        if content is not None:
            connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content)
        status, found, answered = _read(connection)
        is_json = found and "json" in answered.get("content-type", "")
        return Answer(status, json.loads(found) if is_json else _text(found), answered)

    def fetch(self, url: str) -> Answer:
        """What a presigned URL leads to."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=SECONDS)
        connection.request("GET", f"{parts.path}?{parts.query}")
        status, content, headers = _read(connection)
        return Answer(status, _text(content), headers)


def _read(connection: http.client.HTTPConnection) -> tuple[int, bytes, dict[str, str]]:
    with connection.getresponse() as answer:
        content = answer.read()
    connection.close()
    return answer.status, content, {name.lower(): value for name, value in answer.getheaders()}


def _text(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content
