"""The small parts of a workbook made from text: styles, the list of sheets, what is of which type."""

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from reporter.formats.workbook.names import quoted
from reporter.language.cells import KINDS

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

HEADER_STYLE = len(KINDS) + 1
NUMBER_HEADER_STYLE = len(KINDS) + 2
_FIRST_OWN_FORMAT = 164


def root_relations() -> str:
    """``_rels/.rels``: where the workbook is."""
    return (
        f'{HEAD}<Relationships xmlns="{PACKAGE_RELATIONS}"><Relationship Id="rId1" Type="{RELATIONS}/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>'
    )


def styles() -> str:
    """``xl/styles.xml``: style 0 is plain, then one for each kind of value in its order, then the two of headers."""
    formats = "".join(
        f'<numFmt numFmtId="{number}" formatCode={quoteattr(code)}/>'
        for number, code in enumerate(KINDS.values(), start=_FIRST_OWN_FORMAT)
    )
    # A little room on the right keeps numbers apart from the text of the next column.
    cells = "".join(
        f'<xf numFmtId="{number}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1">'
        '<alignment horizontal="right" indent="1"/></xf>'
        for number in range(_FIRST_OWN_FORMAT, _FIRST_OWN_FORMAT + len(KINDS))
    )
    header = (
        '<xf numFmtId="0" fontId="1" fillId="2" borderId="1" xfId="0" applyFont="1" applyFill="1" applyBorder="1"'
        ' applyAlignment="1"><alignment horizontal="{}" vertical="center" indent="{}"/></xf>'
    )
    return (
        f'{HEAD}<styleSheet xmlns="{MAIN}"><numFmts count="{len(KINDS)}">{formats}</numFmts>'
        '<fonts count="2"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font>'
        '<font><b/><sz val="11"/><color rgb="FF1F3864"/><name val="Calibri"/><family val="2"/></font></fonts>'
        '<fills count="3"><fill><patternFill patternType="none"/></fill><fill>'
        '<patternFill patternType="gray125"/></fill>'
        '<fill><patternFill patternType="solid"><fgColor rgb="FFDDE6F3"/></patternFill></fill></fills>'
        '<borders count="2"><border><left/><right/><top/><bottom/><diagonal/></border><border><left/><right/><top/>'
        '<bottom style="medium"><color rgb="FF1F3864"/></bottom><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{len(KINDS) + 3}"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>{cells}'
        f"{header.format('left', 0)}{header.format('right', 1)}</cellXfs>"
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )


_VIEW = "<bookViews><workbookView/></bookViews>"


def workbook(names: Sequence[str], filters: Sequence[str | None]) -> str:
    """``xl/workbook.xml``. ``filters``: for each sheet the absolute range that is filtered, if any."""
    sheets = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(names, start=1)
    )
    hidden = "".join(
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{index}" hidden="1">{_text(quoted(name))}!{area}'
        "</definedName>"
        for index, (name, area) in enumerate(zip(names, filters, strict=True))
        if area
    )
    defined = f"<definedNames>{hidden}</definedNames>" if hidden else ""
    return f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">{_VIEW}<sheets>{sheets}</sheets>{defined}</workbook>'


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def workbook_relations(sheets: int) -> str:
    """``xl/_rels/workbook.xml.rels``."""
    listed = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, sheets + 1)
    )
    styled = f'<Relationship Id="rId{sheets + 1}" Type="{RELATIONS}/styles" Target="styles.xml"/>'
    return f'{HEAD}<Relationships xmlns="{PACKAGE_RELATIONS}">{listed}{styled}</Relationships>'


def content_types(sheets: int) -> str:
    """``[Content_Types].xml``."""
    listed = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        for n in range(1, sheets + 1)
    )
    return (
        f'{HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>{listed}</Types>'
    )
