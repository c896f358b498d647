"""Source: where rows come from, what their columns mean, and when each row was known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal, TypeAlias
from zoneinfo import available_timezones

from tenure.define.naming import RESERVED_COLUMNS, check_name, definition_place
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
    named,
    one_of,
    share,
    shown,
    whole,
)
from tenure.define.stage import STAGES, TABLES
from tenure.errors import InvalidDefinition, UnknownColumn, choices

Type: TypeAlias = Literal["string", "integer", "decimal", "float", "boolean", "date", "timestamp"]
Role: TypeAlias = Literal["key", "attribute", "measure", "dimension", "time", "pii", "metadata"]

TYPES: tuple[str, ...] = ("string", "integer", "decimal", "float", "boolean", "date", "timestamp")
ENCODINGS: tuple[str, ...] = ("utf-8", "latin-1")
#: EBCDIC: of the United States, Germany, the International page, and the first with a euro sign.
EBCDIC: tuple[str, ...] = ("cp037", "cp273", "cp500", "cp1140")
ROLES: tuple[str, ...] = ("key", "attribute", "measure", "dimension", "time", "pii", "metadata")


_FORMATS = either("a strptime format, or several", TEXT, list_of(NAME, least=1))
#: What may stand between thousands; '' for nothing.
_THOUSANDS = ("", ".", ",", " ", "'")
_NULLS = list_of(TEXT, "a list of texts, such as ('?', 'n/a')")


class RawTable:
    """A raw table's declaration: what it says of itself. The code that reads it stands in `tenure/intake/readers/`.

    `path` is that of the files that it reads, which may hold `*`, '' where it reads none; `null` are further spellings
    of null in its text, where an empty text is always null.
    """

    path: str
    null: Sequence[str]

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
        check_shape(f"Csv('{self.path}')", self, delimiter=TEXT, encoding=TEXT, null=_NULLS)
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
        check_shape(f"Excel('{self.path}')", self, sheet=TEXT, header_row=_HEADER_ROW, null=_NULLS)
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
        check_shape(f"JsonLines('{self.path}')", self, null=_NULLS)
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
        check_shape(subject, self, layout=_LAYOUT, encoding=encoding, line_breaks=FLAG, null=_NULLS)
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
    """

    query: str
    path, null = "", ()
    dsn: str = field(default="TENURE_POSTGRES_DSN", kw_only=True)

    def __post_init__(self) -> None:
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
    named as the database tells them; many write those names in capitals.
    """

    query: str = ""
    path, null = "", ()
    table: str = field(default="", kw_only=True)
    dsn_env: str = field(default="TENURE_ODBC", kw_only=True)

    def __post_init__(self) -> None:
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


_READ = either(f"{_RAW.words}, or several by name: {{'accounts': Csv(…), …}}", _RAW, Allowed("", _is_named_raws))
_KEY = either("a column's name, or a list of them", NAME, list_of(NAME, least=1))


@dataclass(frozen=True)
class Column:
    """One column of a source: its name, type, role, unit and meaning.

    `raw` is its spelling in the raw table where that differs. `format` is the strptime format of a date or
    timestamp, or several, of which the first that fits counts (days and months may have one digit; a year of two is
    read by `%y` alone and follows POSIX: 69-99 are 19xx, 00-68 are 20xx). `null` lists further spellings of null in
    its text. `decimal`, `thousands` and `currency` say how a bank writes its numbers: with decimal=',', thousands='.'
    and currency='€' the texts '1.234,50 €', '-1.234,50' and, as accountants write a negative, '(1.234,50)' and
    '1.234,50-' are read; thousands must stand in groups of three. `required` makes a null a bad
    row; keys and times are always required, except the end time of a row. `planned` says that a date or timestamp
    is a plan, such as a due date, a maturity or a value date: it may lie after the row became known, where
    in any other column such a value shows that the row was written later than it claims. `fixed`
    says that the value is as it was when the row began, such as a place of birth: closing does not write it.
    """

    name: str
    type: Type = field(default="string", kw_only=True)
    role: Role = field(default="attribute", kw_only=True)
    raw: str = field(default="", kw_only=True)
    format: str | Sequence[str] = field(default="", kw_only=True)
    null: Sequence[str] = field(default=(), kw_only=True)
    decimal: str = field(default="", kw_only=True)
    thousands: str = field(default="", kw_only=True)
    currency: str = field(default="", kw_only=True)
    unit: str = field(default="", kw_only=True)
    doc: str = field(default="", kw_only=True)
    required: bool = field(default=False, kw_only=True)
    planned: bool = field(default=False, kw_only=True)
    fixed: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        where = definition_place()
        check_name("column", self.name, reserved=RESERVED_COLUMNS, where=where)
        texts = dict.fromkeys(("type", "role", "raw", "unit", "doc", "decimal", "thousands", "currency"), TEXT)
        flags = dict.fromkeys(("required", "planned", "fixed"), FLAG)
        check_shape(named("column", self.name), self, **texts, **flags, format=_FORMATS, null=_NULLS)
        object.__setattr__(self, "null", tuple(self.null))
        if not isinstance(self.format, str):
            object.__setattr__(self, "format", tuple(self.format))
        for what, got, allowed in (("type", self.type, TYPES), ("role", self.role, ROLES)):
            if got not in allowed:
                raise InvalidDefinition(
                    f"column '{self.name}' has {what} '{got}' ({where}); allowed: {', '.join(allowed)}."
                )
        if self.format and self.type not in ("date", "timestamp"):
            raise InvalidDefinition(f"column '{self.name}' is a {self.type} and can't have a date format ({where}).")
        self._check_numbers(where)
        if self.planned and self.type not in ("date", "timestamp"):
            raise InvalidDefinition(
                f"column '{self.name}' is a {self.type} and can't be planned ({where}); allowed: date, timestamp."
            )

    def _check_numbers(self, where: str) -> None:
        """Raise InvalidDefinition for a number's format that is none, or that a column which is no number has."""
        if not self.has_number_format:
            return
        if self.type not in ("integer", "decimal", "float"):
            raise InvalidDefinition(
                f"column '{self.name}' is a {self.type} and can't have decimal=, thousands= or currency= ({where})."
            )
        marks = (self.decimal or ".", self.thousands)
        if self.decimal not in ("", ".", ",") or self.thousands not in _THOUSANDS or marks[0] == marks[1]:
            raise InvalidDefinition(
                f"column '{self.name}' has decimal={self.decimal!r}, thousands={self.thousands!r} ({where}); allowed: "
                "decimal '.' or ',', thousands '.', ',', ' ' or \"'\", and not both the same."
            )
        if not re.fullmatch(r"[A-Za-z]{0,5}|[^\x00-\x7f]|[$]", self.currency):
            raise InvalidDefinition(
                f"column '{self.name}' has currency={self.currency!r} ({where}); allowed: one sign, such as '€', or a "
                "code of letters, such as 'USD'."
            )

    @property
    def has_number_format(self) -> bool:
        """Whether its numbers are written as a bank writes them, and not as a program does."""
        return bool(self.decimal or self.thousands or self.currency)

    @property
    def formats(self) -> tuple[str, ...]:
        """The strptime formats of a date or timestamp, in the order in which they are tried."""
        return tuple(filter(None, (self.format,))) if isinstance(self.format, str) else tuple(self.format)

    @property
    def raw_name(self) -> str:
        """The column's spelling in the raw table."""
        return self.raw or self.name


