"""Warning time by hand: from the first listing to the leaving, and nothing made up of who was never listed."""

import numpy as np
import pandas as pd
import pytest
from model.by_score import judged_by_hand

from tenure.model.warning_time import COLUMNS, warning_time

MONTHS = ["2024-01-31", "2024-02-29", "2024-03-31"]


def world(listed, churned):
    """Ten customers: the one named for each month stands first, the others by their number; who churned by month."""
    scores = np.tile(np.linspace(0.3, 0.1, 10), 3)
    for month, customer in enumerate(listed):
        scores[month * 10 + customer] = 0.9
    labels = np.zeros(30, dtype=int)
    for month, customers in enumerate(churned):
        labels[[month * 10 + customer for customer in customers]] = 1
    return judged_by_hand(MONTHS, labels, model=scores, horizon=60)


def moments(judged, days):
    """The day on which each customer left, at each of its rows that churned."""
    known = judged.rows["customer_id"].map({customer: pd.Timestamp(day) for customer, day in days.items()})
    return known.where(judged.churned == 1)


def test_days_run_from_the_first_listing_to_the_leaving():
    # 3 is listed in January and March, leaves on 20 April: 80 days. 5 leaves unlisted.
    judged = world([3, 0, 3], [[], [3], [3, 5]])
    (row,) = warning_time(judged, moments(judged, {3: "2024-04-20", 5: "2024-05-01"}), horizon=60).to_dict("records")
    assert tuple(row) == COLUMNS
    assert (row["until"], row["churners"], row["listed"], row["share_never_listed"]) == ("the leaving", 2, 1, 0.5)
    assert (row["lower_quartile"], row["median"], row["upper_quartile"]) == (80, 80, 80)
    assert row["longest_possible"] == (pd.Timestamp("2024-05-01") - pd.Timestamp("2024-01-31")).days


def test_a_listing_after_the_leaving_is_no_warning():
    # 4 left on 10 February, and was back and listed in March.
    judged = world([0, 0, 4], [[4], [], []])
    (row,) = warning_time(judged, moments(judged, {4: "2024-02-10"}), horizon=60).to_dict("records")
    assert (row["churners"], row["listed"], row["share_never_listed"]) == (1, 0, 1.0)
    assert np.isnan(row["median"])


def test_quartiles_are_of_the_churners_not_of_their_rows():
    judged = world([1, 2, 1], [[1], [1, 2], [1, 2]])
    (row,) = warning_time(judged, moments(judged, {1: "2024-04-10", 2: "2024-04-10"}), horizon=60).to_dict("records")
    # 70 days of customer 1 (January), 41 of customer 2 (February).
    assert (row["lower_quartile"], row["median"], row["upper_quartile"]) == pytest.approx((48.25, 55.5, 62.75))


def test_without_a_moment_the_horizon_bounds_the_warning():
    # 3's first label of 1 is of February: its horizon is [29 February, 29 April).
    judged = world([3, 0, 5], [[], [3], [3]])
    found = warning_time(judged, None, horizon=60).set_index("until")
    assert list(found.index) == ["label_start", "label_end"]
    assert found.loc["label_start", "median"] == 29
    assert found.loc["label_end", "median"] == 89
    # 5 is listed in March alone and churned in February: too late.
    late = warning_time(world([0, 0, 5], [[], [5], [5]]), None, horizon=60)
    assert set(late["listed"]) == {0}


def test_nobody_left_is_no_share():
    judged = world([0, 0, 0], [[], [], []])
    for left_at in (None, moments(judged, {})):
        found = warning_time(judged, left_at, horizon=60)
        assert set(found["churners"]) == {0}
        assert found[["share_never_listed", "median", "longest_possible"]].isna().all(axis=None)
    empty = judged_by_hand(MONTHS, [], model=[])
    assert set(warning_time(empty, None, horizon=60)["churners"]) == {0}
