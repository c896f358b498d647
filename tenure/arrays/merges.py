"""Merges: how numbers of one kind come together, and what nothing is."""

from __future__ import annotations

import numpy as np

from tenure.tiles.partials import ADDED

#: What no value is: the place where the smallest (or the largest) of nothing stands.
LARGEST, SMALLEST = np.iinfo(np.int64).max, np.iinfo(np.int64).min

#: How numbers of two spans of time come together.
MERGES: dict[str, np.ufunc] = {
    **dict.fromkeys(ADDED, np.add),
    **dict.fromkeys(("min", "oldest", "first"), np.minimum),
    **dict.fromkeys(("max", "newest", "last"), np.maximum),
    "days": np.bitwise_or,
}

#: What nothing is before anything comes to it, where that is not 0.
NOTHING: dict[str, int] = {
    **dict.fromkeys(("min", "oldest", "first"), LARGEST),
    **dict.fromkeys(("max", "newest", "last"), SMALLEST),
}
