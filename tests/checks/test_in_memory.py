"""Checks of rows in memory: what breaks a contract is found, named with an example, and never written."""

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.checks.in_memory import check_rows, schema_of
from tenure.checks.in_sql import run_checks
from tenure.define.contract_base import Contract, Invariant, OneOf, Within
from tenure.define.table_contracts import FIXED
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.errors import StoreError

SCORES = Contract(
    table="scores",
    keys=("customer_id", "snapshot_date"),
    columns={"score": "double"},
    required=("customer_id", "snapshot_date", "score"),
    invariants=(Within("score", 0, 1, "a probability"), OneOf("kind", ("a", "b"), "a kind")),
)


def rows(*cells):
    columns = ("customer_id", "snapshot_date", "score", "kind")
    schema = pa.schema(
        [("customer_id", pa.int64()), ("snapshot_date", pa.date32()), ("score", pa.float64()), ("kind", pa.string())]
    )
    return pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in cells], schema=schema)


JANUARY, FEBRUARY = date(2024, 1, 31), date(2024, 2, 29)


def broken(table, contract=SCORES):
    return {
        check.check: (check.failed_rows, check.example) for check in check_rows(contract, table) if check.failed_rows
    }


def test_right_rows_pass_every_check_and_null_is_within_and_known():
    table = rows((1, JANUARY, 0.0, "a"), (1, FEBRUARY, 1.0, None))
    assert broken(table) == {}
    assert [check.check for check in check_rows(SCORES, table)] == [
        "keys_are_unique",
        "customer_id_is_not_null",
        "snapshot_date_is_not_null",
        "score_is_not_null",
        "score_is_within_0_and_1",
        "kind_is_known",
    ]


def test_what_is_wrong_is_counted_with_an_example():
    table = rows((1, JANUARY, 0.5, "a"), (1, JANUARY, 1.5, "c"), (2, JANUARY, None, "b"), (1, JANUARY, -0.1, "b"))
    first, second = "customer_id=1, snapshot_date=2024-01-31", "customer_id=2, snapshot_date=2024-01-31"
    assert broken(table) == {
        "keys_are_unique": (2, first),
        "score_is_not_null": (1, second),
        "score_is_within_0_and_1": (2, first),
        "kind_is_known": (1, first),
    }


def test_personal_values_are_shown_by_their_shape():
    contract = Contract(table="t", keys=("name",), personal=frozenset({"name"}))
    (check,) = check_rows(contract, pa.table({"name": ["Zoë Ng", "Zoë Ng"]}))
    assert check.failed_rows == 1
    assert "Zoë" not in check.example


def test_a_column_that_is_missing_or_of_another_type_is_refused():
    with pytest.raises(StoreError, match="rows for table 'scores' lack the column 'score' of its contract"):
        check_rows(SCORES, rows().drop_columns(["score"]))
    whole = rows().set_column(2, "score", pa.array([], pa.int64()))
    with pytest.raises(StoreError, match="have 'score' as int64; its contract says double"):
        check_rows(SCORES, whole)


def test_a_condition_in_sql_is_refused_where_no_engine_checks_it():
    contract = Contract(table="t", invariants=(Invariant("positive", "x > 0", "more than nothing"),))
    with pytest.raises(StoreError, match="the contract of table 't' holds SQL"):
        check_rows(contract, pa.table({"x": [1]}))


def test_fixed_contracts_give_their_columns():
    for contract in FIXED.values():
        schema = schema_of(contract)
        assert schema.names == list(contract.columns)
        assert set(contract.required) <= set(schema.names)
        assert check_rows(contract, schema.empty_table()) != []


CELLS = st.tuples(
    st.integers(1, 3),
    st.sampled_from([JANUARY, FEBRUARY, None]),
    st.sampled_from([None, -0.5, 0.0, 0.5, 1.0, 1.5]),
    st.sampled_from([None, "a", "b", "c"]),
)


@given(st.lists(CELLS, max_size=8))
def test_memory_and_sql_find_the_same_checks_broken(cells):
    table = rows(*cells)
    engine = DuckDBEngine(EngineSettings(memory="1GB", threads=1))
    try:
        engine.register("checked", table)
        in_sql = {check.check for check in run_checks(engine, SCORES, "checked") if check.failed_rows}
    finally:
        engine.close()
    assert set(broken(table)) == in_sql
