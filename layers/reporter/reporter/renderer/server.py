"""The renderer process: waits for jobs on a socket, forks one contained child per report.

It is started with an empty environment before any client or secret exists, so neither its memory nor ``/proc`` holds
anything a template could steal. One message is one job and carries open descriptors: the job, the document, the result,
the spool. The answers are the child's process id, and how it ended. A message ``kill`` ends the running child.
"""

import gc
import os
import select
import signal
import socket
from contextlib import suppress

from reporter.renderer.child import be_child, warm_up

MAX_DESCRIPTORS = 16
MESSAGE_BYTES = 64
RENDER, KILL = b"render", b"kill"


def serve(connection: socket.socket) -> None:
    """Until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm_up()
    # What is loaded by now is shared with every child; a collection in a child would only copy it.
    gc.collect()
    gc.freeze()
    while True:
        message, descriptors, _flags, _address = socket.recv_fds(connection, MESSAGE_BYTES, MAX_DESCRIPTORS)
        if not message:
            return
        if message == RENDER:
            _render(connection, descriptors)


def _render(connection: socket.socket, descriptors: list[int]) -> None:
    # The child holds the writing end for as long as it lives: the reading end tells when it is gone.
    life, held = os.pipe()
    child = os.fork()
    if child == 0:
        be_child(descriptors, held)
    for descriptor in (*descriptors, held):
        os.close(descriptor)
    try:
        connection.send(str(child).encode())
        _wait(connection, life, child)
        _pid, status, usage = os.wait4(child, 0)
        connection.send(f"{status} {usage.ru_utime + usage.ru_stime:.3f}".encode())
    except (BrokenPipeError, ConnectionResetError):
        # The worker is gone: so is whoever wanted this document.
        _kill(child)
    finally:
        os.close(life)


def _wait(connection: socket.socket, life: int, child: int) -> None:
    """Returns when the child has ended; kills it when told to, or when the worker is gone."""
    while True:
        ready, _, _ = select.select([connection.fileno(), life], [], [])
        if life in ready:
            return
        if connection.recv(MESSAGE_BYTES) in {KILL, b""}:
            _kill(child)
            return


def _kill(child: int) -> None:
    """It is still ours to wait for, so its number cannot be anybody else's yet."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
