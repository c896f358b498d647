"""The feature store by hand: worked-out rows, what Feast gets wrong, every kind of spine, every refusal, rebuilding."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import make_engine, quick

import tenure
from tenure import FeatureStore, SnapshotPlan
from tenure.errors import (
    BadValue,
    EngineError,
    InvalidDefinition,
    InvalidSpine,
    MissingColumn,
    MissingDependency,
    MissingFile,
    MissingTable,
    NotReproducible,
    UnknownColumn,
    UnknownSnapshot,
    UnknownSource,
    UnreadableFile,
)
from tenure.feature_store.manifest import Manifest
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.tiles.point_in_time import PointInTime

WORLDS = Path(__file__).parents[1] / "worlds"
PLAN = SnapshotPlan(every="month-end", first=date(2024, 2, 29), last=date(2024, 4, 30))

# pyspark leaves the sockets that rows came through to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning")

engines = pytest.mark.parametrize("name", ["duckdb", pytest.param("spark", marks=pytest.mark.spark)])


def twelve_customers(folder):
    shutil.copytree(WORLDS / "twelve_customers", folder)
    return folder


def branch_bank(folder):
    """Clients (1, 11) and (11, 1), who are not one another, and (2, 2), of whom nothing was told since January."""
    shutil.copytree(WORLDS / "branch_bank", folder)
    (folder / "data").mkdir()
    (folder / "data" / "clients.csv").write_text(
        "branch,number,segment,income,is_staff,birth_date,reviewed_at,opened_at,closed_at,recorded_at\n"
        "1,11,gold,10.00,false,1990-01-01,,2023-01-01,,2024-03-01\n"
        "11,1,mass,20.00,false,1980-01-01,,2023-01-01,,2024-03-01\n"
        "2,2,mass,30.00,false,1970-01-01,,2023-01-01,,2024-01-01\n"
    )
    (folder / "data" / "moves.csv").write_text(
        "move_id,branch,number,moved_at,recorded_at,channel,amount,items,rate\n"
        "1,1,11,2024-03-10,2024-03-10,online,100.00,1,0.5\n"
        "2,11,1,2024-03-20,2024-03-20,branch,7.00,2,0.25\n"
        "3,11,1,2024-03-21,2024-03-21,branch,8.00,3,0.125\n"
    )
    (folder / "data" / "holdings.csv").write_text(
        "holding_id,branch,number,began_on,ended_on,worth\n1,1,11,2024-01-01,,500.00\n"
    )
    return folder


def staged(folder, engine=None, last="staging"):
    work = Work.open(folder, engine=engine.dialect if engine else "", overrides=quick(engine.dialect) if engine else {})
    if engine:
        work.use_engine(engine)
    list(run(work, stages_between("staging", last)))
    return FeatureStore(work)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The twelve customers' folder with their features built, on DuckDB: each test copies it."""
    folder = twelve_customers(tmp_path_factory.mktemp("built") / "twelve")
    with staged(folder, last="features"):
        return folder


@pytest.fixture
def twelve(built, tmp_path):
    """The twelve customers with their features built, on DuckDB."""
    with FeatureStore(shutil.copytree(built, tmp_path / "twelve")) as store:
        yield store


@pytest.fixture(scope="module", params=["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def each(request, tmp_path_factory):
    """The twelve customers on each engine, to ask and not to change."""
    engine = make_engine(request.param, request)
    yield staged(staged_before(engine, tmp_path_factory.mktemp("worlds") / "twelve", request), engine)
    engine.close()


def staged_before(engine, folder, request):
    """The twelve customers' folder; Spark staged it once for all tests."""
    if engine.dialect == "spark":
        return shutil.copytree(request.getfixturevalue("twelve_on_spark"), folder)
    return twelve_customers(folder)


# test_point_in_time.py has clients of this bank on Spark, by both keys and as described within a ttl.
@pytest.fixture(
    scope="module", params=["duckdb", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.thorough])]
)
def branches(request, tmp_path_factory):
    """The clients of branches on each engine, to ask and not to change."""
    engine = make_engine(request.param, request)
    yield staged(branch_bank(tmp_path_factory.mktemp("worlds") / "branch"), engine)
    engine.close()


def asked(*rows, time="event_timestamp", **further):
    return pa.table({"customer_id": [r[0] for r in rows], time: [r[1] for r in rows], **further})


def of(job):
    return job.to_arrow().to_pylist()


