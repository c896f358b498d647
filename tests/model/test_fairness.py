"""How groups fare: figures worked by hand, bands of age, and groups too small to be told."""

from datetime import date

import pandas as pd
import pytest

from tenure.model.fairness import NOT_KNOWN, POOLED, fairness, groups

DAY = date(2024, 6, 30)


def scored(*members):
    """A test of groups given as (name, customers, selected, churners, churners selected); scores .9 and .1."""
    rows, values = [], []
    for name, customers, selected, churners, reached in members:
        for place in range(customers):
            is_selected = place < selected
            churned = place < reached if is_selected else place - selected < churners - reached
            rows.append((len(rows), 0.9 if is_selected else 0.1, 1 if is_selected else 5, float(churned)))
            values.append(name)
    frame = pd.DataFrame(rows, columns=["customer_id", "score", "decile", "churned"])
    return frame.assign(snapshot_date=DAY, model_version="m-1"), pd.Series(values)


def figures(*members):
    frame, values = scored(*members)
    return fairness(frame, {"customers.sex": values}, ["customer_id"]).set_index("value")


def test_the_figures_of_two_groups_are_those_worked_by_hand():
    found = figures(("f", 200, 40, 20, 10), ("m", 100, 10, 10, 8))
    assert list(found.index) == ["f", "m"]
    assert found.loc["f", ["customers", "rows", "churners", "selected"]].tolist() == [200, 200, 20, 40]
    f, m = found.loc["f"], found.loc["m"]
    assert (f.selection_rate, m.selection_rate) == (0.2, 0.1)
    assert (f.selection_ratio, m.selection_ratio) == (1.0, 0.5)
    assert (f.recall, m.recall) == (0.5, 0.8)
    # f: 40 of .9 and 160 of .1, of whom 20 in 200 left; m: 10 of .9 and 90 of .1, of whom 10 in 100 left.
    assert f.mean_score == pytest.approx(0.26)
    assert (f.calibration_gap, m.calibration_gap) == (pytest.approx(0.16), pytest.approx(0.08))
    # A leaver above a stayer: 10 of 20 above 150 of 180, and a half where both are selected or both are not.
    assert f.auroc == pytest.approx((10 * 150 + 10 * 30 / 2 + 10 * 150 / 2) / (20 * 180))
    assert set(found["model_version"]) == {"m-1"}
    assert set(found["attribute"]) == {"customers.sex"}


def test_where_nobody_left_or_nobody_is_selected_there_is_no_figure():
    found = figures(("f", 100, 0, 0, 0), ("m", 100, 0, 5, 0))
    assert found["selection_ratio"].isna().all()
    assert pd.isna(found.loc["f", "auroc"])
    assert pd.isna(found.loc["f", "recall"])
    assert found.loc["m", "recall"] == 0


def test_small_groups_are_one_and_a_pool_as_small_is_not_told():
    found = figures(("f", 100, 10, 10, 5), ("m", 99, 10, 10, 5), ("x", 1, 0, 0, 0))
    assert list(found.index) == ["f", POOLED]
    assert found.loc[POOLED, "customers"] == 100
    assert list(figures(("f", 100, 10, 10, 5), ("m", 98, 10, 10, 5), ("x", 1, 0, 0, 0)).index) == ["f"]
    assert figures(("f", 99, 10, 10, 5)).empty


def test_customers_count_once_however_many_snapshots_they_are_in():
    frame, values = scored(("f", 60, 6, 6, 3))
    twice = pd.concat([frame, frame.assign(snapshot_date=date(2024, 5, 31))], ignore_index=True)
    assert fairness(twice, {"a": pd.concat([values, values], ignore_index=True)}, ["customer_id"]).empty


def test_a_birthday_counts_from_its_day_on_and_no_value_is_a_group():
    born = pd.Series(pd.to_datetime(["2006-06-30", "2006-07-01", "1900-01-01", None, "1989-06-30", "1989-07-01"]))
    days = pd.Series([DAY] * len(born))
    assert groups(born, days).tolist() == ["18 to 24", "under 18", "75 and over", NOT_KNOWN, "35 to 44", "25 to 34"]


def test_a_number_is_read_as_years_of_age_and_a_flag_is_a_value():
    days = pd.Series([DAY] * 3)
    assert groups(pd.Series([17.9, 18, None]), days).tolist() == ["under 18", "18 to 24", NOT_KNOWN]
    assert groups(pd.Series([True, False, True]), days).tolist() == ["True", "False", "True"]


def test_groups_of_age_stand_by_age_and_the_pool_last():
    ages = [80] * 100 + [20] * 100 + [None] * 100 + [30] * 50 + [40] * 50
    frame = scored(("all", 400, 40, 40, 20))[0]
    found = fairness(frame, {"age": pd.Series(ages)}, ["customer_id"])
    assert found["value"].tolist() == ["18 to 24", "75 and over", NOT_KNOWN, POOLED]
