import numpy as np
import pandas as pd
import pytest

from tenure.errors import MissingFeature
from tenure.model.learners.rule import Rule, RuleModel
from tenure.model.score import ModelInferenceService
from tenure.model.select import Columns


def service(keys=("customer_id",)):
    """The score is days / 100, in steps of one day."""
    days = tuple(float(day) for day in range(100))
    rule = Rule("days", True, days, (*(day / 100 for day in days), 1.0), 0.005, 1.0)
    return ModelInferenceService(RuleModel(Columns(keys, ("days",), ()), {}, rule), "rule-1")


def features(days, **columns):
    rows = len(days)
    identity = {"customer_id": range(1, rows + 1), "snapshot_date": pd.Timestamp("2024-01-31"), **columns}
    return pd.DataFrame({**identity, "days": days}, index=[7] * rows)


def test_columns_and_row_order():
    got = service().score(features([10, 30, 20]))
    assert list(got) == ["customer_id", "snapshot_date", "model_version", "score", "rank", "decile"]
    assert got["customer_id"].tolist() == [1, 2, 3]
    assert got["score"].tolist() == [0.1, 0.3, 0.2]
    assert got["rank"].tolist() == [3, 1, 2]
    assert set(got["model_version"]) == {"rule-1"}


def test_equal_scores_are_ranked_by_key_whatever_the_row_order():
    rows = features([10, 10, 10, 50], customer_id=[3, 1, 2, 4])
    rank = service().score(rows).set_index("customer_id")["rank"]
    assert rank.to_dict() == {4: 1, 1: 2, 2: 3, 3: 4}
    mixed = service().score(rows.iloc[::-1]).set_index("customer_id")["rank"]
    assert mixed.to_dict() == rank.to_dict()


def test_composite_keys_rank_by_the_first_then_the_second():
    rows = features([10, 10, 10], bank=[2, 1, 1], customer_id=[1, 9, 3])
    assert service(("bank", "customer_id")).score(rows)["rank"].tolist() == [3, 2, 1]


def test_deciles_hold_a_tenth_each_and_the_first_is_the_highest():
    got = service().score(features(np.arange(30)))
    assert got["decile"].value_counts().to_dict() == dict.fromkeys(range(1, 11), 3)
    assert got.loc[got["decile"] == 1, "score"].min() > got.loc[got["decile"] == 2, "score"].max()


def test_each_snapshot_is_a_list_of_its_own():
    dates = pd.to_datetime(["2024-01-31", "2024-02-29", "2024-01-31", "2024-02-29"])
    got = service().score(features([10, 20, 30, 40], customer_id=[1, 1, 2, 2], snapshot_date=dates))
    assert got["rank"].tolist() == [2, 2, 1, 1]
    assert got["decile"].tolist() == [6, 6, 1, 1]


def test_a_row_twice_is_scored_twice():
    assert service().score(features([10, 10], customer_id=[1, 1]))["rank"].tolist() == [1, 2]


def test_no_rows_are_an_empty_list_of_the_same_types():
    full, empty = service().score(features([10])), service().score(features([10]).iloc[:0])
    assert empty.empty
    assert empty.dtypes["rank"] == full.dtypes["rank"] == "int64"
    assert empty.dtypes["score"] == full.dtypes["score"]


@pytest.mark.parametrize("name", ["customer_id", "snapshot_date", "days"])
def test_a_missing_column_is_named(name):
    with pytest.raises(MissingFeature, match=name):
        service().score(features([10]).drop(columns=name))
