"""Rows summed up in arrays: every kind of number, in any order and cut anywhere, is what plain Python makes of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.arrays import rows as rows_module
from tenure.arrays.numbers import TooLarge, days_of
from tenure.arrays.rows import sum_rows
from tenure.define.value_type import ValueType
from tenure.tiles.partials import Partial, Values
from tenure.tiles.rows_to_sum import RowPart, RowsToSum

KINDS = ("count", "sum", "squares", "squares_high", "min", "max", "newest", "oldest", "days", "first", "last")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PERIODS = days_of([date.min, date(2024, 2, 1)])

ALL = Values("all", "", "amount", ValueType("decimal"), "a test")
SOME = Values("some", "x", "amount", ValueType("decimal"), "a test")
CODED = [Values(f"kind_{n}", f"kind = '{n}'", "amount", ValueType("decimal"), "a test") for n in range(2)]
PARTS = {
    **{Partial(ALL, kind): RowPart("", "") for kind in KINDS},
    **{Partial(SOME, kind): RowPart("counts", "") for kind in KINDS},
    **{Partial(values, kind): RowPart("code", "", n) for n, values in enumerate(CODED) for kind in KINDS},
}
VALUE = {"newest": "at", "oldest": "at", "days": "bit", "count": "", "first": "v", "last": "v"}
SUMS = RowsToSum(
    "",
    {p: RowPart(r.counts, VALUE.get(p.kind, "amount"), r.code) for p, r in PARTS.items()},
    {"code": 2},
    ("at", "id"),
)

amounts = st.integers(-(10**12) + 1, 10**12 - 1) | st.integers(-300, 300)
drawn = st.tuples(
    st.integers(1, 3),
    st.sampled_from([date(2024, 1, 1), date(2024, 1, 15), date(2024, 2, 1)]),
    amounts,
    st.booleans(),
    st.integers(0, 2),
    st.integers(0, 5),
)


def batch(rows, first_id=0):
    """The rows as a stream gives them; two of one instant are told apart by their id."""
    keys, days, cents, counts, codes, seconds = zip(*rows, strict=True)
    number = len(rows)
    return pa.record_batch(
        {
            "key_no": pa.array(keys, pa.int64()),
            "interval_start": pa.array(days, pa.date32()),
            "counts": pa.array(counts),
            "code": pa.array(codes, pa.int16()),
            "amount": pa.Array.from_buffers(
                pa.decimal64(18, 2), number, [None, pa.py_buffer(np.array(cents, np.int64))]
            ),
            "bit": pa.array([1 << second for second in seconds], pa.int64()),
            "at": pa.array(seconds, pa.int64()),
            "id": pa.array([f"{first_id + n:03}" for n in range(number)], pa.string()),
            "v": pa.array([f"v{first_id + n}" for n in range(number)], pa.string()),
        }
    )


def by_hand(numbered, kind):
    """What a partial of some rows is: (row, id, value) each; None of none, but for counts."""
    cents = [Decimal(row[2]).scaleb(-2) for _, row in numbered]
    instants = [EPOCH.replace(tzinfo=None) + timedelta(microseconds=row[5]) for _, row in numbered]
    if kind == "count":
        return len(numbered)
    if not numbered:
        return None
    if kind in ("first", "last"):
        n, row = (min if kind == "first" else max)(numbered, key=lambda pair: (pair[1][5], f"{pair[0]:03}"))
        return {"at": row[5], "k0": f"{n:03}", "v": f"v{n}"}
    return {
        "sum": sum(cents),
        "squares": sum(row[2] ** 2 % 10**24 for _, row in numbered),
        "squares_high": sum(row[2] ** 2 // 10**24 for _, row in numbered),
        "min": min(cents),
        "max": max(cents),
        "newest": max(instants),
        "oldest": min(instants),
        "days": sum({1 << row[5] for _, row in numbered}),
    }[kind]


def counted(values, row):
    if values is ALL:
        return True
    return row[3] if values is SOME else row[4] == CODED.index(values)


@settings(deadline=None, max_examples=150)
@given(rows=st.lists(drawn, max_size=25), cut=st.integers(0, 25), threads=st.sampled_from([1, 2]))
def test_any_rows_in_any_order_come_to_what_python_makes_of_them(rows, cut, threads):
    pieces = [(0, rows[:cut]), (cut, rows[cut:])]
    batches = [batch(those, first) for first, those in pieces if those]
    got = {
        (row.pop("key_no"), row.pop("interval_start")): row
        for row in sum_rows(batches, SUMS, PERIODS, threads).to_pylist()
    }
    tiles = defaultdict(list)
    for n, row in enumerate(rows):
        tiles[row[0], row[1]].append((n, row))
    assert got == {
        tile: {p.name: by_hand([(n, row) for n, row in those if counted(p.values, row)], p.kind) for p in PARTS}
        for tile, those in tiles.items()
    }


def test_tiles_come_by_period_and_inside_one_in_the_order_of_the_rows():
    late, early = date(2024, 2, 1), date(2024, 1, 1)
    rows = [(3, late, 1, True, 0, 0), (3, early, 1, True, 0, 0), (1, late, 1, True, 0, 0), (2, early, 1, True, 0, 0)]
    made = sum_rows([batch(rows)], SUMS, PERIODS, 1)
    assert list(zip(made["key_no"].to_pylist(), made["interval_start"].to_pylist(), strict=True)) == [
        (3, early),
        (2, early),
        (3, late),
        (1, late),
    ]


def test_long_batches_are_summed_up_in_pieces(monkeypatch):
    monkeypatch.setattr(rows_module, "MOST_ROWS", 3)
    rows = [(1, date(2024, 1, 1), 5, True, 0, n % 6) for n in range(20)]
    made = sum_rows([batch(rows)], SUMS, PERIODS, 2)
    assert made["all__sum"].to_pylist() == [Decimal("1.00")]
    assert made["all__last"].to_pylist() == [{"at": 5, "k0": "017", "v": "v17"}]


@pytest.mark.parametrize("cents", [10**12, -(10**12)])
def test_larger_amounts_are_left_to_sql(cents):
    with pytest.raises(TooLarge):
        sum_rows([batch([(1, date(2024, 1, 1), cents, True, 0, 0)])], SUMS, PERIODS, 1)


@pytest.mark.parametrize(("kind", "n"), [("min", 2**63 - 1), ("max", -(2**63))])
def test_a_number_that_stands_for_nothing_is_left_to_sql(kind, n):
    values = Values("n", "", "n", ValueType("integer"), "a test")
    rows = pa.record_batch(
        {
            "key_no": pa.array([1], pa.int64()),
            "interval_start": pa.array([date(2024, 1, 1)], pa.date32()),
            "n": pa.array([n], pa.int64()),
        }
    )
    with pytest.raises(TooLarge):
        sum_rows([rows], RowsToSum("", {Partial(values, kind): RowPart("", "n")}, {}, ()), PERIODS, 1)


@pytest.mark.parametrize(
    "keys", [pa.array([False, True, True]), pa.array([0.5, 1.5, 1.25]), pa.array(["a", "c", "b"]), pa.array([1, 3, 2])]
)
def test_rows_of_one_instant_are_told_apart_by_keys_of_any_type(keys):
    values = Values("v", "", "v", ValueType("string"), "a test")
    rows = pa.record_batch(
        {
            "key_no": pa.array([1, 1, 1], pa.int64()),
            "interval_start": pa.array([date(2024, 1, 1)] * 3, pa.date32()),
            "at": pa.array([7, 7, 7], pa.int64()),
            "k": keys,
            "v": pa.array(["first", "last", "last"]),
        }
    )
    parts = {Partial(values, kind): RowPart("", "v") for kind in ("first", "last")}
    made = sum_rows([rows], RowsToSum("", parts, {}, ("at", "k")), PERIODS, 1).to_pylist()[0]
    assert [made["v__first"]["v"], made["v__last"]["v"]] == ["first", "last"]
