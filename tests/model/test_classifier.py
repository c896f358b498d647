"""The Python face for a table without dates: scikit-learn's conventions over the services of training and scoring."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import cross_val_score

from tenure.errors import (
    CheckFailed,
    EmptySplit,
    InvalidConfig,
    MissingFeature,
    ModelError,
    OneClassTarget,
    TenureError,
)
from tenure.model.classifier import AttritionClassifier
from tenure.model.flat_rows import GROUP, flat_rows
from tenure.model.train import ModelTrainingService, TrainSettings, champion


def card_holders(rows=600, seed=1):
    """Who uses the card seldom leaves, and who has a gold one rather stays."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "payments": random.poisson(20, rows).astype(float),
            "months_on_book": random.integers(1, 60, rows),
            "card": random.choice(["blue", "gold"], rows),
            "branch": "main",
        }
    )
    frame.loc[random.random(rows) < 0.1, "payments"] = np.nan
    logit = 3.5 - 0.25 * frame["payments"].fillna(20) - 1.0 * (frame["card"] == "gold")
    left = random.random(rows) < 1 / (1 + np.exp(-logit))
    return frame, pd.Series(np.where(left, "left", "stays"), name="status")


def quick(**settings):
    return AttritionClassifier(**{"models": ["rule", "logistic"], "trials": 1, **settings})


@pytest.fixture(scope="module")
def holders():
    return card_holders()


@pytest.fixture(scope="module")
def fitted(holders):
    return quick(churned="left").fit(*holders)


def test_probabilities_have_a_column_a_class_in_the_order_of_classes(fitted, holders):
    frame, status = holders
    found = fitted.predict_proba(frame)
    assert found.shape == (600, 2)
    assert fitted.classes_.tolist() == ["left", "stays"]
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert roc_auc_score(status == "left", found[:, 0]) > 0.7
    assert (fitted.predict(frame) == np.where(found[:, 0] > 0.5, "left", "stays")).all()


def test_the_log_odds_are_of_the_second_class(fitted, holders):
    frame, _ = holders
    np.testing.assert_allclose(1 / (1 + np.exp(-fitted.decision_function(frame))), fitted.predict_proba(frame)[:, 1])


def test_which_value_means_left_changes_no_probability_of_the_linear_model(holders):
    left, last = (quick(models=["logistic"], churned=one).fit(*holders) for one in ("left", None))
    assert (left.churned_, last.churned_) == ("left", "stays")
    np.testing.assert_allclose(left.predict_proba(holders[0]), last.predict_proba(holders[0]), atol=1e-3)


def test_it_is_the_services_of_a_project(fitted, holders):
    frame, status = holders
    rows = flat_rows(frame, (status == "left").to_numpy(dtype=float), None, 5)
    settings = TrainSettings(kinds=("rule", "logistic"), trials=1)
    models = ModelTrainingService(settings).train(rows, [GROUP])
    best = champion(models, rows)
    assert best.kind == fitted.model_.kind
    np.testing.assert_array_equal(best.predict(frame), fitted.predict_proba(frame)[:, 0])
    np.testing.assert_array_equal(best.predict_unseen(rows), fitted.out_of_fold_[:, 0])


def test_figures_are_out_of_fold_and_say_that_they_are_not_out_of_time(fitted, holders):
    left = (holders[1] == "left").astype(int)
    row = fitted.figures_.loc[fitted.model_.kind]
    assert row["auroc"] == pytest.approx(roc_auc_score(left, fitted.out_of_fold_[:, 0]))
    assert row["log_loss"] == pytest.approx(log_loss(left, fitted.out_of_fold_[:, 0]))
    assert set(fitted.figures_["basis"]) == {"out of fold, not out of time"}
    assert list(fitted.figures_.index) == ["rule", "logistic"]


def test_held_out_rows_are_judged_as_such(fitted):
    frame, status = card_holders(300, seed=2)
    found = fitted.evaluate(frame, status)
    assert found["basis"] == "held out, not out of time"
    assert found["auroc"] == pytest.approx(roc_auc_score(status == "left", fitted.predict_proba(frame)[:, 0]))
    assert found["churners"] == int((status == "left").sum())


