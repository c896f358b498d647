"""Time travel on the command line: history, restore and show."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import date

import pytest
import tiny_bank
from stages.runs import let_history_change
from typer.testing import CliRunner

from tenure.catalog.versions import newest_versions, next_stage, restore, shown, versions
from tenure.cli import app
from tenure.errors import LakeBusy, MissingTable, StoreError, UnknownColumn
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.store.lake import Lake


def build(bank, first="staging"):
    """Run a bank's stages up to the training set; return what each did."""
    with Work.open(bank) as work:
        return {record.stage: record.status for record in run(work, stages_between(first, "training_set"))}


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """A bank run twice, with another feature definition the second time, and one more payment file row."""
    bank = tiny_bank.write_tiny_bank(tmp_path_factory.mktemp("versions") / "bank")
    build(bank)
    views = bank / "features" / "paid.py"
    views.write_text(views.read_text().replace("amount > 50", "amount > 60"))
    assert build(bank)["features"] == "built"
    return bank


@pytest.fixture
def bank(twice, tmp_path):
    return shutil.copytree(twice, tmp_path / "bank")


def told(*words):
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_history_of_all_tables_opens_each_table_once(twice, monkeypatch):
    opened, open_delta = Counter(), Lake.open_delta

    def counted(lake, table, *version, **seen):
        opened[table] += 1
        return open_delta(lake, table, *version, **seen)

    with Work.open(twice) as work:
        monkeypatch.setattr(Lake, "open_delta", counted)
        found = {version.table for version in newest_versions(work)}
    assert {table: times for table, times in opened.items() if table != "runs"} == dict.fromkeys(found - {"runs"}, 1)
    assert opened["runs"] <= 3, "once for its history, the rest to read it"


def test_history_names_the_run_and_stage_of_each_version(twice):
    with Work.open(twice) as work:
        found = list(versions(work, "features"))
        ledger = [r for r in work.lake.read("runs").to_pylist() if r["stage"] == "features"]
        rows = work.lake.read("features").num_rows
    assert [(v.version, v.rows, v.stage, v.note) for v in found] == [
        (1, rows, "features", "current"),
        (0, rows, "features", ""),
    ]
    assert {v.run_id for v in found} == {row["run_id"] for row in ledger}
    assert {v.fingerprint for v in found} == {row["fingerprint"] for row in ledger}
    assert [json.loads(line)["number"] for line in told("history", "features", "-p", twice, "--json").splitlines()] == [
        1,
        0,
    ]
    assert len(told("history", "features", "-p", twice, "--limit", 1).splitlines()) == 1


def test_a_source_goes_by_its_name_and_without_a_table_all_are_told(twice):
    with Work.open(twice) as work:
        assert [v.table for v in versions(work, "customers")] == ["staging/customers"]
        names = [v.table for v in newest_versions(work)]
    assert {"features", "labels", "staging/customers", "training_set", "runs"} <= set(names)
    assert [line.split()[0] for line in told("history", "-p", twice).splitlines()] == names


def test_restore_brings_the_old_cells_back_and_makes_what_reads_them_stale(bank):
    with Work.open(bank) as work:
        first = work.lake.read("training_set", version=0)
        done = restore(work, "features", 0)
        assert (done.status, done.versions, done.message) == ("built", {"features": 2}, "version 0 of 'features'")
        assert work.lake.read("features").equals(work.lake.read("features", version=0))
        newest = next(versions(work, "features"))
        assert (newest.stage, newest.run_id, newest.note) == ("restore", done.run_id, "version 0 restored, current")
    assert build(bank, "labels") == {"labels": "current", "splits": "current", "training_set": "built"}
    with Work.open(bank) as work:
        assert work.lake.read("training_set").equals(first)
    # The definitions are still the new ones: a whole run makes the features anew.
    assert build(bank)["features"] == "built"


def test_restore_with_the_old_definitions_leaves_the_stage_current(bank):
    views = bank / "features" / "paid.py"
    views.write_text(views.read_text().replace("amount > 60", "amount > 50"))
    with Work.open(bank) as work:
        restore(work, "features", 0)
    assert build(bank)["features"] == "current"


