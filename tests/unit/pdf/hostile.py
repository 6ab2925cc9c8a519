"""Documents that some engine has crashed on, hung on, or filled the memory with. Each stands for a kind."""

import zlib

from tests.unit.pdf.markup import image, nested, png, url

ENTITIES = (
    b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b"<!ENTITY %c '%s'>" % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(12))
    + b']><svg xmlns="http://www.w3.org/2000/svg"><text>&m;</text></svg>'
)
HOSTILE = {
    "page of a pixel": "<style>@page { size: 1px; margin: 0 }</style><p>" + "word " * 3000,
    "page without room": "<style>@page { size: 10mm; margin: 20mm }</style><p>" + "word " * 3000,
    "endless page": "<style>@page { size: 1e9mm 1e9mm; margin: -1e9mm }</style><p>x",
    "tall": '<p style="height: 1e9px">x',
    "very tall": '<p style="height: 1e38px; padding: 1e38px">x',
    "columns": '<div style="column-count: 100000">' + "word " * 3000,
    "columns in columns": '<div style="column-count: 2">' * 60 + "x",
    "floats": '<div style="float: left; width: 1px">x</div>' * 10_000,
    "unbroken word": "<p>" + "x" * 1_000_000,
    "unbroken word, broken anywhere": '<p style="word-break: break-all; hyphens: auto">' + "x" * 1_000_000,
    "flex in flex": '<div style="display: flex">' * 99 + "x",
    "huge numbers": '<p style="font-size: 1e30px; line-height: 1e30; letter-spacing: 1e30px; margin: -1e30px">x',
    "not numbers": '<p style="width: calc(1px / 0); opacity: NaN; transform: matrix(1e40, 0, 0, 1e40, 1e40, 1e40)">x',
    "spans": '<table><tr><td colspan="1000000000" rowspan="1000000000">x</td></tr></table>',
    "many columns": "<table><colgroup span=1000000></colgroup><tr><td colspan=65534>x</table>",
    "counters": "<style>p { counter-increment: a 2147483647 } p::after { content: counter(a, lower-roman)"
    " }</style>" + "<p>x" * 500,
    "a million in Roman": "<ol start=1000000000 style='list-style: upper-roman'><li>x</ol>",
    "symbols": "<style>@counter-style s { system: additive; additive-symbols: 1 'x' } ol { list-style: s"
    " }</style><ol start=1e6><li>x</ol>",
    "variables": "<style>:root {" + "".join(f"--v{i}: var(--v{i - 1}) var(--v{i - 1});" for i in range(1, 60))
    + "--v0: x } p::after { content: var(--v59) }</style><p>x",
    "variable in itself": "<style>:root { --a: var(--b); --b: var(--a) } p { color: var(--a) }</style><p>x",
    "selectors": "<style>" + "* " * 50 + "p { color: red }</style>" + nested("div", 90) + "<p>x",
    "has": "<style>:has(:has(:has(p ~ p))) p { color: red }</style>" + "<p>x" * 3000,
    "nth": "<style>p:nth-child(2n + 1):nth-last-child(3n) { color: red }</style>" + "<p>x" * 20_000,
    "rules": "<style>" + "".join(f".c{i} p {{ color: red }}" for i in range(20_000)) + "</style>" + "<p>x" * 200,
    "content": "<style>p::before { content: '" + "x" * 500_000 + "' }</style>" + "<p>" * 20,
    "qr code": "<style>p::before { content: -pluto-qrcode('" + "x" * 5000 + "') }</style><p>x",
    "borders": '<p style="border: 1e6px dotted; border-radius: 1e6px; outline: 1e6px dashed">x',
    "dots": '<p style="border: .001px dotted; width: 100%; height: 100000px">x',
    "tiles": f'<p style="height: 900px; background: url({url(png(1, 1))}) 0 0 / .01px .01px">x',
    "gradient": "<p style='height: 900px; background: linear-gradient(" + ", ".join(["red", "blue"] * 5000) + ")'>x",
    "uses of uses": "<svg>" + "".join(
        f"<g id='a{i}'>" + f"<use href='#a{i - 1}'/>" * 10 + "</g>" for i in range(1, 12)
    ).replace("#a0", "#r") + "<rect id='r' width='1' height='1'/></svg>",
    "use of itself": "<svg><g id='a'><use href='#a'/></g><use href='#a'/></svg>",
    "pattern of itself": "<svg><pattern id='p' width='1' height='1'><rect width='9' height='9' fill='url(#p)'/></pattern>"
    "<rect width='99' height='99' fill='url(#p)'/></svg>",
    "mask of itself": "<svg><mask id='m'><rect width='9' height='9' mask='url(#m)'/></mask><rect width='9'"
    " height='9' mask='url(#m)'/></svg>",
    "small pattern": "<svg><pattern id='p' width='.0001' height='.0001'><rect width='1' height='1'/></pattern>"
    "<rect width='1000' height='1000' fill='url(#p)'/></svg>",
    "long path": "<svg><path d='M0 0" + " l1 1" * 200_000 + "'/></svg>",
    "dashes": "<svg><line x2='1e9' stroke='red' stroke-dasharray='.001'/></svg>",
    "markers": "<svg><marker id='m'><rect width='1' height='1'/></marker><path marker-mid='url(#m)' d='M0 0"
    + " l1 1" * 50_000 + "'/></svg>",
    "SVG entities": image(ENTITIES, "image/svg+xml"),
    "image that lies": image(png(900, 900, zlib.compress(bytes(50_000_000), 9))),
    "image cut off": image(png(500, 500)[:200]),
    "broken JPEG": image(bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc0000b080010001001011100"), "image/jpeg"),
    "bidirectional": "<p>" + "\u202e\u2067a\u2066\u202d" * 20_000,
    "combining": "<p>x" + "\u0301" * 200_000,
    "joined": "<p>" + "👨\u200d" * 20_000,
    "zero width": "<p>" + "\u200b" * 500_000,
    "forms": "<textarea rows=100000 cols=100000>x</textarea><select size=1000000><option>x</select><input size=1000000>",
    "links": "<a href='#x'>x</a>" * 10_000 + "<p id=x>x",
    "headings": "<h1>x</h1><h6>y</h6>" * 3000,
    "headings never closed": "<h1>" * 90 + "<!--" * 3000 + "<h1 id=" * 3000,
    "quotes never closed": "<p title='" * 30_000 + "<img src=\"data:image/png;base64," * 3000,
    "running elements": "<style>p { position: running(a) } @page { @top-left { content: element(a) } }</style>"
    + "<p>x</p>" * 3000,
    "page numbers": "<style>p::after { content: counter(pages) counters(page, '.') }</style>" + "<p>x" * 1000,
    "null bytes": "<p>\x01\x02\x7f\x80\ufffe\uffff&#0;&#x110000;&#xd800;",
    "doctype": "<!DOCTYPE html [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><p>&a;",
}  # fmt: skip
