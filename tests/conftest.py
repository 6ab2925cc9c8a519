"""What all tests share. The environment comes first, then moto, then everything else: module-level clients are safe so."""

import os
import shutil
import sys
import tempfile

os.environ.update(
    {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "STAGE": "local",
        "REPORT_TABLE": "reports",
        "TEMPLATE_TABLE": "templates",
        "IDEMPOTENCY_TABLE": "idempotency",
        "SCHEMA_TABLE": "schemas",
        "LIMIT_TABLE": "limits",
        "DOCUMENT_BUCKET": "documents",
        "RENDER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/render",
        "PDF_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/pdf",
        "EVENT_BUS": "reporter",
        "ALLOW_PRIVATE_SOURCES": "true",
        "RENDER_SECONDS": "20",
        "RESERVE_SECONDS": "1",
        "REPORTER_STATE": tempfile.mkdtemp(prefix="reporter-tests-"),
        "ACCEPT_FUNCTION": "accept",
        "POWERTOOLS_SERVICE_NAME": "reporter",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
)

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import moto
import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from local.postgresql import EmbeddedPostgres
from tests.world import World

if TYPE_CHECKING:
    from tests.plant import Plant


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A server of this test run's own."""
    server = EmbeddedPostgres()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def world() -> Iterator[World]:
    """An empty cloud with our resources, and the doors in front of it."""
    with moto.mock_aws():
        yield World()


@pytest.fixture
def plant(world: World) -> "Plant":
    """A worker and a sweeper on a clock of their own, with a template that reads nothing."""
    # Late: the worker's door starts a renderer, which most tests have no use for.
    from tests.plant import Plant

    made = Plant(world)
    made.add_template()
    return made


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """Tests in parallel: those of a file stay together, and all that build or deploy the one artefact do."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = nodeid.partition("::")[0]
        return "deployed" if file.startswith(("tests/build/", "tests/e2e/")) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Asked once, of the process that hands out the tests."""
    return ByFile(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What tests have measured, for people to read."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties if report.when == "call" else ():
            terminalreporter.write_line(f"{name}: {value}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """A door's renderer is a process; in Lambda it ends with its container. What the tests' stack kept goes too."""
    for name, door in list(sys.modules.items()):
        if name.startswith("functions.") and hasattr(door, "renderer"):
            door.renderer.close()
    shutil.rmtree(os.environ["REPORTER_STATE"], ignore_errors=True)
