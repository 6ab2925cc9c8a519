"""A list of the few system calls that rendering needs; the kernel refuses all others, for good.

Resource limits keep a child from files, sockets and memory, but not from sending signals to, or reading the memory of,
another process of the same user, nor from lifting those limits where it runs as root. This does.
"""

import ctypes
import platform
import struct
from collections.abc import Sequence

# What the kernel calls them on x86_64 and on aarch64.
_CALLS = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "lseek": (8, 62),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "writev": (20, 66),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "brk": (12, 214),
    "madvise": (28, 233),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "futex": (202, 98),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "rseq": (334, 293),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "getrandom": (318, 278),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
# Answered with yes and not carried out: the PDF engine asks whether a font that it holds in memory could be opened.
_PRETENDED = {"access": (21, 48)}
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_SECCOMP, _SET_MODE_FILTER = (317, 277), 1
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_ALLOW, _PRETEND, _REFUSE_EPERM = 0x7FFF0000, 0x00050000, 0x00050001

_libc = ctypes.CDLL(None)


def refuse_system_calls() -> bool:
    """From here on every other call fails with EPERM. False where the kernel, the machine or whoever confines it already
    does not allow such a thing.
    """
    if platform.machine() not in _ARCHITECTURES:
        return False
    architecture, column = _ARCHITECTURES[platform.machine()]
    program = _program(architecture, *([numbers[column] for numbers in calls.values()] for calls in (_CALLS, _PRETENDED)))
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, and where they are.
    described = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    zero = ctypes.c_ulong(0)
    where = ctypes.c_void_p(ctypes.addressof(described))
    # A sandbox that allows no prctl may have set this itself, and then allow the newer call.
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero)
    if _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), where, zero, zero) == 0:
        return True
    number = ctypes.c_long(_SECCOMP[column])
    return int(_libc.syscall(number, ctypes.c_ulong(_SET_MODE_FILTER), zero, where)) == 0


def _program(architecture: int, allowed: Sequence[int], pretended: Sequence[int]) -> bytes:
    """Classic BPF: the wrong architecture is refused, a number on a list is answered as that list says, the rest refused."""
    verdicts = (_REFUSE_EPERM, _PRETEND, _ALLOW)
    listed = [(number, _ALLOW) for number in allowed] + [(number, _PRETEND) for number in pretended]
    steps = [(_LOAD, 0, 0, _ARCHITECTURE_AT), (_JUMP_IF_EQUAL, 0, len(listed) + 1, architecture)]
    steps.append((_LOAD, 0, 0, _NUMBER_AT))
    for left, (number, verdict) in zip(reversed(range(len(listed))), listed, strict=True):
        steps.append((_JUMP_IF_EQUAL, left + verdicts.index(verdict), 0, number))
    steps.extend((_RETURN, 0, 0, verdict) for verdict in verdicts)
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
