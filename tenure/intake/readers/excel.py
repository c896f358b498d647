"""Excel: a sheet of a workbook, landed as Parquet of the kinds that its cells have.

```
      A         B          C            header_row=1
1  account   balance    opened
2  007          12.5    29.02.2024      account '007'   balance 12.5   opened 2024-02-29 00:00
3  008          #N/A    01.03.2024      an error cell is refused, unless null= lists it
```
A column has the kind of its cells in all files; where they are of several, each is the text that the cell says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.define.raw_tables import Excel
from tenure.engines.files import Place, difference_of_headers, file_in_words
from tenure.errors import BadValue, MissingColumn, MissingDependency, UnreadableFile, choices, install_hint
from tenure.intake.readers.excel_errors import NOT_READ, Errors, error_cells
from tenure.intake.readers.landed import LandedReader
from tenure.storage.location import Location, open_to_read

Cell: TypeAlias = str | float | bool | date | time | timedelta | None

#: A merged range: its first and its last cell, by row and column counted from 0.
_Merged: TypeAlias = tuple[tuple[int, int], tuple[int, int]]

#: Beyond this a number of Excel is not the whole number that was meant, but one near it.
_MOST_EXACT = 2**53


@dataclass(frozen=True)
class _Sheet:
    """A sheet's rows below its header, each with its number in the workbook, counted from 1."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[int, Sequence[Cell]]]

    def place(self, row: int) -> Place:
        """Where a row stands."""
        return Place(self.name, row, "row")

    @cached_property
    def kinds(self) -> list[set[str]]:
        """The kinds of the cells of each column."""
        return [{_kind(row[n]) for _, row in self.rows} - {""} for n in range(len(self.columns))]


