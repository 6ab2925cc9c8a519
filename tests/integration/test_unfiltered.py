"""A kernel that filters no system calls: somebody hears of it, and nothing is rendered there where the operator says so."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from reporter.errors import ReportFailure
from reporter.renderer import client
from reporter.renderer.client import Job, Renderer
from reporter.renderer_assembly import preview_renderer, schema_renderer, worker_renderer

from functions.preview import app as preview
from functions.templates import app as templates
from functions.worker import app as worker
from tests.world import ORGANIZATION, World

ORG = {"X-Organization-Id": ORGANIZATION}
SERVING = "from reporter.renderer.server"
WITHOUT = "from reporter.renderer import containment; containment.refuse_system_calls = lambda: False; "
CODE = "CONTAINMENT_NOT_AVAILABLE"
XSD = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"/></xs:schema>'

Started = Callable[[Callable[[Any], Renderer], Any], Renderer]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """Starts a renderer whose children are told by their kernel that it does not know of such filters."""
    assert client._PROGRAM.count(SERVING) == 1
    monkeypatch.setattr(client, "_PROGRAM", client._PROGRAM.replace(SERVING, WITHOUT + SERVING))
    renderers: list[Renderer] = []

    def start(make: Callable[[Any], Renderer], settings: Any) -> Renderer:
        renderers.append(make(settings))
        return renderers[-1]

    yield start
    for renderer in renderers:
        renderer.close()


def rendered(renderer: Renderer, folder: Path) -> str:
    folder.mkdir()
    job = Job("{{ 1 + 1 }}", "TXT", {}, [], datetime(2026, 1, 2, tzinfo=UTC))
    return renderer.render(job, folder).path.read_text()


def counted(output: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in output.splitlines() if "SystemCallsUnfiltered" in line]
    return [{name: line[name] for name in ("SystemCallsUnfiltered", "stage")} for line in lines]


def requiring(settings: Any) -> Any:
    return settings.model_copy(update={"require_system_call_filter": True})


def test_a_report_is_refused_where_the_operator_says_so_and_it_is_told_once(
    started: Started, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    renderer = started(worker_renderer, requiring(worker.settings))
    with caplog.at_level(logging.WARNING, "reporter"):
        for name in ("first", "second"):
            with pytest.raises(ReportFailure, match="REQUIRE_SYSTEM_CALL_FILTER") as failure:
                rendered(renderer, tmp_path / name)
            assert (failure.value.code, failure.value.retryable) == (CODE, False)
            assert not (tmp_path / name / "document").exists()
    assert [record.message for record in caplog.records] == ["the kernel filters no system calls of rendering children"]
    assert counted(capsys.readouterr().out) == [{"SystemCallsUnfiltered": [1.0], "stage": worker.settings.stage}]


def test_it_is_rendered_and_told_all_the_same(
    started: Started, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    renderer = started(worker_renderer, worker.settings)
    with caplog.at_level(logging.WARNING, "reporter"):
        assert [rendered(renderer, tmp_path / name) for name in ("first", "second")] == ["2", "2"]
    assert len(caplog.records) == 1
    assert counted(capsys.readouterr().out) == [{"SystemCallsUnfiltered": [1.0], "stage": worker.settings.stage}]


def test_with_a_filter_nothing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "reporter"):
        assert rendered(worker.renderer, tmp_path / "document") == "2"
    assert not caplog.records
    assert counted(capsys.readouterr().out) == []


def test_a_preview_and_a_schema_are_not_blamed_for_it(
    world: World, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview.preview, "_renderer", started(preview_renderer, requiring(preview.settings)))
    shown = world.upload(b"x", {"outputFormat": "TXT", "data": "{}"}, ORG, path="/v1/templates/preview")
    assert (shown.status, shown.code) == (503, "TPL-0018"), shown.body
    check = started(schema_renderer, requiring(templates.settings)).check_xml_schema
    monkeypatch.setattr(templates, "ports", _with(templates.ports, check))
    refused = world.upload(b"<a/>", {"outputFormat": "XML", "description": "d", "schema": XSD}, ORG)
    assert (refused.status, refused.code) == (503, "TPL-0018"), refused.body
    assert "fields" not in refused.body


def _with(ports: Any, check: Callable[[str], None]) -> Any:
    return replace(ports, xml_schemas=replace(ports.xml_schemas, check=check))
