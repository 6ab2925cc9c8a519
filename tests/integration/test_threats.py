"""Names, paths, headers, JSON and filters that try something: refused or harmless, nothing stored, nothing reached."""

import json
import time
from collections.abc import Iterator
from typing import Any

import moto
import psycopg
import pytest
from reporter.aws.clients import client
from reporter.errors import RequestError

from local.postgresql import EmbeddedPostgres
from tests.conformance.test_api_cases import REPORT, report_in, template_in
from tests.tables import create_table, files_entry, json_lines, opened, postgresql_entry, put_file, rows_of
from tests.world import DOORS, ORGANIZATION, OTHER, TEMPLATE, Answer, Context, World

ORG = {"X-Organization-Id": ORGANIZATION}
GOOD = {"templateId": TEMPLATE, "filters": {}}
SECONDS = 5

IDS = [
    *["../../other-org/x", "%2e%2e%2f", "..%5c", ".", "..", "%00", "\x00", "a" * 10_240, "null", "0", "*", "{id}", "<id>"],
    *[
        f"{REPORT} ",
        f"{REPORT}\n",
        f" {REPORT}",
        f"{REPORT}%00",
        f"{REPORT}/..",
        "{" + REPORT + "}",
        REPORT.replace("-", ""),
    ],
    *[f"urn:uuid:{REPORT}", REPORT.replace("0", "０"), REPORT[:-1], REPORT + "0", "' OR 1=1 --", "／etc／passwd", "．．／"],
]


def at_door(folder: str, method: str, path: str, headers: dict[str, str] = ORG, body: str | None = None) -> Any:
    """The door's own answer, whatever path a gateway may let through to it."""
    event = {
        "httpMethod": method,
        "path": path,
        "resource": path,
        "body": body,
        "isBase64Encoded": False,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "requestContext": {"stage": "test", "path": path, "requestId": "r", "authorizer": {"access": "off"}},
    }
    return DOORS[folder].handler(event, Context())


@pytest.mark.parametrize("name", IDS, ids=lambda name: ascii(name)[:40])
def test_what_is_no_id_leads_to_nothing(world: World, name: str) -> None:
    world.add_report(report_in(ORGANIZATION))
    world.add_template(template_in(ORGANIZATION))
    for folder, method, path in (
        ("functions/status", "GET", f"/v1/reports/{name}"),
        ("functions/status", "GET", f"/v1/reports/{name}/download"),
        ("functions/templates", "GET", f"/v1/templates/{name}"),
        ("functions/templates", "GET", f"/v1/templates/{name}/content"),
        ("functions/templates", "DELETE", f"/v1/templates/{name}"),
        ("functions/reports", "DELETE", f"/v1/reports/{name}"),
        ("functions/reports", "POST", f"/v1/reports/{name}/cancel"),
    ):
        answer = at_door(folder, method, path)
        assert answer["statusCode"] in {400, 404, 405}, path
        assert "Traceback" not in answer["body"]
    answer = world.call("POST", "/v1/reports", {**GOOD, "templateId": name}, ORG)
    assert (answer.status, answer.code) == (400, "TPL-0012")
    assert len(world.rows("reports")) == len(world.rows("templates")) == 1
    assert all("deletedAt" not in row for row in (*world.rows("reports"), *world.rows("templates")))


@pytest.mark.parametrize(
    "path",
    [
        *[
            "//v1/reports",
            "/v1//reports",
            "/v1/reports/..;/templates",
            "/v1/reports/../templates",
            "/v1/reports%00",
            "/V1/REPORTS",
        ],
        *[
            "/v1/Reports",
            "/v1/reports;a=b",
            "/v1/./reports",
            "/v1/reports%2f",
            "/v1/reports\x00",
            "v1/reports",
            "",
            "\\v1\\reports",
        ],
        *["/v1/reports/..%2f..%2ftemplates", "/%76%31/reports", "/v1/reports#x", "/prod/v1/reports", "/v1/reports .json"],
    ],
)
def test_another_spelling_of_a_path_is_no_route(world: World, path: str) -> None:
    world.add_report(report_in(ORGANIZATION))
    for folder in DOORS:
        for method in ("GET", "POST", "DELETE"):
            answer = at_door(folder, method, path, body=json.dumps(GOOD))
            assert answer["statusCode"] in {400, 404, 405}, (folder, method)
            assert REPORT not in answer["body"]
    assert len(world.rows("reports")) == 1


