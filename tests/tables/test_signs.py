"""Signs at t: the churn event asked of the days before, of rows known before t alone."""

from datetime import date

import pytest
from tiny_bank import write_tiny_bank

from tenure.define.churn import Activity, ChurnDefinition
from tenure.define.definitions import load_project
from tenure.define.events import BalanceDecline, Closure, Inactivity, ProductClosure, any_of
from tenure.tables.signs import sign_then

FIRST, SECOND = date(2024, 1, 31), date(2024, 2, 29)

SPLITS = """
SELECT * FROM (VALUES
    (1, DATE '2024-01-31', 'test'), (2, DATE '2024-01-31', 'test'), (3, DATE '2024-01-31', 'test'),
    (1, DATE '2024-02-29', 'test'), (2, DATE '2023-12-31', 'train')
) AS t (customer_id, snapshot_date, split)
"""

#: Customer 1 pays on 5 January and late in February; the row of 20 January became known in February.
PAYMENTS = """
SELECT customer_id, paid_on AS event_time, known AS known_time, CAST(NULL AS TIMESTAMP) AS known_until,
    CAST(amount AS DECIMAL(18, 2)) AS amount
FROM (VALUES
    (1, TIMESTAMP '2023-12-15', TIMESTAMP '2023-12-15', 100), (1, TIMESTAMP '2024-01-05', TIMESTAMP '2024-01-05', 60),
    (1, TIMESTAMP '2024-02-10', TIMESTAMP '2024-02-10', 90),
    (2, TIMESTAMP '2023-12-15', TIMESTAMP '2023-12-15', 100), (2, TIMESTAMP '2024-01-20', TIMESTAMP '2024-02-05', 90),
    (3, TIMESTAMP '2023-12-15', TIMESTAMP '2023-12-15', 100), (3, TIMESTAMP '2024-01-30', TIMESTAMP '2024-01-30', 90),
    (3, TIMESTAMP '2024-01-31', TIMESTAMP '2024-01-31', 1)
) AS t (customer_id, paid_on, known, amount)
"""


def shown(tmp_path, engine, event, *, horizon=30, active=None):
    project = load_project(write_tiny_bank(tmp_path / "bank"), "Tiny Bank")
    churn = ChurnDefinition("asked", event=event, horizon=horizon, active=active)
    (sign,) = churn.signs
    engine.cache("payments", PAYMENTS)
    engine.cache("splits", SPLITS)
    select = sign_then(project, churn, sign, engine.dialect, [FIRST, SECOND])
    assert select.reads == ("splits", "payments")
    rows = engine.run(select.text).to_pylist()
    return {(row["customer_id"], row["snapshot_date"]): row["shows"] for row in rows}


def test_silence_before_t_is_the_sign_of_silence_after_it(tmp_path, engine):
    # Customer 2's payment of 20 January is not known on 31 January: the bank then sees a silent customer.
    expected = {(1, FIRST): False, (2, FIRST): True, (3, FIRST): False, (1, SECOND): False}
    assert shown(tmp_path, engine, Inactivity("payments")) == expected


def test_where_everybody_asked_has_a_row_half_of_that_span_is_looked_at(tmp_path, engine):
    # 25 of 50 days: from 6 January on customer 1 is silent, and of February the payment of the 10th counts.
    found = shown(tmp_path, engine, Inactivity("payments"), horizon=60, active=Activity("payments", within=50))
    assert found == {(1, FIRST): True, (2, FIRST): True, (3, FIRST): False, (1, SECOND): False}
    assert shown(tmp_path / "days", engine, Inactivity("payments", days=50), horizon=20) == found


def test_a_mean_that_fell_before_t_is_the_sign_of_one_that_falls_after_it(tmp_path, engine):
    event = BalanceDecline("payments", of="amount", below=0.7, baseline=30)
    # 60 against 100; no value known since; 90 against 100; at the second 90 against 60.
    expected = {(1, FIRST): True, (2, FIRST): None, (3, FIRST): False, (1, SECOND): False}
    assert shown(tmp_path, engine, event) == expected


@pytest.mark.parametrize(
    ("event", "active", "days"),
    [
        (Inactivity("payments"), None, [30]),
        (Inactivity("payments"), Activity("payments", within=31), [30]),
        (Inactivity("payments"), Activity("payments", within=30), [15]),
        (Inactivity("payments", where="amount > 0"), Activity("payments", within=20), [30]),
        (Inactivity("payments", days=90), None, [45]),
        (Inactivity("payments", days=90), Activity("payments", within=60), [30]),
        (Inactivity("payments", days=1), None, [1]),
        (any_of(Closure(), Inactivity("payments"), BalanceDecline("payments", of="amount")), None, [30, 30]),
        (Closure(), None, []),
        (ProductClosure("payments"), None, []),
    ],
)
def test_the_days_of_a_sign(event, active, days):
    assert [sign.days for sign in ChurnDefinition("asked", event=event, horizon=30, active=active).signs] == days