class ExcelReader(LandedReader[Excel]):
    """Workbooks of which one sheet each is read."""

    @property
    def read_by(self) -> Sequence[object]:
        """All of it: what is null decides of which kind a column is."""
        return (self.raw.sheet, self.raw.header_row, self.raw.null)

    def write(self, folder: Path) -> bool:
        """Write each file's rows, of kinds that all files share."""
        only = self._sheet(self.files[0]) if len(self.files) == 1 else None
        first = only or self._sheet(self.files[0])
        kinds: list[set[str]] = [set() for _ in first.columns]
        for sheet in self._sheets(only):
            self._require_alike(sheet, first)
            kinds = [mine | its for mine, its in zip(kinds, sheet.kinds, strict=True)]
        types = [_type(of_column) for of_column in kinds]
        schema = pa.schema(list(zip(first.columns, types, strict=True)))
        has_rows = False
        for number, sheet in enumerate(self._sheets(only), 1):
            has_rows |= bool(sheet.rows)
            cells = [_as(type_, [row[n] for _, row in sheet.rows]) for n, type_ in enumerate(types)]
            pq.write_table(pa.table(cells, schema=schema), folder / f"rows-{number:05d}.parquet")
        return has_rows

    def place_of(self, value: str, column: str) -> Place | None:
        """Return the first row that holds `value` in the column, or in any where no sheet has the column."""
        for sheet in self._sheets(None):
            wanted = [n for n, name in enumerate(sheet.columns) if name == column] or range(len(sheet.columns))
            if not value and column not in sheet.columns:
                continue
            for number, row in sheet.rows:
                if any(_says(row[n], value) for n in wanted):
                    return sheet.place(number)
        return None

    def _sheets(self, only: _Sheet | None) -> Iterator[_Sheet]:
        """The sheet of each file, or the only one; of several files one at a time is held."""
        yield from [only] if only else map(self._sheet, self.files)

    def _require_alike(self, sheet: _Sheet, first: _Sheet) -> None:
        if sheet.columns != first.columns:
            difference = difference_of_headers(sheet.columns, first.columns)
            raise MissingColumn(
                f"{sheet.place(self.raw.header_row)}: {difference} in the first of these files.",
                hint="Give workbooks of another layout a source of their own.",
            )

    def _sheet(self, file: Location) -> _Sheet:
        file_name = file_in_words(file, self.files, self.raw)
        with open_to_read(file) as content, self._opened(content, file_name) as book:
            sheet = self._chosen(book, file_name)
            rows, merged = sheet.to_python(skip_empty_area=False), sheet.merged_cell_ranges or []
            name = f"{file_name}, sheet '{sheet.name}'"
            first = self.raw.header_row
            errors = self._errors(content, sheet.name, name)
        if errors:
            raise self._refused_error(name, rows, min(errors), errors[min(errors)])
        end = _end(rows, first, merged)
        columns = _header(rows, first, end, name)
        _refuse_merged(merged, first, end, len(columns), name)
        kept = [(n + 1, self._cells(rows[n], len(columns))) for n in _filled(rows, first, end)]
        return _Sheet(name, tuple(columns), kept)

    @contextmanager
    def _opened(self, content: BinaryIO, name: str) -> Iterator[Any]:
        try:
            import python_calamine
            import xlrd  # noqa: F401  (what looks for errors in .xls)
        except ImportError as error:
            raise MissingDependency(
                f"{self.asked_by} reads a workbook, which needs python-calamine and xlrd.", hint=install_hint("excel")
            ) from error
        try:
            with python_calamine.CalamineWorkbook.from_filelike(content) as book:
                yield book
        except python_calamine.PasswordError as error:
            raise UnreadableFile(
                f"{name} is protected by a password.", hint="Save it without a password, and run again."
            ) from error
        except python_calamine.CalamineError as error:
            raise UnreadableFile(
                f"{name} is no workbook that can be read, or is cut off; allowed: .xlsx, .xlsb, .xls, .ods.",
                hint="Fetch the file again, whole; text is read by Csv(…).",
            ) from error

    def _chosen(self, book: Any, name: str) -> Any:
        """The sheet that is declared, or the only one; charts and macros are none."""
        sheets = [sheet.name for sheet in book.sheets_metadata if sheet.typ == type(sheet.typ).WorkSheet]
        wanted = self.raw.sheet or (sheets[0] if len(sheets) == 1 else "")
        if wanted in sheets:
            return book.get_sheet_by_name(wanted)
        there = f"its sheets: {choices(sheets)}" if sheets else "it has none"
        if self.raw.sheet:
            raise UnreadableFile(
                f"{name} has no sheet '{self.raw.sheet}'; {there}.",
                hint=f"Fix the source's sheet, Excel('{self.raw.path}', sheet=…).",
            )
        raise UnreadableFile(
            f"{name} has {len(sheets)} sheets, and which is meant is not said; {there}.",
            hint=f"Name one: Excel('{self.raw.path}', sheet=…).",
        )

    def _errors(self, content: BinaryIO, sheet: str, name: str) -> Errors:
        """The error cells, from the header on, that are not null."""
        try:
            found = error_cells(content, sheet)
        except NOT_READ as error:
            raise UnreadableFile(
                f"{name} can't be looked through for error cells, which would be read as empty.",
                hint="Save the workbook anew as .xlsx, and run again.",
            ) from error
        first, nulls = self.raw.header_row - 1, self.raw.null
        return {cell: said for cell, said in found.items() if cell[0] >= first and said not in nulls}

    def _refused_error(self, name: str, rows: Sequence[Sequence[Cell]], cell: tuple[int, int], said: str) -> BadValue:
        row, column = cell
        header = rows[self.raw.header_row - 1] if len(rows) >= self.raw.header_row else []
        called = _text(_plain(header[column])).strip() if column < len(header) else ""
        words = f"column '{called}'" if called and row >= self.raw.header_row else f"column {_letters(column)}"
        return BadValue(
            f"{self.asked_by}: {name}, row {row + 1}, {words}: the cell holds the error {said}.",
            hint=f"Fix the workbook's formula, or have such cells be null: Excel(…, null=('{said}',)).",
        )

    def _cells(self, row: Sequence[Any], width: int) -> list[Cell]:
        """A row's cells, with those that are null as None."""
        found = [_plain(cell) for cell in row[:width]]
        nulls = self.raw.null
        return [None if cell is None or (nulls and _text(cell).strip() in nulls) else cell for cell in found]


