"""Merges: how numbers of one kind come together, and what nothing is."""

from __future__ import annotations

import numpy as np

from tenure.tiles.sums import SUMS

#: What no value is: the place where the smallest (or the largest) of nothing stands.
LARGEST, SMALLEST = np.iinfo(np.int64).max, np.iinfo(np.int64).min

_HOW: dict[str, np.ufunc] = {
    "add": np.add,
    "smallest": np.minimum,
    "largest": np.maximum,
    "bits": np.bitwise_or,
}

#: How numbers of two spans of time come together, of each kind that arrays know.
MERGES: dict[str, np.ufunc] = {kind.name: _HOW[kind.merge] for kind in SUMS.values() if kind.merge in _HOW}

_NOTHING = {"smallest": LARGEST, "largest": SMALLEST}

#: What nothing is before anything comes to it, where that is not 0.
NOTHING: dict[str, int] = {kind.name: _NOTHING[kind.merge] for kind in SUMS.values() if kind.merge in _NOTHING}
