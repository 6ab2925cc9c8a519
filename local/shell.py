"""Showing what happens: steps with their time, commands with their output when they fail."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from local.paths import REGION, STATE


class StepFailed(RuntimeError):
    """A step failed; the message says what to do next."""


@contextmanager
def step(what: str) -> Iterator[None]:
    """Print what is being done and how long it took."""
    print(f"  {what} ...", end="", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(" failed", flush=True)
        raise
    print(f" {time.monotonic() - started:.1f} s", flush=True)


def aws_environment(endpoint: str) -> dict[str, str]:
    """Credentials and endpoint of the local AWS, over the current environment; nothing reaches a real account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
        # sam build looks for the runtime's interpreter by name.
        "PATH": f"{STATE / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
    }


def run(command: Sequence[Any], environment: Mapping[str, str], hint: str, **more: Any) -> str:
    """A command's output. Raises ``StepFailed`` with the end of it and ``hint``."""
    done = subprocess.run(
        [str(part) for part in command], env=dict(environment), capture_output=True, text=True, check=False, **more
    )
    if done.returncode:
        print(done.stdout[-4000:] + done.stderr[-4000:], file=sys.stderr)
        raise StepFailed(f"{command[0]} failed. {hint}")
    return str(done.stdout)