def _plain(cell: Any) -> Cell:
    """A cell as calamine gives it: one of blanks is null, a day is its midnight."""
    if isinstance(cell, str):
        return cell if cell.strip() else None
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return datetime(cell.year, cell.month, cell.day)
    return cell  # type: ignore[no-any-return]


def _kind(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "flag"
    if isinstance(cell, int | float):
        return "whole" if _is_whole(cell) else "number"
    return "moment" if isinstance(cell, datetime) else "text"


def _is_whole(number: float) -> bool:
    return abs(number) <= _MOST_EXACT and number == int(number)


def _type(kinds: set[str]) -> pa.DataType:
    """What a column lands as: whole numbers as such, so that a branch's code 1001 is never the text 1001.0."""
    if kinds == {"whole"}:
        return pa.int64()
    if kinds and kinds <= {"whole", "number"}:
        return pa.float64()
    if kinds == {"moment"}:
        return pa.timestamp("us")
    return pa.bool_() if kinds == {"flag"} else pa.string()


def _as(type_: pa.DataType, cells: Sequence[Cell]) -> pa.Array:
    if pa.types.is_string(type_):
        return pa.array([None if cell is None else _text(cell) for cell in cells], type_)
    if pa.types.is_integer(type_):
        return pa.array([None if cell is None else int(cell) for cell in cells], type_)  # type: ignore[arg-type]
    return pa.array(cells, type_)


def _text(cell: Cell) -> str:
    """What a cell says: a number without a needless fraction, a day without midnight."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return str(int(cell)) if _is_whole(cell) else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ")
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(round(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    return cell if isinstance(cell, str) else cell.isoformat()


def _says(cell: Cell, value: str) -> bool:
    """Whether a cell holds a value that an engine tells, which may write a number in another way."""
    if isinstance(cell, float):
        try:
            return cell == float(value)
        except ValueError:
            return False
    return _text(cell).strip() == value


def _filled(rows: Sequence[Sequence[Any]], first: int, end: int) -> list[int]:
    """The places of rows that are not empty."""
    return [n for n in range(first, end) if any(_plain(cell) is not None for cell in rows[n])]


def _end(rows: Sequence[Sequence[Any]], first: int, merged: Sequence[_Merged]) -> int:
    """Where the rows end: those behind are empty, or are one merged cell, such as a remark."""
    remarks = {top: left for (top, left), (_, right) in merged if right > left}
    end = len(rows)
    while end > first:
        filled = [n for n, cell in enumerate(rows[end - 1]) if _plain(cell) is not None]
        if filled and filled != [remarks.get(end - 1)]:
            break
        end -= 1
    return end


def _header(rows: Sequence[Sequence[Any]], first: int, end: int, name: str) -> list[str]:
    """The names of the columns; those at the end without a name and without cells are none."""
    texts = [_text(_plain(cell)).strip() for cell in rows[first - 1]] if len(rows) >= first else []
    filled = {n for row in rows[first:end] for n, cell in enumerate(row) if _plain(cell) is not None}
    width = max([n + 1 for n, text in enumerate(texts) if text] + [n + 1 for n in filled], default=0)
    texts = texts[:width] + [""] * (width - len(texts))
    problem = ""
    if not any(texts):
        problem = "the header has no columns"
    elif len({text.lower() for text in texts if text}) < len([text for text in texts if text]):
        problem = "the header has a column twice"
    elif not all(texts):
        problem = f"column {_letters(texts.index(''))} has no name"
    if problem:
        raise UnreadableFile(
            f"{Place(name, first, 'row')}: {problem}.",
            hint="Fix the workbook, or say in which row the names stand: Excel(…, header_row=…).",
        )
    return texts


def _refuse_merged(merged: Sequence[_Merged], first: int, end: int, width: int, name: str) -> None:
    for (top, left), (bottom, right) in merged:
        if bottom >= first and top < end and left < width:
            cells = f"{_letters(left)}{top + 1}:{_letters(right)}{bottom + 1}"
            raise UnreadableFile(
                f"{Place(name, top + 1, 'row')}: the cells {cells} are merged, so that only the first has a value.",
                hint="Unmerge them, and write the value into each row that it is of.",
            )


def _letters(column: int) -> str:
    """1 → B, as workbooks call a column."""
    letters, number = "", column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


READER = ExcelReader
