import numpy as np
import pandas as pd
import pytest

from tenure.errors import MissingFeature, ModelError
from tenure.model.select import MOST_CATEGORIES, Columns


def frame(**features):
    """Three train rows, then one of test."""
    return pd.DataFrame(
        {
            "customer_id": [1, 2, 3, 4],
            "snapshot_date": pd.to_datetime(["2024-01-31"] * 4),
            "label_end": pd.to_datetime(["2024-02-29"] * 4),
            "split": ["train", "train", "train", "test"],
            "seen_in_train": [True, True, True, False],
            "churned": [0, 1, 0, 1],
            **{name: pd.Series(values) for name, values in features.items()},
        }
    )


def test_numbers_and_booleans_are_numeric_and_text_is_categorical():
    columns = Columns.of(
        frame(
            amount=[1.5, None, 2.0, 3.0],
            visits=[1, 2, 3, 4],
            has_card=pd.Series([True, None, False, True], dtype=object),
            region=["south", None, "north", "west"],
        ),
        ["customer_id"],
    )
    assert columns.numeric == ("amount", "visits", "has_card")
    assert columns.categorical == ("region",)
    assert columns.keys == ("customer_id",)


def test_the_matrix_holds_numbers_codes_and_nan_for_what_is_missing_infinite_or_new():
    rows = frame(
        ratio=[0.5, np.inf, None, 2.0],
        has_card=pd.Series([True, None, False, True], dtype=object),
        region=["south", None, "north", "west"],
    )
    matrix = Columns.of(rows, ["customer_id"]).matrix(rows)
    expected = [[0.5, 1, 1], [np.nan, np.nan, np.nan], [np.nan, 0, 0], [2.0, 1, np.nan]]
    np.testing.assert_array_equal(matrix, expected)


@pytest.mark.parametrize("dtype", ["category", "string", object])
def test_text_gives_the_same_codes_in_every_dtype(dtype):
    rows = frame(region=pd.Series(["south", None, "north", "west"], dtype=dtype))
    matrix = Columns.of(rows, ["customer_id"]).matrix(rows)
    np.testing.assert_array_equal(matrix[:, 0], [1, np.nan, 0, np.nan])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([None, None, None, 1.0], "all null on train"),
        ([None, None, None, "north"], "all null on train"),
        ([7, 7, 7, 8], "constant on train: 7.0"),
        (["a", "a", "a", "b"], "constant on train: a"),
        (pd.to_datetime(["2024-01-01"] * 4), "neither a number nor text"),
    ],
)
def test_a_feature_that_teaches_nothing_on_train_is_dropped_with_the_reason(values, reason):
    columns = Columns.of(frame(amount=[1.0, 2.0, 3.0, 4.0], useless=values), ["customer_id"])
    assert columns.names == ("amount",)
    assert columns.dropped["useless"].startswith(reason)


def test_one_value_beside_nulls_is_kept_since_being_null_tells_something():
    assert Columns.of(frame(fee=[5.0, None, 5.0, 5.0]), ["customer_id"]).numeric == ("fee",)


def test_text_that_names_customers_is_dropped():
    rows = pd.concat([frame(amount=[1.0, 2.0, 3.0, 4.0])] * 100, ignore_index=True)
    rows["email"] = [f"user{number}" for number in range(len(rows))]
    dropped = Columns.of(rows, ["customer_id"]).dropped
    assert dropped == {"email": f"text with 300 values on train, more than {MOST_CATEGORIES}"}


def test_no_feature_left_is_refused_with_every_reason():
    with pytest.raises(ModelError, match=r"no feature is left to train on \(fee: constant on train: 1.0\)"):
        Columns.of(frame(fee=[1, 1, 1, 2]), ["customer_id"])


def test_a_feature_missing_at_score_time_is_named():
    columns = Columns.of(frame(amount=[1.0, 2.0, 3.0, 4.0], visits=[1, 2, 3, 4]), ["customer_id"])
    with pytest.raises(MissingFeature, match="the model reads visits, which the frame lacks") as caught:
        columns.matrix(frame(amount=[1.0, 2.0, 3.0, 4.0]))
    assert "tenure features" in caught.value.hint


def test_a_number_that_became_text_is_refused_even_if_it_looks_like_a_number():
    columns = Columns.of(frame(amount=[1.0, 2.0, 3.0, 4.0]), ["customer_id"])
    with pytest.raises(ModelError, match=r"'amount' is text here .* but was numeric in training"):
        columns.matrix(frame(amount=["1", "2", "3", "4"]))


def test_a_feature_that_is_all_null_at_score_time_is_all_nan():
    rows = frame(amount=[1.0, 2.0, 3.0, 4.0], region=["a", "b", "a", "b"])
    columns = Columns.of(rows, ["customer_id"])
    empty = rows.assign(amount=None, region=None)
    assert np.isnan(columns.matrix(empty)).all()


def test_json_gives_the_same_columns_back():
    columns = Columns.of(frame(amount=[1.0, 2.0, 3.0, 4.0], region=["a", "b", "a", "b"], fee=1), ["customer_id"])
    assert Columns.from_json(columns.as_json()) == columns
