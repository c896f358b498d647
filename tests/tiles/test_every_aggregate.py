"""Every aggregate × unit of window × empty case: the stored cell is the oracle's, and none of them is left out.

The features below are made from the aggregates that the definitions allow, so a new one is asked for at once: it fails
here until the tables and the oracle both know it, and until its value of nothing stands in OF_NOTHING.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from itertools import product
from typing import get_args

import pytest
from conftest import make_engine, quick

from tenure.define.aggregates import KINDS, How
from tenure.define.window import Window
from tenure.proofs.oracle.oracle import Oracle
from tenure.proofs.oracle.rules import instant
from tenure.proofs.wording import compare_rows
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

HOWS = tuple(KINDS)
UNITS = ("d", "m", "open", "history")
CASES = ("no rows at all", "none in the window", "only nulls", "one row", "two rows", "many rows")

#: What needs more rows than one is null of fewer.
ROWS_NEEDED = {"std": 2, "slope": 3}
FEW = {"one row": 1, "two rows": 2}

#: What each aggregate is of no rows, worked out by hand from docs/features.md.
OF_NOTHING = {
    **dict.fromkeys(("count", "sum", "distinct_count", "active_days", "streak"), 0),
    **dict.fromkeys(("mean", "min", "max", "std", "slope", "median", "p10", "p25", "p75", "p90"), None),
    **dict.fromkeys(("first", "last", "mode", "entropy", "days_since_last", "days_since_first"), None),
}

WINDOWS = {"d": Window(45), "m": Window(2, "m")}
COLUMNS = {
    "amount": "decimal",
    "long": "decimal",
    "pieces": "integer",
    "rate": "float",
    "kind": "string",
}
T = date(2024, 5, 31)

SOURCES = """\
from tenure import Column, Csv, Entity, Source

person = Entity("person", key="person_id", source="people")
people = Source(
    "people", read=Csv("people.csv"), key="person_id", event_time="opened_on",
    columns=[Column("person_id", type="integer", role="key"), Column("opened_on", type="date", role="time")],
)
events = Source(
    "events", read=Csv("events.csv"), key="event_id", event_time="happened_at",
    columns=[
        Column("event_id", type="integer", role="key"),
        Column("person_id", type="integer", role="key"),
        Column("happened_at", type="timestamp", role="time"),
        Column("amount", type="decimal", scale=4, role="measure"),
        Column("long", type="decimal", precision=38, scale=10, role="measure"),
        Column("pieces", type="integer", role="measure"),
        Column("rate", type="float", role="measure"),
        Column("kind", role="dimension"),
    ],
)
"""

CHURN = """\
from tenure import ChurnDefinition, Inactivity

churn = ChurnDefinition("quiet", event=Inactivity("events"), horizon=10)
"""

TOML = f"""\
[project]
name = "Every Aggregate"

[data]
end = {T}

