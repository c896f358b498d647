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
from tenure.define.raw_tables import READ, SPELLINGS, RawTable
from tenure.define.shape import (
    FLAG,
    NAME,
    TEXT,
    Allowed,
    check_shape,
    either,
    instance_of,
    list_of,
    named,
    share,
    shown,
    whole,
)
from tenure.define.stage import STAGES, TABLES
from tenure.define.value_type import MOST_DIGITS, PRECISION, SCALE, ValueType
from tenure.errors import InvalidDefinition, UnknownColumn, choices

Type: TypeAlias = Literal["string", "integer", "decimal", "float", "boolean", "date", "timestamp"]
Role: TypeAlias = Literal["key", "attribute", "measure", "dimension", "time", "pii", "protected", "metadata"]

TYPES: tuple[str, ...] = ("string", "integer", "decimal", "float", "boolean", "date", "timestamp")
ROLES: tuple[str, ...] = ("key", "attribute", "measure", "dimension", "time", "pii", "protected", "metadata")

#: The roles of columns that hold a person's data: no message shows their values.
PERSONAL_ROLES = frozenset({"pii", "protected"})

#: The roles of columns that reach no list, unless they are declared publish=True.
PUBLISHABLE = ("pii", "metadata")


_FORMATS = either("a strptime format, or several", TEXT, list_of(NAME, least=1))
#: What may stand between thousands; '' for nothing.
_THOUSANDS = ("", ".", ",", " ", "'")


#: How many digits a decimal has, and how many of them behind the point; None where the column does not say.
_NOT_SAID = Allowed("None", lambda value: value is None)
_PRECISION = either(f"a whole number, 1 to {MOST_DIGITS}", _NOT_SAID, whole(1, MOST_DIGITS))
_SCALE = either("a whole number, 0 to precision", _NOT_SAID, whole(0, MOST_DIGITS))


_KEY = either("a column's name, or a list of them", NAME, list_of(NAME, least=1))


@dataclass(frozen=True)
class Column:
    """One column of a source: its name, type, role, unit and meaning.

    `raw` is its spelling in the raw table where that differs. `format` is the strptime format of a date or
    timestamp, or several, of which the first that fits counts (days and months may have one digit; a year of two is
    read by `%y` alone and follows POSIX: 69-99 are 19xx, 00-68 are 20xx). `null` lists further spellings of null in
    its text. `decimal`, `thousands` and `currency` say how a bank writes its numbers: with decimal=',', thousands='.'
    and currency='€' the texts '1.234,50 €', '-1.234,50' and, as accountants write a negative, '(1.234,50)' and
    '1.234,50-' are read; thousands must stand in groups of three. `precision` is how many digits a decimal has, up to
    38, and `scale` how many of them stand behind the point; 18 and 2 if left out. A value with more places is rounded
    and counted, one with more digits before the point is a bad row. `required` makes a null a bad
    row; keys and times are always required, except the end time of a row. `planned` says that a date or timestamp
    is a plan, such as a due date, a maturity or a value date: it may lie after the row became known, where
    in any other column such a value shows that the row was written later than it claims. `fixed`
    says that the value is as it was when the row began, such as a place of birth: closing does not write it.
    `publish` puts a column of role 'pii' or 'metadata' on the attrition list, such as a name or a branch, and nowhere
    else: it must be of the customer's own row. The role 'protected' is for what the law keeps out of decisions on
    people, such as gender: no feature, label or list is made of it, and only `tenure evaluate` reads it, to compare how
    groups fare.
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
    precision: int | None = field(default=None, kw_only=True)
    scale: int | None = field(default=None, kw_only=True)
    unit: str = field(default="", kw_only=True)
    doc: str = field(default="", kw_only=True)
    required: bool = field(default=False, kw_only=True)
    planned: bool = field(default=False, kw_only=True)
    fixed: bool = field(default=False, kw_only=True)
    publish: bool = field(default=False, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        where = definition_place()
        check_name("column", self.name, reserved=RESERVED_COLUMNS, where=where)
        texts = dict.fromkeys(("type", "role", "raw", "unit", "doc", "decimal", "thousands", "currency"), TEXT)
        flags = dict.fromkeys(("required", "planned", "fixed", "publish"), FLAG)
        check_shape(named("column", self.name), self, **texts, **flags, format=_FORMATS, null=SPELLINGS)
        check_shape(named("column", self.name), self, precision=_PRECISION, scale=_SCALE)
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
        if self.publish and self.role not in PUBLISHABLE:
            raise InvalidDefinition(
                f"column '{self.name}' has role '{self.role}' and publish=True ({where}); allowed of role: "
                f"{', '.join(PUBLISHABLE)}.",
                hint="publish=True puts a column of the customer's own row on the attrition list, and nowhere else.",
            )
        self._check_numbers(where)
        self._check_digits(where)
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

    def _check_digits(self, where: str) -> None:
        """Give a decimal the digits that it does not say; raise InvalidDefinition for some that fit none."""
        said = {"precision": self.precision, "scale": self.scale}
        if self.type != "decimal":
            for name, digits in said.items():
                if digits is not None:
                    raise InvalidDefinition(
                        f"column '{self.name}' is of type {self.type} and can't have {name}={digits} ({where}); "
                        "allowed: of type decimal.",
                        hint=f"Make it type='decimal', or leave {name}= out.",
                    )
            return
        object.__setattr__(self, "precision", PRECISION if self.precision is None else self.precision)
        object.__setattr__(self, "scale", SCALE if self.scale is None else self.scale)
        if self.value_type.scale > self.value_type.precision:
            given = ", ".join(f"{name}={digits}" for name, digits in said.items() if digits is not None)
            raise InvalidDefinition(
                f"column '{self.name}' has {given} ({where}): of its {self.precision} digits {self.scale} can't stand "
                f"behind the point; allowed: a scale from 0 to {self.precision}.",
                hint=f"precision= counts all digits ({PRECISION} if left out, {MOST_DIGITS} at most), scale= those "
                f"behind the point ({SCALE} if left out).",
            )

    @property
    def value_type(self) -> ValueType:
        """The type of its values, with a decimal's digits."""
        if self.precision is None or self.scale is None:
            return ValueType(self.type)
        return ValueType(self.type, self.precision, self.scale)

    @property
    def is_personal(self) -> bool:
        """Whether it is declared to hold a person's data."""
        return self.role in PERSONAL_ROLES

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


