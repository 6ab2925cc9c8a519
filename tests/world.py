"""The service on moto: resources, doors, and calls as API Gateway makes them."""

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from reporter.aws.clients import client
from reporter.aws.report_items import item_of
from reporter.aws.template_store import item_of as template_item
from reporter.document import CONTENT_TYPES
from reporter.report import Report
from reporter.template import Template

from functions.accept import app as accept
from functions.data_sources import app as data_sources
from functions.preview import app as preview
from functions.reports import app as reports
from functions.status import app as status
from functions.templates import app as templates
from tests.described import assert_described
from tests.rights import acting, function_in
from tests.sam_template import door_of, gateway_answer

ORGANIZATION = "0192f000-0000-7000-8000-00000000000a"
OTHER = "0192f000-0000-7000-8000-00000000000b"
TEMPLATE = "0192f000-0000-7000-8000-000000000001"
CUSTOMERS = {"id": "uuid", "name": "text", "region": "text", "active": "boolean", "meta": "jsonb"}
DOORS: dict[str, Any] = {
    "functions/accept": accept,
    "functions/data_sources": data_sources,
    "functions/preview": preview,
    "functions/reports": reports,
    "functions/status": status,
    "functions/templates": templates,
}
LAMBDA_BYTES = 6_291_456
"""What Lambda takes and gives at most."""
HTML = "<html><body>{% for c in erp.customers %}{{ c.name }}{% endfor %}</body></html>"


@dataclass(frozen=True)
class Context:
    """What Lambda tells a handler of its invocation."""

    function_name: str = "test"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:test"
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> int:
        """Ten seconds."""
        return 10_000


@dataclass(frozen=True)
class Answer:
    """What a client sees."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str | None:
        """The error's code; None for a success."""
        return self.body.get("code") if isinstance(self.body, dict) and self.status >= 400 else None


