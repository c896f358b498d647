"""Source: where rows come from, what their columns mean, and when each row was known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

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


#: Every class of raw table, and the module of `tenure/intake/readers/` that reads it.
_MODULES: dict[type[RawTable], str] = {
    Csv: "csv",
    JsonLines: "json_lines",
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
        texts = dict.fromkeys(("known_time", "ends", "select", "doc"), TEXT)
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
        if self.ends and self.arrival_delay and not self.known_time:
            raise InvalidDefinition(
                f"source '{self.name}' has ends='{self.ends}' and an arrival_delay ({self.where_defined}): when an end "
                "became known can't be told.",
                hint="Give it a known_time column, with one row when it begins and another when it ends.",
            )
        for name in self.raws:
            check_name("raw table", name, where=self.where_defined)

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


_QUARANTINE = share("a share in [0, 1)", least_is_allowed=True)
_UNMATCHED = Allowed("a share in [0, 1]", lambda value: _QUARANTINE.test(value) or (value == 1 and value is not True))

#: The longest arrival delay: ten years.
_DELAY = whole(0, 3660)

#: Relations that Tenure's tables and SELECTs name; a bank's source may not take their names.
RESERVED_TABLES = frozenset(
    {
        *TABLES,
        *STAGES,
        *"snapshots_stored landing dates raw_rows typed_rows clean_rows repeated_keys claims claiming_rows versions "
        "ordered customers_then measured "
        "staged_before now_by_month before_by_month there active_before outcome eligible without_answer "
        "ended_otherwise answered labelled drawn trained in_both checked intervals grid_days "
        "customer_numbers numbered spine_windows row_ends numbered_versions seen".split(),
    }
)
