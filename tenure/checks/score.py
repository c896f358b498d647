"""Data quality score: of each column the share of rows that pass, a mean over what its checks are about.

completeness   null in 2 % of the rows, unlike before      0.98 ┐
validity       negative: passed, size unlike before: 4 %   0.96 ├──► column 97.0 ──┐ mean
...                                                             ┘    column 100.0 ─┴──► table 98.5
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

#: The column of a table's own score.
WHOLE_TABLE = ""


@dataclass(frozen=True)
class Score:
    """How good the rows of a column are, from 0 to 100, by how many checks, and how many of them failed.

    The column is '' of the whole table.
    """

    column: str
    score: float
    checks: int
    failed: int


def scores(outcomes: Iterable[Mapping[str, Any]]) -> list[Score]:
    """Return the score of a source, as rows of the table `checks` tell what came of it, and of each column of it.

    A check that passed counts 1, one that failed the share of rows that meet it; one that is not applicable, or a mere
    note, does not count. Of the checks of one dimension the lowest counts; a column's score is the mean over its
    dimensions, and a table's the mean over its columns, with the checks of whole rows as one more.
    Empty if none counts.
    """
    of_columns: dict[str, list[Mapping[str, Any]]] = {}
    for row in outcomes:
        if row["outcome"] != "not applicable" and row["severity"] != "note":
            of_columns.setdefault(row["column_name"], []).append(row)
    if not of_columns:
        return []
    found = {name: _of_column(name, rows) for name, rows in sorted(of_columns.items())}
    whole = Score(
        WHOLE_TABLE,
        fmean(one.score for one in found.values()),
        sum(one.checks for one in found.values()),
        sum(one.failed for one in found.values()),
    )
    return [whole, *(one for name, one in found.items() if name != WHOLE_TABLE)]


def _of_column(name: str, rows: Iterable[Mapping[str, Any]]) -> Score:
    lowest: dict[str, float] = {}
    checks = failed = 0
    for row in rows:
        has_failed = row["outcome"] == "failed"
        passing = 1 - row["share"] if has_failed else 1.0
        lowest[row["dimension"]] = min(passing, lowest.get(row["dimension"], 1.0))
        checks, failed = checks + 1, failed + has_failed
    return Score(name, 100 * fmean(lowest.values()), checks, failed)
