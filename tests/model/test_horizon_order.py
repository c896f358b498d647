"""Probabilities over several horizons in order: what the order changes, what it leaves, and when it is refused."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from tenure.model.horizon_order import ORDERS, best_order, judged, ordered, out_of_order, scores_over
from tenure.model.horizons import HorizonRows

probability = st.floats(0, 1, width=64)


@st.composite
def curves(draw):
    """Some rows of two to five horizons."""
    horizons = draw(st.integers(2, 5))
    return np.array(draw(st.lists(st.lists(probability, min_size=horizons, max_size=horizons), min_size=1, max_size=6)))


@pytest.mark.parametrize("order", ORDERS)
@given(raw=curves())
def test_rows_come_out_in_order_those_that_were_so_stay_and_it_is_done_at_once(order, raw):
    found = ordered(raw, order)
    assert (np.diff(found, axis=1) >= 0).all()
    assert not out_of_order(found).any()
    assert ((found >= 0) & (found <= 1)).all()
    was_in_order = ~out_of_order(raw)
    np.testing.assert_array_equal(found[was_in_order], raw[was_in_order])
    np.testing.assert_array_equal(ordered(found, order), found)


@given(raw=curves())
def test_a_pool_has_the_mean_of_what_it_pools_and_so_has_the_row(raw):
    for before, after in zip(raw, ordered(raw, "pooled"), strict=True):
        for value in set(after):
            pool = after == value
            np.testing.assert_allclose(before[pool].mean(), value, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(before.mean(), after.mean(), rtol=1e-12, atol=1e-15)


@given(raw=curves())
def test_the_highest_lowers_nothing_and_takes_only_what_a_shorter_horizon_has(raw):
    found = ordered(raw, "highest")
    assert (found >= raw).all()
    for place in range(raw.shape[1]):
        np.testing.assert_array_equal(found[:, place], raw[:, : place + 1].max(axis=1))


GRID = np.linspace(0, 1, 6)
IN_ORDER = np.array([one for one in product(GRID, repeat=4) if list(one) == sorted(one)])


@given(st.lists(st.sampled_from(GRID), min_size=4, max_size=4))
def test_no_row_in_order_is_nearer_than_the_pooled_one(row):
    raw = np.array([row])
    distance = np.square(ordered(raw, "pooled") - raw).sum()
    assert distance <= np.square(IN_ORDER - raw).sum(axis=1).min() + 1e-12


def test_orders_worked_by_hand():
    raw = np.array([[0.10, 0.22, 0.18, 0.30], [0.4, 0.2, 0.3, 0.9], [0.1, 0.2, 0.5, 0.3], [0.1, 0.2, 0.3, 0.4]])
    pooled = [[0.10, 0.20, 0.20, 0.30], [0.3, 0.3, 0.3, 0.9], [0.1, 0.2, 0.4, 0.4], [0.1, 0.2, 0.3, 0.4]]
    highest = [[0.10, 0.22, 0.22, 0.30], [0.4, 0.4, 0.4, 0.9], [0.1, 0.2, 0.5, 0.5], [0.1, 0.2, 0.3, 0.4]]
    np.testing.assert_allclose(ordered(raw, "pooled"), pooled, rtol=1e-12)
    np.testing.assert_array_equal(ordered(raw, "highest"), highest)
    np.testing.assert_array_equal(out_of_order(raw), [True, True, True, False])


def over(days, churned):
    return HorizonRows(days=days, churned=np.array(churned, dtype=float), teaches=np.zeros(len(churned), dtype=bool))


def test_figures_of_the_test_worked_by_hand():
    raw = np.array([[0.2, 0.1], [0.1, 0.5], [0.2, 0.8], [0.3, 0.4]])
    nan = float("nan")
    rows = [over(30, [0, 0, 1, 0]), over(60, [0, 1, 1, nan])]
    (short, main), _ = judged(raw, "pooled", rows, np.array([5, 5, 7, 9]))
    assert (short["test_rows"], short["test_customers"], short["test_churners"]) == (4, 3, 1)
    assert (main["test_rows"], main["test_customers"], main["test_churners"]) == (3, 2, 2)
    assert main["churn_rate"] == pytest.approx(2 / 3)
    assert short["mean_score_raw"] == pytest.approx(0.2)
    assert short["mean_score_ordered"] == pytest.approx(0.1875)  # the first row pools 0.2 and 0.1
    before = -(np.log(0.8) + np.log(0.9) + np.log(0.2) + np.log(0.7)) / 4
    assert short["log_loss_raw"] == pytest.approx(before)
    gain = np.log(0.85) - np.log(0.8)
    assert short["log_loss_gain"] == pytest.approx(gain / 4)
    # The gains of the three customers: that of the first, and twice none.
    assert short["log_loss_gain_error"] == pytest.approx(np.array([gain, 0, 0]).std(ddof=1) * np.sqrt(3) / 4)
    # Over the longer horizon the same pool gives a customer who stayed 0.15 for 0.1: two customers are left.
    loss = np.log(0.9) - np.log(0.85)
    assert main["log_loss_gain"] == pytest.approx(-loss / 3)
    assert main["log_loss_gain_error"] == pytest.approx(np.array([loss, 0]).std(ddof=1) * np.sqrt(2) / 3)
    assert not short["worsened"]


RANDOM = np.random.default_rng(3)
TRUTH = RANDOM.uniform(0.05, 0.5, 2000)
CHURNED = (RANDOM.random(2000) < TRUTH).astype(float)
BY_LOT = RANDOM.uniform(0.05, 0.5, 2000)
SAME = [over(30, CHURNED), over(60, CHURNED)]


def test_an_order_that_makes_a_horizon_worse_is_refused():
    (short, long), kept = judged(np.column_stack([TRUTH, BY_LOT]), "pooled", SAME, np.arange(2000))
    assert (short["worsened"], long["worsened"], kept) == (True, False, False)
    assert -short["log_loss_gain"] > short["log_loss_gain_error"] > 0


def test_an_order_that_makes_none_worse_is_kept():
    # No one is lowered, and what is raised is raised to what is right.
    (short, long), kept = judged(np.column_stack([TRUTH, BY_LOT * 0.5]), "highest", SAME, np.arange(2000))
    assert (short["log_loss_gain"], short["worsened"], long["worsened"], kept) == (0, False, False, True)
    assert long["log_loss_gain"] > 0


def test_the_order_is_chosen_by_the_loss_over_all_horizons():
    assert best_order(np.column_stack([TRUTH, BY_LOT * 0.5]), SAME) == "highest"
    # Where both horizons are as wrong, the mean of two is nearer than either.
    noise = RANDOM.normal(0, 0.3, (2000, 2))
    both = expit(logit(TRUTH)[:, None] + noise)
    assert best_order(both, SAME) == "pooled"
    # Nothing to choose by, or nothing out of order: the first.
    assert best_order(np.empty((0, 2)), [over(30, []), over(60, [])]) == "pooled"
    assert best_order(np.sort(both, axis=1), SAME) == "pooled"


def test_a_horizon_without_an_answer_has_no_figures_and_refuses_nothing():
    nan = float("nan")
    (_, late), kept = judged(
        np.array([[0.5, 0.2]] * 3), "highest", [over(30, [0, 1, 0]), over(60, [nan] * 3)], np.arange(3)
    )
    assert late["test_rows"] == 0
    assert np.isnan(late["log_loss_raw"])
    assert (late["worsened"], kept) == (False, True)


def test_answers_that_fall_are_counted_at_the_horizon_they_fall_in():
    nan = float("nan")
    rows = [over(30, [1, 1, 0, 1]), over(60, [1, 0, 1, nan]), over(90, [0, 0, 1, 1])]
    found, _ = judged(np.full((4, 3), 0.5), "pooled", rows, np.arange(4))
    assert [one["answers_fell"] for one in found] == [0, 1, 1]


class Fixed:
    """Scores rows by a column."""

    def __init__(self, column):
        self.column = column

    def predict(self, frame):
        return frame[self.column].to_numpy()


@pytest.mark.parametrize(
    ("order", "expected"),
    [("highest", [0.4, 0.4, 0.1, 0.3]), ("pooled", [0.3, 0.3, 0.1, 0.3]), (None, [0.4, 0.2, 0.1, 0.3])],
)
def test_scores_have_a_row_a_customer_and_horizon(order, expected):
    frame = pd.DataFrame({"customer_id": [8, 3], "long": [0.2, 0.3], "short": [0.4, 0.1]})
    frame["snapshot_date"] = "2024-01-31"
    found = scores_over({60: Fixed("long"), 30: Fixed("short")}, frame, ["customer_id"], order)
    assert found["customer_id"].tolist() == [8, 8, 3, 3]
    assert found["horizon"].tolist() == [30, 60, 30, 60]
    assert found["score_raw"].tolist() == [0.4, 0.2, 0.1, 0.3]
    np.testing.assert_allclose(found["score"], expected, rtol=1e-12)
