"""A column's profile: hand-worked cells, and any cells against NumPy and pandas."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.insight import column_profile
from tenure.insight.column_profile import (
    CategoryColumn,
    NumberColumn,
    bins,
    columns_at_once,
    distinct,
    kind_of,
    numbers_of,
    outliers,
    placeholders,
    quartiles,
    rank_grid,
    stride_for,
)

CELLS = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6), st.integers(-3, 3).map(float)), max_size=60)


def column(*parts, stride=1):
    found = NumberColumn(stride)
    for number, cells in enumerate(parts):
        found.add(number, np.array(cells, dtype=float))
    return found


@pytest.mark.parametrize(
    ("cells", "kind", "numbers"),
    [
        (pa.array([1, None], pa.int32()), "number", [1, np.nan]),
        (pa.array([2.5, float("inf"), float("nan")]), "number", [2.5, np.nan, np.nan]),
        (pa.array([Decimal("1.25"), None]), "number", [1.25, np.nan]),
        (pa.array([True, False, None]), "flag", [1, 0, np.nan]),
        (pa.array([date(1970, 1, 3), None]), "day", [2, np.nan]),
        (pa.array([datetime(1970, 1, 2, 12, tzinfo=UTC)]), "day", [1.5]),
    ],
)
def test_cells_become_numbers_and_what_is_none_is_missing(cells, kind, numbers):
    assert kind_of(cells.type) == kind
    np.testing.assert_array_equal(numbers_of(cells), numbers)


def test_a_list_has_no_kind_and_text_is_a_category():
    assert kind_of(pa.list_(pa.int64())) is None
    assert kind_of(pa.string()) == "category"


def test_moments_of_two_parts_are_those_of_both():
    found = column([1, 2, np.nan], [0, 5]).whole
    # 0, 1, 2 and 5: the mean is 2, the squares are 4 + 1 + 0 + 9.
    assert (found.rows, found.count, found.zeros, found.mean, found.squares) == (5, 4, 1, 2.0, 14.0)
    assert (found.least, found.greatest) == (0, 5)
    assert found.deviation == pytest.approx((14 / 3) ** 0.5)
    assert column([np.nan]).whole.deviation is None


@given(st.lists(CELLS, min_size=1, max_size=4))
def test_any_column_is_profiled_as_pandas_does(parts):
    found = column(*parts)
    whole = pd.Series([cell for part in parts for cell in part], dtype=float)
    moments, cells = found.whole, found.sorted_whole
    assert (moments.rows, moments.count) == (len(whole), whole.count())
    assert (moments.zeros, distinct(cells)) == ((whole == 0).sum(), whole.nunique())
    if moments.count:
        assert moments.mean == pytest.approx(whole.mean(), rel=1e-9, abs=1e-9)
        assert quartiles(cells) == pytest.approx(list(whole.quantile([0.25, 0.5, 0.75])), rel=1e-9, abs=1e-9)
    else:
        assert quartiles(cells) is None
    if moments.count > 1:
        assert moments.deviation == pytest.approx(whole.std(), rel=1e-7, abs=1e-6)
    assert sum(bin_.rows for bin_ in bins(cells)) == moments.count
    assert all(one.end <= other.start for one, other in zip(bins(cells), bins(cells)[1:], strict=False))


@given(CELLS)
def test_ranks_of_few_values_are_those_of_pandas(cells):
    numbers = pd.Series(cells, dtype=float)
    present = numbers.dropna()
    grid = rank_grid(np.sort(present.to_numpy()))
    # The middle rank of pandas counts from 1 to n; here from −1 to 1, half a rank inside.
    np.testing.assert_allclose(grid.of(present.to_numpy()), (2 * present.rank() - 1) / len(present) - 1)


def test_ranks_of_many_values_are_off_by_less_than_a_cell():
    numbers = np.random.default_rng(1).lognormal(size=60_000)
    exact = (2 * pd.Series(numbers).rank().to_numpy() - 1) / len(numbers) - 1
    grid = rank_grid(np.sort(numbers))
    assert len(grid.edges) <= column_profile.RANK_CELLS
    assert np.abs(grid.of(numbers) - exact).max() <= 1 / (column_profile.RANK_CELLS - 1) + 1e-4


def test_births_in_1900_lie_apart_and_are_days_that_systems_write():
    born = [date(1930, 1, 1).toordinal() - date(1970, 1, 1).toordinal() + 90 * n for n in range(280)]
    unknown = date(1900, 1, 1).toordinal() - date(1970, 1, 1).toordinal()
    cells = np.sort(np.array([*born, unknown, unknown, unknown], dtype=float))
    assert outliers(cells) == (3, 0)
    assert outliers(-cells[::-1]) == (0, 3)
    assert placeholders(cells) == 3


@pytest.mark.parametrize("seed", range(5))
def test_a_long_tail_is_no_outlier_and_a_group_of_its_own_neither(seed):
    draw = np.random.default_rng(seed)
    assert outliers(np.sort(draw.exponential(size=20_000)))[0] == 0
    assert outliers(np.sort(draw.normal(size=20_000))) == (0, 0)
    two_groups = np.concatenate([draw.normal(size=900), draw.normal(50, 1, size=100)])
    assert outliers(np.sort(two_groups)) == (0, 0)
    assert outliers(np.zeros(50)) == (0, 0)


def test_few_values_have_a_bin_each():
    found = bins(np.array([1.0, 1, 1, 4, 9, 9]))
    assert [(bin_.start, bin_.end, bin_.rows) for bin_ in found] == [(1, 1, 3), (4, 4, 1), (9, 9, 2)]


def test_a_far_value_does_not_squeeze_the_other_bins():
    found = bins(np.sort(np.array([*np.linspace(0, 1, 999), 1e9])))
    assert len(found) == column_profile.BINS
    assert found[-1].end == 1e9
    assert min(bin_.rows for bin_ in found) >= 20


def test_of_many_rows_an_even_sample_is_sorted_and_all_are_counted(monkeypatch):
    monkeypatch.setattr(column_profile, "MOST_SORTED", 25)
    assert stride_for(100) == 4
    found = column(np.arange(100), stride=stride_for(100))
    assert found.whole.count == 100
    assert list(found.sorted_whole) == list(range(0, 100, 4))


def test_columns_are_taken_together_as_far_as_they_fit():
    names = [f"c{n}" for n in range(5)]
    assert columns_at_once(1000, names, room=16_000) == [["c0", "c1"], ["c2", "c3"], ["c4"]]
    assert columns_at_once(10**9, names, room=1) == [[name] for name in names]


def test_a_category_counts_its_values_by_part_until_there_are_too_many(monkeypatch):
    found = CategoryColumn()
    found.add("may", pa.array(["a", "b", "a", None]))
    found.add("june", pa.array(["b"]))
    assert found.whole == {"a": 2, "b": 2}
    assert (found.rows["may"], found.missing["may"], found.values["june"]) == (4, 1, {"b": 1})
    monkeypatch.setattr(column_profile, "MOST_VALUES", 2)
    found.add("june", pa.array(["c"]))
    assert found.is_full
    assert found.whole == {}
    found.add("june", pa.array(["d", None]))
    assert (found.rows["june"], found.missing["june"]) == (4, 1)
