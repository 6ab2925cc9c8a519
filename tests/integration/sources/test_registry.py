"""The registry of data sources: pages, limits, caches, secrets, scopes, and what prod refuses."""

import json
import logging
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import psycopg
import pytest
from reporter.aws.clients import client
from reporter.errors import ReportFailure, Unavailable
from reporter.settings import AcceptSettings, DataSourceSettings, SettingsError
from reporter.sources.entry import MAX_ENTRY_BYTES, EntryError, parse_entry
from reporter.sources.registry import SourceRegistry

from functions.accept import app as accept
from functions.data_sources import app as data_sources
from functions.preview import app as preview
from functions.templates import app as templates
from functions.worker import app as worker
from local.postgresql import EmbeddedPostgres
from tests.conformance.test_api_cases import template_in
from tests.sam_template import resources
from tests.tables import create_table, opened, postgresql_entry, rows_of
from tests.world import ORGANIZATION, OTHER, TEMPLATE, Answer, World

PATH = "/reporter/local/data-sources/"
ORG = {"X-Organization-Id": ORGANIZATION}
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:reporter/local/erp-AbCdEf"
PROD = {"id": "p", "type": "postgresql", "organizations": ["*"], "schemas": ["public"], "scope": {"shared": ["*"]}}
PLACE = {"host": "db.example.com", "database": "x", "secretArn": SECRET}


def registry(**more: Any) -> SourceRegistry:
    """As a cold container has it."""
    settings: dict[str, Any] = {
        "stage": "local",
        "schema_table": "schemas",
        "bucket": "documents",
        "cache_seconds": 60,
        "schema_seconds": 3600,
        "connect_seconds": 2,
        "read_seconds": 10,
        "allow_private": True,
    }
    return SourceRegistry(client, **settings | more)


def put(name: str, text: str) -> None:
    client("ssm").put_parameter(Name=PATH + name, Value=text, Type="SecureString", Overwrite=True, Tier="Advanced")


def entry_for(server: EmbeddedPostgres, name: str = "bank", **more: Any) -> dict[str, Any]:
    login = {"username": server.user, "password": server.password, "sslmode": "disable"}
    connection = {"host": "127.0.0.1", "port": server.port, "database": "postgres", **login}
    scope = {"default": "organization_id", "tables": {"owner": "id"}, "shared": ["currency"]}
    entry = {"id": name, "type": "postgresql", "organizations": ["*"], "connection": connection, "schemas": ["registry"]}
    return {**entry, "scope": scope, **more}


