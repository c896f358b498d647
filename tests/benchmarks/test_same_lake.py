"""Two lakes are the same only if every cell of every table is, whatever order rows and columns lie in."""

import math
import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "same_lake.py"

CUSTOMERS = pa.table({"customer_id": [1, 2, 3], "name": ["Ada", None, "Cem"], "joined_on": [date(2024, 1, 1)] * 3})
FEATURES = pa.table({"customer_id": [1, 2, 3], "amount_sum_30d": [0.1, None, 0.0], "kinds": [["a"], None, ["b", "a"]]})


def write(lake, **tables):
    for name, rows in ({"customers": CUSTOMERS, "features": FEATURES} | tables).items():
        if rows is not None:
            write_deltalake(str(lake / name), rows)
    return lake


def compare(a, b):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(a), str(b)], check=False, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def with_column(rows, name, values, kind=None):
    return rows.set_column(rows.column_names.index(name), name, pa.array(values, kind))


@pytest.fixture
def lake(tmp_path):
    return write(tmp_path / "a")


def test_the_same_rows_in_another_order_and_other_files_are_equal(lake, tmp_path):
    other = write(tmp_path / "b", features=FEATURES.take([2, 0]).select(["kinds", "customer_id", "amount_sum_30d"]))
    write_deltalake(str(other / "features"), FEATURES.slice(1, 1), mode="append")
    code, said = compare(lake, other)
    assert code == 0, said
    assert "the lakes are equal" in said
    assert "features                              3 rows     3 columns  equal" in said


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ([math.nextafter(0.1, 1), None, 0.0], "1 rows are only in A and 1 only in B"),
        ([0.1, float("nan"), 0.0], "1 rows are only in A and 1 only in B"),
        ([0.1, None, -0.0], "1 rows are only in A and 1 only in B"),
        ([None, 0.1, 0.0], "2 rows are only in A and 2 only in B"),
    ],
    ids=["next double", "NaN for null", "minus zero", "two cells exchanged"],
)
def test_doubles_are_equal_by_their_bits(lake, tmp_path, changed, says):
    code, said = compare(lake, write(tmp_path / "b", features=with_column(FEATURES, "amount_sum_30d", changed)))
    assert code == 1
    assert says in said
    assert "features                              3 rows     3 columns  differs" in said


def test_the_column_with_another_cell_is_named_and_no_other(lake, tmp_path):
    code, said = compare(lake, write(tmp_path / "b", customers=with_column(CUSTOMERS, "name", ["Ada", None, "Can"])))
    assert code == 1
    assert [line.strip() for line in said.splitlines() if line.startswith("    ")] == [
        "1 rows are only in A and 1 only in B",
        "column 'name' holds other values",
    ]


def test_a_cell_of_a_list_counts(lake, tmp_path):
    code, said = compare(lake, write(tmp_path / "b", features=with_column(FEATURES, "kinds", [["a"], None, ["b"]])))
    assert code == 1
    assert "column 'kinds' holds other values" in said


def test_a_missing_table_is_named_with_the_lake_that_has_it(lake, tmp_path):
    less = write(tmp_path / "b", features=None)
    for pair, where in (((lake, less), "only in A"), ((less, lake), "only in B")):
        code, said = compare(*pair)
        assert code == 1
        assert where in said
        assert "the lakes differ in 1 tables" in said


def test_an_added_column_and_another_type_are_named(lake, tmp_path):
    other = with_column(CUSTOMERS, "customer_id", [1, 2, 3], pa.int32()).append_column("note", pa.array(["", "", ""]))
    code, said = compare(lake, write(tmp_path / "b", customers=other))
    assert code == 1
    assert "column 'note' is only in B" in said
    assert "column 'customer_id' is int64 in A and int32 in B" in said


def test_a_row_that_stands_twice_is_a_difference(lake, tmp_path):
    code, said = compare(lake, write(tmp_path / "b", customers=CUSTOMERS.take([0, 1, 2, 2])))
    assert code == 1
    assert "3 rows in A and 4 in B" in said
    assert "0 rows are only in A and 1 only in B" in said


def test_run_ids_and_times_of_runs_are_left_out_and_the_rest_of_the_ledger_is_not(lake, tmp_path):
    runs = pa.table({"run_id": ["x"], "seconds": [1.5], "stage": ["labels"]})
    write(lake, customers=None, features=None, runs=runs)
    later = with_column(with_column(runs, "run_id", ["y"]), "seconds", [2.5])
    assert compare(lake, write(tmp_path / "b", runs=later))[0] == 0
    assert compare(lake, write(tmp_path / "c", runs=with_column(later, "stage", ["splits"])))[0] == 1


def test_a_folder_that_is_no_lake_is_refused(lake, tmp_path):
    code, said = compare(lake, tmp_path / "nothing")
    assert code == 1
    assert "nothing' holds no Delta table; give the folder of a lake" in said
