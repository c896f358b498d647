"""The gate of publication and `tenure verify`: a fault in the code is caught, named, and nothing of it is kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import make_engine
from tiny_bank import write_tiny_bank

import tenure.tiles.features as features_table
from tenure.arrays.merges import MERGES
from tenure.errors import CheckFailed, MissingTable
from tenure.proofs.gate import prove_candidate, spread
from tenure.session.work import Work
from tenure.stages import verify
from tenure.stages.run import run, stages_between
from tenure.store.runs import last_runs
from tenure.tables.sample import rows_in_and_out, sample
from tenure.tiles import partials

UNPROVED = {"verify": {"customers": 0}}
ENGINES = ["duckdb", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])]


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


@pytest.fixture
def world(tmp_path):
    """The hand-worked bank, whose rows come late and are corrected."""
    folder = tmp_path / "twelve_customers"
    shutil.copytree(Path(__file__).parents[1] / "worlds" / "twelve_customers", folder)
    shutil.copy(next((folder / "churn_definitions").glob("*.py")), folder / "churn.py")
    return folder


def build(folder, overrides=None, last="features"):
    with Work.open(folder, overrides=overrides) as work:
        return list(run(work, stages_between("staging", last)))


def proofs_of(folder, *names, **asked):
    found = []
    with Work.open(folder) as work:
        for one in verify.verify(work, names, **asked):
            found.append(one)  # noqa: PERF402  (those before a failure count)
    return found


def contents(folder):
    # The journal of writes grows by what was begun, and no reader reads it.
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "_writes"]
    return {file: file.read_bytes() for file in files}


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def stored_rows(folder):
    with Work.open(folder) as work:
        return work.read("features").sort_by([("snapshot_date", "ascending"), ("customer_id", "ascending")])


def of_rows(kind, text):
    """A fault: the partial of this kind is made otherwise by SQL, so not as by arrays."""
    return lambda patch: patch.setitem(partials.OF_ROWS, kind, text)


def by_arrays(kind, merge):
    """A fault: the partial of this kind is made otherwise by arrays, whose number is then another."""

    def fault(patch):
        patch.setitem(MERGES, kind, merge)
        patch.setattr("tenure.feature_store.routes.arrays.CELLS", 0)

    return fault


def inclusive_end(patch):
    """A fault: a customer's row as known on the snapshot's own day, the wrong side of the boundary."""
    patch.setattr(features_table, "visible_at", lambda t, relation="r": f"{relation}.known_until IS NULL")


def lost_customer(patch):
    """A fault: an inner join where a left join should be."""
    real, lost = features_table.Query, {"where": "customer_id % 7 <> 0"}
    patch.setattr(features_table, "Query", lambda **of: real(**of | (lost if of["source"] == "measured" else {})))


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            of_rows("count", "COUNT({0}) + 1"),
            r"payment_count_30d at customer_id=\d+, snapshot_date=2024-",
        ),
        (by_arrays("sum", np.maximum), r"amount_sum_30d at .*: [\d.]+ stored, [\d.]+ by the oracle"),
        (lost_customer, r"rows: .* rows in, .* out; \d+ lost, 0 of nobody, 0 keys twice"),
    ],
)
def test_a_fault_in_a_table_is_not_published_and_the_version_before_stays(bank, fault, told):
    build(bank)
    before, kept = stored_rows(bank), contents(bank / "lake" / "features")
    edit(bank / "features" / "paid.py", "amount > 50", "amount > 60")
    with pytest.MonkeyPatch.context() as patch:
        fault(patch)
        with pytest.raises(CheckFailed, match=told) as caught:
            build(bank)
    assert "so nothing of it was written" in caught.value.message
    assert "docs/verify.md" in caught.value.hint
    assert contents(bank / "lake" / "features") == kept
    assert not list((bank / "lake").glob(".proof-*"))
    assert stored_rows(bank).equals(before)
    with Work.open(bank) as work:
        assert last_runs(work.lake)["features"]["status"] == "failed"
    records = build(bank)
    assert [r.status for r in records if r.stage == "features"] == ["built"]
    assert [check.check for check in records[-1].checks][:3] == ["rows", "oracle", "time travel"]
    assert not stored_rows(bank).equals(before)


def test_a_leak_of_the_future_is_not_published(world):
    with pytest.MonkeyPatch.context() as patch:
        inclusive_end(patch)
        with pytest.raises(CheckFailed, match=r"oracle: .*; time travel: .* with the future (deleted|corrupted)"):
            build(world)
    with Work.open(world) as work:
        assert work.lake.find("features") is None
        assert not list(work.lake.path("features").rglob("*.parquet"))


def test_no_customers_is_no_gate(bank):
    with pytest.MonkeyPatch.context() as patch:
        of_rows("count", "COUNT({0}) + 1")(patch)
        (record,) = [r for r in build(bank, UNPROVED) if r.stage == "features"]
    assert "oracle" not in [check.check for check in record.checks]


def test_verify_proves_the_stored_features_and_records_it(bank):
    build(bank)
    found = proofs_of(bank)
    assert [one.proof for one in found] == list(verify.PROOFS)
    assert all(one.holds and one.cells > 0 and one.example == "" for one in found)
    rows, oracle, travel, backfill = found
    assert rows.cells == stored_rows(bank).num_rows
    columns = stored_rows(bank).num_columns - 2 + 2  # without the key; opened_on and tenure_days of snapshots
    assert oracle.cells == rows.cells * columns  # forty customers, each of them sampled
    assert travel.cells == 2 * backfill.cells
    with Work.open(bank) as work:
        record = last_runs(work.lake)["verify"]
    assert (record["status"], record["rows"]) == ("proved", sum(one.cells for one in found))
    assert [check["check"] for check in json.loads(record["checks"])] == list(verify.PROOFS)


@pytest.mark.parametrize("name", ["oracle", "time travel", "backfill"])
def test_verify_finds_one_changed_cell_and_names_it(bank, name):
    build(bank)
    spoil(bank, lambda rows: [row | {"amount_sum_90d": row["amount_sum_90d"] + odd(row) / 100} for row in rows])
    with pytest.raises(CheckFailed, match="the stored features are not what was known") as caught:
        proofs_of(bank, name)
    assert f"{name}: " in caught.value.message
    assert "amount_sum_90d at customer_id=5, snapshot_date=2024-06-30: " in caught.value.message
    with Work.open(bank) as work:
        assert last_runs(work.lake)["verify"]["status"] == "failed"


def odd(row):
    return row["customer_id"] == 5 and row["snapshot_date"] == date(2024, 6, 30)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: [row for row in rows if not odd(row)], "1 lost, 0 of nobody, 0 keys twice"),
        (lambda rows: [*rows, *filter(odd, rows)], "0 lost, 0 of nobody, 1 keys twice"),
        (lambda rows: [row | {"customer_id": 5000} if odd(row) else row for row in rows], "1 lost, 1 of nobody"),
    ],
)
def test_verify_finds_a_row_that_is_lost_made_up_or_there_twice(bank, change, told):
    build(bank)
    spoil(bank, change)
    with pytest.raises(CheckFailed, match=f"rows: .*at snapshot_date=2024-06-30: .*{told}"):
        proofs_of(bank, "rows")


def spoil(folder, change):
    """Write other rows as the newest version of features, past every check."""
    with Work.open(folder) as work:
        version, rows = work.require("features"), work.read("features").to_pylist()
        work.lake.sweep("features")
        changed = pa.Table.from_pylist(change(rows), schema=work.read("features").schema)
        work.engine._connection.register("changed", changed)
        files = work.engine.write("SELECT * FROM changed", work.lake.path("features"), ("snapshot_date",))
        work.lake.commit(
            "features", files, version.schema, partition_by=version.partition_by, fingerprint=version.fingerprint
        )


def test_verify_needs_features_that_are_built(bank):
    build(bank, last="snapshots")
    with pytest.raises(MissingTable, match="features"):
        proofs_of(bank)


def test_fewer_snapshots_and_customers_are_told(bank):
    build(bank)
    oracle, travel = proofs_of(bank, "oracle", "time travel", customers=7, most=2)
    assert oracle.summary == "7 customers recomputed in plain Python at 2 snapshots"
    assert "at 2 of 6 snapshots" in travel.summary


def test_a_column_that_plain_python_cannot_say_is_told_and_the_rest_is_proved(bank):
    edit(bank / "features" / "paid.py", "amount > 50", "CAST(amount AS VARCHAR) SIMILAR TO '[5-9].*'")
    (record,) = [r for r in build(bank) if r.stage == "features"]
    assert record.status == "built"
    (oracle,) = proofs_of(bank, "oracle")
    assert set(oracle.unproven) == {"large_count_90d", "large_to_all_ratio_90d"}
    assert all("SIMILARTO" in reason for reason in oracle.unproven.values())
    assert "but for 2 columns" in oracle.summary
    assert oracle.holds


@pytest.mark.parametrize("name", ENGINES)
def test_the_gate_holds_on_every_engine(world, name, request):
    engine = make_engine(name, request)
    if name == "spark":
        shutil.rmtree(world)
        shutil.copytree(request.getfixturevalue("twelve_on_spark"), world)
    with Work.open(world, engine=name, overrides=UNPROVED) as work:
        work.use_engine(engine)
        list(run(work, stages_between("staging", "features")))
        work.scan(["features"])
        dates = sorted(set(work.read("features")["snapshot_date"].to_pylist()))
        held = prove_candidate(work, "features", dates, customers=100, snapshots=3)
        assert [check.check for check in held] == ["rows", "oracle", "time travel"]
        engine.cache("fewer", "SELECT * FROM features WHERE customer_id <> (SELECT MIN(customer_id) FROM features)")
        with pytest.raises(CheckFailed, match="rows: "):
            prove_candidate(work, "fewer", dates, customers=100, snapshots=1)
        assert [one.holds for one in verify.verify(work, ["time travel", "backfill"], most=1)] == [True, True]


def test_the_sample_is_the_same_on_every_engine(engine, bank):
    engine.cache("customers", " UNION ALL ".join(f"SELECT CAST({n} AS BIGINT) AS customer_id" for n in range(50)))
    with Work.open(bank) as work:
        text = sample(work.project, engine.dialect, 9).text
    ordered = sorted(range(50), key=lambda n: hashlib.sha256(f"0/{n}".encode()).hexdigest())
    assert sorted(engine.run(text)["customer_id"].to_pylist()) == sorted(ordered[:9])


def test_an_engine_apart_shares_no_relation(engine):
    engine.cache("shared", "SELECT 1 AS x")
    other = engine.new_session()
    other.cache("shared", "SELECT 2 AS x")
    other.cache("own", "SELECT 3 AS x")
    assert engine.run("SELECT x FROM shared")["x"].to_pylist() == [1]
    assert other.run("SELECT TIMESTAMP '2024-01-01 00:00:00' AS x, (SELECT x FROM own) AS y")["y"].to_pylist() == [3]
    other.close()
    assert engine.run("SELECT x FROM shared")["x"].to_pylist() == [1]


def test_rows_in_and_out_are_counted_by_date(engine):
    row = "SELECT {} AS a, {} AS b, DATE '2024-01-31' AS snapshot_date"
    engine.cache("came", " UNION ALL ".join(row.format(*key) for key in ((1, 11), (11, 1), (2, 2))))
    engine.cache("went", " UNION ALL ".join(row.format(*key) for key in ((1, 11), (1, 11), (2, 2), (3, 3))))
    (told,) = engine.run(rows_in_and_out(("a", "b"), "came", "went", [date(2024, 1, 31)])).to_pylist()
    assert told == {
        "snapshot_date": date(2024, 1, 31), "rows_in": 3, "rows_out": 4, "lost": 1, "made_up": 1, "twice": 1
    }  # fmt: skip


def test_spread_takes_the_ends_and_what_lies_evenly_between():
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(9)]
    assert spread(days, 3) == [days[0], days[4], days[8]]
    assert spread(days, 1) == [days[8]]
    assert spread(days, 99) == days
    assert spread(days[:2], 3) == days[:2]
    assert spread([], 3) == []
