"""Raw tables: what a bank says of its files, workbooks and databases; nothing here touches them.

Each declaration names in `READERS` the module of `tenure/intake/readers/` that reads it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tenure.define.naming import definition_place
from tenure.define.shape import (
    FLAG,
    NAME,
    TEXT,
    Allowed,
    ByKind,
    calls,
    check_shape,
    either,
    in_place,
    instance_of,
    list_of,
    one_of,
    whole,
)
from tenure.errors import InvalidDefinition

ENCODINGS: tuple[str, ...] = ("utf-8", "latin-1")
#: EBCDIC: of the United States, Germany, the International page, and the first with a euro sign.
EBCDIC: tuple[str, ...] = ("cp037", "cp273", "cp500", "cp1140")

#: Days of which rows are asked for again, since some are written late.
_OVERLAP = whole(0, 366)

#: Further spellings of null.
SPELLINGS = list_of(TEXT, "a list of texts, such as ('?', 'n/a')")


class RawTable:
    """A raw table's declaration: what it says of itself. The code that reads it stands in `tenure/intake/readers/`.

    `path` is that of the files that it reads, which may hold `*`, '' where it reads none; `null` are further spellings
    of null in its text, where an empty text is always null.
    """

    path: str
    null: Sequence[str]

    #: Of a server's table that only grows, the column that tells when a row was written; '' else.
    append_only: str = ""

    @property
    def place(self) -> str:
        """Where its rows come from, in words."""
        return self.path

    @property
    def meaning(self) -> object:
        """The part of it that decides which rows it has."""
        return self


@dataclass(frozen=True)
class Csv(RawTable):
    """Delimited text files.

    `path` is relative to the project's data folder and may hold `*`. Every value is read as text and
    typed by the source's columns, so nothing is guessed; an empty field is null. `null` lists further
    spellings of null (Berka writes `?`), and fields are trimmed of surrounding blanks.
    """

    path: str
    delimiter: str = field(default=",", kw_only=True)
    encoding: Literal["utf-8", "latin-1"] = field(default="utf-8", kw_only=True)
    null: Sequence[str] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_shape("Csv", self, path=NAME)
        check_shape(f"Csv('{self.path}')", self, delimiter=TEXT, encoding=TEXT, null=SPELLINGS)
        object.__setattr__(self, "null", tuple(self.null))
        if len(self.delimiter) != 1 or self.encoding not in ENCODINGS:
            raise InvalidDefinition(
                f"Csv('{self.path}') has delimiter={self.delimiter!r}, encoding={self.encoding!r} "
                f"({definition_place()}); allowed: one character, and {', '.join(ENCODINGS)}."
            )


@dataclass(frozen=True)
class Parquet(RawTable):
    """Parquet files; `path` is relative to the project's data folder and may hold `*`."""

    path: str
    null = ()

    def __post_init__(self) -> None:
        check_shape("Parquet", self, path=NAME)


#: As many rows as a sheet of Excel has.
_HEADER_ROW = whole(1, 1_048_576)


@dataclass(frozen=True)
class Excel(RawTable):
    """Workbooks of Excel or OpenDocument: .xlsx, .xlsb, .xls and .ods.

    `path` is relative to the project's data folder and may hold `*`. `sheet` names the sheet; it may be left out where
    a workbook has one. Row `header_row`, counted from 1, names the columns, and rows above it are passed over. Cells
    are numbers, moments, booleans or text as the workbook has them, of a formula the value that was stored; a column
    of several kinds becomes text. `null` lists texts that are null, errors such as '#N/A' among them: any other error
    is refused.
    """

    path: str
    sheet: str = field(default="", kw_only=True)
    header_row: int = field(default=1, kw_only=True)
    null: Sequence[str] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_shape("Excel", self, path=NAME)
        check_shape(f"Excel('{self.path}')", self, sheet=TEXT, header_row=_HEADER_ROW, null=SPELLINGS)
        object.__setattr__(self, "null", tuple(self.null))


@dataclass(frozen=True)
class JsonLines(RawTable):
    """Text files in UTF-8 with one JSON object a line.

    `path` is relative to the project's data folder and may hold `*`. Every value is read as its own text (`0.10`
    stays so) and typed by the source's columns like a CSV's; a key that a line lacks is null, as is an empty text.
    `null` lists further spellings of null. Objects and arrays inside a row are refused.
    """

    path: str
    null: Sequence[str] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_shape("JsonLines", self, path=NAME)
        check_shape(f"JsonLines('{self.path}')", self, null=SPELLINGS)
        object.__setattr__(self, "null", tuple(self.null))


