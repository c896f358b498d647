"""The attrition list: each scored customer once, by rank, and nothing personal."""

from datetime import date

import pandas as pd
import pytest

from tenure.errors import ModelError
from tenure.publish.attrition_list import attrition_list

KEYS = ("branch_id", "customer_id")
TODAY = date(2024, 8, 31)


def frame(**columns):
    return pd.DataFrame(columns).assign(snapshot_date=TODAY)


@pytest.fixture
def scores():
    return frame(
        branch_id=[1, 11, 1], customer_id=[11, 1, 12], model_version="m-1", score=[0.2, 0.9, 0.5], rank=[3, 1, 2],
        decile=[10, 1, 5], full_name=["A", "B", "C"],
    )  # fmt: skip


@pytest.fixture
def reasons():
    told = {f"reason_{n}": [f"r{n} of {k}" for k in ("1-12", "1-11", "11-1")] for n in (1, 2, 3)}
    return frame(branch_id=[1, 1, 11], customer_id=[12, 11, 1], **told, reason_4=None, reason_1_shap=0.1)


@pytest.fixture
def segments():
    return frame(branch_id=[1, 1, 11], customer_id=[11, 12, 1], segment_id=[0, -1, 4], x=0.0, y=0.0)


def test_customers_stand_by_rank_each_with_its_own_reasons_and_segment(scores, reasons, segments):
    rows = attrition_list(scores, reasons, segments, KEYS)
    assert list(rows.columns) == [
        "rank", "branch_id", "customer_id", "snapshot_date", "score", "decile", "segment_id",
        "reason_1", "reason_2", "reason_3", "reason_4", "model_version",
    ]  # fmt: skip
    assert rows["rank"].tolist() == [1, 2, 3]
    assert list(zip(rows["branch_id"], rows["customer_id"], strict=True)) == [(11, 1), (1, 12), (1, 11)]
    assert rows["reason_1"].tolist() == ["r1 of 11-1", "r1 of 1-12", "r1 of 1-11"]
    assert rows["segment_id"].tolist() == [4, -1, 0]
    assert rows["reason_4"].isna().all()


def test_a_customer_without_reasons_is_an_error_and_not_a_lost_row(scores, reasons, segments):
    with pytest.raises(ModelError, match="of 3 scored customers 2 rows have reasons") as error:
        attrition_list(scores, reasons.iloc[:2], segments, KEYS)
    assert error.value.hint == "Run 'tenure explain'."


def test_a_customer_in_two_segments_is_an_error(scores, reasons, segments):
    with pytest.raises(ModelError, match="4 rows have segment"):
        attrition_list(scores, reasons, pd.concat([segments, segments.tail(1)]), KEYS)


def test_who_has_closed_since_is_left_out_and_the_ranks_close_up(scores, reasons, segments):
    whole = attrition_list(scores, reasons, segments, KEYS)
    gone = whole[list(KEYS)].iloc[[0]]
    rows = attrition_list(scores, reasons, segments, KEYS, gone)
    assert rows["rank"].tolist() == list(range(1, len(whole)))
    assert rows.drop(columns="rank").equals(whole.drop(columns="rank").iloc[1:].reset_index(drop=True))
    assert rows.dtypes.equals(whole.dtypes)
    assert attrition_list(scores, reasons, segments, KEYS, gone.head(0)).equals(whole)
