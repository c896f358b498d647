"""Features that look like the label: one column that alone tells who churns is more likely a leak than a discovery.

A status that is overwritten when a customer leaves, or a date that is filled in then, tells the label nearly
perfectly at the newest labelled snapshot, and less well before: so each snapshot is looked at on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tenure.define.project import Project
from tenure.sql import TYPE_NAMES, Dialect, date_literal, op

#: The least area under the ROC curve with which one feature is taken for the label in disguise.
AUROC_LIMIT = 0.98

#: The least share of churners among rows with a telling value, and of all churners that such rows must hold.
PURITY, COVERAGE = 0.98, 0.25

#: Fewer churners, or fewer that stayed, are no evidence.
LEAST = 10

#: More values than these are numbers or names, not categories.
MOST_VALUES = 50


#: A sample's share of the customers is counted in 256ths.
WHOLE = 256


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Labelled rows to look at: of some snapshots, oldest first, and of so many 256ths of the customers."""

    days: tuple[date, ...]
    customers: int = WHOLE


@dataclass(frozen=True)
class LookAlike:
    """How one feature tells the label: in words, and the share or area that shows it."""

    told: str
    figure: float


def look_alike(values: pa.Array, churned: npt.NDArray[np.int64]) -> LookAlike | None:
    """Return how `values` alone tell `churned` (0 or 1, row by row), or None if they don't or the rows are too few."""
    churners = int(churned.sum())
    if churners < LEAST or len(churned) - churners < LEAST:
        return None
    codes, labels = _codes(values)
    value = _telling_value(codes, labels, churned)
    if value:
        return value
    if not _is_number(values.type) and len(labels) > MOST_VALUES:
        return None
    by_rate = not _is_number(values.type)
    area = max(auroc(order, churned) for order in _orders(codes, churned, by_rate=by_rate))
    if area < AUROC_LIMIT:
        return None
    return LookAlike(f"alone it ranks churners with an AUROC of {area:.3f}; under {AUROC_LIMIT} is plausible", area)


def changes_told(changed: int, changed_churned: int, rows: int, churners: int) -> LookAlike | None:
    """Return how a feature's changes tell the label, where nearly all of them are at rows that churn, or None."""
    if changed_churned < LEAST or changed_churned < PURITY * changed or churners > rows / 2:
        return None
    share = changed_churned / changed
    told = (
        f"{changed_churned:,} of its {changed:,} changes ({share:.1%}) are at rows that churn, {churners:,} of {rows:,}"
    )
    return LookAlike(f"{told}; under {PURITY:.0%} is plausible", share)


def rows_statement(project: Project, names: Sequence[str], sample: Sample, dialect: Dialect) -> str:
    """Return the SELECT of `snapshot_date`, `churned` and the features `names` of the sampled rows."""
    columns = ", ".join(["snapshot_date", "churned", *names])
    return f"SELECT {columns}\nFROM training_set\nWHERE {_of_sample(sample, project, dialect)}"


def changes_statement(project: Project, names: Sequence[str], sample: Sample, dialect: Dialect) -> str:
    """Return the SELECT of one row: `row_count`, `churners`, and each feature's `changed_n` and `ill_n`.

    A change is from one sampled snapshot to the customer's next; an ill one is at a row that churns.
    """
    over = f"OVER (PARTITION BY {', '.join(project.entity.keys)} ORDER BY snapshot_date)"
    moved = [f"CASE WHEN {n} IS DISTINCT FROM LAG({n}) {over} THEN 1 ELSE 0 END AS m{i}" for i, n in enumerate(names)]
    followed = f"SELECT churned, LAG(snapshot_date) {over} AS before, {', '.join(moved)}"
    counts = ["COUNT(*) AS row_count", "SUM(churned) AS churners"]
    for i in range(len(names)):
        counts += [f"SUM(m{i}) AS changed_{i}", f"SUM(m{i} * churned) AS ill_{i}"]
    rows = f"{followed}\nFROM training_set\nWHERE {_of_sample(sample, project, dialect)}"
    return f"SELECT {', '.join(counts)}\nFROM (\n{rows}\n) AS followed\nWHERE before IS NOT NULL"


def auroc(score: npt.NDArray[np.int64], churned: npt.NDArray[np.int64]) -> float:
    """Return the area under the ROC curve of an integer score, ties counted half; a backward score counts forward."""
    all_rows = np.bincount(score)
    ill = np.bincount(score, weights=churned, minlength=len(all_rows))
    well = all_rows - ill
    below = np.concatenate([[0.0], np.cumsum(well)[:-1]])
    area = float((ill * (below + well / 2)).sum() / (ill.sum() * well.sum()))
    return max(area, 1 - area)


def _of_sample(sample: Sample, project: Project, dialect: Dialect) -> str:
    """The condition of the sample: some days, and of many customers a share, by a hash and so always the same."""
    days = f"snapshot_date IN ({', '.join(date_literal(day) for day in sample.days)})"
    if sample.customers >= WHOLE:
        return days
    key = " || '/' || ".join(f"CAST({k} AS {TYPE_NAMES[dialect]['string']})" for k in project.entity.keys)
    return f"{days} AND SUBSTR({op('sha256', dialect, key)}, 1, 2) < '{sample.customers:02x}'"


def _codes(values: pa.Array) -> tuple[npt.NDArray[np.int64], Sequence[object]]:
    """Return each row's rank among the distinct values, 0 for null, and the values in that order, null first."""
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    distinct = values.drop_null().unique()
    ordered = distinct.take(pc.sort_indices(distinct))
    found = pc.index_in(values, ordered)
    codes = pc.add(pc.fill_null(found, -1), 1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, [None, *(ordered.to_pylist() if len(ordered) <= MOST_VALUES else range(len(ordered)))]


def _telling_value(
    codes: npt.NDArray[np.int64], labels: Sequence[object], churned: npt.NDArray[np.int64]
) -> LookAlike | None:
    groups: list[tuple[str, npt.NDArray[np.bool_]]] = [("a value at all", codes > 0), ("no value", codes == 0)]
    if len(labels) <= MOST_VALUES:
        groups += [(f"the value {labels[code]!r}", codes == code) for code in range(1, len(labels))]
    churners = int(churned.sum())
    for name, rows in groups:
        ill, all_rows = int(churned[rows].sum()), int(rows.sum())
        if ill >= LEAST and ill >= PURITY * all_rows and ill >= COVERAGE * churners:
            share = ill / all_rows
            told = f"of {all_rows:,} rows with {name}, {share:.1%} churn, which are {ill:,} of {churners:,} churners"
            return LookAlike(f"{told}; under {PURITY:.0%} is plausible", share)
    return None


def _orders(
    codes: npt.NDArray[np.int64], churned: npt.NDArray[np.int64], *, by_rate: bool
) -> list[npt.NDArray[np.int64]]:
    """Scores to try: numbers with nulls lowest, and highest; categories by their share of churners."""
    if not by_rate:
        return [codes, np.where(codes == 0, codes.max() + 1, codes)]
    all_rows = np.bincount(codes)
    rate = np.bincount(codes, weights=churned) / np.maximum(all_rows, 1)
    rank = np.argsort(np.argsort(rate, kind="stable"), kind="stable")
    return [rank[codes]]


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_floating(type_) or pa.types.is_integer(type_) or pa.types.is_decimal(type_))
