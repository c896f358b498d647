"""Parts: rows that lie by day, cut into one table a day or span of days."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa

from tenure.arrays.numbers import EPOCH, Whole, whole


def by_period(tiles: pa.Table, periods: Whole) -> list[pa.Table]:
    """Return tiles that lie by period in parts, one for each: `periods` are the first days since 1970."""
    of = np.searchsorted(periods, whole(tiles["interval_start"]), side="right")
    places = np.searchsorted(of, np.arange(1, len(periods) + 1)).tolist()
    return [tiles.slice(start, stop - start) for start, stop in pairwise([*places, tiles.num_rows])]


def by_day(batches: Iterable[pa.RecordBatch], column: str) -> Iterator[tuple[date, pa.Table]]:
    """Yield each run of rows of one day, a date column's; a day whose rows lie apart comes several times."""
    gathered: list[pa.RecordBatch] = []
    day = None
    for batch in batches:
        days = whole(batch.column(column))
        starts = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1).tolist()] if len(days) else []
        for start, stop in pairwise([*starts, len(days)]):
            if gathered and days[start] != day:
                yield EPOCH + timedelta(days=int(day or 0)), pa.Table.from_batches(gathered)
                gathered = []
            day = days[start]
            gathered.append(batch.slice(start, stop - start))
    if gathered:
        yield EPOCH + timedelta(days=int(day or 0)), pa.Table.from_batches(gathered)
