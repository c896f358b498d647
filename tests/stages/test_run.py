"""Runs over a small bank: what changed is built again with all that reads it, and nothing else is."""

import os
import re
from dataclasses import replace
from datetime import date

import pytest
from tiny_bank import write_raw_files, write_tiny_bank

from tenure.define.contract_base import Invariant
from tenure.define.stage import SQL_STAGES
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.errors import (
    BadValue,
    CheckFailed,
    InvalidConfig,
    InvalidDefinition,
    LabelError,
    LakeBusy,
    MissingFile,
    MissingTable,
    TenureError,
    UnreadableFile,
)
from tenure.intake.calendar import calendar
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.store.runs import last_runs

TABLES = ("staging/customers", "staging/payments", "snapshots", "features", "labels", "splits", "training_set")


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def ran(folder, stages=SQL_STAGES, **overrides):
    """Run the stages; return each one's status and the Work."""
    with Work.open(folder, overrides=overrides) as work:
        work.use_engine(DuckDBEngine(EngineSettings(memory="1GB", threads=2)))
        return {record.stage: record.status for record in run(work, stages)}, work


def versions(work):
    return {table: work.lake.require(table).version for table in TABLES}


def rows(work, table):
    found = work.lake.read(table)
    return found.sort_by([(name, "ascending") for name in found.column_names])


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def built(statuses):
    return [stage for stage, status in statuses.items() if status == "built"]


def test_stages_between_two_are_both_and_those_between():
    assert stages_between("snapshots", "labels") == ["snapshots", "features", "labels"]


@pytest.mark.parametrize(("first", "last", "told"), [("labels", "snapshots", "comes after"), ("x", "labels", "'x' is")])
def test_stages_that_are_none_are_refused(first, last, told):
    with pytest.raises(InvalidConfig, match=told):
        stages_between(first, last)


def test_second_run_finds_everything_current_and_writes_nothing(bank):
    first, work = ran(bank)
    assert set(first.values()) == {"built"}
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


def test_one_changed_feature_rebuilds_features_and_what_reads_them(bank):
    _, before = ran(bank)
    old = rows(before, "features")
    edit(bank / "features" / "paid.py", "amount > 50", "amount > 60")
    statuses, after = ran(bank)
    assert built(statuses) == ["features", "training_set"]
    new = rows(after, "features")
    changed = [name for name in new.column_names if not new[name].equals(old[name])]
    assert changed == ["large_count_90d", "large_to_all_ratio_90d"]


def test_changed_doc_of_a_feature_touches_no_staged_row(bank):
    ran(bank)
    edit(bank / "features" / "paid.py", 'doc="Payments")', 'doc="All payments")')
    statuses, _ = ran(bank)
    assert "staging" not in built(statuses)
    assert "labels" not in built(statuses)


def test_changed_raw_data_rebuild_staging_and_everything_after(bank):
    _, work = ran(bank)
    before = versions(work)
    write_raw_files(bank / "data", last_day=date(2024, 6, 20))
    statuses, work = ran(bank)
    assert built(statuses) == list(SQL_STAGES)
    assert all(version > before[table] for table, version in versions(work).items() if table != "staging/customers")
    assert work.lake.read("staging/payments")["paid_on"].to_pylist()[-1] <= date(2024, 6, 20)


def test_touched_but_equal_raw_data_are_current(bank):
    ran(bank)
    for file in (bank / "data").iterdir():
        os.utime(file, (1, 1))
    statuses, _ = ran(bank)
    assert built(statuses) == []


def test_changed_horizon_rebuilds_labels_and_not_features(bank):
    ran(bank)
    edit(bank / "churn.py", "horizon=30", "horizon=45")
    statuses, work = ran(bank)
    assert built(statuses) == ["labels", "splits", "training_set"]
    spans = set(zip(*(work.lake.read("labels")[c].to_pylist() for c in ("label_start", "label_end")), strict=True))
    assert {(end - start).days for start, end in spans} == {45}


def test_changed_number_of_test_snapshots_rebuilds_splits_and_not_labels(bank):
    ran(bank)
    edit(bank / "tenure.toml", "test_snapshots = 1", "test_snapshots = 2")
    statuses, _ = ran(bank)
    assert built(statuses) == ["splits", "training_set"]


