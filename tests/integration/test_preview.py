"""POST /v1/templates/preview: the document at once, over given rows or over real ones, and nothing is stored."""

import base64
import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import psycopg
import pytest
from botocore.client import BaseClient

from functions.preview import app as door
from local.postgresql import EmbeddedPostgres
from tests.world import ORGANIZATION, OTHER, World, form

ORG = {"X-Organization-Id": ORGANIZATION}
PATH = "/v1/templates/preview"
LOOP = b"{% for a in bank.accounts %}{{ a.id }}={{ a.balance }};{% endfor %}"
FIRST = '{"id": 1, "balance": 10.50, "on": {"$type": "date", "value": "2024-02-29"}}'
ROWS = f'{{"bank": {{"accounts": [{FIRST}, {{"id": 2, "balance": 7}}]}}}}'
READING = {"Get", "List", "Head", "Query", "Scan", "Describe"}


def preview(world: World, template: bytes | None, **fields: str) -> Any:
    sent = {"outputFormat": "TXT", **fields}
    return world.upload(template, {k: v for k, v in sent.items() if v}, ORG, path=PATH)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations asked of AWS from now on."""
    made: list[str] = []
    real: Callable[..., Any] = BaseClient._make_api_call  # type: ignore[attr-defined]

    def noted(self: Any, operation: str, parameters: Any) -> Any:
        made.append(operation)
        return real(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", noted)
    return made


@pytest.fixture
def ledger(world: World, postgres: EmbeddedPostgres) -> None:
    """A source whose schema nobody knows yet: 250 rows of one organization, one of another, and a second table."""
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS preview CASCADE")
        connection.execute("CREATE SCHEMA preview")
        connection.execute("CREATE TABLE preview.accounts (id int, organization_id uuid, balance numeric(12,2))")
        connection.execute("INSERT INTO preview.accounts SELECT n, %s, n FROM generate_series(1, 5000) n", [ORGANIZATION])
        connection.execute("INSERT INTO preview.accounts VALUES (9999, %s, 1)", [OTHER])
        connection.execute(
            "CREATE TABLE preview.notes AS SELECT n AS id, %s::uuid AS organization_id FROM generate_series(1, 300) n",
            [ORGANIZATION],
        )
    connection_to = {
        "host": "127.0.0.1",
        "port": postgres.port,
        "database": "postgres",
        "username": postgres.user,
        "password": postgres.password,
        "sslmode": "disable",
    }
    world.register_source(
        "bank", {}, connection=connection_to, schemas=["preview"], scope={"default": "organization_id"}, schemaKey=None
    )


def test_given_rows_make_the_document_and_no_source_is_asked(world: World, calls: list[str]) -> None:
    answer = preview(world, LOOP, data=ROWS)
    assert answer.status == 200, answer.body
    assert answer.body == {
        "outputFormat": "TXT",
        "contentType": "text/plain",
        "encoding": "utf-8",
        "content": "1=10.50;2=7;",
        "rows": 2,
        "truncated": False,
        "warnings": [],
    }
    assert calls == []


def test_filters_apply_to_given_rows_too(world: World, calls: list[str]) -> None:
    filters = '{"bank": {"accounts": {"on": {"eq": ["2024-02-29"]}}}}'
    assert preview(world, LOOP, data=ROWS, filters=filters).body["content"] == "1=10.50;"
    assert calls == []


def test_with_filters_the_first_rows_of_the_sources_are_read_and_nothing_is_written(
    world: World, ledger: None, calls: list[str]
) -> None:
    template = b'{% count_by bank.accounts %} {% count_by bank.notes %} {% sum_by bank.accounts by "balance" %}'
    answer = preview(world, template, filters='{"bank": {"accounts": {"balance": {"lte": [50]}}}}')
    assert answer.status == 200, answer.body
    assert answer.body["content"] == "50 100 1275"
    assert (answer.body["rows"], answer.body["truncated"]) == (150, True)
    assert answer.body["warnings"] == ["only the first 100 rows of bank.preview.notes were read"]
    assert {operation for operation in calls if not operation.startswith(tuple(READING))} == set()
    assert calls


def test_every_table_is_cut_on_its_own(world: World, ledger: None) -> None:
    answer = preview(world, b"{% count_by bank.accounts %} {% count_by bank.notes %}", filters="{}")
    assert (answer.body["content"], answer.body["rows"]) == ("100 100", 200)
    assert len(answer.body["warnings"]) == 2


def test_a_dead_database_is_not_waited_for_by_every_preview(
    world: World, ledger: None, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert preview(world, LOOP, filters="{}").status == 200
    connect = Mock(side_effect=psycopg.OperationalError)
    monkeypatch.setattr(psycopg, "connect", connect)
    for _call in range(6):
        refused = preview(world, LOOP, filters="{}")
        assert (refused.status, refused.code) == (503, "TPL-0018")
    # The tables are known; it is the rows that are not asked for any more.
    assert connect.call_count == door.settings.breaker_failures
    assert 5 < int(refused.headers["retry-after"]) <= door.settings.breaker_seconds
    assert {operation for operation in calls if not operation.startswith(tuple(READING))} == set()
    given = preview(world, LOOP, data=ROWS)
    assert given.status == 200, "given rows need no source"


def test_another_organization_sees_its_own_rows_only(world: World, ledger: None) -> None:
    answer = world.upload(LOOP, {"outputFormat": "TXT", "filters": "{}"}, {"X-Organization-Id": OTHER}, path=PATH)
    assert answer.body["content"] == "9999=1.00;"


def test_filters_take_the_right_to_order_reports(world: World) -> None:
    caller = {"access": "on", "organization": ORGANIZATION, "actions": "templates:post"}
    for rows in ({}, {"data": ROWS}):
        kind, body = form(LOOP, {"outputFormat": "TXT", "filters": "{}", **rows}, "t.tpl")
        refused = world.call("POST", PATH, body, {**ORG, "Content-Type": kind}, caller=caller)
        assert (refused.status, refused.code) == (403, "TPL-0403")
    kind, body = form(LOOP, {"outputFormat": "TXT", "data": ROWS}, "t.tpl")
    assert world.call("POST", PATH, body, {**ORG, "Content-Type": kind}, caller=caller).status == 200


@pytest.mark.parametrize(
    ("template", "output_format", "place", "inner", "line"),
    [
        (b"a\n{{ 1 / 0 }}", "TXT", "template", "TEMPLATE_ERROR", 2),
        (b"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "TXT", "template", "TEMPLATE_RECURSION", None),
        (b"<a>\n<b></a>", "XML", "document", "DOCUMENT_INVALID", 2),
        (b'{"a":\n{{ "x" }}}', "JSON", "document", "DOCUMENT_INVALID", 2),
        (b"{% for i in range(99999) %}{{ 'x'|ljust:9999 }}{% endfor %}", "TXT", "template", "TEMPLATE_OUTPUT", None),
    ],
)
def test_what_goes_wrong_while_rendering_is_an_answer_with_its_line(
    world: World, template: bytes, output_format: str, place: str, inner: str, line: int | None
) -> None:
    answer = preview(world, template, data=ROWS, outputFormat=output_format)
    assert (answer.status, answer.code) == (400, "TPL-0007"), answer.body
    found = answer.body["fields"][place]
    assert found["code"] == inner
    if line is not None:
        assert found["line"] == line


def test_a_rendering_without_end_is_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door.preview, "_limits", replace(door.preview._limits, seconds=1))
    started = time.monotonic()
    endless = b"{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    answer = preview(world, endless, data=ROWS)
    assert answer.body["fields"]["template"]["code"] == "TEMPLATE_TIMEOUT"
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("template", "fields", "code", "place"),
    [
        (LOOP, {}, "TPL-0016", "data"),
        (LOOP, {"data": "{"}, "TPL-0017", "data"),
        (LOOP, {"data": '{"bank": {"accounts": [1]}}'}, "TPL-0017", "data: bank.accounts.0"),
        (LOOP, {"data": ROWS, "filters": '{"bank": {"accounts": {"id": {"like": [1]}}}}'}, "TPL-0015", "filters.bank"),
        (LOOP, {"data": ROWS, "filters": '{"lake": {}}'}, "TPL-0031", "filters.lake"),
        (LOOP, {"filters": "{}"}, "TPL-0031", "template"),
        (b"\n{{ bank.accounts.0.nope }}", {"data": ROWS}, "TPL-0014", "template"),
        (b"{% nosuch %}", {"data": ROWS}, "TPL-0007", "template"),
        (b"", {"data": ROWS}, "TPL-0006", "template"),
        (None, {"data": ROWS}, "TPL-0005", "template"),
        (LOOP, {"data": ROWS, "outputFormat": ""}, "TPL-0001", "outputFormat"),
        (LOOP, {"data": ROWS, "outputFormat": "docx"}, "TPL-0003", "outputFormat"),
        (LOOP, {"data": ROWS, "schema": "<a/>"}, "TPL-0007", "schema"),
        (LOOP, {"data": ROWS, "extra": "1"}, "TPL-0015", "extra"),
    ],
)
def test_what_an_upload_or_a_report_would_be_refused_for_is_refused(
    world: World, template: bytes | None, fields: dict[str, str], code: str, place: str
) -> None:
    answer = preview(world, template, **fields)
    assert (answer.status, answer.code) == (400, code), answer.body
    assert any(name.startswith(place) for name in answer.body["fields"])


def test_an_xml_document_is_held_against_the_schema_sent_with_it(world: World) -> None:
    xsd = '<s:schema xmlns:s="http://www.w3.org/2001/XMLSchema"><s:element name="a" type="s:date"/></s:schema>'
    fields = {"data": ROWS, "outputFormat": "XML", "schema": xsd}
    assert preview(world, b"<a>{{ bank.accounts.0.on }}</a>", **fields).status == 200
    refused = preview(world, b"<a>{{ bank.accounts.0.id }}</a>", **fields)
    assert refused.body["fields"]["document"]["code"] == "DOCUMENT_INVALID"


def test_a_long_document_shows_its_beginning_and_fits_an_answer(world: World) -> None:
    template = "{% for i in range(90000) %}{{ '\x01\"\\\\é' }}é{% endfor %}".encode()
    answer = preview(world, template, data=ROWS)
    assert answer.status == 200
    assert answer.body["truncated"] is True
    assert len(answer.body["content"].encode()) <= door.settings.preview_answer_bytes
    assert "bytes are shown" in answer.body["warnings"][0]


def test_a_workbook_comes_as_base64(world: World) -> None:
    answer = preview(
        world,
        b"id;balance\n{% for a in bank.accounts %}{{ a.id }};{{ a.balance }}\n{% endfor %}",
        data=ROWS,
        outputFormat="XLSX",
    )
    assert (answer.status, answer.body["encoding"]) == (200, "base64"), answer.body
    assert zipfile.ZipFile(io.BytesIO(base64.b64decode(answer.body["content"]))).testzip() is None


def test_pages_come_as_base64(world: World) -> None:
    answer = preview(world, b"<p>{{ bank.accounts.0.balance }}</p>", data=ROWS, outputFormat="PDF")
    assert (answer.status, answer.body["encoding"]) == (200, "base64"), answer.body
    assert base64.b64decode(answer.body["content"]).startswith(b"%PDF-")


def test_a_thousand_rows_are_cut_to_the_first(world: World) -> None:
    rows = json.dumps({"bank": {"accounts": [{"id": n, "balance": n} for n in range(1000)]}})
    answer = preview(world, b"{% for a in bank.accounts %}{{ a.id }},{% endfor %}", data=rows)
    assert answer.body["content"] == "".join(f"{n}," for n in range(door.settings.preview_rows))
    assert answer.body["truncated"] is True


def test_the_warnings_of_an_upload_are_those_of_a_preview(world: World) -> None:
    answer = preview(world, b"x{% set kept = bank.accounts %}", data=ROWS)
    assert answer.body["warnings"] == [
        "line 1: kept is set but never used",
        "line 1: bank.accounts is read but never shown",
    ]
