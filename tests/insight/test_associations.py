"""Associations of pairs: by hand, and any columns against pandas, pair by pair."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.insight.associations import Associations, Levels, NumberScale, correlation_ratio, cramers_v
from tenure.insight.column_profile import rank_grid


def associations(frame, texts=(), batch=7):
    """The associations of a frame's columns, which came in batches, by their names."""
    numbers, patterns = [], {}
    for name in frame.columns.difference(list(texts), sort=False):
        cells = frame[name].to_numpy(dtype=float)
        present = cells[~np.isnan(cells)]
        pattern = patterns.setdefault(np.isnan(cells).tobytes(), len(patterns))
        deviation = float(present.std(ddof=1)) if len(present) > 1 else 0.0
        center = float(np.median(present)) if len(present) else 0.0
        numbers.append(NumberScale(name, center, deviation, rank_grid(np.sort(present)), pattern))
    levels = [Levels(name, tuple(sorted(frame[name].dropna().unique()))) for name in texts]
    found = Associations(numbers, levels)
    for first in range(0, len(frame), batch):
        some = frame.iloc[first : first + batch]
        cells = {column.name: some[column.name].to_numpy(dtype=float) for column in numbers}
        codes = {
            category.name: np.array([-1 if pd.isna(v) else category.values.index(v) for v in some[category.name]])
            for category in levels
        }
        found.add(cells, codes)
    return {(pair.first, pair.second): pair for pair in found.pairs()}


def correlation(one, other):
    """Pearson's, slowly, None where one does not vary."""
    both = pd.concat([one, other], axis=1).dropna().to_numpy(dtype=float)
    if len(both) < 2 or (both == both[0]).all(axis=0).any():
        return None
    left, right = (both - both.mean(axis=0)).T
    below = math.sqrt(float((left**2).sum()) * float((right**2).sum()))
    return float((left * right).sum()) / below


def test_four_customers_by_hand():
    frame = pd.DataFrame({"x": [1, 2, 3, np.nan], "y": [2, 4, 9, 5], "branch": ["a", "a", "b", None]})
    found = associations(frame, ["branch"], batch=2)
    # x less its mean: −1, 0, 1. y of these three less its mean 5: −3, −1, 4. 7 / √(2 · 26).
    assert found["x", "y"].rows == 3
    assert found["x", "y"].pearson == pytest.approx(7 / math.sqrt(52), abs=1e-12)
    # Ranks of y among its own four: 1, 2, 4 where x is; less their mean −4/3, −1/3, 5/3. 3 / √(2 · 42/9).
    assert found["x", "y"].spearman == pytest.approx(3 / math.sqrt(2 * 42 / 9), abs=1e-12)
    # x by branch: 1.5, 1.5 and 3; between the branches 1.5 of the 2 of all.
    assert found["x", "branch"].correlation_ratio == pytest.approx(math.sqrt(1.5 / 2), abs=1e-12)
    assert (found["x", "branch"].rows, found["x", "branch"].pearson) == (3, None)


def test_a_far_value_takes_no_digits_of_the_pairs_that_lack_it():
    draws = np.random.default_rng(3)
    frame = pd.DataFrame({"x": draws.normal(size=500), "y": draws.normal(size=500)})
    frame["y"] += frame["x"]
    frame.loc[7, ["x", "y"]] = 1e12, np.nan
    pair = associations(frame, batch=64)["x", "y"]
    assert pair.pearson == pytest.approx(correlation(frame["x"], frame["y"]), abs=1e-9)
    assert 0.6 < pair.pearson < 0.8


@st.composite
def frames(draw):
    """Columns with gaps, some of which share them, some constant, some far from zero."""
    draws = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows, many = draw(st.integers(0, 40)), draw(st.integers(1, 5))
    frame = pd.DataFrame(draws.normal(size=(rows, many)).round(draw(st.integers(0, 6))), columns=list("vwxyz")[:many])
    for name in frame:
        frame[name] = (frame[name] + draws.choice([0, 0, 1e3])) * 10.0 ** draws.integers(-3, 6)
        if draws.random() < 0.6:
            frame.loc[draws.random(rows) < draws.choice([0.1, 0.5, 1.0]), name] = np.nan
    frame["same"] = frame["v"].where(frame["v"].isna(), 3.0)
    frame["text"] = draws.choice(np.array(["p", "q", "r", None], dtype=object), rows)
    frame["more"] = draws.choice(np.array(["s", "t"], dtype=object), rows)
    return frame


@settings(deadline=None, max_examples=150)
@given(frames())
def test_any_columns_are_associated_as_pair_by_pair(frame):
    found = associations(frame, ["text", "more"])
    numbers = [name for name in frame if name not in ("text", "more")]
    ranks = frame[numbers].rank()
    for at, one in enumerate(numbers):
        for other in numbers[at + 1 :]:
            pair = found[one, other]
            assert pair.rows == len(frame[[one, other]].dropna())
            assert pair.pearson == pytest.approx(correlation(frame[one], frame[other]), abs=1e-9)
            assert pair.spearman == pytest.approx(correlation(ranks[one], ranks[other]), abs=1e-9)
        for text in ("text", "more"):
            assert found[one, text].correlation_ratio == pytest.approx(ratio(frame[one], frame[text]), abs=1e-7)
    table = pd.crosstab(frame["text"], frame["more"]).to_numpy(dtype=float)
    assert found["text", "more"].cramers_v == pytest.approx(slow_v(table), abs=1e-12)


def ratio(numbers, groups):
    both = pd.DataFrame({"n": numbers, "g": groups}).dropna()
    if both["g"].nunique() < 2 or both["n"].nunique() < 2:
        return None
    inside = both.groupby("g")["n"].transform("mean")
    total = float(((both["n"] - both["n"].mean()) ** 2).sum())
    return math.sqrt(float(((inside - both["n"].mean()) ** 2).sum()) / total)


def slow_v(table):
    if min(table.shape, default=0) < 2:
        return None
    number, chi = table.sum(), 0.0
    for row in range(table.shape[0]):
        for place in range(table.shape[1]):
            expected = table[row].sum() * table[:, place].sum() / number
            chi += (table[row, place] - expected) ** 2 / expected
    return math.sqrt(chi / (number * (min(table.shape) - 1)))


def test_two_categories_by_hand():
    assert cramers_v(np.array([[5.0, 0], [0, 5]])) == 1.0
    assert cramers_v(np.array([[5.0, 5], [5, 5]])) == 0.0
    assert cramers_v(np.array([[5.0, 5], [0, 0]])) is None


def test_a_number_that_does_not_vary_has_no_ratio():
    assert correlation_ratio(np.array([2.0, 3]), np.array([2.0, 3]), 5.0) is None
    assert correlation_ratio(np.array([2.0, 0]), np.array([2.0, 0]), 9.0) is None


def test_values_beyond_the_levels_count_as_one():
    found = Associations([], [Levels("a", ("x",)), Levels("b", ("y",))])
    found.add({}, {"a": np.array([0, 1, 1, -1]), "b": np.array([0, 1, 1, 0])})
    (pair,) = found.pairs()
    assert (pair.rows, pair.cramers_v) == (3, pytest.approx(1.0))
