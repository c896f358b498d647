"""Digits: a condition compares decimals of many digits, and does nothing with them that engines have no room for."""

import pytest

from tenure.errors import InvalidDefinition
from tenure.sql import DIALECTS
from tenure.sql.conditions import condition

TYPES = {
    "amount": "decimal(38, 4)",
    "fine": "decimal(18, 4)",
    "tiny": "decimal(18, 6)",
    "other": "decimal(38, 4)",
    "pieces": "integer",
    "kind": "string",
}


def checked(where, dialect):
    return condition(where, TYPES, dialect, relation="r", asked_by="feature 'debit' (features/money.py:3)")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "where",
    [
        "amount > 100.1234",
        "ABS(amount) BETWEEN 1 AND 9999999999999999999999999999999999",
        "-(amount) < -5 OR amount IS NULL",
        "amount IN (1, 2.5) AND kind = 'x'",
        "amount <= other AND amount > fine",
        "CASE WHEN amount > 1 THEN kind = 'x' END",
        "fine * 2 > tiny + pieces",
    ],
)
def test_long_decimals_are_compared(where, dialect):
    assert "r.amount" in checked(where, dialect) or "r.fine" in checked(where, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "where",
    [
        "amount * 2 > 100",
        "amount + other > 100",
        "amount > 0.12345",
        "amount > 99999999999999999999999999999999999",
        "amount > 1e3",
        "amount > pieces",
        "amount > tiny",
        "amount = '5'",
        "COALESCE(amount, 0) > 5",
        "ROUND(amount) > 5",
        "CAST(amount AS DOUBLE) > 5",
        "amount > fine * 2",
        "amount IN (1, 2.55555)",
        "amount BETWEEN 1 AND pieces",
    ],
)
def test_what_may_take_more_digits_than_engines_have_is_refused_by_name(where, dialect):
    with pytest.raises(InvalidDefinition) as refused:
        checked(where, dialect)
    assert "feature 'debit' (features/money.py:3) has where=" in refused.value.message
    assert "does more with 'amount', a decimal(38, 4), than compare it" in refused.value.message
    assert "select=" in refused.value.hint


def test_where_a_long_decimal_is_compared_every_engine_counts_the_same_rows(engine):
    values = ["9" * 34 + ".9999", "-" + "9" * 34 + ".9999", "0.0001", "100.1234", "5"]
    rows = " UNION ALL ".join(f"SELECT CAST('{value}' AS DECIMAL(38, 4)) AS amount" for value in values)
    counted = []
    for where in ("amount > 100.1233", "ABS(amount) >= 9999999999999999999999999999999999", "amount IN (5, 0.0001)"):
        found = engine.run(f"SELECT COUNT(*) AS n FROM ({rows}) AS r WHERE {checked(where, engine.dialect)}")
        counted.append(found.to_pylist()[0]["n"])
    assert counted == [2, 2, 2]