def refused_protected(says: str) -> InvalidDefinition:
    """Return the error of a definition that would make something of a protected column: it says so in `says`."""
    return InvalidDefinition(
        f"{says}, which is protected: no feature, label or list may be made of it.",
        hint="Leave it out: 'tenure evaluate' alone reads protected columns, to compare how groups fare. Where the law "
        "lets models read it, give the column another role in sources.py.",
    )


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
        check_shape(named("source", self.name), self, read=READ, columns=columns, key=_KEY, event_time=NAME, **texts)

    def _check_shape(self) -> None:
        repeated = Counter(self.column_names) - Counter(set(self.column_names))
        if repeated:
            twice = min(repeated)
            raise InvalidDefinition(f"source '{self.name}' declares column {twice!r} twice ({self.where_defined}).")
        times = list(filter(None, (self.event_time, self.known_time, self.ends)))
        for name in (*self.keys, *times):
            self.column(name)
        for name in filter(None, (*self.keys, *times, self.extracted)):
            if self.column(name).role == "protected":
                raise InvalidDefinition(
                    f"source '{self.name}' uses '{name}' as a key or a time, and it is protected "
                    f"({self.where_defined}): other tables would hold it.",
                    hint="Give the source a key and times that say nothing of a protected attribute, or the column "
                    "another role.",
                )
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
    def version_key(self) -> tuple[str, ...]:
        """The columns that tell a version of a row: the key's, and the known time where there is one."""
        return (*self.keys, self.known_time) if self.known_time else self.keys

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
        "versions ordered customers_then measured new_rows met_rows staged_rows rows_again "
        "versions_now customers_before some_rows known_before joined_before came_or_went "
        "staged_before now_by_month before_by_month there active_before outcome eligible without_answer "
        "ended_otherwise answered labelled drawn trained in_both checked intervals grid_days "
        "explore customer_numbers numbered spine_windows row_ends numbered_versions seen "
        "ledger_bookings ledger_days with_day_before in_chains ledger_chains walked_chains chain_openings opened_days "
        "nearest_balances judged_days beside_day_before held_against stated_balances last_stated both_sides "
        "until_balance balance_spans broken_accounts in_turn told_apart beside_bookings explained_breaks broken_days "
        "version_before version_after older newer paired compared changed_cells "
        "rows_of_other cells hashed_rows alike_rows protected_then published_then suppressed refused_keys".split(),
    }
)
