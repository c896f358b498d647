"""Compaction merges small files and loses no row; retention removes what nothing rests on, and nothing else."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pyarrow as pa
import pytest

from tenure.checks.in_memory import schema_of
from tenure.define.contract_base import Contract
from tenure.store.compacting import compact
from tenure.store.history import history, restore
from tenure.store.integrity import survey
from tenure.store.lake import Lake

ROWS = Contract(table="rows", keys=("number",), columns={"number": "int64", "text": "string"})
DAYS = Contract(
    table="days", keys=("number", "day"), columns={"number": "int64", "day": "string"}, partition_by=("day",)
)
#: Nothing is old enough to be forgotten.
LONG = timedelta(days=36_500)


@pytest.fixture(params=["local", "s3"])
def lake(request, tmp_path):
    return Lake(tmp_path / "lake" if request.param == "local" else request.getfixturevalue("prefix"))


def append(lake, numbers):
    rows = [{"number": number, "text": f"row {number}"} for number in numbers]
    return lake.write(pa.Table.from_pylist(rows, schema=schema_of(ROWS)), ROWS, mode="append", fingerprint="as made")


def numbers(lake, table="rows", version=None):
    return lake.read(table, version=version)["number"].to_pylist()


def test_small_files_become_one_in_the_order_of_their_keys(lake):
    with lake.locked():
        for part in ([9, 8, 7], [3], [5, 4]):
            append(lake, part)
        done = compact(lake, ROWS, keep=LONG)
    assert (done.files_before, done.files, done.removed) == (3, 1, 0)
    assert numbers(lake) == [3, 4, 5, 7, 8, 9]
    newest = lake.require("rows")
    assert (newest.fingerprint, newest.version, newest.rows) == ("as made", 3, 6)


def test_what_is_compact_is_left_alone(lake):
    with lake.locked():
        append(lake, [1])
        append(lake, [2])
        compact(lake, ROWS, keep=LONG)
        done = compact(lake, ROWS, keep=LONG)
    assert done.files_before == done.files == 1
    assert lake.require("rows").version == 2


def test_files_that_are_large_enough_stay_as_they_are(lake):
    with lake.locked():
        append(lake, [1])
        append(lake, [2])
        done = compact(lake, ROWS, keep=LONG, small=1)
    assert (done.files_before, done.files) == (2, 2)


def test_each_partition_is_compacted_by_itself(lake):
    with lake.locked():
        for day in ("2024-01-31", "2024-02-29"):
            table = pa.table({"number": [2, 1], "day": [day, day]})
            for half in (table.slice(0, 1), table.slice(1, 1)):
                token = lake.begin_write("days")
                file = lake.write_part("days", "day", day, half.drop_columns(["day"]), token=token)
                stay = lake.find("days")
                lake.commit(
                    "days", [file], table.schema, partition_by=("day",), fingerprint="f", mode="append",
                    partitions={day: {"a": "b"}} if stay is None else None,
                )  # fmt: skip
        before = lake.require("days")
        done = compact(lake, DAYS, keep=LONG)
    assert (done.files_before, done.files) == (4, 2)
    after = lake.require("days")
    assert sorted(file.parent.name for file in after.files) == ["day=2024-01-31", "day=2024-02-29"]
    assert after.fingerprint == before.fingerprint
    assert sorted(zip(numbers(lake, "days"), lake.read("days")["day"].to_pylist(), strict=True)) == [
        (1, "2024-01-31"), (1, "2024-02-29"), (2, "2024-01-31"), (2, "2024-02-29")
    ]  # fmt: skip


def test_a_version_that_is_kept_is_read_as_before(lake):
    with lake.locked():
        append(lake, [1])
        append(lake, [2])
        compact(lake, ROWS, keep=timedelta(days=1))
    assert sorted(numbers(lake, version=1)) == [1, 2]
    with lake.locked():
        restore(lake, "rows", 1)
    assert sorted(numbers(lake)) == [1, 2]


def test_what_only_forgotten_versions_name_is_removed_and_is_no_damage(lake):
    with lake.locked():
        append(lake, [1])
        append(lake, [2])
        done = compact(lake, ROWS, keep=timedelta(0))
        assert done.removed == 2
        assert done.bytes > 0
        assert numbers(lake) == [1, 2]
        assert [commit.gone for commit in history(lake, "rows")] == [0, 2, 1]
        assert survey(lake).damages == ()


def test_what_a_manifest_rests_on_stays(lake):
    with lake.locked():
        append(lake, [1])
        append(lake, [2])
        done = compact(lake, ROWS, keep=timedelta(0), pinned={1})
    assert done.removed == 0
    assert sorted(numbers(lake, version=1)) == [1, 2]


def test_a_reader_of_an_old_version_never_fails_while_the_table_is_compacted_swept_and_restored(lake):
    for part in ([1], [2], [3]):
        with lake.locked():
            append(lake, part)
    done, reads = Event(), []

    def read_on():
        reader = Lake(lake.folder)
        while not done.is_set() or not reads:
            reads.append(sorted(numbers(reader, version=1)))

    with ThreadPoolExecutor(1) as readers:
        reading = readers.submit(read_on)
        try:
            for round_ in range(2):
                with lake.locked():
                    append(lake, [10 + round_])
                    compact(lake, ROWS, keep=timedelta(0), pinned={1})
                    lake.begin_write("rows")
                    lake.sweep("rows")
                    restore(lake, "rows", 1)
        finally:
            done.set()
        reading.result()
    assert len(reads) > 2
    assert {tuple(read) for read in reads} == {(1, 2)}
    assert sorted(numbers(lake)) == [1, 2]
