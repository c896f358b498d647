"""The stage `drift`: what is planted in the newest month is found, and of personal columns no value is kept."""

from __future__ import annotations

import csv
import json
import random
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from tiny_bank import write_tiny_bank
from typer.testing import CliRunner

from tenure import cli
from tenure.catalog.drift import drifted
from tenure.errors import MissingTable
from tenure.session.work import Work
from tenure.stages.run import run

FIRST, LAST = date(2022, 1, 1), date(2023, 12, 31)
STAGES = ("staging", "snapshots", "features", "drift")
CUSTOMERS, NEW, JOINED = 600, 40, date(2023, 12, 5)
SETTINGS = {"verify": {"customers": 0}}


def write_bank(folder: Path, *, last_day: date = LAST, cents: float = 0.0, new_region: str = "north") -> Path:
    """Write customers who pay every nine days for two years, and some who join in the last month."""
    write_tiny_bank(folder)
    toml = folder / "tenure.toml"
    toml.write_text(toml.read_text().replace("first = 2024-01-31", "first = 2022-04-30"))
    joined = [(n, ("north", "south", "east")[n % 3], FIRST, "") for n in range(CUSTOMERS)]
    joined += [(CUSTOMERS + n, new_region, JOINED, "") for n in range(NEW) if last_day >= JOINED]
    paid = []
    for number, _, opened, _ in joined:
        numbers = random.Random(number)  # noqa: S311  (payments, not secrets)
        size = numbers.lognormvariate(4, 0.5)
        day = opened + timedelta(days=numbers.randrange(9))
        in_cents = numbers.random() < cents
        while day <= last_day:
            factor = 100 if in_cents and day > date(2023, 12, 1) else 1
            payment = 10_000 * number + (day - FIRST).days
            paid.append((payment, number, day, f"{factor * size * numbers.lognormvariate(0, 0.3):.2f}"))
            day += timedelta(days=numbers.randrange(5, 14))
    write(folder / "data" / "customers.csv", ("customer_id", "region", "opened_on", "closed_on"), joined)
    write(folder / "data" / "payments.csv", ("payment_id", "customer_id", "paid_on", "amount"), paid)
    return folder


