"""The local stack's own promises: what it is given is checked at once, and nothing of it stays."""

from pathlib import Path

import pytest

from local import __main__ as local
from local import stack
from local.paths import STAGE
from local.postgresql import EmbeddedPostgres
from local.shell import StepFailed
from samples import ledger


@pytest.mark.parametrize("text", [None, "{", "{}", '["erp"]', '{"id": "erp"}'])
def test_sources_that_are_no_list_of_entries_are_refused_before_anything_is_built(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build() -> None:
        raise AssertionError("nothing may be built")

    monkeypatch.setattr(stack, "build", build)
    file = tmp_path / "sources.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(StepFailed, match=r"sources\.json"):
        local.up(file)


def test_what_fails_while_starting_leaves_no_server_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    servers: list[EmbeddedPostgres] = []
    monkeypatch.setattr(stack, "build", lambda: None)
    monkeypatch.setattr(ledger, "load", lambda _dsn: None)

    def start_aws() -> tuple[int, int]:
        raise StepFailed("no")

    def made() -> EmbeddedPostgres:
        servers.append(EmbeddedPostgres())
        return servers[-1]

    monkeypatch.setattr(stack, "start_aws", start_aws)
    monkeypatch.setattr(local, "EmbeddedPostgres", made)
    with pytest.raises(StepFailed):
        local.up()
    (server,) = servers
    assert not server.folder.exists()
    assert server._process is not None
    assert server._process.poll() is not None


def test_the_url_ends_in_the_stage() -> None:
    url = stack.api_url(4566, {"ApiId": "abc"})
    assert url.endswith(f"/abc/{STAGE}")
