import numpy as np
import pytest

from tenure.errors import InvalidConfig
from tenure.model.value import SHARES, ValueSettings, campaign_value

SETTINGS = ValueSettings(contact_cost=2, offer_cost=10, save_rate=0.3, customer_value=200, currency="USD")


def test_a_hundred_customers_by_hand():
    # 10 churners hold the places 1-8 and 51-52.
    scores, churned = np.arange(100, 0, -1) / 100, np.zeros(100)
    churned[[*range(8), 50, 51]] = 1
    table = campaign_value(scores, churned, SETTINGS).set_index("contacts")
    assert table["share"].tolist() == list(SHARES)
    # 10 contacts: 8 churners * 0.3 * (200 - 10) = 456, less 2 stayers * 10, less 10 contacts * 2.
    assert table.loc[10, "churners_reached"] == 8
    assert table.loc[10, "precision"] == 0.8
    assert table.loc[10, "expected_profit"] == pytest.approx(456 - 20 - 20)
    # Everyone contacted: 570 for the ten churners, less ninety offers, less a hundred contacts.
    assert table.loc[100, "expected_profit"] == pytest.approx(570 - 900 - 200)
    assert table.index[table["best"]].tolist() == [10]
    assert set(table["currency"]) == {"USD"}


def test_no_size_is_best_when_every_size_loses_money():
    table = campaign_value(np.linspace(0, 1, 100), np.zeros(100), SETTINGS)
    assert (table["expected_profit"] < 0).all()
    assert not table["best"].any()


def test_equal_scores_count_at_their_common_rate():
    table = campaign_value(np.full(100, 0.1), np.repeat([0.0, 1.0], 50), SETTINGS)
    np.testing.assert_allclose(table["precision"], 0.5)


def test_of_few_customers_each_size_is_one_row():
    table = campaign_value(np.array([0.9, 0.5, 0.1]), np.array([1.0, 0.0, 0.0]), SETTINGS)
    assert table["contacts"].tolist() == [1, 2, 3]


def test_no_customers_are_no_rows():
    assert campaign_value(np.empty(0), np.empty(0), SETTINGS).empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contact_cost": -1}, "contact_cost: got -1"),
        ({"customer_value": float("nan")}, "customer_value: got nan"),
        ({"save_rate": 1.5}, "save_rate: got 1.5; it must be between 0 and 1"),
        ({"save_rate": 0.01}, r"costs more than is saved: .* = 1.9 USD, contact_cost = 2 USD"),
    ],
)
def test_costs_that_can_never_pay_are_refused(change, message):
    allowed = {
        "contact_cost": 2,
        "offer_cost": 10,
        "save_rate": 0.3,
        "customer_value": 200,
        "currency": "USD",
    }
    with pytest.raises(InvalidConfig, match=message):
        ValueSettings(**{**allowed, **change})


def test_a_contact_breaks_even_where_its_profit_is_nothing():
    p = SETTINGS.break_even
    saved = SETTINGS.save_rate * (SETTINGS.customer_value - SETTINGS.offer_cost)
    assert 0 < p < 1
    assert p * saved - (1 - p) * SETTINGS.offer_cost == pytest.approx(SETTINGS.contact_cost)
