"""Profiles of a snapshot's columns against what one counts by hand, and what is kept of personal ones."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from tenure.checks.drift import SHARES
from tenure.insight.profile_rows import Subject
from tenure.insight.snapshot_profiles import profile_of_row, profile_row, profiles

AMOUNTS = [None, *map(float, range(200)), float("nan")]


def subject(name, kind, *, personal=False):
    return name, Subject("features", name, kind, personal=personal)


@pytest.fixture
def found():
    columns = {
        "amount": pa.array(AMOUNTS, pa.float64()),
        "enrolled": pa.array([True, False, None, True] * 50 + [None, None], pa.bool_()),
        "region": pa.array(["north", "south", None, "south"] * 50 + [None, None]),
        "age": pa.array([None, *range(200), None], pa.int64()),
        "name": pa.array([f"person {n}" for n in range(202)]),
        "never": pa.nulls(202, pa.float64()),
        "secret": pa.array(["one"] * 202),
    }
    rows = pa.table(columns)
    subjects = dict(
        [
            subject("amount", "number"),
            subject("enrolled", "flag"),
            subject("region", "category"),
            subject("age", "number", personal=True),
            subject("name", "category"),
            subject("never", "number"),
            subject("secret", "category", personal=True),
        ]
    )
    return profiles(subjects, rows.to_batches(max_chunksize=50))


def test_numbers_have_their_moments_and_the_cells_at_each_share(found):
    amount = found["amount"]
    assert (amount.rows, amount.missing, amount.cells) == (202, 2, 200)
    assert amount.mean == pytest.approx(99.5)
    assert amount.deviation == pytest.approx(np.arange(200).std(ddof=1))
    assert amount.grid is not None
    assert amount.grid.tolist() == [float(int(share * 200)) for share in SHARES]
    assert amount.counts is None


def test_flags_and_categories_have_the_rows_of_each_value(found):
    assert found["enrolled"].counts == {"false": 50, "true": 100}
    assert (found["enrolled"].missing, found["enrolled"].grid) == (52, None)
    assert found["region"].counts == {"north": 50, "south": 100}
    assert found["region"].missing == 52


def test_of_personal_columns_and_of_names_no_value_is_kept(found):
    assert found["age"].grid is None
    assert found["age"].mean == pytest.approx(99.5)
    assert found["name"].counts is None
    assert found["secret"].counts is None


def test_of_few_persons_no_mean_is_kept():
    few = pa.table({"age": pa.array(range(99), pa.int64())})
    profile = profiles(dict([subject("age", "number", personal=True)]), few.to_batches())["age"]
    assert (profile.rows, profile.mean, profile.deviation) == (99, None, None)


def test_a_column_without_a_cell_has_no_distribution(found):
    assert (found["never"].missing, found["never"].grid, found["never"].mean) == (202, None, None)


def test_a_profile_is_read_back_as_it_was_written(found):
    for name, profile in found.items():
        row = profile_row(date(2024, 1, 31), name, profile, "digest")
        again = profile_of_row(row)
        assert (again.grid is None) == (profile.grid is None)
        if profile.grid is not None:
            assert again.grid is not None
            assert again.grid.tolist() == profile.grid.tolist()
        assert (again.kind, again.rows, again.missing, again.mean, again.deviation, again.counts) == (
            profile.kind,
            profile.rows,
            profile.missing,
            profile.mean,
            profile.deviation,
            profile.counts,
        )
