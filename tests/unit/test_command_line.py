"""``python -m reporter``: what an author sees, and that no AWS is needed for it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from reporter.command_line import main

from local.paths import ROOT

DATA = """{"bank": {"accounts": [
 {"id": 1, "name": "Ana & Co", "balance": 1250.50, "opened": {"$type": "date", "value": "2023-11-30"}},
 {"id": 2, "name": "Bob", "balance": -75.00, "opened": {"$type": "date", "value": "2024-02-29"}}
]}}"""
LOOP = "{% for a in bank.accounts %}{{ a.id }}={{ a.balance }};{% endfor %}"
SCHEMA = {"bank": {"tables": {"accounts": {"id": "integer", "name": "text", "balance": "numeric", "opened": "date"}}}}
ANSWER = {"id": "bank", "externalName": "b", "type": "postgresql", "tables": [{"name": "public.accounts", "fields": ["id"]}]}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of an author's, with data."""
    monkeypatch.chdir(tmp_path)
    Path("data.json").write_text(DATA)
    return tmp_path


def run(*arguments: str, template: str | bytes | None = None, **files: Any) -> int:
    """``files``: name without ending → JSON."""
    if template is not None:
        Path("t.tpl").write_bytes(template if isinstance(template, bytes) else template.encode())
    for name, value in files.items():
        Path(f"{name}.json").write_text(json.dumps(value))
    return main(arguments)


def render(*arguments: str, template: str | bytes = LOOP, **files: Any) -> int:
    return run("render", "t.tpl", "--format", "txt", "--data", "data.json", *arguments, template=template, **files)


def test_a_good_template_is_fine(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "t.tpl", "--format", "TXT", "--schema", "s.json", template=LOOP, s=SCHEMA) == 0
    assert capsys.readouterr() == ("", "")


