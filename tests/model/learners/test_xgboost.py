import json
from itertools import combinations
from math import comb

import numpy as np
import optuna
import pytest
import xgboost
from one_fold import one_fold

from tenure.errors import UnsafeModelFile
from tenure.model.base import FitSettings
from tenure.model.learners.xgboost import START, XGBoostModel, _data, _singles
from tenure.model.registry import load_model
from tenure.model.sample import Sample
from tenure.model.select import Columns

COLUMNS = Columns(
    ("customer_id",),
    ("days", "money", "visits", "mark"),
    ("region", "branch"),
    {"region": ("east", "north", "south"), "branch": tuple(f"B{n:02}" for n in range(30))},
)
QUICK = FitSettings(trials=2, threads=1)


def sample(seed, rows=1500):
    """Gaps, ties, values on thresholds, large money, and a category of many values that matters."""
    random = np.random.default_rng(seed)
    days, visits = random.normal(size=rows), random.integers(0, 6, rows)
    money, mark = random.lognormal(8, 3, rows), np.round(random.random(rows), 1)
    region, branch = random.integers(0, 3, rows), random.integers(0, 30, rows)
    lean = (
        days * np.where(region == 1, 2, -1) + (branch % 7 == 0) + 0.3 * visits - 1.5 + 2 * ((mark > 0.5) & (days > 0))
    )
    matrix = np.column_stack([days, money, visits, mark, region, branch]).astype(float)
    matrix[random.random(matrix.shape) < 0.08] = np.nan
    return Sample(matrix, (random.random(rows) < 1 / (1 + np.exp(-lean))).astype(float))


def booster_says(model, matrix, **how):
    return model.booster.predict(_data(model.columns, matrix), **how)


@pytest.fixture(scope="module")
def model():
    return one_fold(XGBoostModel, COLUMNS, sample(0), sample(1), FitSettings(trials=4, threads=1))


@pytest.fixture(scope="module")
def deep():
    """Trees as deep as the search may grow them, with splits by sets of categories and by single ones."""
    settings = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.3, "min_child_weight": 1, "nthread": 1}
    train = sample(0)
    booster = xgboost.train(settings, _data(COLUMNS, train.matrix, train.churned), num_boost_round=60)
    found = XGBoostModel(COLUMNS, {}, bytes(booster.save_raw("json")))
    sizes = {len(codes) for splits in found.splits for codes in splits.sets.values()}
    assert 1 in sizes
    assert max(sizes) > 1
    return found


def test_contributions_are_those_of_xgboost_up_to_its_single_precision(deep):
    rows = sample(2, 500).matrix
    values, base = deep.contributions(rows, rows)
    theirs = booster_says(deep, rows, pred_contribs=True)
    np.testing.assert_allclose(values, theirs[:, :-1], rtol=0, atol=1e-5)
    np.testing.assert_allclose(base, theirs[:, -1], rtol=0, atol=1e-5)


def test_the_margin_is_that_of_xgboost_up_to_its_single_precision(deep):
    rows = sample(2, 500).matrix
    np.testing.assert_allclose(deep.margin(rows), booster_says(deep, rows, output_margin=True), rtol=0, atol=1e-5)
    np.testing.assert_allclose(deep.probabilities(rows), booster_says(deep, rows), rtol=0, atol=1e-6)


def test_contributions_add_up_far_more_closely_than_those_of_xgboost(deep):
    rows = sample(2, 2000).matrix
    values, base = deep.contributions(rows, rows)
    assert np.abs(values.sum(axis=1) + base - deep.margin(rows)).max() < 1e-12
    theirs = booster_says(deep, rows, pred_contribs=True).astype(float).sum(axis=1)
    assert np.abs(theirs - booster_says(deep, rows, output_margin=True)).max() > 1e-7


def test_a_base_far_from_one_half_is_read_from_the_file():
    train = sample(0)
    rare = Sample(train.matrix, train.churned * (np.random.default_rng(9).random(len(train.churned)) < 0.05))
    fitted = one_fold(XGBoostModel, COLUMNS, rare, rare, FitSettings(trials=1, threads=1))
    # Of few trees, since the booster's own sum loses up to 1e-5 over hundreds.
    model = XGBoostModel(COLUMNS, {}, bytes(fitted.booster[:20].save_raw("json")))
    assert model.base < -2
    rows = sample(2, 200).matrix
    np.testing.assert_allclose(model.margin(rows), booster_says(model, rows, output_margin=True), rtol=0, atol=2e-6)


def expected_margin(splits, node, row, known):
    """Mean of a tree's leaves where only `known` features are told: other splits weigh by training rows."""
    tree = splits.tree
    left, right = tree.left[node], tree.right[node]
    if left < 0:
        return tree.value[node]
    if tree.feature[node] in known:
        went_left = splits.goes_left(_singles(row[None, :]).T)[node, 0]
        return expected_margin(splits, left if went_left else right, row, known)
    below = [expected_margin(splits, child, row, known) for child in (left, right)]
    return (below[0] * tree.cover[left] + below[1] * tree.cover[right]) / tree.cover[node]


