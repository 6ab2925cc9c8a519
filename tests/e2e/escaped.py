"""What a template could do that had broken out of the language into Python: runs in the renderer of a deployed worker.

Imported by the renderer process before its own modules. Only the rendering itself is replaced; the process, the fork, the
containment and the descriptors are those of every report. For good measure the child even holds a ready S3 client with
credentials that work.
"""

import gc
import json
import os
import re
import socket
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from reporter.renderer import child

PLANTED = re.compile(r"planted-secret[-]4711")
TEMPLATE = "{# escape #}"

CHILD: Any = child
render, enter_containment = CHILD.render, CHILD.enter_containment
found: dict[str, Any] = {}
s3: Any = None


def _content(path: str) -> str:
    with open(path) as file:
        return file.read()


def _in_memory() -> int:
    """How often the secret stands in this process's memory. The pattern does not match its own text."""
    count = 0
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if rights[0] == "r" and "[v" not in line:
                start, end = (int(place, 16) for place in span.split("-"))
                memory.seek(start)
                count += len(re.findall(PLANTED.pattern.encode(), memory.read(end - start)))
    return count


def look(limits: Any, keep: Any) -> Any:
    """In the child, while files can still be opened; then the containment."""
    global s3
    found["environ"] = sorted(os.environ.keys() - {"LC_CTYPE", "LD_LIBRARY_PATH"})
    found["own environ"] = _content("/proc/self/environ").count("=")
    found["parent's environ"] = _content(f"/proc/{os.getppid()}/environ").count("=")
    found["memory"] = _in_memory()
    s3 = boto3.client(
        "s3", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test", endpoint_url=ENDPOINT
    )
    found["buckets before"] = len(s3.list_buckets()["Buckets"])
    return enter_containment(limits, keep)


def attempt(template: str, output_format: str, data: Mapping[str, Any], write: Callable[[str], object], **more: Any) -> Any:
    """In place of the rendering: what each try ended in."""
    if template != TEMPLATE:
        return render(template, output_format, data, write, **more)
    tries: dict[str, Callable[[], object]] = {
        "open": lambda: os.open("/etc/hostname", os.O_RDONLY),
        "open own environ": lambda: os.open("/proc/self/environ", os.O_RDONLY),
        "open the parent's environ": lambda: os.open(f"/proc/{os.getppid()}/environ", os.O_RDONLY),
        "open for writing": lambda: os.open("/tmp/left-behind", os.O_CREAT | os.O_WRONLY),
        "list": lambda: os.listdir("/"),
        "socket": socket.socket,
        "connect": lambda: socket.create_connection(("127.0.0.1", 80), 1),
        "name": lambda: socket.getaddrinfo("localhost", 80),
        "fork": os.fork,
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "signal the parent": lambda: os.kill(os.getppid(), 0),
        "s3": lambda: s3.list_buckets(),
    }
    found["objects"] = sum(bool(PLANTED.search(value)) for value in map(_text, gc.get_objects()) if value)
    for name, one in tries.items():
        try:
            one()
            found[name] = "succeeded"
        except Exception as error:  # noqa: BLE001 - its class is what is asked for
            found[name] = type(error).__name__
    write(json.dumps(found))
    return []


def _text(value: object) -> str:
    """What a container holds, as far as it is text."""
    if isinstance(value, dict):
        return " ".join([*filter(_is_text, value), *filter(_is_text, value.values())])
    return " ".join(filter(_is_text, value)) if isinstance(value, list | tuple | set) else ""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


CHILD.render, CHILD.enter_containment = attempt, look
ENDPOINT = _content(os.path.join(os.path.dirname(__file__), "endpoint"))
