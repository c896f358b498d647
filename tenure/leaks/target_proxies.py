"""Features that look like the label: one column that alone predicts who churns is more likely a leak than a discovery.

A status that is overwritten when a customer leaves, or a date that is filled in then, stands there from the start:

 customer       snapshots ────►
 leaves         0   0   0  [1]  1        the first 1 after a 0, when a feature should not show much yet …
 stays         [0] [0] [0] [0] [0]       … against those who never churn, at the same snapshots

Later 1s are left out, for long silence shows in honest features too; and so are a leaver's 0s, for the status is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tenure.define.project import Project
from tenure.faults.redact import shape
from tenure.sql import TYPE_NAMES, Dialect, op
from tenure.sql.expressions import before as sql_before
from tenure.sql.expressions import (
    call,
    case,
    cast,
    concatenated,
    differs,
    each_of,
    grouped,
    is_not_null,
    named,
    of,
    over_partitions,
    text_literal,
    times,
)
from tenure.sql.query import Join, Query
from tenure.tables.visible import same

#: The least area under the ROC curve with which one feature is taken for the label in disguise.
AUROC_LIMIT = 0.98

#: The least share of churners among rows with one value of a feature, and of all churners that such rows must hold.
PURITY, COVERAGE = 0.98, 0.25

#: Fewer churners, or fewer that stayed, are no evidence.
LEAST = 10

#: More values than these are numbers or names, not categories.
MOST_VALUES = 50

#: A sample's share of the customers is counted in 256ths.
WHOLE = 256

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TargetProxy:
    """A feature that stands in for the label: how, in words, and the share or area that shows it."""

    message: str
    figure: float


def change_names(number: int) -> tuple[str, str]:
    """Return the columns of `changes_statement` for the feature of a number: its changes, and the ill ones."""
    return f"changed_{number}", f"ill_{number}"


def rows_statement(project: Project, names: Sequence[str], customers: int, dialect: Dialect) -> str:
    """Return the SELECT of `snapshot_no`, `churned` and the features: first churned rows, and all of who never churn.

    `customers` is the share of the customers to look at, in 256ths. A customer who churns at the first labelled
    snapshot is left out: nothing shows since when.
    """
    query = Query(
        columns=[
            named("DENSE_RANK() OVER (ORDER BY t.snapshot_date)", "snapshot_no"),
            *each_of("t", ["churned", *names]),
        ],
        source="training_set",
        alias="t",
        joins=[_customers(project, customers, dialect)],
        where="c.left_at IS NULL OR (t.snapshot_date = c.left_at AND c.first_at < c.left_at)",
    )
    return query.text


def changes_statement(project: Project, names: Sequence[str], customers: int, dialect: Dialect) -> str:
    """Return the SELECT of one row: `row_count`, `churners`, and each feature's `changed_n` and `ill_n`.

    A change is from a customer's snapshot to the next, up to the first at which it churns; an ill one is at that.
    """

    def before(name: str) -> str:
        """The value at the customer's snapshot before."""
        return over_partitions(call("LAG", of("t", name)), each_of("t", project.entity.keys), ["t.snapshot_date"])

    moves, counts = [], ["COUNT(*) AS row_count", "SUM(churned) AS churners"]
    for number, name in enumerate(names):
        moved = f"moved_{number}"
        has_moved = differs(of("t", name), before(name))
        moves.append(named(case(when=has_moved, then=1, otherwise=0), moved))
        changed, ill = change_names(number)
        counts.append(named(call("SUM", moved), changed))
        counts.append(named(call("SUM", times(moved, "churned")), ill))
    followed = Query(
        columns=["t.churned", named(before("snapshot_date"), "previous"), *moves],
        source="training_set",
        alias="t",
        joins=[_customers(project, customers, dialect)],
        where="c.left_at IS NULL OR t.snapshot_date <= c.left_at",
    )
    return Query(columns=counts, source=followed, alias="followed", where=is_not_null("previous")).text


def target_proxy(
    values: pa.Array, churned: Integers, snapshot: Integers, *, personal: bool = False
) -> TargetProxy | None:
    """Return how `values` alone reveal `churned` (0 or 1, row by row) within snapshots, or None.

    The value that reveals it is shown by its shape where the values are `personal`.
    None too if fewer than 10 rows churn, or fewer than 10 don't.
    """
    churners = int(churned.sum())
    if churners < LEAST or len(churned) - churners < LEAST:
        return None
    codes, labels = codes_of(values)
    value = _revealing_value(codes, labels, churned, personal=personal)
    if value:
        return value
    is_number = pa.types.is_floating(values.type) or pa.types.is_integer(values.type)
    if not is_number and len(labels) > MOST_VALUES:
        return None
    area = max(auroc(order, churned, snapshot) for order in orders_of(codes, churned, by_rate=not is_number))
    if area < AUROC_LIMIT:
        return None
    return TargetProxy(f"it alone ranks churners with an AUROC of {area:.3f}; under {AUROC_LIMIT} is plausible", area)


