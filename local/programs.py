"""What the checks with other people's programs share: running one, our document of a sample, pictures of its pages."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from reporter.command_line import main as reporter

from local.paths import ROOT
from local.shell import StepFailed, step

NOW = "2024-12-31T12:00:00Z"
PICTURES = ROOT / "docs" / "pictures"
DOTS_PER_INCH = 70
SECONDS = 300

Finding = str
"""One line for the record."""


def run(command: Sequence[str]) -> str:
    """What a program prints. Raises ``StepFailed``."""
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.CalledProcessError as error:
        raise StepFailed(f"{command[0]} failed: {error.stderr[-2000:]}") from None
    except subprocess.TimeoutExpired:
        raise StepFailed(f"{command[0]} takes longer than {SECONDS} seconds") from None
    return done.stdout or done.stderr


def made(folder: Path, template: str, output_format: str) -> Path:
    """The document of a sample template over the ledger's rows. Raises ``StepFailed``."""
    path = folder / f"{Path(template).stem}.{output_format.lower()}"
    arguments = ["render", str(ROOT / "samples" / "templates" / template), "--format", output_format, "--now", NOW]
    with step(f"making {path.name}"):
        if reporter([*arguments, "--data", str(folder / "data.json"), "-o", str(path)]) != 0:
            raise StepFailed(f"{template} could not be rendered")
    return path


def converted(path: Path, to: str, options: str = "") -> Path:
    """A document as LibreOffice saves it in another format. Raises ``StepFailed``."""
    folder = path.parent / f"{path.stem}-{to}"
    profile = f"-env:UserInstallation=file://{path.parent}/profile"
    wanted = f"{to}:{options}" if options else to
    run(["soffice", profile, "--headless", "--convert-to", wanted, "--outdir", str(folder), str(path)])
    result = folder / f"{path.stem}.{to}"
    if not result.exists():
        raise StepFailed(f"LibreOffice does not open {path.name}")
    return result


def pictures(path: Path, name: str, pages: Sequence[int]) -> list[Path]:
    """PNGs of some pages of a document, in docs/pictures."""
    printed = path if path.suffix == ".pdf" else converted(path, "pdf")
    PICTURES.mkdir(parents=True, exist_ok=True)
    drawn = []
    for page in pages:
        target = PICTURES / f"{name}-{page}"
        number = str(page)
        run(
            [
                "pdftoppm",
                "-r",
                str(DOTS_PER_INCH),
                "-f",
                number,
                "-l",
                number,
                "-singlefile",
                "-png",
                str(printed),
                str(target),
            ]
        )
        drawn.append(target.with_suffix(".png"))
    return drawn
