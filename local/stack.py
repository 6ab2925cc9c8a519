"""The stack on a local AWS: built and deployed by the real SAM, run by MiniStack, data in an embedded PostgreSQL."""

import compileall
import hashlib
import json
import os
import py_compile
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import boto3

from local.gateway import complete_api, literal_media_types
from local.paths import BUILD, LOGS, MINISTACK, REGION, ROOT, SAM, STACK, STAGE, STATE, URL
from local.shell import StepFailed, aws_environment, run, step

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
BUILT_FROM = ("template.yaml", "functions", "layers", "local/stack.py", "local/gateway.py")


_started: dict[int, subprocess.Popen[bytes]] = {}
"""The servers this process has started itself, by process id; ``stop`` waits for them."""


@dataclass(frozen=True, slots=True)
class Running:
    """What runs: the local AWS's port and process, the API's URL, the stack's outputs, PostgreSQL's process and folder."""

    port: int
    pid: int
    postgres_pid: int
    url: str
    outputs: dict[str, str]
    postgres_folder: str = ""

    @property
    def endpoint(self) -> str:
        """The local AWS."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS."""
        return local_client(service, self.endpoint)

    def save(self) -> None:
        """Remember it for ``make down`` and others."""
        (STATE / "state.json").write_text(json.dumps(asdict(self)))
        URL.write_text(self.url + "\n")

    @classmethod
    def saved(cls) -> "Running | None":
        """The stack of ``make up``, if there is one."""
        path = STATE / "state.json"
        return cls(**json.loads(path.read_text())) if path.exists() else None


def local_client(service: str, endpoint: str) -> Any:
    """A boto3 client of a local AWS."""
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def build() -> None:
    """``sam build``, when something changed since the last one; bytecode goes along, which saves cold starts."""
    stamp = BUILD.parent / "built-from"
    digest = _digest()
    if stamp.exists() and stamp.read_text() == digest and (BUILD / "template.yaml").exists():
        return
    binaries = STATE / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    interpreter = binaries / RUNTIME
    with suppress(FileNotFoundError):
        interpreter.unlink()
    interpreter.symlink_to(Path(sys._base_executable))  # type: ignore[attr-defined]
    with step("building functions and layers with sam"):
        run(
            [SAM, "build", "--parameter-overrides", f"PythonRuntime={RUNTIME}"],
            aws_environment("http://127.0.0.1:9"),
            "Is the network reachable for pip? Run `make clean` to start over.",
            cwd=ROOT,
        )
        compileall.compile_dir(BUILD, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, workers=0)
        template = BUILD / "template.yaml"
        text = literal_media_types(template.read_text())
        # MiniStack keeps numbers that come from parameters as text.
        text = re.sub(r"MaximumConcurrency:\s+Ref: \w+Concurrency", "MaximumConcurrency: 2", text)
        template.write_text(text)
    stamp.write_text(digest)


def _digest() -> str:
    digest = hashlib.sha256(RUNTIME.encode())
    for name in BUILT_FROM:
        root = ROOT / name
        for path in sorted(root.rglob("*") if root.is_dir() else [root]):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


def start_aws(between: Callable[[int], int] = lambda port: port) -> tuple[int, int]:
    """Start MiniStack; its port and process id. ``between``: the port by which the functions reach it, given its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    STATE.mkdir(exist_ok=True)
    home = STATE / "ministack"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    environment = {
        **aws_environment(f"http://127.0.0.1:{between(port)}"),
        "GATEWAY_PORT": str(port),
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with step("starting the local AWS"):
        with LOGS.open("wb") as log:
            process = subprocess.Popen(
                [str(MINISTACK)], env=environment, stdout=log, stderr=log, cwd=home, start_new_session=True
            )
        _started[process.pid] = process
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(Exception):
                local_client("sts", f"http://127.0.0.1:{port}").get_caller_identity()
                return port, process.pid
            time.sleep(0.2)
    raise StepFailed(f"The local AWS did not start: see {LOGS}.")


def deploy(port: int, **parameters: str) -> dict[str, str]:
    """``sam deploy``; the stack's outputs."""
    endpoint = f"http://127.0.0.1:{port}"
    overrides = {"Stage": STAGE, "PythonRuntime": RUNTIME, "AllowPrivateSources": "true"}
    overrides |= {"MaxOutputBytes": str(256 * 1024 * 1024), **parameters}
    answers = ["--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--region", REGION]
    values = ["--parameter-overrides", *[f"{name}={value}" for name, value in overrides.items()]]
    with step("deploying with sam"):
        run(
            [SAM, "deploy", "--template-file", BUILD / "template.yaml", "--stack-name", STACK, *answers, *values],
            aws_environment(endpoint),
            f"See {LOGS}.",
            cwd=STATE,
        )
    stack = local_client("cloudformation", endpoint).describe_stacks(StackName=STACK)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    complete_api(local_client("apigateway", endpoint), outputs["ApiId"], BUILD / "template.yaml", overrides)
    return outputs


def api_url(port: int, outputs: dict[str, str]) -> str:
    """The deployed API, ending in its stage."""
    return f"http://127.0.0.1:{port}/_aws/execute-api/{outputs['ApiId']}/{STAGE}"


def register_sources(endpoint: str, entries: list[dict[str, Any]]) -> None:
    """Put entries into the registry. Raises ``StepFailed`` for one that the service would refuse."""
    from reporter.sources.entry import EntryError, parse_entry

    ssm = local_client("ssm", endpoint)
    for entry in entries:
        text = json.dumps(entry)
        try:
            parsed = parse_entry(text, allow_private=True)
        except EntryError as error:
            raise StepFailed(f"data source {entry.get('id')}: {error}") from None
        name = f"/reporter/{STAGE}/data-sources/{parsed.id}"
        ssm.put_parameter(Name=name, Value=text, Type="SecureString", Overwrite=True)


def stop(running: Running) -> None:
    """Stop all processes of a stack, and remove what they kept outside our folder."""
    for pid in (running.pid, running.postgres_pid):
        if pid:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(_alive(pid) for pid in (running.pid, running.postgres_pid) if pid):
        time.sleep(0.1)
    for pid in (running.pid, running.postgres_pid):
        if pid:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            if pid in _started:
                _started.pop(pid).wait()
    if running.postgres_folder:
        shutil.rmtree(running.postgres_folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    if pid in _started:
        return _started[pid].poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
