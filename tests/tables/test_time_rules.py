"""The time rules on twelve customers whose answers were worked out by hand (worlds/twelve_customers)."""

from __future__ import annotations

import csv
import math
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import make_engine, quick
from oracle import Oracle, staged

from tenure.define.definitions import load_project
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

WORLD = Path(__file__).parents[1] / "worlds" / "twelve_customers"
DEFINITIONS = sorted(file.stem for file in (WORLD / "churn_definitions").glob("*.py"))
TABLES = ["snapshots", "features", *(f"labels/{name}" for name in DEFINITIONS)]


# pyspark leaves the sockets that rows came through to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning")


@pytest.fixture(
    scope="module", params=["oracle", "duckdb", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])]
)
def built(request, tmp_path_factory):
    """Every table of the world, by name, the labels once a churn definition: from each engine and from the oracle."""
    bank = tmp_path_factory.mktemp("bank") / "twelve_customers"
    on_spark = request.param == "spark"
    shutil.copytree(request.getfixturevalue("twelve_on_spark") if on_spark else WORLD, bank)
    if request.param == "oracle":
        yield recomputed(bank)
        return
    engine = make_engine(request.param, request)
    tables = {}
    for name in DEFINITIONS:
        shutil.copy(WORLD / "churn_definitions" / f"{name}.py", bank / "churn.py")
        work = Work.open(bank, engine=engine.dialect, overrides=quick(engine.dialect))
        work.use_engine(engine)
        # A churn definition changes none of the tables before the labels.
        list(run(work, stages_between("labels" if tables or on_spark else "staging", "labels")))
        tables[f"labels/{name}"] = work.read("labels").to_pylist()
    tables |= {name: work.read(name).to_pylist() for name in ("snapshots", "features", "intake", "payments")}
    tables |= {f"quarantine/{n}": work.lake.read(f"quarantine/{n}").to_pylist() for n in ("customers", "payments")}
    yield tables
    engine.close()


def recomputed(bank):
    dates = [date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]
    tables = {}
    for name in DEFINITIONS:
        shutil.copy(WORLD / "churn_definitions" / f"{name}.py", bank / "churn.py")
        project = load_project(bank, "Twelve Customers")
        rows = {source.name: staged(source, raw_rows(bank, source)) for source in project.sources.values()}
        oracle = Oracle(project=project, churn=project.churn, rows=rows, dates=dates, data_end=date(2024, 5, 1))
        tables[f"labels/{name}"] = oracle.labels()
    return tables | {"snapshots": oracle.snapshots(), "features": oracle.features()}


def raw_rows(bank, source):
    """The source's file but for rows that lack a key, each cell read as its column's type; an empty one is null."""
    read = {"string": str, "decimal": Decimal, "date": date.fromisoformat, "timestamp": utc}
    with (bank / "data" / f"{source.name}.csv").open(newline="") as file:
        return [
            {c.name: read[c.type](row[c.name]) if row[c.name] else None for c in source.columns}
            for row in csv.DictReader(file)
            if all(row[key] for key in ("customer_id", *source.keys))
        ]


def utc(text):
    """The instant of a text in UTC; one without an offset is in UTC already."""
    written = datetime.fromisoformat(text)
    return written.astimezone(UTC).replace(tzinfo=None) if written.tzinfo else written


def by_hand(table):
    with (WORLD / "expected" / f"{table}.csv").open(newline="") as file:
        return [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(file)]


def keyed(rows):
    """The rows by customer and snapshot; fails if two share both."""
    found = {(row["customer_id"], str(row["snapshot_date"])): row for row in rows}
    assert len(found) == len(rows)
    return found


def same_cell(got, wanted):
    """Whether a cell is what was written by hand; an empty cell is null, and null alone."""
    if got is None or wanted is None:
        return got is None and wanted is None
    if isinstance(got, float | int | Decimal):
        return math.isclose(got, float(wanted), rel_tol=1e-9)
    return str(got) == wanted


@pytest.mark.parametrize("table", TABLES)
def test_the_table_has_the_rows_worked_out_by_hand(built, table):
    assert sorted(keyed(built[table])) == sorted(keyed(by_hand(table)))


@pytest.mark.parametrize("table", TABLES)
def test_every_cell_is_the_one_worked_out_by_hand(built, table):
    got, wanted = keyed(built[table]), keyed(by_hand(table))
    assert {
        (*key, column): (got[key].get(column, "no such column"), cell)
        for key in got.keys() & wanted.keys()
        for column, cell in wanted[key].items()
        if not same_cell(got[key].get(column, "no such column"), cell)
    } == {}


def test_the_hand_worked_tables_leave_out_no_column(built):
    for table in TABLES:
        named = [name for name in built[table][0] if name != "definition"]  # one word, tested where there are several
        assert named == list(by_hand(table)[0]), table


def test_a_snapshot_whose_horizon_ends_after_the_data_has_no_label(built):
    last = {row["snapshot_date"] for row in built["snapshots"]} - {date(2024, 2, 29), date(2024, 3, 31)}
    assert last == {date(2024, 4, 30)}
    for name in DEFINITIONS:
        labels = built[f"labels/{name}"]
        assert {row["snapshot_date"] for row in labels} == {date(2024, 2, 29), date(2024, 3, 31)}, name
        assert max(row["label_end"] for row in labels) == date(2024, 5, 1), name  # the end of the data itself


def test_rows_without_a_key_are_set_aside_and_counted_and_matched_to_nobody(built):
    if "intake" not in built:
        pytest.skip("the oracle reads no rows that lack a key")
    facts = {row["source"]: row for row in built["intake"]}
    assert (facts["payments"]["rows_read"], facts["payments"]["rows_quarantined"]) == (42, 3)
    assert facts["payments"]["reasons"] == "customer_id: missing (2); payment_id: missing (1)"
    assert (facts["customers"]["rows_read"], facts["customers"]["rows_quarantined"]) == (25, 1)
    assert {row["payment_id"] for row in built["quarantine/payments"]} == {"z1", "z2", None}
    assert [row["customer_id"] for row in built["quarantine/customers"]] == [None]
    everybody = {row["customer_id"] for table in TABLES for row in built[table]}
    assert {row["customer_id"] for row in built["payments"]} - everybody == {"nobody"}
    assert None not in everybody


def test_offsets_are_read_as_the_same_instants_in_utc(built):
    if "payments" not in built:
        pytest.skip("the oracle reads its own instants")
    booked = {r["payment_id"]: r["event_time"] for r in built["payments"] if r["customer_id"] == "clock_change"}
    assert {name: f"{instant:%m-%d %H:%M:%S}" for name, instant in booked.items()} == {
        "x1": "03-30 23:30:00",
        "x2": "03-31 00:59:59",
        "x3": "03-31 01:00:00",
        "x4": "03-31 22:30:00",
        "x5": "03-31 01:00:00",
    }


def test_every_column_has_the_type_of_its_kind(built):
    allowed = {
        "snapshots": {"customer_id": str, "snapshot_date": date, "opened_on": date, "tenure_days": int},
        "features": {"segment": str, "age": int, "payments_count_30d": int, "amount_sum_90d": float},
        "labels/closed": {"label_start": date, "label_end": date, "churned": int},
    }
    for table, kinds in allowed.items():
        for column, kind in kinds.items():
            assert {type(row[column]) for row in built[table]} - {type(None)} == {kind}, (table, column)
