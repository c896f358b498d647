"""Models over further horizons: which rows teach, in which folds, and that nothing is searched anew."""

import numpy as np
import pandas as pd
import pytest

from tenure.errors import EmptySplit, OneClassTarget
from tenure.model.base import FitSettings
from tenure.model.horizons import fitted_like, folds_over, rows_over
from tenure.model.registry import load_model

DAYS = pd.to_datetime(["2024-01-31", "2024-02-29", "2024-03-31", "2024-06-30"])


def set_of(splits, customers=(1,)):
    rows = [(one, day, split) for one in customers for day, split in zip(DAYS, splits, strict=True)]
    return pd.DataFrame(rows, columns=["customer_id", "snapshot_date", "split"])


def answers(frame, days, churned):
    made = frame[["customer_id", "snapshot_date"]].assign(churned=churned)
    return made.assign(label_end=made["snapshot_date"] + pd.Timedelta(days=days))


def taught(frame, days, **waited):
    return rows_over(days, frame, answers(frame, days, 0), ["customer_id"], **waited).teaches.tolist()


def test_a_row_teaches_if_its_answer_over_the_horizon_was_known_before_the_test():
    frame = set_of(["train", "train", "embargo", "test"])
    month = rows_over(30, frame, answers(frame, 30, [0, 1, 0, 1]), ["customer_id"])
    assert month.churned.tolist() == [0, 1, 0, 1]
    assert month.teaches.tolist() == [True, True, True, False]
    # 29 February and 122 days are 30 June, on which the test begins; one day less is before it.
    assert taught(frame, 122) == [True, False, False, False]
    assert taught(frame, 121) == [True, True, False, False]
    assert taught(frame, 121, wait=1) == [True, False, False, False]


def test_a_row_without_a_label_is_none_of_the_horizon():
    frame = set_of(["train", "train", "embargo", "test"])
    labels = answers(frame, 90, [0, 1, 0, 1]).iloc[:1]
    found = rows_over(90, frame, labels, ["customer_id"])
    assert found.answered.tolist() == [True, False, False, False]
    assert found.teaches.tolist() == [True, False, False, False]


def test_a_training_set_without_a_test_is_refused():
    frame = set_of(["train"] * 4)
    with pytest.raises(EmptySplit, match="split 'test' has no rows"):
        rows_over(30, frame, answers(frame, 30, 0), ["customer_id"])


@pytest.fixture(scope="module")
def longer(world):
    """The world's answers over a horizon twice as long: some more churn."""
    more = np.random.default_rng(5).random(len(world)) < 0.1
    labels = world[["customer_id", "snapshot_date"]].assign(churned=np.maximum(world["churned"], more))
    return labels.assign(label_end=labels["snapshot_date"] + pd.Timedelta(days=60))


@pytest.mark.parametrize("kind", ["rule", "logistic", "lightgbm", "blend"])
def test_a_model_is_like_the_champion_with_nothing_searched(models, world, longer, kind):
    champion = next(model for model in models if model.kind == kind)
    rows = rows_over(60, world, longer, ["customer_id"])
    found = fitted_like(champion, world, rows, FitSettings(trials=40))
    assert (found.kind, found.columns) == (kind, champion.columns)
    assert sorted(found.members) == sorted(champion.members)
    chosen = {"logistic": ("C",), "lightgbm": ("num_leaves", "learning_rate", "lambda_l2"), "blend": ("parts",)}
    for number, member in found.members.items():
        for name in chosen.get(kind, ()):
            assert member.parameters[name] == champion.members[number].parameters[name]
    score = found.predict(world[world["split"] == "test"])
    assert score.mean() > champion.predict(world[world["split"] == "test"]).mean()
    again = load_model(found.files()).predict(world[world["split"] == "test"])
    np.testing.assert_array_equal(again, score)


@pytest.mark.parametrize("type_", ["Int32", "float64"])
def test_customers_keep_their_folds_and_one_of_the_embargo_alone_is_given_one(models, world, longer, type_):
    rows = rows_over(60, world, longer, ["customer_id"])
    # As the lake's rows come: with nulls a column of whole numbers is one of floating point.
    found = world.assign(fold=world["fold"].astype(type_))
    found = found[rows.teaches].assign(its=folds_over(models[0], found, rows).fold)
    assert set(found["split"]) == {"train", "embargo"}
    of_train = found[found["split"] == "train"]
    assert (of_train["its"] == of_train["fold"]).all()
    assert (found.groupby("customer_id")["its"].nunique() == 1).all()
    late = found[found["customer_id"] % 4 == 0]
    assert set(late["split"]) == {"embargo"}
    assert late["its"].value_counts().tolist() == [60] * 5


def test_rows_of_a_group_share_a_fold(models, world, longer):
    # Every customer of the embargo alone is of one of ten groups.
    grouped = world.assign(household=world["customer_id"] % 10 + 10 * (world["customer_id"] % 4 != 0))
    rows = rows_over(60, grouped, longer, ["customer_id"])
    late = rows.teaches & (grouped["customer_id"] % 4 == 0).to_numpy()
    fold = folds_over(models[0], grouped[late], rows.only(late), ["household"]).fold
    assert grouped[late].assign(its=fold).groupby("household")["its"].nunique().tolist() == [1] * 5


def test_too_few_churners_over_a_horizon_are_refused_with_it(models, world, longer):
    few = longer.assign(churned=(np.arange(len(longer)) < 19).astype(int))
    with pytest.raises(OneClassTarget, match=r"over a horizon of 60 days 19 of .* at least 20 are needed") as caught:
        fitted_like(models[0], world, rows_over(60, world, few, ["customer_id"]), FitSettings())
    assert "leave 60 out of horizons=" in caught.value.hint


def test_a_horizon_that_nothing_was_answered_over_before_the_test_is_refused(models, world, longer):
    late = longer.assign(label_end=pd.Timestamp("2023-12-31"))
    with pytest.raises(EmptySplit, match="over a horizon of 180 days no row was answered before the first test"):
        fitted_like(models[0], world, rows_over(180, world, late, ["customer_id"]), FitSettings())
