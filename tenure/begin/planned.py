"""What is planned: sources and their columns as they are to be written, each with what was seen of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tenure.begin.reasons import Reason
from tenure.begin.tables import RawColumn, RawTableSeen
from tenure.define.raw_tables import RawTable


@dataclass
class PlannedColumn:
    """A column of a source, with what was seen of it."""

    name: str
    type: str
    role: str
    raw: str = ""
    seen: RawColumn | None = None
    unit: str = ""
    planned: bool = False
    #: What it says of why the rows of its source end, if that is what it says.
    reason: Reason | None = None
    why: list[str] = field(default_factory=list)


@dataclass
class PlannedSource:
    """A source as it is to be written."""

    name: str
    reads: dict[str, RawTable]
    columns: list[PlannedColumn]
    key: tuple[str, ...]
    key_why: str
    event_time: str
    known_time: str = ""
    ends: str = ""
    select: str = ""
    quarantine: float = 0.0
    unmatched: float = 0.0
    why: list[str] = field(default_factory=list)
    table: str = ""
    has_customer: bool = False
    has_own_time: bool = True

    @property
    def reason(self) -> PlannedColumn | None:
        """The column that says why its rows end, if there is one."""
        return next((column for column in self.columns if column.reason), None)

    def column(self, name: str) -> PlannedColumn:
        """Return the column of that name."""
        return next(column for column in self.columns if column.name == name)

    def of_raw(self, raw: str) -> str:
        """Return the name of the column that is spelled so in the raw table."""
        return next((column.name for column in self.columns if column.raw == raw), raw)


def rounded_up(share: float) -> float:
    """Return a share with some room, of one digit that counts: 0.00031 → 0.0005."""
    least = share * 1.2
    digit: float = 10 ** math.floor(math.log10(least))
    return min(0.99, round(math.ceil(least / digit) * digit, 6))


def set_latest_day(source: PlannedSource, table: RawTableSeen) -> None:
    """Give rows without any time a day after all others, so that no snapshot sees them before the bank says more."""
    day = "2100-01-01"
    selected = source.select or f"SELECT t.* FROM {table.name} AS t"
    head, _, rest = selected.partition("\nFROM") if "\nFROM" in selected else selected.partition(" FROM")
    source.select = f"{head}, '{day}' AS known_on\nFROM{rest}"
    source.columns.append(
        PlannedColumn("known_on", "date", "time", "known_on", why=["no date was found: set this day"])
    )
    source.event_time, source.has_own_time = "known_on", False


def equal_keys(one: str, other: str, *, as_text: bool) -> str:
    """Return the condition that two keys are equal, as texts where their tables write them as other types."""
    return f"CAST({one} AS STRING) = CAST({other} AS STRING)" if as_text else f"{one} = {other}"
