"""The search: settings judged on all folds, left for a gain that chance does not explain, one number of trees."""

import numpy as np
import pytest

from tenure.model.base import FitSettings
from tenure.model.learners.search import PATIENCE, ROUNDS, Ground, Grown, Search, least_loss_trees
from tenure.model.losses import paired_gain
from tenure.model.sample import SEARCHED_ROWS, Folds, Sample
from tenure.model.select import Columns

COLUMNS = Columns(("customer_id",), ("gain",), ())
START = {"leaves": 8}


class Curve(Grown):
    """Trees whose loss is least at a number of them, where row by row it is what the settings say."""

    def __init__(self, rows, least_at, losses):
        super().__init__()
        self.trees = 0
        self.rows, self.least_at, self.of_rows = rows, least_at, losses

    def grow(self):
        self.trees += 1
        return float(self.losses(self.trees).mean())

    def losses(self, trees):
        return self.of_rows + abs(trees - self.least_at) / 1000

    def stored(self, trees):
        return f"{trees} trees that learned from {self.rows} rows"


class Field(Ground):
    """Rows that grow a curve: with 16 leaves the loss of each row is less by its own feature."""

    def __init__(self, columns, train, judged):
        assert train.matrix.shape[1] == judged.matrix.shape[1] == len(columns.names)
        self.train, self.judged = train, judged

    def grown(self, settings):
        gains = self.judged.matrix[:, 0] * (settings["leaves"] - 8) / 8
        return Curve(len(self.train.churned), 40, 1 - gains)


def folds(gains, customer=None):
    """Five folds, row after row."""
    rows = len(gains)
    sample = Sample(np.array(gains, dtype=float)[:, None], np.zeros(rows), customer)
    return Folds(sample, np.arange(rows) % 5, COLUMNS)


def search(leaves=16, trials=3, ground=Field, seconds=3600):
    settings = FitSettings(trials=trials, seconds=seconds)
    return Search(ground, lambda trial: {"leaves": trial.suggest_categorical("leaves", [8, leaves])}, START, settings)


def test_the_gain_is_the_mean_difference_and_its_error_that_of_sums_by_customer():
    losses, others = np.array([0.5, 0.7, 0.9, 0.3]), np.array([0.4, 0.4, 1.0, 0.1])
    # Gains 0.1, 0.3, -0.1, 0.2 of customers a, a, b, c: sums 0.4, -0.1, 0.2, of mean 1/6 and variance 19/300.
    gain, error = paired_gain(losses, others, np.array([0, 0, 1, 2]))
    assert gain == pytest.approx(0.5 / 4)
    assert error == pytest.approx(np.sqrt(3 * 19 / 300) / 4)
    alone = paired_gain(losses, others, None)
    assert alone == pytest.approx((0.125, np.std([0.1, 0.3, -0.1, 0.2], ddof=1) * 2 / 4))


def test_one_customer_tells_nothing_for_sure():
    assert paired_gain(np.array([0.5, 0.7]), np.array([0.1, 0.1]), np.array([0, 0]))[1] == np.inf


@pytest.mark.parametrize(("customers", "leaves"), [(100, 16), (10, 8)])
def test_a_gain_counts_by_customers_and_not_by_rows(customers, leaves):
    # The same 100 gains of 0.3 and -0.12: sure where each is a customer's, not where ten rows each are.
    gains = np.repeat([0.3, -0.12, 0.3, -0.12, 0.3, -0.12, 0.3, -0.12, -0.12, 0.3], 10)
    chosen, record = search(trials=8).members(folds(gains, np.arange(100) * customers // 100))
    assert chosen.settings == {"leaves": leaves}
    assert record["search_gain"] == pytest.approx(0.09)


def test_a_search_whose_start_is_best_gains_nothing():
    chosen, record = search(trials=8).members(folds(np.full(50, -0.1)))
    assert chosen.settings == START
    assert (record["search_gain"], record["search_gain_error"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("gains_by_fold", "seen"), [([-1, 4, 4, 4, 4], 1), ([3, -4, 4, 4, 4], 2), ([3, 3, 3, 3, 3], 5)]
)
def test_a_trial_that_falls_behind_sees_no_further_fold(gains_by_fold, seen):
    gains = np.tile(np.array(gains_by_fold) / 10, 10)
    _, record = search(trials=8).members(folds(gains))
    assert {trial["folds"] for trial in record["search"] if trial["leaves"] == 16} == {seen}


def test_trees_are_counted_by_the_mean_loss_of_all_members():
    # |trees - 30| + |trees - 40| + 3 |trees - 60| is least where the middle one of 30, 40, 60, 60, 60 lies.
    members = [Curve(1, at, np.ones(2)) for at in (30, 40, 60, 60, 60)]
    assert least_loss_trees(members) == 60
    # Patience ends the wait, so that a second valley behind a long hill is never seen.
    assert [member.trees for member in members] == [60 + PATIENCE] * 5
    assert least_loss_trees([Curve(1, 3 * ROUNDS, np.ones(2))]) == ROUNDS


def test_a_fold_that_has_begun_goes_on_and_does_not_begin_anew():
    begun = []

    class Counted(Field):
        def grown(self, settings):
            begun.append((self.judged.matrix[0, 0], settings["leaves"]))
            return super().grown(settings)

    _, record = search(trials=2, leaves=16, ground=Counted).members(folds(0.3 + np.arange(50) % 5 / 100))
    whole = [trial for trial in record["search"][1:] if trial["folds"] == 5]
    assert len(begun) == 5 + 5 * len(whole) + (len(record["search"]) - 1 - len(whole))


def test_a_search_out_of_time_ends_with_the_start():
    chosen, record = search(trials=50, seconds=0).members(folds(np.full(50, 0.3)))
    assert chosen.settings == START
    assert (record["trials"], record["seconds_limit_hit"]) == (1, True)


def test_what_it_shall_be_like_is_taken_and_nothing_is_searched():
    chosen, record = search(trials=8).members(folds(np.full(50, -0.1)), {"leaves": 16, "trees": 7})
    assert chosen.settings == {"leaves": 16}
    assert (chosen.trees, record) == (40, {})


def test_a_large_sample_is_searched_in_part_and_fitted_in_whole():
    rows = 2 * SEARCHED_ROWS
    seen = []

    class Counted(Field):
        def __init__(self, columns, train, judged):
            super().__init__(columns, train, judged)
            seen.append(len(train.churned) + len(judged.churned))

    chosen, _ = search(trials=8, ground=Counted).members(folds(np.full(rows, 0.3), np.arange(rows) // 4))
    assert seen[:5] == [seen[0]] * 5
    assert seen[0] == pytest.approx(SEARCHED_ROWS, rel=0.02)
    assert seen[5:] == [rows] * 5
    assert chosen.settings == {"leaves": 16}
    assert chosen.grown[0].stored(chosen.trees) == f"40 trees that learned from {rows * 4 // 5} rows"


def test_some_customers_are_whole_customers():
    rows = 2 * SEARCHED_ROWS
    whole = folds(np.arange(rows), np.arange(rows) // 4)
    some = whole.of_some_customers(SEARCHED_ROWS, 7)
    drawn, counts = np.unique(some.rows.matrix[:, 0] // 4, return_counts=True)
    assert set(counts) == {4}
    np.testing.assert_array_equal(some.fold, some.rows.matrix[:, 0] % 5)
    again, other = whole.of_some_customers(SEARCHED_ROWS, 7), whole.of_some_customers(SEARCHED_ROWS, 8)
    np.testing.assert_array_equal(again.fold, some.fold)
    assert set(other.rows.matrix[:, 0] // 4) != set(drawn)
