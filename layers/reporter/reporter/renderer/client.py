"""The worker's side of rendering: starts the renderer process, hands it jobs, keeps the wall clock."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from reporter.dataset import SpooledTable
from reporter.document import Document
from reporter.errors import ReportFailure, Unavailable
from reporter.renderer.containment import Limits

POLL_SECONDS = 0.5
_PROGRAM = (
    "import sys, socket; sys.path[:0] = sys.argv[2:]; "
    "from reporter.renderer.server import serve; serve(socket.socket(fileno=int(sys.argv[1])))"
)


@dataclass(frozen=True, slots=True)
class Job:
    """One rendering. ``tables``: source → template key → qualified table. ``now`` is aware."""

    template: str
    output_format: str
    tables: Mapping[str, Mapping[str, str]]
    spool: Sequence[SpooledTable]
    now: datetime
    time_zone: str = "UTC"
    formula_guard: bool = True


class Renderer:
    """One renderer process per container; a dead one is replaced at the next job. Make it before any secret exists."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._start()

    def render(self, job: Job, folder: Path, cancelled: Callable[[], bool] = lambda: False) -> Document:
        """The document, in ``folder``.

        Raises ``ReportFailure``: TEMPLATE_TIMEOUT, TEMPLATE_MEMORY, TEMPLATE_OUTPUT, TEMPLATE_RECURSION, TEMPLATE_ERROR
        (with the template's line), DOCUMENT_INVALID (with the document's), CANCELED; ``Unavailable`` when the renderer
        itself died.
        """
        job_path, output_path = folder / "job.json", folder / "document"
        job_path.write_text(json.dumps(self._described(job)))
        with ExitStack() as stack:
            descriptors = [_opened(stack, job_path, os.O_RDONLY)]
            descriptors.append(_opened(stack, output_path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
            reading, writing = os.pipe()
            stack.callback(os.close, reading)
            closing = stack.enter_context(ExitStack())
            closing.callback(os.close, writing)
            descriptors.append(writing)
            descriptors.extend(_opened(stack, Path(table.path), os.O_RDONLY) for table in job.spool)
            status = self._run(descriptors, cancelled)
            closing.close()
            answer = os.read(reading, 65_536)
        return _judged(answer, status, output_path)

    def close(self) -> None:
        """Stop the renderer process."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._connection = None

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM, str(theirs.fileno()), *_import_path()],
                env={},
                cwd="/",
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._connection = ours

    def _described(self, job: Job) -> dict[str, Any]:
        return {
            "template": job.template,
            "format": job.output_format,
            "tables": job.tables,
            "spool": [asdict(table) for table in job.spool],
            "now": job.now.isoformat(),
            "timeZone": job.time_zone,
            "formulaGuard": job.formula_guard,
            "limits": asdict(self._limits),
        }

    def _run(self, descriptors: list[int], cancelled: Callable[[], bool]) -> int:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._start()
        connection = self._connection
        if connection is None:
            raise Unavailable("the renderer")
        try:
            socket.send_fds(connection, [b"render"], descriptors)
            child = int(self._answer(connection, time.monotonic() + self._limits.seconds, lambda: None, cancelled))
            deadline = time.monotonic() + self._limits.seconds
            return int(self._answer(connection, deadline, lambda: _kill(child), cancelled))
        except (OSError, ValueError) as error:
            self.close()
            raise Unavailable("the renderer") from error

    @staticmethod
    def _answer(connection: socket.socket, deadline: float, kill: Callable[[], None], cancelled: Callable[[], bool]) -> str:
        """One line from the renderer; past the deadline the child is killed, which brings the line."""
        line = b""
        while not line.endswith(b"\n"):
            if time.monotonic() > deadline or cancelled():
                kill()
            ready, _, _ = select.select([connection], [], [], POLL_SECONDS)
            if ready:
                byte = connection.recv(1)
                if not byte:
                    raise ConnectionResetError
                line += byte
        return line.decode()


def _opened(stack: ExitStack, path: Path, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    stack.callback(os.close, descriptor)
    return descriptor


def _kill(child: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


def _judged(answer: bytes, status: int, output: Path) -> Document:
    if not answer:
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if killed in {signal.SIGKILL, signal.SIGXCPU}:
            raise ReportFailure("TEMPLATE_TIMEOUT", "the template took longer than it may")
        raise ReportFailure("TEMPLATE_MEMORY", "the template needs more memory than it may use")
    made = json.loads(answer)
    if "code" in made:
        raise ReportFailure(made["code"], made["message"], made.get("line"))
    return Document(output, made["size"], made["sha256"], tuple(made["warnings"]))


def _import_path() -> list[str]:
    """Where the renderer finds what we found: the interpreter's own folders it knows by itself."""
    return [path for path in sys.path if path and os.path.isdir(path)]
