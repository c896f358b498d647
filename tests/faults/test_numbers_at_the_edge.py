"""Numbers at the edge of their type: every aggregate is the exact one by every way, or the value is refused by name."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import make_engine
from numbers_at_the_edge import TYPES, decimals, exact, exact_slope, floats, integers, is_near

from tenure.define.narrowing import narrowed
from tenure.define.window import Window
from tenure.errors import BadValue
from tenure.feature_store import historical as historical_features
from tenure.feature_store.routes import ROUTES
from tenure.feature_store.routes.arrays import ArrayWindows
from tenure.feature_store.routes.sql import SqlRoute
from tenure.feature_store.store import FeatureStore
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.tiles.features import FeatureSteps

DATES = [date(2024, 4, 30), date(2024, 5, 31)]
HOWS = ("sum", "mean", "std", "min", "max", "p10", "median", "p90")
#: Two windows of days, one of months; None is all that is open.
WINDOWS = (Window(30), Window(45), Window(2, "m"), None)
COLUMNS = {
    "pieces": "integer",
    "amount": "decimal",
    "long": r"decimal\(38, 4\)",
    "rate": "float",
}
ARROW = {
    "pieces": TYPES["integer"],
    "amount": TYPES["decimal"],
    "long": pa.decimal128(38, 4),
    "rate": TYPES["float"],
}
MOST = 2**63 - 1

SOURCES = """\
from tenure import Column, Entity, Parquet, Source

person = Entity("person", key="person_id", source="people")
people = Source(
    "people", read=Parquet("people.parquet"), key="person_id", event_time="opened_on",
    columns=[Column("person_id", type="integer", role="key"), Column("opened_on", type="date", role="time")],
)
events = Source(
    "events", read=Parquet("events.parquet"), key="event_id", event_time="happened_at", known_time="known_at"QUARANTINE,
    columns=[
        Column("event_id", type="integer", role="key"),
        Column("person_id", type="integer", role="key"),
        Column("happened_at", type="timestamp", role="time"),
        Column("known_at", type="timestamp", role="time"),
        Column("pieces", type="integer", role="measure"),
        Column("amount", type="decimal", role="measure"),
        Column("long", type="decimal", precision=38, scale=4, role="measure"),
        Column("rate", type="float", role="measure"),
    ],
)
"""

FEATURES = """\
from tenure import Aggregate, FeatureView, Ratio, Trend, days, months
from tenure.define.window import Window

every = FeatureView("every", source="events", features=[
    *(Aggregate(of, of=of, how=("sum", "mean", "std", "min", "max", "p10", "median", "p90", "slope"),
                windows=(*days(30, 45), *months(2)), doc="x") for of in ("pieces", "amount", "long", "rate")),
    *(Aggregate("open_" + of, of=of, how=("sum", "mean", "std", "min", "max"), doc="x")
      for of in ("pieces", "amount", "long", "rate")),
    Aggregate("ends_at", of="pieces", how=("first", "last", "distinct_count"), windows=days(30), doc="x"),
    Aggregate("ends_long", of="long", how=("first", "last", "distinct_count"), windows=days(30), doc="x"),
    Aggregate("ends_rate", of="rate", how=("first", "last", "distinct_count"), windows=days(30), doc="x"),
    Ratio("rate", of="rate_max", to="rate_min", windows=days(30, 45), doc="x"),
    Ratio("pieces", of="pieces_sum", to="amount_sum", windows=days(30), doc="x"),
    Trend("rate_sum", short=Window(30), long=Window(45), doc="x"),
])
"""

CHURN = """\
from tenure import ChurnDefinition, Inactivity