class World:
    """Made inside ``mock_aws``. ``names``: of the tables, as they were made; ``client``: service name → boto3 client."""

    client: Callable[[str], Any] = staticmethod(client)
    names: Mapping[str, str] = {name: name for name in ("reports", "templates", "idempotency", "schemas", "limits")}
    bucket = "documents"

    def __init__(self) -> None:
        dynamodb = client("dynamodb")
        _table(dynamodb, "reports", "organizationId", "id", index=("due", "openShard", "dueAt"))
        _table(dynamodb, "templates", "organizationId", "id")
        _table(dynamodb, "idempotency", "id")
        _table(dynamodb, "schemas", "source")
        _table(dynamodb, "limits", "id")
        client("s3").create_bucket(Bucket="documents")
        client("s3").put_bucket_versioning(Bucket="documents", VersioningConfiguration={"Status": "Enabled"})
        self.queue_url = client("sqs").create_queue(QueueName="render")["QueueUrl"]
        client("events").create_event_bus(Name="reporter")
        self.forget_sources()
        self.register_source("erp", {"schemas": ["public"], "tables": {"public.customers": CUSTOMERS}})

    @staticmethod
    def forget_sources() -> None:
        """The doors are warm containers; a new world is a new day."""
        registries: list[Any] = [accept.ports.sources, templates.ports.sources, data_sources.registry, preview.registry]
        for registry in registries:
            registry._entries = None
            registry._schemas.clear()
            registry._breaker._known.clear()

    def register_source(self, name: str, schema: dict[str, Any], **more: Any) -> None:
        """A source with a declared schema, shared by all organizations."""
        key = f"schemas/{name}.json"
        self.add_object(key, json.dumps(schema).encode())
        entry = {
            "id": name,
            "type": "postgresql",
            "organizations": ["*"],
            "connection": {
                "host": "127.0.0.1",
                "database": "x",
                "username": "u",
                "password": "p",
                "sslmode": "disable",
            },
            "schemas": schema.get("schemas") or ["public"],
            "scope": {"shared": ["*"]},
            "schemaKey": key,
            **more,
        }
        self.client("ssm").put_parameter(
            Name=f"/reporter/local/data-sources/{name}", Value=json.dumps(entry), Type="SecureString", Overwrite=True
        )

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
        """One HTTP call, through the door that template.yaml gives the route to. ``caller``: what the authorizer says."""
        path, _, query = path.partition("?")
        pairs: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            pairs.setdefault(name, []).append(value)
        content = body if raw or body is None or isinstance(body, bytes) else json.dumps(body)
        binary = isinstance(content, bytes)
        event = {
            "httpMethod": method,
            "path": path,
            "resource": path,
            "headers": headers or {},
            "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
            "queryStringParameters": {name: values[-1] for name, values in pairs.items()} or None,
            "multiValueQueryStringParameters": pairs or None,
            "body": base64.b64encode(content).decode() if isinstance(content, bytes) else content,
            "isBase64Encoded": binary,
            "requestContext": {
                "stage": "test",
                "path": path,
                "requestId": "gateway-request",
                "authorizer": caller or {"access": "off"},
            },
        }
        door = door_of(method, path)
        if door is None:
            expected, refusal = gateway_answer("MISSING_AUTHENTICATION_TOKEN")
            return Answer(expected, refusal, {"content-type": "application/problem+json"})
        with acting(function_in(door)):
            answer = DOORS[door].handler(event, Context())
        found = {name.lower(): values[-1] for name, values in (answer.get("multiValueHeaders") or {}).items()}
        assert len(json.dumps(answer)) <= LAMBDA_BYTES
        text = answer.get("body") or ""
        if answer.get("isBase64Encoded"):
            text = base64.b64decode(text)
        kind = found.get("content-type", "")
        made = Answer(answer["statusCode"], json.loads(text) if "json" in kind and text else text, found)
        assert_described(method, path, made.status, kind, made.body)
        return made

    def fetch(self, url: str) -> Answer:
        """What a presigned URL leads to: what it signs is what the answer carries."""
        parts = urlsplit(url)
        signed = parse_qs(parts.query)
        assert parts.netloc == "documents.s3.us-east-1.amazonaws.com"
        assert signed["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        assert int(signed["X-Amz-Expires"][0]) <= 3600
        body = client("s3").get_object(Bucket="documents", Key=parts.path.lstrip("/"))["Body"].read()
        headers = {
            "content-type": signed["response-content-type"][0],
            "content-disposition": signed["response-content-disposition"][0],
        }
        assert headers["content-type"] in CONTENT_TYPES.values()
        return Answer(200, body.decode(), headers)

    def upload(
        self,
        content: bytes | None,
        fields: dict[str, str],
        headers: dict[str, str],
        *,
        name: str = "t.tpl",
        **more: str,
    ) -> Answer:
        """POST or PATCH a template form. ``more``: ``method``, ``path``, ``part``."""
        kind, body = form(content, fields, name, more.get("part", "template"))
        sent = {**headers, "Content-Type": kind}
        return self.call(more.get("method", "POST"), more.get("path", "/v1/templates"), body, sent)

    def add_template(self, template: Template) -> None:
        """As if it had been registered."""
        self.client("dynamodb").put_item(TableName=self.names["templates"], Item=template_item(template))

    def add_report(self, report: Report) -> None:
        """As if it had been accepted."""
        self.client("dynamodb").put_item(TableName=self.names["reports"], Item=item_of(report))

    def add_object(self, key: str, content: bytes) -> None:
        """An object in the project's bucket, as the service stores it."""
        metadata = {"sha256": hashlib.sha256(content).hexdigest()}
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content, Metadata=metadata)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Everything a table holds."""
        found: list[dict[str, Any]] = self.client("dynamodb").scan(TableName=self.names[table])["Items"]
        return found

    def age_keys(self, seconds: int) -> None:
        """Let time pass for idempotency keys, by moving what is compared with the clock."""
        for item in self.rows("idempotency"):
            item["expiration"]["N"] = str(int(item["expiration"]["N"]) - seconds)
            self.client("dynamodb").put_item(TableName=self.names["idempotency"], Item=item)

    def messages(self) -> list[dict[str, Any]]:
        """Receive what the queue holds, as the worker's event source would."""
        received = client("sqs").receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages", [])
        return [{"messageId": m["MessageId"], "receiptHandle": m["ReceiptHandle"], "body": m["Body"]} for m in received]


def form(content: bytes | None, fields: dict[str, str], name: str, part: str = "template") -> tuple[str, bytes]:
    """Content type and body of a multipart form."""
    boundary = uuid.uuid4().hex
    body = b""
    for field, value in fields.items():
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
    if content is not None:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def _table(dynamodb: Any, name: str, *keys: str, index: tuple[str, str, str] | None = None) -> None:
    indexed = index[1:] if index else ()
    more: dict[str, Any] = {}
    if index:
        described = {"IndexName": index[0], "KeySchema": _key_schema(indexed), "Projection": {"ProjectionType": "KEYS_ONLY"}}
        more["GlobalSecondaryIndexes"] = [described]
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in (*keys, *indexed)],
        KeySchema=_key_schema(keys),
        **more,
    )


def _key_schema(keys: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]
