"""An uploaded workbook taken apart: its parts, their types and relations. A stranger's file: everything is bounded."""

import posixpath
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import unquote
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from reporter.errors import TemplateProblem, TemplateProblems
from reporter.formats.workbook.limits import DEFAULT, SIMPLER, WorkbookLimits
from reporter.formats.workbook.xml_scan import Element, NotXml, scan
from reporter.limit import passed

CONTENT_TYPES = "[Content_Types].xml"
ZIP_MAGIC = b"PK\x03\x04"
_OLD_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
_NAME = re.compile(r"[A-Za-z0-9_.,()\[\] +@~#$&'=-]+(?:/[A-Za-z0-9_.,()\[\] +@~#$&'=-]+)*")
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_LINKS = ("http:", "https:", "mailto:")


def refuse(message: str, row: int = 1, column: int = 1, text: str = "") -> TemplateProblems:
    """The error for a workbook that is no template; ``row`` and ``column`` stand where others have line and column."""
    return TemplateProblems([TemplateProblem("TPL-0007", message, row, column, text[:80])])


@dataclass(frozen=True, slots=True)
class Relation:
    """``target``: a part's name, or an address outside."""

    id: str
    kind: str
    target: str
    external: bool


class Package:
    """The parts of a workbook by name. Raises ``TemplateProblems`` for what is none, or holds what cannot be kept."""

    def __init__(self, content: bytes, limits: WorkbookLimits = DEFAULT) -> None:
        self.parts = _unpacked(content, limits)
        self._limits = limits
        self._tags_left = limits.tags
        self._understood = False
        self.types, self.defaults = self._content_types()
        for name in self.parts:
            if name != CONTENT_TYPES:
                self._check_type(name)
        for name in self.parts:
            if name.endswith(".rels"):
                self._check_relations(name)

    def xml(self, name: str) -> Element:
        """A part's root element.

        A small file can unpack to many large parts, and name one of them as often as it likes: all of it together is
        bounded until ``understood``.
        """
        content = self.parts.get(name)
        if content is None:
            raise refuse(f"the workbook lacks its part {name}")
        if len(content) > self._limits.part_bytes:
            what = f"the workbook's part {name} has"
            raise refuse(passed(what, self._limits.part_bytes, "bytes", SIMPLER, "WorkbookPartBytes"))
        self._tags_left -= content.count(b"<")
        if self._tags_left < 0 and not self._understood:
            raise refuse(passed("the workbook holds", self._limits.tags, "tags", SIMPLER, "WorkbookTags"))
        try:
            return scan(content, self._limits.part_elements)
        except NotXml as error:
            raise refuse(f"the workbook's part {name} cannot be read: {error}") from None

    def understood(self) -> None:
        """From here on parts are looked at as often as a document needs."""
        self._understood = True

    def relations(self, name: str) -> Mapping[str, Relation]:
        """What a part refers to, by id."""
        listed = relations_name(name)
        return self._relations(listed, name) if listed in self.parts else {}

    def type_of(self, name: str) -> str:
        """A part's content type."""
        return self.types.get(name) or self.defaults.get(name.rpartition(".")[2].lower(), "")

    def _content_types(self) -> tuple[dict[str, str], dict[str, str]]:
        root = self.xml(CONTENT_TYPES)
        types, defaults = {}, {}
        for child in root.children:
            kind = child.attributes.get("ContentType", "")
            if child.name == "Override":
                types[unquote(child.attributes.get("PartName", "")).lstrip("/")] = kind
            else:
                defaults[child.attributes.get("Extension", "").lower()] = kind
        return types, defaults

    def _check_type(self, name: str) -> None:
        kind = self.type_of(name)
        short = kind.rpartition("/")[2].removeprefix("vnd.openxmlformats-officedocument.").removesuffix("+xml")
        if "macroenabled" in kind.lower() or "vbaproject" in kind.lower():
            raise refuse(f"macros cannot be kept ({name})")
        if not (short in _KEPT or kind.startswith("image/") or name.endswith(".rels")):
            raise refuse(f"{_WHAT.get(short, 'something of the type ' + (kind or 'unknown'))} cannot be kept ({name})")

    def _relations(self, listed: str, name: str) -> dict[str, Relation]:
        found = {}
        folder = posixpath.dirname(name)
        for child in self.xml(listed).children:
            target = child.attributes.get("Target", "")
            external = child.attributes.get("TargetMode", "") == "External"
            if not external:
                target = unquote(target)
                target = posixpath.normpath(target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target))
            kind = child.attributes.get("Type", "").rpartition("/")[2]
            found[child.attributes.get("Id", "")] = Relation(child.attributes.get("Id", ""), kind, target, external)
        return found

    def _check_relations(self, listed: str) -> None:
        folder, _, file = listed.rpartition("_rels/")
        for relation in self._relations(listed, folder + file.removesuffix(".rels")).values():
            if relation.external:
                if relation.kind != "hyperlink" or not relation.target.lower().startswith(_LINKS):
                    raise refuse(
                        f"a reference to {relation.target[:80]}, outside of the workbook, cannot be kept ({listed})"
                    )
            elif relation.target not in self.parts and not relation.target.startswith(("#", ".")):
                raise refuse(f"{listed} refers to {relation.target[:80]}, which is not in the workbook")


