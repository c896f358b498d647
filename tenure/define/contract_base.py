"""Contract: the conditions that a table of Tenure's must meet before its commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Invariant:
    """A condition that every row must meet, in portable SQL, and what it means."""

    name: str
    condition: str
    doc: str


@dataclass(frozen=True)
class Within:
    """A number that is null or lies from `low` to `high`, both included."""

    column: str
    low: float
    high: float
    doc: str

    @property
    def name(self) -> str:
        """The name of its check."""
        return f"{self.column}_is_within_{self.low:g}_and_{self.high:g}"

    @property
    def condition(self) -> str:
        """The condition in portable SQL."""
        return f"{self.column} BETWEEN {self.low!r} AND {self.high!r}"


@dataclass(frozen=True)
class OneOf:
    """A text that is null or one of a few."""

    column: str
    texts: tuple[str, ...]
    doc: str

    @property
    def name(self) -> str:
        """The name of its check."""
        return f"{self.column}_is_known"

    @property
    def condition(self) -> str:
        """The condition in portable SQL."""
        return f"{self.column} IN ({', '.join(map(repr, self.texts))})"


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A table's keys, partitions, columns that are never null, invariants, and whose rows it must have exactly.

    `columns` gives the Arrow types of columns that it must have; further columns are allowed. Rows that are checked
    in memory can have no invariants in SQL. `personal` names the columns whose values no message may show.
    """

    table: str
    keys: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    invariants: tuple[Invariant | Within | OneOf, ...] = ()
    same_rows_as: str = ""
    personal: frozenset[str] = frozenset()
    doc: str = ""

    def not_personal(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Return those of some columns that are not personal: their values may stand in logs and messages."""
        return tuple(name for name in columns if name not in self.personal)


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check: how many rows broke it, an example of them, and the SQL that found them."""

    table: str
    check: str
    failed_rows: int
    example: str = ""
    sql: str = field(default="", repr=False)

    @property
    def passed(self) -> bool:
        """Whether no row broke the check."""
        return self.failed_rows == 0
