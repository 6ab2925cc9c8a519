"""The renderer process: waits for work on a socket, forks one contained child per report.

It is started with an empty environment before any client or secret exists, so neither its memory nor ``/proc`` holds
anything a template could steal. A message carries open descriptors: the job, the document, the result, the spool.
"""

import json
import os
import resource
import signal
import socket
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from reporter.dataset import SpooledRows, data_for_template
from reporter.errors import ReportFailure
from reporter.formats.verifying import verify
from reporter.formats.writing import DocumentWriter
from reporter.language.render import render
from reporter.renderer.containment import Limits, enter_containment

MAX_DESCRIPTORS = 250


def serve(connection: socket.socket) -> None:
    """Until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _warm_up()
    while True:
        message, descriptors, _flags, _address = socket.recv_fds(connection, 16, MAX_DESCRIPTORS)
        if not message:
            return
        child = os.fork()
        if child == 0:
            _be_child(connection, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        connection.sendall(f"{child}\n".encode())
        _pid, status = os.waitpid(child, 0)
        connection.sendall(f"{status}\n".encode())


def _warm_up() -> None:
    """Load what Python loads at first use (codecs, zone data): a contained child cannot open files any more."""
    render("{% for x in range(2) sorted %}{{ 'é'|upper }}{% endfor %}", "XML", {}, len, now=datetime.now(UTC))


def _be_child(connection: socket.socket, descriptors: list[int]) -> None:
    """Never returns."""
    os.setpgid(0, 0)
    connection.close()
    job_file, output, result, *tables = descriptors
    answer: dict[str, Any] = {"code": "TEMPLATE_ERROR", "message": "the renderer failed"}
    try:
        job = json.loads(os.pread(job_file, os.fstat(job_file).st_size, 0))
        # A zone's rules are a file, which cannot be opened any more later.
        ZoneInfo(job["timeZone"])
        enter_containment(Limits(**job["limits"]), [output, result, *tables])
        answer = _made(job, output, tables)
    except MemoryError:
        answer = {"code": "TEMPLATE_MEMORY", "message": "the template needs more memory than it may use"}
    except RecursionError:
        answer = {"code": "TEMPLATE_RECURSION", "message": "the template is nested too deeply"}
    except ReportFailure as failure:
        answer = {"code": failure.code, "message": failure.message, "line": failure.line}
    except BaseException as error:  # noqa: BLE001 - whatever a template provokes ends here, as this report's error
        answer["message"] = f"the renderer failed with {type(error).__name__}"
    finally:
        os.write(result, json.dumps(answer).encode()[:60_000])
        os._exit(0)


def _made(job: dict[str, Any], output: int, tables: list[int]) -> dict[str, Any]:
    rows = {
        (spooled["source"], spooled["table"]): SpooledRows(
            descriptor, spooled["columns"], spooled["offsets"], spooled["starts"]
        )
        for spooled, descriptor in zip(job["spool"], tables, strict=True)
    }
    writer = DocumentWriter(output, job["limits"]["output_bytes"])
    warnings = render(
        job["template"],
        job["format"],
        data_for_template(job["tables"], rows),
        writer.write,
        now=datetime.fromisoformat(job["now"]),
        time_zone=job["timeZone"],
        formula_guard=job["formulaGuard"],
    )
    verify(output, job["format"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"size": writer.size, "sha256": writer.sha256, "warnings": warnings, "peakBytes": peak}
