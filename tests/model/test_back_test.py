"""Figures over snapshots: how many of these are independent, and no interval of fewer periods than eight."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.by_score import judged_by_hand
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from tenure.model.back_test import LEAST_PERIODS, back_test, period_starts


def monthly(months, customers=60, seed=0):
    random = np.random.default_rng(seed)
    rows = months * customers
    sees = random.normal(size=rows)
    dates = pd.date_range("2022-01-31", periods=months, freq="ME")
    return judged_by_hand(dates, random.random(rows) < expit(sees), sees=expit(sees), dim=np.full(rows, 0.4))


def test_value_and_range_are_those_of_the_rows_and_of_single_snapshots():
    judged = monthly(5)
    found = back_test(judged, horizon=30).set_index(["model_version", "metric"]).loc[("sees-1", "auroc")]
    scores = judged.scores["sees-1"]
    alone = [roc_auc_score(judged.churned[n * 60 : n * 60 + 60], scores[n * 60 : n * 60 + 60]) for n in range(5)]
    assert found["value"] == pytest.approx(roc_auc_score(judged.churned, scores))
    assert (found["least"], found["greatest"]) == pytest.approx((min(alone), max(alone)))
    assert found["snapshots"] == 5


def test_month_ends_under_a_horizon_of_ninety_days_are_independent_every_third_or_fourth():
    starts = period_starts(list(pd.date_range("2022-01-31", periods=8, freq="ME")), 90)
    # From 31 January 90 days lead to 1 May, past 30 April.
    assert [str(day.date()) for day in starts] == ["2022-01-31", "2022-05-31", "2022-08-31"]


@given(st.lists(st.integers(0, 800), min_size=1, max_size=40, unique=True), st.integers(1, 200))
def test_periods_lie_a_horizon_apart_and_no_set_of_such_snapshots_is_larger(days, horizon):
    snapshots = [pd.Timestamp("2020-01-01") + pd.Timedelta(days=day) for day in sorted(days)]
    starts = period_starts(snapshots, horizon)
    assert all((later - earlier).days >= horizon for earlier, later in itertools.pairwise(starts))
    best = {}
    for place, day in enumerate(snapshots):
        earlier = [best[n] for n in range(place) if (day - snapshots[n]).days >= horizon]
        best[place] = 1 + max(earlier, default=0)
    assert len(starts) == max(best.values())


def test_below_eight_periods_there_is_no_interval():
    for months, has_interval in ((LEAST_PERIODS - 1, False), (LEAST_PERIODS, True)):
        found = back_test(monthly(months), horizon=28, resamples=50)
        assert set(found["independent_periods"]) == {months}
        assert found[["periods_low", "periods_high"]].notna().all(axis=None) == has_interval


def test_many_snapshots_of_one_period_have_no_interval():
    found = back_test(monthly(12), horizon=400)
    assert set(found["independent_periods"]) == {1}
    assert set(found["snapshots"]) == {12}
    assert found["periods_low"].isna().all()


def test_periods_that_fare_differently_widen_the_interval():
    """The second year's scores tell nothing: customers can't show that, periods do."""
    even = monthly(24, seed=1)
    scores = even.scores["sees-1"].copy()
    half = len(scores) // 2
    scores[half:] = np.random.default_rng(2).permutation(scores[half:])
    uneven = judged_by_hand(even.snapshots, even.churned, sees=scores)
    width = []
    for judged in (even, uneven):
        found = back_test(judged, horizon=28).set_index(["model_version", "metric"]).loc[("sees-1", "auroc")]
        assert found["periods_low"] < found["value"] < found["periods_high"]
        width.append(found["periods_high"] - found["periods_low"])
    assert width[1] > 1.3 * width[0]


def test_a_snapshot_of_one_class_is_left_out_of_the_range_of_auroc():
    judged = judged_by_hand(["2024-01-31", "2024-02-29"], [0, 1, 0, 0], sees=[0.1, 0.9, 0.2, 0.3])
    found = back_test(judged, horizon=28).set_index("metric")
    assert (found.loc["auroc", "least"], found.loc["auroc", "greatest"]) == (1.0, 1.0)


def test_a_test_without_rows_has_no_figures():
    found = back_test(judged_by_hand(["2024-01-31"], [], sees=[]), horizon=28)
    assert set(found["independent_periods"]) == {0}
    assert found[["value", "least", "greatest", "periods_low"]].isna().all(axis=None)
