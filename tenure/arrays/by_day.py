"""Rows by day: a stream of rows cut into one table a day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa

from tenure.arrays.numbers import EPOCH, whole


def by_day(batches: Iterable[pa.RecordBatch], column: str) -> Iterator[tuple[date, pa.Table]]:
    """Yield the rows of each day, of a date column: as soon as the next one begins, if rows lie by day.

    Once a day comes again, the rest is gathered first: no day is yielded more than twice.
    """
    gathered: dict[int, list[pa.RecordBatch]] = {}
    yielded: set[int] = set()
    lie_by_day = True
    for batch in batches:
        days = whole(batch.column(column))
        starts = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1).tolist()] if len(days) else []
        for start, stop in pairwise([*starts, len(days)]):
            day = int(days[start])
            lie_by_day = lie_by_day and day not in yielded
            if lie_by_day and gathered and day not in gathered:
                yielded.update(gathered)
                yield from _tables(gathered)
                gathered = {}
            gathered.setdefault(day, []).append(batch.slice(start, stop - start))
    yield from _tables(gathered)


def _tables(gathered: dict[int, list[pa.RecordBatch]]) -> Iterator[tuple[date, pa.Table]]:
    for day, rows in gathered.items():
        yield EPOCH + timedelta(days=day), pa.Table.from_batches(rows)