# By hand: the world's own table (tests/worlds/twelve_customers/README.md), and instants between its snapshots.


def test_the_answer_at_any_instant_is_the_one_worked_out_by_hand(each):
    spine = asked(
        ("same_instant", datetime(2024, 2, 29)),  # s1 happens and is known at this very instant
        ("same_instant", datetime(2024, 2, 29, 0, 0, 0, 1)),  # a microsecond later it is seen
        ("late_correction", datetime(2024, 3, 31)),  # l2 is corrected at this very instant: 7.00 still
        ("late_correction", datetime(2024, 3, 31, 0, 0, 0, 1)),  # 9.00 from then on
        ("late_correction", datetime(2024, 4, 2, 8, 30)),  # l1 is 60.00 since 08:00
        ("window_edge", datetime(2024, 3, 30, 23, 59, 59)),  # 30 days before lies w2, at just this second
        ("window_edge", datetime(2024, 3, 31)),  # a second later it is out
        ("joined_on_t", datetime(2024, 3, 31, 12)),  # opened today: known, and no day with the bank yet
        ("joined_on_t", datetime(2024, 3, 30, 12)),  # announced, and not opened
    )
    names = ["segment", "payments_count_30d", "amount_sum_30d", "payment_days_since_last", "history_share_30d"]
    got = each.get_historical_features(spine, names).to_arrow()
    assert got.column_names == ["customer_id", "event_timestamp", *names]
    assert list(zip(*(got[name].to_pylist() for name in names), strict=True)) == [
        ("mass", 0, 0.0, None, 1.0),
        ("mass", 1, 10.0, 0, 1.0),
        ("mass", 2, 107.0, 11, 1.0),
        ("mass", 2, 109.0, 11, 1.0),
        ("mass", 2, 69.0, 13, 1.0),
        ("mass", 2, 30.0, 29, 1.0),
        ("mass", 1, 10.0, 30, 1.0),
        ("mass", 1, 15.0, 0, 0.0),
        ("mass", 0, 0.0, None, 0.0),
    ]


