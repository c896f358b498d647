"""Comparing two builds of a table: one differing cell is found and named."""

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.proofs.differences import RELATIVE_TOLERANCE, compare


def table(**columns):
    return pa.table({"customer_id": [1, 2, 3], **columns})


def amounts(*values):
    return table(amount=pa.array(values, pa.float64()))


def test_equal_tables_are_equal_in_any_order_of_rows():
    left = amounts(1.0, None, 3.0)
    told = compare("features", left, left.take([2, 0, 1]), ["customer_id"])
    assert told.equal
    assert (told.table, told.rows, told.columns, told.example) == ("features", 3, 2, "")


def test_one_differing_cell_is_counted_and_named():
    told = compare("features", amounts(1.0, 2.0, 3.0), amounts(1.0, 2.5, 3.0), ["customer_id"])
    assert not told.equal
    assert told.different_cells == 1
    assert told.example == "amount at customer_id=2: 2.0 against 2.5"


def test_every_differing_cell_counts_and_the_first_is_the_example():
    left = table(region=["a", "b", "c"], churned=[0, 1, 0])
    right = table(region=["a", "x", "c"], churned=[1, 1, 1])
    told = compare("labels", left, right, ["customer_id"])
    assert told.different_cells == 3
    assert told.example == "region at customer_id=2: b against x"


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1e9, 1e9 * (1 + RELATIVE_TOLERANCE / 2), True),
        (1e9, 1e9 * (1 + RELATIVE_TOLERANCE * 2), False),
        (1e-12, 2e-12, False),
        (0.0, -0.0, True),
        (0.0, 1e-300, False),
        (None, None, True),
        (None, 0.0, False),
        (0.0, None, False),
        (float("nan"), float("nan"), True),
        (float("nan"), 1.0, False),
        (1.0, float("nan"), False),
        (float("nan"), None, False),
        (float("inf"), float("inf"), True),
        (float("inf"), float("-inf"), False),
        (float("inf"), 1.0, False),
    ],
)
def test_doubles(left, right, equal):
    told = compare("features", amounts(1.0, left, 3.0), amounts(1.0, right, 3.0), ["customer_id"])
    assert told.equal is equal
    assert told.different_cells == (0 if equal else 1)


def test_decimals_integers_and_texts_have_no_tolerance():
    left = table(amount=[Decimal("1.00"), Decimal("2.00"), None], n=[10**15, 1, 1], name=["a", "", None])
    right = table(amount=[Decimal("1.00"), Decimal("2.01"), None], n=[10**15 + 1, 1, 1], name=["a", None, None])
    assert compare("t", left, left, ["customer_id"]).equal
    assert compare("t", left, right, ["customer_id"]).different_cells == 3


def test_other_columns_rows_or_types_are_one_difference_that_says_which():
    left = table(n=[1, 2, 3])
    assert compare("t", left, table(m=[1, 2, 3]), ["customer_id"]).example == "columns differ: m, n"
    assert compare("t", left, left.select(["n", "customer_id"]), ["customer_id"]).example == "columns differ: order"
    assert compare("t", left, left.slice(1), ["customer_id"]).example == "3 rows against 2"
    told = compare("t", left, table(n=["a", "b", "c"]), ["customer_id"])
    assert (told.different_cells, told.example) == (1, "types differ: n int64 against string")


def test_engines_may_store_one_value_in_types_of_another_width():
    narrow = table(n=pa.array([1, 2, None], pa.int32()), d=pa.array([Decimal("1.5"), None, None], pa.decimal128(18, 2)))
    wide = table(n=pa.array([1, 2, None], pa.int64()), d=pa.array([Decimal("1.5"), None, None], pa.decimal128(38, 2)))
    assert compare("t", narrow, wide, ["customer_id"]).equal
    assert compare("t", wide, narrow, ["customer_id"]).equal


def test_tables_without_rows_are_equal():
    empty = amounts(1.0, 2.0, 3.0).slice(0, 0)
    assert compare("t", empty, empty, ["customer_id"]).equal


CELLS = st.lists(st.none() | st.floats(), min_size=1, max_size=20)


@settings(deadline=None)
@given(cells=CELLS, place=st.data())
def test_any_table_equals_itself_and_not_one_with_a_cell_of_another_size(cells, place):
    left = pa.table({"customer_id": range(len(cells)), "amount": pa.array(cells, pa.float64())})
    assert compare("t", left, left, ["customer_id"]).equal
    row = place.draw(st.integers(0, len(cells) - 1))
    changed = [*cells[:row], 7.25 if cells[row] != 7.25 else None, *cells[row + 1 :]]
    right = left.set_column(1, "amount", pa.array(changed, pa.float64()))
    told = compare("t", left, right, ["customer_id"])
    near = cells[row] is not None and abs(cells[row] - 7.25) <= 7.25 * RELATIVE_TOLERANCE * 2
    assert told.different_cells == 1 or near
