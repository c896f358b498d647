import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import ks_2samp
from sklearn.metrics import brier_score_loss, f1_score
from sklearn.metrics import log_loss as log_loss_of_scikit_learn

from tenure.model.losses import log_loss
from tenure.model.metrics import (
    SAMPLE_METRICS,
    at_threshold,
    calibration,
    calibration_error,
    calibration_line,
    churners_reached,
    lift,
    metrics,
    precision,
    recall,
)


def arrays(scores, churned):
    return np.array(scores, dtype=float), np.array(churned, dtype=float)


def test_lift_of_twenty_customers_by_hand():
    # Two of twenty are contacted; one of them churns. Base rate 4 / 20: 0.5 / 0.2 = 2.5.
    scores, churned = arrays(np.arange(20, 0, -1) / 20, [1, 0, 0, 1, 1, 1] + [0] * 14)
    assert lift(scores, churned, 0.1) == 2.5


def test_lift_rounds_the_top_up_to_whole_customers():
    # The top of 11 is 2 customers (not 1.1): one churner of two, over 2 / 11.
    scores, churned = arrays(np.arange(11, 0, -1), [1, 0, 1] + [0] * 8)
    assert lift(scores, churned, 0.1) == pytest.approx(0.5 / (2 / 11))


def test_a_tie_at_the_edge_of_the_top_counts_at_its_own_rate():
    # One sure contact (a churner), then one of four equals, of which one churns: 1 + 1/4 churners reached.
    scores, churned = arrays([0.9, 0.5, 0.5, 0.5, 0.5] + [0.1] * 15, [1, 0, 0, 1, 0] + [0] * 15)
    assert churners_reached(scores, churned, np.array([2.0]))[0] == 1.25
    assert lift(scores, churned, 0.1) == (1.25 / 2) / (2 / 20)


def test_calibration_error_by_hand():
    # Two groups of equal score: |0.2 - 1/5| = 0 for five rows, |0.8 - 1/2| = 0.3 for two: 0.3 * 2 / 7.
    scores, churned = arrays([0.2] * 5 + [0.8] * 2, [1, 0, 0, 0, 0, 1, 0])
    assert calibration_error(scores, churned) == pytest.approx(0.3 * 2 / 7)
    score, rate, rows = calibration(scores, churned)
    np.testing.assert_allclose([score, rate, rows], [[0.2, 0.8], [0.2, 0.5], [5, 2]])


def test_calibration_bins_hold_equally_many_rows():
    scores, churned = arrays(np.arange(50) ** 2 / 2500, [0, 1] * 25)
    assert calibration(scores, churned)[2].tolist() == [5] * 10


def test_metrics_of_four_customers_by_hand():
    # Pairs won by a churner: 3 of 4. Precision at the churners' places: 1/1 and 2/3.
    got = metrics(*arrays([0.9, 0.6, 0.4, 0.1], [1, 0, 1, 0]))
    assert got["auroc"] == 0.75
    assert got["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert got["brier"] == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert got["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.9]).mean())
    assert got["ks"] == 0.5  # above 0.6 one of the two churners and no stayer
    assert (got["lift_at_10"], got["precision_at_10"], got["recall_at_10"]) == (2.0, 1.0, 0.5)
    assert got["f1_at_10"] == pytest.approx(2 / 3)
    assert tuple(got) == SAMPLE_METRICS


def test_precision_and_recall_of_the_top_count_ties_at_their_own_rate():
    # Of the top two, one is sure (a churner) and one is drawn of four equals, of which one churns; two churn in all.
    scores, churned = arrays([0.9, 0.5, 0.5, 0.5, 0.5] + [0.1] * 15, [1, 0, 0, 1, 0] + [0] * 15)
    assert precision(scores, churned, 0.1) == 1.25 / 2
    assert recall(scores, churned, 0.1) == 1.25 / 2
    assert np.isnan(recall(scores, np.zeros(20), 0.1))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_losses_and_ks_are_those_of_the_libraries(rows):
    scores, churned = arrays([score for score, _ in rows], [hit for _, hit in rows])
    assert log_loss(scores, churned) == pytest.approx(log_loss_of_scikit_learn(churned, scores, labels=[0, 1]))
    got = metrics(scores, churned)
    assert got["brier"] == pytest.approx(brier_score_loss(churned, scores, pos_label=1))
    if 0 < churned.sum() < len(churned):
        with warnings.catch_warnings():
            # Of a statistic so small scipy can't always tell the chance, which is not asked for here.
            warnings.simplefilter("ignore", RuntimeWarning)
            expected = ks_2samp(scores[churned == 1], scores[churned == 0]).statistic
        assert got["ks"] == pytest.approx(expected)


