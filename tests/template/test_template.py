"""template.yaml against the code: every setting provided, every promise about queues, tables and rights kept."""

import ast
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from reporter import settings
from reporter.access.actions import ACTIONS, OPEN_ROUTES
from reporter.aws.clients import client
from reporter.errors import CODES

from local.paths import ROOT
from tests.sam_template import gateway_answer, parameters, resources, rules

FUNCTIONS = {name: r["Properties"] for name, r in resources().items() if r["Type"] == "AWS::Serverless::Function"}
MODELS: dict[str, type[settings.Settings]] = {
    "AcceptFunction": settings.AcceptSettings,
    "WorkerFunction": settings.WorkerSettings,
    "PdfWorkerFunction": settings.WorkerSettings,
    "ReportsFunction": settings.ReportSettings,
    "SweeperFunction": settings.SweepSettings,
    "DeadLettersFunction": settings.DeadLetterSettings,
    "StatusFunction": settings.StatusSettings,
    "TemplatesFunction": settings.TemplateSettings,
    "PreviewFunction": settings.PreviewSettings,
    "DataSourcesFunction": settings.DataSourceSettings,
    "AuthorizerFunction": settings.AuthorizerSettings,
}
DEARER = {"MAX_ROWS", "RENDER_SECONDS", "RENDER_CPU_SECONDS", "RENDER_MEMORY_BYTES"}
GLOBAL = {"STAGE", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_TRACE_DISABLED", "POWERTOOLS_LOGGER_LOG_EVENT"}


def statements(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = FUNCTIONS[name].get("Policies", [{"Statement": []}])[0]["Statement"]
    return found


def test_every_function_has_its_settings() -> None:
    assert set(FUNCTIONS) == set(MODELS)


def parameter(variable: str) -> str:
    """MAX_ROWS is told by the parameter MaxRows."""
    return "".join(map(str.capitalize, variable.split("_")))


@pytest.mark.parametrize("name", MODELS)
def test_the_environment_is_what_the_settings_read(name: str) -> None:
    given = FUNCTIONS[name]["Environment"]["Variables"]
    fields = {field.upper(): info for field, info in MODELS[name].model_fields.items()}
    assert set(given) == set(fields) - GLOBAL
    for variable, told in given.items():
        if fields[variable].is_required():
            assert told.split(".")[0] in resources()
        else:
            # Every limit is a parameter of the same name with the same default; pages cost more than rows.
            own = name == "PdfWorkerFunction" and variable in DEARER
            assert told == ("Pdf" if own else "") + parameter(variable)
            assert own or str(parameters()[told]["Default"]).lower() == str(fields[variable].default).lower()


def test_every_parameter_is_used() -> None:
    text = (ROOT / "template.yaml").read_text()
    body = text[text.index("\nRules:") :]
    assert [name for name in parameters() if name not in body] == []


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


def test_a_lease_outlasts_a_heartbeat_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "120")
    monkeypatch.setenv("HEARTBEAT_SECONDS", "60")
    assert settings.WorkerSettings.from_env().heartbeat_seconds == 60
    monkeypatch.setenv("HEARTBEAT_SECONDS", "61")
    with pytest.raises(settings.SettingsError, match="HEARTBEAT_SECONDS must be at most half of LEASE_SECONDS"):
        settings.WorkerSettings.from_env()


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


def refused(given: dict[str, str]) -> list[str]:
    """The rules that a deployment with these parameters, and the defaults of the others, breaks."""
    values = {name: str(told["Default"]) for name, told in parameters().items()} | given
    meanings: dict[str, Callable[[Any], Any]] = {
        "Ref": values.__getitem__,
        "Equals": lambda both: both[0] == both[1],
        "Not": lambda one: not one[0],
        "And": all,
    }

    def meant(told: Any) -> Any:
        if isinstance(told, list):
            return [meant(one) for one in told]
        if isinstance(told, dict):
            ((function, arguments),) = told.items()
            return meanings[function](meant(arguments))
        return told

    return [
        name
        for name, rule in rules().items()
        if meant(rule["RuleCondition"]) and not all(meant(one["Assert"]) for one in rule["Assertions"])
    ]


@pytest.mark.parametrize(
    ("given", "broken"),
    [
        ({}, []),
        ({"PythonRuntime": "python3.11"}, ["PdfHasItsRuntime"]),
        ({"PythonRuntime": "python3.11", "RequirePdf": "false"}, []),
        ({"PythonRuntime": "python3.11", "Stage": "local"}, []),
        ({"PythonRuntime": "python3.12"}, []),
        ({"AllowPrivateSources": "true"}, ["PrivateSourcesAreLocal"]),
        ({"AllowPrivateSources": "true", "Stage": "local"}, []),
        ({"AccessControl": "true"}, ["AccessControlIsComplete"]),
        ({"AccessControl": "true", "JwksUrl": "https://i.example/k", "TokenIssuer": "i", "TokenAudience": "a"}, []),
    ],
)
def test_a_deployment_that_could_not_work_is_refused_before_anything_is_created(
    given: dict[str, str], broken: list[str]
) -> None:
    assert refused(given) == broken


READERS_OF_FILES = [
    "AcceptFunction",
    "WorkerFunction",
    "PdfWorkerFunction",
    "TemplatesFunction",
    "PreviewFunction",
    "DataSourcesFunction",
]


def resources_of(name: str, action: str) -> str:
    """Everything on which a function may do this, as one text."""
    return str([statement["Resource"] for statement in statements(name) if action in statement["Action"]])


def test_these_functions_read_files() -> None:
    assert [name for name in FUNCTIONS if "sources/*" in resources_of(name, "s3:GetObject")] == READERS_OF_FILES


@pytest.mark.parametrize("name", READERS_OF_FILES)
def test_whoever_reads_files_can_tell_a_missing_one_from_a_forbidden_one(name: str) -> None:
    listed = resources_of(name, "s3:ListBucket")
    assert "'DocumentBucket.Arn'" in listed
    assert "'SourceBucketArn'" in listed


@pytest.mark.parametrize("name", READERS_OF_FILES)
def test_whoever_reads_files_may_use_the_keys_of_both_buckets(name: str) -> None:
    used = resources_of(name, "kms:Decrypt")
    assert "['HasKey', 'KmsKeyArn'" in used
    assert "['HasSourceKey', 'SourceKeyArn'" in used


def test_a_preview_has_not_one_right_to_write() -> None:
    for statement in statements("PreviewFunction"):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert all(action.partition(":")[2].startswith(("Get", "List", "Decrypt")) for action in actions)


@pytest.mark.parametrize(("name", "worker"), [("RenderQueue", "WorkerFunction"), ("PdfQueue", "PdfWorkerFunction")])
def test_the_queue_outlives_the_worker_and_the_dead_letter_queue_the_queue(name: str, worker: str) -> None:
    queue = resources()[name]["Properties"]
    dead = resources()["DeadLetterQueue"]["Properties"]
    assert int(queue["VisibilityTimeout"]) >= 6 * int(parameters()["WorkerSeconds"]["MaxValue"])
    assert FUNCTIONS[worker]["Timeout"] == "WorkerSeconds"
    assert int(dead["MessageRetentionPeriod"]) > int(queue["MessageRetentionPeriod"])
    # Whatever a report meets, it ends before its message is given up.
    begun = sum(int(parameters()[limit]["Default"]) for limit in ("MaxAttempts", "MaxRests"))
    assert queue["RedrivePolicy"]["maxReceiveCount"] == "MaxReceives"
    assert int(parameters()["MaxReceives"]["Default"]) >= begun + 2
    messages = FUNCTIONS[worker]["Events"]["Messages"]["Properties"]
    assert messages["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert "MaximumConcurrency" in messages["ScalingConfig"]
    assert (messages["Queue"], FUNCTIONS[worker]["Environment"]["Variables"]["RENDER_QUEUE_URL"]) == (f"{name}.Arn", name)


@pytest.mark.parametrize("name", ["ReportTable", "TemplateTable", "IdempotencyTable", "SchemaTable"])
def test_tables_are_encrypted_recoverable_and_expire(name: str) -> None:
    table = resources()[name]["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] in {"true", True}
    assert table["TimeToLiveSpecification"]["Enabled"] in {"true", True}
    assert table["SSESpecification"]["SSEEnabled"] in {"true", True}


@pytest.mark.parametrize("kind", resources()["Api"]["Properties"]["GatewayResponses"])
def test_the_gateway_answers_with_our_body(kind: str) -> None:
    response = resources()["Api"]["Properties"]["GatewayResponses"][kind]
    status, body = gateway_answer(kind)
    code = CODES[body["code"]]
    assert body["status"] == status
    assert (body["type"], body["title"]) == (f"urn:reporter:error:{body['code']}", code.title)
    assert {"type", "title", "status", "detail", "code", "message"} == set(body)
    headers = response["ResponseParameters"]["Headers"]
    assert headers["Content-Type"] == "'application/problem+json'"
    assert ("Retry-After" in headers) is (status in {429, 503})


@pytest.mark.parametrize("variable", ["MAX_UPLOAD_BYTES", "MAX_ANSWER_BYTES"])
def test_the_largest_body_fits_lambda_as_base64(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 4_500_000
    assert int(parameters()[parameter(variable)]["MaxValue"]) == most
    monkeypatch.setenv(variable, str(most))
    assert getattr(settings.TemplateSettings.from_env(), variable.lower()) == most
    monkeypatch.setenv(variable, str(most + 1))
    with pytest.raises(settings.SettingsError, match=variable):
        settings.TemplateSettings.from_env()
    # API Gateway takes 10,240 bytes of headers, and passes them twice.
    around = {"headers": "x" * 10_240, "multiValueHeaders": "x" * 10_240, "requestContext": "x" * 8192}
    assert len(json.dumps({**around, "body": base64.b64encode(b"x" * most).decode()})) <= 6_291_456


@pytest.mark.parametrize("door", sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py")))
def test_doors_are_small_and_know_no_other_door(door: str) -> None:
    text = (ROOT / "functions" / door / "app.py").read_text()
    assert text.count("\n") <= 85
    tree = ast.parse(text)
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(module.startswith("functions") for module in imported)
    assert not any(module.startswith(("jinja2", "psycopg")) for module in imported)


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_status_and_says_when(code: str) -> None:
    assert 400 <= CODES[code].status < 600
    assert CODES[code].title
    assert CODES[code].when


@pytest.mark.parametrize("name", MODELS)
def test_every_function_has_a_log_group_that_forgets_and_is_there_before_it(name: str) -> None:
    group = resources()[FUNCTIONS[name]["LoggingConfig"]["LogGroup"]]
    assert group["Type"] == "AWS::Logs::LogGroup"
    assert group["Properties"]["RetentionInDays"] == "LogRetentionDays"
    # What does not name the function does not wait for it.
    named = group["Properties"]["LogGroupName"]
    assert named.startswith("/aws/lambda/reporter-${Stage}-")
    assert named.count("$") == 1


def test_no_two_functions_share_a_log_group() -> None:
    groups = [r["Properties"]["LogGroupName"] for r in resources().values() if r["Type"] == "AWS::Logs::LogGroup"]
    assert len(set(groups)) == len(groups) == len(FUNCTIONS)
    assert len({made["LoggingConfig"]["LogGroup"] for made in FUNCTIONS.values()}) == len(FUNCTIONS)


def test_the_sweeper_runs_as_often_as_its_setting_says() -> None:
    schedule = FUNCTIONS["SweeperFunction"]["Events"]["Sweep"]["Properties"]["Schedule"]
    assert schedule == "cron(0/${SweepMinutes} * * * ? *)"
    assert FUNCTIONS["SweeperFunction"]["Timeout"] <= 60 * int(parameters()["SweepMinutes"]["MinValue"])


def test_every_alarm_looks_at_something_that_is_counted() -> None:
    alarms = {name: r["Properties"] for name, r in resources().items() if r["Type"] == "AWS::CloudWatch::Alarm"}
    ours = {alarm["MetricName"] for alarm in alarms.values() if alarm["Namespace"] == "Reporter"}
    counting = [*(ROOT / "functions").glob("*/app.py"), *(ROOT / "layers/reporter/reporter").glob("*_assembly.py")]
    doors = "".join(path.read_text() for path in counting)
    # The dead-letter function counts each outcome by its name.
    assert {name for name in ours if f'"{name}"' not in doors} == {"DeadLetterKept"}
    for name in ("DeadLetterAlarm", "QueueAgeAlarm", "SweeperErrorAlarm", "SweeperSilenceAlarm"):
        assert name in alarms


def test_what_cannot_be_delivered_goes_where_somebody_attends_to_it() -> None:
    accept = FUNCTIONS["AcceptFunction"]
    dead = "DeadLetterQueue.Arn"
    assert accept["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"] == dead
    assert accept["Events"]["Requested"]["Properties"]["DeadLetterConfig"]["Arn"] == dead
    assert FUNCTIONS["DeadLettersFunction"]["Events"]["Messages"]["Properties"]["Queue"] == dead
    visibility = int(resources()["DeadLetterQueue"]["Properties"]["VisibilityTimeout"])
    assert visibility >= 6 * int(FUNCTIONS["DeadLettersFunction"]["Timeout"])
    # Each letter of a batch may have to wait for the accept function.
    asking = client("lambda").meta.config
    batch = int(FUNCTIONS["DeadLettersFunction"]["Events"]["Messages"]["Properties"]["BatchSize"])
    assert batch * (asking.connect_timeout + asking.read_timeout) <= int(FUNCTIONS["DeadLettersFunction"]["Timeout"])
    allowed = resources()["DeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert any(s["Effect"] == "Allow" and s["Resource"] == dead for s in allowed)