def test_scikit_learn_clones_pickles_and_cross_validates_it(fitted, holders):
    frame, status = holders
    assert clone(fitted).get_params() == fitted.get_params()
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301  (ours)
    np.testing.assert_array_equal(again.predict_proba(frame), fitted.predict_proba(frame))
    scores = cross_val_score(quick(), frame, status == "left", scoring="roc_auc", cv=3)
    assert scores.min() > 0.6


def test_two_fits_are_equal_to_the_bit_whatever_the_index_and_the_order_of_columns(fitted, holders):
    frame, status = holders
    moved = frame.set_axis(range(1000, 1600))
    again = quick(churned="left").fit(moved, status.tolist())
    np.testing.assert_array_equal(again.predict_proba(frame[frame.columns[::-1]]), fitted.predict_proba(frame))


def test_what_no_model_reads_is_said(fitted):
    assert dict(fitted.dropped_) == {"branch": "constant on train: main"}
    assert fitted.feature_names_in_.tolist() == ["payments", "months_on_book", "card", "branch"]


def test_rows_of_a_group_are_in_one_fold(holders):
    frame, status = holders
    household = np.arange(600) // 3
    rows = flat_rows(frame, (status == "left").to_numpy(dtype=float), household, 5)
    assert rows.groupby(household)["fold"].nunique().max() == 1
    assert rows["fold"].nunique() == 5
    assert rows[GROUP].tolist() == household.tolist()


def test_a_twin_in_another_fold_is_what_groups_prevent():
    """Each customer has two rows that are alike but for noise; whether one left is a coin's throw."""
    random = np.random.default_rng(3)
    coins, marks = random.integers(0, 2, 150), random.normal(size=150)
    frame = pd.DataFrame({"mark": np.repeat(marks, 2)})
    who = np.repeat(np.arange(150), 2)
    settings = {"models": ["lightgbm"], "trials": 1}
    apart = AttritionClassifier(**settings).fit(frame, np.repeat(coins, 2), groups=who)
    mixed = AttritionClassifier(**settings).fit(frame, np.repeat(coins, 2))
    assert apart.figures_.loc["lightgbm", "auroc"] < 0.6
    assert mixed.figures_.loc["lightgbm", "auroc"] > apart.figures_.loc["lightgbm", "auroc"]


def test_no_rows_have_no_probabilities(fitted, holders):
    assert fitted.predict_proba(holders[0].head(0)).shape == (0, 2)
    assert fitted.decision_function(holders[0].head(0)).shape == (0,)