def test_contributions_equal_shapley_values_enumerated_over_all_coalitions(deep):
    rows = sample(3, 5).matrix
    few = XGBoostModel(COLUMNS, {}, bytes(deep.booster[:3].save_raw("json")))
    values, base = few.contributions(rows, rows)

    def worth(row, known):
        return few.base + sum(expected_margin(splits, 0, row, known) for splits in few.splits)

    features = range(len(COLUMNS.names))
    coalitions = [frozenset(some) for size in range(7) for some in combinations(features, size)]
    for at, row in enumerate(rows):
        worths = {coalition: worth(row, coalition) for coalition in coalitions}
        assert base[at] == pytest.approx(worths[frozenset()], abs=1e-6)
        for place in features:
            shapley = sum(
                (worths[coalition | {place}] - worths[coalition]) / (6 * comb(5, len(coalition)))
                for coalition in coalitions
                if place not in coalition
            )
            # A node's weight in the file is a float32, so those of two children may miss their sum's last digits.
            assert values[at, place] == pytest.approx(shapley, abs=1e-6)


def test_a_feature_that_is_asked_for_twice_on_one_path_is_one_feature():
    days = np.random.default_rng(4).normal(size=(800, 1))
    churned = (np.abs(days[:, 0]) < 0.5).astype(float)
    model = one_fold(XGBoostModel, Columns(("k",), ("days",), ()), Sample(days, churned), Sample(days, churned), QUICK)
    values, base = model.contributions(days, days)
    np.testing.assert_allclose(values[:, 0], model.margin(days) - base, rtol=0, atol=1e-12)


def test_a_tree_that_is_one_leaf_moves_the_base_alone():
    nothing = Sample(np.zeros((200, 1)), (np.arange(200) % 4 == 0).astype(float))
    model = one_fold(XGBoostModel, Columns(("k",), ("x",), ()), nothing, nothing, QUICK)
    values, base = model.contributions(nothing.matrix, nothing.matrix)
    assert (values == 0).all()
    np.testing.assert_allclose(base, model.margin(nothing.matrix), rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.probabilities(nothing.matrix), 0.25, atol=1e-3)


def test_a_number_between_two_singles_goes_where_the_booster_sends_it(deep):
    """A threshold is compared with the feature as float32: the double just beside it is the same number."""
    thresholds = np.concatenate([s.threshold[(s.tree.left >= 0) & (s.tree.feature == 0)] for s in deep.splits]).astype(
        float
    )
    rows = np.repeat(sample(5, 1).matrix, 3 * len(thresholds), axis=0)
    rows[:, 0] = np.concatenate([np.nextafter(thresholds, -9), thresholds, np.nextafter(thresholds, 9)])
    values, base = deep.contributions(rows, rows)
    np.testing.assert_allclose(values.sum(axis=1) + base, deep.margin(rows), rtol=0, atol=1e-12)


def test_numbers_beyond_single_precision_are_read_as_its_largest(model):
    rows = np.repeat(sample(5, 1).matrix, 3, axis=0)
    rows[:, 1] = [1e100, 1e39, 2e38]
    assert len(set(model.margin(rows))) == 1


def test_the_bytes_are_the_same_with_any_number_of_threads():
    fits = [one_fold(XGBoostModel, COLUMNS, sample(0), sample(1), FitSettings(trials=2, threads=n)) for n in (1, 2, 3)]
    assert fits[0].files() == fits[1].files() == fits[2].files()
    rows = sample(2, 700).matrix
    margins = [fit.margin(rows) for fit in fits]
    np.testing.assert_array_equal(margins[0], margins[1])
    np.testing.assert_array_equal(margins[0], margins[2])


def test_another_seed_gives_another_model(model):
    other = one_fold(XGBoostModel, COLUMNS, sample(0), sample(1), FitSettings(trials=4, threads=1, seed=2**32 - 1))
    assert other.files() != model.files()


def test_the_first_trial_is_the_hand_set_start():
    model = one_fold(XGBoostModel, COLUMNS, sample(0), sample(1), FitSettings(trials=1))
    assert {name: model.parameters[name] for name in START} == dict(START)


def test_the_trees_kept_are_those_up_to_the_least_loss_on_validation(model):
    validation = sample(1)
    scores = model.probabilities(validation.matrix)
    loss = -np.log(np.where(validation.churned > 0, scores, 1 - scores)).mean()
    assert loss == pytest.approx(model.parameters["validation_log_loss"], abs=1e-6)
    assert model.booster.num_boosted_rounds() == len(model.splits) == model.parameters["trees"]


def test_more_trials_never_lose_to_the_start_on_validation():
    start, other = (
        one_fold(XGBoostModel, COLUMNS, sample(0), sample(1), FitSettings(trials=trials)) for trials in (1, 3)
    )
    assert other.parameters["validation_log_loss"] <= start.parameters["validation_log_loss"]


@pytest.mark.parametrize(
    "harm",
    [lambda text: text[:-400], lambda _: b"", lambda _: b"no json", lambda _: b"[]", lambda _: b'{"learner": {}}'],
    ids=["cut", "empty", "no JSON", "a list", "another's"],
)
def test_a_file_that_is_no_whole_model_is_refused(model, harm):
    files = model.files()
    with pytest.raises(UnsafeModelFile, match=r"xgboost\.json is no whole model of XGBoost"):
        load_model({**files, "xgboost.json": harm(files["xgboost.json"])})


def test_a_model_that_xgboost_itself_refuses_is_refused(model):
    files = model.files()
    record = json.loads(files["xgboost.json"])
    record["learner"]["objective"]["name"] = "no such objective"
    with pytest.raises(UnsafeModelFile, match=r"xgboost\.json is no whole model of XGBoost"):
        load_model({**files, "xgboost.json": json.dumps(record).encode()})


def test_nothing_is_printed(capfd):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    one_fold(XGBoostModel, COLUMNS, sample(0), sample(1), QUICK)
    assert capfd.readouterr() == ("", "")
