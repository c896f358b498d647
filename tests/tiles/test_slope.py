"""Slope: the change a day of the line of least squares through the values of a window, over the UTC days of events.

The golden SQL in tests/golden is rewritten by
`TENURE_REWRITE_GOLDEN=1 .venv/bin/pytest tests/tiles/test_slope.py -k golden`.
"""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import make_engine, quick
from hypothesis import given, settings
from hypothesis import strategies as st
from numbers_at_the_edge import TYPES, exact_slope, is_near

from tenure import Aggregate, Column, Csv, Source, days
from tenure.define.aggregates import KINDS
from tenure.define.definitions import load_project
from tenure.define.narrowing import narrowed
from tenure.define.window import ColumnName
from tenure.errors import InvalidDefinition
from tenure.feature_store import historical
from tenure.feature_store.routes.arrays import ArrayWindows
from tenure.feature_store.store import FeatureStore
from tenure.proofs.oracle.oracle import Oracle
from tenure.proofs.oracle.rules import instant, slope
from tenure.proofs.wording import compare_rows
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.tiles.features import FeatureSteps
from tenure.tiles.partials import DAY_ZERO, Readings

GOLDEN = Path(__file__).parents[1] / "golden"
T = date(2024, 5, 31)
MOST = 2**63 - 1

SOURCES = """\
from tenure import Column, Entity, Parquet, Source

person = Entity("person", key="person_id", source="people")
people = Source(
    "people", read=Parquet("people.parquet"), key="person_id", event_time="opened_on",
    columns=[Column("person_id", type="integer", role="key"), Column("opened_on", type="date", role="time")],
)
events = Source(
    "events", read=Parquet("events.parquet"), key="event_id", event_time="happened_at",
    columns=[
        Column("event_id", type="integer", role="key"),
        Column("person_id", type="integer", role="key"),
        Column("happened_at", type="timestamp", role="time"),
        Column("kind", role="dimension"),
        Column("amount", type="decimal", role="measure"),
        Column("pieces", type="integer", role="measure"),
        Column("rate", type="float", role="measure"),
    ],
)
"""

FEATURES = """\
from tenure import Aggregate, FeatureView, Ratio, days, months

every = FeatureView("every", source="events", features=[
    *(Aggregate(of, of=of, how=("slope", "mean"), windows=(*days(30, 90), *months(2)), unit="USD", doc="Money")
      for of in ("amount", "pieces", "rate")),
    *(Aggregate("by_" + of, of=of, how="slope", by="kind", values=["a", "b"], windows=days(90), doc="Money")
      for of in ("amount", "rate")),
    Ratio("change", of="amount_slope", to="amount_mean", windows=days(90), doc="Change a day of the usual"),
])
"""

CHURN = """\
from tenure import ChurnDefinition, Inactivity

churn = ChurnDefinition("quiet", event=Inactivity("events"), horizon=10)
"""

TOML = f"""\
[project]
name = "Slopes"
[data]
end = {T}
[snapshots]
every = "day"
first = {T}
last = {T}
"""

#: person → rows of (days before T, hour, cents; None is a null), worked out by hand below.
HAPPENED = {
    1: [(20, 0, 1000), (10, 23, 2000), (1, 12, 2900)],
    2: [(20, 0, 1000), (10, 0, 2000)],
    3: [(10, 0, 100), (10, 9, 300), (10, 23, 900)],
    4: [(20, 0, 1000), (10, 0, None), (1, 0, 2900)],
    5: [(80, 1, 10**12 + 1), (60, 2, 10**12 + 21), (40, 3, 10**12 + 41), (20, 4, 10**12 + 61), (10, 4, 10**12 + 71)],
    6: [(21, 0, 700), (11, 0, 700), (1, 0, 700)],
    7: [],
}


def write_bank(folder):
    for name in ("features", "data"):
        (folder / name).mkdir(parents=True)
    texts = {"tenure.toml": TOML, "sources.py": SOURCES, "churn.py": CHURN, "features/every.py": FEATURES}
    for name, text in texts.items():
        (folder / name).write_text(text)
    opened = pa.array([date(2022, 1, 1)] * len(HAPPENED), pa.date32())
    pq.write_table(
        pa.table({"person_id": pa.array(HAPPENED, pa.int64()), "opened_on": opened}),
        folder / "data" / "people.parquet",
    )
    rows = [
        (person, datetime.combine(T, datetime.min.time()) + timedelta(days=-back, hours=hour), cents)
        for person, happened in HAPPENED.items()
        for back, hour, cents in happened
    ]
    cents = [row[2] for row in rows]
    columns = {
        "event_id": pa.array(range(len(rows)), pa.int64()),
        "person_id": pa.array([row[0] for row in rows], pa.int64()),
        "happened_at": pa.array([row[1] for row in rows], pa.timestamp("us")),
        "kind": pa.array(["ab"[n % 5 == 4] for n in range(len(rows))]),
        "amount": pa.array([None if c is None else Decimal(c) / 100 for c in cents], TYPES["decimal"]),
        "pieces": pa.array(cents, pa.int64()),
        "rate": pa.array([None if c is None else c / 128 for c in cents], pa.float64()),
    }
    pq.write_table(pa.table(columns), folder / "data" / "events.parquet")
    return folder


