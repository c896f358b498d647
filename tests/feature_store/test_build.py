"""Backfill: what is planned, what is computed, and that any order of doing it ends in the same features."""

from __future__ import annotations

import csv
import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from conftest import make_engine, quick
from tiny_bank import write_raw_files, write_tiny_bank
from typer.testing import CliRunner

from tenure.arrays.numbers import TooLarge
from tenure.arrays.rows import sum_rows
from tenure.cli import app
from tenure.engines.duckdb import DuckDBEngine
from tenure.errors import InvalidConfig, MissingTable
from tenure.feature_store import build as feature_build
from tenure.feature_store.plan import plan_backfill
from tenure.feature_store.routes.arrays import CELLS
from tenure.intake.calendar import calendar
from tenure.session.work import Work
from tenure.stages.run import backfill, materialize, run, stages_between
from tenure.store.lake import Lake

PLANNED = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30), date(2024, 5, 31)]
KEYS = [("customer_id", "ascending"), ("snapshot_date", "ascending")]

#: A bank whose rows carry the time at which they became known, and whose payments may be corrected.
VERSIONED = {
    'event_time="paid_on",': 'event_time="paid_on",\n    known_time="noted_on",',
    'Column("amount", type="decimal", role="measure", unit="USD"),': (
        'Column("amount", type="decimal", role="measure", unit="USD"),\n        '
        'Column("noted_on", type="date", role="metadata"),'
    ),
}


@pytest.fixture
def bank(tmp_path) -> Path:
    folder = write_tiny_bank(tmp_path / "bank")
    toml = folder / "tenure.toml"
    toml.write_text(toml.read_text().replace("first = 2024-01-31", "first = 2024-01-31\nlast = 2024-05-31"))
    return folder


@pytest.fixture
def versioned(bank) -> Path:
    """Payments know when they were noted: the day they were paid, or later."""
    text = (bank / "sources.py").read_text()
    for old, new in VERSIONED.items():
        assert old in text
        text = text.replace(old, new)
    (bank / "sources.py").write_text(text)
    note(bank, {})
    return bank


def note(bank: Path, more: dict[int, list[tuple[str, str]]]) -> None:
    """Write payments as known on their day, and `more` versions (amount, noted_on) of some of them."""
    write_raw_files(bank / "data")
    rows = payments(bank)
    versions = [[*row, row[2]] for row in rows[1:]]
    versions += [[*row[:3], amount, noted] for row in rows[1:] for amount, noted in more.get(int(row[0]), ())]
    write(bank, [[*rows[0], "noted_on"], *versions])


def payments(bank: Path) -> list[list[str]]:
    with (bank / "data" / "payments.csv").open(newline="") as lines:
        return list(csv.reader(lines))


def write(bank: Path, rows: list[list[str]]) -> None:
    with (bank / "data" / "payments.csv").open("w", newline="") as lines:
        csv.writer(lines, lineterminator="\n").writerows(rows)


def features(folder: Path) -> pa.Table:
    return Lake(folder / "lake").read("features").sort_by(KEYS)


def dates_of(table: pa.Table) -> list[date]:
    return sorted(set(table["snapshot_date"].to_pylist()))


def done(folder: Path, first: date | None = None, last: date | None = None) -> str:
    """Backfill and return what the features stage says of it."""
    with Work.open(folder) as work:
        *_, record = backfill(work, first, last)
    return record.message.split(", ")[1]


def due(folder: Path) -> dict[date, str]:
    with Work.open(folder) as work:
        list(run(work, stages_between("staging", "snapshots")))
        plan = plan_backfill(work, calendar(work).plan)
    return {p.value: p.why for p in plan.features if p.is_due}


def test_a_backfill_in_any_order_ends_with_the_features_of_one_run(bank, tmp_path):
    whole = shutil.copytree(bank, tmp_path / "whole")
    assert done(whole) == "5 of 5 snapshots computed"
    assert done(bank, PLANNED[3], PLANNED[3]) == "1 of 1 snapshots computed"
    assert dates_of(features(bank)) == [PLANNED[3]]
    assert done(bank, PLANNED[0], PLANNED[1]) == "2 of 3 snapshots computed"
    assert done(bank) == "2 of 5 snapshots computed"
    assert features(bank).equals(features(whole))
    assert Lake(bank / "lake").require("features").fingerprint == Lake(whole / "lake").require("features").fingerprint


def test_a_training_set_wants_the_features_of_every_labelled_snapshot(bank):
    done(bank, PLANNED[1], None)
    with Work.open(bank) as work, pytest.raises(MissingTable) as refused:
        list(run(work, stages_between("labels", "training_set")))
    assert refused.value.message == "the features of 1 labelled snapshots are not built, such as 2024-01-31."
    assert refused.value.hint == "Run 'tenure backfill'."


