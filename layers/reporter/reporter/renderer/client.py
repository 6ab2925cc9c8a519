"""The worker's side of rendering: starts the renderer process, hands it jobs, keeps the wall clock."""

import base64
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reporter.dataset import SpooledTable
from reporter.deadline import FOR_EVER, Deadline
from reporter.document import Document
from reporter.errors import ReporterError, ReportFailure, RequestError, Unavailable
from reporter.formats.pdf.limits import PdfLimits
from reporter.formats.template_file import TemplateFile
from reporter.formats.verifying import SCHEMA_ONLY
from reporter.formats.workbook.limits import DEFAULT, WorkbookLimits
from reporter.limit import passed
from reporter.renderer.containment import Limits, Told

_log = logging.getLogger("reporter")
POLL_SECONDS = 0.25
START_SECONDS = 30
KILL_SECONDS = 10
MAX_ANSWER_BYTES = 1 << 20
_NOT_STARTED = 127
"""How a process ends whose interpreter does not find its own library."""
_PROGRAM = (
    "import select, socket, sys; sys.path[:0] = sys.argv[3:]; "
    "connection = socket.socket(fileno=int(sys.argv[1])); "
    "sys.argv[2] == 'warm' or select.select([connection], [], []); "
    "from reporter.renderer.server import serve; serve(connection)"
)


@dataclass(frozen=True, slots=True)
class Job:
    """One rendering. ``tables``: source → template key → qualified table. ``now`` is aware. ``xml_schema``: an XSD."""

    template: TemplateFile
    output_format: str
    tables: Mapping[str, Mapping[str, str]]
    spool: Sequence[SpooledTable]
    now: datetime
    time_zone: str = "UTC"
    formula_guard: bool = True
    xml_schema: str | None = None
    workbook_limits: WorkbookLimits = DEFAULT


@dataclass(slots=True)
class _Run:
    """How a job went. ``answer``: lines of JSON. ``stopped``: the code of our own reason to end it."""

    child: int
    wall_seconds: float
    answer: bytes = b""
    ended: bool = False
    status: int = 0
    cpu_seconds: float = 0.0
    stopped: str = ""


