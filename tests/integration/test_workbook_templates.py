"""Workbooks as templates, from the upload to the door that gives them back."""

import hashlib
from typing import Any

from reporter.aws.clients import client

from tests.unit.formats.test_designed_workbook import designed, saved
from tests.world import ORGANIZATION, World

ORG = {"X-Organization-Id": ORGANIZATION}
CELLS = {"A1": "{% for c in erp.customers %}", "A2": "{{ c.name }}", "A3": "{% endfor %}"}
ERP = {"tables": {"customers": {"name": "text", "region": "text"}}, "schemas": []}


def test_a_workbook_is_accepted_and_stored_byte_for_byte(world: World) -> None:
    world.register_source("erp", ERP)
    content = saved(designed(CELLS))
    answer = uploaded(world, content)
    assert (answer.status, answer.body["outputFormat"], answer.body["warnings"]) == (201, "XLSX", [])
    back = world.call("GET", f"/v1/templates/{answer.body['id']}/content", None, ORG)
    assert hashlib.sha256(back.body).hexdigest() == hashlib.sha256(content).hexdigest()


def test_a_workbook_that_cannot_be_filled_is_refused_with_its_cell_and_not_stored(world: World) -> None:
    world.register_source("erp", ERP)
    before = client("s3").list_objects_v2(Bucket="documents").get("KeyCount")
    answer = uploaded(world, saved(designed({**CELLS, "C7": "{{ erp.customers.0.nmae }}"})))
    assert (answer.status, answer.code) == (400, "TPL-0014")
    assert "sheet Data, cell C7: erp.public.customers has no field nmae" in answer.body["message"]
    assert (answer.body["fields"]["template"]["line"], answer.body["fields"]["template"]["column"]) == (7, 3)
    assert uploaded(world, b"PK\x03\x04 but no workbook").code == "TPL-0007"
    assert client("s3").list_objects_v2(Bucket="documents").get("KeyCount") == before


def uploaded(world: World, content: bytes) -> Any:
    fields = {"outputFormat": "xlsx", "description": "a workbook"}
    return world.upload(content, fields, ORG, name="statement.xlsx")
