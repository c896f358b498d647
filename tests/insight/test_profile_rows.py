"""Rows of the tables of profiles: what is said of each snapshot, and what is not said of persons."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from tenure.insight.column_profile import CategoryColumn, NumberColumn
from tenure.insight.profile_rows import (
    LEAST_PERSONS,
    Subject,
    category_rows,
    distance,
    distribution_of_numbers,
    distribution_of_texts,
    number_rows,
)

MAY, JUNE = date(2024, 5, 31), date(2024, 6, 30)


def numbers(may, june):
    found = NumberColumn()
    # Files come in any order; snapshots are given in theirs.
    found.add(JUNE, np.array(june, dtype=float))
    found.add(MAY, np.array(may, dtype=float))
    return found


def texts(may, june):
    found = CategoryColumn()
    found.add(MAY, pa.array(may, pa.string()))
    found.add(JUNE, pa.array(june, pa.string()))
    return found


def test_a_number_moves_by_standard_deviations_since_the_first_snapshot():
    whole, may, june = number_rows(Subject("features", "x", "number"), numbers([1, 3], [3, np.nan, 5]))
    assert (whole["snapshot_date"], whole["rows"], whole["missing"], whole["mean"]) == (None, 5, 1, 3)
    assert (may["snapshot_date"], may["median"], may["shift"]) == (MAY, 2, 0)
    # The means are 2 and 4; the squares around 3 are 4 + 0 + 0 + 4 of four numbers.
    assert (june["snapshot_date"], june["shift"]) == (JUNE, pytest.approx(2 / (8 / 3) ** 0.5))
    assert (june["least"], june["greatest"], june["distinct_values"]) == (3, 5, 2)


def test_a_category_moves_by_the_share_of_rows_that_change():
    whole, may, june = category_rows(
        Subject("features", "x", "category"), texts(["a", "a", "b"], ["a", "b", "b", None])
    )
    assert (whole["most_frequent"], whole["most_frequent_rows"], whole["missing"]) == ("a", 3, 1)
    assert may["shift"] == 0
    assert june["shift"] == pytest.approx(1 / 3)
    assert distance({"a": 2}, {"b": 5}) == 1


def test_no_value_of_a_personal_column_is_given():
    subject = Subject("features", "age", "number", personal=True)
    few, many = numbers([30, 91], [35]), numbers([40] * LEAST_PERSONS, [])
    for row in number_rows(subject, few):
        assert {"least", "greatest", "median", "lower_quartile", "upper_quartile", "mean", "deviation"} & set(
            row
        ) == set()
        assert row["rows"] >= 1
    assert next(iter(number_rows(subject, many)))["mean"] == 40
    assert list(distribution_of_numbers(subject, few)) == []
    named = Subject("features", "gender", "category", personal=True)
    assert all("most_frequent" not in row for row in category_rows(named, texts(["x"], ["x"])))
    assert list(distribution_of_texts(named, texts(["x"], ["x"]))) == []


def test_values_that_name_their_rows_are_not_given():
    names = [f"Name {n}" for n in range(60)]
    subject = Subject("staging/customers", "note", "category")
    assert list(distribution_of_texts(subject, texts(names, []))) == []
    (row, *_) = category_rows(subject, texts(names, []))
    assert ("most_frequent" not in row, row["distinct_values"]) == (True, 60)


def test_a_distribution_names_the_most_frequent_values_and_counts_the_rest():
    subject = Subject("features", "x", "category")
    few = list(distribution_of_texts(subject, texts(["b", "a"], ["b"])))
    assert [(row["value"], row["rows"]) for row in few] == [("b", 2), ("a", 1)]
    many = list(distribution_of_texts(subject, texts([f"v{n:02}" for n in range(30)] * 5, [])))
    assert len(many) == 24
    assert ("value" not in many[-1], many[-1]["rows"]) == (True, 7 * 5)
