"""Contracts as SQL: each check finds the planted row, and one such row keeps the whole table out of the lake."""

from datetime import date

import pytest
from tiny_bank import write_tiny_bank

from tenure.checks.in_sql import check_statements, require_passed, run_checks
from tenure.config import load_config
from tenure.define.contract_base import CheckResult, Contract, Invariant
from tenure.define.definitions import load_project
from tenure.errors import CheckFailed
from tenure.session.work import Work
from tenure.sql import Select

LABELS = Contract(
    table="labels",
    keys=("customer_id", "snapshot_date"),
    required=("churned",),
    invariants=(Invariant("label_is_0_or_1", "churned IN (0, 1)", "a label is 0 or 1"),),
    same_rows_as="snapshots",
)

SNAPSHOT_ROWS = [(1, "2024-01-31"), (2, "2024-01-31"), (1, "2024-02-29")]
CLEAN = [(1, "2024-01-31", "0"), (2, "2024-01-31", "1"), (1, "2024-02-29", "1")]

PLANTED = {
    "keys_are_unique": ([*CLEAN, CLEAN[1]], "customer_id=2, snapshot_date=2024-01-31"),
    "churned_is_not_null": ([*CLEAN[:2], (1, "2024-02-29", "NULL")], "customer_id=1, snapshot_date=2024-02-29"),
    "label_is_0_or_1": ([*CLEAN[:2], (1, "2024-02-29", "2")], "customer_id=1, snapshot_date=2024-02-29"),
    "no_row_of_snapshots_is_lost": (CLEAN[:2], "customer_id=1, snapshot_date=2024-02-29"),
    "no_row_is_not_of_snapshots": ([*CLEAN, (9, "2024-01-31", "0")], "customer_id=9, snapshot_date=2024-01-31"),
}


def select(rows, names):
    parts = (
        f"SELECT CAST({row[0]} AS BIGINT) AS customer_id, DATE '{row[1]}' AS snapshot_date"
        + (f", CAST({row[2]} AS INT) AS churned" if "churned" in names else "")
        for row in rows
    )
    return "\nUNION ALL\n".join(parts)


def checked(engine, rows):
    engine.cache("snapshots", select(SNAPSHOT_ROWS, ()))
    engine.cache("labels_written", select(rows, ("churned",)))
    return run_checks(engine, LABELS, "labels_written")


def test_clean_table_passes_every_check(engine):
    results = checked(engine, CLEAN)
    assert [r.check for r in results] == list(PLANTED)
    assert all(r.passed and not r.example for r in results)
    require_passed(results)


@pytest.mark.parametrize("check", PLANTED)
def test_planted_row_breaks_its_check_and_no_other(engine, check):
    rows, example = PLANTED[check]
    broken = [r for r in checked(engine, rows) if not r.passed]
    assert [(r.table, r.check, r.failed_rows, r.example) for r in broken] == [("labels", check, 1, example)]
    with pytest.raises(CheckFailed, match=f"'labels' breaks its contract.*{check}: 1 rows, for example {example}") as e:
        require_passed(broken)
    assert broken[0].sql in e.value.hint
    assert engine.run(broken[0].sql).num_rows == 1, "the hint's SQL finds the row"


def test_composite_keys_are_not_mixed_up(engine):
    contract = Contract(table="t", keys=("a", "b"), same_rows_as="other")
    pairs = "SELECT 1 AS a, 11 AS b UNION ALL SELECT 11 AS a, 1 AS b"
    engine.cache("other", pairs)
    engine.cache("written", pairs)
    assert all(r.passed for r in run_checks(engine, contract, "written"))
    engine.cache("written", "SELECT 1 AS a, 11 AS b UNION ALL SELECT 1 AS a, 11 AS b")
    assert [r.failed_rows for r in run_checks(engine, contract, "written")] == [1, 1, 0]


def test_every_part_of_a_contract_becomes_a_statement():
    statements = check_statements(LABELS, "written")
    assert list(statements) == list(PLANTED)
    assert all(sql.startswith(("SELECT customer_id", "SELECT a.customer_id")) for sql in statements.values())


def test_all_broken_checks_are_told_at_once():
    results = [CheckResult("labels", name, 1, "x=1", "SELECT 1") for name in ("first", "second")]
    with pytest.raises(CheckFailed, match=r"first: 1 rows.*second: 1 rows"):
        require_passed(results)


@pytest.fixture
def work(tmp_path, engine):
    """A bank whose snapshots stand in the lake, so that labels can be written against them."""
    folder = write_tiny_bank(tmp_path / "bank")
    made = Work(folder, load_config(folder), load_project(folder, "Tiny Bank"))
    made.use_engine(engine)
    made.contracts["snapshots"] = Contract(table="snapshots")
    made.write(Select("snapshots", select(SNAPSHOT_ROWS, ()), ()), "snapshots", "snapshots")
    return made


def parquet_files(work, table):
    return {file for file in work.lake.folder.glob(f"{table}/**/*.parquet") if "_delta_log" not in file.parts}


def test_broken_table_is_not_committed_and_leaves_no_file(work):
    work.contracts["labels"] = LABELS
    for check, (rows, _) in PLANTED.items():
        if check == "no_row_of_snapshots_is_lost" or work.dialect == "duckdb":  # Spark takes a second for each
            with pytest.raises(CheckFailed, match=check):
                work.write(Select("labels", select(rows, ("churned",)), ()), "labels", "broken")
            assert work.lake.find("labels") is None
            assert parquet_files(work, "labels") == set()


def test_broken_rebuild_keeps_the_version_before(work):
    work.contracts["labels"] = LABELS
    good, checks = work.write(Select("labels", select(CLEAN, ("churned",)), ()), "labels", "good")
    assert [c.check for c in checks] == list(PLANTED)
    before = parquet_files(work, "labels")
    with pytest.raises(CheckFailed):
        work.write(Select("labels", select(CLEAN[:1], ("churned",)), ()), "labels", "broken")
    assert work.lake.require("labels") == good
    assert parquet_files(work, "labels") == before
    rows = work.lake.read("labels").sort_by([("snapshot_date", "ascending"), ("customer_id", "ascending")]).to_pylist()
    assert [(r["customer_id"], r["snapshot_date"], r["churned"]) for r in rows] == [
        (1, date(2024, 1, 31), 0),
        (2, date(2024, 1, 31), 1),
        (1, date(2024, 2, 29), 1),
    ]
