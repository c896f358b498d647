"""The small tables and the columns that the tiles in polars are made with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import reduce
from operator import add

import polars as pl
from workload import WINDOWS, edges

#: Bits of a packed count: a customer with 2,097,152 bookings a year would overflow into the next.
_BITS = 21
BANDS = len(WINDOWS)


class Grid:
    """The elementary intervals; number 0 is all time before the first edge."""

    def __init__(self, days: Sequence[date]) -> None:
        self.snapshots = sorted(days)
        self.edges = edges(days)
        self.count = len(self.edges)  # intervals

    def days(self) -> pl.LazyFrame:
        """Return each day with its interval, its bit in it, and the instant and number of the first snapshot after."""
        first, last = self.edges[0] - timedelta(days=1), self.edges[-1]
        rows, interval = [], 0
        for n in range((last - first).days):
            day = first + timedelta(days=n)
            interval += interval < len(self.edges) and day == self.edges[interval]
            start = self.edges[interval - 1] if interval else first
            seen = next(i for i, t in enumerate(self.snapshots) if t > day)
            rows.append((day, interval, 1 << (day - start).days, seen, self.snapshots[seen]))
        names = {"day": pl.Date, "interval": pl.Int64, "bit": pl.Int64, "seen_no": pl.Int64, "seen_at": pl.Date}
        return pl.LazyFrame(rows, schema=names, orient="row").with_columns(instant("seen_at"))

    def covers(self) -> pl.LazyFrame:
        """Return `sb`, snapshot number × bands + band, of each interval in each snapshot that it counts at."""
        rows = [
            (interval, number * BANDS + band)
            for interval, start in enumerate(self.edges[:-1], start=1)
            for number, t in enumerate(self.snapshots)
            if self.edges[interval] <= t
            for band, window in enumerate(WINDOWS)
            if start >= t - timedelta(days=window) and (band == 0 or start < t - timedelta(days=WINDOWS[band - 1]))
        ]
        return pl.LazyFrame(rows, schema={"interval": pl.Int64, "sb": pl.Int64}, orient="row")

    def dates(self) -> pl.LazyFrame:
        """Return the snapshots with their numbers."""
        rows = list(enumerate(self.snapshots))
        return pl.LazyFrame(rows, schema={"snapshot_no": pl.Int64, "snapshot_date": pl.Date}, orient="row")


def instant(name: str) -> pl.Expr:
    """Return a date column as the instant at which the day begins."""
    return pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


class Columns:
    """What is counted and summed of the rows, and the columns that hold it."""

    def __init__(self, categories: Sequence[str]) -> None:
        self.categories = categories
        kinds = {f"kind_{name}": pl.col("category") == name for name in categories}
        self.tests = {"debit": pl.col("direction") == "debit", "credit": pl.col("direction") == "credit", **kinds}
        self.counted = ["tx", *self.tests]
        self.packed = [f"p{n}" for n in range(-(-len(self.counted) // 3))]
        self.sums = ["sum", "squares", *(f"{name}_sum" for name in self.tests)]

    def of_rows(self) -> list[pl.Expr]:
        """Return the columns of a row."""
        cents = pl.col("cents")
        tests = [pl.lit(1, pl.Int64), *(test.cast(pl.Int64) for test in self.tests.values())]
        packed = [
            reduce(add, [test * (1 << (_BITS * n)) for n, test in enumerate(tests[3 * at : 3 * at + 3])]).alias(name)
            for at, name in enumerate(self.packed)
        ]
        sums = [pl.when(test).then(cents).otherwise(0.0).alias(f"{name}_sum") for name, test in self.tests.items()]
        return [cents.alias("sum"), (cents * cents).alias("squares"), *packed, *sums]

    def merged(self) -> list[pl.Expr]:
        """Return the aggregates of rows, tiles or bands."""
        extremes = [pl.col("min").min(), pl.col("max").max()]
        return [*(pl.col(name).sum() for name in (*self.packed, *self.sums)), *extremes]

    def count(self, name: str, window: int) -> pl.Expr:
        """Return a window's count out of its packed column."""
        packed, place = divmod(self.counted.index(name), 3)
        return (pl.col(f"{self.packed[packed]}_{window}") // (1 << (_BITS * place))) % (1 << _BITS)
