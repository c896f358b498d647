"""Groups of the test by hand: who is in which, what is pooled, and what a model is worth in each."""

import numpy as np
import pandas as pd
import pytest
from model.by_score import judged_by_hand
from sklearn.metrics import roc_auc_score

from tenure.model.groups import COLUMNS, by_group, sign_values, tenure_bands

DAY = ["2024-01-31"]


def world(customers=400, seed=3):
    random = np.random.default_rng(seed)
    churned = random.random(customers) < 0.3
    return judged_by_hand(DAY, churned, one=random.random(customers), flat=np.full(customers, 0.3))


def test_each_group_has_the_figures_of_its_own_rows_for_each_model():
    judged = world()
    north = np.arange(400) < 150
    found = by_group(judged, {"region": pd.Series(np.where(north, "north", "south"))})
    assert tuple(found.columns) == COLUMNS
    assert found[["value", "kind"]].to_numpy().tolist() == [
        ["north", "one"], ["north", "flat"], ["south", "one"], ["south", "flat"],
    ]  # fmt: skip
    row, scores = found.iloc[0], judged.scores["one-1"]
    assert (row["customers"], row["rows"], row["churners"]) == (150, 150, judged.churned[north].sum())
    assert row["auroc"] == pytest.approx(roc_auc_score(judged.churned[north], scores[north]))
    assert row["calibration_gap"] == pytest.approx(scores[north].mean() - judged.churned[north].mean())
    assert found.iloc[1]["auroc"] == 0.5


def test_small_groups_are_pooled_and_a_small_pool_is_left_out():
    names = np.repeat(["large", "a", "b", "c"], [240, 60, 60, 40])
    found = by_group(world(), {"branch": pd.Series(names)}).drop_duplicates("value").set_index("value")
    assert list(found.index) == ["large", "groups of fewer than 100"]
    assert found.loc["groups of fewer than 100", "customers"] == 160
    alone = by_group(world(), {"branch": pd.Series(np.repeat(["large", "small"], [350, 50]))})
    assert set(alone["value"]) == {"large"}


def test_customers_are_counted_not_rows():
    churned = np.tile([0, 1], 90)
    judged = judged_by_hand(["2024-01-31", "2024-02-29"], churned, one=np.linspace(0, 1, 180))
    assert by_group(judged, {"x": pd.Series(["a"] * 180)}).empty  # 90 customers, twice


def test_a_value_that_is_not_known_is_a_group_of_its_own_and_stands_last():
    values = pd.Series([None] * 150 + ["north"] * 250)
    assert by_group(world(), {"region": values})["value"].drop_duplicates().tolist() == ["north", "not known"]


def test_flags_are_groups_too():
    values = pd.Series([True, False] * 200)
    assert set(by_group(world(), {"has_card": values})["value"]) == {"True", "False"}


def test_years_as_a_customer_stand_in_bands_in_their_order():
    days = pd.Series([0, 365, 366, 731, 1826, 1827, 3652, 3653, np.nan])
    assert tenure_bands(days).tolist()[:8] == [
        "under 1", "under 1", "1 to 2", "2 to 5", "2 to 5", "5 to 10", "5 to 10", "10 and more",
    ]  # fmt: skip
    assert tenure_bands(days).isna().tolist() == [False] * 8 + [True]
    many = tenure_bands(pd.Series(np.repeat([4000, 10], 200)))
    assert by_group(world(), {"years": many})["value"].drop_duplicates().tolist() == ["under 1", "10 and more"]


def test_any_sign_is_a_sign_and_none_that_is_known_is_not_measurable():
    one = pd.Series([True, None, False, None, False], dtype=object)
    other = pd.Series([None, True, False, None, None], dtype=object)
    assert sign_values([one, other]).tolist() == ["yes", "yes", "no", "not measurable", "no"]


def test_a_test_without_groups_is_an_empty_table():
    assert list(by_group(world(), {}).columns) == list(COLUMNS)
