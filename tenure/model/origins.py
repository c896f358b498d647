"""Rolling origins: what was known on a day teaches, and the snapshots from it on judge.

──── taught: label_end <= origin ────┊──── judged: origin <= t < end ────►

Tashman 2000, doi:10.1016/S0169-2070(00)00065-0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.model.sample import Sample


@dataclass(frozen=True)
class Origin:
    """The rows whose labels had ended by a day, those of the snapshots from it on, and the customers of the latter."""

    taught: Sample
    judged: Sample
    customer: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sample, begin: np.int64, end: np.int64) -> Origin:
        """Return the origin of the day `begin`, which judges the snapshots before `end`."""
        snapshot, label_end = known_days(rows.snapshot), known_days(rows.label_end)
        is_judged = (snapshot >= begin) & (snapshot < end)
        return cls(rows.only(label_end <= begin), rows.only(is_judged), rows.customers[is_judged])

    def has(self, least: int) -> bool:
        """Return whether so many churners and so many stayers teach, and as many are judged."""
        counts = (np.bincount(part.churned.astype(int), minlength=2) for part in (self.taught, self.judged))
        return all(count.min() >= least for count in counts)


def known_days(days: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Return the days of rows that have some; raise ValueError for others."""
    if days is None:
        raise ValueError("rows without dates have no age")
    return days


def days_of(frame: pd.DataFrame, name: str) -> NDArray[np.int64] | None:
    """Return the dates of a column as days of the epoch, shape (rows,); None where there is no such column."""
    if name not in frame:
        return None
    return np.asarray(pd.to_datetime(frame[name]).to_numpy(dtype="datetime64[D]").astype(np.int64))
