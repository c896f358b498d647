"""The rows in which a column that leaving wrote shows, and honest silence not yet.

 customer       snapshots ────►
 leaves         0   0   0  [1]  1        the first 1 after a 0, when a feature should not show much yet …
 stays         [0] [0] [0] [0] [0]       … against those who never churn

Later 1s are left out, for long silence shows in honest features too; and so are a leaver's 0s, for the value is there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

_NEVER = np.iinfo(np.int64).max


def first_shown(customers: Integers, churned: Integers, snapshot: Integers) -> npt.NDArray[np.bool_]:
    """Return the rows in which a status written at the end shows, and honest silence not yet.

    These are all rows of who never churns, and the first churned one of the others unless nothing came before it.
    """
    many = int(customers.max()) + 1 if len(customers) else 0
    left, first = np.full(many, _NEVER), np.full(many, _NEVER)
    ill = churned == 1
    np.minimum.at(left, customers[ill], snapshot[ill])
    np.minimum.at(first, customers, snapshot)
    left_at, first_at = left[customers], first[customers]
    found: npt.NDArray[np.bool_] = (left_at == _NEVER) | ((snapshot == left_at) & (first_at < left_at))
    return found
