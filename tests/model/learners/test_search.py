"""When the start of a search is left: for a gain that chance does not explain, rows of a customer together."""

import numpy as np
import pytest

from tenure.model.learners.search import Fit, Fits, paired_gain


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


@pytest.mark.parametrize(("customers", "chosen"), [(100, "better"), (4, "start")])
def test_a_gain_counts_by_customers_and_not_by_rows(customers, chosen):
    # The same 100 gains of 0.3 and -0.15: sure where each is a customer's, not where 25 rows each are.
    losses, gains = np.ones(100), np.repeat([0.3, -0.15, 0.3, -0.15], 25)
    fits = Fits(np.arange(100) * customers // 100)
    assert fits.consider(Fit({"leaves": 8}, losses, 10, "start")) == 1.0
    fits.consider(Fit({"leaves": 16}, losses - gains, 20, "better"))
    fits.consider(Fit({"leaves": 4}, losses + 1, 30, "worse"))
    assert fits.chosen.text == chosen
    assert fits.gain[0] == pytest.approx(0.075)


def test_a_search_whose_start_is_best_gains_nothing():
    fits = Fits(None)
    fits.consider(Fit({"leaves": 8}, np.ones(3), 10, "start"))
    fits.consider(Fit({"leaves": 4}, np.ones(3), 10, "equal"))
    assert fits.chosen.text == "start"
    assert fits.gain == (0.0, 0.0)
