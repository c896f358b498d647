"""Blends: what they weigh, that no row has a say in the weights it is judged by, and that they are read back."""

import json

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from tenure.errors import InvalidConfig, OutdatedModel, UnsafeModelFile
from tenure.insight.contributions import contributions
from tenure.model.blend import blended
from tenure.model.libraries import require_same_libraries, versions_here
from tenure.model.registry import load_model
from tenure.model.sample import Folds, Sample
from tenure.model.train import TrainSettings
from tenure.model.weights import least_loss_weights


@pytest.fixture(scope="module")
def train(world):
    return world[world["split"] == "train"]


@pytest.fixture(scope="module")
def folds(models, train):
    rows = Sample(models[0].columns.matrix(train), train["churned"].to_numpy(dtype=float))
    return Folds(rows, train["fold"].to_numpy(dtype=np.int64), models[0].columns)


def test_weights_are_those_of_the_regression_on_the_margins():
    random = np.random.default_rng(3)
    margins = random.normal(size=(4000, 2))
    churned = (random.random(4000) < expit(margins @ [0.8, 0.3] - 1)).astype(float)
    exact = LogisticRegression(C=np.inf, tol=1e-10).fit(margins, churned)
    weights, intercept = least_loss_weights(margins, churned)
    np.testing.assert_allclose([*weights, intercept], [*exact.coef_[0], *exact.intercept_], atol=1e-3)


def test_a_part_that_ranks_backwards_weighs_nothing():
    random = np.random.default_rng(4)
    good = random.normal(size=4000)
    churned = (random.random(4000) < expit(good)).astype(float)
    weights, _ = least_loss_weights(np.column_stack([good, -good + random.normal(size=4000)]), churned)
    assert weights[1] == 0
    assert weights[0] == pytest.approx(1, abs=0.1)


def test_it_is_the_weighted_sum_of_the_parts_that_never_saw_its_fold(models, world):
    *parts, blend = models
    assert blend.parameters["parts"] == [part.kind for part in parts]
    matrix = blend.columns.matrix(world)
    for number, member in blend.members.items():
        by_hand = sum(w * part.members[number].margin(matrix) for w, part in zip(member.weights, parts, strict=True))
        by_hand += member.intercept
        np.testing.assert_allclose(member.margin(matrix), by_hand, rtol=0, atol=1e-12)
    assert list(blend.members) == [0, 1, 2, 3, 4]


def test_no_row_has_a_say_in_the_weights_that_it_is_judged_by(models, folds):
    parts = models[:3]
    before = blended(parts, folds)
    other = np.where(folds.fold == 2, 1 - folds.rows.churned, folds.rows.churned)
    after = blended(parts, Folds(Sample(folds.rows.matrix, other), folds.fold, folds.columns))
    assert after.members[2].weights == before.members[2].weights
    assert after.members[1].weights != before.members[1].weights


def test_its_loss_out_of_fold_is_that_of_its_best_part_at_the_most(models, train):
    losses = [log_loss(train["churned"], model.predict_unseen(train)) for model in models]
    assert losses[-1] <= min(losses[:-1]) * 1.001


def test_contributions_add_up_to_its_margin(models, world):
    blend = models[-1]
    rows = world[world["split"] == "test"]
    matrix = blend.columns.matrix(rows)
    found = contributions(blend, matrix, matrix[:200])
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), blend.margin(matrix), rtol=0, atol=1e-6)


def test_it_is_read_back_to_the_bit(models, world):
    blend = models[-1]
    files = blend.files()
    loaded = load_model(files)
    assert loaded.parameters == blend.parameters
    assert loaded.files() == files
    np.testing.assert_array_equal(loaded.predict(world), blend.predict(world))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"parts": ["logistic", "rule"]}, "has 1 weights for 2 parts"),
        ({"parts": ["xgboost"]}, "needs xgboost-model.json, which is not there"),
    ],
)
def test_files_that_are_no_blend_are_refused(models, changed, message):
    member = models[-1].members[0]
    files = member.files()
    card = json.loads(files["model.json"])
    card["parameters"] |= {"weights": [0.5]} | changed
    with pytest.raises(UnsafeModelFile, match=message):
        load_model({**files, "model.json": json.dumps(card).encode()})


@pytest.mark.parametrize("lacking", ["parameters", "kind", "columns"])
def test_a_card_that_lacks_a_part_is_refused(models, lacking):
    files = models[-1].members[0].files()
    for name in ("model.json", "lightgbm-model.json"):
        card = {key: value for key, value in json.loads(files[name]).items() if key != lacking}
        if name == "model.json" and lacking == "columns":
            continue  # Those of a blend are its parts'.
        with pytest.raises(UnsafeModelFile, match=r"no (whole model|model card)"):
            load_model({**files, name: json.dumps(card).encode()})


def test_the_libraries_of_its_parts_are_asked_of_whoever_reads_it(models):
    row = {"model_version": "blend-1", "kind": "blend", "parameters": json.dumps(models[-1].parameters)}
    require_same_libraries(row | {"libraries": json.dumps(versions_here())})
    with pytest.raises(OutdatedModel, match=r"'blend-1' was trained with lightgbm 1\.0"):
        require_same_libraries(row | {"libraries": json.dumps(versions_here() | {"lightgbm": "1.0"})})


@pytest.mark.parametrize("kinds", [("blend",), ("logistic", "blend")])
def test_a_blend_of_fewer_than_two_others_is_refused(kinds):
    with pytest.raises(InvalidConfig, match=r"\[train\] models: a blend needs two others to be made of; got blend"):
        TrainSettings(kinds=kinds)
