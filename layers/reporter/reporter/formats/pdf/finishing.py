"""What the engine leaves out of a PDF, appended to it as an update: bookmarks, and when and by what it was made."""

import io
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    NumberObject,
    StreamObject,
    TextStringObject,
)

from reporter.errors import ReportFailure
from reporter.formats.pdf.bookmarks import Bookmark

CREATOR = "Reporter"


def update_of(document: bytes, pages: int, bookmarks: Sequence[Bookmark], created: datetime) -> bytes:
    """The bytes to append. Raises ``ReportFailure`` TEMPLATE_MEMORY for a document that the engine did not complete."""
    try:
        reader = PdfReader(io.BytesIO(document), strict=True)
        update = _Update(reader, document)
        if _copy(update.root["/Pages"]).get("/Count") != pages:
            raise ValueError(pages)
        targets = reader.named_destinations.keys() if bookmarks else ()
    except (PyPdfError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        # When memory runs out the engine stops writing and says nothing.
        raise ReportFailure("TEMPLATE_MEMORY", "there is no memory left") from None
    update.info[NameObject("/Creator")] = TextStringObject(CREATOR)
    update.info[NameObject("/CreationDate")] = TextStringObject(created.astimezone(UTC).strftime("D:%Y%m%d%H%M%SZ"))
    _add_outline(update, [bookmark for bookmark in bookmarks if bookmark.target in targets])
    return update.content()


class _Update:
    """Objects that replace, or come after, those of a document."""

    def __init__(self, reader: PdfReader, document: bytes) -> None:
        self._reader = reader
        self._start = len(document)
        self._previous = int(document[-64:].rsplit(b"startxref", 1)[1].split()[0])
        self._next = int(str(reader.trailer["/Size"]))
        self._objects: dict[int, DictionaryObject] = {}
        self._root = self._reference(reader.trailer.raw_get("/Root").idnum)
        self._info = self._reference(reader.trailer.raw_get("/Info").idnum)
        self.root = self._objects[self._root.idnum] = _copy(reader.trailer["/Root"])
        self.info = self._objects[self._info.idnum] = _copy(reader.trailer["/Info"])

    def add(self, made: DictionaryObject) -> IndirectObject:
        """A new object, and how others refer to it."""
        self._objects[self._next] = made
        self._next += 1
        return self._reference(self._next - 1)

    def added(self, reference: IndirectObject) -> DictionaryObject:
        """What ``add`` was given."""
        return self._objects[reference.idnum]

    def content(self) -> bytes:
        """The objects and their table, as PDF has them."""
        written = io.BytesIO()
        places: dict[int, int] = {}
        for number, made in self._objects.items():
            places[number] = self._start + written.tell()
            written.write(b"%d 0 obj\n" % number)
            made.write_to_stream(written)
            written.write(b"\nendobj\n")
        table_at = self._start + written.tell()
        places[self._next] = table_at
        written.write(b"%d 0 obj\n" % self._next)
        self._table(places).write_to_stream(written)
        written.write(b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % table_at)
        return written.getvalue()

    def _table(self, places: dict[int, int]) -> StreamObject:
        table = StreamObject()
        rows = b"".join(b"\x01" + place.to_bytes(8, "big") + b"\x00\x00" for place in places.values())
        index = [number for first in places for number in (first, 1)]
        for name, value in {
            "/Type": NameObject("/XRef"),
            "/Size": NumberObject(self._next + 1),
            "/W": ArrayObject(map(NumberObject, (1, 8, 2))),
            "/Index": ArrayObject(map(NumberObject, index)),
            "/Prev": NumberObject(self._previous),
            "/Root": self._root,
            "/Info": self._info,
            "/Filter": NameObject("/FlateDecode"),
        }.items():
            table[NameObject(name)] = value
        table._data = zlib.compress(rows)
        return table

    def _reference(self, number: int) -> IndirectObject:
        return IndirectObject(number, 0, self._reader)


def _copy(found: Any) -> DictionaryObject:
    return DictionaryObject(found)


def _add_outline(update: _Update, bookmarks: Sequence[Bookmark]) -> None:
    if not bookmarks:
        return
    outline = DictionaryObject()
    update.root[NameObject("/Outlines")] = reference = update.add(outline)
    # The way down to the last item: level, the item, how it is referred to.
    open_items: list[tuple[int, DictionaryObject, IndirectObject]] = [(0, outline, reference)]
    for bookmark in bookmarks:
        while open_items[-1][0] >= bookmark.level:
            open_items.pop()
        parent, parent_reference = open_items[-1][1:]
        item = DictionaryObject()
        item[NameObject("/Title")] = TextStringObject(bookmark.title)
        item[NameObject("/Dest")] = TextStringObject(bookmark.target)
        item[NameObject("/Parent")] = parent_reference
        made = update.add(item)
        if "/Last" in parent:
            item[NameObject("/Prev")] = last = parent.raw_get("/Last")
            update.added(last)[NameObject("/Next")] = made
        else:
            parent[NameObject("/First")] = made
        parent[NameObject("/Last")] = made
        # Below the outline itself a negative count means: closed until somebody opens it.
        step = 1 if parent is outline else -1
        parent[NameObject("/Count")] = NumberObject(int(parent.get("/Count", 0)) + step)
        open_items.append((bookmark.level, item, made))
