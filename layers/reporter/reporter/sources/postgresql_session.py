"""One read-only transaction on PostgreSQL: what is asked, how long it may take, and what the driver's errors mean."""

import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql

from reporter.dataset import BATCH_ROWS
from reporter.deadline import Deadline
from reporter.errors import ReportFailure, SourceUnavailable
from reporter.limit import FEWER_ROWS, passed

BATCH_BYTES = 4 * 1024 * 1024
"""A batch ends with the row that goes past this."""
GRACE_SECONDS = 5
"""How long a server may take to cancel what it does before it counts as dead."""
POLL_SECONDS = 0.25

Connection = psycopg.Connection[tuple[Any, ...]]


class Session:
    """Use as a context manager, on a connection of its own. ``seconds``: the longest the server may be silent.

    ``silent_is_dead``: whether one that has to be hung up on counts as dead though the deadline has passed, too. A report's
    deadline says more about the report; one that is for a small answer alone, about the server.

    Everything raises ``ReportFailure``: SOURCE_CHANGED, SOURCE_VALUE, REPORT_TIMEOUT, and ``SourceUnavailable``. No
    error of the driver leaves here, for its text may hold anything.
    """

    def __init__(
        self, source: str, connection: Connection, seconds: float, deadline: Deadline, *, silent_is_dead: bool = False
    ) -> None:
        self._source = source
        self._connection = connection
        self._seconds = seconds
        self._deadline = deadline
        self._silent_is_dead = silent_is_dead
        self._hung_up = False
        self._until = float("inf")
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="postgresql", daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._watcher.join()

    def ask(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """All rows of a small answer."""
        with self._errors(), self._answering():
            return self._connection.execute(query, values).fetchall()

    def types(self, select: sql.Composed) -> list[int]:
        """PostgreSQL's numbers of the types of a query's columns, without running it."""
        with self._errors(), self._answering():
            cursor = self._connection.execute(sql.SQL("{} LIMIT 0").format(select))
            return [column.type_code for column in cursor.description or ()]

    def copy(self, statement: sql.Composed) -> Iterator[list[Any]]:
        """The lines of a COPY, in batches. All of them: the server's own count is compared."""
        counted = 0
        lines: list[Any] = []
        size = 0
        with self._errors(), self._connection.cursor() as cursor, self._answering():
            with cursor.copy(statement) as answer:
                for line in answer:
                    lines.append(line)
                    size += len(line)
                    if len(lines) == BATCH_ROWS or size >= BATCH_BYTES:
                        counted += len(lines)
                        self._until = float("inf")
                        yield lines
                        self._deadline.check()
                        self._wait()
                        lines, size = [], 0
            if counted + len(lines) != cursor.rowcount:
                raise SourceUnavailable(self._source, "it delivered fewer rows than it counted", dead=False)
        if lines:
            yield lines

    @contextmanager
    def _answering(self) -> Iterator[None]:
        self._wait()
        try:
            yield
        finally:
            self._until = float("inf")

    def _wait(self) -> None:
        self._until = time.monotonic() + min(self._seconds, self._deadline.left())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._failure(error) from None

    def _failure(self, error: psycopg.Error) -> ReportFailure:
        name = self._source
        if isinstance(error, psycopg.ProgrammingError):
            message = f"data source {name}: a table or field is no longer there, readable or of the same type"
            return ReportFailure("SOURCE_CHANGED", message)
        if isinstance(error, psycopg.DataError):
            return ReportFailure("SOURCE_VALUE", f"data source {name}: a value does not fit the type of its field")
        if self._hung_up and self._silent_is_dead:
            return SourceUnavailable(name, "it does not answer")
        try:
            self._deadline.check()
        except ReportFailure as timeout:
            return timeout
        if isinstance(error, psycopg.errors.QueryCanceled):
            # It did react to that.
            reason = passed("it takes", round(self._seconds), "seconds to answer", FEWER_ROWS, "SourceReadSeconds")
            return SourceUnavailable(name, reason, dead=False)
        return SourceUnavailable(name, "the connection failed or broke off", dead=self._connection.closed)

    def _watch(self) -> None:
        """Cancels what takes too long; hangs up on a server that does not even react to that."""
        while not self._ended.wait(POLL_SECONDS):
            if time.monotonic() >= self._until:
                with suppress(psycopg.Error, OSError):
                    self._connection.cancel_safe(timeout=GRACE_SECONDS)
                if not self._ended.wait(GRACE_SECONDS) and time.monotonic() >= self._until:
                    self._hang_up()

    def _hang_up(self) -> None:
        self._hung_up = True
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
