"""Cold starts: what each door imports besides Python itself and boto3. Modules are counted, for times are noise."""

import json
import os
import subprocess
import sys

import pytest

from local.paths import ROOT

BUDGETS = {
    "accept": 230,
    "authorizer": 185,
    "data_sources": 200,
    "dead_letters": 150,
    "preview": 300,
    "reports": 220,
    "status": 215,
    "sweeper": 145,
    "templates": 320,
    "worker": 240,
}
"""Door → how many modules it may import. Raise one knowingly: each hundred are some 60 ms of a cold start."""
RENDERING = frozenset({"templates", "preview", "worker"})
"""Doors that read templates."""
NEVER = frozenset({"psycopg", "arro3", "lxml", "openpyxl", "xlsxwriter", "numpy", "plutoprint", "multipart"})
"""What is imported at its first use, by whoever gets that far."""
ONLY_RENDERING = frozenset({"jinja2", "markupsafe", "reporter.language.parser", "reporter.renderer", "reporter.dataset"})
_PROGRAM = """
import sys, json
import boto3, botocore.session
before = set(sys.modules)
import importlib
door = importlib.import_module(f"functions.{sys.argv[1]}.app")
print(json.dumps(sorted(set(sys.modules) - before)))
if hasattr(door, "renderer"):
    door.renderer.close()
"""


@pytest.mark.parametrize("door", sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py")))
def test_a_door_imports_what_it_uses_and_no_more(door: str) -> None:
    path = os.pathsep.join((str(ROOT / "layers" / "reporter"), str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, door],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    imported = [name for name in json.loads(done.stdout) if name.partition(".")[0] not in sys.stdlib_module_names]
    assert not NEVER.intersection(imported)
    if door not in RENDERING:
        assert not ONLY_RENDERING.intersection(imported)
    assert len(imported) <= BUDGETS[door], f"{len(imported)} modules"
