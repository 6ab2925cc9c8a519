"""What all tests share: one PostgreSQL server, started when a test first asks for it."""

from collections.abc import Iterator

import pytest

from local.postgresql import EmbeddedPostgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A server of this test run's own."""
    server = EmbeddedPostgres()
    server.start()
    yield server
    server.stop()
