"""Checks templates, each in a forked child of its own, and says what that took. Input and output are lines of JSON.

In: ``[text, format]``. Out: ``{"problems": [[code, line, column, message]], "seconds": CPU, "megabytes": growth}``, or
``{"died": status}``.
"""

import json
import os
import resource
import sys
from typing import Any

from reporter.errors import TemplateProblems
from reporter.language.check import check
from reporter.schema import SourceSchema

SCHEMAS = {
    "erp": SourceSchema(
        "erp", {"public.t": {"id": "integer", "name": "text", "on_hold": "numeric", "meta": "jsonb"}}, ("public",)
    )
}
ADDRESS_SPACE = 512 * 1024 * 1024


def measured(text: str, output_format: str) -> dict[str, Any]:
    """What the check of one template finds and takes."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    problems: list[tuple[str, int, int, str]] = []
    try:
        check(text, output_format, SCHEMAS)
    except TemplateProblems as error:
        problems = [(p.code, p.line, p.column, p.message) for p in error.problems]
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"problems": problems, "seconds": seconds, "megabytes": (after.ru_maxrss - before.ru_maxrss) / 1024}


def in_a_child(text: str, output_format: str) -> dict[str, Any]:
    """The same, whatever happens to the process that does it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
            resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
            os.write(writing, json.dumps(measured(text, output_format)).encode()[:60_000])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        content = answer.read()
    _pid, status = os.waitpid(child, 0)
    return json.loads(content) if content else {"died": status}


def main() -> None:
    """Until the input ends."""
    # What is loaded at first use is no template's fault.
    measured("{{ erp.t.0.id|upper }}<p class=x>", "HTML")
    for line in sys.stdin:
        print(json.dumps(in_a_child(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