# test_time_rules.py has this table's features on Spark, and test_point_in_time.py has both routes.
@pytest.mark.thorough_on_spark
def test_the_snapshots_are_the_hand_worked_table(each):
    with (WORLDS / "twelve_customers" / "expected" / "features.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    spine = asked(*((r["customer_id"], date.fromisoformat(r["snapshot_date"])) for r in rows), time="snapshot_date")
    names = [name for name in rows[0] if name not in spine.column_names]
    for got, wanted in zip(of(each.get_historical_features(spine, names)), rows, strict=True):
        told = {n: got[n] if got[n] is None else type(got[n])(wanted[n] or "nan") for n in names}
        assert {n: got[n] for n in names} == pytest.approx(told)
        assert all((got[n] is None) == (not wanted[n]) for n in names)


# What Feast 0.67 gets wrong (feast-dev/feast#6787 and what was found beside it).


def test_rows_that_share_key_and_time_are_all_kept(each):
    at = datetime(2024, 3, 31)
    spine = asked(("window_edge", at), ("window_edge", at), ("window_edge", at), label=[0, 1, None])
    got = of(each.get_historical_features(spine, ["segment", "payments_count_90d"]))
    assert [row["label"] for row in got] == [0, 1, None]
    assert [(row["segment"], row["payments_count_90d"]) for row in got] == [("mass", 3)] * 3


def test_a_later_correction_is_not_served_to_an_earlier_row(each):
    spine = asked(("late_correction", datetime(2024, 3, 15)), ("window_edge", datetime(2024, 4, 10)))
    got = of(each.get_historical_features(spine, ["amount_max_90d", "segment"]))
    assert got[0]["amount_max_90d"] == 100.0  # corrected to 60.00 on 04-02
    assert got[1]["segment"] == "mass"  # gold is known at this very instant


def test_composite_keys_are_not_run_together(branches):
    at = datetime(2024, 3, 31)
    rows = [(1, 11), (11, 1), (111, None), (1, 1)]
    spine = pa.table({"branch": [r[0] for r in rows], "number": [r[1] for r in rows], "event_timestamp": [at] * 4})
    got = of(branches.get_historical_features(spine, ["segment", "amount_sum_30d", "moves_count_30d"]))
    told = [(r["branch"], r["number"], r["segment"], r["amount_sum_30d"], r["moves_count_30d"]) for r in got]
    assert told == [
        (1, 11, "gold", 100.0, 1),
        (11, 1, "mass", 15.0, 2),
        (111, None, None, 0.0, 0),
        (1, 1, None, 0.0, 0),
    ]


def test_a_customer_whose_newest_version_is_too_old_keeps_the_row(branches):
    """`recently_described` has ttl=40: of (2, 2) nothing was told for 90 days, of (1, 11) for 30."""
    spine = pa.table({"branch": [2, 1], "number": [2, 11], "event_timestamp": [datetime(2024, 3, 31)] * 2})
    got = of(branches.get_historical_features(spine, ["segment", "fresh_segment", "income_is_known"]))
    told = [(row["segment"], row["fresh_segment"], row["income_is_known"]) for row in got]
    assert told == [("mass", None, False), ("gold", "gold", True)]


def test_a_version_is_too_old_once_ttl_has_passed_to_the_instant(branches):
    known = datetime(2024, 1, 1)
    times = [known, known + timedelta(microseconds=1), known + timedelta(days=40), known + timedelta(40, 0, 1)]
    spine = pa.table({"branch": [2] * 4, "number": [2] * 4, "event_timestamp": times})
    got = of(branches.get_historical_features(spine, "fresh_segment"))
    assert [row["fresh_segment"] for row in got] == [None, "mass", "mass", None]


# Rows in, rows out.


def test_nobody_and_null_have_the_documented_empty_values(each):
    for at in (datetime(2024, 3, 31), datetime(2024, 3, 31, 12)):  # by tiles, and row by row
        spine = asked(("no such customer", at), (None, at))
        names = ["payments_count_30d", "amount_sum_90d", "amount_mean_90d", "segment", "spent_to_amount_ratio_90d"]
        names += ["payment_days_since_last", "products_count", "history_share_30d", "payments_count_30d_over_90d"]
        for row in of(each.get_historical_features(spine, names)):
            empty = {n for n in names if row[n] is None}
            assert empty == {
                *("amount_mean_90d", "segment", "spent_to_amount_ratio_90d", "payment_days_since_last"),
                "payments_count_30d_over_90d",
            }
            assert [row[n] for n in names if n not in empty] == [0, 0.0, 0, 0.0]


def test_an_empty_frame_is_answered_with_no_rows(each):
    spine = asked(("window_edge", datetime(2024, 3, 31))).slice(0, 0)
    got = each.get_historical_features(spine, ["segment", "amount_sum_90d"]).to_arrow()
    assert got.num_rows == 0
    assert [got.schema.field(n).type for n in ("segment", "amount_sum_90d")] == [pa.string(), pa.float64()]


def test_further_columns_pass_through_untouched(twelve):
    at = datetime(2024, 3, 31)
    further = {
        "Label of the Bank": pa.array([1, None], pa.int8()),
        "weights": pa.array([[0.5], []]),
        "kind": pa.array(["a", "a"]).dictionary_encode(),
        "money": pa.array([Decimal("1.50"), None]),
        "noted": pa.array([at, None], pa.timestamp("ns", tz="Europe/Berlin")),
    }
    spine = asked(("window_edge", at), ("nobody", at), **further)
    got = twelve.get_historical_features(spine, "segment").to_arrow()
    assert got.drop_columns(["segment"]).equals(spine)


def test_a_service_a_view_and_a_column_may_be_asked_for(twelve):
    spine = asked(("window_edge", datetime(2024, 3, 31)))
    (twelve.work.folder / "features" / "services.py").write_text(
        "from tenure import FeatureService\n\n"
        'mine = FeatureService("mine", features=["described", "login_count_30d"])\n'
    )
    store = FeatureStore(twelve.work.folder)
    names = store.get_historical_features(spine, "mine").to_arrow().column_names
    assert names == ["customer_id", "event_timestamp", "segment", "age", "login_count_30d"]
    both = store.get_historical_features(spine, ["login_count_30d", "mine", "age"]).to_arrow()
    assert both.column_names == names
    store.close()


# Every kind of spine.


@pytest.mark.parametrize(
    "times",
    [
        pa.array([datetime(2024, 3, 31, 12)], pa.timestamp("us")),
        pa.array([datetime(2024, 3, 31, 12, tzinfo=UTC)], pa.timestamp("s", tz="UTC")),
        pa.array(
            [datetime(2024, 3, 31, 14, tzinfo=timezone(timedelta(hours=2)))], pa.timestamp("ns", tz="Europe/Rome")
        ),
        pa.array([datetime(2024, 3, 31, 17, 30, tzinfo=timezone(timedelta(hours=5.5)))], pa.timestamp("ms", "+05:30")),
    ],
    ids=str,
)
def test_times_with_a_zone_become_utc_and_without_one_are_utc(twelve, times):
    spine = pa.table({"customer_id": ["joined_on_t"], "when": times})
    (got,) = of(twelve.get_historical_features(spine, "payments_count_30d", timestamp="when"))
    assert got["payments_count_30d"] == 1  # the payment of 03-31, 00:00
    assert twelve.get_historical_features(spine, "segment", timestamp="when").to_arrow()["when"].type == times.type


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_text_is_a_key_however_a_frame_holds_it(twelve, kind):
    spine = asked(("window_edge", datetime(2024, 3, 31)), (None, datetime(2024, 3, 31)))
    spine = spine.set_column(0, "customer_id", spine["customer_id"].cast(kind))
    job = twelve.get_historical_features(spine, "segment")
    assert job.to_arrow()["segment"].to_pylist() == ["mass", None]
    job.persist("of_text")
    assert twelve.rebuild("of_text")["customer_id"].to_pylist() == ["window_edge", None]


def test_nanoseconds_of_an_instant_are_cut_so_that_nothing_later_is_seen(twelve):
    known = int(datetime(2024, 2, 29, tzinfo=UTC).timestamp()) * 10**9
    times = pa.array([known - 1, known, known + 1, known + 999, known + 1000], pa.int64()).cast(pa.timestamp("ns"))
    spine = pa.table({"customer_id": ["same_instant"] * 5, "event_timestamp": times})
    found = [r["payments_count_30d"] for r in of(twelve.get_historical_features(spine, "payments_count_30d"))]
    assert found == [0, 0, 0, 0, 1]


def test_pandas_frames_files_batches_and_selects_say_the_same(twelve, tmp_path):
    spine = asked(("window_edge", datetime(2024, 3, 31)), ("window_edge", datetime(2024, 4, 30, 1)), y=[1, 2])
    names = ["segment", "amount_sum_90d"]
    wanted = twelve.get_historical_features(spine, names).to_arrow()
    frame = spine.to_pandas()
    frame.index = [7, 7]
    pq.write_table(spine, tmp_path / "spine.parquet")
    (tmp_path / "spine.csv").write_text(
        "customer_id,event_timestamp,y\nwindow_edge,2024-03-31 00:00:00,1\nwindow_edge,2024-04-30 01:00:00,2\n"
    )
    (batch,) = spine.to_batches()
    query = """
        SELECT 'window_edge' AS customer_id, TIMESTAMP '2024-03-31' AS event_timestamp, 1 AS y
        UNION ALL SELECT 'window_edge', TIMESTAMP '2024-04-30 01:00:00', 2 ORDER BY y;
    """
    for kind in (frame, tmp_path / "spine.parquet", tmp_path / "spine.csv", batch, query):
        got = twelve.get_historical_features(kind, names).to_arrow()
        # What is no key and no time in a CSV file comes back as the text that stands there.
        got = got.set_column(got.schema.get_field_index("y"), "y", got["y"].cast(pa.int64()))
        assert (
            got.select(["customer_id", "y", *names]).to_pylist()
            == wanted.drop_columns("event_timestamp").select(["customer_id", "y", *names]).to_pylist()
        )


def test_a_pandas_frame_comes_back_with_its_rows(twelve):
    frame = pd.DataFrame({"customer_id": ["window_edge", None], "snapshot_date": [date(2024, 3, 31)] * 2})
    got = twelve.get_historical_features(frame, "payments_count_90d").to_df()
    assert list(got["payments_count_90d"]) == [3, 0]
    assert list(got.index) == [0, 1]


def test_whole_numbers_beside_nulls_are_keys(tmp_path):
    """pandas holds a column of numbers with a gap as floats."""
    with staged(branch_bank(tmp_path / "branch")) as store:
        frame = pd.DataFrame({"branch": [1.0, None], "number": [11, 11], "snapshot_date": [date(2024, 3, 31)] * 2})
        got = of(store.get_historical_features(frame, "segment"))
        assert [row["segment"] for row in got] == ["gold", None]
        frame["branch"] = [1.5, 2]
        with pytest.raises(BadValue, match="column 'branch' of the rows can't be read as a integer"):
            store.get_historical_features(frame, "segment")


def test_a_key_is_a_decimal_of_the_digits_that_its_column_says(tmp_path):
    folder = branch_bank(tmp_path / "branch")
    sources = (folder / "sources.py").read_text()
    assert 'Column("branch", type="integer"' in sources
    digits = 'type="decimal", precision=24, scale=4'
    (folder / "sources.py").write_text(sources.replace('"branch", type="integer"', f'"branch", {digits}'))
    for file in (folder / "data").glob("*.csv"):
        file.write_text(re.sub(r"(?m)^((?:[0-9]+,)?)11,(?=1,)", r"\g<1>12345678901234567890.0001,", file.read_text()))
    with staged(folder) as store:
        keys = pa.array([Decimal("12345678901234567890.0001"), Decimal(1)], pa.decimal128(38, 4))
        spine = pa.table({"branch": keys, "number": [1, 11], "snapshot_date": [date(2024, 3, 31)] * 2})
        assert [row["segment"] for row in of(store.get_historical_features(spine, "segment"))] == ["mass", "gold"]
        assert str(store.work.read("moves").schema.field("branch").type) == "decimal128(24, 4)"


def test_a_select_over_the_lakes_tables_is_a_spine(twelve):
    got = twelve.get_historical_features(
        "SELECT s.customer_id, s.snapshot_date, p.amount FROM snapshots AS s JOIN payments AS p "
        "ON p.customer_id = s.customer_id WHERE p.payment_id = 'g1' ORDER BY s.snapshot_date DESC",
        ["payments_count_30d"],
    ).to_arrow()
    assert got["snapshot_date"].to_pylist() == [date(2024, 3, 31), date(2024, 2, 29)]
    assert got["payments_count_30d"].to_pylist() == [1, 0]
    assert got["amount"].to_pylist() == [Decimal("12.00")] * 2


def test_a_snapshot_plan_stands_for_the_stored_snapshots(twelve):
    stored = twelve.work.read("features")
    names = [n for n in stored.column_names if n not in ("customer_id", "snapshot_date")]
    got = twelve.get_historical_features(PLAN, names).to_arrow()
    order = [("snapshot_date", "ascending"), ("customer_id", "ascending")]
    assert got.equals(stored.select(got.column_names).sort_by(order))
    with pytest.raises(UnknownSnapshot, match=r"snapshots of 2024-01-31 are not built \(1 of 4 dates are not\)"):
        twelve.get_historical_features(
            SnapshotPlan(every="month-end", first=date(2024, 1, 1), last=PLAN.last), names
        ).to_arrow()


def test_nothing_runs_until_an_answer_is_taken(tmp_path):
    store = staged(twelve_customers(tmp_path / "twelve"))
    shutil.rmtree(store.work.lake.path("staging/payments"))
    job = store.get_historical_features(asked(("window_edge", datetime(2024, 3, 31))), "paid")
    assert "ASOF" not in job.sql()
    with pytest.raises(MissingTable, match="table 'staging/payments' is not built yet"):
        job.to_arrow()
    store.work.__exit__(None, None, None)


def test_the_statements_can_be_read(twelve):
    text = twelve.get_historical_features(asked(("x", datetime(2024, 3, 31, 1))), ["segment", "amount_sum_30d"]).sql()
    for piece in ("-- asked_points", "ASOF LEFT JOIN customers", "-- Money moved, total over the 30 days before"):
        assert piece in text
    assert "ORDER BY s.row_no" in text


def test_import_stays_light():
    code = "import sys, tenure; print([m for m in sys.modules if m in ('duckdb', 'pyarrow', 'tenure.session')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'FeatureShop'"):
        tenure.FeatureShop  # noqa: B018


