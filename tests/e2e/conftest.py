"""One deployed stack for all end to end tests."""

from collections.abc import Iterator

import pytest

from local.__main__ import up
from local.api import Api
from local.postgresql import EmbeddedPostgres
from local.stack import Running, stop
from samples import ledger
from tests.e2e.deployed import Deployed


@pytest.fixture(scope="session")
def deployed() -> Iterator[tuple[Running, EmbeddedPostgres]]:
    """The stack with the samples, and the server they lie in."""
    running, postgres = up()
    assert postgres is not None
    try:
        yield running, postgres
    finally:
        stop(running)
        postgres.stop()


@pytest.fixture
def api(deployed: tuple[Running, EmbeddedPostgres]) -> Api:
    """An application of the samples' organization."""
    return Api(deployed[0].url, ledger.ORGANIZATION)


@pytest.fixture(scope="session")
def deployed_world(deployed: tuple[Running, EmbeddedPostgres]) -> Deployed:
    """The deployed stack as the world that the cases run in."""
    return Deployed(deployed[0])


@pytest.fixture
def empty_world(deployed_world: Deployed) -> Deployed:
    """The same, with nothing stored."""
    deployed_world.empty()
    return deployed_world