def check_numbers(parent: Element | None, *names: str) -> None:
    """Refuses a workbook where a child's attribute, if it is there, is no number: it will be counted with."""
    for element in parent.children if parent is not None else ():
        for name in names:
            value = element.attributes.get(name, "0")
            if not _NUMBER.fullmatch(value):
                raise refuse(f"the workbook's {name} {value[:20]!r} is no number")


def relations_name(name: str) -> str:
    """Where the relations of a part stand."""
    folder, _, file = name.rpartition("/")
    return f"{folder}/_rels/{file}.rels" if folder else f"_rels/{file}.rels"


def _unpacked(content: bytes, limits: WorkbookLimits) -> dict[str, bytes]:
    if content.startswith(_OLD_MAGIC):
        raise refuse("the file is encrypted, or a workbook of the old kind (.xls)")
    try:
        with ZipFile(BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > limits.parts:
                raise refuse(passed("the workbook holds", limits.parts, "parts", SIMPLER, "WorkbookParts"))
            if sum(entry.file_size for entry in entries) > limits.bytes:
                raise refuse(passed("the workbook holds", limits.bytes, "bytes unpacked", SIMPLER, "WorkbookBytes"))
            parts: dict[str, bytes] = {}
            seen: set[str] = set()
            for entry in entries:
                name = entry.filename
                wrong = not _NAME.fullmatch(name) or any(set(piece) <= {"."} for piece in name.split("/"))
                if wrong or name.lower() in seen or entry.flag_bits & 1:
                    raise refuse(f"the workbook has a part that it cannot have: {name[:80]!r}")
                if entry.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
                    raise refuse(f"the workbook's part {name} is packed in an unknown way")
                seen.add(name.lower())
                parts[name] = archive.read(entry)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError, struct.error):
        raise refuse("the file is not a workbook this service can fill: its zip file is damaged") from None
    return parts


_SPREADSHEET, _DRAWING = "spreadsheetml.", "drawingml."
_KEPT = frozenset(
    {
        f"{_SPREADSHEET}sheet.main",
        f"{_SPREADSHEET}worksheet",
        f"{_SPREADSHEET}styles",
        f"{_SPREADSHEET}sharedStrings",
        f"{_SPREADSHEET}calcChain",
        f"{_SPREADSHEET}table",
        f"{_SPREADSHEET}printerSettings",
        f"{_SPREADSHEET}sheetMetadata",
        f"{_DRAWING}chart",
        f"{_DRAWING}chartshapes",
        "drawing",
        "theme",
        "themeOverride",
        "vmlDrawing",
        "vnd.ms-office.chartstyle",
        "vnd.ms-office.chartcolorstyle",
        "extended-properties",
        "custom-properties",
        "vnd.openxmlformats-package.core-properties",
        "vnd.openxmlformats-package.relationships",
        "customXmlProperties",
        "xml",
    }
)
_WHAT = {
    f"{_SPREADSHEET}pivotTable": "a pivot table",
    f"{_SPREADSHEET}pivotCacheDefinition": "a pivot table",
    f"{_SPREADSHEET}pivotCacheRecords": "a pivot table",
    f"{_SPREADSHEET}externalLink": "a link to another workbook",
    f"{_SPREADSHEET}comments": "a cell's note",
    "vnd.ms-excel.threadedcomments": "a cell's comment",
    "vnd.ms-excel.person": "a cell's comment",
    f"{_SPREADSHEET}chartsheet": "a sheet that is a chart",
    f"{_SPREADSHEET}dialogsheet": "a dialog",
    f"{_SPREADSHEET}connections": "a connection to other data",
    f"{_SPREADSHEET}queryTable": "a query of other data",
    f"{_SPREADSHEET}template.main": "a workbook template (.xltx)",
    "oleObject": "an embedded object",
    "vnd.ms-office.activeX": "a control",
    "vnd.ms-excel.controlproperties": "a control",
    "vnd.ms-excel.slicer": "a slicer",
    "vnd.ms-excel.slicerCache": "a slicer",
    "vnd.ms-excel.timeline": "a timeline",
    "vnd.ms-office.chartex": "a chart of a newer kind",
    "digital-signature-xmlsignature": "a signature",
}
