"""A Lambda function that is the deployed worker, its environment and all, with an escaped template in its renderer."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reporter.renderer import client

_SERVING = "from reporter.renderer.server"
assert _SERVING in client._PROGRAM
client._PROGRAM = client._PROGRAM.replace(_SERVING, f"import escaped; {_SERVING}")

import app  # type: ignore[import-not-found]  # noqa: E402 - the worker's own code, which starts its renderer now


def handler(_event: Any, _context: Any) -> dict[str, Any]:
    """What the child found, and what it should not have."""
    job = client.Job("{# escape #}", "TXT", {}, (), datetime.now(UTC))
    with TemporaryDirectory() as folder:
        document = app.renderer.render(job, Path(folder))
        return {"worker": os.environ["PLANTED_SECRET"], "found": json.loads(document.path.read_text())}
