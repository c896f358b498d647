"""Features at any instants against the plain Python of oracle.py: by tiles and row by row, on every engine."""

from __future__ import annotations

import math
import random
import shutil
from datetime import date, datetime, time, timedelta

import pyarrow as pa
import pytest
from conftest import make_engine, quick
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Oracle, instant, staged
from tables.test_labels_oracle import DATA_END, DATES, DEFINITIONS, WORLD, Draw, same_cell, write_csv

from tenure.define.narrowing import narrowed
from tenure.define.project import validate
from tenure.define.window import ColumnName, Window
from tenure.feature_store.historical import HistoricalFeatures
from tenure.feature_store.store import FeatureStore
from tenure.proofs.oracle.rules import window_start
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.tiles import at_instants

# pyspark leaves the sockets that rows came through to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning")

SPINE = pa.schema([("branch", pa.int64()), ("number", pa.int64()), ("event_timestamp", pa.timestamp("us"))])
SOME = ["segment", "fresh_age", "amount_sum_30d", "size_count_3m", "moving_streak_6m", "move_days_since_last"]


def one_of_each_kind(project):
    """The project with a column of each aggregate over days, months and open rows: Spark plans hundreds for minutes."""
    kinds = {}
    for name in project.columns:
        if name.aggregate != "share":
            kinds.setdefault((name.aggregate or str(name), name.window and name.window.unit, bool(name.over)), name)
    asked = {ColumnName.parse(name) for name in SOME}
    return narrowed(project, {*kinds.values(), *asked})


class Bank:
    """A random bank, staged and with its features built, and the oracle over the same rows."""

    def __init__(self, folder, engine, seed):
        shutil.copytree(WORLD, folder)
        (folder / "data").mkdir()
        shutil.copy(WORLD / "churn_definitions" / f"{DEFINITIONS[0]}.py", folder / "churn.py")
        self.draw = Draw(seed)
        raw = {"clients": self.draw.clients(), "moves": self.draw.moves(), "holdings": self.draw.holdings()}
        self.work = Work.open(folder, engine=engine.dialect, overrides=quick(engine.dialect))
        self.work.use_engine(engine)
        if engine.dialect == "spark":
            self.work.project = one_of_each_kind(self.work.project)
        for source in self.work.project.sources.values():
            write_csv(folder / "data" / f"{source.name}.csv", [c.name for c in source.columns], raw[source.name])
        list(run(self.work, stages_between("staging", "features")))
        self.rows = {source.name: staged(source, raw[source.name]) for source in self.work.project.sources.values()}
        project = self.work.project
        self.oracle = Oracle(project=project, churn=project.churn, rows=self.rows, dates=DATES, data_end=DATA_END)
        self.store = FeatureStore(self.work)
        self.names = [str(name) for name in self.work.project.columns]

    def asked(self, spine, names):
        return self.store.get_historical_features(spine, names).to_arrow()

    def differences(self, spine, names):
        """Each cell that is not the oracle's, as (row, column) → (got, wanted); the rows must be those asked for."""
        got = self.asked(spine, names)
        assert got.select(spine.column_names).equals(spine)
        found = {}
        for number, row in enumerate(got.to_pylist()):
            asked = {"branch": row["branch"], "number": row["number"], "snapshot_date": row["event_timestamp"]}
            wanted = self.oracle.features_at(asked)
            found |= {(number, n): (row[n], wanted[n]) for n in names if not same_cell(row[n], wanted[n])}
        return found


@pytest.fixture(
    scope="module", params=["duckdb", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])], ids=str
)
def bank(request, tmp_path_factory):
    engine = make_engine(request.param, request)
    yield Bank(tmp_path_factory.mktemp("bank") / "branch_bank", engine, seed=7)
    engine.close()


def once_is_enough(bank):
    """Plans of some four hundred columns take Spark minutes."""
    if bank.work.dialect == "spark":
        pytest.skip("says nothing of Spark that the tests above do not")


def spine_of(rows):
    return pa.Table.from_pylist([dict(zip(SPINE.names, row, strict=True)) for row in rows], schema=SPINE)


def drawn(bank, instants, size=150):
    """Rows of known customers, one who is not there, and half-known keys, some of them twice."""
    chance = random.Random(3)  # noqa: S311 (test data)
    keys = [*bank.draw.keys, (9, 9), (None, 1), (1, None), (None, None)]
    rows = [(*chance.choice(keys), chance.choice(instants)) for _ in range(size)]
    return spine_of([*rows, *rows[:10]])