churn = ChurnDefinition("quiet", event=Inactivity("events"), horizon=10)
"""

TOML = """\
[project]
name = "Edge"
[data]
end = 2024-05-31
[snapshots]
every = "month-end"
first = 2024-04-30
last = 2024-05-31
"""


def write_bank(folder, people, rows, quarantine=""):
    """Write a project whose people opened in 2022 and to whom rows (person, happened, known, values) happened."""
    for name in ("features", "data"):
        (folder / name).mkdir(parents=True)
    texts = {"tenure.toml": TOML, "sources.py": SOURCES, "churn.py": CHURN, "features/every.py": FEATURES}
    for name, text in texts.items():
        (folder / name).write_text(text.replace("QUARANTINE", quarantine))
    opened = pa.array([date(2022, 1, 1)] * len(people), pa.date32())
    pq.write_table(pa.table({"person_id": people, "opened_on": opened}), folder / "data" / "people.parquet")
    kinds = {"person_id": pa.int64(), "happened_at": pa.timestamp("us"), "known_at": pa.timestamp("us")}
    kinds |= ARROW
    columns = {name: pa.array([row[n] for row in rows], kind) for n, (name, kind) in enumerate(kinds.items())}
    pq.write_table(
        pa.table({"event_id": pa.array(range(len(rows)), pa.int64()), **columns}), folder / "data" / "events.parquet"
    )
    return folder


def drawn_values(chance):
    return [integers(chance), decimals(chance), decimals(chance, 38, 4), floats(chance)]


def drawn_rows(seed, people, *, fit):
    """Rows of each person, some known weeks later; with `fit` of decimals and integers that arrays add up."""
    chance = random.Random(seed)  # noqa: S311
    rows = []
    for person in people:
        usual = drawn_values(chance)
        for _ in range(chance.choice([0, 2, 3, 6, 12, 25])):
            happened = datetime.combine(DATES[-1], time()) - timedelta(days=chance.randrange(1, 90), hours=3)
            known = happened + timedelta(days=chance.choice([0, 0, 0, 20]))
            values = drawn_values(chance)
            if chance.random() < 0.3:
                values = usual
            if fit:
                values = [values[0] % 10**12, values[1] % 10**10, *values[2:]]
            rows.append((person, happened, known, *(None if chance.random() < 0.1 else value for value in values)))
    return rows


def seen(rows, person, t, window):
    """A person's rows that a window of t sees."""
    instant = datetime.combine(t, time())
    start = datetime.combine(window.start(t), time()) if window else datetime.min
    return [row for row in rows if row[0] == person and row[2] < instant and start <= row[1] < instant]


def wrong_cells(stored, rows):
    """The cells of numeric aggregates that are not the exact number."""
    of_person = defaultdict(list)
    for row in rows:
        of_person[row[0]].append(row)
    found = []
    for cell in stored:
        own = of_person[cell["person_id"]]
        for window in WINDOWS:
            those = seen(own, cell["person_id"], cell["snapshot_date"], window)
            for at, of in enumerate(COLUMNS):
                values = [row[3 + at] for row in those if row[3 + at] is not None]
                for how in HOWS if window else HOWS[:5]:
                    name = f"{of}_{how}_{window}" if window else f"open_{of}_{how}"
                    wanted = exact(how, values)
                    if not is_near(cell[name], wanted, values, how):
                        found.append((name, cell[name], wanted and float(wanted), values))
                if window:
                    days = [row[1].date() for row in those if row[3 + at] is not None]
                    name, wanted = f"{of}_slope_{window}", exact_slope(days, values)
                    if not is_near(cell[name], wanted, values, "slope"):
                        found.append((name, cell[name], wanted and float(wanted), values))
    return found


def different_columns(left, right, names):
    """The columns in which any bit differs, with the first cell that does; no cell may be NaN."""
    pairs = ((name, zip(left[name].to_pylist(), right[name].to_pylist(), strict=True)) for name in names)
    found = {name: [(repr(a), repr(b)) for a, b in cells if repr(a) != repr(b)] for name, cells in pairs}
    return {name: cells[0] for name, cells in found.items() if cells}


def built(folder, engine, proved=1000):
    work = Work.open(folder, engine="duckdb", overrides={"verify": {"customers": proved}})
    work.use_engine(engine)
    list(run(work, stages_between("staging", "features")))
    return work


