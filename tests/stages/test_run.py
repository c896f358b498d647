"""Runs over a small bank: what changed is built again with all that reads it, and nothing else is."""

import re
from dataclasses import replace

import pytest
from stages.runs import TABLES, edit, ran, rows, versions
from tiny_bank import ASKED

from tenure.define.contract_base import Invariant
from tenure.define.stage import SQL_STAGES
from tenure.errors import (
    CheckFailed,
    InvalidConfig,
    InvalidDefinition,
    LakeBusy,
    MissingFile,
    MissingTable,
    TenureError,
)
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.store.runs import last_runs


def test_stages_between_two_are_both_and_those_between():
    assert stages_between("snapshots", "labels") == ["snapshots", "features", "labels"]


@pytest.mark.parametrize(("first", "last", "told"), [("labels", "snapshots", "comes after"), ("x", "labels", "'x' is")])
def test_stages_that_are_none_are_refused(first, last, told):
    with pytest.raises(InvalidConfig, match=told):
        stages_between(first, last)


def test_second_run_finds_everything_current_and_writes_nothing(bank):
    first, work = ran(bank)
    assert [stage for stage, status in first.items() if status == "built"] == list(ASKED)
    before, files = versions(work), {f: f.stat().st_mtime_ns for f in bank.rglob("*.parquet") if "runs" not in f.parts}
    second, work = ran(bank)
    assert second == dict.fromkeys(SQL_STAGES, "current")
    assert versions(work) == before
    assert {f: f.stat().st_mtime_ns for f in bank.rglob("*.parquet") if "runs" not in f.parts} == files


def test_run_in_another_lake_gives_the_same_content(bank):
    _, one = ran(bank)
    _, two = ran(bank, lake={"path": "lake_two"})
    for table in TABLES:
        left, right = one.lake.require(table), two.lake.require(table)
        assert rows(one, table).equals(rows(two, table)), table
        assert left.schema == right.schema
        if not table.startswith("staging"):
            assert left.fingerprint == right.fingerprint


def test_stage_without_its_inputs_names_the_stage_to_run_and_writes_nothing(bank):
    for stage, needed in (("snapshots", "staging"), ("training_set", "labels"), ("train", "staging")):
        with pytest.raises(MissingTable) as caught:
            ran(bank, (stage,))
        assert caught.value.hint == f"Run 'tenure {needed}'."
    assert {f.parent.name for f in bank.rglob("*.parquet")} == {"runs"}


def test_failed_stage_is_in_the_ledger_and_the_lake_is_free(bank):
    ran(bank, ("staging", "snapshots"))
    (bank / "data" / "payments.csv").unlink()
    with pytest.raises(MissingFile):
        ran(bank, ("staging",))
    with Work.open(bank) as work:
        row = last_runs(work.lake)["staging"]
        assert row["status"] == "failed"
        assert re.search(r"payments\.csv", str(row["message"]))
        with work.lake.locked():
            pass


def test_second_run_at_the_same_time_is_refused(bank):
    with Work.open(bank) as work, work.lake.locked(), pytest.raises(LakeBusy):
        ran(bank, ("staging",))


def test_broken_definition_is_refused_before_anything_is_written(bank):
    edit(bank / "features" / "paid.py", "amount > 50", "amout > 50")
    with pytest.raises(TenureError, match="amout"):
        ran(bank)
    edit(bank / "churn.py", "horizon=30", "horizon=0")
    with pytest.raises(InvalidDefinition, match="horizon=0"):
        ran(bank)


def test_records_tell_rows_versions_checks_and_seconds(bank):
    with Work.open(bank) as work:
        records = {record.stage: record for record in run(work, SQL_STAGES)}
    record = records["training_set"]
    assert record.rows == work.lake.require("training_set").rows > 0
    assert record.versions == {"training_set": 0}
    assert record.fingerprint == work.lake.require("training_set").fingerprint
    assert record.engine.startswith("duckdb ")
    assert record.seconds > 0
    assert {"keys_are_unique", "no_row_of_labels_is_lost"} <= {check.check for check in record.checks}
    assert len({r.run_id for r in records.values()}) == 1


def test_invented_row_in_a_contracted_table_stops_the_run(bank):
    """A contract that can't hold: nothing of the table, and no file of it, is left."""
    ran(bank, ("staging",))
    with Work.open(bank) as work:
        never = Invariant("nobody_is_a_customer", "tenure_days < 0", "can't hold")
        work.contracts["snapshots"] = replace(work.contracts["snapshots"], invariants=(never,))
        with pytest.raises(CheckFailed, match=r"nobody_is_a_customer: [0-9]+ rows, for example customer_id="):
            list(run(work, ("snapshots",)))
        assert work.lake.find("snapshots") is None
        assert list(work.lake.path("snapshots").rglob("*.parquet")) == []
