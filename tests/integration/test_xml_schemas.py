"""An XSD uploaded with a template: refused with its line, kept with its version, and what every document must fit."""

import os
import time
from typing import Any

import pytest
from reporter.aws.clients import client

from functions.templates import app as templates
from functions.worker import app as worker
from tests.world import ORGANIZATION, Context, World

ORG = {"X-Organization-Id": ORGANIZATION}
HEAD = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">'
DATE = HEAD + '\n<xs:element name="a" type="xs:date"/></xs:schema>'
NUMBER = HEAD + '\n<xs:element name="a" type="xs:decimal"/></xs:schema>'
TEMPLATE = b"<a>\n{{ 1.50 }}</a>"
PATH = "/v1/templates"


def upload(world: World, schema: str | None = NUMBER, content: bytes | None = TEMPLATE, **more: Any) -> Any:
    fields = {"outputFormat": "XML", "description": "d", **more.pop("fields", {})}
    if schema is not None:
        fields["schema"] = schema
    return world.upload(content, {k: v for k, v in fields.items() if v}, ORG, **more)


def change(world: World, template_id: str, schema: str | None, content: bytes | None = None, **fields: str) -> Any:
    sent = fields if schema is None else {**fields, "schema": schema}
    return world.upload(content, sent, ORG, method="PATCH", path=f"{PATH}/{template_id}")


def schema_of(world: World, template_id: str, version: int = 0) -> Any:
    query = f"?part=schema&version={version}" if version else "?part=schema"
    answer = world.call("GET", f"{PATH}/{template_id}/content{query}", None, ORG)
    return answer.body if answer.status == 200 else answer.status


def stored() -> list[str]:
    found = client("s3").list_objects_v2(Bucket="documents", Prefix="templates/")
    return [item["Key"] for item in found.get("Contents", ())]


@pytest.mark.parametrize(
    ("schema", "line", "said"),
    [
        ("no xml", 1, "syntax error"),
        (HEAD + "\n<xs:element/>\n</xs:schema>", 2, "name"),
        (HEAD + "\n<xs:element name='a' type='nope'/></xs:schema>", 2, "nope"),
        ("<root>\n</root>", 1, "schema"),
        ('<?xml version="1.0"?>\n<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/hostname">]>\n' + DATE, 2, "DOCTYPE"),
        (HEAD + "\n\n<xs:include schemaLocation='http://127.0.0.1/x.xsd'/></xs:schema>", 3, "other documents"),
        (HEAD + "\n<xs:import namespace='urn:x' schemaLocation='/etc/hostname'/></xs:schema>", 2, "other documents"),
        (HEAD + "\n<xs:redefine schemaLocation='x.xsd'/></xs:schema>", 2, "other documents"),
    ],
)
def test_a_schema_that_is_none_is_refused_with_its_line(world: World, schema: str, line: int, said: str) -> None:
    answer = upload(world, schema)
    assert (answer.status, answer.code) == (400, "TPL-0007"), answer.body
    assert answer.body["fields"]["schema"]["line"] == line
    assert said in answer.body["fields"]["schema"]["message"]
    assert world.rows("templates") == world.rows("idempotency") == []
    assert stored() == []


def test_only_xml_templates_have_one(world: World) -> None:
    answer = upload(world, fields={"outputFormat": "HTML"})
    assert (answer.code, list(answer.body["fields"])) == ("TPL-0007", ["schema"])


def test_a_schema_beyond_the_limit_is_refused(world: World) -> None:
    answer = upload(world, DATE + " " * templates.settings.max_schema_bytes)
    assert (answer.code, list(answer.body["fields"])) == ("TPL-0007", ["schema"])
    assert "MaxSchemaBytes" in answer.body["message"]


def test_a_schema_that_costs_without_end_is_refused_in_bounded_time(world: World) -> None:
    """Forty kilobytes that take half a minute to be understood."""
    rows = "".join(
        f'<xs:sequence><xs:element name="x{n}" minOccurs="0"/><xs:element name="y" minOccurs="0"/></xs:sequence>'
        for n in range(400)
    )
    many = f'<xs:complexType><xs:choice maxOccurs="unbounded">{rows}</xs:choice></xs:complexType>'
    started = time.monotonic()
    answer = upload(world, f'{HEAD}<xs:element name="a">{many}</xs:element></xs:schema>')
    assert (answer.status, answer.code) == (400, "TPL-0007")
    assert "simpler" in answer.body["fields"]["schema"]["message"]
    assert time.monotonic() - started < 4 * templates.settings.schema_seconds


def test_a_schema_is_kept_with_its_version(world: World) -> None:
    template_id = upload(world).body["id"]
    assert schema_of(world, template_id) == NUMBER
    changed = change(world, template_id, DATE)
    assert changed.body["version"] == 2
    assert (schema_of(world, template_id), schema_of(world, template_id, 1)) == (DATE, NUMBER)
    assert change(world, template_id, DATE).body["version"] == 2
    assert change(world, template_id, None, b"<a>\n{{ 2 }}</a>").body["version"] == 3
    assert schema_of(world, template_id) == DATE
    assert change(world, template_id, "").body["version"] == 4
    assert (schema_of(world, template_id), schema_of(world, template_id, 3)) == (404, DATE)


def test_another_format_leaves_the_schema_behind(world: World) -> None:
    template_id = upload(world).body["id"]
    assert change(world, template_id, None, b"x", outputFormat="TXT").body["schemaSha256"] is None
    assert change(world, template_id, DATE).code == "TPL-0007"


def test_the_same_file_with_another_schema_is_another_template(world: World) -> None:
    first, second, again = upload(world), upload(world, DATE), upload(world)
    assert first.body["id"] != second.body["id"]
    assert first.body["id"] == again.body["id"]


def test_no_such_part_is_said(world: World) -> None:
    template_id = upload(world, None).body["id"]
    assert schema_of(world, template_id) == 404
    assert world.call("GET", f"{PATH}/{template_id}/content?part=x", None, ORG).code == "TPL-0019"


def ended(world: World, template_id: str, before_the_worker: Any = lambda: None) -> dict[str, Any]:
    body = {"templateId": template_id, "filters": {}}
    report = world.call("POST", "/v1/reports", body, {**ORG, "X-Idempotency": template_id}).body
    before_the_worker()
    assert worker.handler({"Records": world.messages()}, Context()) == {"batchItemFailures": []}
    found: dict[str, Any] = world.call("GET", f"/v1/reports/{report['id']}", None, ORG).body
    return found


def test_a_document_that_does_not_fit_ends_its_report_with_line_and_reason(world: World) -> None:
    report = ended(world, upload(world, DATE).body["id"])
    assert report["status"] == "Error"
    assert (report["error"]["code"], report["error"]["line"]) == ("DOCUMENT_INVALID", 2)
    assert "not a valid value of the atomic type 'xs:date'" in report["error"]["message"]


def test_a_report_keeps_the_schema_it_was_accepted_with(world: World) -> None:
    template_id = upload(world, NUMBER).body["id"]
    report = ended(world, template_id, lambda: change(world, template_id, DATE))
    assert (report["status"], report["templateVersion"]) == ("Finished", 1)


def test_what_looks_at_schemas_has_nothing_to_tell() -> None:
    """It is started before any client, with nothing in its environment."""
    process = templates.renderer._process
    assert process is not None
    with open(f"/proc/{process.pid}/environ", "rb") as file:
        assert b"AWS" not in file.read()
    assert "AWS_SECRET_ACCESS_KEY" in os.environ
