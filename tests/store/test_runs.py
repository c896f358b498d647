"""The run ledger: a row a stage and run, the newest of which `tenure status` tells."""

import json
from datetime import UTC, datetime, timedelta

from tenure.define.contract import CheckResult
from tenure.store.lake import Lake
from tenure.store.runs import StageRun, last_runs

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