def test_a_second_backfill_does_nothing(bank):
    done(bank)
    before = Lake(bank / "lake").require("features")
    assert done(bank) == "0 of 5 snapshots computed"
    assert Lake(bank / "lake").require("features") == before


def test_a_new_month_computes_one_snapshot_and_tiles_of_one_period(bank, tmp_path):
    whole = shutil.copytree(bank, tmp_path / "whole")
    whole_file = payments(bank)
    write(bank, [row for row in whole_file if row[2] <= "2024-05-15" or row[2] == "paid_on"])
    assert done(bank) == "4 of 4 snapshots computed"
    tiles = Lake(bank / "lake").require("tiles/payments")
    write(bank, whole_file)
    assert due(bank) == {PLANNED[4]: "not built yet"}
    assert done(bank) == "1 of 5 snapshots computed"
    after = Lake(bank / "lake").require("tiles/payments")
    # May's rows up to the 15th were not seen by April's snapshot, so its tiles had none of them.
    assert set(after.partitions) - set(tiles.partitions) == {"2024-05-31"}
    assert {f for f in tiles.files if f not in after.files} == set()
    done(whole)
    assert features(bank).equals(features(whole))


def test_late_rows_reopen_only_the_snapshots_that_see_them(versioned, tmp_path):
    done(versioned)
    note(versioned, {300: [("77.00", "2024-04-10")]})
    assert due(versioned) == dict.fromkeys(PLANNED[3:], "rows of payments changed")
    assert done(versioned) == "2 of 5 snapshots computed"
    again = shutil.copytree(versioned, tmp_path / "again", ignore=shutil.ignore_patterns("lake"))
    done(again)
    assert features(versioned).equals(features(again))


def test_a_correction_that_no_snapshot_sees_yet_reopens_none(versioned):
    done(versioned)
    note(versioned, {300: [("77.00", "2024-06-25")]})
    assert due(versioned) == {}


def test_a_row_older_than_every_window_reopens_no_snapshot_after_it(versioned):
    """Without features of all history; those are what `days_since_last` reads."""
    text = (versioned / "features" / "paid.py").read_text()
    (versioned / "features" / "paid.py").write_text(text.replace('("count", "days_since_last")', '"count"'))
    done(versioned)
    note(versioned, {0: [("77.00", "2023-12-01")]})
    assert set(due(versioned)) == {PLANNED[0], PLANNED[1]}  # windows of 90 days from 2024-03-31 on begin later


def test_a_changed_definition_makes_every_snapshot_stale(bank):
    done(bank)
    file = bank / "features" / "paid.py"
    file.write_text(file.read_text().replace("amount > 50", "amount > 60"))
    assert due(bank) == dict.fromkeys(PLANNED, "definitions changed")
    told = CliRunner().invoke(app, ["plan", "--project", str(bank)], catch_exceptions=False).output
    assert "tiles/payments           2024-05-31 stale    what is summed up changed" in told


def test_changed_sql_makes_every_snapshot_stale(bank, monkeypatch):
    done(bank)
    monkeypatch.setattr("tenure.tiles.features.history_share", lambda window, dialect: "0.5")
    assert due(bank) == dict.fromkeys(PLANNED, "the code of Tenure changed")


def test_a_raised_number_of_the_arrays_makes_every_snapshot_stale(bank, monkeypatch):
    done(bank)
    monkeypatch.setattr("tenure.feature_store.routes.arrays.CELLS", CELLS + 1)
    assert due(bank) == dict.fromkeys(PLANNED, "the code of Tenure changed")
    told = CliRunner().invoke(app, ["plan", "--project", str(bank)], catch_exceptions=False).output
    assert "tiles/payments           2024-05-31 stale    what is summed up changed" in told


def test_changed_definitions_can_not_be_filled_in_part(bank):
    done(bank)
    file = bank / "features" / "paid.py"
    file.write_text(file.read_text().replace("amount > 50", "amount > 60"))
    with Work.open(bank) as work, pytest.raises(InvalidConfig, match="definitions changed since 4 of the snapshots"):
        list(backfill(work, PLANNED[4], None))
    assert dates_of(features(bank)) == PLANNED


def test_a_range_without_a_snapshot_is_refused_with_the_plan(bank):
    done(bank)
    with Work.open(bank) as work, pytest.raises(InvalidConfig) as refused:
        list(backfill(work, date(2024, 6, 1), date(2024, 6, 20)))
    assert (
        "no snapshot is planned from 2024-06-01 to 2024-06-20; the plan has 5 from 2024-01-31" in refused.value.message
    )
    assert "[snapshots]" in refused.value.hint


