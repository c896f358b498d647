"""Rows against rows, cell by cell: what is stored against what was recomputed, the first difference in full."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenure.faults.redact import shape, shown_row
from tenure.proofs.differences import RELATIVE_TOLERANCE
from tenure.proofs.oracle.rules import Row, instant, key_of

#: Sums of floats that cancel out leave a rest of rounding that is no share of anything.
ABSOLUTE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Cells:
    """How many cells were compared, how many differ, and the first that does."""

    compared: int
    different: int
    example: str = ""

    def __add__(self, other: Cells) -> Cells:
        """Both, as one."""
        return Cells(self.compared + other.compared, self.different + other.different, self.example or other.example)


def compare_rows(
    stored: Sequence[Row],
    recomputed: Sequence[Row],
    keys: Sequence[str],
    columns: Sequence[str],
    by: str,
    personal: Collection[str] = (),
) -> Cells:
    """Return the comparison of two tables' rows by key, over `columns`; `by` names who recomputed.

    The example shows values of the columns in `personal` by their shape alone. A row that only one side has, or has
    twice, counts as all its cells.
    """
    left, right = _by_key(stored, keys), _by_key(recomputed, keys)
    different, example = 0, ""
    for key in sorted(left.keys() | right.keys(), key=repr):
        mine, other = left.get(key, []), right.get(key, [])
        place = shown_row(list(zip(keys, key, strict=True)), personal)
        if len(mine) != 1 or len(other) != 1:
            different += len(columns)
            example = example or f"at {place}: {len(mine)} rows stored, {len(other)} {by}"
            continue
        for column in columns:
            if not same_cell(mine[0][column], other[0][column]):
                different += 1
                shown = shape if column in personal else repr
                mine_shown, other_shown = shown(mine[0][column]), shown(other[0][column])
                example = example or f"{column} at {place}: {mine_shown} stored, {other_shown} {by}"
    return Cells(len(left.keys() | right.keys()) * len(columns), different, example)


def _by_key(rows: Sequence[Row], keys: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(key_of(row, keys), []).append(row)
    return found


def same_cell(stored: Any, recomputed: Any) -> bool:
    """Return whether two cells are equal: doubles to 9 digits, null only to null, all else in value and kind."""
    if type(stored) is type(recomputed) and stored == recomputed:
        return True
    if isinstance(stored, float) and isinstance(recomputed, float):
        if math.isnan(stored) or math.isnan(recomputed):
            return math.isnan(stored) and math.isnan(recomputed)
        return math.isclose(stored, recomputed, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)
    if isinstance(stored, datetime) and isinstance(recomputed, datetime):
        return instant(stored) == instant(recomputed)
    return False