def proxy_by_changes(changed: int, ill: int, rows: int, churners: int) -> TargetProxy | None:
    """Return how a feature's changes reveal the label, where nearly all of them are at rows that churn, or None."""
    if ill < LEAST or ill < PURITY * changed or churners > rows / 2:
        return None
    share = ill / changed
    message = f"{ill:,} of its {changed:,} changes ({share:.1%}) are at rows that churn, {churners:,} of {rows:,} rows"
    return _by_purity(message, share)


def _by_purity(message: str, share: float) -> TargetProxy:
    """A proxy that too large a share of churners gives away."""
    return TargetProxy(f"{message}; under {PURITY:.0%} is plausible", share)


def auroc(score: Integers, churned: Integers, snapshot: Integers) -> float:
    """Return the share of pairs of one snapshot, of a churner and another, that a score ranks right; ties count half.

    A backward score counts forward; 0.5 where there are no pairs.
    """
    right = pairs = 0.0
    for number in np.unique(snapshot):
        rows = snapshot == number
        all_rows = np.bincount(score[rows])
        ill = np.bincount(score[rows], weights=churned[rows], minlength=len(all_rows))
        well = all_rows - ill
        below = np.concatenate([[0.0], np.cumsum(well)[:-1]])
        right += float((ill * (below + well / 2)).sum())
        pairs += float(ill.sum() * well.sum())
    area = right / pairs if pairs else 0.5
    return max(area, 1 - area)


def _customers(project: Project, customers: int, dialect: Dialect) -> Join:
    """The join with customers, sampled by a hash, and their first snapshots: of all, and of those with churn."""
    keys, string = project.entity.keys, TYPE_NAMES[dialect]["string"]
    key = op("sha256", dialect, concatenated([cast(name, string) for name in keys], "/"))
    sampled = sql_before(call("SUBSTR", key, 1, 2), text_literal(f"{customers:02x}"))
    known = Query(
        columns=[*keys, "MIN(snapshot_date) AS first_at"],
        lines=["MIN(CASE WHEN churned = 1 THEN snapshot_date END) AS left_at"],
        source="training_set",
        where=sampled if customers < WHOLE else (),
        group_by=keys,
    )
    return Join(grouped(known.text), alias="c", on=same(keys, "c", "t"))


def codes_of(values: pa.Array) -> tuple[Integers, Sequence[object]]:
    """Return each row's rank among the distinct values, 0 for null, and the values in that order, null first."""
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    distinct = values.drop_null().unique()
    ordered = distinct.take(pc.sort_indices(distinct))
    found = pc.index_in(values, ordered)
    codes = pc.add(pc.fill_null(found, -1), 1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, [None, *(ordered.to_pylist() if len(ordered) <= MOST_VALUES else range(len(ordered)))]


def _revealing_value(
    codes: Integers, labels: Sequence[object], churned: Integers, *, personal: bool
) -> TargetProxy | None:
    groups: list[tuple[str, npt.NDArray[np.bool_]]] = [("a value at all", codes > 0), ("no value", codes == 0)]
    if len(labels) <= MOST_VALUES:
        for code, label in enumerate(labels[1:], start=1):
            word = shape(label) if personal else repr(label)
            groups.append((f"the value {word}", codes == code))
    churners = int(churned.sum())
    for name, rows in groups:
        ill, all_rows = int(churned[rows].sum()), int(rows.sum())
        if ill >= LEAST and ill >= PURITY * all_rows and ill >= COVERAGE * churners:
            share = ill / all_rows
            message = f"of {all_rows:,} rows with {name}, {share:.1%} churn, which are {ill:,} of {churners:,} churners"
            return _by_purity(message, share)
    return None


def orders_of(codes: Integers, churned: Integers, *, by_rate: bool) -> list[Integers]:
    """Scores to try: numbers with nulls lowest, and highest; categories by their share of churners."""
    if not by_rate:
        return [codes, np.where(codes == 0, codes.max() + 1, codes)]
    rate = np.bincount(codes, weights=churned) / np.maximum(np.bincount(codes), 1)
    return [np.argsort(np.argsort(rate, kind="stable"), kind="stable")[codes]]