# test_every_aggregate.py has slopes on Spark, against the oracle that is compared with the hand here.
@pytest.fixture(
    scope="module",
    params=["duckdb", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow, pytest.mark.thorough])],
)
def work(request, tmp_path_factory):
    """The bank with its features built; on DuckDB the gate has proved them."""
    folder = write_bank(tmp_path_factory.mktemp("slopes") / "bank")
    with Work.open(folder, engine=request.param, overrides=quick(request.param)) as opened:
        opened.use_engine(make_engine(request.param, request))
        list(run(opened, stages_between("staging", "features")))
        yield opened


def cells(rows, name):
    return {row["person_id"]: row[name] for row in rows.to_pylist()}


def test_a_slope_is_the_change_a_day_worked_out_by_hand(work):
    stored = cells(work.read("features"), "amount_slope_30d")
    # Of days 0, 10, 19 (mean 29/3) and 10, 20, 29 dollars: the line rises a dollar a day.
    assert stored[1] == 1.0
    assert stored[2] is None, "of two rows"
    assert stored[3] is None, "of one day, whatever the hours"
    assert stored[4] is None, "a null is no row"
    assert stored[6] == 0.0
    assert stored[7] is None, "of no rows"


def test_a_large_amount_does_not_hide_a_small_slope(work):
    rows = work.read("features")
    assert cells(rows, "amount_slope_90d")[5] == 0.01
    assert cells(rows, "pieces_slope_90d")[5] == 1.0
    assert cells(rows, "rate_slope_90d")[5] == 1 / 128


def test_every_slope_is_the_oracles(work):
    rows = {name: [plain(row) for row in work.read(name).to_pylist()] for name in work.project.sources}
    oracle = Oracle(project=work.project, rows=rows, dates=[T], dialect=work.engine.dialect)
    columns = [str(name) for name in work.project.columns]
    told = compare_rows(
        work.read("features").to_pylist(), oracle.features(), ("person_id", "snapshot_date"), columns, "by the oracle"
    )
    assert (told.different, told.example) == (0, "")
    assert any("by_amount_a_slope" in name for name in columns)


def plain(row):
    times = ("event_time", "known_time", "known_until")
    return row | {name: instant(row[name]) for name in times if row[name] is not None}


def test_a_slope_row_by_row_is_that_of_tiles(work, monkeypatch):
    monkeypatch.setattr(historical, "_MOST_DATES", -1)  # no tiles: row by row
    stored = work.read("features").sort_by("person_id")
    instants = stored["snapshot_date"].cast(pa.timestamp("us"))
    names = [str(name) for name in work.project.columns if name.aggregate == "slope"]
    spine = stored.select(["person_id"]).append_column("event_timestamp", instants)
    asked = FeatureStore(work).get_historical_features(spine, names).to_arrow()
    assert asked.select(names).to_pylist() == stored.select(names).to_pylist()


def test_small_amounts_are_added_up_by_arrays(tmp_path, monkeypatch):
    monkeypatch.delitem(HAPPENED, 5)
    taken = []
    by_arrays = ArrayWindows._cache_with_windows
    monkeypatch.setattr(ArrayWindows, "_cache_with_windows", lambda *asked: (by_arrays(*asked), taken.append(1))[0])
    with Work.open(write_bank(tmp_path / "bank"), overrides=quick("duckdb")) as opened:
        list(run(opened, stages_between("staging", "features")))
        kept = opened.read("tiles/events").column_names
        assert cells(opened.read("features"), "amount_slope_30d")[1] == 1.0
    assert taken
    for kind in ("__day_sum", "__day_day_sum", "__day_value_sum"):
        assert any(name.endswith(kind) for name in kept), kind


