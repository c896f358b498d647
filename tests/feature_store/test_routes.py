"""One suite for every route: the same world ends in the same cells, whoever sums it up.

What is expected is the golden file of cells (tests/golden/array_cells.json), or numbers worked out by hand.
"""

from __future__ import annotations

import csv
import json
import shutil
import signal
from datetime import date
from pathlib import Path

import pyarrow.compute as pc
import pytest
from conftest import THOROUGH, make_engine
from fixed_bank import cells_of, differing, write_fixed_bank
from kill_points import Runs
from stages.runs import edit
from tiny_bank import write_tiny_bank

from tenure.define.dialect import DIALECTS
from tenure.feature_store import build as feature_build
from tenure.feature_store.plan import plan_backfill
from tenure.feature_store.routes import ROUTES
from tenure.feature_store.routes.arrays import ArrayRoute, array_engine
from tenure.feature_store.routes.sql import SqlRoute
from tenure.intake.calendar import calendar
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.store.lake import Lake
from tenure.store.steps import Steps

GOLDEN = Path(__file__).parents[1] / "golden" / "array_cells.json"

BOTH = pytest.mark.parametrize("route", [SqlRoute, ArrayRoute], ids=lambda route: route.__name__, indirect=True)


@pytest.fixture
def route(request, monkeypatch):
    """The route that runs on DuckDB take in this test."""
    monkeypatch.setitem(ROUTES, "duckdb", request.param)
    return request.param


@pytest.fixture
def bank(tmp_path):
    """Late and corrected rows, composite keys, every kind of aggregate; nothing is built."""
    return write_fixed_bank(tmp_path / "branch_bank")


def build(folder, customers=0):
    """Build the features; with `customers`, so many are proved by the oracle before the commit."""
    with Work.open(folder, overrides={"verify": {"customers": customers}}) as work:
        list(run(work, stages_between("staging", "features")))
    return Lake(folder / "lake")


def wrong_columns(lake):
    return differing(cells_of(lake), json.loads(GOLDEN.read_text(encoding="utf-8"))["tables"])


@BOTH
def test_a_route_ends_in_the_cells_of_every_other(bank, route):
    lake = build(bank, customers=1000)
    assert wrong_columns(lake) == []
    late = pc.count(lake.read("tiles/moves")["seen_from"]).as_py()
    assert late > 0, "tiles of late and corrected rows are among them"


@pytest.mark.parametrize(
    ("digits", "as_written"),
    [
        pytest.param("precision=10, scale=4", "{}37", marks=pytest.mark.thorough),
        ("precision=38, scale=6", "9" * 24 + "{}"),
    ],
)
def test_decimals_of_any_digits_end_in_the_same_cells_by_every_route(digits, as_written, tmp_path, monkeypatch):
    cells = {}
    for route in (SqlRoute, ArrayRoute):
        monkeypatch.setitem(ROUTES, "duckdb", route)
        bank = write_fixed_bank(tmp_path / route.__name__)
        sources = bank / "sources.py"
        sources.write_text(sources.read_text().replace('type="decimal"', f'type="decimal", {digits}'))
        rewrite_amounts(bank / "data" / "moves.csv", as_written)
        # The oracle proves every cell of the arrays before the commit.
        cells[route] = cells_of(build(bank, customers=1000 if route is ArrayRoute else 0))
    assert differing(cells[SqlRoute], cells[ArrayRoute]) == []
    assert cells[SqlRoute]["features"] != json.loads(GOLDEN.read_text(encoding="utf-8"))["tables"]["features"]


def rewrite_amounts(file, as_written):
    """Write each amount otherwise, behind its sign."""
    with file.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    at = header.index("amount")
    for row in rows:
        size = row[at].lstrip("-")
        row[at] = row[at].replace(size, as_written.format(size)) if size else ""
    with file.open("w", newline="") as lines:
        csv.writer(lines, lineterminator="\n").writerows([header, *rows])


@BOTH
def test_ranges_of_customers_and_of_periods_end_in_the_same_cells(bank, route, monkeypatch):
    # Two ranges of customers, three of periods: what a range costs is DuckDB's planning.
    monkeypatch.setattr(feature_build, "_SHARE_OF_MEMORY", 3e-4)
    monkeypatch.setattr(feature_build, "_MOST_ROWS", 300)
    steps = []
    real = Steps.finish

    def noted(ended, *of_step):
        steps.append(ended.record.parent.relative_to(bank / "lake").as_posix())
        return real(ended, *of_step)

    monkeypatch.setattr(Steps, "finish", noted)
    assert wrong_columns(build(bank)) == []
    assert steps.count("features") > 1, "ranges of customers"
    assert steps.count("tiles/moves") > 2, "ranges of periods, and late rows"