def any_instants(bank):
    """What an edge is met at: the half days, each row's own times and a microsecond after, and moments in between."""
    chance = random.Random(5)  # noqa: S311 (test data)
    days = [datetime(2024, 1, 1) + timedelta(hours=12 * n) for n in range(400)]
    own = [row[name] for rows in bank.rows.values() for row in rows for name in ("event_time", "known_time")]
    later = [moment + timedelta(microseconds=1) for moment in own]
    between = [datetime(2024, 1, 1) + timedelta(microseconds=chance.randrange(200 * 86_400_000_000)) for _ in days]
    ends = [datetime.combine(day, time(18, 30)) for day in DATES]
    return [*days, *chance.sample(own, 200), *chance.sample(later, 200), *between, *ends * 20]


def test_every_feature_at_any_instant_is_the_oracles(bank):
    assert bank.differences(drawn(bank, any_instants(bank)), bank.names) == {}


def test_every_feature_at_midnights_is_the_oracles(bank):
    spine = drawn(bank, [datetime(2024, 1, 1) + timedelta(days=n) for n in range(0, 200, 9)])
    assert bank.differences(spine, bank.names) == {}


def test_the_stored_features_are_the_oracles(bank):
    stored = {
        (row["branch"], row["number"], row["snapshot_date"]): row for row in bank.work.read("features").to_pylist()
    }
    wanted = {(row["branch"], row["number"], row["snapshot_date"]): row for row in bank.oracle.features()}
    assert sorted(stored) == sorted(wanted)
    assert [
        (key, name) for key in wanted for name in bank.names if not same_cell(stored[key][name], wanted[key][name])
    ] == []


def test_both_routes_are_the_stored_features(bank):
    once_is_enough(bank)
    stored = bank.work.read("features").sort_by([(k, "ascending") for k in ("snapshot_date", "branch", "number")])
    spine = stored.select(["branch", "number", "snapshot_date"])
    by_tiles = bank.asked(spine, bank.names)
    exact = [n for n in bank.names if not reads_floats(bank.work.project, n)]
    assert by_tiles.select(exact).equals(stored.select(exact))
    later = pa.table({"branch": [1], "number": [1], "snapshot_date": [datetime(2024, 3, 1, 12)]})
    instants = spine.set_column(2, "snapshot_date", spine["snapshot_date"].cast(pa.timestamp("us")))
    by_rows = bank.asked(pa.concat_tables([instants, later.cast(instants.schema)]), bank.names)
    assert by_rows.slice(0, len(stored)).select(exact).equals(stored.select(exact))
    for name in bank.names:
        for told in (by_tiles, by_rows):
            assert all(map(same_cell, told[name].to_pylist(), stored[name].to_pylist())), name


def reads_floats(project, name):
    """Whether a column sums up `float` values, which no two plans add in one order."""
    for view in project.views.values():
        for feature in view.features:
            if name in map(str, feature.columns):
                parts = [str(p) for two in getattr(feature, "parts", {}).values() for p in two]
                of = getattr(feature, "of", "")
                return any(reads_floats(project, p) for p in parts) or of == "rate"
    return False


@pytest.mark.parametrize("hours", [0, 7])
def test_an_answer_made_in_many_ranges_is_the_same(bank, monkeypatch, hours):
    """By tiles a range is of customers, row by row it is of points."""
    once_is_enough(bank)
    times = [datetime(2024, 1, 1, hours) + timedelta(days=n) for n in range(0, 200, 9)]
    spine = drawn(bank, times)
    whole = bank.asked(spine, SOME)
    monkeypatch.setattr("tenure.feature_store.historical._CELLS", 50)
    ranges, of_ranges = [], HistoricalFeatures._ranges

    def noted(job, steps):
        for one in of_ranges(job, steps):
            ranges.append(one)
            yield one

    monkeypatch.setattr(HistoricalFeatures, "_ranges", noted)
    assert bank.asked(spine, SOME).equals(whole)
    assert len(ranges) > 5


def test_the_random_spine_meets_the_rules(bank):
    """Guards the comparison: instants at which nothing is known, or everything is old, would prove little."""
    once_is_enough(bank)
    got = bank.asked(drawn(bank, any_instants(bank)), bank.names)
    for name in ("segment", "fresh_segment", "amount_std_90d", "move_days_since_last", "worth_mean", "size_median_1m"):
        assert 0 < got[name].null_count < got.num_rows, name
    assert set(got["moving_streak_6m"].to_pylist()) > {0, 1, 2}
    assert {0.0, 1.0} < set(got["history_share_90d"].to_pylist())


