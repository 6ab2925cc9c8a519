"""Containment from inside: programs that try what a template that broke out of its sandbox would try.

They run in a process like the renderer's: exec'd with an empty environment, forking a child that contains itself.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import reporter
from reporter.renderer.client import Renderer
from reporter.renderer.containment import Limits

MB = 1024 * 1024
LIMITS = Limits(seconds=20, cpu_seconds=1, memory_bytes=64 * MB, output_bytes=1 * MB)
PLANTED = "planted-secret-4711"
PROBES = Path(__file__).parent / "probes.py"
HOUSE = Path(reporter.__file__).parent.parent

LAUNCH = """
import sys; sys.path[:0] = sys.argv[4:]
import json, os
sys.path.insert(0, os.path.dirname(sys.argv[1]))
import probes
probes.run(sys.argv[2], json.loads(sys.argv[3]))
"""


def probed(name: str, limits: Limits = LIMITS) -> tuple[dict[str, Any], int]:
    """What the contained child reported, and the status it ended with."""
    ended = subprocess.run(
        [sys.executable, "-I", "-c", LAUNCH, str(PROBES), name, json.dumps(asdict(limits)), str(HOUSE)],
        env={},
        cwd="/",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    report, _, status = ended.stdout.decode().rpartition("\n")
    return (json.loads(report) if report else {}), int(status)


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED_SECRET", PLANTED)


def test_no_secret_is_anywhere_to_be_found() -> None:
    """The parent's environment is read before containment, where it still can be."""
    found, _status = probed("secrets")
    assert found == {"environ": "", "self": "", "parent": "", "memory": 0}


def test_the_worker_starts_its_renderer_with_an_empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", PLANTED)
    renderer = Renderer(LIMITS)
    try:
        assert renderer._process is not None
        process = Path("/proc") / str(renderer._process.pid)
        assert (process / "environ").read_bytes() == b""
        assert PLANTED.encode() not in (process / "cmdline").read_bytes()
    finally:
        renderer.close()


@pytest.mark.parametrize(
    "what",
    ["open", "open for writing", "socket", "connect", "pipe", "duplicate", "list a folder", "pair of sockets", "import"],
)
def test_nothing_can_be_opened(what: str) -> None:
    found, _status = probed("opening")
    assert found[what] in {"PermissionError", "OSError", "ModuleNotFoundError"}


@pytest.mark.parametrize(
    "what", ["fork", "exec", "signal the parent", "signal itself", "read the parent's memory", "lift a limit", "rename"]
)
def test_no_other_process_and_no_limit_can_be_reached(what: str) -> None:
    found, _status = probed("reaching")
    assert found[what] in {"PermissionError", "OSError", "ValueError"}


def test_resource_limits_alone_keep_it_from_files_and_sockets_too() -> None:
    """On a kernel that does not filter system calls."""
    found, _status = probed("opening without filter")
    assert {found[what] for what in ("open", "socket", "pipe", "duplicate", "list a folder", "pair of sockets")} == {
        "OSError"
    }


def test_every_resource_limit_is_set_whether_or_not_the_kernel_filters_system_calls() -> None:
    """For good: the hard limits are no higher, but for the second in which the signal of the soft one is heard."""
    found, _status = probed("limited")
    for kind in ("CORE", "NPROC", "MEMLOCK", "NOFILE"):
        assert found[kind] == [0, 0], kind
    assert found["FSIZE"] == [LIMITS.output_bytes, LIMITS.output_bytes]
    assert found["CPU"] == [LIMITS.cpu_seconds, LIMITS.cpu_seconds + 1]
    soft, hard = found["AS"]
    assert soft == hard
    assert 0 <= soft - found["size"] - LIMITS.memory_bytes < 4 * MB


def test_asking_whether_a_file_could_be_opened_tells_nothing_of_it() -> None:
    """The PDF engine asks so of fonts that it holds already: the answer is yes, whatever is asked."""
    found, _status = probed("asking")
    assert (found["there"], found["nowhere"]) == (True, True)
    assert found["opening"] != "succeeded"


def test_only_the_descriptors_it_was_given_stay_open() -> None:
    found, _status = probed("descriptors")
    assert found == {"open": [found["result"]], "result": found["result"]}


def test_memory_is_bounded_beyond_what_the_process_has() -> None:
    found, _status = probed("memory")
    assert found["result"] == "MemoryError"
    assert 32 <= found["megabytes"] <= 64


def test_processor_time_is_bounded_by_a_signal_that_says_so() -> None:
    _found, status = probed("spin")
    assert os.WTERMSIG(status) == signal.SIGXCPU


def test_a_child_that_ignores_the_signal_is_killed() -> None:
    _found, status = probed("spin on")
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_a_file_cannot_grow_beyond_the_limit() -> None:
    found, _status = probed("growing")
    assert found == {"result": "OSError", "size": LIMITS.output_bytes}


def test_computing_still_works() -> None:
    """Decimals, regular expressions, big blocks of memory, sorting, the collector, clocks, randomness."""
    found, _status = probed("computing", replace(LIMITS, cpu_seconds=20, memory_bytes=256 * MB))
    assert found == {"result": "fine"}