#: The longest line that a layout may describe.
_WIDEST = 1_000_000


def _is_layout(value: object) -> bool:
    place = whole(1, _WIDEST)
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(map(NAME.test, value))
        and all(
            isinstance(span, list | tuple) and len(span) == 2 and all(map(place.test, span)) for span in value.values()
        )
    )


_LAYOUT = Allowed(
    "names with the first place, counted from 1, and the length, such as {'customer_id': (1, 8), 'branch': (9, 4)}",
    _is_layout,
)
_SKIPPED = whole(0, 10_000, "a whole number of lines")


@dataclass(frozen=True)
class FixedWidth(RawTable):
    """Text files whose values stand in fixed places of a line, as mainframes write them.

    `path` is relative to the project's data folder and may hold `*`. `layout` names each column with its first place,
    counted from 1, and its length; a line is as long as the layout, or it is refused. Every value is read as text and
    typed by the source's columns like a CSV's. `skip_first` and `skip_last` lines of each file are headers and
    trailers. `encoding` may be one of EBCDIC; with `line_breaks=False` records follow each other without any.
    """

    path: str
    layout: Mapping[str, tuple[int, int]] = field(kw_only=True)
    encoding: str = field(default="utf-8", kw_only=True)
    skip_first: int = field(default=0, kw_only=True)
    skip_last: int = field(default=0, kw_only=True)
    line_breaks: bool = field(default=True, kw_only=True)
    null: Sequence[str] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_shape("FixedWidth", self, path=NAME)
        subject = f"FixedWidth('{self.path}')"
        encoding = one_of([*ENCODINGS, *EBCDIC])
        check_shape(subject, self, layout=_LAYOUT, encoding=encoding, line_breaks=FLAG, null=SPELLINGS)
        check_shape(subject, self, skip_first=_SKIPPED, skip_last=_SKIPPED)
        object.__setattr__(self, "null", tuple(self.null))
        object.__setattr__(self, "layout", {name: tuple(span) for name, span in self.layout.items()})
        folded = Counter(name.lower() for name in self.layout)
        alike = [name for name in self.layout if folded[name.lower()] > 1]
        if alike:
            raise InvalidDefinition(
                f"{subject} has in its layout {' and '.join(map(repr, alike))}, which differ in case "
                f"alone{in_place()}; allowed: names that differ otherwise too."
            )
        if self.encoding == "utf-8" and not self.line_breaks:
            raise InvalidDefinition(
                f"{subject} has line_breaks=False and encoding='utf-8'{in_place()}, where a sign may be several bytes; "
                f"allowed without line breaks: {', '.join(e for e in (*ENCODINGS, *EBCDIC) if e != 'utf-8')}."
            )

    @property
    def width(self) -> int:
        """How long a line is: up to where the last column ends."""
        return max(first + length - 1 for first, length in self.layout.values())


@dataclass(frozen=True)
class Postgres(RawTable):
    """A query against PostgreSQL (or any server that speaks its protocol), read through ADBC.

    `dsn` names the environment variable that holds the connection string: secrets never stand in files.
    `append_only` names the column, a date or timestamp, that tells when a row of a table was written which only grows:
    then rows are asked for since the newest that was read, less `overlap` days, and those before are counted by month.
    """

    query: str
    path, null = "", ()
    dsn: str = field(default="TENURE_POSTGRES_DSN", kw_only=True)
    append_only: str = field(default="", kw_only=True)
    overlap: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        check_shape("Postgres(…)", self, append_only=TEXT, overlap=_OVERLAP)
        # Neither is shown: whoever writes the connection string itself in place of its variable's name holds a secret.
        for name, value in (("query", self.query), ("dsn", self.dsn)):
            if not NAME.test(value):
                kind = type(value).__name__
                raise InvalidDefinition(f"Postgres has a {name} of type {kind}{in_place()}; allowed: {NAME.words}.")
        # What stands here by mistake may be the connection string itself, so it is not repeated.
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", self.dsn):
            raise InvalidDefinition(
                f"Postgres(…) has a dsn= that is no name of an environment variable ({definition_place()}).",
                hint="Export the connection string, for example as TENURE_POSTGRES_DSN, and give dsn= that name.",
            )

    @property
    def place(self) -> str:
        """Where its rows come from, in words."""
        return f"query on ${self.dsn}"

    @property
    def meaning(self) -> object:
        """The part of it that decides which rows it has: the query; the address of the database does not count."""
        return ("query", self.query)