[snapshots]
every = "day"
first = {T}
last = {T}
"""

#: person → days before the newest snapshot at which something happened, and the value; None is a null.
HAPPENED = {
    1: [],
    2: [(300, 1)],
    3: [(300, None), (20, None), (1, None), (110, None)],
    4: [(20, 3), (110, 2)],
    5: [(1, 1), (1, 2), (2, 2), (20, 4), (35, 5), (44, 6), (93, 1), (100, 2), (120, 9), (300, 1)],
    6: [(45, 3), (46, 5), (300, None)],
    7: [(10, 2), (30, 4)],
}


def units_of(how):
    """The units of window that the definitions allow: days, months, none (the rows open at t), all history."""
    kind = KINDS[how]
    if kind.reads_all_history:
        return ("history",)
    windowed = ("m",) if kind.window == "months" else ("d", "m")
    return windowed if kind.needs_window else (*windowed, "open")


def columns_of(how):
    return tuple(column for column, type_ in COLUMNS.items() if type_ in KINDS[how].reads)


def asked():
    """Every (how, column, unit) that is asked for, with the name of its feature column."""
    for how in HOWS:
        for of, unit in product(columns_of(how), units_of(how)):
            if of == "long" and unit != "d":
                continue  # Spark plans many columns for minutes
            subject = f"{of}_{unit}_{how}x"
            window = f"_{WINDOWS[unit]}" if unit in WINDOWS else ""
            yield how, of, unit, subject, f"{subject}_{how}{window}"


def features():
    lines = []
    for how, of, unit, subject, _ in asked():
        windows = {"d": "days(45)", "m": "months(2)"}.get(unit, "()")
        values = ", values=('a', 'b')" if KINDS[how].lists_values else ""
        lines.append(f"    Aggregate({subject!r}, of={of!r}, how={how!r}, windows={windows}{values}, doc='x'),")
    return (
        "from tenure import Aggregate, FeatureView, Ratio, Trend, days, months\n"
        "from tenure.define.window import Window\n\n"
        "every = FeatureView('every', source='events', features=[\n" + "\n".join(lines) + "\n"
        "    Aggregate('paid', of='amount', how=('sum', 'mean'), windows=(*days(7, 45), *months(1, 2)), doc='x'),\n"
        "    Aggregate('held', of='amount', how='sum', doc='x'),\n"
        "    Ratio('paid', of='paid_sum', to='paid_mean', windows=(*days(45), *months(2)), doc='x'),\n"
        "    Ratio('held', of='held_sum', to='held_sum', doc='x'),\n"
        "    Trend('paid_sum', short=Window(7), long=Window(45), doc='x'),\n"
        "    Trend('paid_mean', short=Window(1, 'm'), long=Window(2, 'm'), doc='x'),\n])\n"
    )


def write_project(folder):
    for name in ("features", "data"):
        (folder / name).mkdir(parents=True)
    texts = {"tenure.toml": TOML, "sources.py": SOURCES, "churn.py": CHURN, "features/every.py": features()}
    for name, text in texts.items():
        (folder / name).write_text(text)
    people = "".join(f"{person},2022-01-01\n" for person in HAPPENED)
    (folder / "data" / "people.csv").write_text("person_id,opened_on\n" + people)
    rows = [
        f"{person * 100 + number},{person},{instant(T) - timedelta(days=back, hours=-1)},{cells(value)}\n"
        for person, happened in HAPPENED.items()
        for number, (back, value) in enumerate(happened)
    ]
    head = "event_id,person_id,happened_at,amount,long,pieces,rate,kind\n"
    (folder / "data" / "events.csv").write_text(head + "".join(rows))
    return folder


def cells(value):
    if value is None:
        return ",,,,"
    decimals = f"{value}.1234,1234567890123456789{value}.0123456789"
    return f"{decimals},{value},{value / 10},{'abcdefghij'[value % 4]}"


@pytest.fixture(scope="module", params=["duckdb", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])])
def built(request, tmp_path_factory):
    """Stored features and staged rows; on DuckDB the gate has proved them too."""
    engine = make_engine(request.param, request)
    folder = write_project(tmp_path_factory.mktemp("every") / "bank")
    with Work.open(folder, engine=request.param, overrides=quick(request.param)) as work:
        work.use_engine(engine)
        list(run(work, stages_between("staging", "features")))
        rows = {name: [plain(row) for row in work.read(name).to_pylist()] for name in work.project.sources}
        yield work.project, work.read("features").to_pylist(), rows, request.param


def plain(row):
    times = ("event_time", "known_time", "known_until")
    return row | {name: instant(row[name]) for name in times if row[name] is not None}


def case_of(rows, of, unit, t):
    """Which case a customer's rows are, by the test's own reckoning."""
    if not rows:
        return "no rows at all"
    start = instant(WINDOWS[unit].start(t)) if unit in WINDOWS else None
    span = [row for row in rows if row["event_time"] < instant(t) and (start is None or row["event_time"] >= start)]
    values = [row[of] for row in span if row[of] is not None]
    if not span:
        return "none in the window"
    return {0: "only nulls", 1: "one row", 2: "two rows"}.get(len(values), "many rows")


def met(built):
    """(how, unit, case) → the stored cells that are of it."""
    _, stored, rows, _ = built
    own = defaultdict(list)
    for row in rows["events"]:
        own[row["person_id"]].append(row)
    found = defaultdict(list)
    for how, of, unit, _, name in asked():
        for row in stored:
            case = case_of(own[row["person_id"]], of, unit, row["snapshot_date"])
            found[how, unit, case].append(row[name])
    return found


def test_every_aggregate_unit_and_empty_case_is_met(built):
    wanted = {
        (how, unit, case)
        for how in HOWS
        for unit, case in product(units_of(how), CASES)
        if case != "none in the window" or unit in WINDOWS
    }
    assert set(met(built)) == wanted
    assert set(HOWS) == set(get_args(How)) == set(OF_NOTHING)


def test_every_cell_is_the_oracles(built):
    project, stored, rows, dialect = built
    oracle = Oracle(project=project, rows=rows, dates=[T], dialect=dialect)
    columns = [str(name) for name in project.columns]
    told = compare_rows(stored, oracle.features(), ("person_id", "snapshot_date"), columns, "by the oracle")
    assert (told.different, told.example) == (0, "")
    assert told.compared == len(HAPPENED) * len(columns)
    assert oracle.unproven == {}


def test_nothing_is_what_the_page_says(built):
    found = met(built)
    for (how, _, case), values in found.items():
        if case in ("no rows at all", "none in the window", "only nulls"):
            assert values == [OF_NOTHING[how]] * len(values), (how, case)
        elif FEW.get(case, 3) < ROWS_NEEDED.get(how, 1):
            assert values == [None] * len(values)
        else:
            assert None not in values, (how, case)


def test_an_aggregate_that_the_oracle_does_not_know_is_refused(built, monkeypatch):
    project, _, rows, dialect = built
    monkeypatch.setattr("tenure.proofs.oracle.oracle.AGGREGATED", {})
    with pytest.raises(NotImplementedError, match="does not know the aggregate 'count'"):
        Oracle(project=project, rows=rows, dates=[T], dialect=dialect).features()
