"""Error cells of a workbook, such as #N/A: calamine reads them as empty, so that they are looked for by themselves.

Cells are told by row and column, counted from 0. A sheet of XML is parsed only if it holds what an error begins with.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, BinaryIO, TypeAlias
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

#: A cell, by row and column counted from 0, with the error that it holds.
Errors: TypeAlias = dict[tuple[int, int], str]

#: The codes of errors in binary workbooks.
_CODES: Mapping[int, str] = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}

#: Records of a binary workbook: a row begins, a cell is an error, a formula's value is one, and a sheet is named.
_ROW, _ERROR, _FORMULA_ERROR, _SHEET = 0, 3, 11, 156

#: What calls an error by its text in OpenDocument, where it is the value of a formula.
_SHOWN_ERROR = re.compile(r"#[A-Z/0-9_]+[!?]?|Err:\d+")

_BLOCK = 2**20

#: What is raised of a workbook of another build than these.
NOT_READ = (KeyError, IndexError, StopIteration, ValueError, BadZipFile, struct.error, expat.ExpatError)


def error_cells(content: BinaryIO, sheet: str) -> Errors:
    """Return the error cells of a sheet of a workbook that calamine has read."""
    content.seek(0)
    begins = content.read(4)
    content.seek(0)
    if not begins.startswith(b"PK"):
        return _of_xls(content.read(), sheet)
    with ZipFile(content) as parts:
        names = set(parts.namelist())
        if "xl/workbook.xml" in names:
            return _of_xlsx(parts, sheet)
        if "xl/workbook.bin" in names:
            return _of_xlsb(parts, sheet)
        return _of_ods(parts, sheet)


def _of_xls(content: bytes, sheet: str) -> Errors:
    import xlrd

    found: Errors = {}
    with xlrd.open_workbook(file_contents=content, logfile=io.StringIO(), on_demand=True) as book:
        table = book.sheet_by_name(sheet)
        for row in range(table.nrows):
            for column, kind in enumerate(table.row_types(row)):
                if kind == xlrd.XL_CELL_ERROR:
                    code = table.cell_value(row, column)
                    found[row, column] = _CODES.get(code, "an error")
    return found


def _of_xlsx(parts: ZipFile, sheet: str) -> Errors:
    ids: dict[str, str] = {}

    def note(name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            ids[attributes["name"]] = next(
                v for key, v in attributes.items() if key.endswith("id") and key != "sheetId"
            )

    with parts.open("xl/workbook.xml") as text:
        _parse(text, note)
    part = _target(parts, "xl/_rels/workbook.xml.rels", ids[sheet])
    if not _holds(parts, part, rb"""\bt\s*=\s*["']e["']"""):
        return {}
    cells = _XlsxCells()
    with parts.open(part) as text:
        _parse(text, cells.begin, cells.end, cells.say)
    return cells.found


@dataclass
class _XlsxCells:
    """The error cells of a sheet's XML; a cell or row that does not say where it stands follows the one before."""

    found: Errors = field(default_factory=dict)
    _row: int = -1
    _column: int = -1
    _is_error: bool = False
    _is_value: bool = False
    _said: str = ""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Note where a row or cell stands."""
        if name == "row":
            self._row = int(attributes["r"]) - 1 if "r" in attributes else self._row + 1
            self._column = -1
        elif name == "c":
            self._column = _column_number(attributes["r"]) if "r" in attributes else self._column + 1
            self._is_error, self._said = attributes.get("t") == "e", ""
        self._is_value = name == "v"

    def say(self, text: str) -> None:
        """Keep the text of an error cell's value."""
        if self._is_error and self._is_value:
            self._said += text

    def end(self, name: str) -> None:
        """Note the cell if it was an error."""
        self._is_value = False
        if name == "c" and self._is_error:
            self.found[self._row, self._column] = self._said.strip() or "an error"
            self._is_error = False


def _column_number(place: str) -> int:
    """B7 → 1."""
    number = 0
    for letter in place.rstrip("0123456789"):
        number = number * 26 + ord(letter.upper()) - ord("A") + 1
    return number - 1


def _of_xlsb(parts: ZipFile, sheet: str) -> Errors:
    ids: dict[str, str] = {}
    for kind, content in _records(parts.read("xl/workbook.bin")):
        if kind == _SHEET:
            relation, rest = _wide_text(content[8:])
            ids[_wide_text(rest)[0]] = relation
    found: Errors = {}
    row = 0
    for kind, content in _records(parts.read(_target(parts, "xl/_rels/workbook.bin.rels", ids[sheet]))):
        if kind == _ROW:
            row = int.from_bytes(content[:4], "little")
        elif kind in (_ERROR, _FORMULA_ERROR):
            found[row, int.from_bytes(content[:4], "little")] = _CODES.get(content[8], "an error")
    return found


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Each record's kind and content: both its kind and its length are numbers of 7 bits a byte."""
    position = 0
    while position < len(content):
        kind, position = _number(content, position, most=2)
        size, position = _number(content, position, most=4)
        yield kind, content[position : position + size]
        position += size


def _number(content: bytes, position: int, most: int) -> tuple[int, int]:
    number = 0
    for place in range(most):
        byte = content[position]
        position += 1
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    return number, position


def _wide_text(content: bytes) -> tuple[str, bytes]:
    end = 4 + 2 * int.from_bytes(content[:4], "little")
    return content[4:end].decode("utf-16-le"), content[end:]


def _of_ods(parts: ZipFile, sheet: str) -> Errors:
    if not _holds(parts, "content.xml", rb"""value-type=["']error|>#|>Err:"""):
        return {}
    cells = _OdsCells(sheet)
    with parts.open("content.xml") as text:
        _parse(text, cells.begin, cells.end, cells.say)
    return cells.found


@dataclass
class _OdsCells:
    """The error cells of one table of OpenDocument, whose rows and cells may be repeated."""

    sheet: str
    found: Errors = field(default_factory=dict)
    _is_there: bool = False
    _row: int = 0
    _rows: int = 1
    _column: int = 0
    _columns: int = 1
    _is_error: bool = False
    _may_be: bool = False
    _said: str = ""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Note where a table, row or cell begins."""
        if name == "table":
            self._is_there = attributes.get("name") == self.sheet
            self._row = 0
        elif name == "table-row":
            self._column, self._rows = 0, int(attributes.get("number-rows-repeated", 1))
        elif name in ("table-cell", "covered-table-cell"):
            self._columns, self._said = int(attributes.get("number-columns-repeated", 1)), ""
            self._is_error = "error" in attributes.get("value-type", "")
            self._may_be = "formula" in attributes

    def say(self, text: str) -> None:
        """Keep what a cell shows."""
        if self._is_there:
            self._said += text

    def end(self, name: str) -> None:
        """Note a cell that is an error, as often as it is repeated."""
        if name == "table":
            self._is_there = False
        elif name == "table-row":
            self._row += self._rows
        elif name in ("table-cell", "covered-table-cell"):
            said = self._said.strip()
            if self._is_there and (self._is_error or (self._may_be and _SHOWN_ERROR.fullmatch(said))):
                for row in range(self._row, self._row + self._rows):
                    for column in range(self._column, self._column + self._columns):
                        self.found[row, column] = said or "an error"
            self._column += self._columns


def _target(parts: ZipFile, relations: str, relation: str) -> str:
    """The part that a relation of the workbook leads to."""
    targets: dict[str, str] = {}

    def note(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship":
            targets[attributes["Id"]] = attributes["Target"]

    with parts.open(relations) as text:
        _parse(text, note)
    target = targets[relation]
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _parse(
    text: IO[bytes],
    begin: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Read XML, with the names of elements and attributes without their namespaces."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = lambda name, found: begin(_local(name), _of_local_names(found))
    if end is not None:
        ended = end
        parser.EndElementHandler = lambda name: ended(_local(name))
    if say is not None:
        parser.CharacterDataHandler = say
    parser.ParseFile(text)


def _of_local_names(found: Mapping[str, str]) -> dict[str, str]:
    """Attributes without their namespaces; of two names that are then alike both values, with a blank between."""
    attributes: dict[str, str] = {}
    for name, value in found.items():
        local = _local(name)
        attributes[local] = f"{attributes[local]} {value}" if local in attributes else value
    return attributes


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _holds(parts: ZipFile, part: str, pattern: bytes) -> bool:
    """Whether a part holds a pattern of at most 64 bytes."""
    before = b""
    with parts.open(part) as content:
        while block := content.read(_BLOCK):
            if re.search(pattern, before + block):
                return True
            before = block[-64:]
    return False
