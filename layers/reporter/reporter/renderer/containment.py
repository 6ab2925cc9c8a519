"""What a rendering child may do: compute, read the spool, write the document. Nothing else."""

import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """``memory_bytes`` beyond what the process has at the start; times in seconds."""

    seconds: int
    cpu_seconds: int
    memory_bytes: int
    output_bytes: int


def enter_containment(limits: Limits, keep: Iterable[int]) -> None:
    """Give up everything for good. Afterwards no file, socket or process can be opened.

    ``keep``: the descriptors that stay. Lambda has neither namespaces nor seccomp for us; resource limits work there.
    """
    kept = sorted(keep)
    low = 0
    for descriptor in kept:
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    size = _address_space()
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NPROC, 0)
    _lower(resource.RLIMIT_FSIZE, limits.output_bytes)
    _lower(resource.RLIMIT_CPU, limits.cpu_seconds)
    _lower(resource.RLIMIT_AS, size + limits.memory_bytes)
    _lower(resource.RLIMIT_NOFILE, 0)


def _lower(kind: int, value: int) -> None:
    _soft, hard = resource.getrlimit(kind)
    most = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (most, most))


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
