"""FlatTable: one raw table without dates, one row a customer, with who left among its columns.

customers.csv ──► one snapshot of a nominal day ──► train: folds by customer or group ┊ test: other customers
                  nothing is known of when              every figure: not out of time
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from tenure.define.check import Check
from tenure.define.churn import ChurnDefinition
from tenure.define.events import Closure
from tenure.define.feature import Attribute, FeatureView
from tenure.define.naming import check_name, definition_place, invalid
from tenure.define.project import Entity, NoDates, Project, validate
from tenure.define.raw_tables import RawTable
from tenure.define.shape import NAME, TEXT, check_shape, either, instance_of, list_of, named, share, shown
from tenure.define.source import RESERVED_TABLES, Column, Source
from tenure.errors import InvalidDefinition, UnknownColumn, choices

#: The day that stands for the missing date in the lake's tables: that of the one snapshot.
NOMINAL_DAY = date(2000, 1, 3)

#: The first day that the data do not cover: the one label ends before it.
NOMINAL_END = date(2000, 1, 4)

#: The columns that the lake holds in place of dates: a row is known before the nominal day, and ends on it or never.
ROW_DAY, LEFT_DAY = "nominal_row_day", "nominal_left_day"

#: The roles of columns that are features.
_FEATURES = frozenset({"attribute", "measure", "dimension"})

#: A raw name that every engine reads without quotes.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_KEY = either("a column's name, or a list of them", NAME, list_of(NAME, least=1))
_COLUMNS = list_of(instance_of("Column(…)", Column), "a list of Column(…), one or more", least=1)
_HELD_OUT = share("a share in (0, 1)", least_is_allowed=False)


@dataclass(frozen=True)
class FlatTable:
    """A table without dates: one row a customer; `target` is the column that says who left, by the value `churned`.

    Features are the columns of role attribute, measure or dimension, without key, target and group. The share
    `held_out` of the customers, or of the groups where `group` names a column such as a household, is the test; the
    others are parted into folds. Both are drawn by a hash. A row without a target, or with a key that another has, is a
    bad row; `quarantine` is the share of those that may be set aside.

    It stands alone in sources.py: what has dates is a Source.
    """

    name: str
    read: RawTable = field(kw_only=True)
    key: str | Sequence[str] = field(kw_only=True)
    target: str = field(kw_only=True)
    churned: str = field(kw_only=True)
    columns: Sequence[Column] = field(kw_only=True)
    group: str = field(default="", kw_only=True)
    held_out: float = field(default=0.2, kw_only=True)
    quarantine: float = field(default=0.0, kw_only=True)
    doc: str = field(default="", kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)
    #: What it means to everything that reads definitions.
    source: Source = field(init=False, compare=False, repr=False)
    entity: Entity = field(init=False, compare=False, repr=False)
    view: FeatureView = field(init=False, compare=False, repr=False)
    churn: ChurnDefinition = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "where_defined", definition_place())
        check_name("flat table", self.name, reserved=RESERVED_TABLES, where=self.where_defined)
        called = named("flat table", self.name)
        check_shape(called, self, key=_KEY, target=NAME, churned=NAME, columns=_COLUMNS, group=TEXT, doc=TEXT)
        put(self, "columns", tuple(self.columns))
        put(self, "key", (self.key,) if isinstance(self.key, str) else tuple(self.key))
        self._check()
        put(self, "source", self._source())
        put(self, "entity", Entity("customer", key=self.keys, source=self.name))
        put(self, "view", FeatureView(f"{self.name}_columns", source=self.name, features=self._features()))
        put(self, "churn", ChurnDefinition("attrition", event=Closure(), horizon=1, doc=self.words))

    @property
    def keys(self) -> tuple[str, ...]:
        """The key's columns."""
        return tuple(self.key)

    @property
    def together(self) -> tuple[str, ...]:
        """The columns by which rows are held out and parted into folds: the group, else the key."""
        return (self.group,) if self.group else self.keys

    @property
    def words(self) -> str:
        """What counts as leaving, as a clause."""
        return f"{self.target} is '{self.churned}'"

    def project(self, name: str, checks: Mapping[str, Check]) -> Project:
        """Return the project of it alone, with the bank's own checks of its rows."""
        made = Project(
            name=name,
            entity=self.entity,
            sources={self.name: self.source},
            views={self.view.name: self.view},
            churn=self.churn,
            flat=NoDates(self.name, self.together, self.held_out, self.words, self.where_defined),
            checks=dict(checks),
        )
        validate(made)
        return made

    def _check(self) -> None:
        """Raise UnknownColumn or InvalidDefinition where its parts don't fit each other."""
        by_name = {column.name: column for column in self.columns}
        for role, given in (*(("key", key) for key in self.keys), ("target", self.target), ("group", self.group)):
            if given and given not in by_name:
                raise UnknownColumn(
                    f"flat table '{self.name}' has {role}='{given}', which is none of its columns: "
                    f"{choices(by_name)} ({self.where_defined}).",
                    hint="Give the name of a Column; raw= maps the raw spelling.",
                )
        if self.target in (*self.keys, self.group):
            raise invalid("flat table", self, f"has '{self.target}' as its target and as its key or group")
        if not isinstance(self.read, RawTable):
            raise invalid("flat table", self, f"reads {shown(self.read)}", "; allowed: one raw table, such as Csv(…)")
        if not _HELD_OUT.test(self.held_out):
            raise invalid("flat table", self, f"has held_out={shown(self.held_out)}", f"; allowed: {_HELD_OUT.words}")
        raw = by_name[self.target].raw_name
        if not _PLAIN.fullmatch(raw):
            hint = "Rename the column in the file, or declare a Source."
            raise invalid("flat table", self, f"has the target {raw!r}", "; allowed: letters, digits and _", hint=hint)
        for column in self.columns:
            if column.type in ("date", "timestamp") and column.role in (*_FEATURES, "time"):
                raise invalid(
                    "flat table",
                    self,
                    f"has '{column.name}', a {column.type}",
                    ", and no day from which to count it",
                    hint="Where the table has dates, declare a Source; else give the column role='metadata', or leave "
                    "it out.",
                )

    def _source(self) -> Source:
        """The table as every stage reads it, with nominal days in place of the dates that it lacks."""
        target = next(column for column in self.columns if column.name == self.target)
        value = self.churned.replace("'", "''")
        left = f"CASE WHEN TRIM(CAST({target.raw_name} AS STRING)) = '{value}' THEN '{NOMINAL_DAY}' END"
        nominal = [Column(ROW_DAY, type="date", role="time"), Column(LEFT_DAY, type="date", role="time")]
        own = [
            replace(column, role="metadata", required=True) if column.name == self.target else column
            for column in self.columns
        ]
        return Source(
            self.name,
            read=self.read,
            select=f"SELECT *, '2000-01-01' AS {ROW_DAY}, {left} AS {LEFT_DAY} FROM {self.name}",
            key=self.keys,
            columns=[*own, *nominal],
            event_time=ROW_DAY,
            ends=LEFT_DAY,
            quarantine=self.quarantine,
            doc=self.doc,
        )

    def _features(self) -> list[Attribute]:
        aside = {*self.keys, self.target, self.group}
        kept = [column for column in self.columns if column.role in _FEATURES and column.name not in aside]
        if not kept:
            hint = f"Declare columns of role {choices(_FEATURES)}."
            raise invalid("flat table", self, "has no column to learn from", hint=hint)
        return [Attribute(c.name, of=c.name, unit=c.unit, doc=c.doc or c.name.replace("_", " ")) for c in kept]


