"""What ``sam build`` made, taken alone: the runtime's interpreter and its boto3, one function, the layers."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import pytest

from local.paths import BUILD
from local.stack import build
from tests.sam_template import resources, template

pytestmark = pytest.mark.timeout(300)
FUNCTIONS = sorted(name for name, made in resources().items() if made["Type"] == "AWS::Serverless::Function")
LAYERS = sorted(name for name, made in resources().items() if made["Type"] == "AWS::Serverless::LayerVersion")
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")
"""What Lambda brings along."""
UNPACKED_BYTES = 250 * 1024 * 1024
"""Lambda's limit for a function with its layers."""
RENDERING = {"PdfWorkerFunction", "PreviewFunction", "TemplatesFunction", "WorkerFunction"}
"""Functions that read templates; the others start without what only these need."""
IMPORT = """
import json, sys
import app
assert callable(app.handler)
files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
if hasattr(app, "renderer"):
    app.renderer.close()
print(json.dumps({"files": files, "modules": list(sys.modules)}))
"""


@pytest.fixture(scope="module")
def artefact() -> Path:
    build()
    return BUILD


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with boto3 and what it needs, by links."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in RUNTIME:
        found = distribution(name)
        tops = {file.parts[0] for file in found.files or () if ".." not in file.parts and "__pycache__" not in file.parts}
        for top in tops:
            (folder / top).symlink_to(str(found.locate_file(top)))
    return folder


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_imports_from_what_was_built_alone(function: str, artefact: Path, runtime: Path, tmp_path: Path) -> None:
    parts = [artefact / function, *(artefact / layer / "python" for layer in layers_of(function)), runtime]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment = {**kept, "PYTHONPATH": os.pathsep.join(map(str, parts)), "PYTHONDONTWRITEBYTECODE": "1"}
    interpreter = Path(sys._base_executable)  # type: ignore[attr-defined]
    # Without ``site`` no package installed for the interpreter is seen either.
    done = subprocess.run(
        [interpreter, "-S", "-c", IMPORT], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    homes = [*map(str, parts), str(Path(os.__file__).parent), str(artefact)]
    strangers = [file for file in seen["files"] if file and not file.startswith((*homes, "<"))]
    assert strangers == []
    if function not in RENDERING:
        assert {"jinja2", "lxml", "openpyxl", "xlsxwriter"}.isdisjoint(seen["modules"])


def layers_of(function: str) -> list[str]:
    """Those that every function has, and its own."""
    found: list[str] = [*template()["Globals"]["Function"]["Layers"], *resources()[function]["Properties"].get("Layers", [])]
    return found


def size(folder: Path) -> int:
    """Bytes of all files, as Lambda counts them."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_functions_with_their_layers_fit_lambda(artefact: Path, record_property: Callable[[str, str], None]) -> None:
    sizes = {name: size(artefact / name) for name in (*LAYERS, *FUNCTIONS)}
    record_property("unpacked, MB", ", ".join(f"{name} {bytes_ / 1024**2:.1f}" for name, bytes_ in sizes.items()))
    whole = {name: sizes[name] + sum(sizes[layer] for layer in layers_of(name)) for name in FUNCTIONS}
    print({name: f"{bytes_ / 1024**2:.1f} MB" for name, bytes_ in (sizes | whole).items()})
    assert {name: bytes_ for name, bytes_ in whole.items() if bytes_ > UNPACKED_BYTES} == {}


def test_the_engine_for_pdf_fits_every_runtime_and_needs_no_newer_library_than_lambda_has(artefact: Path) -> None:
    """From python3.12 on, Lambda's images have glibc 2.34 and the libstdc++ of GCC 11."""
    layer = artefact / "PdfLayer" / "python"
    modules = {path.name.split("-")[1] for path in (layer / "plutoprint").glob("_plutoprint.*.so")}
    assert modules == {"311", "312", "313", "314"}
    told = subprocess.run(
        ["ldd", *(layer / "plutoprint").glob("*.so")], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    outside = {
        line.split()[0] for line in told.splitlines() if " => " in line and str(layer) not in line.partition(" => ")[2]
    }
    allowed = {"libc", "libm", "libdl", "librt", "libpthread", "libresolv", "libstdc++", "libgcc_s", "libz"}
    assert {name.partition(".so")[0] for name in outside} <= allowed
    for path in [*(layer / "plutoprint").glob("*.so"), *(layer / "plutoprint.libs").iterdir()]:
        content = path.read_bytes()
        for family, most in {b"GLIBC": (2, 34), b"GLIBCXX": (3, 4, 29), b"CXXABI": (1, 3, 13)}.items():
            wanted = re.findall(rb"\0" + family + rb"_([\d.]+)(?=\0)", content)
            assert max((tuple(map(int, version.split(b"."))) for version in wanted), default=(0,)) <= most, path


def test_bytecode_goes_along(artefact: Path) -> None:
    for name in (*LAYERS, *FUNCTIONS):
        sources = [path for path in (artefact / name).rglob("*.py") if "tests" not in path.parts]
        missing = [path for path in sources if not list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))]
        assert len(missing) < 0.01 * len(sources) + 1, missing


@pytest.mark.parametrize("layer", ["DependenciesLayer", "ReporterLayer"])
def test_the_bytecode_is_what_is_imported(layer: str, artefact: Path, tmp_path: Path) -> None:
    """Also when it is unpacked at another time: sources that no interpreter could read are not missed."""
    package = {"DependenciesLayer": "jinja2", "ReporterLayer": "reporter"}[layer]
    shutil.copytree(artefact / layer / "python" / package, tmp_path / package)
    for source in (tmp_path / package).rglob("*.py"):
        source.write_text("no such thing as Python")
    shutil.copytree(artefact / "DependenciesLayer" / "python" / "markupsafe", tmp_path / "markupsafe")
    module = {"DependenciesLayer": "jinja2.environment", "ReporterLayer": "reporter.row_filters"}[layer]
    interpreter = Path(sys._base_executable)  # type: ignore[attr-defined]
    environment = {"PYTHONPATH": str(tmp_path), "PATH": os.defpath}
    done = subprocess.run(
        [interpreter, "-S", "-B", "-c", f"import {module}"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_nothing_but_the_house_is_in_its_layer(artefact: Path) -> None:
    (layer,) = [path for path in (artefact / "ReporterLayer" / "python").iterdir() if path.name != "__pycache__"]
    assert layer.name == "reporter"
    assert (layer / "openapi.json").exists()
