"""The lake: a commit is all or nothing, old versions stay readable, one run writes at a time."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tenure.define.contract_base import Contract
from tenure.errors import LakeBusy, MissingTable, StoreError
from tenure.store.journal import JOURNAL
from tenure.store.lake import Lake

ONE = pa.table({"customer_id": [1, 2], "amount": [1.5, None]})
TWO = pa.table({"customer_id": [3], "region": ["north"]})


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def files_of(lake, table):
    return set(lake.path(table).rglob("*.parquet"))


def test_file_without_a_commit_is_no_table(lake):
    lake.path("snapshots").mkdir(parents=True)
    pq.write_table(ONE, lake.path("snapshots") / "part-1.parquet")
    assert lake.find("snapshots") is None
    with pytest.raises(MissingTable):
        lake.read("snapshots")


def test_file_without_a_commit_is_invisible_beside_committed_ones(lake):
    lake.write(contract=Contract(table="snapshots"), rows=ONE)
    pq.write_table(ONE, lake.path("snapshots") / "part-1.parquet")
    assert lake.require("snapshots").rows == 2
    assert lake.read("snapshots").num_rows == 2


def test_commit_of_a_file_that_is_not_there_changes_nothing(lake):
    before = lake.write(contract=Contract(table="snapshots"), rows=ONE)
    with pytest.raises(FileNotFoundError):
        lake.commit("snapshots", [lake.path("snapshots") / "gone.parquet"], ONE.schema)
    assert lake.require("snapshots") == before


def test_overwrite_takes_another_schema_and_leaves_the_old_version_readable(lake):
    lake.write(contract=Contract(table="snapshots"), rows=ONE, fingerprint="first")
    newest = lake.write(contract=Contract(table="snapshots"), rows=TWO, fingerprint="second")
    assert (newest.version, newest.rows, newest.fingerprint) == (1, 1, "second")
    assert lake.read("snapshots").to_pydict() == TWO.to_pydict()

    old = lake.find("snapshots", version=0)
    assert (old.version, old.rows, old.fingerprint) == (0, 2, "first")
    assert old.schema == ONE.schema
    assert pq.read_table(old.files[0]).equals(ONE)


def test_a_version_that_never_was_is_none(lake):
    lake.write(contract=Contract(table="snapshots"), rows=ONE)
    assert lake.find("snapshots", version=1) is None
    assert lake.find("snapshots", version=-1) is None
    assert lake.find("labels") is None


def test_sweep_takes_orphans_only_and_time_travel_still_reads(lake):
    lake.write(contract=Contract(table="snapshots"), rows=ONE)
    lake.write(contract=Contract(table="snapshots"), rows=TWO)
    kept = files_of(lake, "snapshots")
    deep = lake.path("snapshots") / "snapshot_date=2024-01-31"
    deep.mkdir()
    token = lake.begin_write("snapshots")
    for folder in (lake.path("snapshots"), deep):
        pq.write_table(ONE, folder / f"part-{token}-0.parquet")

    assert lake.sweep("snapshots") == 2
    assert files_of(lake, "snapshots") == kept
    assert lake.sweep("snapshots") == 0
    old = DeltaTable(str(lake.path("snapshots")), version=0).to_pyarrow_dataset().to_table()
    assert old.equals(ONE)
    assert lake.read("snapshots").to_pydict() == TWO.to_pydict()


def test_sweep_before_the_first_commit_takes_what_was_begun(lake):
    pq.write_table(ONE, lake.path("snapshots") / f"part-{lake.begin_write('snapshots')}.parquet")
    assert lake.sweep("snapshots") == 1
    assert lake.sweep("never_begun") == 0


@pytest.mark.parametrize("name", ["part-1.parquet", f"part-{'0' * 32}.parquet", "bank.parquet", "x/part-1.parquet"])
@pytest.mark.parametrize("committed", [True, False])
def test_sweep_leaves_what_no_journal_proves_its_own_and_names_it(lake, name, committed):
    if committed:
        lake.write(contract=Contract(table="snapshots"), rows=ONE)
    stranger = lake.path("snapshots") / name
    stranger.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(ONE, stranger)
    assert lake.sweep("snapshots") == 0
    assert lake.strangers("snapshots") == [stranger]
    lake.write(contract=Contract(table="snapshots"), rows=TWO)
    assert lake.strangers("snapshots") == [stranger]
    assert pq.read_table(stranger).equals(ONE)


def test_a_journal_line_cut_by_a_kill_proves_nothing(lake):
    token = lake.begin_write("snapshots")
    journal = lake.path("snapshots") / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-10])
    pq.write_table(ONE, lake.path("snapshots") / f"part-{token}.parquet")
    assert lake.sweep("snapshots") == 0
    assert [file.name for file in lake.strangers("snapshots")] == [f"part-{token}.parquet"]


def test_sweep_takes_what_a_killed_spark_job_left(lake):
    lake.write(contract=Contract(table="snapshots"), rows=ONE)
    left = lake.path("snapshots") / f"_incoming-{lake.begin_write('snapshots')}" / "_temporary" / "0"
    left.mkdir(parents=True)
    pq.write_table(ONE, left / "part-00000.parquet")
    (left / ".part-00000.parquet.crc").write_bytes(b"crc")
    assert lake.sweep("snapshots") == 1
    assert [p.name for p in lake.path("snapshots").iterdir() if p.name.startswith("_incoming")] == []


def test_sweep_keeps_live_files_whose_log_a_checkpoint_has_replaced(lake):
    for number in range(3):
        lake.write(contract=Contract(table="runs"), rows=pa.table({"x": [number]}), mode="append")
    long_ago = time.time() - timedelta(days=90).total_seconds()
    logs = lake.path("runs") / "_delta_log"
    for log in logs.glob("*.json"):
        os.utime(log, (long_ago, long_ago))
    # Delta does both by itself after a hundred commits.
    delta = DeltaTable(str(lake.path("runs")))
    delta.create_checkpoint()
    delta.cleanup_metadata()
    assert len(list(logs.glob("*.json"))) < 3, "Delta did not clean its log, so this test shows nothing"
    assert lake.sweep("runs") == 0
    assert sorted(lake.read("runs")["x"].to_pylist()) == [0, 1, 2]


@pytest.mark.parametrize("columns", [None, ["customer_id"]])
def test_table_without_rows(lake, columns):
    version = lake.write(contract=Contract(table="snapshots"), rows=ONE.slice(0, 0))
    assert version.rows == 0
    wanted = ONE.schema if columns is None else ONE.select(columns).schema
    assert lake.read("snapshots", columns=columns).equals(wanted.empty_table())


@pytest.mark.parametrize("columns", [None, ["customer_id"]])
def test_partitioned_table_without_files(lake, columns):
    schema = pa.schema([("customer_id", pa.int64()), ("snapshot_date", pa.date32())])
    version = lake.commit("features", [], schema, partition_by=["snapshot_date"])
    assert (version.rows, version.files, version.partition_by) == (0, (), ("snapshot_date",))
    wanted = schema if columns is None else pa.schema([schema.field(c) for c in columns])
    assert lake.read("features", columns=columns).equals(wanted.empty_table())


def partitioned(lake, day, customer_id):
    folder = lake.path("features") / f"snapshot_date={day}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"part-{customer_id}.parquet"
    pq.write_table(pa.table({"customer_id": [customer_id]}), file)
    return file


def test_partitions_are_read_back_as_columns_and_overwritten_as_a_whole(lake):
    schema = pa.schema([("customer_id", pa.int64()), ("snapshot_date", pa.date32())])
    first = [partitioned(lake, "2024-01-31", 1), partitioned(lake, "2024-02-29", 2)]
    lake.commit("features", first, schema, partition_by=["snapshot_date"])
    rows = lake.read("features").sort_by("customer_id").to_pylist()
    assert rows == [
        {"customer_id": 1, "snapshot_date": date(2024, 1, 31)},
        {"customer_id": 2, "snapshot_date": date(2024, 2, 29)},
    ]
    lake.commit("features", [partitioned(lake, "2024-02-29", 3)], schema, partition_by=["snapshot_date"])
    assert lake.read("features").to_pylist() == [{"customer_id": 3, "snapshot_date": date(2024, 2, 29)}]
    assert lake.sweep("features") == 0


def test_other_partitions_are_refused_and_nothing_changes(lake):
    before = lake.write(contract=Contract(table="features"), rows=ONE)
    file = partitioned(lake, "2024-01-31", 1)
    schema = pa.schema([("customer_id", pa.int64()), ("snapshot_date", pa.date32())])
    with pytest.raises(StoreError, match="partitioned by nothing, not by snapshot_date"):
        lake.commit("features", [file], schema, partition_by=["snapshot_date"])
    assert lake.require("features") == before


def test_append_adds_rows_and_keeps_those_before(lake):
    lake.write(contract=Contract(table="runs"), rows=pa.table({"x": [1]}), mode="append")
    version = lake.write(contract=Contract(table="runs"), rows=pa.table({"x": [2, 3]}), mode="append")
    assert (version.version, version.rows) == (1, 3)
    assert sorted(lake.read("runs")["x"].to_pylist()) == [1, 2, 3]


@pytest.mark.parametrize("rows", [pa.table({"y": ["a"]}), pa.table({"x": ["a"]})])
def test_append_of_other_columns_is_refused_rather_than_lost(lake, rows):
    before = lake.write(contract=Contract(table="runs"), rows=pa.table({"x": [1]}), mode="append")
    with pytest.raises(StoreError, match=r"table 'runs'.* has the columns x"):
        lake.write(contract=Contract(table="runs"), rows=rows, mode="append")
    assert lake.require("runs") == before


def test_instants_are_stored_in_utc_by_a_protocol_that_every_reader_knows(lake):
    paris = timezone(timedelta(hours=1))
    instants = [datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=paris), None]
    rows = pa.table(
        {
            "aware": pa.array(instants, pa.timestamp("us", tz="Europe/Paris")),
            "naive": pa.array([datetime(2024, 3, 31, 2, 30), None], pa.timestamp("ns")),
        }
    )
    version = lake.write(contract=Contract(table="staging/logins"), rows=rows)
    assert version.schema.types == [pa.timestamp("us", tz="UTC")] * 2
    assert lake.read("staging/logins").to_pylist() == [
        {
            "aware": datetime(2024, 2, 29, 22, 59, 59, 123456, tzinfo=UTC),
            "naive": datetime(2024, 3, 31, 2, 30, tzinfo=UTC),
        },
        {"aware": None, "naive": None},
    ]
    protocol = DeltaTable(str(lake.path("staging/logins"))).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_missing_table_names_itself_and_the_stage_to_run(lake):
    with pytest.raises(MissingTable, match="table 'snapshots' is not built yet") as caught:
        lake.require("snapshots", run="snapshots")
    assert caught.value.hint == "Run 'tenure snapshots'."


HOLD = """
import sys
from pathlib import Path
from tenure.store.lake import Lake
with Lake(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_lake_is_busy_while_another_process_holds_it_and_free_once_that_is_killed(lake):
    lake.write(contract=Contract(table="snapshots"), rows=ONE)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lake.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        try:
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(LakeBusy, match=f"process {holder.pid}") as caught, lake.locked():
                pass
            assert "Wait for it to end" in caught.value.hint
            assert lake.read("snapshots").num_rows == 2, "a reader is never blocked"
        finally:
            holder.send_signal(signal.SIGKILL)
            holder.wait()
    with lake.locked():
        assert (lake.folder / ".lock").read_text() == str(os.getpid())


def test_lock_is_let_go_after_an_error(lake):
    with pytest.raises(RuntimeError), lake.locked():
        raise RuntimeError
    with lake.locked():
        pass


def test_parts_of_a_partition_are_invisible_until_they_are_committed(lake):
    rows = pa.table(
        {
            "customer_id": [1, 2],
            "paid": pa.array([Decimal("1.25"), None], pa.decimal64(18, 2)),
            "paid_at": pa.array([datetime(2024, 1, 1), None], pa.timestamp("us")),
        }
    )
    token = lake.begin_write("tiles/paid")
    days = ("2024-01-31", "2024-02-29")
    files = [lake.write_part("tiles/paid", "period_end", day, rows, token=token) for day in days]
    assert lake.find("tiles/paid") is None
    schema = pa.schema(
        [
            ("customer_id", pa.int64()),
            ("paid", pa.decimal128(18, 2)),
            ("paid_at", pa.timestamp("us", tz="UTC")),
            ("period_end", pa.date32()),
        ]
    )
    version = lake.commit("tiles/paid", files, schema, partition_by=("period_end",))
    assert version.rows == 4
    told = lake.read("tiles/paid").sort_by([("period_end", "ascending"), ("customer_id", "ascending")])
    assert told.slice(0, 1).to_pylist() == [
        {
            "customer_id": 1,
            "paid": Decimal("1.25"),
            "paid_at": datetime(2024, 1, 1, tzinfo=UTC),
            "period_end": date(2024, 1, 31),
        }
    ]
