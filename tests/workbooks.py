"""Workbooks of every format, written from the same cells: text, numbers, booleans, moments, errors and nothing."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import quoteattr

import xlsxwriter
import xlwt

CODES = {"#NULL!": 0x00, "#DIV/0!": 0x07, "#VALUE!": 0x0F, "#REF!": 0x17, "#NAME?": 0x1D, "#NUM!": 0x24, "#N/A": 0x2A}


@dataclass(frozen=True)
class Error:
    """A cell that holds an error."""

    said: str


def xlsx(sheets):
    """A workbook by xlsxwriter; an error is a formula's value."""
    written = io.BytesIO()
    with xlsxwriter.Workbook(written, {"in_memory": True}) as book:
        # Else the second in which it is written stands in it, and the same rows are other bytes a moment later.
        book.set_properties({"created": datetime(2024, 1, 1)})
        day = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for row, column, cell in cells_of(rows):
                if isinstance(cell, Error):
                    sheet.write_formula(row, column, "=NA()", None, cell.said)
                elif isinstance(cell, str):
                    sheet.write_string(row, column, cell)
                elif isinstance(cell, bool):
                    sheet.write_boolean(row, column, cell)
                elif isinstance(cell, datetime):
                    sheet.write_datetime(row, column, cell, day)
                else:
                    sheet.write_number(row, column, cell)
    return written.getvalue()


def xls(sheets):
    """A workbook as Excel 97 wrote it, by xlwt."""
    book = xlwt.Workbook()
    day = xlwt.easyxf(num_format_str="yyyy-mm-dd hh:mm:ss")
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        for row, column, cell in cells_of(rows):
            if isinstance(cell, Error):
                sheet.row(row).set_cell_error(column, CODES[cell.said])
            else:
                sheet.write(row, column, cell, *([day] if isinstance(cell, datetime) else []))
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def ods(sheets):
    """A workbook as LibreOffice writes it."""
    tables = []
    for name, rows in sheets.items():
        lines = ["".join(map(ods_cell, row)) for row in rows]
        body = "".join(f"<table:table-row>{line}</table:table-row>" for line in lines)
        tables.append(f"<table:table table:name={quoteattr(name)}>{body}</table:table>")
    names = {
        "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
        "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
        "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
        "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
    }
    spaces = " ".join(f'xmlns:{name}="{value}"' for name, value in names.items())
    content = (
        f"<office:document-content {spaces}><office:body><office:spreadsheet>{''.join(tables)}"
        "</office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    listed = (
        f'<manifest:manifest xmlns:manifest="{manifest}">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    )
    return zipped({"mimetype": kind, "META-INF/manifest.xml": listed, "content.xml": content})


def ods_cell(cell):
    if cell is None:
        return "<table:table-cell/>"
    if isinstance(cell, Error):
        return (
            '<table:table-cell table:formula="of:=NA()" office:value-type="string" office:string-value="" '
            f'calcext:value-type="error"><text:p>{cell.said}</text:p></table:table-cell>'
        )
    if isinstance(cell, str):
        return f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>'
    if isinstance(cell, bool):
        return f'<table:table-cell office:value-type="boolean" office:boolean-value="{str(cell).lower()}"/>'
    if isinstance(cell, datetime):
        return f'<table:table-cell office:value-type="date" office:date-value="{cell.isoformat()}"/>'
    return f'<table:table-cell office:value-type="float" office:value="{cell!r}"/>'


def xlsb(sheets):
    """A binary workbook, record by record; moments have the second style, of a date."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
    parts, relations, bundle = {}, [], b""
    for number, (name, rows) in enumerate(sheets.items(), 1):
        bundle += record(156, struct.pack("<II", 0, number) + wide(f"rId{number}") + wide(name))
        relations.append(f'<Relationship Id="rId{number}" Type="{kind}" Target="worksheets/sheet{number}.bin"/>')
        parts[f"xl/worksheets/sheet{number}.bin"] = xlsb_sheet(rows)
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    styles = record(617, struct.pack("<I", 2))
    styles += b"".join(record(47, struct.pack("<HHHHHBBHH", 0, form, 0, 0, 0, 0, 0, 0, 0)) for form in (0, 22))
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "xl/workbook.bin": record(131) + record(143) + bundle + record(144) + record(157) + record(132),
            "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{space}">{"".join(relations)}</Relationships>',
            "xl/styles.bin": record(278) + styles + record(618) + record(279),
            **parts,
        }
    )


def xlsb_sheet(rows):
    width = max(map(len, rows), default=1)
    content = record(129) + record(148, struct.pack("<IIII", 0, max(len(rows) - 1, 0), 0, width - 1)) + record(145)
    for number, row in enumerate(rows):
        content += record(0, struct.pack("<I", number) + bytes(13))
        for column, cell in enumerate(row):
            where = struct.pack("<II", column, int(isinstance(cell, datetime)))
            if isinstance(cell, Error):
                content += record(11, where + bytes([CODES[cell.said]]) + bytes(10))
            elif isinstance(cell, str):
                content += record(6, where + wide(cell))
            elif isinstance(cell, bool):
                content += record(4, where + bytes([cell]))
            elif cell is not None:
                number_ = (
                    (cell - datetime(1899, 12, 30)).total_seconds() / 86400 if isinstance(cell, datetime) else cell
                )
                content += record(5, where + struct.pack("<d", number_))
    return content + record(146) + record(130)


def record(kind, content=b""):
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])
    return head + length + content


def wide(text):
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def zipped(parts):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return written.getvalue()


def cells_of(rows):
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if cell is not None:
                yield row, column, cell


FORMATS = {"xlsx": xlsx, "xls": xls, "ods": ods, "xlsb": xlsb}
