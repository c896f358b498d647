"""Aggregates of reconciled accounts, worked out by hand: a break in an account makes a customer's column null.

    ──[ 60 days ··············)┊ t        t is 03-31, then 04-30
       a break of a day before t, in rows known before t?

The oracle, the destroyed future and the row-by-row way at any instant must say the same.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest
from conftest import make_engine, quick
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_world import FILES, STATEMENT, at, booking, ledgers, rows_in_sql, types_of
from oracle import Oracle, staged

from tenure.define.definitions import load_project
from tenure.errors import InvalidDefinition
from tenure.feature_store import historical
from tenure.feature_store.store import FeatureStore
from tenure.proofs.gate import sample_proofs
from tenure.session.meaning import meanings
from tenure.session.origins import Origins
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.stages.verify import single_runs, travel_in_time
from tenure.tables.sample import SAMPLED
from tenure.tables.sampled_accounts import SampledAccounts
from tenure.tiles.at_instants import ANSWERS, ASKED, AtInstants
from tenure.tiles.features import FeatureSteps

DATES = (date(2024, 3, 31), date(2024, 4, 30))

FEATURES = """\
from tenure import Aggregate, FeatureView, Ratio, days

held = FeatureView(
    "held",
    source="bookings",
    features=[
        Aggregate("balance", of="balance", how="last", windows=days(60), reconciled="ledger", doc="Balance"),
        Aggregate("balance_seen", how="days_since_last", reconciled="ledger", doc="Balances"),
        Aggregate("booking", how="count", windows=days(60), doc="Bookings"),
        Aggregate("sure_booking", how="count", windows=days(60), reconciled="stated", doc="Sure bookings"),
        Aggregate("balance_by", how="count", by="side", values=("in", "out"), reconciled="ledger", doc="Bookings"),
        Ratio("sure", of="sure_booking_count", to="booking_count", windows=days(60), doc="Share of sure bookings"),
    ],
)
"""

CHURN = """\
from tenure import ChurnDefinition, Inactivity

