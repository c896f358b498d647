"""What each feature alone says of the label, of the rows of split train and no other.

train        ├── who churns, who does not: the AUROC within snapshots, missing cells apart
embargo      │   never read
test         │   never read
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tenure.insight.associations import correlation_ratio
from tenure.insight.column_profile import columns_at_once, kind_of, numbers_of
from tenure.leaks.target_proxies import (
    AUROC_LIMIT,
    MOST_VALUES,
    PURITY,
    Integers,
    codes_of,
    orders_of,
    target_proxy,
)
from tenure.model.first_shown import first_shown
from tenure.store.rows import read_batches
from tenure.store.table import TableVersion

#: Rows read at a time.
_BATCH = 16_384

#: Bytes of cells that are held at once.
_ROOM = 2**26

#: Labelled rows that are compared at most: of more every second, third … is taken.
MOST_LABELLED = 2_000_000


@dataclass(frozen=True)
class LabelAssociation:
    """How a feature and the label go together in train; a figure is None where there is nothing to compare.

    `correlation` is Pearson's with the label of a number, the correlation ratio of a category. `suspect` says why the
    feature may be the label in disguise, '' if it seems not.
    """

    column: str
    rows: int
    churners: int
    missing: int
    missing_churners: int
    auroc: float | None
    correlation: float | None
    suspect: str


@dataclass(frozen=True)
class _Train:
    """The rows of train: which of the table they are, and of each its label, its snapshot, whether it shows a proxy."""

    rows: npt.NDArray[np.bool_]
    churned: Integers
    snapshot: Integers
    first_shown: npt.NDArray[np.bool_]


def label_associations(
    training_set: TableVersion,
    keys: Sequence[str],
    names: Sequence[str],
    personal: frozenset[str],
    pool: Executor | None = None,
) -> Iterator[LabelAssociation]:
    """Yield the association of each feature with the label, in the order of the names; none without a row of train.

    Given a `pool`, its threads work on a column each.
    """
    train = _train(training_set, keys)
    if not len(train.churned):
        return
    for some in columns_at_once(len(train.churned), names, _ROOM):
        cells = _cells(training_set, some, train.rows)

        def of(name: str, cells: Mapping[str, pa.Array] = cells) -> LabelAssociation:
            return _association(name, cells[name], train, personal=name in personal)

        yield from (pool.map if pool else map)(of, some)


def _train(training_set: TableVersion, keys: Sequence[str]) -> _Train:
    """Read which rows are train's, and thin them evenly where there are too many."""
    parts = list(read_batches(training_set, [*keys, "snapshot_date", "split", "churned"], _BATCH))
    table = pa.Table.from_batches(parts) if parts else training_set.schema.empty_table()
    rows = np.array(pc.equal(table["split"], "train").to_numpy(), dtype=np.bool_)
    found = table.filter(pa.array(rows))
    churned = found["churned"].to_numpy().astype(np.int64)
    snapshot = _dense(found["snapshot_date"])
    shown = first_shown(_customers(found, keys), churned, snapshot)
    stride = max(1, -(-len(churned) // MOST_LABELLED))
    kept = np.flatnonzero(rows)[::stride]
    rows = np.zeros(len(rows), dtype=np.bool_)
    rows[kept] = True
    return _Train(rows, churned[::stride], snapshot[::stride], shown[::stride])


def _customers(rows: pa.Table, keys: Sequence[str]) -> Integers:
    """A number for each row's customer."""
    found = np.zeros(rows.num_rows, dtype=np.int64)
    for key in keys:
        codes = _dense(rows[key])
        found = found * (int(codes.max(initial=0)) + 1) + codes
    numbers: Integers = np.unique(found, return_inverse=True)[1].astype(np.int64)
    return numbers


def _dense(cells: pa.ChunkedArray) -> Integers:
    """Each cell's place among the different values in order."""
    values = cells.combine_chunks()
    distinct = values.unique()
    ordered = distinct.take(pc.sort_indices(distinct))
    places: Integers = pc.index_in(values, ordered).to_numpy(zero_copy_only=False).astype(np.int64)
    return places


def _cells(training_set: TableVersion, names: Sequence[str], rows: npt.NDArray[np.bool_]) -> dict[str, pa.Array]:
    """The cells of some columns in the rows of train."""
    kept: list[pa.RecordBatch] = []
    at = 0
    for batch in read_batches(training_set, names, _BATCH):
        kept.append(batch.filter(pa.array(rows[at : at + batch.num_rows])))
        at += batch.num_rows
    table = pa.Table.from_batches(kept)
    return {name: table[name].combine_chunks() for name in names}


def _association(name: str, cells: pa.Array, train: _Train, *, personal: bool) -> LabelAssociation:
    churned = train.churned
    missing = np.array(pc.is_null(cells, nan_is_null=True).to_numpy(zero_copy_only=False), dtype=np.bool_)
    is_category = kind_of(cells.type) == "category"
    codes = codes_of(cells)[0] if is_category else np.empty(0, dtype=np.int64)
    numbers = codes.astype(np.float64) if is_category else numbers_of(cells)
    few = _has_few_values(cells)
    area = None
    if few or not is_category:
        (order,) = orders_of(codes, churned, by_rate=True) if is_category else (numbers,)
        area = auroc_alone(order.astype(np.float64), churned, train.snapshot)
    return LabelAssociation(
        column=name,
        rows=len(churned),
        churners=int(churned.sum()),
        missing=int(missing.sum()),
        missing_churners=int(churned[missing].sum()),
        auroc=area,
        correlation=_ratio(codes, churned) if is_category else _pearson(numbers, churned),
        suspect=_suspect(cells, numbers, missing, train, few=few, personal=personal),
    )


def _suspect(
    cells: pa.Array,
    numbers: npt.NDArray[np.float64],
    missing: npt.NDArray[np.bool_],
    train: _Train,
    *,
    few: bool,
    personal: bool,
) -> str:
    """Why a feature may be the label in disguise, '' if it seems not: what `target_proxy` finds.

    It is asked only where it could find anything: it takes its time over a column of many values.
    """
    rows = train.first_shown
    churned, snapshot = train.churned[rows], train.snapshot[rows]
    gone = missing[rows]
    could = few or any(int(churned[some].sum()) >= max(1.0, PURITY * some.sum()) for some in (gone, ~gone))
    if not could:
        area = auroc_alone(numbers[rows], churned, snapshot)
        could = area is not None and area >= AUROC_LIMIT
    proxy = target_proxy(cells.filter(pa.array(rows)), churned, snapshot, personal=personal) if could else None
    return proxy.message if proxy else ""


def _has_few_values(cells: pa.Array) -> bool:
    """Whether a column has no more values than a category; most that have more show it soon."""
    return all(len(some.unique()) <= MOST_VALUES + 1 for some in (cells[:4096], cells))


def auroc_alone(numbers: npt.NDArray[np.float64], churned: Integers, snapshot: Integers) -> float | None:
    """Return the AUROC of numbers within snapshots, missing ones lowest or highest, whichever tells more.

    A backward order counts forward; None where no snapshot has both who churns and who does not.
    """
    pairs = below = with_missing_lowest = with_missing_highest = 0.0
    for number in np.unique(snapshot):
        rows = snapshot == number
        cells, is_ill = numbers[rows], churned[rows] == 1
        gone = np.isnan(cells)
        well = np.sort(cells[~is_ill & ~gone])
        ill = cells[is_ill & ~gone]
        gone_well, gone_ill = float((gone & ~is_ill).sum()), float((gone & is_ill).sum())
        under = np.searchsorted(well, ill, "left") + np.searchsorted(well, ill, "right")
        below += float(under.sum()) / 2 + gone_well * gone_ill / 2
        with_missing_lowest += gone_well * len(ill)
        with_missing_highest += gone_ill * len(well)
        pairs += (len(well) + gone_well) * (len(ill) + gone_ill)
    if not pairs:
        return None
    areas = ((below + more) / pairs for more in (with_missing_lowest, with_missing_highest))
    return max(max(area, 1 - area) for area in areas)


def _pearson(cells: npt.NDArray[np.float64], churned: Integers) -> float | None:
    """The correlation of numbers with the label, None where one of the two does not vary."""
    there = ~np.isnan(cells)
    numbers, label = cells[there], churned[there].astype(np.float64)
    if len(numbers) < 2 or numbers.min() == numbers.max() or label.min() == label.max():
        return None
    return float(np.clip(np.corrcoef(numbers, label)[0, 1], -1, 1))


def _ratio(codes: Integers, churned: Integers) -> float | None:
    """The correlation ratio of the label by a category's value."""
    there = codes > 0
    rows = np.bincount(codes[there]).astype(np.float64)
    sums = np.bincount(codes[there], weights=churned[there]).astype(np.float64)
    # A label's square is the label.
    return correlation_ratio(rows, sums, float(sums.sum()))
