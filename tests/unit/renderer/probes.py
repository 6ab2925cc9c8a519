"""What runs inside the containment in test_containment: each probe tries something and says what it got."""

import ctypes
import gc
import json
import os
import re
import resource
import signal
import socket
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from unittest import mock

from reporter.renderer import containment

MB = 1024 * 1024

Found = dict[str, Any]


def run(name: str, limits: dict[str, Any]) -> None:
    """In a forked child; prints its report and, on the last line, its exit status."""
    reading, writing = os.pipe()
    document = os.memfd_create("document")
    child = os.fork()
    if child == 0:
        try:
            found = PROBES[name](containment.Limits(**limits), writing, document)
            os.write(writing, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writing)
    report = b""
    while piece := os.read(reading, 65536):
        report += piece
    _pid, status = os.waitpid(child, 0)
    sys.stdout.write(f"{report.decode()}\n{status}")


def attempts(tries: dict[str, Callable[[], object]]) -> Found:
    """Name → the class of the error, or ``succeeded``."""
    found: Found = {}
    for name, attempt in tries.items():
        try:
            attempt()
            found[name] = "succeeded"
        except Exception as error:  # noqa: BLE001 - its class is what is asked for
            found[name] = type(error).__name__
    return found


def secrets(limits: containment.Limits, writing: int, document: int) -> Found:
    def content(path: str) -> str:
        with open(path) as file:
            return file.read()

    found: Found = {
        "environ": "".join(name for name in os.environ if name != "LC_CTYPE"),
        "self": content("/proc/self/environ"),
        "parent": content(f"/proc/{os.getppid()}/environ"),
    }
    found["memory"] = in_memory()
    containment.enter_containment(limits, [writing])
    return found


def in_memory() -> int:
    """How often the secret stands in this process's memory. The pattern does not match its own text."""
    pattern = re.compile(rb"PLANTED_SECRET[=]|planted-secret[-]4711")
    count = 0
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if rights[0] == "r" and "[v" not in line:
                start, end = (int(place, 16) for place in span.split("-"))
                memory.seek(start)
                count += len(pattern.findall(memory.read(end - start)))
    return count


def opening(limits: containment.Limits, writing: int, document: int) -> Found:
    socket_before = socket.socket(socket.AF_UNIX)
    containment.enter_containment(limits, [writing, socket_before.fileno()])
    return attempts(
        {
            "open": lambda: open("/etc/hostname"),
            "open for writing": lambda: open("/tmp/left-behind", "w"),
            "socket": socket.socket,
            "connect": lambda: socket_before.connect("/tmp/somewhere"),
            "pair of sockets": socket.socketpair,
            "pipe": os.pipe,
            "duplicate": lambda: os.dup(writing),
            "list a folder": lambda: os.listdir("/"),
            "import": lambda: __import__("xmlrpc.client"),
        }
    )


def opening_without_filter(limits: containment.Limits, writing: int, document: int) -> Found:
    with mock.patch.object(containment, "refuse_system_calls"):
        return opening(limits, writing, document)


def limited(limits: containment.Limits, writing: int, document: int) -> Found:
    """Each resource limit, soft and hard, and the address space at the start. The filter would refuse to tell them."""
    size = containment._address_space()
    with mock.patch.object(containment, "refuse_system_calls"):
        containment.enter_containment(limits, [writing])
    kinds = ("CORE", "NPROC", "MEMLOCK", "FSIZE", "CPU", "AS", "NOFILE")
    return {"size": size, **{kind: resource.getrlimit(getattr(resource, f"RLIMIT_{kind}")) for kind in kinds}}


def reaching(limits: containment.Limits, writing: int, document: int) -> Found:
    libc = ctypes.CDLL(None, use_errno=True)
    space = ctypes.create_string_buffer(64)

    class Piece(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    here, there = Piece(ctypes.addressof(space), 8), Piece(ctypes.addressof(space), 8)

    def read_memory() -> None:
        read = libc.process_vm_readv(os.getppid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
        if read < 0:
            raise OSError(ctypes.get_errno(), "process_vm_readv")

    parent = os.getppid()
    containment.enter_containment(limits, [writing])
    return attempts(
        {
            "fork": os.fork,
            "exec": lambda: os.execv("/bin/true", ["true"]),
            "signal the parent": lambda: os.kill(parent, 0),
            "signal itself": lambda: os.kill(0, 0),
            "read the parent's memory": read_memory,
            "lift a limit": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)),
            "rename": lambda: os.rename("/tmp/a", "/tmp/b"),
        }
    )


def descriptors(limits: containment.Limits, writing: int, document: int) -> Found:
    """Descriptors 3 to 40 are open before; afterwards each is asked."""
    taken = [os.open("/dev/null", os.O_RDONLY) for _ in range(30)]
    containment.enter_containment(limits, [writing])
    alive = []
    for descriptor in range(max(taken) + 5):
        try:
            os.lseek(descriptor, 0, os.SEEK_CUR)
            alive.append(descriptor)
        except OSError as error:
            if error.errno != 9:
                alive.append(descriptor)
    return {"open": alive, "result": writing}


def memory(limits: containment.Limits, writing: int, document: int) -> Found:
    containment.enter_containment(limits, [writing])
    held: list[bytearray] = []
    try:
        while True:
            held.append(bytearray(MB))
    except MemoryError:
        megabytes = len(held)
        held.clear()
        return {"result": "MemoryError", "megabytes": megabytes}


def spin(limits: containment.Limits, writing: int, document: int) -> Found:
    containment.enter_containment(limits, [writing])
    while True:
        pass


def spin_on(limits: containment.Limits, writing: int, document: int) -> Found:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return spin(limits, writing, document)


def growing(limits: containment.Limits, writing: int, document: int) -> Found:
    containment.enter_containment(limits, [writing, document])
    try:
        while True:
            os.write(document, b"x" * 10_000)
    except OSError as error:
        return {"result": "OSError" if error.errno == 27 else str(error), "size": os.lseek(document, 0, os.SEEK_END)}


def computing(limits: containment.Limits, writing: int, document: int) -> Found:
    import random
    import time

    containment.enter_containment(limits, [writing])
    amounts = [Decimal(random.randrange(10**6)) / 7 for _ in range(50_000)]
    amounts.sort()
    texts = "".join(str(amount) for amount in amounts)
    block = bytearray(50 * MB)
    del block
    for _ in range(20):
        bytearray(3 * MB)
    gc.collect()
    time.sleep(0.01)
    fine = bool(re.findall(r"\d+\.\d{3}", texts)) and time.time() > 0 and len(os.urandom(8)) == 8 and time.process_time()
    return {"result": "fine" if fine else "wrong"}


def asking(limits: containment.Limits, writing: int, document: int) -> Found:
    """Whether files could be opened, where the kernel filters system calls."""
    containment.enter_containment(limits, [writing, document])
    found = attempts({"opening": lambda: os.open("/etc/hostname", os.O_RDONLY)})
    return {**found, "there": os.access("/etc/hostname", os.R_OK), "nowhere": os.access("/no/such/file", os.R_OK)}


PROBES = {
    "secrets": secrets,
    "opening": opening,
    "opening without filter": opening_without_filter,
    "asking": asking,
    "limited": limited,
    "reaching": reaching,
    "descriptors": descriptors,
    "memory": memory,
    "spin": spin,
    "spin on": spin_on,
    "growing": growing,
    "computing": computing,
}