silent = ChurnDefinition("silent", event=Inactivity("bookings"), gap=0, horizon=10)
"""

#: A statement does not say whose account it is.
WORLD = FILES | {
    "sources.py": FILES["sources.py"].replace(
        'Column("customer_id", role="key"),\n        Column("stated_at"', 'Column("stated_at"'
    ),
    "churn.py": CHURN,
    "features/who.py": FEATURES,
}

#: Customer → bookings (account, day, moved, balance[, known[, booking that it is a version of]]), and balance_last_60d
#: at both snapshots.
BY_HAND = {
    "whole": ([(0, "03-05", 100, 100), (0, "04-10", -60, 40)], (100, 40)),
    "breaks": ([(0, "03-05", 100, 100), (0, "03-20", 10, 500)], (None, None)),
    "breaks_later": ([(0, "03-05", 100, 100), (0, "04-10", 1, 999)], (100, None)),
    "corrected": ([(0, "03-05", 100, 100), (0, "03-20", 10, 111), (0, "03-20", 10, 110, at("04-05"), 1)], (None, 110)),
    "booked_late": (
        [(0, "03-05", 100, 100), (0, "03-20", 50, 150, at("04-02")), (0, "03-25", -10, 140)],
        (None, 140),
    ),
    "known_at_midnight": ([(0, "03-05", 100, 100), (0, "03-30", 5, 777, at("03-31", 0))], (100, None)),
    "known_a_second_before": (
        [(0, "03-05", 100, 100), (0, "03-30", 5, 777, at("03-31", 0) - timedelta(seconds=1))],
        (None, None),
    ),
    "one_of_two": ([(0, "03-05", 100, 100), (1, "03-06", 5, 6)], (None, None)),
    "joint": ([("whole_0", "04-11", 1, 50)], (None, None)),
    "no_account": ([(None, "03-05", 100, 7)], (7, 7)),
    "broke_long_ago": ([(0, "01-05", 100, 1), (0, "04-05", 3, 4)], (None, None)),
}
# The booking of 'joint' breaks the account that 'whole' has too, from 04-11 on.
BY_HAND["whole"] = (BY_HAND["whole"][0], (100, None))

#: Statements: 'breaks' holds what it should but for its running balance, 'breaks_later' does not.
STATEMENTS = [
    ("whole_0", "03-28", 100),
    ("breaks_0", "03-28", 110),
    ("breaks_later_0", "03-28", 100),
    ("breaks_later_0", "04-28", 55),
]

#: sure_booking_count_60d at both snapshots: null where the statements are not met.
SURE = {"whole": (1, 2), "breaks": (2, 2), "breaks_later": (1, None)}


def raw_rows():
    bookings = []
    for number, (name, (rows, _)) in enumerate(BY_HAND.items()):
        for n, (place, day, moved, balance, *rest) in enumerate(rows):
            known, version_of = (*rest, None, None)[:2]
            account = f"{name}_{place}" if isinstance(place, int) else place
            key = number * 100 + (n if version_of is None else version_of)
            bookings.append(booking(key, account, name, day, moved, balance, known))
    customers = [{"customer_id": name, "joined_on": date(2023, 1, 1), "left_on": None} for name in BY_HAND]
    said = [
        dict(zip(STATEMENT, (account, "", at(day), Decimal(b), at(day)), strict=True)) for account, day, b in STATEMENTS
    ]
    return {"customers": customers, "bookings": bookings, "statements": said}


def write_definitions(folder, **changed):
    for name, text in (WORLD | changed).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def write_bank(folder):
    (write_definitions(folder) / "data").mkdir()
    for name, rows in raw_rows().items():
        with (folder / "data" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.fixture(scope="module", params=["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def work(request, tmp_path_factory):
    if request.param == "spark":
        request.getfixturevalue("spark_session")
    with Work.open(
        write_bank(tmp_path_factory.mktemp(request.param) / "bank"), overrides=quick(request.param)
    ) as opened:
        list(run(opened, stages_between("staging", "features")))
        yield opened


def told(rows, column, expected):
    found = {(row["customer_id"], row["snapshot_date"]): row[column] for row in rows}
    return {name: tuple(found[name, day] for day in DATES) for name in expected}


def test_a_break_that_is_known_makes_a_balance_unknown(work):
    rows = work.read("features").to_pylist()
    expected = {name: values for name, (_, values) in BY_HAND.items()}
    assert told(rows, "balance_last_60d", expected) == expected
    assert told(rows, "sure_booking_count_60d", SURE) == SURE


def test_counts_are_unknown_too_and_other_columns_are_not(work):
    rows = work.read("features").to_pylist()
    for column in ("balance_seen_days_since_last", "balance_by_in_count", "balance_by_out_count"):
        assert told(rows, column, ["breaks", "one_of_two"]) == {"breaks": (None, None), "one_of_two": (None, None)}
    assert told(rows, "balance_by_out_count", ["no_account"]) == {"no_account": (0, 0)}
    assert told(rows, "booking_count_60d", ["breaks", "one_of_two"]) == {"breaks": (2, 2), "one_of_two": (2, 2)}
    assert told(rows, "sure_ratio_60d", SURE) == {"whole": (1, 1), "breaks": (1, 1), "breaks_later": (1, None)}


def test_the_proofs_hold_of_all_and_of_a_sample(work):
    work.scan(["features"])
    for customers in (100, 3):
        for proof in sample_proofs(work, "features", DATES, customers):
            assert proof.holds, proof.failure
            assert proof.cells
            assert not proof.unproven
    assert all(comparison.equal for proof in (travel_in_time, single_runs) for comparison in proof(work))


def test_rows_at_any_instant_say_what_the_snapshots_say(work, monkeypatch):
    stored = work.read("features").sort_by([("snapshot_date", "ascending"), ("customer_id", "ascending")])
    names = [name for name in stored.column_names if name not in ("customer_id", "snapshot_date", "history_share_60d")]
    spine = stored.select(["customer_id", "snapshot_date"]).rename_columns(["customer_id", "event_timestamp"])
    by_tiles = FeatureStore(work).get_historical_features(spine, names).to_arrow()
    assert by_tiles.select(names).to_pylist() == stored.select(names).to_pylist()
    monkeypatch.setattr(historical, "_MOST_DATES", -1)  # no tiles: row by row
    by_rows = FeatureStore(work).get_historical_features(spine, names).to_arrow()
    assert by_rows.select(names).to_pylist() == stored.select(names).to_pylist()


def test_features_are_built_again_when_the_reconciliation_or_a_booking_changes(tmp_path):
    bank = write_bank(tmp_path / "bank")

    def run_again():
        with Work.open(bank, overrides=quick("duckdb")) as work:
            statuses = {record.stage: record.status for record in run(work, stages_between("staging", "features"))}
            return statuses["features"], told(work.read("features").to_pylist(), "balance_last_60d", ["breaks"])[
                "breaks"
            ]

    assert run_again() == ("built", (None, None))
    assert run_again() == ("current", (None, None))
    sources = WORLD["sources.py"].replace('balance="balance"\n', 'balance="balance", tolerance=390\n')
    (bank / "sources.py").write_text(sources)
    assert run_again() == ("built", (500, 500))
    statements = bank / "data" / "statements.csv"
    statements.write_text(
        statements.read_text().replace("breaks_0,,2024-03-28 12:00:00,110", "breaks_0,,2024-03-28 12:00:00,7")
    )
    assert run_again()[0] == "built"


# Random ledgers


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return load_project(write_definitions(tmp_path_factory.mktemp("drawn")), "Ledgers")


@pytest.fixture(scope="module")
def duckdb(request):
    engine = make_engine("duckdb", request)
    yield engine
    engine.close()


def by_key(rows, time):
    return {(row["customer_id"], row.pop(time)): row for row in rows}


@given(raw=ledgers(), every=st.sampled_from(["", "day", "month"]), opening=st.sampled_from(["zero", "unknown"]))
@settings(max_examples=25)
def test_random_ledgers_are_computed_as_the_oracle_does(drawn, duckdb, raw, every, opening):
    declared = {
        "ledger": replace(drawn.reconciliations["ledger"], opening=opening),
        "stated": replace(drawn.reconciliations["stated"], opening=opening, every=every),
    }
    project = replace(drawn, reconciliations=declared)
    rows = {name: staged(project.sources[name], those) for name, those in raw.items()}
    for name, those in rows.items():
        duckdb.cache(name, rows_in_sql(those, types_of(project.sources[name])))
    dates = [date(2024, 3, 31), date(2024, 4, 10), date(2024, 5, 13)]
    oracle = Oracle(project=project, churn=project.churn, rows=rows, dates=dates, data_end=date(2024, 6, 9))
    types = {"customer_id": "VARCHAR(30)", "snapshot_date": "DATE", "opened_on": "DATE", "tenure_days": "INTEGER"}
    duckdb.cache("snapshots", rows_in_sql(oracle.snapshots(), types))
    steps = FeatureSteps(project, "duckdb", dates)
    for select in (*steps.cached, *steps.ranged()):
        duckdb.cache(select.table, select.text)
    found = by_key(duckdb.run(steps.final().text).to_pylist(), "snapshot_date")
    assert found == by_key(oracle.features(), "snapshot_date")
    for name, those in rows.items():
        accounts = SampledAccounts(project, "duckdb", lambda source: source)
        duckdb.cache(SAMPLED, "SELECT 'bob' AS customer_id")
        if name != "customers":
            few = duckdb.run(accounts.rows(name)).to_pylist()
            assert len(few) <= len(those)
            rows[name] = few
    of_few = Oracle(project=project, churn=project.churn, rows=rows, dates=dates, data_end=date(2024, 6, 9))
    bob = {key: row for key, row in by_key(of_few.features(), "snapshot_date").items() if key[0] == "bob"}
    assert bob == {key: row for key, row in found.items() if key[0] == "bob"}


@given(raw=ledgers(), hour=st.integers(0, 23))
@settings(max_examples=10)
def test_random_ledgers_at_any_instant_are_computed_as_the_oracle_does(drawn, duckdb, raw, hour):
    rows = {name: staged(drawn.sources[name], those) for name, those in raw.items()}
    for name, those in rows.items():
        duckdb.cache(name, rows_in_sql(those, types_of(drawn.sources[name])))
    oracle = Oracle(project=drawn, churn=drawn.churn, rows=rows, dates=[], data_end=date(2024, 6, 9))
    instants = [datetime(2024, 4, 10, hour, 30), datetime(2024, 5, 13)]
    points = product(("ann", "bob"), instants)
    asked = [{"row_no": n, "customer_id": who, "ts": ts} for n, (who, ts) in enumerate(points)]
    duckdb.cache(ASKED, rows_in_sql(asked, {"row_no": "BIGINT", "customer_id": "VARCHAR(30)", "ts": "TIMESTAMP"}))
    steps = AtInstants(drawn, "duckdb")
    for select in (steps.points, *steps.unreconciled):
        duckdb.cache(select.table, select.text)
    found = by_key(duckdb.run(steps.final().text).to_pylist(), "ts")
    assert steps.final().table == ANSWERS
    for (who, ts), row in found.items():
        expected = oracle.features_at({"customer_id": who, "snapshot_date": ts})
        assert row == {name: expected[name] for name in row}


# Definitions


def test_the_column_says_when_it_is_unknown(drawn):
    column = drawn.described_columns["sure_booking_count_60d"]
    assert column.empty == "0 where there are none, null where 'stated' finds a break"
    assert drawn.viewed == ("bookings", "statements")
    read = {
        (one.source, one.column)
        for one in Origins(drawn, "duckdb", drawn.churn).readings_of(drawn.named_columns["sure_booking_count_60d"])
    }
    assert {("statements", "held"), ("bookings", "side"), ("bookings", "amount")} <= read


def test_what_a_column_means_depends_on_how_its_accounts_are_reconciled(tmp_path):
    def meant(old="", new=""):
        text = WORLD["sources.py"]
        assert old in text
        folder = write_definitions(tmp_path, **{"sources.py": text.replace(old, new) if old else text})
        project = load_project(folder, "Ledgers")
        return meanings(project, project.churn)

    before, changed = meant(), meant('balance="held"', 'balance="held", tolerance=1')
    different = {name for name in before if before[name] != changed[name]}
    assert different == {"sure_booking_count_60d", "sure_ratio_60d"}
    assert meant() == meant('balance="held"', 'balance="held", doc="Month ends"')


@pytest.mark.parametrize(
    ("reconciled", "message"),
    [
        (
            "legder",
            "(features/who.py:7) counts only accounts that reconciliation 'legder' finds no break of; ",
        ),
        ("of_others", "whose account reconciliation 'of_others' finds no break of, but that reads: payments"),
        (7, "reconciled=7"),
    ],
)
def test_a_reconciliation_that_does_not_fit_is_refused(tmp_path, reconciled, message):
    features = FEATURES.replace('reconciled="ledger"', f"reconciled={reconciled!r}", 1)
    bookings = WORLD["sources.py"][WORLD["sources.py"].index("bookings = Source") :]
    payments = bookings[: bookings.index("statements = ")].replace("bookings", "payments")
    other = WORLD["sources.py"][WORLD["sources.py"].index("ledger = ") :].partition("\n\n")[0]
    other = other.replace("ledger", "of_others").replace("bookings", "payments").replace("payments=", "bookings=")
    folder = write_definitions(
        tmp_path, **{"features/who.py": features, "sources.py": WORLD["sources.py"] + payments + other + "\n"}
    )
    with pytest.raises(InvalidDefinition) as caught:
        load_project(folder, "Ledgers")
    assert message in caught.value.message