def test_a_trailing_slash_is_the_same_route_with_the_same_rights(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    for path in ("/v1/reports", f"/v1/reports/{REPORT}"):
        plain, slashed = (at_door("functions/status", "GET", path + end) for end in ("", "/"))
        assert slashed["statusCode"] == plain["statusCode"] == 200
        assert slashed["body"] == plain["body"]
        for headers in ({}, {"X-Organization-Id": OTHER}):
            plain, slashed = (at_door("functions/status", "GET", path + end, headers) for end in ("", "/"))
            assert (slashed["statusCode"], slashed["body"]) == (plain["statusCode"], plain["body"])


def test_links_never_follow_a_forwarded_host(world: World) -> None:
    world.add_template(template_in(ORGANIZATION))
    evil = {
        "Host": "evil.test",
        "X-Forwarded-Host": "evil.test",
        "X-Forwarded-Proto": "gopher",
        "Forwarded": "host=evil.test",
    }
    answer = world.call("POST", "/v1/reports", GOOD, {**ORG, **evil})
    assert answer.status == 201
    assert answer.headers["location"] == f"reports/{answer.body['id']}"
    assert "evil" not in json.dumps([answer.body, answer.headers])


NAMES = [
    ("résumé 📄.tpl", "résumé 📄.tpl", "rsum .tpl"),
    ("evil\u202elpt.fdp.tpl", "evillpt.fdp.tpl", "evillpt.fdp.tpl"),
    ("re\u0301sume\u0301.tpl", "résumé.tpl", "rsum.tpl"),
    ("../../etc/passwd.tpl", "passwd.tpl", "passwd.tpl"),
    ("／etc／passwd.tpl", "passwd.tpl", "passwd.tpl"),
    ("..\\..\\x.tpl", "x.tpl", "x.tpl"),
    ("C:\\con\\x.TPL", "x.TPL", "x.TPL"),
    ("a\x00b\x7f\u200b.tpl", "ab.tpl", "ab.tpl"),
    ("it's (1)*%.tpl", "it's (1)*%.tpl", "it's (1)*%.tpl"),
    ("日本.tpl", "日本.tpl", ".tpl"),
]


@pytest.mark.parametrize(("sent", "kept", "plain"), NAMES, ids=lambda name: ascii(name))
def test_a_file_name_is_shown_and_never_used(world: World, sent: str, kept: str, plain: str) -> None:
    fields = {"outputFormat": "txt", "description": "d"}
    made = world.upload(b"x", fields, ORG, name=sent.replace("\\", "\\\\"))
    assert (made.status, made.body["fileName"]) == (201, kept)
    answer = world.call("GET", f"/v1/templates/{made.body['id']}/content", None, ORG)
    disposition = answer.headers["content-disposition"]
    assert disposition.isascii()
    assert disposition.startswith(f"attachment; filename=\"{plain}\"; filename*=UTF-8''")
    assert not set("'()*\"") & set(disposition.partition("UTF-8''")[2])
    keys = [found["Key"] for found in client("s3").list_objects_v2(Bucket="documents", Prefix="templates/")["Contents"]]
    assert [key.split("/")[1:3] for key in keys] == [[ORGANIZATION, made.body["id"]]]


@pytest.mark.parametrize(
    "name", ["x.tpl.", "x.tpl ", "x.tpl/", "x.html", ".", "", "tpl", "x.tpl\u2024", "CON", "x" * 300 + ".tpl"]
)
def test_another_name_is_refused(world: World, name: str) -> None:
    answer = world.upload(b"x", {"outputFormat": "txt", "description": "d"}, ORG, name=name)
    assert answer.status == 400
    assert answer.code in {"TPL-0002", "TPL-0005"}
    assert world.rows("templates") == []


JSON = {
    "a comment": '{"templateId": "a", /* b */ "filters": {}}',
    "a comment of another kind": '{"filters": {}} // b',
    "single quotes": "{'filters': {}}",
    "an infinite number": '{"metadata": {"n": 1e400000}, "filters": {}}',
    "a negative NaN": '{"metadata": {"n": -NaN}, "filters": {}}',
    "a number that begins with 0": '{"metadata": {"n": 01}, "filters": {}}',
    "a hexadecimal number": '{"metadata": {"n": 0x10}, "filters": {}}',
    "a plus sign": '{"metadata": {"n": +1}, "filters": {}}',
    "a member twice, once escaped": '{"filters": {}, "\\u0066ilters": {"erp": {}}}',
    "a member twice, deep inside": '{"filters": {"erp": {"t": {"id": {"eq": [1], "eq": [2]}}}}}',
    "two values": '{"filters": {}} {"filters": {}}',
    "a value after the end": '{"filters": {}}]',
    "a list": "[1]",
    "null": "null",
    "a text": '"x"',
    "a number": "7",
    "deep objects": '{"a":' * 20_000 + "1" + "}" * 20_000,
    "deep in filters": '{"filters": ' + '{"a":' * 100 + "1" + "}" * 101,
    "many members": "{" + ",".join(f'"k{number}": 1' for number in range(9000)) + "}",
    "many lists": "[" + "[]," * 40_000 + "[]]",
    "a control character": '{"filters": {"a\x01": {}}}',
    "NUL": "\x00{}",
    "half of a pair as text": '{"filters": {"erp": {"customers": {"name": {"eq": ["\\udc00"]}}}}}',
    "a bad escape": '{"filters": {"\\x41": {}}}',
    "a text without end": '{"filters": "',
}


@pytest.mark.parametrize("name", JSON)
def test_json_that_is_none_or_too_much_is_refused_at_once(world: World, name: str) -> None:
    world.add_template(template_in(ORGANIZATION))
    started = time.process_time()
    answer = world.call("POST", "/v1/reports", JSON[name], {**ORG, "X-Idempotency": "k"}, raw=True)
    assert answer.status == 400
    assert answer.code in {"TPL-0017", "TPL-0015", "TPL-0016"}
    assert time.process_time() - started < SECONDS
    assert len(json.dumps(answer.body)) < 200_000
    assert world.rows("reports") == world.rows("idempotency") == []


@pytest.mark.parametrize(
    "content", [b"\xff\xfe{\x00}\x00", b'{"filters": {"\xe9": {}}}', b"\xed\xa0\x80", b"\xc0\x80", b"\x1f\x8b\x08\x00"]
)
def test_a_body_that_is_no_utf_8_is_refused(world: World, content: bytes) -> None:
    answer = world.call("POST", "/v1/reports", content, ORG, raw=True)
    assert (answer.status, answer.code) == (400, "TPL-0017")


@pytest.mark.parametrize("size", [131_073, 4_000_000])
def test_a_body_beyond_the_limit_is_not_even_parsed(world: World, size: int) -> None:
    started = time.process_time()
    answer = world.call("POST", "/v1/reports", "[" * size, ORG, raw=True)
    assert (answer.status, answer.code) == (413, "TPL-0047")
    assert time.process_time() - started < SECONDS


INJECTIONS = [
    *["id; DROP TABLE x --", 'id" OR "1"="1', "id)/**/UNION/**/SELECT", 'id"', "id'", "id--", "t.id", "*", "id::text", "ID"],
    *["#a = :v OR attribute_exists(x)", "$where", "__proto__", "ctid", "id\x00", " id", "meta->>'a'", "name || ''"],
]
TABLES = [
    *[
        "pg_catalog.pg_authid",
        "information_schema.tables",
        'public"."secrets',
        "customers; DROP TABLE x",
        "public.customers.x",
    ],
    *["pg_authid", "CUSTOMERS", "public__", "__customers", "..customers", "customers--", f"{OTHER}.customers", "", "*"],
]


def post(world: World, filters: Any) -> Answer:
    world.add_template(template_in(ORGANIZATION))
    return world.call("POST", "/v1/reports", {**GOOD, "filters": filters}, ORG)


@pytest.mark.parametrize("field", INJECTIONS)
def test_a_field_is_one_of_the_schema_s_or_unknown(world: World, field: str) -> None:
    answer = post(world, {"erp": {"customers": {field: {"eq": ["x"]}}}})
    assert (answer.status, answer.code) == (400, "TPL-0014")


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_one_of_the_schema_s_or_unknown(world: World, table: str) -> None:
    answer = post(world, {"erp": {table: {"id": {"eq": ["x"]}}}})
    assert (answer.status, answer.code) == (400, "TPL-0030")


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ({"eq": [{"$gt": ""}]}, "TPL-0017"),
        ({"eq": {"$gt": ""}}, "TPL-0017"),
        ({"$gt": [""]}, "TPL-0015"),
        ({"$where": ["sleep(5000)"]}, "TPL-0015"),
        ({"$regex": [".*"]}, "TPL-0015"),
        ({"eq": [["x"]]}, "TPL-0017"),
        ({"eq": "x"}, "TPL-0017"),
        ("x", "TPL-0017"),
        (["x"], "TPL-0017"),
        ({"eq": ["a\x00"]}, "TPL-0017"),
        ({"eq": ["x" * 5000]}, "TPL-0017"),
        ({"in": ["x"] * 1001}, "TPL-0017"),
        ({"in": []}, "TPL-0015"),
        ({"in": None}, "TPL-0017"),
        ({"between": ["a"]}, "TPL-0017"),
        ({"between": ["a", "b", "c"]}, "TPL-0017"),
        ({"between": ["a", None]}, "TPL-0017"),
        ({"gt": [None]}, "TPL-0017"),
        ({"EQ": ["x"]}, "TPL-0015"),
        ({"eq": [True]}, "TPL-0017"),
        ({"eq": [1]}, "TPL-0017"),
    ],
)
def test_a_condition_is_one_of_the_contract_s(world: World, condition: Any, code: str) -> None:
    answer = post(world, {"erp": {"customers": {"name": condition}}})
    assert (answer.status, answer.code) == (400, code)


