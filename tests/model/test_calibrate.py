"""Calibration: raw unless later snapshots prove more, and then in no other order of customers."""

import json

import numpy as np
import pytest
from scipy.special import expit, logit

from tenure.errors import UnsafeModelFile
from tenure.model.base import FitSettings
from tenure.model.calibrate import RAW, WAYS, Calibration, Chosen, Scored, chosen_calibration
from tenure.model.cross_fit import CrossFitModel
from tenure.model.later_scores import later_scores
from tenure.model.learners import LEARNERS
from tenure.model.registry import load_model
from tenure.model.sample import Folds, Sample
from tenure.model.select import Columns

ROWS = 1000


def snapshots(seed, count, *, slope=1.0, moves=0.0):
    """Margins whose true log-odds are `slope` times as far from -1.5, with a level that walks by steps of `moves`."""
    random = np.random.default_rng(seed)
    level, found = -1.5, []
    for _ in range(count):
        level += moves * random.normal()
        margin = random.normal(-1.5, 1.2, ROWS)
        churned = (random.random(ROWS) < expit(level + slope * (margin + 1.5))).astype(float)
        found.append(Scored(margin, churned, np.arange(ROWS)))
    return found


def loss(score, one):
    return -np.log(np.where(one.churned > 0, score, 1 - score)).mean()


def test_a_line_of_the_margin_is_found_again():
    random = np.random.default_rng(1)
    margin = random.normal(0, 2, 200_000)
    churned = (random.random(len(margin)) < expit(0.5 * margin - 1)).astype(float)
    found = Calibration.fitted("platt", margin, churned)
    assert found.weights[0] == pytest.approx(0.5, abs=0.02)
    assert found.intercept == pytest.approx(-1, abs=0.02)
    np.testing.assert_allclose(
        logit(found.score(np.array([0.0, 2.0]))), [found.intercept, found.intercept + 1], atol=0.05
    )


def test_beta_with_equal_weights_is_a_line():
    # log p - log(1 - p) is the margin, so that equal weights of both logarithms are Platt's weight.
    margin = np.linspace(-5, 5, 11)
    line, beta = Calibration("platt", (0.7,), -0.2), Calibration("beta", (0.7, 0.7), -0.2)
    np.testing.assert_allclose(line.score(margin), beta.score(margin), rtol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_no_way_bends_the_order_of_scores(way):
    (one,) = snapshots(3, 1)
    score = Calibration.fitted(way, one.margin, 1 - one.churned).score(np.sort(one.margin))
    assert (np.diff(score) >= 0).all()


def test_scores_that_lie_too_far_apart_are_mended():
    *past, later = snapshots(5, 5, slope=0.5)
    found = chosen_calibration(past)
    assert found.calibration is not None
    assert found.gain > found.gain_error > 0
    assert found.snapshots == 4
    assert loss(found.calibration.score(later.margin), later) < loss(expit(later.margin), later)


def test_right_scores_stay_raw_nearly_always():
    found = [chosen_calibration(snapshots(seed, 4)).calibration for seed in range(20)]
    assert found.count(None) >= 18


def test_short_history_or_few_churners_choose_raw():
    assert chosen_calibration(snapshots(1, 2, slope=0.3)) == Chosen()
    few = [Scored(one.margin[:60], one.churned[:60], one.customer[:60]) for one in snapshots(1, 4, slope=0.3)]
    assert chosen_calibration(few) == Chosen()
    assert Chosen().record()["calibration"] == RAW


@pytest.mark.parametrize(
    ("slope", "moves"), [(1.0, 0.0), (1.0, 0.3), (0.6, 0.15)], ids=["right", "the level walks", "too far apart"]
)
def test_what_is_delivered_is_not_worse_than_raw_by_more_than_chance(slope, moves):
    # Half-yearly snapshots of twelve years: four choose, and the one after them is scored.
    differences = []
    for seed in range(80):
        years = snapshots(seed, 24, slope=slope, moves=moves)
        for place in (5, 14, 23):
            found, now = chosen_calibration(years[place - 4 : place]).calibration, years[place]
            raw = loss(expit(now.margin), now)
            differences.append(0.0 if found is None else loss(found.score(now.margin), now) - raw)
    differences = np.array(differences)
    # Where raw is right, every other choice is worse: there must be next to none.
    assert differences.mean() <= max(differences.std(ddof=1) / np.sqrt(len(differences)), 1e-5)


COLUMNS = Columns(("customer_id",), ("debit", "credit"), ())
LOGISTIC = next(learner for learner in LEARNERS if learner.kind == "logistic")


def trained(months=20, customers=400):
    random = np.random.default_rng(2)
    month = np.repeat(np.arange(months), customers)
    matrix = random.normal(size=(len(month), 2))
    churned = (random.random(len(month)) < expit(matrix[:, 0] - 1)).astype(float)
    customer = np.tile(np.arange(customers), months)
    rows = Sample(matrix, churned, customer, snapshot=month * 30, label_end=month * 30 + 90)
    folds = Folds(rows, customer % 5, COLUMNS)
    return CrossFitModel.of(LOGISTIC, folds, FitSettings()), rows


def test_later_snapshots_are_scored_by_what_was_known_at_each():
    model, rows = trained()
    scored = later_scores(model, rows, FitSettings())
    # Month 19 is the last; of month 16 the label ends with month 19, of 13 with 16, of 10 with 13.
    for one, month in zip(scored, (10, 13, 16, 19), strict=True):
        taught, judged = rows.only(rows.label_end <= month * 30), rows.only(rows.snapshot == month * 30)
        np.testing.assert_array_equal(one.churned, judged.churned)
        alone = LOGISTIC.cross_fit(Folds.of(COLUMNS, taught, judged), FitSettings(), like=model.members[0])[0]
        np.testing.assert_array_equal(one.margin, alone.margin(judged.matrix))
    assert later_scores(model, rows.only(rows.snapshot < 270), FitSettings()) == []


def test_a_calibrated_model_is_read_back_to_the_bit_and_keeps_its_margin():
    model, rows = trained(months=6)
    raw = model.probabilities(rows.matrix)
    model.calibration = Calibration("beta", (0.8, 0.6), 0.1)
    again = load_model(model.files())
    np.testing.assert_array_equal(again.probabilities(rows.matrix), model.probabilities(rows.matrix))
    np.testing.assert_array_equal(again.margin(rows.matrix), model.margin(rows.matrix))
    assert not np.array_equal(raw, model.probabilities(rows.matrix))
    values, base = again.contributions(rows.matrix, rows.matrix)
    np.testing.assert_allclose(values.sum(axis=1) + base, again.margin(rows.matrix), atol=1e-9)


@pytest.mark.parametrize(
    "harm",
    [{"way": "isotonic"}, {"weights": [1.0]}, {"weights": [-1.0, 1.0]}, {"intercept": None}, {"weights": None}],
    ids=str,
)
def test_a_calibration_that_is_none_is_refused(harm):
    model, _ = trained(months=6)
    model.calibration = Calibration("beta", (0.8, 0.6), 0.1)
    files = model.files()
    card = json.loads(files["model.json"])
    card["calibration"] |= harm
    with pytest.raises(UnsafeModelFile, match="a calibration that is none"):
        load_model({**files, "model.json": json.dumps(card).encode()})