def test_a_snapshot_that_the_plan_has_no_more_is_dropped(bank):
    done(bank)
    toml = (bank / "tenure.toml").read_text()
    (bank / "tenure.toml").write_text(toml.replace("first = 2024-01-31", "first = 2024-03-31"))
    assert done(bank) == "0 of 3 snapshots computed"
    assert dates_of(features(bank)) == PLANNED[2:]


def test_an_earlier_first_snapshot_keeps_the_later_ones(bank):
    toml = (bank / "tenure.toml").read_text()
    (bank / "tenure.toml").write_text(toml.replace("first = 2024-01-31", "first = 2024-03-31"))
    done(bank)
    (bank / "tenure.toml").write_text(toml)
    assert done(bank) == "2 of 5 snapshots computed"


def test_materialize_computes_the_newest_snapshot_alone(bank):
    with Work.open(bank) as work:
        *_, record = materialize(work)
    assert record.message.endswith("1 of 1 snapshots computed")
    assert dates_of(features(bank)) == PLANNED[-1:]


def test_plan_needs_staged_sources(bank):
    with Work.open(bank) as work, pytest.raises(MissingTable) as refused:
        calendar(work)
    assert refused.value.hint == "Run 'tenure staging'."


def test_staging_without_noted_arrivals_says_what_to_run(bank):
    done(bank)
    shutil.rmtree(bank / "lake" / "arrivals")
    with Work.open(bank) as work, pytest.raises(MissingTable) as refused:
        plan_backfill(work, calendar(work).plan)
    assert refused.value.hint == "Run 'tenure staging'."
    assert done(bank) == "0 of 5 snapshots computed"


def test_plan_tells_what_is_due_and_why_and_changes_nothing(bank):
    runner = CliRunner()
    done(bank, PLANNED[0], PLANNED[3])
    before = sorted(path for path in (bank / "lake").rglob("*"))
    told = runner.invoke(app, ["plan", "--project", str(bank)], catch_exceptions=False).output
    assert "features                 2024-05-31 missing  not built yet" in told
    assert "tiles/payments           2024-05-31 missing  not built yet" in told
    assert "features: 4 current, 1 missing" in told
    assert "Run 'tenure backfill' to compute 1 of 5 snapshots." in told
    assert sorted(path for path in (bank / "lake").rglob("*")) == before
    write_raw_files(bank / "data", last_day=date(2024, 6, 28))
    told = runner.invoke(app, ["plan", "--project", str(bank)], catch_exceptions=False).output
    assert "staging/payments                    stale    raw files or definition changed" in told
    assert "This plans on the rows staged before: run 'tenure staging'" in told


def test_plan_tells_apart_sources_never_staged_and_snapshots_to_drop(bank):
    runner = CliRunner()
    told = runner.invoke(app, ["plan", "--project", str(bank)])
    assert "staging/payments                    missing  not staged yet" in told.output
    assert isinstance(told.exception, MissingTable)
    done(bank)
    toml = (bank / "tenure.toml").read_text()
    (bank / "tenure.toml").write_text(toml.replace("first = 2024-01-31", "first = 2024-03-31"))
    told = runner.invoke(app, ["plan", "--project", str(bank)], catch_exceptions=False)
    assert "features                 2024-01-31 retired  not in the plan" in told.output
    assert "Run 'tenure backfill' to compute 0 of 3 snapshots and drop 2." in told.output


def test_a_small_memory_takes_customers_range_by_range_with_the_same_result(bank, monkeypatch, tmp_path):
    whole = shutil.copytree(bank, tmp_path / "whole")
    done(whole)
    groups, real = [], feature_build._period_ranges
    monkeypatch.setattr("tenure.feature_store.build._SHARE_OF_MEMORY", 5e-6)
    monkeypatch.setattr("tenure.feature_store.build._MOST_ROWS", 100)

    def noted(*asked):
        groups.extend(found := real(*asked))
        return found

    monkeypatch.setattr(feature_build, "_period_ranges", noted)
    done(bank)
    assert len(Lake(bank / "lake").require("features").files) >= 3 * len(PLANNED)
    assert len(groups) > 3
    assert any(len(periods) > 1 for periods in groups)
    assert features(bank).equals(features(whole))


def test_customers_told_by_text_come_to_the_same_features(bank, monkeypatch, tmp_path):
    whole = shutil.copytree(bank, tmp_path / "whole")
    done(whole)
    sources = (bank / "sources.py").read_text()
    (bank / "sources.py").write_text(sources.replace('"customer_id", type="integer"', '"customer_id", type="string"'))
    monkeypatch.setattr("tenure.feature_store.build._SHARE_OF_MEMORY", 5e-6)
    done(bank)
    told = Lake(bank / "lake").read("features")
    numbered = told.set_column(0, "customer_id", told["customer_id"].cast(pa.int64()))
    assert numbered.sort_by(KEYS).equals(features(whole))