def test_another_s_source_is_as_unknown_as_one_that_is_not_there(world: World) -> None:
    world.register_source("theirs", {"tables": {"public.t": {"id": "uuid"}}}, organizations=[OTHER])
    bodies = []
    for name in ("theirs", "nobody"):
        answer = post(world, {name: {"t": {"id": {"eq": ["x"]}}}})
        assert (answer.status, answer.code) == (400, "TPL-0031")
        bodies.append(json.dumps(answer.body).replace(name, "?"))
    assert bodies[0] == bodies[1]


VALUES = [
    *[
        "' OR 1=1 --",
        "\\'",
        "\\",
        "%",
        "_",
        "a%b",
        "''",
        "$1",
        "$$",
        "$a$; DROP TABLE hostile; $a$",
        "{}",
        "%s",
        "%(a)s",
        ":x",
        "?",
    ],
    *[
        "'; DROP TABLE hostile; --",
        "\\'; DROP TABLE hostile; --",
        "E'\\x41'",
        "null",
        "NULL",
        "true",
        "{1,2}",
        "\ufeff",
        "é",
        "ﬀ",
    ],
    *[
        "{{ 7*7 }}",
        "<script>",
        "=1+1",
        " x ",
        "\n",
        "\r\n",
        "\t",
        "\x01",
        "\x7f",
        "x" * 4000,
        "",
        "/*",
        "*/",
        "--",
        ";",
        "COPY",
        "\\.",
    ],
]
COLUMNS: dict[str, Any] = {"n": "integer", "v": "text", "meta": "jsonb"}
ROWS = [{"n": number, "v": value, "meta": {"k": value, value or "-": 1}} for number, value in enumerate(VALUES)]


