"""A snapshot whose share of leavers is far from its neighbours' is told; noise and slow change are not."""

from datetime import date
from types import SimpleNamespace

import pyarrow as pa
import pytest

from tenure.catalog.leavers import unlike_neighbours


def told(*counts):
    """Of (leavers, asked) by snapshot."""
    rows = [
        {"snapshot_date": date(2024, 1 + place, 1), "churned": int(number < leavers)}
        for place, (leavers, asked) in enumerate(counts)
        for number in range(asked)
    ]
    return unlike_neighbours(SimpleNamespace(read=lambda _table, columns: pa.Table.from_pylist(rows).select(columns)))


def test_a_month_in_which_everybody_leaves_is_told():
    (found,) = told((13, 118), (15, 118), (118, 118), (12, 118), (14, 118))
    assert found.startswith("100% of 118 left after 2024-03-01, 11% after the snapshots beside it")


@pytest.mark.parametrize(
    "counts",
    [
        [(13, 118), (15, 118), (12, 118), (14, 118)],
        [(10, 100), (14, 100), (20, 100), (26, 100), (33, 100)],
        [(1, 4), (4, 4), (1, 4)],
        [(50, 100)],
    ],
    ids=["alike", "a trend", "few", "one"],
)
def test_what_is_near_or_not_sure_is_not_told(counts):
    assert told(*counts) == []
