"""The share of leavers at each snapshot beside that of its neighbours: one far from them may be of missing rows.

26 %   25 %   27 %   98 %   26 %
 ┊      ┊      ┊      ┊      ┊         two before and two after are its neighbours
"""

from __future__ import annotations

import math

from tenure.session.work import Work

#: A share is far from its neighbours' if it differs by more than both: so much, and so many standard errors.
_FAR_POINTS, _FAR_ERRORS = 0.15, 6


def unlike_neighbours(work: Work) -> list[str]:
    """Return a clause for each snapshot whose share is far from that of most of its neighbours."""
    rows = work.read("labels", columns=["snapshot_date", "churned"])
    grouped = rows.group_by("snapshot_date").aggregate([("churned", "sum"), ("churned", "count")])
    counts = [
        (row["snapshot_date"], row["churned_sum"], row["churned_count"])
        for row in grouped.sort_by("snapshot_date").to_pylist()
    ]
    found = []
    for place, (day, leavers, asked) in enumerate(counts):
        near = [other[1:] for other in counts[max(0, place - 2) : place] + counts[place + 1 : place + 3]]
        far = [other for other in near if _is_far((leavers, asked), other)]
        if 2 * len(far) > len(near):
            usual = sum(others for others, _ in far) / sum(others_asked for _, others_asked in far)
            found.append(
                f"{leavers / asked:.0%} of {asked:,} left after {day}, {usual:.0%} after the snapshots beside it: look "
                "whether rows are missing"
            )
    return found


def _is_far(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two shares, each (leavers, asked), are far apart: by points, and by errors of their difference."""
    (leavers, asked), (other_leavers, other_asked) = one, other
    pooled = (leavers + other_leavers) / (asked + other_asked)
    error = math.sqrt(pooled * (1 - pooled) * (1 / asked + 1 / other_asked))
    return abs(leavers / asked - other_leavers / other_asked) > max(_FAR_POINTS, _FAR_ERRORS * error)