@BOTH
def test_a_month_without_a_row_is_a_window_of_nothing(tmp_path, route):
    bank = write_tiny_bank(tmp_path / "bank")
    with_gap(bank / "data" / "payments.csv", date(2024, 2, 29), date(2024, 3, 31))
    lake = build(bank, customers=1000)
    assert "2024-03-31" not in {str(day) for day in lake.read("tiles/payments")["period_end"].to_pylist()}
    rows = lake.read("features")
    empty = rows.filter(pc.equal(rows["snapshot_date"], date(2024, 3, 31)))
    assert empty.num_rows > 0
    assert set(empty["payment_count_30d"].to_pylist()) == {0}
    assert set(empty["amount_mean_30d"].to_pylist()) == {None}
    assert min(empty["payment_count_90d"].to_pylist()) > 0


@BOTH
def test_a_source_without_a_row_has_windows_of_nothing(tmp_path, route):
    bank = write_tiny_bank(tmp_path / "bank")
    with_gap(bank / "data" / "payments.csv", date.min, date(2024, 5, 1))
    rows = build(bank, customers=1000).read("features")
    early = rows.filter(pc.less(rows["snapshot_date"], date(2024, 5, 1)))
    assert early.num_rows > 0
    assert set(early["payment_count_90d"].to_pylist()) == {0}
    assert set(early["payment_days_since_last"].to_pylist()) == {None}


def with_gap(file, first, end):
    """Leave out the payments from `first` until before `end`."""
    with file.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    kept = [row for row in rows if not str(first) <= row[2] < str(end)]
    with file.open("w", newline="") as lines:
        csv.writer(lines, lineterminator="\n").writerows([header, *kept])


@pytest.fixture(scope="module")
def runs():
    with Runs() as running:
        yield running


@pytest.fixture(scope="module")
def unbuilt(tmp_path_factory, runs):
    """A tiny bank of which all before the features is built, and another with its features, made by SQL undisturbed."""
    folder = write_tiny_bank(tmp_path_factory.mktemp("routes") / "unbuilt", customers=20)
    edit(folder / "tenure.toml", "first = 2024-01-31", "first = 2024-04-30")
    with Work.open(folder) as work:
        list(run(work, stages_between("staging", "snapshots")))
    built = shutil.copytree(folder, folder.with_name("built"))
    assert runs(built, "backfill", first="features", route="SqlRoute").exit_code == 0
    return folder, sorted_features(built)


def sorted_features(folder):
    return (
        Lake(folder / "lake").read("features").sort_by([("customer_id", "ascending"), ("snapshot_date", "ascending")])
    )


#: Where a run is killed: after some steps, and when most are done.
SHARES = (0.2, 0.4, 0.6, 0.8, 0.95) if THOROUGH else (0.4, 0.8)


@pytest.mark.parametrize("name", ["SqlRoute", "ArrayRoute"])
def test_a_killed_run_resumes_to_the_same_cells(unbuilt, runs, tmp_path, name):
    folder, expected = unbuilt
    counted = shutil.copytree(folder, tmp_path / "counted")
    points = runs(counted, "backfill", first="features", route=name).points["features"]
    kept = 0
    for share in SHARES:
        killed = shutil.copytree(folder, tmp_path / str(share))
        ended = runs(killed, "backfill", first="features", route=name, stage="features", point=int(points * share))
        assert ended.signal == signal.SIGKILL
        kept += bool(list((killed / "lake").rglob("_steps.json")))
        assert runs(killed, "backfill", route=name).exit_code == 0
        assert sorted_features(killed).equals(expected)
    assert kept, "some run resumed after a step"


def test_snapshots_of_another_route_are_stale(bank, monkeypatch):
    build(bank)
    monkeypatch.setitem(ROUTES, "duckdb", SqlRoute)
    with Work.open(bank) as work:
        planned = plan_backfill(work, calendar(work).plan)
    assert {p.why for p in planned.features} == {"the code of Tenure changed"}
    assert {p.why for those in planned.tiles.values() for p in those} == {"what is summed up changed"}


def test_every_dialect_has_a_route():
    assert ROUTES.keys() == set(DIALECTS)


@pytest.mark.spark
def test_arrays_refuse_spark_which_is_not_in_this_process(bank, request):
    work = Work.open(bank, engine="spark")
    work.use_engine(make_engine("spark", request))
    with pytest.raises(TypeError, match="SparkEngine is not in this process"):
        array_engine(work)
