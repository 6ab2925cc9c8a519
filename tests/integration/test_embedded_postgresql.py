"""The PostgreSQL server of tests and samples leaves the machine as it was."""

import os
import pwd
import socket
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local import postgresql
from local.postgresql import EmbeddedPostgres, package_folder


def machine() -> tuple[object, ...]:
    """System users, and the modes and owners of every folder on the way to ours."""
    folders = {*package_folder().parents, *Path(__file__).parents, Path("/tmp"), Path("/var/tmp"), Path.home()}
    modes = sorted((str(folder), folder.stat().st_mode, folder.stat().st_uid) for folder in folders)
    return sorted(user.pw_name for user in pwd.getpwall()), modes, Path("/etc/passwd").read_bytes()


def answer(server: EmbeddedPostgres) -> object:
    with psycopg.connect(server.dsn()) as connection:
        return connection.execute("SELECT current_setting('server_encoding')").fetchone()


def test_a_server_changes_no_users_and_no_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", "/tmp")
    before = machine()
    with EmbeddedPostgres() as server:
        assert answer(server) == ("UTF8",)
        folder = server.folder
        assert folder.is_relative_to("/tmp")
        assert os.geteuid() != 0 or Path(f"/proc/{server.pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
        assert machine() == before
    assert machine() == before
    assert not folder.exists()


def test_binaries_out_of_reach_are_copied_instead_of_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    open_to_all = postgresql._open_to_all
    monkeypatch.setattr(postgresql, "_open_to_all", lambda path: package_folder() not in path.parents and open_to_all(path))
    before = machine()
    with EmbeddedPostgres() as server:
        # Only root runs the server as somebody else.
        assert (server.folder / "binaries").exists() is (os.geteuid() == 0)
        assert answer(server) == ("UTF8",)
    assert machine() == before


def test_a_port_that_was_taken_meanwhile_is_left_to_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedPostgres() as first:
        real = socket.socket
        taken = [first.port]

        class Outdated(real):  # type: ignore[misc,valid-type]
            """Says once that a port in use is free."""

            def getsockname(self) -> Any:
                return ("127.0.0.1", taken.pop()) if taken else super().getsockname()

        monkeypatch.setattr(socket, "socket", Outdated)
        with EmbeddedPostgres() as second:
            monkeypatch.undo()
            assert not taken
            assert second.port != first.port
            assert answer(second) == answer(first) == ("UTF8",)
