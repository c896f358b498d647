"""Rules of a staged table that the bank's contract adds to its definition: ranges, values, freshness, relations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ColumnRules:
    """What a column's values may be: from `low` to `high`, one of `allowed`, and at most this share of nulls.

    None and () say nothing. Dates and timestamps are bounded by ISO text.
    """

    low: float | str | None = None
    high: float | str | None = None
    allowed: tuple[str, ...] = ()
    most_null: float | None = None


@dataclass(frozen=True, kw_only=True)
class Relation:
    """Columns whose values must be the key of a row in another staged table; at most this share of rows may not."""

    columns: tuple[str, ...]
    table: str
    its_columns: tuple[str, ...]
    most_unmatched: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TableRules:
    """The rules of one staged table, who owns it, and within how many days of an event its row must arrive."""

    table: str
    owner: str = ""
    fresh_within_days: int | None = None
    columns: Mapping[str, ColumnRules] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()
