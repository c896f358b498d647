"""Two versions side by side in SQL, against the same in plain Python."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.engines import open_engine
from tenure.engines.base import EngineSettings
from tenure.tables.version_diff import AFTER, BEFORE, Compared, Pairing

SCHEMA = pa.schema(
    [("k", pa.int64()), ("part", pa.string()), ("x", pa.float64()), ("n", pa.int64()), ("t", pa.string())]
)
COLUMNS = [Compared("x", "float"), Compared("n", "number"), Compared("t", "other")]

keys = st.tuples(st.integers(0, 4), st.sampled_from([None, "a", "b"]))
floats = st.sampled_from([None, 0.0, -0.0, 1.0, 1.05, 2.5, -3.0, math.inf, -math.inf, math.nan])
cells = st.tuples(floats, st.one_of(st.none(), st.integers(-3, 3)), st.sampled_from([None, "", "p", "q"]))
versions = st.dictionaries(keys, cells, max_size=12)


@pytest.fixture(scope="module")
def engine():
    found = open_engine(EngineSettings(memory="1GB", threads=1))
    yield found
    found.close()


def put(engine, relation: str, rows: Mapping) -> None:
    listed = [dict(zip(SCHEMA.names, (*key, *row), strict=True)) for key, row in rows.items()]
    engine.register(relation, pa.Table.from_pylist(listed, schema=SCHEMA))


def bits(value):
    """A value that is equal to another exactly if the two are the same, bit by bit; all NaN are one."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("<d", value)
    return value


def changed_in_python(old, new, tolerance: float) -> bool:
    if tolerance and isinstance(old, float) and isinstance(new, float):
        return not (old == new or (math.isnan(old) and math.isnan(new)) or abs(old - new) <= tolerance)
    return bits(old) != bits(new)


@settings(max_examples=60, deadline=None)
@given(before=versions, after=versions, tolerance=st.sampled_from([0.0, 0.1]))
def test_counts_are_those_of_plain_python(engine, before, after, tolerance):
    put(engine, BEFORE, before)
    put(engine, AFTER, after)
    row = engine.run(Pairing(("k", "part"), COLUMNS, tolerance).counts().text).to_pylist()[0]
    both = before.keys() & after.keys()
    changed = {
        key: [changed_in_python(*pair, tolerance) for pair in zip(before[key], after[key], strict=True)] for key in both
    }
    assert row == {
        "rows_added": len(after.keys() - both),
        "rows_removed": len(before.keys() - both),
        "rows_changed": sum(map(any, changed.values())),
        **{f"cells_{place}": sum(cells[place] for cells in changed.values()) for place in range(3)},
    }


@settings(max_examples=40, deadline=None)
@given(before=versions, after=versions, most=st.integers(1, 4))
def test_the_largest_changes_are_those_of_plain_python(engine, before, after, most):
    put(engine, BEFORE, before)
    put(engine, AFTER, after)
    spreads = [2.0, 0.5, 0.0]
    found = engine.run(Pairing(("k", "part"), COLUMNS).largest(spreads, [0, 1, 2], most).text).to_pylist()
    expected = []
    for key in before.keys() & after.keys():
        for place, (old, new) in enumerate(zip(before[key], after[key], strict=True)):
            if bits(old) == bits(new):
                continue
            size = None
            if place < 2 and old is not None and new is not None and math.isfinite(old - new):
                size = abs(new - old) / spreads[place]
            expected.append((size, place, key))
    sized = sorted((size for size, _, _ in expected if size is not None), reverse=True)
    assert [row["size"] for row in found] == (sized + [None] * len(expected))[: min(most, len(expected))]
    assert {(row["size"], row["place"], (row["key_0"], row["key_1"])) for row in found} <= set(expected)


def test_a_key_that_stands_twice_is_counted_once(engine):
    rows = pa.table({"k": [1, 1, 1, 2, 3, 3]})
    engine.register(BEFORE, rows)
    assert engine.run(Pairing(("k",), []).repeated(BEFORE).text).to_pylist() == [{"keys_repeated": 2}]


def test_a_table_of_keys_alone_has_rows_and_no_cells(engine):
    engine.register(BEFORE, pa.table({"k": [1, 2, 3]}))
    engine.register(AFTER, pa.table({"k": [2, 3, 4, 5]}))
    found = engine.run(Pairing(("k",), []).counts().text).to_pylist()
    assert found == [{"rows_added": 2, "rows_removed": 1, "rows_changed": 0}]


def test_a_column_whose_type_changed_compares_as_text(engine):
    engine.register(BEFORE, pa.table({"k": [1, 2], "x": ["7", "8"]}))
    engine.register(AFTER, pa.table({"k": [1, 2], "x": [7, 9]}))
    found = engine.run(Pairing(("k",), [Compared("x", "number", as_text=True)]).counts().text).to_pylist()
    assert found[0]["cells_0"] == 1
