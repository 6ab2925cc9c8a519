"""template.yaml against the code: every setting provided, every promise about queues, tables and rights kept."""

import ast
import json
from typing import Any

import pytest
from reporter import settings
from reporter.access.actions import ACTIONS, OPEN_ROUTES
from reporter.errors import CODES

from local.paths import ROOT
from tests.sam_template import parameters, resources

FUNCTIONS = {name: r["Properties"] for name, r in resources().items() if r["Type"] == "AWS::Serverless::Function"}
MODELS: dict[str, type[settings.Settings]] = {
    "AcceptFunction": settings.AcceptSettings,
    "WorkerFunction": settings.WorkerSettings,
    "ReportsFunction": settings.ReportSettings,
    "StatusFunction": settings.StatusSettings,
    "TemplatesFunction": settings.TemplateSettings,
    "DataSourcesFunction": settings.DataSourceSettings,
    "AuthorizerFunction": settings.AuthorizerSettings,
}
GLOBAL = {"STAGE", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_TRACE_DISABLED", "POWERTOOLS_LOGGER_LOG_EVENT"}


def statements(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = FUNCTIONS[name].get("Policies", [{"Statement": []}])[0]["Statement"]
    return found


def test_every_function_has_its_settings() -> None:
    assert set(FUNCTIONS) == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_the_environment_is_what_the_settings_read(name: str) -> None:
    given = set(FUNCTIONS[name]["Environment"]["Variables"])
    fields = MODELS[name].model_fields
    assert given <= {field.upper() for field in fields}
    required = {field.upper() for field, info in fields.items() if info.is_required()}
    assert required <= given | GLOBAL


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"AuthorizerFunction"}))
def test_a_missing_environment_is_named_as_a_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    required = {field.upper() for field, info in MODELS[name].model_fields.items() if info.is_required()}
    for variable in required:
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(settings.SettingsError) as error:
        MODELS[name].from_env()
    assert all(variable in str(error.value) for variable in required)


def test_access_control_needs_an_issuer_an_audience_and_a_key_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCESS_CONTROL", "true")
    with pytest.raises(settings.SettingsError, match="JWKS_URL, TOKEN_ISSUER, TOKEN_AUDIENCE"):
        settings.AuthorizerSettings.from_env()


def test_every_route_but_the_open_ones_asks_the_authorizer_and_has_an_action() -> None:
    assert resources()["Api"]["Properties"]["Auth"]["DefaultAuthorizer"] == "Tokens"
    events = [e["Properties"] for f in FUNCTIONS.values() for e in f.get("Events", {}).values() if e["Type"] == "Api"]
    # What reaches a door by ANY is told that the method is wrong, whoever asks: test_routes.
    events = [event for event in events if event["Method"] != "ANY"]
    without = {(e["Method"], e["Path"]) for e in events if e.get("Auth", {}).get("Authorizer") == "NONE"}
    assert without == OPEN_ROUTES
    assert {(e["Method"], e["Path"]) for e in events} - without <= set(ACTIONS)


@pytest.mark.parametrize("name", MODELS)
def test_no_function_may_do_everything(name: str) -> None:
    for statement in statements(name):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any("*" in action for action in actions)
        assert statement["Resource"] != "*"


def test_the_queue_outlives_the_worker_and_the_dead_letter_queue_the_queue() -> None:
    queue = resources()["RenderQueue"]["Properties"]
    dead = resources()["DeadLetterQueue"]["Properties"]
    assert int(queue["VisibilityTimeout"]) >= 6 * int(parameters()["WorkerSeconds"]["MaxValue"])
    assert FUNCTIONS["WorkerFunction"]["Timeout"] == "WorkerSeconds"
    assert int(dead["MessageRetentionPeriod"]) > int(queue["MessageRetentionPeriod"])
    assert int(queue["RedrivePolicy"]["maxReceiveCount"]) >= 5
    messages = FUNCTIONS["WorkerFunction"]["Events"]["Messages"]["Properties"]
    assert messages["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert "MaximumConcurrency" in messages["ScalingConfig"]


@pytest.mark.parametrize("name", ["ReportTable", "TemplateTable", "IdempotencyTable", "SchemaTable"])
def test_tables_are_encrypted_recoverable_and_expire(name: str) -> None:
    table = resources()[name]["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] in {"true", True}
    assert table["TimeToLiveSpecification"]["Enabled"] in {"true", True}
    assert table["SSESpecification"]["SSEEnabled"] in {"true", True}


def test_the_gateway_answers_with_our_codes() -> None:
    for name, response in resources()["Api"]["Properties"]["GatewayResponses"].items():
        body = json.loads(response["ResponseTemplates"]["application/json"])
        assert body["code"] in CODES, name
        assert {"type", "title", "status", "detail", "code", "message"} == set(body)


def test_the_largest_upload_fits_a_lambda_event_as_base64() -> None:
    most = max(n for n in (4_500_000, settings.TemplateSettings.model_fields["max_upload_bytes"].default))
    headers = 64 * 1024
    assert (most + 2) // 3 * 4 + headers <= 6_291_456


@pytest.mark.parametrize("door", sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py")))
def test_doors_are_small_and_know_no_other_door(door: str) -> None:
    tree = ast.parse((ROOT / "functions" / door / "app.py").read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(module.startswith("functions") for module in imported)
    assert not any(module.startswith(("jinja2", "psycopg")) for module in imported)


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_status_and_says_when(code: str) -> None:
    assert 400 <= CODES[code].status < 600
    assert CODES[code].title
    assert CODES[code].when