moments = st.integers(0, 200 * 86_400).map(lambda s: datetime(2024, 1, 1) + timedelta(seconds=s))
midnights = st.integers(0, 200).map(lambda n: datetime(2024, 1, 1) + timedelta(days=n))
keys = st.tuples(st.sampled_from([None, 1, 2, 11]), st.sampled_from([None, 1, 11, 111, 7]))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_rows_at_all_come_back_as_they_went_in(bank, data):
    once_is_enough(bank)
    times = data.draw(st.sampled_from([moments, midnights]))
    rows = data.draw(st.lists(st.tuples(keys, times), max_size=12))
    spine = spine_of([(*key, at) for key, at in rows])
    assert bank.differences(spine, SOME) == {}


def test_a_month_back_in_sql_is_a_month_back_in_python(engine):
    """Every day of five years, a leap year among them, at an odd time of day; 90 days beside 3 months, which are not
    the same although intervals of the two compare equal."""
    days = [datetime(2023, 1, 1, 13, 45, 6, 7) + timedelta(days=n) for n in range(5 * 366)]
    # In this order, as the points have them, DuckDB has been seen to take 3 months for the 90 days before it.
    windows = sorted([Window(n, "m") for n in (1, 2, 3, 6, 12, 13)] + [Window(n) for n in (30, 60, 90, 180, 360)])
    starts = ", ".join(f"{at_instants.window_start(w, 't', engine.dialect)} AS w{w}" for w in windows)
    listed = ", ".join(f"(TIMESTAMP '{day}')" for day in days)
    engine.cache("odd_times", f"SELECT t FROM (VALUES {listed}) AS days(t)")
    found = engine.run(f"SELECT t, {starts} FROM odd_times GROUP BY t").to_pylist()
    assert len(found) == len(days)
    wrong = {
        (row["t"], w) for row in found for w in windows if instant(row[f"w{w}"]) != window_start(w, instant(row["t"]))
    }
    assert wrong == set()


def test_a_narrowed_project_makes_what_it_was_asked_for_and_stands_by_itself(bank):
    once_is_enough(bank)
    project = bank.work.project
    wanted = [
        ColumnName.parse(n) for n in ("online_size_ratio_1m", "way_mode_90d", "fresh_age", "moved_online_sum_30d")
    ]
    small = narrowed(project, wanted)
    validate(small)
    assert {str(name) for name in small.columns if name.subject != "history"} == {
        *("online_size_ratio_1m", "moved_online_sum_1m", "size_sum_1m"),  # a ratio and its parts
        *("way_mode_90d", "fresh_age", "moved_online_sum_30d"),
    }
    assert small.views["recently_described"].ttl == 40
    assert all(feature.where_defined for view in small.views.values() for feature in view.features)


def test_only_the_sources_of_the_asked_features_are_read(bank):
    spine = spine_of([(1, 1, datetime(2024, 3, 31))])
    text = bank.store.get_historical_features(spine, ["segment", "amount_sum_30d"]).sql()
    assert "clients" in text
    assert "moves" in text
    assert "holdings" not in text
    assert "income" not in text
    assert "90d" not in text


def test_wide_sql_has_no_filter_and_no_distinct_count(bank):
    """Either makes DuckDB several times slower; lists strip their nulls by a filter of their own."""
    spine = spine_of([(1, 1, datetime(2024, 3, 31, 12))])
    of_lists = ("median", "p10", "p25", "p75", "p90", "std", "rate", "pace")
    names = [n for n in bank.names if not any(part in n for part in of_lists)]
    text = bank.store.get_historical_features(spine, names).sql()
    assert "FILTER" not in text
    assert "COUNT(DISTINCT" not in text


def test_dates_far_apart_are_answered_row_by_row(bank):
    once_is_enough(bank)
    old, new = datetime(1, 1, 1), datetime(2024, 3, 31)
    spine = spine_of([(1, 1, old), (1, 1, new)])
    text = bank.store.get_historical_features(spine, SOME).sql()
    assert "grid_days" not in text
    got = bank.asked(spine, ["moves_count_30d", "segment"]).to_pylist()
    assert (got[0]["moves_count_30d"], got[0]["segment"]) == (0, None)
    assert math.isclose(got[1]["moves_count_30d"], bank.asked(spine.slice(1), ["moves_count_30d"])[3][0].as_py())


def test_a_snapshot_date_is_its_midnight(bank):
    once_is_enough(bank)
    day = pa.table({"branch": [1], "number": [1], "snapshot_date": [date(2024, 3, 31)]})
    at = pa.table({"branch": [1], "number": [1], "snapshot_date": [datetime(2024, 3, 31)]})
    assert bank.asked(day, SOME).select(SOME).equals(bank.asked(at, SOME).select(SOME))