@dataclass(frozen=True)
class Source:
    """A staged table: rows with a key, an event time and a known time.

        event_time        when it happened                    a feature's window counts by it
        known_time        when the bank could first know it   a row counts at t only if known_time < t

    `read` is one raw table, or several by name for a `select`: the bank's own SELECT that joins and
    renames them. Rows with the same `key` and different known times are versions of one row: a snapshot sees
    the newest version known before it. A source without a `known_time` column declares `arrival_delay` days.
    `ends` names the column that closes a row (an account's closing day): a row is open at t if it began
    before t and did not end before t; it may not be read by features, since it is written after the fact.
    `quarantine` is the share of rows that may be set aside, with their reason, before intake refuses the table;
    `unmatched` the share whose customer may be none: their events would be lost without a word.
    `history="capture"` is for a table that the bank exports only as it is today: each staging keeps the versions
    that it saw, known at the time of the extract; rows that an extract lacks are kept with their end. Of the time
    before the first extract only keys, times and columns with `fixed=True` are known. `extracted` names the column
    that tells when the extract was made; else a date in the file's or its folder's name does, or `--extracted`.
    `arrival_delay` is then how many days lie between two extracts at most.
    `timezone` is the zone of its timestamps without an offset, such as 'Europe/Berlin'; of UTC if left out.
    """

    name: str
    read: RawTable | Mapping[str, RawTable] = field(kw_only=True)
    columns: Sequence[Column] = field(kw_only=True)
    key: str | Sequence[str] = field(kw_only=True)
    event_time: str = field(kw_only=True)
    known_time: str = field(default="", kw_only=True)
    arrival_delay: int = field(default=0, kw_only=True)
    ends: str = field(default="", kw_only=True)
    select: str = field(default="", kw_only=True)
    timezone: str = field(default="", kw_only=True)
    history: Literal["", "capture"] = field(default="", kw_only=True)
    extracted: str = field(default="", kw_only=True)
    quarantine: float = field(default=0.0, kw_only=True)
    unmatched: float = field(default=0.01, kw_only=True)
    doc: str = field(default="", kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        place = definition_place()
        put = object.__setattr__
        put(self, "where_defined", place)
        self._check_fields()
        put(self, "key", (self.key,) if isinstance(self.key, str) else tuple(self.key))
        put(self, "columns", tuple(self.columns))
        read = self.read if isinstance(self.read, Mapping) else {self.name: self.read}
        put(self, "read", dict(read))
        check_name("source", self.name, reserved=RESERVED_TABLES, where=place)
        self._check_shape()

    def _check_fields(self) -> None:
        columns = list_of(instance_of("Column(…)", Column), "a list of Column(…), one or more", least=1)
        texts = dict.fromkeys(("known_time", "ends", "select", "timezone", "history", "extracted", "doc"), TEXT)
        check_shape(named("source", self.name), self, read=_READ, columns=columns, key=_KEY, event_time=NAME, **texts)

    def _check_shape(self) -> None:
        repeated = Counter(self.column_names) - Counter(set(self.column_names))
        if repeated:
            twice = min(repeated)
            raise InvalidDefinition(f"source '{self.name}' declares column {twice!r} twice ({self.where_defined}).")
        times = list(filter(None, (self.event_time, self.known_time, self.ends)))
        for name in (*self.keys, *times):
            self.column(name)
        for name in times:
            if self.column(name).type not in ("date", "timestamp"):
                raise InvalidDefinition(
                    f"source '{self.name}' uses '{name}' as a time, but it is a {self.column(name).type} "
                    f"({self.where_defined}); allowed: date, timestamp."
                )
        if len(self.raws) > 1 and not self.select:
            raise InvalidDefinition(
                f"source '{self.name}' reads {len(self.raws)} tables and has no select= to join them "
                f"({self.where_defined})."
            )
        self._check_limits()
        self._check_timezone()
        self._check_history()
        if self.ends and self.arrival_delay and not self.known_time and not self.is_captured:
            raise InvalidDefinition(
                f"source '{self.name}' has ends='{self.ends}' and an arrival_delay ({self.where_defined}): when an end "
                "became known can't be told.",
                hint="Give it a known_time column, with one row when it begins and another when it ends.",
            )
        for name in self.raws:
            check_name("raw table", name, where=self.where_defined)

    def _check_history(self) -> None:
        """Raise InvalidDefinition for a history that is none, or that contradicts the source's other times."""
        if self.history not in ("", "capture"):
            raise InvalidDefinition(
                f"source '{self.name}' has history={self.history!r} ({self.where_defined}); allowed: 'capture'."
            )
        if self.extracted and not self.is_captured:
            raise InvalidDefinition(
                f"source '{self.name}' has extracted='{self.extracted}' without history='capture' "
                f"({self.where_defined})."
            )
        if not self.is_captured:
            return
        if self.known_time:
            raise InvalidDefinition(
                f"source '{self.name}' has history='capture' and known_time='{self.known_time}' "
                f"({self.where_defined}): its rows are known when they are extracted.",
                hint="Leave out known_time, or history= if each row tells when it was known.",
            )
        if not self.arrival_delay:
            raise InvalidDefinition(
                f"source '{self.name}' has history='capture' and no arrival_delay ({self.where_defined}).",
                hint="Say how many days lie between two extracts at most: arrival_delay=31 where one is made a month.",
            )
        if self.extracted and self.column(self.extracted).type not in ("date", "timestamp"):
            raise InvalidDefinition(
                f"source '{self.name}' has extracted='{self.extracted}', which is a "
                f"{self.column(self.extracted).type} ({self.where_defined}); allowed: date, timestamp."
            )

    def _check_timezone(self) -> None:
        """Raise InvalidDefinition for an unknown zone; where a machine has no list of them, by its form."""
        known = available_timezones()
        if not self.timezone or (self.timezone in known if known else _ZONE.fullmatch(self.timezone)):
            return
        near = get_close_matches(self.timezone, known, 3, 0.5)
        raise InvalidDefinition(
            f"source '{self.name}' has timezone={self.timezone!r} ({self.where_defined}); allowed: the name of a zone, "
            f"such as {', '.join(near or ['Europe/Berlin', 'America/New_York'])}."
        )

    def _check_limits(self) -> None:
        if not (_QUARANTINE.test(self.quarantine) and _UNMATCHED.test(self.unmatched)):
            raise InvalidDefinition(
                f"source '{self.name}' has quarantine={shown(self.quarantine)}, unmatched={shown(self.unmatched)} "
                f"({self.where_defined}); quarantine is a share in [0, 1), unmatched one in [0, 1]."
            )
        if not _DELAY.test(self.arrival_delay):
            raise InvalidDefinition(
                f"source '{self.name}' has arrival_delay={shown(self.arrival_delay)} ({self.where_defined}); allowed: "
                f"whole days, {_DELAY.words.partition(', ')[2]}."
            )

    @property
    def raws(self) -> Mapping[str, RawTable]:
        """The raw tables by their name in `select`."""
        if not isinstance(self.read, Mapping):
            raise TypeError("read is normalised when a Source is made")
        return self.read

    @property
    def keys(self) -> tuple[str, ...]:
        """The key's columns."""
        return tuple(self.key)

    @property
    def is_captured(self) -> bool:
        """Whether its versions are those that stagings saw, since the bank exports it only as it is today."""
        return self.history == "capture"

    @property
    def known_before_capture(self) -> frozenset[str]:
        """Of a captured source, the columns that are known of the time before its first extract."""
        fixed = (column.name for column in self.columns if column.fixed)
        return frozenset((*self.keys, *fixed, *filter(None, (self.event_time, self.ends))))

    @property
    def known_by_day(self) -> bool:
        """Whether a date alone tells when a row was known: it is known when that day is over."""
        return self.column(self.known_time or self.event_time).type == "date"

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of its columns, in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """Return the column so named, or raise UnknownColumn with the columns there are."""
        for column in self.columns:
            if column.name == name:
                return column
        raise UnknownColumn(
            f"source '{self.name}' has no column '{name}'; columns: {choices(self.column_names)} "
            f"({self.where_defined}).",
            hint="Fix the definition, then run 'tenure check'.",
        )


#: The form of a zone's name.
_ZONE = re.compile("[A-Za-z_]+(/[A-Za-z0-9_+-]+){0,2}")

_QUARANTINE = share("a share in [0, 1)", least_is_allowed=True)
_UNMATCHED = Allowed("a share in [0, 1]", lambda value: _QUARANTINE.test(value) or (value == 1 and value is not True))

#: The longest arrival delay: ten years.
_DELAY = whole(0, 3660)

#: Relations that Tenure's tables and SELECTs name; a bank's source may not take their names.
RESERVED_TABLES = frozenset(
    {
        *TABLES,
        *STAGES,
        *"snapshots_stored landing dates raw_rows came typed typed_rows clean_rows repeated_keys claims claiming_rows "
        "versions ordered customers_then measured "
        "staged_before now_by_month before_by_month there active_before outcome eligible without_answer "
        "ended_otherwise answered labelled drawn trained in_both checked intervals grid_days "
        "customer_numbers numbered spine_windows row_ends numbered_versions seen".split(),
    }
)
