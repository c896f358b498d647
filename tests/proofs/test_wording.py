"""Rows against rows: every differing cell counts, and the first is told with customer, snapshot and both values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tenure.proofs.wording import Cells, compare_rows, same_cell


def told(stored, recomputed):
    return compare_rows(stored, recomputed, ("a", "b"), ("x", "y"), "by the oracle")


def row(a, b, x, y=None):
    return {"a": a, "b": b, "x": x, "y": y}


def test_equal_rows_are_equal_in_any_order():
    rows = [row(1, 11, 0.5), row(11, 1, None)]
    assert told(rows, rows[::-1]) == Cells(4, 0)


def test_the_first_cell_that_differs_is_told():
    found = told([row(1, 11, 0.5, 2), row(11, 1, 1.0, 3)], [row(1, 11, 0.5, 2), row(11, 1, 1.5, None)])
    assert found == Cells(4, 2, "x at a=11, b=1: 1.0 stored, 1.5 by the oracle")


@pytest.mark.parametrize(
    ("stored", "recomputed", "example"),
    [
        ([], [row(1, 1, 0)], "at a=1, b=1: 0 rows stored, 1 by the oracle"),
        ([row(1, 1, 0)], [], "at a=1, b=1: 1 rows stored, 0 by the oracle"),
        ([row(1, 1, 0)] * 2, [row(1, 1, 0)], "at a=1, b=1: 2 rows stored, 1 by the oracle"),
    ],
)
def test_a_row_that_only_one_side_has_is_all_its_cells(stored, recomputed, example):
    assert told(stored, recomputed) == Cells(2, 2, example)


@pytest.mark.parametrize(
    ("stored", "recomputed", "same"),
    [
        (0.1 + 0.2, 0.3, True),
        (1.0, 1.0 + 1e-8, False),
        (1e-17, 0.0, True),  # what is left where floats cancel out
        (float("nan"), float("nan"), True),
        (float("nan"), 1.0, False),
        (float("inf"), float("inf"), True),
        (None, None, True),
        (None, 0, False),
        (0, False, False),
        (1, 1.0, False),
        ("a", "a", True),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1), True),
    ],
)
def test_cells_are_the_same_in_value_and_kind(stored, recomputed, same):
    assert same_cell(stored, recomputed) is same
