"""The run ledger: a row a stage and run, the newest of which `tenure status` tells."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tenure.define.contract_base import CheckResult
from tenure.store.chain import read_anchor
from tenure.store.lake import Lake
from tenure.store.runs import StageRun, last_runs, ledger

BEGUN = datetime(2024, 1, 1, tzinfo=UTC)


def stage_run(stage, minute, **facts):
    return StageRun(run_id="r", stage=stage, started_at=BEGUN + timedelta(minutes=minute), **facts)


def test_a_lake_without_runs_has_none(tmp_path):
    assert last_runs(Lake(tmp_path)) == {}


def test_record_is_read_back_as_it_was(tmp_path):
    lake = Lake(tmp_path)
    check = CheckResult("snapshots", "keys_are_unique", 2, "customer_id=1", "SELECT 1")
    stage_run(
        "snapshots",
        0,
        status="failed",
        seconds=1.25,
        rows=7,
        fingerprint="abc",
        versions={"snapshots": 3},
        checks=[check],
        engine="duckdb 2",
        message="it broke",
    ).record(lake)
    row = last_runs(lake)["snapshots"]
    assert json.loads(str(row.pop("versions"))) == {"snapshots": 3, "runs": 0}
    assert [CheckResult(**told) for told in json.loads(str(row.pop("checks")))] == [check]
    assert row.pop("chain") == read_anchor(lake.folder).chain
    assert row == {
        "run_id": "r",
        "stage": "snapshots",
        "status": "failed",
        "started_at": BEGUN,
        "seconds": 1.25,
        "rows": 7,
        "fingerprint": "abc",
        "engine": "duckdb 2",
        "message": "it broke",
    }


def test_newest_of_each_stage_wins_and_stages_keep_their_order(tmp_path):
    lake = Lake(tmp_path)
    for stage, minute, rows in (("staging", 0, 1), ("snapshots", 1, 2), ("features", 2, 3)):
        stage_run(stage, minute, rows=rows).record(lake)
    stage_run("snapshots", 5, rows=20).record(lake)
    stage_run("staging", 4, rows=10, status="current").record(lake)
    newest = last_runs(lake)
    assert [(stage, row["rows"]) for stage, row in newest.items()] == [
        ("staging", 10),
        ("snapshots", 20),
        ("features", 3),
    ]
    assert newest["staging"]["status"] == "current"
    assert lake.read("runs").num_rows == 5, "the ledger forgets nothing"


def test_a_clock_that_went_back_does_not_change_which_row_is_the_newest(tmp_path):
    lake = Lake(tmp_path)
    stage_run("staging", 60, rows=1).record(lake)
    stage_run("staging", 5, rows=2, status="failed").record(lake)
    stage_run("staging", 30, rows=3).record(lake)
    assert last_runs(lake)["staging"]["rows"] == 3
    assert [row["rows"] for row in ledger(lake)] == [1, 2, 3]


def test_a_row_that_the_ledger_could_not_take_comes_with_the_next_one(tmp_path, monkeypatch):
    lake = Lake(tmp_path)
    stage_run("staging", 0).record(lake)
    failed = stage_run("features", 1, status="failed", message="the disk is full")
    failed.begin(lake)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(Lake, "write", full)
        with pytest.raises(OSError, match="No space"):
            failed.record(lake)
    assert [(row["stage"], row["status"]) for row in ledger(lake)] == [("staging", "built")]
    assert last_runs(lake)["features"]["message"] == "the disk is full"
    stage_run("staging", 2).begin(lake)
    assert [(row["stage"], row["status"]) for row in ledger(lake)] == [("staging", "built"), ("features", "failed")]


def test_a_damaged_place_of_pending_rows_is_no_error(tmp_path):
    lake = Lake(tmp_path)
    for content in (b"", b"[{", b"\xff\xfe", b"{}", b"[1]", b'[{"stage": 1}]', b"null"):
        (tmp_path / "_pending_runs.json").write_bytes(content)
        stage_run("staging", 0).begin(lake)
        stage_run("staging", 0).record(lake)
    assert last_runs(lake)["staging"]["status"] == "built"
