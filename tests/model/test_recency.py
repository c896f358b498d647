"""The half-life: chosen where effects move, left alone where they stay, and by nothing that came later."""

from dataclasses import replace

import numpy as np
import pytest

from tenure.model import recency
from tenure.model.base import FitSettings
from tenure.model.cross_fit import CrossFitModel
from tenure.model.learners import LEARNERS
from tenure.model.recency import HALF_LIVES, HalfLife, chosen_half_life, weighted
from tenure.model.sample import Folds, Sample
from tenure.model.select import Columns

COLUMNS = Columns(("customer_id",), ("debit", "credit", "fees"), ())
LOGISTIC = next(learner for learner in LEARNERS if learner.kind == "logistic")
SETTINGS = FitSettings(threads=1)
MONTHS = 24


def book(seed, moves, customers=300, months=MONTHS):
    """Month-end rows, labels of 30 days; with `moves` the effect of debit turns from 1.5 to -1.5 and churn doubles."""
    random = np.random.default_rng(seed)
    month = np.repeat(np.arange(months), customers)
    matrix = random.normal(size=(len(month), 3))
    turned = month / (MONTHS - 1) if moves else np.full(len(month), 0.25)
    logit = -1.5 + (1.5 - 3 * turned) * matrix[:, 0] + 0.5 * matrix[:, 1] + 0.7 * turned
    churned = (random.random(len(month)) < 1 / (1 + np.exp(-logit))).astype(float)
    customer = np.tile(np.arange(customers), months)
    rows = Sample(matrix, churned, customer, snapshot=month * 30, label_end=month * 30 + 30)
    return Folds(rows, customer % 5, COLUMNS)


def chosen(folds):
    like = CrossFitModel.of(LOGISTIC, folds, SETTINGS)
    return chosen_half_life(LOGISTIC, like, folds, SETTINGS)


def loss_of(folds, days, test):
    rows = folds.rows if days is None else weighted(folds.rows, days)
    model = CrossFitModel.of(LOGISTIC, replace(folds, rows=rows), SETTINGS)
    scores = model.probabilities(test.matrix)
    return -np.log(np.where(test.churned > 0, scores, 1 - scores)).mean()


@pytest.mark.parametrize("seed", range(3))
def test_where_effects_move_the_half_life_chosen_is_better_on_later_months(seed):
    whole = book(seed, moves=True)
    before, after = whole.rows.snapshot < 19 * 30, whole.rows.snapshot >= 20 * 30
    past, test = replace(whole, rows=whole.rows.only(before), fold=whole.fold[before]), whole.rows.only(after)
    found = chosen(past)
    assert found.days in HALF_LIVES
    assert found.gain > found.gain_error > 0
    assert found.origins == 4
    assert loss_of(past, found.days, test) < loss_of(past, None, test)


def test_where_effects_stay_none_is_chosen_nearly_always():
    found = [chosen(book(seed, moves=False, customers=150)).days for seed in range(10)]
    assert found.count(None) >= 9


def test_with_too_few_origins_none_is_chosen_and_said():
    for months in (1, 3):
        assert chosen(book(1, moves=True, months=months)) == HalfLife(None, 0.0, 0.0, 0)
    undated = book(1, moves=True, months=4)
    assert chosen(replace(undated, rows=replace(undated.rows, snapshot=None, label_end=None))) == HalfLife()


def test_an_origin_is_taught_by_ended_labels_alone_and_judges_until_the_next():
    rows = book(2, moves=False, months=10).rows
    origins = list(recency._origins(rows))
    assert len(origins) == 4
    begins = [origin.judged.snapshot.min() for origin in origins]
    # The label of month 0 ends with day 30, the first of nine months that can be an origin; the later half are five.
    assert begins == [150, 180, 240, 270]
    for origin, end in zip(origins, [*begins[1:], 271], strict=True):
        assert origin.taught.label_end.max() <= origin.judged.snapshot.min()
        assert origin.judged.snapshot.max() < end


def test_a_weight_halves_with_its_half_life_and_is_1_on_average():
    rows = book(3, moves=False, customers=1, months=7).rows
    weight = weighted(rows, 90).weight
    np.testing.assert_allclose(weight[3:] / weight[:-3], 2)
    assert weight.mean() == pytest.approx(1)
