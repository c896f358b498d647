"""Profiles of a snapshot's columns, as drift compares them and as rows of the table `snapshot_profiles`.

batches of a snapshot ─► NumberColumn, CategoryColumn ─► profile ─► row ─► profile
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date

import numpy as np
import pyarrow as pa

from tenure.checks.drift import quantiles
from tenure.checks.drift_findings import Profile
from tenure.insight.column_profile import CategoryColumn, NumberColumn, numbers_of
from tenure.insight.profile_rows import LEAST_PERSONS, Row, Subject, may_be_named


def profiles(subjects: Mapping[str, Subject], batches: Iterable[pa.RecordBatch]) -> dict[str, Profile]:
    """Return the profile of each column over the rows of one snapshot, read once."""
    columns: dict[str, NumberColumn | CategoryColumn] = {
        name: CategoryColumn() if subject.kind == "category" else NumberColumn() for name, subject in subjects.items()
    }
    for batch in batches:
        for name, column in columns.items():
            cells = batch.column(name)
            if isinstance(column, CategoryColumn):
                column.add("", cells)
            else:
                column.add("", numbers_of(cells))
    return {name: _profile(subjects[name], column) for name, column in columns.items()}


def _profile(subject: Subject, column: NumberColumn | CategoryColumn) -> Profile:
    if isinstance(column, CategoryColumn):
        counts = dict(column.whole) if may_be_named(subject, column) else None
        return Profile(subject.kind, column.rows[""], column.missing[""], counts=counts)
    found = column.whole
    may_be_given = found.count > 0 and (not subject.personal or found.count >= LEAST_PERSONS)
    is_flag = subject.kind == "flag" and not subject.personal
    cells = column.sorted_part("")
    return Profile(
        subject.kind,
        found.rows,
        found.rows - found.count,
        mean=found.mean if may_be_given else None,
        deviation=found.deviation if may_be_given else None,
        grid=None if subject.personal or is_flag or not len(cells) else quantiles(cells),
        counts=_flags(found.zeros, found.count) if is_flag else None,
    )


def _flags(zeros: int, count: int) -> dict[str, int]:
    """How often a flag is false and true, without one that it never is."""
    return {value: rows for value, rows in (("false", zeros), ("true", count - zeros)) if rows}


def profile_row(snapshot_date: date, column: str, profile: Profile, digest: str) -> Row:
    """Return a profile as a row of the table."""
    return {
        "snapshot_date": snapshot_date,
        "column_name": column,
        "kind": profile.kind,
        "rows": profile.rows,
        "missing": profile.missing,
        "mean": profile.mean,
        "deviation": profile.deviation,
        "quantiles": None if profile.grid is None else json.dumps(profile.grid.tolist()),
        "value_rows": None if profile.counts is None else json.dumps(profile.counts, sort_keys=True),
        "digest": digest,
    }


def profile_of_row(row: Row) -> Profile:
    """Return the profile that a row of the table holds."""
    grid, counts = row["quantiles"], row["value_rows"]
    return Profile(
        row["kind"],
        row["rows"],
        row["missing"],
        row["mean"],
        row["deviation"],
        None if grid is None else np.array(json.loads(grid), dtype=np.float64),
        None if counts is None else json.loads(counts),
    )