def test_keys_in_a_csv_file_are_read_as_the_keys_type(twelve, tmp_path):
    """A key of text that looks like a number stays text: nothing is guessed."""
    (tmp_path / "spine.csv").write_text("customer_id,snapshot_date\n007,2024-03-31\n,2024-03-31\n")
    got = twelve.get_historical_features(tmp_path / "spine.csv", "payments_count_30d").to_arrow()
    assert got["customer_id"].to_pylist() == ["007", None]


def test_an_answer_may_be_written_as_parquet_or_csv(twelve, tmp_path):
    job = twelve.get_historical_features(asked(("window_edge", datetime(2024, 3, 31))), "payments_count_90d")
    job.to_file(tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").equals(job.to_arrow())
    job.to_file(str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_text().splitlines()[1].endswith(",3")
    with pytest.raises(InvalidSpine, match=r"can't be written as '\.xlsx'; allowed: \.parquet, \.csv"):
        job.to_file(tmp_path / "out.xlsx")


def test_the_command_adds_features_to_a_file(twelve, tmp_path):
    (tmp_path / "spine.csv").write_text("customer_id,event_timestamp,y\nwindow_edge,2024-03-31 00:00:00,1\n")
    command = [sys.executable, "-m", "tenure.cli", "historical-features", "--project", str(twelve.work.folder)]
    command += ["--spine", str(tmp_path / "spine.csv"), "--features", "described, payments_count_90d"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out.parquet")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"1 row with 3 features: {tmp_path / 'out.parquet'}\n"
    (row,) = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert (row["segment"], row["payments_count_90d"], row["y"]) == ("mass", 3, "1")
    command[command.index("--features") + 1] = "segmnt"
    done = subprocess.run([*command, "--out", str(tmp_path / "out.csv")], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "near: segment" in done.stderr


# What is refused, and how it is said.


@pytest.mark.parametrize(
    ("spine", "features", "error", "message"),
    [
        (
            {"client": ["a"], "event_timestamp": [datetime(2024, 1, 1)]},
            "segment",
            MissingColumn,
            "no column 'customer_id'",
        ),
        (
            {"customer_id": ["a"], "at": [datetime(2024, 1, 1)]},
            "segment",
            MissingColumn,
            "no time column 'snapshot_date' or",
        ),
        (
            {"customer_id": ["a"], "event_timestamp": ["2024-01-01"]},
            "segment",
            BadValue,
            "is a string; allowed: a DATE",
        ),
        (
            {"customer_id": [1], "event_timestamp": [date(2024, 1, 1)]},
            "segment",
            BadValue,
            "is a int64, but the key is a string",
        ),
        (
            {"customer_id": ["a", "b"], "event_timestamp": [date(2024, 1, 1), None]},
            "segment",
            BadValue,
            r"is null in row 1 \(counted from 0\), 1 in all",
        ),
        (
            {"customer_id": ["a"], "event_timestamp": [date(2024, 1, 1)], "snapshot_date": [date(2024, 1, 1)]},
            "segment",
            InvalidSpine,
            "both snapshot_date and event_timestamp",
        ),
        (
            {"customer_id": ["a"], "event_timestamp": [date(2024, 1, 1)], "Segment": ["x"]},
            "segment",
            InvalidSpine,
            "column 'Segment', which is also the name of a feature",
        ),
        (
            {"customer_id": ["a"], "event_timestamp": [date(2024, 1, 1)], "y": [1], "Y": [1]},
            "segment",
            InvalidSpine,
            "the column 'Y' twice",
        ),
        ({"customer_id": ["a"], "event_timestamp": [date(2024, 1, 1)]}, "segmnt", UnknownColumn, "near: segment"),
        ({"customer_id": ["a"], "event_timestamp": [date(2024, 1, 1)]}, [], UnknownColumn, "no features are asked for"),
    ],
)
def test_rows_that_cannot_be_answered_are_refused_at_once(twelve, spine, features, error, message):
    with pytest.raises(error, match=message) as refused:
        twelve.get_historical_features(pa.table(spine), features)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        (
            "SELECT * FROM accounts",
            UnknownSource,
            "reads 'accounts', which the lake does not have; it has balances, customers",
        ),
        (
            "SELECT * FROM 'data/customers.csv'",
            InvalidDefinition,
            "reads the file or name .* allowed: tables of the lake by their plain names",
        ),
        ("DROP TABLE customers", InvalidDefinition, "allowed: one SELECT"),
        ("SELEC", InvalidDefinition, "not SQL|allowed: one SELECT"),
        ("SELECT 1; SELECT 2", InvalidDefinition, "that is a BLOCK; allowed: one SELECT"),
    ],
)
def test_a_select_that_cannot_be_read_is_refused_at_once(twelve, query, error, message):
    with pytest.raises(error, match=message):
        twelve.get_historical_features(query, "segment")


def test_what_is_no_frame_is_refused(twelve, tmp_path):
    with pytest.raises(InvalidSpine, match="can't be asked for a dict; allowed: a pyarrow Table"):
        twelve.get_historical_features({"customer_id": ["a"]}, "segment")
    with pytest.raises(MissingFile, match=r"no file '.*spine\.parquet'"):
        twelve.get_historical_features(tmp_path / "spine.parquet", "segment")
    (tmp_path / "bad.parquet").write_text("not parquet")
    with pytest.raises(UnreadableFile, match="can't be read as Parquet"):
        twelve.get_historical_features(tmp_path / "bad.parquet", "segment")


def test_a_source_staged_with_other_definitions_is_refused(twelve):
    file = twelve.work.folder / "sources.py"
    file.write_text(file.read_text().replace("arrival_delay=2", "arrival_delay=1"))
    with FeatureStore(twelve.work.folder) as store:
        spine = asked(("window_edge", datetime(2024, 3, 31)))
        assert store.get_historical_features(spine, "segment").to_arrow().num_rows == 1
        with pytest.raises(MissingTable, match="source 'logins' was staged with other definitions"):
            store.get_historical_features(spine, "login_count_30d").to_arrow()


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_a_frame_of_a_package_that_is_not_there_is_refused(twelve, monkeypatch, package):
    job = twelve.get_historical_features(asked(("window_edge", datetime(2024, 3, 31))), "segment")
    job.to_arrow()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependency, match=f"needs {package}, which is not installed") as refused:
        job.to_df() if package == "pandas" else job.to_polars()
    assert f"pip install {package}" in refused.value.hint


def test_a_join_that_loses_rows_is_caught(twelve, monkeypatch):
    """Feast's way: an inner join, so that a customer without a version disappears."""
    real = PointInTime._newest
    monkeypatch.setattr(
        PointInTime, "_newest", lambda *a: replace(real(*a), kind=real(*a).kind.removesuffix("LEFT").strip())
    )
    job = twelve.get_historical_features(asked(("nobody", datetime(2024, 3, 31))), "segment")
    with pytest.raises(EngineError, match="1 rows were asked for and 0 came back"):
        job.to_arrow()


# Kept, and made again.


@engines
def test_a_persisted_training_set_is_made_again_to_the_bit_after_its_sources_have_changed(name, request, tmp_path):
    engine = make_engine(name, request)
    folder = staged_before(engine, tmp_path / "twelve", request)
    store = staged(folder, engine)
    rows = [
        ("late_correction", datetime(2024, 4, 30)),
        ("nobody", datetime(2024, 4, 30, 9)),
        (None, datetime(2024, 4, 30)),
    ]
    job = store.get_historical_features(asked(*rows, y=[1, 0, 1]), ["paid", "described", "held"])
    told = job.persist("churn_2024")
    assert (told.rows, told.version, told.time) == (3, 0, "event_timestamp")
    assert told.tables.keys() == {"customers", "payments", "products"}
    assert Manifest.parse(told.json()) == told == store.manifest("churn_2024")
    payments = folder / "data" / "payments.csv"
    payments.write_text(payments.read_text().replace("2024-04-02 08:00:00,out,60.00", "2024-04-02 08:00:00,out,61.00"))
    work = Work.open(folder, engine=name, overrides=quick(name))
    work.use_engine(engine)
    list(run(work, ["staging"]))
    store = FeatureStore(work)
    again = store.rebuild(told.json())
    features = list(told.features)
    assert again.select(features).equals(job.to_arrow().select(features))
    assert again["y"].to_pylist() == [1, 0, 1]
    now = store.get_historical_features(asked(*rows), "amount_max_90d").to_arrow()
    assert (now["amount_max_90d"][0].as_py(), again["amount_max_90d"][0].as_py()) == (61.0, 60.0)
    engine.close()


@pytest.fixture
def kept(built, tmp_path):
    """A project's folder with a training set that was persisted."""
    folder = shutil.copytree(built, tmp_path / "twelve")
    with FeatureStore(folder) as store:
        store.get_historical_features(asked(("late_correction", datetime(2024, 4, 30))), ["paid"]).persist("kept")
    return folder


def refusal(folder):
    with FeatureStore(folder) as store, pytest.raises(NotReproducible) as refused:
        store.rebuild("kept")
    return refused.value.message


def edit(file, old, new):
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_changed_definition_is_named(kept):
    edit(kept / "features" / "events.py", "where=\"direction = 'out'\"", "where=\"direction = 'in'\"")
    assert refusal(kept) == "definitions of 'kept' have changed: feature view paid."
    edit(
        kept / "sources.py",
        'known_time="recorded_at",\n    quarantine=0.1,\n    doc="Money',
        'quarantine=0.1,\n    doc="Money',
    )
    assert refusal(kept) == "definitions of 'kept' have changed: source payments, feature view paid."


def test_a_definition_that_the_features_do_not_need_may_change(kept):
    edit(kept / "features" / "events.py", 'Aggregate("products", how="count"', 'Aggregate("items", how="count"')
    with FeatureStore(kept) as store:
        assert store.rebuild("kept").num_rows == 1


def test_a_feature_that_is_gone_is_named(kept):
    edit(
        kept / "features" / "events.py",
        'Aggregate("payments", how="count", windows=days(30, 90)',
        'Aggregate("payments", how="count", windows=days(30, 90, 7)',
    )
    edit(
        kept / "features" / "events.py",
        'Aggregate("payment", how="days_since_last"',
        'Aggregate("pay", how="days_since_last"',
    )
    assert refusal(kept) == "features of 'kept' are not defined any more: payment_days_since_last."


def test_a_version_that_is_gone_is_named(kept):
    shutil.rmtree(kept / "lake" / "staging" / "payments")
    assert "version 0 of table 'staging/payments' is gone" in refusal(kept)


def test_a_table_built_anew_is_not_taken_for_the_old_one(kept):
    shutil.rmtree(kept / "lake" / "staging" / "payments")
    edit(kept / "data" / "payments.csv", "60.00", "61.00")
    with Work.open(kept) as work:
        list(run(work, ["staging"]))
    assert "version 0 of table 'staging/payments' is not the one that the training set was made of" in refusal(kept)


def test_a_file_that_was_removed_is_named(kept):
    (file,) = (kept / "lake" / "staging" / "payments").glob("*.parquet")
    file.unlink()
    told = refusal(kept)
    assert told.startswith("version 0 of table 'staging/payments' can't be used: ")
    assert f"file '{file.name}' is gone" in told


@pytest.mark.parametrize("column", ["customer_id", "amount_sum_90d"])
def test_stored_rows_that_were_changed_are_damage(kept, column):
    (file,) = (kept / "lake" / "historical" / "kept").glob("*.parquet")
    rows = pq.read_table(file)
    other = pa.array(["window_edge"]) if column == "customer_id" else pa.array([1.0])
    changed = rows.set_column(rows.column_names.index(column), column, other)
    pq.write_table(changed, file)
    assert f"file '{file.name}' is not as it was written" in refusal(kept)


@pytest.mark.parametrize(
    ("part", "column", "message"),
    [
        ("spine", "customer_id", "stored rows of 'kept' differ: customer_id."),
        ("result", "amount_sum_90d", "has other values of: amount_sum_90d."),
    ],
)
def test_a_manifest_of_other_values_names_their_column(kept, part, column, message):
    told = FeatureStore(kept).manifest("kept")
    forged = Manifest(**{**vars(told), part: {**getattr(told, part), column: "0"}})
    with FeatureStore(kept) as store, pytest.raises(NotReproducible, match=message):
        store.rebuild(forged)


def test_names_that_are_none_are_refused(twelve):
    spine = asked(("window_edge", datetime(2024, 3, 31)))
    with pytest.raises(InvalidDefinition, match="training set 'Churn 2024' is not a name"):
        twelve.get_historical_features(spine, "segment").persist("Churn 2024")
    odd = spine.append_column("my label", pa.array([1]))
    with pytest.raises(InvalidSpine, match="column 'my label' can't be kept"):
        twelve.get_historical_features(odd, "segment").persist("odd")
    with pytest.raises(NotReproducible, match="no training set 'odd' was persisted; there are: none"):
        twelve.rebuild("odd")


def test_a_training_set_may_be_persisted_again_with_other_features(twelve):
    spine = asked(("late_correction", datetime(2024, 4, 30)))
    first = twelve.get_historical_features(spine, "paid").persist("one_set")
    second = twelve.get_historical_features(spine, ["described"]).persist("one_set")
    assert (first.version, second.version) == (0, 1)
    assert twelve.rebuild("one_set").column_names == ["customer_id", "event_timestamp", "segment", "age"]
    assert twelve.rebuild(first)["amount_max_90d"].to_pylist() == [60.0]
    assert twelve.work.read("manifests").sort_by("version")["version"].to_pylist() == [0, 1]
