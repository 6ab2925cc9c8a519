"""What all tests of faults share."""

from types import SimpleNamespace

import pytest
from botocore import endpoint


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK waits between its tries: not here."""
    monkeypatch.setattr(endpoint, "time", SimpleNamespace(sleep=lambda _seconds: None))