#: A table's name, with those of its schema and database where it has them.
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_$#]*([.][A-Za-z_][A-Za-z0-9_$#]*){0,3}")

_IS_SELECT = re.compile(r"\s*(\(\s*)*(SELECT|WITH)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Odbc(RawTable):
    """A query, or a whole table, of any database with an ODBC driver: SQL Server, Oracle, Db2 and others.

    `dsn_env` names the environment variable that holds the connection string: secrets never stand in files. Columns are
    named as the database tells them; many write those names in capitals. `append_only` and `overlap` are as those of
    Postgres; of `append_only` a name that the database reads without quotes.
    """

    query: str = ""
    path, null = "", ()
    table: str = field(default="", kw_only=True)
    dsn_env: str = field(default="TENURE_ODBC", kw_only=True)
    append_only: str = field(default="", kw_only=True)
    overlap: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        check_shape("Odbc(…)", self, append_only=TEXT, overlap=_OVERLAP)
        if self.append_only and not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", self.append_only):
            raise InvalidDefinition(
                f"Odbc(…) has an append_only= that is no column's plain name{in_place()}; allowed: letters, digits, _."
            )
        # None is shown: whoever writes the connection string itself in place of its variable's name holds a secret.
        for name, value in (("query", self.query), ("table", self.table), ("dsn_env", self.dsn_env)):
            if not TEXT.test(value):
                kind = type(value).__name__
                raise InvalidDefinition(f"Odbc has a {name} of type {kind}{in_place()}; allowed: {TEXT.words}.")
        if bool(self.query.strip()) == bool(self.table):
            got = "a query and a table=" if self.table else "neither a query nor a table="
            raise InvalidDefinition(f"Odbc(…) has {got}{in_place()}; allowed: one of them.")
        if self.query and not _IS_SELECT.match(self.query):
            raise InvalidDefinition(
                f"Odbc(…) has a query that is no SELECT{in_place()}; allowed: one that begins with SELECT or WITH."
            )
        if self.table and not _TABLE.fullmatch(self.table):
            raise InvalidDefinition(
                f"Odbc(…) has a table= that is no plain name{in_place()}; allowed: letters, digits and _ $ #, with "
                "points between the names of database, schema and table.",
                hint="Write a query for a name in quotes: Odbc('SELECT * FROM \"my table\"').",
            )
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", self.dsn_env):
            raise InvalidDefinition(
                f"Odbc(…) has a dsn_env= that is no name of an environment variable{in_place()}.",
                hint="Export the connection string, for example as TENURE_ODBC, and give dsn_env= that name.",
            )

    @property
    def select(self) -> str:
        """The query that is asked."""
        return self.query.strip().rstrip(";") or f"SELECT * FROM {self.table}"

    @property
    def place(self) -> str:
        """Where its rows come from, in words."""
        return f"{'table' if self.table else 'query'} on ${self.dsn_env}"

    @property
    def meaning(self) -> object:
        """The part of it that decides which rows it has: the query; the address of the database does not count."""
        return ("query", self.select)


#: Every class of raw table, and the module of `tenure/intake/readers/` that reads it.
_MODULES: dict[type[RawTable], str] = {
    Csv: "csv",
    Excel: "excel",
    FixedWidth: "fixed_width",
    JsonLines: "json_lines",
    Odbc: "odbc",
    Parquet: "parquet",
    Postgres: "postgres",
}
READERS: ByKind[str] = ByKind("reader of raw tables", _MODULES)

#: The same in words: Csv(…), Parquet(…), ….
READERS_IN_WORDS = ", ".join(calls(_MODULES))

_RAW = instance_of(READERS_IN_WORDS, *_MODULES)


def _is_named_raws(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(TEXT.test(n) and _RAW.test(r) for n, r in value.items())


#: What a source may read.
READ = either(f"{_RAW.words}, or several by name: {{'accounts': Csv(…), …}}", _RAW, Allowed("", _is_named_raws))