@pytest.mark.parametrize(("slope", "shift"), [(1, 0), (0.5, 0), (1, -0.7), (2, 0.4)])
def test_the_calibration_line_finds_what_scores_were_bent_by(slope, shift):
    random = np.random.default_rng(3)
    truth = random.normal(-1, 1, 200_000)
    churned = (random.random(len(truth)) < expit(truth)).astype(float)
    bent = expit(truth / slope - shift)
    found, moved = calibration_line(bent, churned)
    assert found == pytest.approx(slope, rel=0.02)
    if slope == 1:
        assert moved == pytest.approx(shift, abs=0.02)
    # With the shift the mean score is the churn rate, whatever the slope.
    odds = truth / slope - shift
    assert expit(odds + moved).mean() == pytest.approx(churned.mean())


def test_one_score_for_all_has_a_shift_and_no_slope():
    slope, shift = calibration_line(*arrays([0.5] * 4, [1, 0, 0, 0]))
    assert np.isnan(slope)
    assert expit(shift) == pytest.approx(0.25)
    assert np.isnan(calibration_line(*arrays([0.2, 0.4], [1, 1]))).all()


@pytest.mark.parametrize("outcome", [0, 1])
def test_one_class_has_no_ranking_but_still_a_calibration(outcome):
    got = metrics(*arrays([0.2, 0.4], [outcome, outcome]))
    assert all(np.isnan(got[name]) for name in ("auroc", "average_precision", "lift_at_10"))
    assert got["ece"] == pytest.approx(abs(0.3 - outcome))


def test_no_rows_have_no_metrics():
    assert all(np.isnan(value) for value in metrics(*arrays([], [])).values())


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40), st.randoms())
def test_row_order_has_no_say(rows, random):
    mixed = list(rows)
    random.shuffle(mixed)
    one, other = (
        metrics(*arrays([score / 5 for score, _ in some], [hit for _, hit in some])) for some in (rows, mixed)
    )
    np.testing.assert_allclose(list(one.values()), list(other.values()))


def test_precision_recall_and_f1_at_a_threshold_by_hand():
    # Three scores reach 0.5, two of them churn; one churner lies below.
    scores, churned = arrays([0.9, 0.6, 0.5, 0.4, 0.1], [1, 0, 1, 1, 0])
    expected = {
        "threshold": 0.5,
        "precision_at_threshold": 2 / 3,
        "recall_at_threshold": 2 / 3,
        "f1_at_threshold": 2 / 3,
    }
    assert at_threshold(scores, churned, 0.5) == pytest.approx(expected)


def test_a_threshold_that_nobody_reaches_has_no_precision():
    found = at_threshold(*arrays([0.2, 0.1], [1, 0]), 0.5)
    assert found["recall_at_threshold"] == 0
    assert np.isnan([found["precision_at_threshold"], found["f1_at_threshold"]]).all()


def test_where_nobody_churned_a_threshold_has_no_recall():
    assert np.isnan(at_threshold(*arrays([0.9, 0.1], [0, 0]), 0.5)["recall_at_threshold"])


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), min_size=1, max_size=30).filter(
        lambda rows: any(hit for _, hit in rows) and any(score >= 5 for score, _ in rows)
    )
)
def test_f1_at_a_threshold_is_that_of_scikit_learn(rows):
    scores, churned = arrays([score / 10 for score, _ in rows], [hit for _, hit in rows])
    found = at_threshold(scores, churned, 0.5)["f1_at_threshold"]
    assert found == pytest.approx(f1_score(churned, scores >= 0.5))