@pytest.mark.parametrize("dialect", ["duckdb", "spark"])
def test_the_sql_of_a_slope_is_golden(tmp_path, dialect):
    names = {ColumnName.parse("amount_slope_30d"), ColumnName.parse("rate_slope_30d")}
    project = narrowed(load_project(write_bank(tmp_path / "bank"), "Slopes"), names)
    steps = FeatureSteps(project, dialect, [T])
    text = "\n\n".join(select.text for select in [*steps.cached[3:], *steps.ranged(), steps.final()]) + "\n"
    golden = GOLDEN / f"slope.{dialect}.sql"
    if os.environ.get("TENURE_REWRITE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8"), "see this module's docstring to rewrite it"


def test_a_slope_is_told_with_its_unit(work):
    told = {str(name): text for name, text in work.project.columns.items()}["amount_slope_30d"]
    assert told.text == "Money, change a day over the 30 days before"
    assert (told.unit, told.empty) == ("USD a day", "null where there are none")
    assert KINDS["slope"].unit_of("") == "a day"


@pytest.mark.parametrize(
    ("features", "told"),
    [
        ('Aggregate("a", of="amount", how="slope", doc="x")', "'a' takes a slope over no window"),
        ('Aggregate("a", how="slope", windows=days(30), doc="x")', "'a' takes a slope of no column"),
        ('Aggregate("a", of="kind", how="slope", windows=days(30), doc="x")', "can't read 'kind', a string"),
    ],
)
def test_a_slope_needs_a_window_and_a_number(tmp_path, features, told):
    folder = write_bank(tmp_path / "bank")
    head = "from tenure import Aggregate, FeatureView, days\n\nevery = FeatureView('every', source='events', features=["
    (folder / "features" / "every.py").write_text(f"{head}{features}])\n")
    with pytest.raises(InvalidDefinition, match=told), Work.open(folder) as opened:
        assert opened.project is None


WORTH = {
    "integer": st.one_of(st.integers(-9, 9), st.integers(-MOST - 1, MOST), st.integers(10**12, 10**12 + 9)),
    "decimal": st.one_of(st.integers(-900, 900), st.integers(1 - 10**18, 10**18 - 1)).map(
        lambda cents: Decimal(cents).scaleb(-2)
    ),
    "float": st.one_of(st.floats(-10, 10), st.floats(1e12, 1e12 + 1), st.floats(-1e300, 1e300)),
}
DAYS = st.one_of(st.integers(0, 3), st.integers(-20_000, 20_000))


def of_two_tiles(connection, table, type_):
    """The slope of rows that two tiles were made of, as SQL merges them."""
    columns = [Column("k", type="integer", role="key"), Column("happened_at", type="timestamp", role="time")]
    columns.append(Column("v", type=type_, role="measure"))
    source = Source("rows_", read=Csv("rows.csv"), key="k", event_time="happened_at", columns=columns)
    feature = Aggregate("v", of="v", how="slope", windows=days(30), doc="Value")
    readings = Readings(source, [feature], "duckdb")
    partials = readings.needed(feature, "slope")
    of_rows = ", ".join(f"{p.of_rows(readings.row_value(p), 'duckdb')} AS {p.name}" for p in partials)
    of_tiles = ", ".join(f"{p.of_tiles('duckdb')} AS {p.name}" for p in partials)
    found = readings.aggregated(feature, "slope", lambda p: p.combined(["b"], "duckdb"))
    connection.register("rows_", table)
    ((cell,),) = connection.execute(
        f"WITH tiles AS (SELECT {of_rows} FROM rows_ AS r GROUP BY r.tile), b AS (SELECT {of_tiles} FROM tiles)\n"
        f"SELECT {found} FROM b"
    ).fetchall()
    return cell


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as opened:
        yield opened


@pytest.mark.parametrize("type_", list(WORTH))
@settings(deadline=None, max_examples=40)
@given(rows=st.data())
def test_a_slope_of_any_days_and_values_is_the_exact_one(connection, type_, rows):
    """Before and after DAY_ZERO, of any values; the oracle's is the exact one too."""
    drawn = rows.draw(st.lists(st.tuples(DAYS, WORTH[type_], st.booleans()), max_size=12))
    moments = [datetime.combine(DAY_ZERO, datetime.min.time()) + timedelta(days=day, hours=23) for day, _, _ in drawn]
    values = [value for _, value, _ in drawn]
    table = pa.table(
        {
            "event_time": pa.array(moments, pa.timestamp("us")),
            "v": pa.array(values, TYPES[type_]),
            "tile": pa.array([tile for _, _, tile in drawn], pa.bool_()),
        }
    )
    wanted = exact_slope([moment.date() for moment in moments], values)
    for found in (of_two_tiles(connection, table, type_), slope(moments, values)):
        assert is_near(found, wanted, values, "slope"), (found, wanted and float(wanted))