@pytest.mark.parametrize(("seed", "fit"), [(1, False), (2, False), (3, True)])
def test_every_way_ends_in_the_exact_numbers_and_in_the_same_bits(seed, fit, tmp_path, monkeypatch, request):
    people = list(range(1, 11))
    rows = drawn_rows(seed, people, fit=fit)
    taken = []
    by_arrays = ArrayWindows._cache_with_windows

    def noted(*asked):
        made = by_arrays(*asked)
        taken.append(1)
        return made

    monkeypatch.setattr(ArrayWindows, "_cache_with_windows", noted)
    # The gate proves every customer by the oracle and by SQL before it commits.
    work = built(write_bank(tmp_path / "arrays", people, rows), make_engine("duckdb", request))
    assert bool(taken) == fit, "numbers that fit are added up by arrays, others by SQL"
    stored = work.read("features").sort_by([("snapshot_date", "ascending"), ("person_id", "ascending")])
    assert wrong_cells(stored.to_pylist(), rows) == []
    assert stored.num_rows == len(people) * len(DATES)

    monkeypatch.setitem(ROUTES, "duckdb", SqlRoute)
    again = built(write_bank(tmp_path / "sql", people, rows), make_engine("duckdb", request), proved=0)
    by_sql = again.read("features").sort_by([("snapshot_date", "ascending"), ("person_id", "ascending")])
    assert different_columns(by_sql, stored, stored.column_names) == {}

    monkeypatch.setattr(historical_features, "_MOST_DATES", -1)  # no tiles: row by row
    spine = stored.select(["person_id"]).append_column(
        "event_timestamp", stored["snapshot_date"].cast(pa.timestamp("us"))
    )
    names = [name for name in stored.column_names if name not in ("person_id", "snapshot_date")]
    asked = FeatureStore(work).get_historical_features(spine, names).to_arrow()
    assert different_columns(asked, stored, names) == {}


@pytest.mark.spark
def test_spark_ends_in_the_numbers_of_duckdb(tmp_path, request):
    people = list(range(1, 13))
    rows = drawn_rows(4, people, fit=False)
    work = built(write_bank(tmp_path / "bank", people, rows), make_engine("duckdb", request), proved=0)
    # Few columns: Spark plans many for minutes; test_finish.py asks it for all the arithmetic.
    asked = {n for n in work.project.columns if n.window == Window(30) and n.aggregate in ("sum", "std") and not n.over}
    project = narrowed(work.project, asked)
    engine = make_engine("spark", request)
    for name in ("people", "events", "snapshots"):
        version = work.require(name)
        engine.scan(name, version.files, version.schema, version.partition_by)
    steps = FeatureSteps(project, "spark", DATES)
    for select in (*steps.cached, *steps.ranged()):
        engine.cache(select.table, select.text)
    order = [("snapshot_date", "ascending"), ("person_id", "ascending")]
    names = ["person_id", "snapshot_date", *map(str, project.columns)]
    got = engine.run(steps.final().text).select(names).sort_by(order)
    stored = work.read("features").select(names).sort_by(order)
    whole = ["pieces_sum_30d", "pieces_std_30d", "long_sum_30d", "long_std_30d"]
    assert set(whole) <= set(names)
    floats_alone = [name for name in names if name.startswith("rate_")]
    assert different_columns(got, stored, floats_alone) == {}
    assert floats_alone == ["rate_sum_30d", "rate_std_30d"]
    # DuckDB rounds a whole number of more than 64 bits in two steps to a DOUBLE, Spark in one.
    for name in names[2:]:
        for cell, wanted in zip(got[name].to_pylist(), stored[name].to_pylist(), strict=True):
            assert cell == wanted or math.isclose(cell, wanted, rel_tol=4e-16), name


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("rate", float("nan")),
        ("rate", float("inf")),
        ("rate", float("-inf")),
        ("pieces", Decimal(MOST + 1)),
        ("pieces", Decimal(-MOST - 2)),
        ("amount", Decimal("10000000000000000.00")),
        ("long", Decimal(10**34)),
    ],
)
def test_a_value_that_its_type_does_not_hold_is_refused_or_set_aside_by_name(column, value, tmp_path, request):
    happened = datetime(2024, 5, 1)
    rows = [(person, happened, happened, person, *[Decimal(person)] * 2, person / 4) for person in (1, 2, 3)]
    folder = write_bank(tmp_path / "bank", [1, 2, 3], rows)
    events = pq.read_table(folder / "data" / "events.parquet")
    kind = pa.float64() if column == "rate" else pa.decimal128(38, 2)
    values = [events[column][0].as_py(), value, events[column][2].as_py()]
    at = events.schema.get_field_index(column)
    pq.write_table(events.set_column(at, column, pa.array(values, kind)), folder / "data" / "events.parquet")
    with pytest.raises(BadValue, match=f"source 'events', column '{column}': not an? {COLUMNS[column]}"):
        built(folder, make_engine("duckdb", request))
    # The cure that the message tells: one customer's value is set aside, and the others have their features.
    sources = folder / "sources.py"
    sources.write_text(sources.read_text().replace('known_time="known_at",', 'known_time="known_at", quarantine=0.5,'))
    cells = {
        row["person_id"]: row for row in built(folder, make_engine("duckdb", request)).read("features").to_pylist()
    }
    assert [cells[person][f"{column}_sum_45d"] for person in (1, 2, 3)] == [float(values[0]), 0, float(values[2])]