def test_change_taken_back_is_built_again_to_the_same_content(bank):
    _, first = ran(bank)
    kept = rows(first, "features")
    edit(bank / "features" / "paid.py", "amount > 50", "amount > 60")
    ran(bank)
    edit(bank / "features" / "paid.py", "amount > 60", "amount > 50")
    statuses, last = ran(bank)
    assert built(statuses) == ["features", "training_set"]
    assert rows(last, "features").equals(kept)
    assert last.lake.find("features", version=0).fingerprint == last.lake.require("features").fingerprint


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


def test_stage_over_staging_of_other_definitions_says_to_stage_again(bank):
    ran(bank)
    edit(bank / "sources.py", 'event_time="paid_on",', 'event_time="paid_on", arrival_delay=3,')
    with pytest.raises(MissingTable, match="source 'payments' was staged with other definitions") as caught:
        ran(bank, ("features",))
    assert caught.value.hint == "Run 'tenure staging'."
    assert ran(bank)[0]["features"] == "built"


def test_data_end_where_the_first_source_that_labels_read_ends(bank):
    """Payments stop on 2024-06-30; a longer feed that no label reads must not turn missing rows into churn."""
    ran(bank)
    with Work.open(bank) as work:
        before = calendar(work).data_end
    visits = "".join(f"{n},{100 + n % 40},2024-0{1 + n % 9}-15\n" for n in range(90))
    (bank / "data" / "visits.csv").write_text("visit_id,customer_id,came_on\n" + visits)
    with (bank / "sources.py").open("a") as file:
        file.write(
            '\nvisits = Source("visits", read=Csv("visits.csv"), key="visit_id", event_time="came_on", columns=[\n'
            '    Column("visit_id", type="integer", role="key"),\n'
            '    Column("customer_id", type="integer", role="key"),\n'
            '    Column("came_on", type="date", role="time")])\n'
        )
    (bank / "features" / "visits.py").write_text(
        "from tenure import Aggregate, FeatureView, days\n"
        'visits = FeatureView("visits", source="visits", features=[\n'
        '    Aggregate("visit", how="count", windows=days(30), doc="Visits")])\n'
    )
    ran(bank)
    with Work.open(bank) as work:
        assert calendar(work).data_end == before


def test_events_after_today_are_refused_unless_the_end_is_given(bank):
    with (bank / "data" / "payments.csv").open("a") as file:
        file.write("999999,1,2199-01-01,5.00\n")
    with pytest.raises(BadValue, match="source 'payments' has events up to 2199-01-01, after today") as caught:
        ran(bank)
    assert "[data] end" in caught.value.hint
    assert ran(bank, data={"end": date(2024, 6, 30)})[0]["training_set"] == "built"


def test_label_that_nobody_is_asked_for_is_refused(bank):
    edit(bank / "churn.py", "min_tenure=30", "min_tenure=30000")
    with pytest.raises(
        LabelError, match="churn definition 'quiet' has nobody to ask: no customer is eligible"
    ) as caught:
        ran(bank)
    assert "Lower min_tenure" in caught.value.hint


def test_select_that_fails_names_its_source(bank):
    edit(
        bank / "sources.py",
        'read=Csv("payments.csv"),',
        'read=Csv("payments.csv"), select="SELECT nope FROM payments",',
    )
    with pytest.raises(InvalidDefinition, match=r"the select of source 'payments'.*can't be run"):
        ran(bank)


def test_feature_named_like_a_column_does_not_take_its_place(bank):
    """Its alias stands beside the key in the same SELECT."""
    edit(
        bank / "features" / "paid.py",
        'Aggregate("large",',
        'Aggregate("customer_id", of="amount", how="sum", windows=days(90), doc="Paid"),\n        Aggregate("large",',
    )
    _, work = ran(bank)
    rows_ = work.lake.read("features").to_pylist()
    assert [row["customer_id_sum_90d"] for row in rows_] == [row["amount_sum_90d"] for row in rows_]


def test_rows_that_arrive_after_the_horizon_are_no_ground_for_a_label(bank):
    edit(bank / "sources.py", 'event_time="paid_on",', 'event_time="paid_on", arrival_delay=30,')
    with pytest.raises(InvalidDefinition, match="looks 30 days ahead, but rows of source 'payments' arrive 30 days"):
        ran(bank)


def test_lines_that_end_in_two_ways_are_told(bank):
    with (bank / "data" / "payments.csv").open("a", newline="") as file:
        file.write("999999,1,2024-06-01,5.00\r\n")
    with pytest.raises(UnreadableFile, match="a CSV file can't be read") as caught:
        ran(bank)
    assert "Lines that end in different ways" in caught.value.hint
