"""A formula in Python is the same formula in SQL, and calculates the same number."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.sql.arithmetic import Number, numbers

A, B, C = numbers("it", "a", "b", "c")

PRINTED = {
    "it.a + it.b * it.c": A + B * C,
    "(it.a + it.b) * it.c": (A + B) * C,
    "it.a - it.b - it.c": A - B - C,
    "it.a - (it.b - it.c)": A - (B - C),
    "it.a + (it.b + it.c)": A + (B + C),
    "it.a / it.b / it.c": A / B / C,
    "it.a * (it.b / it.c)": A * (B / C),
    "it.a % 100 * 2": A % 100 * 2,
    "(it.a % 100) * 2": (A % 100).grouped * 2,
    "100 - it.a": 100 - A,
    "1 / (it.a + 1)": 1 / (A + 1),
    "2 * it.a": 2 * A,
    "1 + it.a": 1 + A,
    "-it.a": -A,
    "-(it.a + it.b)": -(A + B),
    "-it.a * it.b": -A * B,
    "it.a - (-it.b)": A - (-B).grouped,
}


@pytest.mark.parametrize("expected", PRINTED)
def test_parentheses_stand_where_the_order_asks_for_them(expected):
    assert str(PRINTED[expected]) == expected


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as opened:
        yield opened


LEAVES = st.integers(0, 9).map(lambda n: (Number(f"CAST({n} AS HUGEINT)"), n))


def calculated(sign, left, right):
    """The formula as SQL and as a number, built by the same operator."""
    return {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}[sign](left, right)


FORMULAS = st.recursive(
    LEAVES,
    lambda inner: st.tuples(st.sampled_from("+-*"), inner, inner).map(
        lambda drawn: tuple(calculated(drawn[0], left, right) for left, right in zip(drawn[1], drawn[2], strict=True))
    ),
    max_leaves=7,
)


@settings(deadline=None, max_examples=150)
@given(formula=FORMULAS)
def test_an_engine_calculates_what_python_does(connection, formula):
    sql, expected = formula
    assert connection.execute(f"SELECT {sql}").fetchone() == (expected,)


@pytest.mark.parametrize("formula", [Number("8.0") / (Number("4.0") / 2), Number("8.0") / Number("4.0") / 2])
def test_division_is_from_left_to_right_unless_grouped(connection, formula):
    (found,) = connection.execute(f"SELECT CAST({formula} AS DOUBLE)").fetchone()
    assert found == (4 if "(" in str(formula) else 1)