class Renderer:
    """One renderer process per container; a dead one is replaced at the next job. Make it before any secret exists.

    Jobs of several threads follow one another. ``warm``: whether it imports what it needs at once, or with the first job:
    then it costs next to nothing where there may never be one. ``unfiltered`` is called once, when a child tells
    that the kernel does not filter its system calls. ``pages``: how the limits are told for PDF, where otherwise.
    """

    def __init__(
        self,
        limits: Limits,
        pdf_limits: PdfLimits | None = None,
        *,
        warm: bool = True,
        pages: Told | None = None,
        unfiltered: Callable[[], None] = lambda: None,
    ) -> None:
        self._limits = limits
        self._pdf_limits = pdf_limits or PdfLimits()
        self._warm = warm
        self._pages = pages or limits.told
        self._unfiltered = unfiltered
        self._told = False
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._environment: dict[str, str] = {}
        self._start()

    def render(
        self,
        job: Job,
        folder: Path,
        cancelled: Callable[[], bool] = lambda: False,
        deadline: Deadline = FOR_EVER,
    ) -> Document:
        """The document, in ``folder``. ``cancelled`` is asked a few times a second; ``deadline`` shortens the wall clock.

        Raises ``ReportFailure``: TEMPLATE_TIMEOUT, TEMPLATE_MEMORY, TEMPLATE_OUTPUT, TEMPLATE_RECURSION, TEMPLATE_ERROR
        (with the template's line), DOCUMENT_INVALID (with the document's), FORMAT_NOT_AVAILABLE, CONTAINMENT_NOT_AVAILABLE,
        CANCELED; ``Unavailable`` when the renderer itself died. Then there is no document.
        """
        wall = min(self._limits.seconds, deadline.left())
        job_path, output_path, scratch_path = folder / "job.json", folder / "document", folder / "scratch"
        spools = list(dict.fromkeys(table.path for table in job.spool))
        job_path.write_text(json.dumps(self._described(job, spools)))
        with ExitStack() as stack:
            descriptors = [_opened(stack, job_path, os.O_RDONLY)]
            descriptors.append(_opened(stack, output_path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
            reading, writing = os.pipe()
            stack.callback(os.close, reading)
            ours = stack.enter_context(ExitStack())
            ours.callback(os.close, writing)
            descriptors.append(writing)
            descriptors.append(_opened(stack, scratch_path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
            # Nobody else needs its name, and it is gone with the job.
            scratch_path.unlink()
            descriptors.extend(_opened(stack, Path(path), os.O_RDONLY) for path in spools)
            try:
                with self._lock:
                    run = self._run(descriptors, wall, reading, ours.close, cancelled)
                told = self._pages if job.output_format == "PDF" else self._limits.told
                return self._judged(run, output_path, deadline, told)
            except ReporterError:
                output_path.unlink()
                raise

    def check_xml_schema(self, text: str) -> None:
        """Raises ``ReportFailure`` SCHEMA_INVALID with the schema's line, ``Unavailable`` when the renderer died, and
        ``RequestError`` TPL-0018 where nothing may be looked at for want of a filter of system calls.
        """
        job = Job("", SCHEMA_ONLY, {}, [], datetime(1970, 1, 1, tzinfo=UTC), xml_schema=text)
        try:
            with tempfile.TemporaryDirectory(prefix="schema-") as folder:
                self.render(job, Path(folder))
        except ReportFailure as failure:
            if failure.code == "SCHEMA_INVALID":
                raise
            if failure.code == "CONTAINMENT_NOT_AVAILABLE":
                raise RequestError("TPL-0018", failure.message) from None
            raise ReportFailure("SCHEMA_INVALID", failure.message) from None

    def close(self) -> None:
        """Stop the renderer process."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._connection = None

    def _start(self) -> socket.socket:
        """An environment of nothing; but an interpreter that needs it is told where its own library lies."""
        if self._process is not None and self._process.poll() == _NOT_STARTED:
            self._environment = {"LD_LIBRARY_PATH": str(sysconfig.get_config_var("LIBDIR"))}
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-c",
                    _PROGRAM,
                    str(theirs.fileno()),
                    "warm" if self._warm else "wait",
                    *_import_path(),
                ],
                env=self._environment,
                cwd="/",
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._connection = ours
        return ours

    def _described(self, job: Job, spools: list[str]) -> dict[str, Any]:
        return {
            "template": job.template if isinstance(job.template, str) else None,
            "workbook": None if isinstance(job.template, str) else base64.b64encode(job.template).decode(),
            "format": job.output_format,
            "tables": job.tables,
            "spool": [{**asdict(table), "spool": spools.index(table.path)} for table in job.spool],
            "now": job.now.isoformat(),
            "timeZone": job.time_zone,
            "formulaGuard": job.formula_guard,
            "xmlSchema": job.xml_schema,
            "workbookLimits": asdict(job.workbook_limits),
            "limits": asdict(self._limits),
            "pdfLimits": asdict(self._pdf_limits),
        }

    def _run(
        self,
        descriptors: list[int],
        wall: float,
        reading: int,
        close_ours: Callable[[], None],
        cancelled: Callable[[], bool],
    ) -> _Run:
        connection, child = self._begun(descriptors)
        run = _Run(child, wall)
        try:
            close_ours()
            self._follow(connection, run, reading, cancelled)
        except OSError as error:
            raise Unavailable("the renderer") from error
        finally:
            if not run.ended:
                # Nothing of this job may go on, nor be mixed up with the next one.
                self.close()
                _kill(run.child)
        return run

    def _begun(self, descriptors: list[int]) -> tuple[socket.socket, int]:
        """The connection, and the process id of the child that has the job. A process that has died is replaced."""
        for attempt in range(2):
            connection = self._connection
            if attempt or connection is None or self._process is None or self._process.poll() is not None:
                connection = self._start()
            with suppress(OSError, ValueError):
                socket.send_fds(connection, [b"render"], descriptors)
                ready, _, _ = select.select([connection], [], [], START_SECONDS)
                return connection, int(connection.recv(64) if ready else b"")
            if self._process is not None:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=1)
        raise Unavailable("the renderer")

    @staticmethod
    def _follow(connection: socket.socket, run: _Run, reading: int, cancelled: Callable[[], bool]) -> None:
        """Until the child has ended. Raises ``OSError`` when the renderer process does not say so."""
        deadline = time.monotonic() + run.wall_seconds
        watched: list[Any] = [connection, reading]
        while connection in watched:
            if not run.stopped and (cancelled() or time.monotonic() >= deadline):
                run.stopped = "CANCELED" if cancelled() else "TEMPLATE_TIMEOUT"
                connection.send(b"kill")
                deadline = time.monotonic() + KILL_SECONDS
            elif run.stopped and time.monotonic() >= deadline:
                raise TimeoutError
            ready, _, _ = select.select(watched, [], [], POLL_SECONDS)
            if reading in ready:
                piece = os.read(reading, 1 << 16)
                run.answer += piece
                if not piece or len(run.answer) > MAX_ANSWER_BYTES:
                    watched.remove(reading)
            if connection in ready:
                ending = connection.recv(64).split()
                if len(ending) != 2:
                    raise ConnectionResetError
                run.ended, run.status, run.cpu_seconds = True, int(ending[0]), float(ending[1])
                watched.remove(connection)
        while reading in watched and (piece := os.read(reading, 1 << 16)):
            run.answer += piece

    def _judged(self, run: _Run, output: Path, deadline: Deadline, told: Told) -> Document:
        made: dict[str, Any] = {}
        with suppress(ValueError):
            for line in run.answer.splitlines():
                made |= json.loads(line)
        if made.get("filtered") is False:
            self._tell_unfiltered()
        if "sha256" in made:
            return Document(output, made["size"], made["sha256"], tuple(made["warnings"]))
        if "code" in made and made["code"] != "TEMPLATE_MEMORY":
            raise ReportFailure(made["code"], made["message"], made.get("line"))
        if run.stopped == "CANCELED":
            raise ReportFailure("CANCELED", "the rendering was stopped")
        limits = self._limits
        what = f"{told.what} takes"
        if "code" not in made:
            signal_number = os.WTERMSIG(run.status) if os.WIFSIGNALED(run.status) else 0
            if run.stopped and run.wall_seconds < limits.seconds:
                raise ReportFailure("TEMPLATE_TIMEOUT", deadline.message())
            if run.stopped:
                message = passed(what, limits.seconds, "seconds", told.advice, told.seconds)
                raise ReportFailure("TEMPLATE_TIMEOUT", message)
            if signal_number == signal.SIGXCPU or run.cpu_seconds >= limits.cpu_seconds:
                message = passed(what, limits.cpu_seconds, "seconds of processor time", told.advice, told.cpu_seconds)
                raise ReportFailure("TEMPLATE_TIMEOUT", message)
        message = passed(what, limits.memory_bytes, "bytes of memory", told.advice, told.memory_bytes)
        raise ReportFailure("TEMPLATE_MEMORY", message)

    def _tell_unfiltered(self) -> None:
        """Once: it is so for every child of this machine."""
        if not self._told:
            self._told = True
            required = self._limits.filter_required
            _log.warning("the kernel filters no system calls of rendering children", extra={"required": required})
            self._unfiltered()


def _opened(stack: ExitStack, path: Path, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    stack.callback(os.close, descriptor)
    return descriptor


def _kill(child: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)


def _import_path() -> list[str]:
    """Where the renderer finds what we found: the interpreter's own folders it knows by itself."""
    return [os.path.abspath(path) for path in sys.path if path and os.path.isdir(path)]
