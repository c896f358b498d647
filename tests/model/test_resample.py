"""Draws of whole customers: each is the plain measure of rows repeated as often as drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from tenure.model.resample import auroc_interval, cluster_weights, interval, resampled


def arrays(scores, churned):
    return np.array(scores, dtype=float), np.array(churned, dtype=float)


def test_the_interval_is_seeded_and_holds_the_auroc():
    random = np.random.default_rng(0)
    churned = (random.random(2000) < 0.2).astype(float)
    scores = np.round(random.normal(size=2000) + churned, 1)
    customer = np.arange(2000) // 2
    low, high = auroc_interval(scores, churned, customer)
    assert (low, high) == auroc_interval(scores, churned, customer)
    assert low < roc_auc_score(churned, scores) < high
    assert 0.02 < high - low < 0.1


def test_drawing_each_customer_once_gives_the_plain_auroc():
    # A single customer is always drawn as a whole, so every resample is the sample itself, ties included.
    scores, churned = arrays([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0])
    assert auroc_interval(scores, churned, np.zeros(4, dtype=int), resamples=5) == (0.875, 0.875)


def test_rows_of_one_customer_are_drawn_together_so_copies_do_not_narrow_the_interval():
    random = np.random.default_rng(0)
    churned = (random.random(300) < 0.3).astype(float)
    scores, customer = random.normal(size=300) + churned, np.arange(300)
    once = auroc_interval(scores, churned, customer)
    assert auroc_interval(np.tile(scores, 5), np.tile(churned, 5), np.tile(customer, 5)) == pytest.approx(once)


def test_one_class_has_no_interval():
    assert np.isnan(auroc_interval(*arrays([0.1, 0.2], [0, 0]), np.array([0, 1]))).all()


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 1), st.integers(0, 5)), min_size=4, max_size=25))
def test_a_draw_is_the_measure_of_rows_repeated_as_often_as_drawn(rows):
    scores, churned = arrays([score / 9 for score, _, _ in rows], [hit for _, hit, _ in rows])
    customer = np.unique([c for _, _, c in rows], return_inverse=True)[1]
    drawn = resampled({"a": scores, "b": 1 - scores}, churned, customer, resamples=3, seed=1)
    for turn, weights in enumerate(cluster_weights(customer, resamples=3, seed=1)):
        again = np.repeat(np.arange(len(rows)), weights)
        for name, of in (("a", scores), ("b", 1 - scores)):
            ranks, loss = drawn[name][turn]
            assert loss == pytest.approx(log_loss(churned[again], of[again], labels=[0, 1]))
            if len(set(churned[again])) < 2:
                assert np.isnan(ranks)
            else:
                assert ranks == pytest.approx(roc_auc_score(churned[again], of[again]))


def test_no_rows_draw_nothing():
    empty = np.empty(0)
    assert np.isnan(resampled({"a": empty}, empty, np.empty(0, dtype=int), resamples=2)["a"]).all()


def test_an_interval_of_nothing_known_is_none():
    assert np.isnan(interval(np.full(5, np.nan))).all()
    assert interval(np.array([1.0, np.nan, 1.0])) == (1.0, 1.0)
