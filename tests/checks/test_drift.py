"""The statistics of drift, by numbers worked out by hand and read from tables."""

from __future__ import annotations

import math
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest

from tenure.checks.drift import (
    LEAST_CHANGES,
    SHARES,
    WEIGHTS,
    Scale,
    budget_of_look,
    chance,
    chance_of_rise,
    history_before,
    judge,
    judge_step,
    limit,
    normal_deviate,
    quantiles,
    rows_of_unseen,
    shares,
    stability_index,
    summaries,
    year_before,
)

MONTHS = [date(2022 + n // 12, n % 12 + 1, 1) - timedelta(days=1) for n in range(1, 37)]


def test_kept_values_weigh_a_percent_each_and_less_in_the_tails():
    assert WEIGHTS.sum() == pytest.approx(1)
    assert len(WEIGHTS) == 106
    assert WEIGHTS[:5].tolist() == pytest.approx([0.0025] * 4 + [0.01])
    cells = np.arange(1000.0)
    assert quantiles(cells)[[0, 53, -1]].tolist() == [1.0, 505.0, 998.0]
    assert set(quantiles(np.array([3.0, 3.0, 8.0]))) == {3.0, 8.0}


def test_a_limit_is_the_normal_deviate_of_the_budget_a_test():
    assert limit(0.05, 1) == pytest.approx(1.959964, abs=1e-6)
    assert limit(0.05, 10) == pytest.approx(2.807034, abs=1e-6)
    assert chance(1.959964) == pytest.approx(0.05, abs=1e-6)
    # A month of 31 days at one false alarm in fifty years: 0.02 · 31 / 365.25.
    assert budget_of_look(0.02, 31) == pytest.approx(0.0016975, abs=1e-7)
    # A look after years without one spends no more than a year.
    assert budget_of_look(0.02, 2000) == budget_of_look(0.02, 366)


def test_twelve_looks_spend_the_budget_of_a_year():
    days = [(later - earlier).days for earlier, later in pairwise(MONTHS[11:24])]
    assert sum(budget_of_look(0.02, step) for step in days) == pytest.approx(0.02, rel=0.01)


@pytest.mark.parametrize(("t", "freedom", "deviate"), [(2.228, 10, 1.960), (4.587, 10, 3.291), (6.869, 5, 3.291)])
def test_student_t_becomes_the_normal_deviate_that_is_as_rare(t, freedom, deviate):
    # The two-sided 5 % and 0.1 % points of printed tables.
    found = normal_deviate(np.array([t, -t]), np.array([freedom, freedom], dtype=float))
    assert found == pytest.approx([deviate, -deviate], abs=0.03)
    assert normal_deviate(np.array([t]), np.array([np.inf])) == pytest.approx([t])


def test_unseen_rows_alarm_from_the_budget_on():
    # 2 to the −10 is 1/1024.
    assert rows_of_unseen(1 / 1024, 1) == 10
    assert rows_of_unseen(1 / 1024, 4) == 12


def test_ranks_are_the_middle_of_a_value_s_place_in_the_reference():
    scale = Scale.of(quantiles(np.repeat([1.0, 2.0], 500))[None])
    assert scale.ranks(np.array([1.0, 1.5, 2.0])) == pytest.approx([0.25, 0.5, 0.75])
    lowest, highest = scale.ranks(np.array([-1e9, 1e9]))
    assert (lowest, highest) == (SHARES[0], SHARES[-1])


def test_summaries_of_normal_cells_have_the_variances_of_random_draws():
    rng = np.random.default_rng(3)
    cells = np.sort(rng.standard_normal((400, 2_000)), axis=1)
    grids = np.stack([quantiles(row) for row in cells])
    found, drawn = summaries(Scale.of(grids[:12]), grids, np.full(400, 2_000.0))
    for values, variances in zip(found, drawn, strict=True):
        assert values.var(ddof=1) == pytest.approx(variances.mean(), rel=0.2)


def test_an_amount_s_tail_and_unit_do_not_decide():
    rng = np.random.default_rng(3)
    cells = np.sort(np.exp(2 * rng.standard_normal((3, 5_000))), axis=1)
    grids = np.stack([quantiles(row) for row in cells])
    found, _ = summaries(Scale.of(grids[:1]), grids, np.full(3, 5_000.0))
    in_cents, _ = summaries(Scale.of(100 * grids[:1]), 100 * grids, np.full(3, 5_000.0))
    assert in_cents == pytest.approx(found)
    # However far the last quarter of a percent lies out, it counts as the greatest of the reference.
    grids[2, -1] *= 1e9
    moved, _ = summaries(Scale.of(grids[:1]), grids, np.full(3, 5_000.0))
    assert moved[:, 2] == pytest.approx(found[:, 2], abs=0.01)


def test_a_share_is_uncertain_even_if_it_is_zero():
    found, variance = shares(np.array([0.0, 10.0]), np.array([100.0, 100.0]))
    assert found.tolist() == [0.0, 0.1]
    assert variance == pytest.approx([3 / 100**2, 0.09 / 100 + 3 / 100**2])


def test_the_year_before_is_the_nearest_snapshot_within_half_a_step():
    assert year_before(MONTHS)[:14].tolist() == [-1] * 12 + [0, 1]
    weeks = [date(2024, 1, 1) + timedelta(days=7 * n) for n in range(60)]
    assert year_before(weeks)[52:].tolist() == list(range(8))
    without_one = [*MONTHS[:3], *MONTHS[4:]]
    assert year_before(without_one)[without_one.index(MONTHS[15])] == -1
    assert year_before(MONTHS[:1]).tolist() == [-1]


def judged_series(values, *, drawn=0.01**2, at=None):
    """The deviate of a series' last value, or that at a place."""
    found = np.array(values, dtype=float)[None]
    at = len(values) - 1 if at is None else at
    variances = np.full(found.shape, drawn)
    quiet = np.ones(found.shape, dtype=bool)
    days = MONTHS[: found.shape[1]]
    return judge(found, variances, year_before(days), at, history_before(days, at), quiet, np.zeros(1, dtype=int))


def test_a_shift_is_held_against_what_random_draws_explain():
    still = [0.0] * 24 + [0.1]
    found = judged_series(still)
    # Variance 2 · 1e-4 · (1 + 1/12); the step alone has no scatter but its least one, so it decides.
    assert found.change[0] == pytest.approx(0.1)
    assert found.deviate[0] > 0.1 / math.sqrt(2e-4 * (1 + 1 / 12)) * 0.99


def test_season_and_growth_are_no_drift():
    season = [math.sin(n / 12 * 2 * math.pi) + 0.02 * n for n in range(30)]
    assert abs(judged_series(season).deviate[0]) < 1e-6
    assert judged_series(season).expected[0] == pytest.approx(0.24)
    assert judged_series([*season[:-1], season[-1] + 0.3]).deviate[0] > 5


def test_what_bends_within_half_of_its_usual_year_is_no_drift():
    ageing = [10 * (1 - math.exp(-n / 40)) for n in range(36)]
    for at in range(18, 36):
        assert abs(judged_series(ageing, drawn=0.05**2, at=at).deviate[0]) < 3


def test_what_creeps_is_found_beside_the_years_that_ended_before():
    creeping = [0.0] * 24 + [0.03 * (n + 1) for n in range(12)]
    assert judged_series(creeping).deviate[0] > 8


def test_too_few_yearly_changes_are_not_judged():
    for months in (12, 13, 12 + LEAST_CHANGES):
        assert np.isnan(judged_series([0.0] * months).deviate[0])
    assert judged_series([0.0] * (13 + LEAST_CHANGES)).deviate[0] == 0


def test_a_snapshot_that_alarmed_is_no_history():
    values = np.array([[0.0] * 20 + [5.0] + [0.0] * 4])
    quiet = np.ones(values.shape, dtype=bool)
    days = MONTHS[:25]
    arguments = values, np.full(values.shape, 1e-4), year_before(days), 24, history_before(days, 24)
    with_it = judge(*arguments, quiet, np.zeros(1, dtype=int))
    quiet[0, 20] = False
    without = judge(*arguments, quiet, np.zeros(1, dtype=int))
    assert with_it.expected[0] == pytest.approx(5 / 12)
    assert without.expected[0] == 0


def test_a_step_in_rows_is_held_against_those_before():
    growing = [0.01, 0.011, 0.009] * 4
    assert judge_step(0.01, growing) == pytest.approx((0.01, 0))
    spread = 0.001 * math.sqrt(8 / 11)
    by_hand = -0.09 / (spread * math.sqrt(1 + 1 / 12))
    found = judge_step(-0.08, growing)
    assert found is not None
    assert found[1] == pytest.approx(float(normal_deviate(np.array([by_hand]), np.array([11.0]))[0]), rel=0.01)
    assert found[1] < -limit(0.001, 1)
    assert judge_step(0.01, growing[:11]) is None


def test_a_value_that_was_rare_rises_by_chance_as_a_coin_falls():
    assert chance_of_rise(0, 10) == 1 / 1024
    # Of three rows, none or one in the earlier snapshot: 1/8 + 3/8.
    assert chance_of_rise(1, 2) == 0.5
    assert chance_of_rise(3, 3_000_000) == 0


def test_the_stability_index_is_that_of_the_books():
    first = np.concatenate([np.zeros(53), np.ones(53)])
    later = np.concatenate([np.zeros(5), np.ones(101)])
    one, other = 0.5, WEIGHTS[:5].sum()
    by_hand = (other - one) * math.log(other / one) + (one - other) * math.log((1 - other) / (1 - one))
    assert stability_index(first, first) == pytest.approx(0)
    assert stability_index(first, later) == pytest.approx(by_hand)