def test_the_zero_with_a_sign_is_zero(tmp_path, request):
    happened = datetime(2024, 5, 20)
    rows = [(1, happened, happened, n, *[Decimal(n)] * 2, zero) for n, zero in enumerate((0.0, -0.0, -0.0))]
    work = built(write_bank(tmp_path / "bank", [1], rows), make_engine("duckdb", request))
    (cells,) = [row for row in work.read("features").to_pylist() if row["snapshot_date"] == DATES[-1]]
    assert cells["ends_rate_distinct_count_30d"] == 1
    assert {repr(cells[f"rate_{how}_30d"]) for how in HOWS} == {"0.0"}


def test_what_a_double_cannot_hold_is_null_and_ends_no_run(tmp_path, request):
    happened, largest = datetime(2024, 5, 20), 1.7976931348623157e308
    rows = [(person, happened, happened, 1, *[Decimal(1)] * 2, rate) for person in (1, 2) for rate in (largest, 5e-324)]
    rows += [(1, happened, happened, 1, *[Decimal(1)] * 2, largest)]
    rows += [(2, happened, happened, 1, *[Decimal(1)] * 2, -largest)] * 2
    work = built(write_bank(tmp_path / "bank", [1, 2], rows), make_engine("duckdb", request))
    one, other = [row for row in work.read("features").to_pylist() if row["snapshot_date"] == DATES[-1]]
    assert (one["rate_sum_30d"], one["rate_ratio_30d"], one["rate_sum_30d_over_45d"]) == (None, None, None)
    assert one["rate_mean_30d"] == pytest.approx(largest * (2 / 3), rel=1e-15)
    assert (other["rate_sum_30d"], other["rate_ratio_30d"]) == (-largest, -1.0)


def test_amounts_of_ten_million_have_their_deviation(tmp_path, request):
    happened = datetime(2024, 5, 20)
    rows = [
        (1, happened, happened, 1, *[Decimal("10000000.00")] * 2, 1e9),
        (1, happened, happened, 1, *[Decimal("0.00")] * 2, 1e9 + 0.5),
    ]
    work = built(write_bank(tmp_path / "bank", [1, 2], rows), make_engine("duckdb", request))
    (cells,) = [r for r in work.read("features").to_pylist() if r["snapshot_date"] == DATES[-1] and r["person_id"] == 1]
    for name in ("amount", "long"):
        assert cells[f"{name}_std_30d"] == pytest.approx(7071067.811865476, rel=1e-15)
    assert cells["rate_std_30d"] == pytest.approx(0.3535533905932738, rel=1e-15)