def assert_only_their_own_rows(source: Any, schema: Any = None) -> None:
    for number, value in enumerate(VALUES):
        for field in ("v", "meta.k"):
            assert rows_of(source, "hostile", ["n"], {field: {"eq": [value]}}, schema) == [(number,)], ascii(value)
    found = rows_of(source, "hostile", ["n"], {"v": {"in": VALUES}}, schema)
    assert sorted(found) == [(number,) for number in range(len(VALUES))]
    assert rows_of(source, "hostile", ["n"], {"v": {"nin": VALUES}}, schema) == []
    assert rows_of(source, "hostile", ["n"], {"n": {"between": [9, 3]}}, schema) == []
    for field in ("meta.' OR 1=1 --", "meta.$a$; DROP TABLE hostile; $a$", 'meta."', "meta.\\'"):
        expected = [(VALUES.index(field.partition(".")[2]),)] if field.partition(".")[2] in VALUES else []
        assert rows_of(source, "hostile", ["n"], {field: {"eq": [1]}}, schema) == expected


def test_a_value_is_only_ever_a_value_in_postgresql(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        for conforming in ("on", "off"):
            create_table(connection, "hostile", COLUMNS, ROWS)
            connection.execute(f"ALTER ROLE CURRENT_USER SET standard_conforming_strings = {conforming}")
            try:
                assert_only_their_own_rows(opened(postgresql_entry(postgres)))
            finally:
                connection.execute("ALTER ROLE CURRENT_USER RESET standard_conforming_strings")


@pytest.fixture
def cloud() -> Iterator[None]:
    with moto.mock_aws():
        yield


@pytest.mark.usefixtures("cloud")
def test_a_value_is_only_ever_a_value_in_files() -> None:
    put_file("hostile.jsonl", json_lines(COLUMNS, ROWS))
    assert_only_their_own_rows(opened(files_entry({"hostile": "hostile.jsonl"})))


@pytest.mark.parametrize(
    "text",
    [
        "2025-13-45",
        "2025-02-29",
        "now()",
        "9999-12-31T23:59:60Z",
        "2025-01-01T25:00:00Z",
        "tomorrow",
        "",
        "1735689600",
        "infinity",
    ],
)
@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_a_time_that_is_none_is_refused(kind: Any, text: str) -> None:
    from reporter.row_filters import check_operators, resolve
    from reporter.schema import SourceSchema

    schemas = {"s": SourceSchema("s", {"t": {"at": kind}})}
    with pytest.raises(RequestError) as error:
        resolve(check_operators({"s": {"t": {"at": {"gte": [text]}}}}), schemas)
    assert (error.value.code, error.value.status) == ("TPL-0017", 400)