def test_a_snapshot_is_one_file_whatever_else_its_rows_are_joined_with(bank):
    file = bank / "features" / "paid.py"
    windowless = 'Aggregate("ever", of="amount", how="sum", unit="USD", doc="Ever paid"),\n        Ratio('
    file.write_text(file.read_text().replace("Ratio(", windowless, 1))
    done(bank)
    assert len(Lake(bank / "lake").require("features").files) == len(PLANNED)


def test_numbers_of_rows_that_do_not_count_need_not_fit(bank):
    """A spread is of hundredths, and 10^17 has none that fit: the row is left out before."""
    sources, file = bank / "sources.py", bank / "features" / "paid.py"
    text = sources.read_text()
    amount = 'Column("amount", type="decimal"'
    pieces = f'Column("pieces", type="integer", role="measure"),\n        {amount}'
    sources.write_text(text.replace(amount, pieces))
    spread = 'Aggregate("pieces", of="pieces", how="std", windows=days(90), where="amount > 20", doc="Pieces"),'
    file.write_text(file.read_text().replace("Ratio(", f"{spread}\n        Ratio(", 1))
    raw = bank / "data" / "payments.csv"
    header, *lines = raw.read_text().splitlines()
    numbers = [10**17 if float(line.split(",")[-1]) <= 20 else n % 7 for n, line in enumerate(lines)]
    told = [f"{line},{number}" for line, number in zip(lines, numbers, strict=True)]
    raw.write_text("\n".join([f"{header},pieces", *told]))
    done(bank)
    assert max(filter(None, features(bank)["pieces_std_90d"].to_pylist())) < 7


def test_amounts_too_large_for_arrays_are_summed_up_by_sql(bank, monkeypatch):
    registered = []
    monkeypatch.setattr(DuckDBEngine, "register", lambda _, relation, table: registered.append(relation))
    monkeypatch.setattr("tenure.feature_store.routes.arrays.sum_rows", sum_rows_noting(refused := []))
    file = bank / "data" / "payments.csv"
    lines = file.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if ",2024-01-" in line)
    fields = lines[number].split(",")
    lines[number] = ",".join([*fields[:-1], "9000000000000000.25"])
    file.write_text("\n".join(lines))
    done(bank)
    assert refused
    assert registered == [], "nor do windows fit: that one payment is 9e17 cents"
    rows = features(bank)
    assert max(rows.filter(pc.equal(rows["customer_id"], int(fields[1])))["amount_sum_90d"].to_pylist()) > 9e15


def sum_rows_noting(refused: list) -> object:
    def noting(*arguments):
        try:
            return sum_rows(*arguments)
        except TooLarge:
            refused.append(1)
            raise

    return noting


@pytest.mark.spark
def test_spark_fills_in_the_same_snapshots_incrementally(bank, request, tmp_path):
    """The tiles of two engines are not shared, but the features are equal."""
    whole = shutil.copytree(bank, tmp_path / "whole")
    done(whole)
    for last in (PLANNED[3], None):
        with Work.open(bank, engine="spark", overrides=quick("spark")) as work:
            work.use_engine(make_engine("spark", request))
            *_, record = backfill(work, None, last)
    assert record.message.endswith("1 of 5 snapshots computed")
    ours, theirs = features(bank), features(whole)
    assert ours.select([n for n in ours.column_names if "mean" not in n]).equals(
        theirs.select([n for n in ours.column_names if "mean" not in n])
    )
    for name in (n for n in ours.column_names if "mean" in n):
        assert pc.all(pc.less(pc.abs(pc.subtract(ours[name], theirs[name])), 1e-9)).as_py() in (True, None)


def test_features_alone_are_refused_on_snapshots_of_other_rows_or_dates(bank):
    """Else a new month would be committed without rows, and count as current from then on."""
    toml = (bank / "tenure.toml").read_text()
    (bank / "tenure.toml").write_text(toml.replace("last = 2024-05-31", "last = 2024-04-30"))
    done(bank)
    before = Lake(bank / "lake").require("features")
    (bank / "tenure.toml").write_text(toml)
    with Work.open(bank) as work, pytest.raises(MissingTable, match="'snapshots' was built of other rows") as refused:
        list(run(work, ["features"]))
    assert refused.value.hint == "Run 'tenure snapshots'."
    assert Lake(bank / "lake").require("features") == before
    assert done(bank) == "1 of 5 snapshots computed"
    assert dates_of(features(bank)) == PLANNED
