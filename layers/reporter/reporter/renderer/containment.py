"""What a rendering child may do: compute, read the spool, write the document. Nothing else."""

import os
import resource
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from reporter.limit import FEWER_ROWS
from reporter.renderer.system_calls import refuse_system_calls


@dataclass(frozen=True, slots=True)
class Told:
    """By which settings ``Limits`` are told, of what, and what its owner can do."""

    what: str = "the rendering"
    seconds: str = "RenderSeconds"
    cpu_seconds: str = "RenderCpuSeconds"
    memory_bytes: str = "RenderMemoryBytes"
    output_bytes: str = "MaxOutputBytes"
    advice: str = f"{FEWER_ROWS}, or a simpler template"


@dataclass(frozen=True, slots=True)
class Limits:
    """``memory_bytes`` beyond what the process has at the start; times in seconds. ``told``: how they are called.

    ``filter_required``: whether nothing is made where the kernel does not filter system calls.
    """

    seconds: int
    cpu_seconds: int
    memory_bytes: int
    output_bytes: int
    filter_required: bool = True
    told: Told = Told()


def enter_containment(limits: Limits, keep: Collection[int]) -> bool:
    """Give up everything for good. Afterwards no file, socket or process can be opened.

    ``keep``: the descriptors that stay. Lambda gives us no namespaces; resource limits work there and everywhere. True
    where the kernel also filters system calls: then only those of computing, reading and writing are left, and no other
    process can be reached.
    """
    for name in os.listdir("/proc/self/fd"):
        # One of the names is the listing's own descriptor, which is closed by now.
        if int(name) not in keep:
            with suppress(OSError):
                os.close(int(name))
    size = _address_space()
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NPROC, 0)
    _lower(resource.RLIMIT_MEMLOCK, 0)
    _lower(resource.RLIMIT_FSIZE, limits.output_bytes)
    # At the soft limit the kernel sends SIGXCPU, whose meaning is clear; at the hard one SIGKILL, which cannot be ignored.
    _lower(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1)
    _lower(resource.RLIMIT_AS, size + limits.memory_bytes)
    _lower(resource.RLIMIT_NOFILE, 0)
    return refuse_system_calls()


def _lower(kind: int, soft: int, hard: int | None = None) -> None:
    _soft, most = resource.getrlimit(kind)
    wanted = soft if hard is None else hard
    wanted = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(kind, (min(soft, wanted), wanted))


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
