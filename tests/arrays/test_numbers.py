"""Numbers: out of Arrow and back they are the same, nulls and slices included."""

from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.arrays.by_day import by_day
from tenure.arrays.numbers import Room, TooLarge, arrow, days_of, flags, squares, stored, structs, valid, whole
from tenure.define.value_type import ValueType
from tenure.tiles.partials import Partial, Values

MONEY = Values("tx", "", "amount", ValueType("decimal"), "a test")
SQUARES, SUM = Partial(MONEY, "squares"), Partial(MONEY, "sum")


@given(st.lists(st.integers(0, 10**30).map(Decimal), max_size=20), st.integers(0, 5))
def test_squares_come_back_as_they_went(numbers, start):
    column = pa.array(numbers, pa.decimal128(38, 0)).slice(start)
    assert arrow(squares(column), SQUARES).to_pylist() == column.to_pylist()


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=20), st.integers(0, 5))
def test_sums_of_tiles_are_read_as_they_were_stored(cents, start):
    money = [None if each is None else Decimal(each).scaleb(-2) for each in cents]
    column = pa.array(money, pa.decimal128(28, 2)).slice(start)
    read, known = whole(column), valid(column)
    assert [int(n) for n in read] == [each or 0 for each in cents[start:]]
    assert stored([read], SUM, known).to_pylist() == money[start:]


@pytest.mark.parametrize("cents", [2**63, -(2**63) - 1, 10**27])
def test_a_sum_of_more_than_64_bits_is_left_to_sql(cents):
    column = pa.array([Decimal(1), Decimal(cents).scaleb(-2)], pa.decimal128(28, 2))
    with pytest.raises(TooLarge):
        whole(column)
    assert whole(column.slice(0, 1)).tolist() == [100]


@given(st.lists(st.none() | st.booleans()), st.integers(0, 9))
def test_flags_and_nulls_are_read_of_any_slice(values, start):
    column = pa.array(values, pa.bool_()).slice(start)
    known = valid(column)
    told = [value is not None for value in values[start:]]
    assert (known is None and all(told)) or known.tolist() == told
    bare = pa.array([bool(value) for value in values], pa.bool_()).slice(start)
    read = flags(bare)
    assert (read is None and all(bare.to_pylist())) or read.tolist() == bare.to_pylist()


@pytest.mark.parametrize(
    ("values", "type_", "numbers"),
    [
        ([Decimal("-1.25"), Decimal("3.00")], pa.decimal64(18, 2), [-125, 300]),
        ([date(1970, 1, 2), date(1969, 12, 31)], pa.date32(), [1, -1]),
        ([7, -7], pa.int16(), [7, -7]),
        ([7, -7], pa.int64(), [7, -7]),
    ],
)
def test_whole_numbers_are_read_in_units_of_the_last_place(values, type_, numbers):
    column = pa.chunked_array([pa.array(values[:1], type_), pa.array(values[1:], type_)])
    assert whole(column).tolist() == numbers
    assert whole(pa.array(values, type_).slice(1)).tolist() == numbers[1:]
    assert whole(pa.array([], type_)).tolist() == []


def test_fractions_are_no_whole_numbers():
    with pytest.raises(TypeError, match="double holds no whole numbers"):
        whole(pa.array([1.5]))


def test_days_before_1970_are_negative():
    assert days_of([date(1969, 12, 31), date(1970, 1, 1), date.min]).tolist() == [-1, 0, -719162]


def test_structs_are_null_where_nothing_fills_them():
    made = structs([pa.array([1, 2]), pa.array(["a", "b"])], ["at", "v"], np.array([True, False]))
    assert made.to_pylist() == [{"at": 1, "v": "a"}, None]


def test_room_gives_arrays_that_do_not_overlap():
    room = Room()
    arrays = [room.empty(length) for length in (3, 1 << 21, 0, 5)]
    for number, array in enumerate(arrays):
        array[:] = number
    assert [set(array.tolist()) for array in arrays] == [{0}, {1}, set(), {3}]


def test_rows_are_parted_by_day_over_the_edges_of_batches():
    days = [date(2024, 1, 31)] * 3 + [date(2024, 2, 29)] * 2 + [date(2024, 1, 31), date(2024, 2, 29), date(2024, 1, 31)]
    rows = pa.table({"n": list(range(8)), "day": pa.array(days, pa.date32())})
    empty = rows.slice(0, 0).to_batches()
    batches = [*empty, *rows.to_batches(max_chunksize=2)]
    assert [(day, part["n"].to_pylist()) for day, part in by_day(batches, "day")] == [
        (date(2024, 1, 31), [0, 1, 2]),
        (date(2024, 2, 29), [3, 4, 6]),
        (date(2024, 1, 31), [5, 7]),
    ], "a day that comes again is gathered"