@pytest.fixture(scope="module")
def bank(postgres: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """A schema with tables that are kept apart in three ways, and two that cannot be."""
    mine = {"organization_id": ORGANIZATION}
    theirs = {"organization_id": OTHER}
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA registry")
        columns: Any = {"id": "integer", "organization_id": "uuid"}
        create_table(connection, "registry.account", columns, [{"id": 1, **mine}, {"id": 2, **theirs}, {"id": 3}])
        create_table(connection, "registry.owner", {"id": "uuid"}, [{"id": ORGANIZATION}, {"id": OTHER}])
        create_table(connection, "registry.currency", {"id": "integer"}, [{"id": 9}])
        create_table(connection, "registry.secrets", {"id": "integer"}, [{"id": 4}])
        create_table(connection, "registry.numbered", {"organization_id": "integer"}, [{"organization_id": 5}])
        yield postgres
        connection.execute("DROP SCHEMA registry CASCADE")


def test_a_registry_of_several_pages_is_read_whole(world: World) -> None:
    for number in range(25):
        world.register_source(f"s{number}", {"tables": {"public.t": {"id": "uuid"}}})
    listed = world.call("GET", "/v1/data-sources", None, ORG).body
    assert [source["id"] for source in listed] == sorted(["erp", *(f"s{number}" for number in range(25))])
    assert list(listed[0]) == ["id", "externalName", "type"]


def test_an_organization_knows_its_own_sources_only(world: World) -> None:
    world.register_source("theirs", {"tables": {"public.t": {"id": "uuid"}}}, organizations=[OTHER.upper()])
    ids = {org: [s["id"] for s in world.call("GET", "/v1/data-sources", None, {"X-Organization-Id": org}).body]
           for org in (ORGANIZATION, OTHER)}  # fmt: skip
    assert ids == {ORGANIZATION: ["erp"], OTHER: ["erp", "theirs"]}
    hidden, absent = (world.call("GET", f"/v1/data-sources/{name}", None, ORG) for name in ("theirs", "nowhere"))
    assert (hidden.status, hidden.code, hidden.body) == (404, "TPL-0031", absent.body)


def test_an_entry_has_at_most_4096_bytes(world: World, caplog: pytest.LogCaptureFixture) -> None:
    entry = {**PROD, "connection": PLACE, "externalName": ""}
    for more, taken in ((0, True), (1, False)):
        entry["externalName"] = "n" * (MAX_ENTRY_BYTES + more - len(json.dumps({**entry, "externalName": ""})))
        text = json.dumps(entry)
        assert len(text) == 4096 + more
        put("p", text)
        assert ("p" in registry().entries(ORGANIZATION)) is taken
    assert any("at most 4096 bytes" in vars(record)["reason"] for record in caplog.records)


def test_a_broken_entry_takes_no_other_down_and_tells_no_secret(world: World, caplog: pytest.LogCaptureFixture) -> None:
    put("a", "{")
    put("b", json.dumps({**PROD, "id": "other", "connection": PLACE}))
    put("c", json.dumps({**PROD, "id": "c", "connection": {**PLACE, "password": "s3cr3t", "nope": 1}}))
    with caplog.at_level(logging.DEBUG, logger="reporter"):
        assert set(registry().entries(ORGANIZATION)) == {"erp"}
    refused = [vars(record)["parameter"] for record in caplog.records if "refused" in record.message]
    assert refused == [PATH + name for name in "abc"]
    assert "s3cr3t" not in str([vars(record) for record in caplog.records])


def test_entries_are_looked_up_once_a_minute(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("reporter.sources.registry.time", SimpleNamespace(monotonic=lambda: now[0], time=time.time))
    found = registry()
    assert set(found.entries(ORGANIZATION)) == {"erp"}
    world.register_source("new", {"tables": {"public.t": {"id": "uuid"}}})
    now[0] += 60
    assert set(found.entries(ORGANIZATION)) == {"erp"}
    now[0] += 0.1
    assert set(found.entries(ORGANIZATION)) == {"erp", "new"}
    defaults = DataSourceSettings.model_fields
    assert defaults["source_cache_seconds"].default == 60


REFUSED_IN_PROD: list[dict[str, Any]] = [
    {"host": "127.0.0.1"},
    {"host": "0x7f.1"},
    {"host": "localhost"},
    {"host": "[::1]"},
    {"host": "169.254.169.254"},
    {"host": "10.1.2.3"},
    {"host": "/var/run/postgresql"},
    {"sslmode": "disable"},
    {"sslmode": "require"},
    {"sslmode": "verify-ca"},
    {"username": "u", "password": "p"},
    {"username": "u", "password": "p", "secretArn": None},
]


@pytest.mark.parametrize("change", REFUSED_IN_PROD, ids=str)
def test_prod_refuses_private_addresses_plain_connections_and_inline_credentials(change: dict[str, Any]) -> None:
    connection = {name: value for name, value in {**PLACE, **change}.items() if value is not None}
    with pytest.raises(EntryError):
        parse_entry(json.dumps({**PROD, "connection": connection}), allow_private=False)


def test_connections_are_verified_in_full_by_default() -> None:
    assert parse_entry(json.dumps({**PROD, "connection": PLACE}), allow_private=False).connection["sslmode"] == "verify-full"


def test_only_the_local_stage_admits_private_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    assert AcceptSettings.from_env().allow_private_sources
    monkeypatch.setenv("STAGE", "prod")
    with pytest.raises(SettingsError, match="ALLOW_PRIVATE_SOURCES"):
        AcceptSettings.from_env()
    monkeypatch.delenv("ALLOW_PRIVATE_SOURCES")
    assert not AcceptSettings.from_env().allow_private_sources


def test_credentials_come_from_secrets_manager_and_are_asked_for_again_when_they_fail(
    world: World, bank: EmbeddedPostgres
) -> None:
    secret = client("secretsmanager").create_secret(Name="reporter/local/bank", SecretString='{"username": "u"}')["ARN"]
    entry = entry_for(bank)
    kept = {n: v for n, v in entry["connection"].items() if n not in {"username", "password"}}
    put("bank", json.dumps({**entry, "connection": {**kept, "secretArn": secret}}))
    found = registry()
    with pytest.raises(Unavailable):
        found.schema(found.entries(ORGANIZATION)["bank"], ORGANIZATION)
    for password in ("wrong", bank.password):
        value = json.dumps({"username": bank.user, "password": password})
        client("secretsmanager").put_secret_value(SecretId=secret, SecretString=value)
        if password == "wrong":
            with pytest.raises(Unavailable):
                found.schema(found.entries(ORGANIZATION)["bank"], ORGANIZATION)
    assert "registry.account" in found.schema(found.entries(ORGANIZATION)["bank"], ORGANIZATION).tables


def test_a_table_that_cannot_be_kept_apart_is_not_there(world: World, bank: EmbeddedPostgres) -> None:
    put("bank", json.dumps(entry_for(bank)))
    described = world.call("GET", "/v1/data-sources/bank", None, ORG).body
    assert [table["name"] for table in described["tables"]] == ["registry.account", "registry.currency", "registry.owner"]
    assert described["tables"][0]["fields"] == ["id", "organization_id"]
    world.add_template(template_in(ORGANIZATION, reads={}))
    for table in ("secrets", "numbered"):
        body = {"templateId": TEMPLATE, "filters": {"bank": {table: {"id": {"eq": [4]}}}}}
        assert world.call("POST", "/v1/reports", body, ORG).code == "TPL-0030"


@pytest.mark.parametrize(
    ("table", "mine", "theirs"),
    [("account", [(1,)], [(2,)]), ("owner", [(ORGANIZATION,)], [(OTHER,)]), ("currency", [(9,)], [(9,)])],
)
def test_every_query_is_scoped_to_the_organization(
    bank: EmbeddedPostgres, table: str, mine: list[Any], theirs: list[Any]
) -> None:
    entry = entry_for(bank)
    source = opened(postgresql_entry(bank, scope=entry["scope"], schemas=["registry"]))
    for organization, expected in ((ORGANIZATION, mine), (OTHER, theirs)):
        rows = rows_of(source, table, ["id"], organization=organization)
        assert [(str(i) if isinstance(expected[0][0], str) else i,) for (i,) in rows] == expected


@pytest.mark.parametrize("filters", [{"eq": [OTHER]}, {"in": [ORGANIZATION, OTHER, None]}, {"nin": [ORGANIZATION]}], ids=str)
def test_a_filter_cannot_widen_the_scope(bank: EmbeddedPostgres, filters: dict[str, Any]) -> None:
    source = opened(postgresql_entry(bank, scope={"default": "organization_id"}, schemas=["registry"]))
    rows = rows_of(source, "account", ["id"], {"organization_id": filters})
    assert rows == ([(1,)] if "in" in filters else [])


def test_a_scoped_table_is_never_read_without_its_column(bank: EmbeddedPostgres) -> None:
    source = opened(postgresql_entry(bank, scope={"default": "organization_id"}, schemas=["registry"]))
    with pytest.raises(ReportFailure, match="may not be read"):
        rows_of(source, "secrets", ["id"])


def down(*_arguments: Any, **_named: Any) -> Any:
    raise psycopg.OperationalError("connection refused")


def test_reports_are_accepted_while_a_database_with_a_known_schema_is_down(
    world: World, bank: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("bank", json.dumps(entry_for(bank)))
    world.add_template(template_in(ORGANIZATION, reads={}))
    body = {"templateId": TEMPLATE, "filters": {"bank": {"account": {"id": {"eq": [1]}}}}}
    registry_of_the_door: Any = accept.ports.sources
    with monkeypatch.context() as patch:
        patch.setattr(psycopg, "connect", down)
        unknown = world.call("POST", "/v1/reports", body, ORG)
        assert (unknown.status, unknown.code) == (503, "TPL-0018")
        assert world.rows("reports") == []
        assert world.rows("idempotency") == []
    assert world.call("POST", "/v1/reports", body, ORG).status == 201
    (stored,) = world.rows("schemas")
    assert int(stored["expires"]["N"]) > int(stored["discovered"]["N"]) > 0
    # Another container, and later one that finds the schema too old.
    monkeypatch.setattr(psycopg, "connect", down)
    for age in (0, 7200):
        stored["discovered"]["N"] = str(int(stored["discovered"]["N"]) - age)
        client("dynamodb").put_item(TableName="schemas", Item=stored)
        registry_of_the_door._schemas.clear()
        assert world.call("POST", "/v1/reports", {**body, "metadata": {"age": age}}, ORG).status == 201


def test_a_dead_database_is_not_waited_for_by_every_call(
    world: World, bank: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_template(template_in(ORGANIZATION, reads={}))
    world.register_source("declared", {"schemas": ["registry"], "tables": {"registry.account": {"id": "integer"}}})
    put("bank", json.dumps(entry_for(bank)))
    connect = Mock(side_effect=down)
    posts = iter(range(100))

    def post(source: str) -> Answer:
        filters = {source: {"account": {"id": {"eq": [1]}}}}
        body = {"templateId": TEMPLATE, "filters": filters, "metadata": {"number": next(posts)}}
        return world.call("POST", "/v1/reports", body, ORG)

    def upload() -> Answer:
        return world.upload(
            b"{% for a in bank.account %}{{ a.id }}{% endfor %}", {"outputFormat": "TXT", "description": "d"}, ORG
        )

    with monkeypatch.context() as patch:
        patch.setattr(psycopg, "connect", connect)
        for _round in range(6):
            for refused in (post("bank"), upload()):
                assert (refused.status, refused.code) == (503, "TPL-0018")
                assert "bank" in refused.body["detail"]
        # One more than opens it: the second door had looked at the state before.
        assert connect.call_count == AcceptSettings.from_env().breaker_failures + 1
        assert 1 <= int(refused.headers["retry-after"]) <= 30
        # Whoever stands beside the workers may reach it.
        assert world.call("GET", "/v1/data-sources/bank", None, ORG).status == 503
        assert connect.call_count == AcceptSettings.from_env().breaker_failures + 2
        assert post("declared").status == 201
    # The table of schemas is read before anybody is asked.
    assert world.call("GET", "/v1/data-sources/bank", None, ORG).status == 200
    assert post("bank").status == 201
    stored = next(item for item in world.rows("schemas") if item["source"]["S"] == "bank")
    stored["discovered"]["N"] = "0"
    client("dynamodb").put_item(TableName="schemas", Item=stored)
    accept_registry: Any = accept.ports.sources
    accept_registry._schemas.clear()
    connect.reset_mock()
    monkeypatch.setattr(psycopg, "connect", connect)
    assert post("bank").status == 201, "an old schema serves while its source rests"
    assert connect.call_count == 0


def test_only_doors_beside_the_workers_speak_of_what_the_workers_reach() -> None:
    registries: dict[str, Any] = {
        "AcceptFunction": accept.ports.sources,
        "WorkerFunction": worker.sources,
        "TemplatesFunction": templates.ports.sources,
        "PreviewFunction": preview.registry,
        "DataSourcesFunction": data_sources.registry,
    }
    for function, found in registries.items():
        assert (found._breaker._network == "") is ("VpcConfig" in resources()[function]["Properties"])


def test_a_known_schema_needs_no_connection_and_a_changed_entry_is_looked_at_anew(
    world: World, bank: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = Mock(wraps=psycopg.connect)
    monkeypatch.setattr(psycopg, "connect", connect)
    for entry, expected in (
        (entry_for(bank), 1),
        (entry_for(bank), 1),
        (entry_for(bank, schemas=["registry", "public"]), 2),
    ):
        put("bank", json.dumps(entry))
        found = registry()
        found.schema(found.entries(ORGANIZATION)["bank"], ORGANIZATION)
        assert connect.call_count == expected


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"tables": {"t": {"id": "money"}}}', None])
def test_a_declared_schema_that_is_broken_is_an_outage(world: World, content: bytes | None) -> None:
    world.register_source("declared", {"tables": {"public.t": {"id": "uuid"}}})
    if content is None:
        client("s3").delete_object(Bucket="documents", Key="schemas/declared.json")
    else:
        client("s3").put_object(Bucket="documents", Key="schemas/declared.json", Body=content)
    answer = world.call("GET", "/v1/data-sources/declared", None, ORG)
    assert (answer.status, answer.code) == (503, "TPL-0018")


def test_files_with_a_key_for_each_organization_have_a_schema_for_each(world: World) -> None:
    for organization, header in ((ORGANIZATION, "id,name"), (OTHER, "id,amount")):
        key = f"sources/{organization}/payments.csv"
        client("s3").put_object(Bucket="documents", Key=key, Body=f"{header}\n1,2\n".encode())
    tables = {"payments": {"key": "sources/{organization}/payments.csv"}}
    put("lake", json.dumps({"id": "lake", "type": "files", "organizations": ["*"], "connection": {"tables": tables}}))
    for organization, fields in ((ORGANIZATION, ["id", "name"]), (OTHER, ["id", "amount"])):
        found = world.call("GET", "/v1/data-sources/lake", None, {"X-Organization-Id": organization}).body
        assert found["tables"] == [{"name": "payments", "fields": fields}]