def write(file: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with file.open("w", newline="") as lines:
        csv.writer(lines).writerows([header, *rows])


def ran(folder: Path, **overrides: object):
    """Run up to drift; return its record, what it found by snapshot, and the rows of its tables."""
    with Work.open(folder, overrides=SETTINGS | overrides) as work:
        record = list(run(work, STAGES))[-1]
        tables = {table: work.read(table).to_pylist() for table in ("drift", "snapshot_profiles")}
        return record, drifted(work), tables


def files(folder: Path, table: str) -> dict[str, int]:
    return {f.as_posix(): f.stat().st_mtime_ns for f in (folder / "lake" / table).rglob("*.parquet")}


@pytest.fixture(scope="module")
def drifting(tmp_path_factory):
    folder = write_bank(tmp_path_factory.mktemp("drift") / "bank", cents=0.3, new_region="Zed")
    return folder, *ran(folder)


def test_what_is_planted_in_the_newest_month_is_found_there(drifting):
    _, record, found, _ = drifting
    newest = found[0]
    assert record.message == newest.words
    assert str(newest.snapshot_date) == "2023-12-31"
    columns = {one.column_name for one in newest.alarms}
    assert {"amount_sum_30d", "amount_mean_30d", "region"} <= columns
    (region,) = [one for one in newest.alarms if one.column_name == "region"]
    assert region.words == f"region holds what no earlier snapshot held: 'Zed' in {NEW} rows (6.25% of the rows)"
    assert [one.moved for one in found[1:]] == [()] * len(found[1:])


def test_profiles_are_those_of_the_features(drifting):
    folder, _, _, tables = drifting
    with Work.open(folder) as work:
        features = work.read("features")
    day = date(2023, 6, 30)
    cells = [
        one
        for one, at in zip(*(features[n].to_pylist() for n in ("amount_mean_30d", "snapshot_date")), strict=True)
        if at == day
    ]
    (row,) = [
        r for r in tables["snapshot_profiles"] if (r["column_name"], r["snapshot_date"]) == ("amount_mean_30d", day)
    ]
    known = [cell for cell in cells if cell is not None]
    assert (row["rows"], row["missing"]) == (len(cells), len(cells) - len(known))
    assert row["mean"] == pytest.approx(sum(map(float, known)) / len(known))
    assert set(json.loads(row["quantiles"])) <= set(map(float, known))


def test_a_second_run_does_nothing(drifting, tmp_path):
    folder = shutil.copytree(drifting[0], tmp_path / "bank")
    before = {table: files(folder, table) for table in ("snapshot_profiles", "drift")}
    record, found, _ = ran(folder)
    assert (record.status, record.message) == ("current", found[0].words)
    assert {table: files(folder, table) for table in before} == before


def test_a_month_that_comes_leaves_what_was_kept(tmp_path):
    folder = write_bank(tmp_path / "bank", last_day=date(2023, 11, 30))
    _, found, _ = ran(folder)
    kept = {table: files(folder, table) for table in ("snapshot_profiles", "drift")}
    days = len(found)
    assert all(len(before) == days for before in kept.values())
    shutil.rmtree(folder / "data")
    write_bank(tmp_path / "later").joinpath("data").rename(folder / "data")
    record, found, _ = ran(folder)
    assert record.status == "built"
    assert len(found) == days + 1
    assert found[0].snapshot_date == date(2023, 12, 31)
    for table, before in kept.items():
        now = files(folder, table)
        assert before.items() <= now.items()
        assert len(now) == len(before) + 1


def test_another_budget_judges_anew_and_profiles_nothing(drifting, tmp_path):
    folder = shutil.copytree(drifting[0], tmp_path / "bank")
    profiles = files(folder, "snapshot_profiles")
    record, _, tables = ran(folder, drift={"false_alarms_a_year": 1e-6})
    assert record.status == "built"
    assert files(folder, "snapshot_profiles") == profiles
    limits = {row["limit"] for row in tables["drift"] if row["kind"] == "mean"}
    assert min(limits) > max(row["limit"] for row in drifting[3]["drift"] if row["kind"] == "mean")


def test_the_command_tells_what_moved(drifting):
    folder, _, found, _ = drifting
    done = CliRunner().invoke(cli.app, ["drift", "--project", str(folder)])
    assert done.exit_code == 0, done.output
    assert found[0].words in done.output
    assert "moved  region holds what no earlier snapshot held: 'Zed'" in done.output
    done = CliRunner().invoke(cli.app, ["drift", "--project", str(folder), "--json"])
    records = [json.loads(line) for line in done.output.splitlines()]
    assert [record["record"] for record in records] == ["stage"] + ["drift"] * len(found[0].moved)
    assert {record["column"] for record in records[1:]} == {one.column_name for one in found[0].moved}


def test_of_personal_columns_no_value_is_kept(tmp_path):
    folder = write_bank(tmp_path / "bank", new_region="Zed")
    sources = folder / "sources.py"
    text = sources.read_text()
    assert 'Column("opened_on", type="date", role="time")' in text
    extra = '        Column("born", type="date", role="pii"),\n'
    text = text.replace('        Column("opened_on", type="date"', extra + '        Column("opened_on", type="date"')
    sources.write_text(text)
    people = list(csv.reader((folder / "data" / "customers.csv").read_text().splitlines()))
    rows = [(*row, f"{1940 + n % 60}-03-07") for n, row in enumerate(people[1:])]
    write(folder / "data" / "customers.csv", (*people[0], "born"), rows)
    view = folder / "features" / "paid.py"
    text = view.read_text()
    region = 'Attribute("region", of="region", doc="Region")'
    assert region in text
    view.write_text(text.replace(region, f'{region}, Attribute("age", of="born", how="years_since", doc="Age")'))
    _, _, tables = ran(folder)
    ages = [row for row in tables["snapshot_profiles"] if row["column_name"] == "age"]
    assert ages
    assert {row["quantiles"] for row in ages} == {row["value_rows"] for row in ages} == {None}
    assert all(30 < row["mean"] < 90 for row in ages)
    assert {row["kind"] for row in tables["drift"] if row["column_name"] == "age"} == {"mean", "missing"}


def test_without_features_the_error_names_the_stage_to_run(tmp_path):
    folder = write_tiny_bank(tmp_path / "bank")
    with Work.open(folder) as work, pytest.raises(MissingTable, match="features"):
        list(run(work, ("drift",)))