def only_flat(found: Mapping[str, FlatTable], others: Iterable[tuple[str, object]]) -> FlatTable:
    """Return the one flat table of a project; raise InvalidDefinition if there are several, or it does not stand alone.

    `others` are all definitions that need dates, each with its kind in words.
    """
    if len(found) > 1:
        raise InvalidDefinition(f"sources.py declares {len(found)} flat tables ({choices(found)}); allowed: one.")
    flat = next(iter(found.values()))
    for kind, other in others:
        raise InvalidDefinition(
            f"{kind} '{getattr(other, 'name', '')}' stands beside flat table '{flat.name}' ({flat.where_defined}), "
            "which has no dates: no window, label or snapshot can be made of it.",
            hint="Leave one of them out: a flat table stands alone, and what has dates is declared as a Source.",
        )
    return flat


def require_dates(project: Project, asked_by: str) -> None:
    """Raise InvalidDefinition if the project is that of a flat table: what `asked_by` names needs dates."""
    if project.flat is not None:
        flat = project.flat
        raise InvalidDefinition(
            f"{asked_by} needs dates, and flat table '{flat.name}' has none ({flat.where_defined}).",
            hint="Run 'tenure run': it does all that a table without dates allows. Where rows have dates, declare a "
            "Source with event_time=.",
        )
