"""Reasons: of rows that end, the column that says why, and which of its values are no leaving."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from tenure.begin.tables import NAMEABLE, REPEATED, RawColumn, RawTableSeen

_NAME = re.compile(r"reason|grund|motiv|cause|why|razon|raison|duvod|powod")

#: Ends that nobody chooses, or that lead to no other bank; 'moved to another bank' is none of them.
_NO_LEAVING = re.compile(
    r"deceas|\bdead\b|death|\bdied|verst[oö]rb|todesfall|d[ée]c[èé]s|fallec|zem[rř]el|umrl"
    r"|charged?.?off|writ(e|ten).?off|bad.?debt|abgeschrieben|abschreibung|fraud|betrug"
    r"|\bmoved(?!.*(bank|compet))|relocat|emigra|verzogen|umzug|umgezogen"
    r"|merge|consolidat|fusion|duplicate|dublette",
    re.IGNORECASE,
)

#: The share of rows seen with a reason that may have no end, and the most values that are named.
_ASTRAY, _MOST_VALUES = 0.02, 12


@dataclass(frozen=True)
class Reason:
    """The column that says why rows end: its raw name, its values if they can be named, whether some ends lack one."""

    raw: str
    values: tuple[str, ...]
    is_partial: bool
    why: str

    @property
    def leaving(self) -> tuple[str, ...]:
        """The values that may be leaving."""
        return tuple(value for value in self.values if not _NO_LEAVING.search(value))

    @property
    def other(self) -> tuple[str, ...]:
        """The values that are none, by their words."""
        return tuple(value for value in self.values if _NO_LEAVING.search(value))


def reason_of(table: RawTableSeen, ended: RawColumn) -> Reason | None:
    """Return the text of a table that by its name says why, and stands where rows end and hardly anywhere else."""
    ends = _known(table, ended)
    for column in table.columns.values():
        if column.type != "string" or column.personal or not _NAME.search(column.name):
            continue
        reasons = _known(table, column)
        with_end = [reason for reason, end in zip(reasons, ends, strict=True) if reason and end]
        filled = len(list(filter(None, reasons)))
        if not with_end or filled - len(with_end) > _ASTRAY * filled:
            continue
        rows = len(list(filter(None, ends)))
        why = f"filled in {len(with_end):,} of {rows:,} rows seen that end, in {filled - len(with_end):,} of the others"
        return Reason(column.raw, _named(with_end), len(with_end) < rows, why)
    return None


def _known(table: RawTableSeen, column: RawColumn) -> list[str | None]:
    return [None if value in column.format.null else value for value in table.sample[column.raw]]


def _named(values: list[str]) -> tuple[str, ...]:
    """The values, the most frequent first; none where they are many, or may be somebody's own words."""
    counts = Counter(values)
    is_few = len(counts) <= _MOST_VALUES and REPEATED * len(counts) <= len(values)
    return tuple(value for value, _ in counts.most_common()) if is_few and all(map(NAMEABLE.fullmatch, counts)) else ()
