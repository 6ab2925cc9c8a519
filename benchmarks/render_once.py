"""One document from a spool that lies there: a whole process, with no more imported than rendering needs."""

import json
import resource
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from reporter.dataset import SpooledTable
from reporter.renderer.client import Job, Renderer
from reporter.renderer.containment import Limits

from benchmarks.operations import COLUMNS, SOURCE, TABLE

FORMATS = ("CSV", "XML", "HTML", "JSON")


def template(output_format: str) -> str:
    """All operations with all their columns, as an author would write it."""

    def loop(before: str, row: str, after: str) -> str:
        return f"{before}{{% for o in {SOURCE}.{TABLE} %}}{row}{{% endfor -%}}{after}"

    def printed(form: str) -> list[str]:
        return [form.replace("NAME", name).replace("VALUE", f"{{{{ o.{name} }}}}") for name in COLUMNS]

    match output_format:
        case "CSV":
            return loop(",".join(COLUMNS) + "\n", ",".join(printed("VALUE")) + "\n", "")
        case "XML":
            row = "".join(printed("<NAME>VALUE</NAME>"))
            head = '<?xml version="1.0" encoding="UTF-8"?>'
            return loop(f"{head}<operations>", f"<operation>{row}</operation>", "</operations>")
        case "HTML":
            row = "".join(printed("<td>VALUE</td>"))
            return loop("<html><body><table>", f"<tr>{row}</tr>", "</table></body></html>")
        case _:
            comma = "{% if not forloop.Last %},{% endif %}"
            return loop("[\n", "{" + ", ".join(printed('"NAME": "VALUE"')) + f"}}{comma}\n", "]\n")


def main(output_format: str, folder: str, output: str) -> None:
    """Render the spool in ``folder``, and print the peak of this process and its renderer."""
    table = SpooledTable(**json.loads((Path(folder) / "table.json").read_text()))
    renderer = Renderer(Limits(600, 600, 512 * 1024 * 1024, 2 * 1024**3))
    job = Job(
        template=template(output_format),
        output_format=output_format,
        tables={table.source: {table.table: table.table}},
        spool=[table],
        now=datetime.now(UTC),
    )
    with tempfile.TemporaryDirectory(prefix="reporter-") as name:
        document = renderer.render(job, Path(name))
        shutil.move(document.path, output)
    renderer.close()
    print(sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * 1024)


if __name__ == "__main__":
    main(*sys.argv[1:4])