def test_a_restored_source_comes_with_what_intake_knew_of_it(bank):
    let_history_change(bank)
    tiny_bank.write_raw_files(bank / "data", last_day=date(2024, 5, 31))
    assert build(bank)["snapshots"] == "built"
    with Work.open(bank) as work:
        restore(work, "payments", 0)
        facts = {row["source"]: row for row in work.lake.read("intake").to_pylist()}
        assert facts["payments"]["fingerprint"] == work.lake.require("staging/payments").fingerprint
        assert facts["payments"]["last_event"].date() == date(2024, 6, 30)
    assert build(bank, "snapshots")["snapshots"] == "built"
    with Work.open(bank) as work:
        assert work.lake.read("snapshots").equals(work.lake.read("snapshots", version=0))


def test_restore_is_refused_while_another_run_writes(bank):
    with Work.open(bank) as work, Work.open(bank) as other, other.lake.locked():
        with pytest.raises(LakeBusy):
            restore(work, "features", 0)
        assert work.lake.require("features").version == 1


@pytest.mark.parametrize("record", ["runs", "intake"])
def test_records_of_what_was_done_are_not_restored(twice, record):
    with Work.open(twice) as work, pytest.raises(StoreError) as caught:
        restore(work, record, 0)
    assert caught.value.message == f"table '{record}' can't be restored: it is a record of what was done."
    assert caught.value.hint == f"Its old versions stay readable: 'tenure show {record} --version N'."


def test_restoring_the_current_version_records_nothing(bank):
    with Work.open(bank) as work:
        before = work.lake.require("runs").version
        done = restore(work, "labels", 0)
        assert (done.status, done.message) == ("current", "version 0 of 'labels' is the current one")
        assert work.lake.require("runs").version == before


def test_the_command_restores_and_says_what_to_run(bank):
    output = told("restore", "features", "--version", 0, "-p", bank)
    assert "version 0 of 'features'" in output
    assert f"tenure run --from training_set --project {bank}" in output
    let_history_change(bank)
    tiny_bank.write_raw_files(bank / "data", last_day=date(2024, 5, 31))
    build(bank)
    assert f"tenure run --from reconcile --project {bank}" in told("restore", "payments", "--version", 0, "-p", bank)
    assert "stale" not in told("restore", "payments", "--version", 2, "-p", bank)
    assert [next_stage(t) for t in ("staging/payments", "features", "models", "attrition_list")] == [
        *("reconcile", "training_set", "evaluate", "")
    ]


def test_a_table_that_is_none_is_refused_with_those_there_are(twice):
    with Work.open(twice) as work, pytest.raises(MissingTable) as caught:
        list(versions(work, "feature"))
    assert caught.value.message.startswith("table 'feature' is not built yet in ")
    assert "staging/customers" in caught.value.message


def test_show_gives_rows_of_a_version_in_the_order_of_the_keys(twice):
    asked = ("customer_id", "snapshot_date", "large_count_90d")
    with Work.open(twice) as work:
        new, old = (shown(work, "features", version=v, most=1000, columns=asked) for v in (None, 0))
        assert [c["customer_id"] for c in new.to_pylist()] == sorted(new["customer_id"].to_pylist())
        assert sum(old["large_count_90d"].to_pylist()) > sum(new["large_count_90d"].to_pylist())
        one = shown(work, "features", where="customer_id = 7 AND snapshot_date = CAST('2024-02-29' AS DATE)")
        assert (one.num_rows, one["customer_id"].to_pylist()) == (1, [7])
        assert shown(work, "payments", most=3).num_rows == 3
    lines = [json.loads(line) for line in told("show", "features", "-p", twice, "--limit", 2, "--json").splitlines()]
    assert [line["values"]["snapshot_date"] for line in lines] == ["2024-01-31", "2024-02-29"]
    assert told("show", "customers", "-p", twice, "--column", "region", "--limit", 1).split() == ["region", "north"]


def test_show_refuses_an_unknown_version_column_or_condition(twice):
    with Work.open(twice) as work:
        with pytest.raises(StoreError, match=r"table 'features' has no version 2; versions: 0 to 1\."):
            shown(work, "features", version=2)
        with pytest.raises(UnknownColumn, match="table 'features' has no column 'regio'; columns: amount_mean_30d"):
            shown(work, "features", columns=["regio"])
        with pytest.raises(UnknownColumn, match="'tenure show features' reads 'regio' in where="):
            shown(work, "features", where="regio = 'north'")
