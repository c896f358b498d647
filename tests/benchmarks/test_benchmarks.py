"""The benchmark compares like with like: every way gives the cells that Tenure gives, and a difference is told."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bench")


def benchmark(folder, *arguments):
    command = [sys.executable, str(BENCHMARKS / "features.py"), "--size", "20", "--dir", str(folder), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_loops_by_hand_and_the_floor_give_our_cells_late_and_corrected_rows_included(folder):
    done, lines = benchmark(folder, "--ways", "duckdb_loop,duckdb_bands,floor", "--rounds", "1", "--check")
    assert done.returncode == 0, done.stderr
    measured = {line["way"]: line for line in lines if "way" in line}
    assert list(measured) == ["ours", "duckdb_loop", "duckdb_bands", "floor"]
    assert measured["ours"]["columns"] == 214 + 6  # history_share comes with each window
    assert measured["ours"]["snapshots"] == 24
    assert measured["duckdb_loop"]["times_ours"] > 0
    assert measured["floor"]["peak_mib"] > 20
    compared = {line["check"]: line for line in lines if "check" in line}
    for name in ("duckdb_loop", "duckdb_bands", "floor"):
        assert compared[name]["equal"]
        assert compared[name]["columns"] == 220
    workload = json.loads((folder / "20" / "workload.json").read_text())
    rows = pa.concat_tables([pq.read_table(file) for file in workload["transactions"]])
    assert rows["known_until"].null_count < len(rows), "the bank has corrected rows"


@pytest.mark.slow
def test_tiles_and_a_loop_in_polars_give_our_cells(folder):
    if importlib.util.find_spec("polars") is None:
        pytest.skip("polars is no dependency and not installed here; `make bench` makes an environment for it")
    done, lines = benchmark(folder, "--ways", "polars_tiles,polars_loop", "--rounds", "1", "--check")
    assert done.returncode == 0, done.stderr
    assert [line["equal"] for line in lines if "check" in line] == [True, True]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--ways", "magic"], "no way 'magic'; ways: ours, duckdb_loop"),
        (["--size", "XL"], "--size 'XL' is none of S, M, L, nor a number of customers"),
        (["--rounds", "0"], "--rounds 0: at least one is needed"),
    ],
)
def test_what_can_not_be_measured_is_refused(folder, arguments, told):
    done, _ = benchmark(folder, *arguments)
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"tx_count_7d": 4}, "tx_count_7d: 1 cells differ, such as customer 1 at 2024-01-31: 3 and 4"),
        ({"tx_sum_7d": 100.01}, "tx_sum_7d: 1 cells differ"),
        ({"tx_sum_7d": None}, "tx_sum_7d: 1 cells differ"),
        ({"customer_id": 2}, "matching: 0 rows, not 1"),
        ({"tx_sum_7d": 100.00000001}, ""),
    ],
)
def test_a_cell_that_differs_is_told(tmp_path, other, told):
    row = {"customer_id": 1, "snapshot_date": "2024-01-31", "tx_count_7d": 3, "tx_sum_7d": 100.0}
    workload = dict.fromkeys(("size", "project", "lake", "memory"), "")
    workload |= {"transactions": [], "snapshots": [], "rows": 1, "dates": [], "categories": [], "columns": list(row)}
    (tmp_path / "workload.json").write_text(json.dumps(workload))
    for name, cells in (("left", row), ("right", row | other)):
        pq.write_table(pa.Table.from_pylist([cells]), tmp_path / f"{name}.parquet")
        (tmp_path / f"{name}.json").write_text(json.dumps({"files": [str(tmp_path / f"{name}.parquet")]}))
    files = [str(tmp_path / f"{name}.json") for name in ("workload", "left", "right")]
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "check.py"), *files], check=False, capture_output=True, text=True
    )
    assert done.returncode == (1 if told else 0)
    assert told in done.stderr