def test_every_problem_is_a_line_with_file_line_column_and_code(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = "{{ bank.accounts.0.nmae }}\n  {{ bank.accuonts.0.id }}{{ lake.t.0.x }}"
    assert run("check", "t.tpl", "--format", "TXT", "--schema", "s.json", template=template, s=SCHEMA) == 1
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("t.tpl:1:")
    assert first.endswith("TPL-0014 bank.accounts has no field nmae; is name meant?")
    assert second.startswith("t.tpl:2:")
    assert "TPL-0030" in second
    assert third.startswith("t.tpl:2:")
    assert "TPL-0031" in third


def test_warnings_are_printed_and_do_not_fail(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = "x\n{% set kept = bank.accounts %}"
    assert run("check", "t.tpl", "--format", "TXT", "--schema", "s.json", template=template, s=SCHEMA) == 0
    assert capsys.readouterr().out.splitlines() == [
        "t.tpl:2:4: warning kept is set but never used",
        "t.tpl:2:19: warning bank.accounts is read but never shown",
    ]


def test_without_a_schema_only_the_language_is_checked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "t.tpl", "--format", "TXT", template="{% for m in any:where.at %}{{ m.x }}{% endfor %}") == 0
    assert "not checked" in capsys.readouterr().err
    assert run("check", "t.tpl", "--format", "TXT", template="{{ 1|nosuch }}") == 1


def test_the_service_s_own_description_of_a_source_is_a_schema(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = "{{ bank.accounts.0.id }}\n{{ bank.accounts.0.name }}"
    assert run("check", "t.tpl", "--format", "TXT", "--schema", "s.json", template=template, s=ANSWER) == 1
    assert capsys.readouterr().out.startswith("t.tpl:2:")


def test_script_in_html_is_a_problem(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "t.tpl", "--format", "html", template="<p>\n<script>1</script>") == 1
    assert "t.tpl:2:1: TPL-0032" in capsys.readouterr().out


def test_text_that_is_not_utf_8_has_its_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "t.tpl", "--format", "TXT", template=b"a\ncaf\xe9") == 1
    assert capsys.readouterr().out.startswith("t.tpl:2:1: TPL-0007")


def test_a_document_is_printed_or_written(here: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert render() == 0
    assert capfdbinary.readouterr().out == b"1=1250.50;2=-75.00;"
    assert render("-o", "made.txt") == 0
    assert Path("made.txt").read_bytes() == b"1=1250.50;2=-75.00;"


def test_filters_clock_and_time_zone_are_those_of_a_report(here: Path) -> None:
    template = LOOP + '{% date_time "YYYY-MM-dd HH:mm" %}'
    now = ("--now", "2024-05-31T23:30:00Z", "--time-zone", "Europe/Lisbon")
    filters = {"bank": {"accounts": {"opened": {"between": ["2024-01-01", "2024-12-31"]}}}}
    assert render("--filters", "f.json", *now, "-o", "made.txt", template=template, f=filters) == 0
    assert Path("made.txt").read_text() == "2=-75.00;2024-06-01 00:30"


def test_a_rendering_that_fails_names_file_line_and_reason(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(template="a\n{{ 1 / 0 }}") == 1
    assert capsys.readouterr().err == "t.tpl:2: TEMPLATE_ERROR division by zero\n"


def test_a_document_must_fit_its_xsd(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.xsd").write_text(
        '<s:schema xmlns:s="http://www.w3.org/2001/XMLSchema"><s:element name="a" type="s:date"/></s:schema>'
    )
    xml = ("render", "t.tpl", "--format", "XML", "--data", "data.json", "--xsd", "a.xsd", "-o", "made.xml")
    assert run(*xml, template="<a>{{ bank.accounts.0.opened }}</a>") == 0
    assert run(*xml, template="<a>{{ bank.accounts.0.balance }}</a>") == 1
    assert "DOCUMENT_INVALID" in capsys.readouterr().err


def test_the_limits_are_the_worker_s_settings(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAX_OUTPUT_BYTES", "5")
    assert render() == 1
    assert "TEMPLATE_OUTPUT" in capsys.readouterr().err
    monkeypatch.setenv("MAX_ROWS", "1")
    assert render() == 1
    assert "REPORT_TOO_LARGE" in capsys.readouterr().err
    monkeypatch.setenv("MAX_ROWS", "many")
    assert render() == 2


@pytest.mark.parametrize(
    ("arguments", "files", "said"),
    [
        (("--data", "nope.json"), {}, "nope.json: No such file"),
        (("--now", "yesterday"), {}, "--now must be a moment"),
        (("--time-zone", "Mars/Olympus"), {}, "IANA"),
        (("--xsd", "data.json"), {}, "--xsd is for --format XML only"),
        (("--filters", "f.json"), {"f": {"bank": {"accounts": {"id": {"like": [1]}}}}}, "filters.bank.accounts.id.like"),
        (
            ("--filters", "f.json"),
            {"f": {"bank": {"accounts": {"nope": {"eq": [1]}}}}},
            "filters.bank.accounts.nope: table accounts has no such field",
        ),
        (
            ("--filters", "f.json"),
            {"f": {"bank": {"accounts": {"id.x": {"eq": [1]}}}}},
            "filters.bank.accounts.id.x: no such field: id is of type integer, which holds no keys",
        ),
        (
            ("--filters", "f.json"),
            {"f": {"bank": {"accounts": {"nope": {"eq": [{}]}}}}},
            "filters.bank.accounts.nope.eq: a value is a text, number, boolean or null",
        ),
        (("--filters", "f.json"), {"f": {"lake": {}}}, "filters.lake: no such data source"),
        (("--data", "d.json"), {"d": {"bank": {"accounts": [1]}}}, "d.json:1: bank.accounts.0: a row must be an object"),
    ],
)
def test_an_argument_nothing_can_be_done_with_ends_2(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], files: dict[str, Any], said: str
) -> None:
    assert render(*arguments, **files) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("schema", [[], {"bank": 1}, {"bank": {"tables": {"t": {"a": "money"}}}}])
def test_a_schema_that_is_none_says_what_one_looks_like(here: Path, capsys: pytest.CaptureFixture[str], schema: Any) -> None:
    assert run("check", "t.tpl", "--format", "TXT", "--schema", "s.json", template="x", s=schema) == 2
    assert '{source: {"tables": {table: {column: type}}}}' in capsys.readouterr().err


def test_an_unknown_format_ends_2(here: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        run("check", "t.tpl", "--format", "docx", template="x")
    assert ended.value.code == 2


def test_it_runs_from_the_layer_alone_and_imports_no_boto3(here: Path) -> None:
    """As an author starts it: no AWS in the environment, nothing of it in memory."""
    Path("t.tpl").write_text(LOOP)
    program = (
        "import sys, runpy; sys.argv[1:] = ['render', 't.tpl', '--format', 'TXT', '--data', 'data.json']\n"
        "try: runpy.run_module('reporter', run_name='__main__')\n"
        "except SystemExit as ended: print(ended.code, sorted({'boto3', 'botocore', 'psycopg', 'lxml'} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": str(ROOT / "layers" / "reporter"), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("1=1250.50;2=-75.00;0 []\n", "")
