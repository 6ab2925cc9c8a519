"""No document reaches an address or a file, whatever HTML, CSS and SVG have for fetching: a door listens, a canary waits.

Shown twice: by the contained child, which could open nothing, and by the engine alone, which is told to deny everything.
"""

import base64
import io
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pypdfium2  # type: ignore[import-untyped]
import pytest
from PIL import Image

from local.paths import ROOT
from tests.unit.pdf.conftest import Making
from tests.unit.pdf.markup import png, url

CANARY = "canary-4711"
SVG = "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' width='9' height='9'>{}</svg>"
WAYS = dict(line.split(" | ", 1) for line in (Path(__file__).parent / "ways_to_fetch.txt").read_text().splitlines())
"""Each is a way in which some engine has fetched something; ``{u}`` stands for the address."""


def nested(address: str, times: int = 1) -> str:
    """An SVG image in an SVG image …, the innermost fetching in every way that SVG has."""
    ways = (
        f"<image href='{address}' width='9' height='9'/><image xlink:href='{address}' width='9' height='9'/>"
        f"<use href='{address}#a'/><style>@import '{address}'; rect {{ fill: url({address}) }}</style>"
        "<rect width='9' height='9'/>"
    )
    svg = SVG.format(ways)
    for _ in range(times):
        svg = SVG.format(f"<image href='data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}' width='9'/>")
    return svg


def addresses(port: int, canary: Path) -> dict[str, str]:
    host = f"127.0.0.1:{port}"
    return {
        "http": f"http://{host}/x.png",
        "upper case": f"HTTP://{host}/x.svg",
        "https": f"https://{host}/x.css",
        "user": f"http://user:pass@{host}/",
        "ftp": f"ftp://{host}/x",
        "no scheme": f"//{host}/x.png",
        "mapped": f"http://[::ffff:127.0.0.1]:{port}/",
        "number": f"http://2130706433:{port}/",
        "hexadecimal": f"http://0x7F000001:{port}/",
        "name": f"http://localhost:{port}/",
        "other schemes": f"gopher://{host}/_x",
        "file": f"file://{canary}",
        "upper file": f"FILE://{canary}",
        "one slash": f"File:{canary}",
        "local host file": f"file://localhost{canary}",
        "encoded file": f"file://{quote(str(canary), safe='')}",
        "UNC": f"\\\\localhost{canary}",
        "backslashes": f"file:\\\\localhost{canary}",
        "path": str(canary),
        "climbing": f"../../../../../../../..{canary}",
        "dict": f"dict://{host}/d:x",
        "jar": f"jar:file://{canary}!/x",
        "javascript": "javascript:fetch('x')",
    }


@pytest.fixture(scope="module")
def door() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that every kind of reader would show: text, and a style sheet, and an SVG image."""
    path = tmp_path_factory.mktemp("canary") / "canary.svg"
    path.write_text(SVG.format(f"<text y='9'>{CANARY}</text>"))
    return path


def knocked(door: socket.socket) -> bool:
    try:
        door.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def every_way(port: int, canary: Path) -> list[str]:
    found = []
    for address in addresses(port, canary).values():
        found += [way.replace("{u}", address) for way in WAYS.values()]
        svg = nested(address)
        found += [
            f'<img src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}">',
            f'<img src="data:image/svg+xml,{quote(svg)}">',
            f"<p style=\"background: url('data:image/svg+xml,{quote(svg)}')\">x",
        ]
    return found


def test_no_way_of_fetching_reaches_anything_from_the_child(pdf: Making, door: socket.socket, canary: Path) -> None:
    """All ways to one address in one document each, as one way must not hide behind another."""
    port = door.getsockname()[1]
    for address in addresses(port, canary).values():
        svg = base64.b64encode(nested(address).encode()).decode()
        everything = "".join(f"<section>{way.replace('{u}', address)}</section></svg></style>" for way in WAYS.values())
        made = pdf(f"{{% verbatim %}}{everything}<img src='data:image/svg+xml;base64,{svg}'><p>end{{% endverbatim %}}")
        assert CANARY not in made.text
        assert CANARY.encode() not in made.content
        assert b"/EmbeddedFile" not in made.content
    assert not knocked(door)


_ALONE = """
import sys
from reporter.formats.pdf import engine
engine.load()
for html in sys.stdin.read().split("\\x00"):
    pages = engine.HtmlPages(html)
    pages.write(lambda content: None)
    print(len(pages.refused), end=" ")
"""


def test_no_way_of_fetching_reaches_anything_from_the_engine_alone(door: socket.socket, canary: Path) -> None:
    """In a process that may do everything, each way in a document of its own."""
    documents = every_way(door.getsockname()[1], canary)
    program = [sys.executable, "-c", _ALONE]
    answer = subprocess.run(
        program,
        input="\x00".join(documents),
        env={"PYTHONPATH": f"{ROOT}/layers/reporter:{ROOT}/layers/pdf"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    counts = list(map(int, answer.stdout.split()))
    assert len(counts) == len(documents)
    assert sum(counts) > len(documents) / 3, "these documents ask for something"
    assert not knocked(door)


def test_relative_addresses_and_the_engines_own_are_not_files(pdf: Making) -> None:
    made = pdf("<img src='logo.png'><img src='reporter:/document/../../etc/passwd'><link rel=stylesheet href='/etc/passwd'>")
    assert made.warnings.count("was not loaded") == 2
    assert "logo.png was not loaded" in made.warnings


def test_an_image_in_a_data_url_is_drawn(pdf: Making) -> None:
    made = pdf(f'<img src="{url(png(20, 10))}"><p style="background: url({url(png(3, 3))})">x</p>')
    assert made.warnings == ""
    assert made.content.count(b"/Subtype /Image") >= 2


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp", "bmp"])
def test_every_kind_of_image_is_decoded_where_nothing_can_be_opened(pdf: Making, kind: str) -> None:
    written = io.BytesIO()
    Image.new("RGB", (40, 20), (10, 120, 200)).save(written, kind)
    made = pdf(f'<body style="margin: 0"><img src="{url(written.getvalue(), f"image/{kind}")}" width="400" height="200">')
    assert made.warnings == ""
    with pypdfium2.PdfDocument(made.content) as document:
        drawn = document[0].render().to_pil().convert("RGB").getpixel((200, 150))
    assert all(abs(a - b) < 6 for a, b in zip(drawn, (10, 120, 200), strict=True))
