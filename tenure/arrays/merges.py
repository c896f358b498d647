"""Merges: the function that merges two numbers of each kind of sum, and its identity element."""

from __future__ import annotations

import numpy as np

from tenure.tiles.sums import SUMS

#: The identity elements of the smallest and of the largest number.
LARGEST, SMALLEST = np.iinfo(np.int64).max, np.iinfo(np.int64).min

_HOW: dict[str, np.ufunc] = {
    "add": np.add,
    "smallest": np.minimum,
    "largest": np.maximum,
    "bits": np.bitwise_or,
}

#: The function that merges the numbers of two spans of time, of each kind that arrays know.
MERGES: dict[str, np.ufunc] = {kind.name: _HOW[kind.merge] for kind in SUMS.values() if kind.merge in _HOW}

_IDENTITY = {"smallest": LARGEST, "largest": SMALLEST}

#: The identity element of each kind where it is not 0; it stands where no row counts.
IDENTITY: dict[str, int] = {kind.name: _IDENTITY[kind.merge] for kind in SUMS.values() if kind.merge in _IDENTITY}
