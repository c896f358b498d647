"""The rows of the tables of profiles and of distributions, from columns that were counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from tenure.insight.column_profile import (
    BINS,
    CategoryColumn,
    Kind,
    Moments,
    NumberColumn,
    Numbers,
    bins,
    distinct,
    ordered,
    outliers,
    placeholders,
    quartiles,
)

Row: TypeAlias = dict[str, Any]

#: Rows of which a mean of personal cells may be given: of fewer it says something of a person.
LEAST_PERSONS = 100

#: A category with more values than this, most of which stand in one row, names its rows: its values are left out.
_MOST_NAMED = 50


@dataclass(frozen=True)
class Subject:
    """A column to profile: where it lies, what it holds, its meaning, and whether its values may be given."""

    relation: str
    name: str
    kind: Kind
    text: str = ""
    unit: str = ""
    personal: bool = False

    @property
    def place(self) -> Row:
        """The cells that name it."""
        return {"relation": self.relation, "column_name": self.name, "kind": self.kind}


def number_rows(subject: Subject, column: NumberColumn) -> Iterator[Row]:
    """Yield the profile of all cells, then that of each snapshot."""
    whole = column.whole
    cells = column.sorted_whole
    yield subject.place | {"snapshot_date": None} | _of_numbers(subject, whole, cells)
    spread = whole.deviation
    parts = _snapshots(column.parts)
    first = next((column.parts[day] for day in parts if column.parts[day].count), None)
    for day in parts:
        moments = column.parts[day]
        row = subject.place | {"snapshot_date": day}
        row |= _of_numbers(subject, moments, column.sorted_part(day))
        if spread and first is not None and moments.count:
            row["shift"] = (moments.mean - first.mean) / spread
        yield row


def _of_numbers(subject: Subject, moments: Moments, cells: Numbers) -> Row:
    below, above = outliers(cells)
    row: Row = {
        "rows": moments.rows,
        "missing": moments.rows - moments.count,
        "zeros": moments.zeros,
        "distinct_values": distinct(cells),
        "outliers_below": below,
        "outliers_above": above,
        "placeholder_days": placeholders(cells) if subject.kind == "day" else None,
    }
    if moments.count and (not subject.personal or moments.count >= LEAST_PERSONS):
        row |= {"mean": moments.mean, "deviation": moments.deviation}
    middle = quartiles(cells)
    if middle is not None and not subject.personal:
        row |= dict(zip(("lower_quartile", "median", "upper_quartile"), middle, strict=True))
        row |= {"least": moments.least, "greatest": moments.greatest}
    return row


def category_rows(subject: Subject, column: CategoryColumn) -> Iterator[Row]:
    """Yield the profile of all cells, then that of each snapshot."""
    counts = column.whole
    yield (
        subject.place
        | {"snapshot_date": None}
        | _of_texts(subject, column, sum(column.rows.values()), sum(column.missing.values()), counts)
    )
    parts = _snapshots(column.rows)
    first = next((column.values[day] for day in parts if column.values.get(day)), None)
    for day in parts:
        found = column.values.get(day) or Counter[str]()
        row = subject.place | {"snapshot_date": day}
        row |= _of_texts(subject, column, column.rows[day], column.missing[day], found)
        if first and found:
            row["shift"] = distance(first, found)
        yield row


def _of_texts(subject: Subject, column: CategoryColumn, rows: int, missing: int, counts: Mapping[str, int]) -> Row:
    row: Row = {"rows": rows, "missing": missing, "distinct_values": None if column.is_full else len(counts)}
    if counts and may_be_named(subject, column):
        value, number = min(counts.items(), key=lambda item: (-item[1], item[0]))
        row |= {"most_frequent": value, "most_frequent_rows": number}
    return row


def may_be_named(subject: Subject, column: CategoryColumn) -> bool:
    """Return whether a category's values may be given: none of personal ones, nor of names and free text."""
    counts = column.whole
    present = sum(counts.values())
    return not (subject.personal or column.is_full or (len(counts) > _MOST_NAMED and 2 * len(counts) > present))


def distance(first: Mapping[str, int], later: Mapping[str, int]) -> float:
    """Return the share of rows that would have to change their value for both to be distributed alike."""
    one, other = sum(first.values()), sum(later.values())
    return sum(abs(first.get(value, 0) / one - later.get(value, 0) / other) for value in {*first, *later}) / 2


def distribution_of_numbers(subject: Subject, column: NumberColumn) -> Iterator[Row]:
    """Yield the bins of all cells; none of a personal column."""
    if subject.personal:
        return
    for position, found in enumerate(bins(column.sorted_whole)):
        yield _bin(subject, position, found.rows) | {"bin_start": found.start, "bin_end": found.end}


def distribution_of_texts(subject: Subject, column: CategoryColumn) -> Iterator[Row]:
    """Yield the most frequent values, and in a last row without a value how many rows have others."""
    if not may_be_named(subject, column):
        return
    found = ordered(column.whole)
    for position, (value, rows) in enumerate(found[: BINS - 1]):
        yield _bin(subject, position, rows) | {"value": value}
    rest = sum(rows for _, rows in found[BINS - 1 :])
    if rest:
        yield _bin(subject, BINS - 1, rest)


def _bin(subject: Subject, position: int, rows: int) -> Row:
    return {"relation": subject.relation, "column_name": subject.name, "position": position, "rows": rows}


def _snapshots(parts: Mapping[Hashable, object]) -> list[date]:
    """The parts that are snapshots, in order."""
    return sorted(part for part in parts if isinstance(part, date))
