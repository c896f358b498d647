"""Models held against each other: the same draws for both, and a verdict only where the interval leaves out 0."""

import numpy as np
import pandas as pd
import pytest
from model.by_score import judged_by_hand
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score

from tenure.model.paired import COLUMNS, comparisons

MONTHS = ["2024-01-31", "2024-02-29"]


def world(customers=400, seed=0, *, noise=1.0):
    """A churner is told by `sees`; `dim` sees the same through noise, `blind` nothing."""
    random = np.random.default_rng(seed)
    rows = customers * len(MONTHS)
    sees = random.normal(size=rows) - 1
    churned = random.random(rows) < expit(sees)
    dim = expit(sees + noise * random.normal(size=rows))
    return judged_by_hand(MONTHS, churned, sees=expit(sees), dim=dim, blind=np.full(rows, churned.mean()))


def of(found, version, against, metric):
    rows = found[
        (found["model_version"] == version) & (found["against_version"] == against) & (found["metric"] == metric)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def test_each_model_stands_against_each_other_one_with_the_plain_difference():
    judged = world()
    found = comparisons(judged, resamples=50)
    assert tuple(found.columns) == COLUMNS
    assert len(found) == 3 * 2 * 2
    assert set(found["customers"]) == {400}
    for a in judged.scores:
        for b in judged.scores:
            if a == b:
                continue
            ranks = roc_auc_score(judged.churned, judged.scores[a]) - roc_auc_score(judged.churned, judged.scores[b])
            loss = log_loss(judged.churned, judged.scores[a]) - log_loss(judged.churned, judged.scores[b])
            assert of(found, a, b, "auroc")["difference"] == pytest.approx(ranks)
            assert of(found, a, b, "log_loss")["difference"] == pytest.approx(loss)


def test_who_sees_more_is_better_and_the_other_one_worse():
    found = comparisons(world(noise=3))
    for metric in ("auroc", "log_loss"):
        assert of(found, "sees-1", "dim-1", metric)["verdict"] == "better"
        assert of(found, "dim-1", "sees-1", metric)["verdict"] == "worse"


def test_turning_a_pair_round_turns_the_interval_round():
    found = comparisons(world())
    one, other = of(found, "sees-1", "dim-1", "log_loss"), of(found, "dim-1", "sees-1", "log_loss")
    assert (one["low"], one["high"]) == pytest.approx((-other["high"], -other["low"]))


def test_a_model_is_not_told_apart_from_itself():
    judged = world()
    twice = judged_by_hand(MONTHS, judged.churned, one=judged.scores["dim-1"], other=judged.scores["dim-1"])
    found = comparisons(twice, resamples=20)
    assert (found[["difference", "low", "high"]] == 0).all(axis=None)
    assert set(found["verdict"]) == {"unclear"}


def test_pairing_makes_the_interval_narrower_than_two_of_their_own():
    judged = world(noise=0.3)
    paired = of(comparisons(judged), "sees-1", "dim-1", "auroc")
    other_churners = judged_by_hand(
        MONTHS, judged.churned, sees=judged.scores["sees-1"], dim=judged.scores["dim-1"][::-1].copy()
    )
    unlike = of(comparisons(other_churners), "sees-1", "dim-1", "auroc")
    assert paired["high"] - paired["low"] < 0.5 * (unlike["high"] - unlike["low"])


def test_rows_of_one_customer_count_as_one_customer():
    judged = world(customers=150)
    copies = judged_by_hand(
        MONTHS,
        np.tile(judged.churned, 4),
        customers=np.tile(judged.customer, 4),
        **{version.removesuffix("-1"): np.tile(scores, 4) for version, scores in judged.scores.items()},
    )
    for metric in ("auroc", "log_loss"):
        once, four_times = (of(comparisons(x), "sees-1", "dim-1", metric) for x in (judged, copies))
        assert (four_times["low"], four_times["high"]) == pytest.approx((once["low"], once["high"]))


def test_equals_are_seldom_told_apart():
    """Two scores that see alike much, each through noise of its own: about one book in twenty tells them apart."""
    told = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        sees = random.normal(size=300) - 1
        churned = random.random(300) < expit(sees)
        one, other = (expit(sees + random.normal(size=300)) for _ in range(2))
        found = comparisons(judged_by_hand(MONTHS[:1], churned, one=one, other=other), resamples=200, seed=seed)
        told += int((found["verdict"] != "unclear").any())
    assert told <= 12


def test_where_nobody_left_ranking_is_not_compared_but_loss_is():
    judged = world()
    quiet = judged_by_hand(MONTHS, np.zeros(800), low=np.full(800, 0.1), high=np.full(800, 0.4))
    assert judged.churned.any()
    found = comparisons(quiet, resamples=20)
    ranks = of(found, "low-1", "high-1", "auroc")
    assert ranks["verdict"] == "unclear"
    assert np.isnan([ranks["difference"], ranks["low"], ranks["high"]]).all()
    assert of(found, "low-1", "high-1", "log_loss")["verdict"] == "better"


def test_one_model_alone_and_a_test_without_rows_have_nothing_to_compare():
    judged = world()
    alone = judged_by_hand(MONTHS, judged.churned, sees=judged.scores["sees-1"])
    assert list(comparisons(alone).columns) == list(COLUMNS)
    assert comparisons(alone).empty
    none = judged_by_hand(MONTHS, np.empty(0), a=np.empty(0), b=np.empty(0))
    found = comparisons(none, resamples=5)
    assert set(found["verdict"]) == {"unclear"}
    assert set(found["customers"]) == {0}


def test_the_same_seed_gives_the_same_bits():
    pd.testing.assert_frame_equal(comparisons(world(), seed=3), comparisons(world(), seed=3), check_exact=True)