def test_an_unfitted_one_says_so(holders):
    for ask in ("predict_proba", "predict", "decision_function"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(quick(), ask)(holders[0])


X, Y = card_holders(200)
LEFT = (Y == "left").astype(int)
REFUSED = {
    "an array": (lambda: quick().fit(X[["payments"]].to_numpy(), Y), ModelError, "X is a ndarray"),
    "columns without names": (
        lambda: quick().fit(X.set_axis(range(4), axis=1), Y),
        ModelError,
        "X has a column named 0, a int",
    ),
    "a name twice": (
        lambda: quick().fit(X.set_axis(["a", "b", "a", "c"], axis=1), Y),
        ModelError,
        "X has two columns named 'a'",
    ),
    "the outcome among the features": (
        lambda: quick().fit(X.assign(churned=LEFT), Y),
        ModelError,
        "X has a column 'churned', a name that training sets use",
    ),
    "nulls in y": (lambda: quick().fit(X, Y.where(X.index > 3)), ModelError, "y is null in 4 of 200 rows"),
    "a y of another length": (lambda: quick().fit(X, Y[:10]), ModelError, r"y has the shape \(10,\), and X has 200"),
    "a y with two columns": (lambda: quick().fit(X, pd.DataFrame({"a": Y, "b": Y})), ModelError, r"shape \(200, 2\)"),
    "a number for y": (lambda: quick().fit(X, 1), ModelError, r"y has the shape \(\)"),
    "three classes": (lambda: quick().fit(X, X["months_on_book"] % 3), ModelError, "y has 3 values"),
    "two types in y": (
        lambda: quick().fit(X, pd.Series(["no"] * 100 + [0] * 100, dtype=object)),
        ModelError,
        "y mixes values of different types",
    ),
    "one class": (lambda: quick().fit(X, ["no"] * 200), OneClassTarget, "y is 'no' in each of 200 rows"),
    "no rows": (lambda: quick().fit(X.head(0), []), OneClassTarget, "y has no rows"),
    "too few churners": (
        lambda: quick().fit(X, X.index < 5),
        OneClassTarget,
        "5 of 200 rows are of churners; at least 20",
    ),
    "one group": (
        lambda: quick().fit(X, Y, groups=["all"] * 200),
        EmptySplit,
        "all 200 rows fell into one fold: their groups are 1",
    ),
    "nulls in groups": (lambda: quick().fit(X, Y, groups=[None] * 200), ModelError, "groups is null in 200 of 200"),
    "all churners in one fold": (
        lambda: quick(churned=1).fit(X, LEFT, groups=np.where(LEFT, 0, X.index + 1)),
        OneClassTarget,
        "outside of fold .* churns",
    ),
    "no feature": (lambda: quick().fit(X[["branch"]], Y), ModelError, "X can't be learned from: no feature is left"),
    "a value of y that is none": (lambda: quick(churned="gone").fit(X, Y), ModelError, "churned='gone' is no value"),
    "an unknown kind": (
        lambda: quick(models=["forest"]).fit(X, Y),
        InvalidConfig,
        "models=: there is no model of kind",
    ),
    "no kind": (lambda: quick(models=[]).fit(X, Y), InvalidConfig, r"models=\[\] leaves nothing to choose from"),
    "a blend of one": (lambda: quick(models=["rule", "blend"]).fit(X, Y), InvalidConfig, "a blend needs two others"),
    "a column that reveals who left": (
        lambda: quick().fit(X.assign(closing=LEFT * 100 + X["months_on_book"]), Y),
        CheckFailed,
        "feature 'closing' may not be learned from",
    ),
    "trust in a column that is not there": (
        lambda: quick(trust=["closed"]).fit(X, Y),
        InvalidConfig,
        "trust=: no feature is called or matches 'closed'",
    ),
    "one fold": (lambda: quick(folds=1).fit(X, Y), InvalidConfig, "folds: got 1"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_can_t_be_fitted_is_refused_with_its_cure(why):
    fit, error, message = REFUSED[why]
    with pytest.raises(error, match=message) as refused:
        fit()
    assert isinstance(refused.value, TenureError)
    assert "tenure.toml" not in refused.value.hint
    assert "churn.py" not in refused.value.hint


def test_a_column_that_is_trusted_is_learned_from():
    told = quick(trust=["clos*"]).fit(X.assign(closing=LEFT * 100 + X["months_on_book"]), Y)
    assert told.figures_["auroc"].max() > 0.99


def test_a_frame_that_lacks_a_column_or_changed_its_type_is_refused_by_its_name(fitted, holders):
    frame, status = holders
    with pytest.raises(MissingFeature, match="X lacks payments, which the model reads") as refused:
        fitted.predict_proba(frame.drop(columns="payments"))
    assert "feature_names_in_" in refused.value.hint
    with pytest.raises(ModelError, match="feature 'payments' is text here"):
        fitted.predict_proba(frame.assign(payments="many"))
    with pytest.raises(ModelError, match="y has the values 'stays', 'went'; in fit they were 'left', 'stays'"):
        fitted.evaluate(frame, status.replace("left", "went"))
    fitted.predict_proba(frame.drop(columns="branch"))
    unseen = fitted.predict_proba(frame.assign(card="platinum"))
    assert np.isfinite(unseen).all()
