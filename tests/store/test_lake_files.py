"""Guards of the lake's files: digests that outlive Delta's own clean-up, and a sweep that removes only its own."""

import os
import random
import shutil
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import THOROUGH
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_bank import write_tiny_bank

from tenure.define.contract_base import Contract
from tenure.errors import DamagedLake
from tenure.session.work import Work
from tenure.stages.repair import repair
from tenure.stages.run import run, stages_between
from tenure.store.digests import FileDigests, digest_in_name, sha256_of
from tenure.store.integrity import survey
from tenure.store.journal import JOURNAL
from tenure.store.lake import Lake
from tenure.store.log_digests import DIGESTS

ROWS = pa.table({"customer_id": [1, 2], "amount": [1.5, None]})


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "lake")
    made.write(contract=Contract(table="snapshots"), rows=ROWS)
    return made


def flip(file: Path, place: int = -20) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(bytes(content))


def put_back_times(file: Path, before: os.stat_result) -> None:
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_data_file_is_named_for_its_content(lake):
    (file,) = lake.require("snapshots").files
    assert digest_in_name(file) == sha256_of(file)


@pytest.mark.parametrize("again", ["same process", "another process, memory kept", "another process, memory lost"])
def test_a_changed_file_of_equal_size_and_time_is_not_read(lake, again):
    (file,) = lake.require("snapshots").files
    lake.digests.save()
    before = file.stat()
    flip(file)
    put_back_times(file, before)
    if again != "same process":
        lake = Lake(lake.folder)
    if "lost" in again:
        (lake.folder / "_verified.json").unlink()
    with pytest.raises(DamagedLake, match=rf"table 'snapshots'.*'{file.name}' is not as it was written"):
        lake.read("snapshots")


def test_a_damaged_memory_of_digests_is_not_believed(lake):
    (file,) = lake.require("snapshots").files
    lake.digests.save()
    flip(file)
    memory = lake.folder / "_verified.json"
    stamp = file.stat()
    forged = memory.read_text().replace(str(file.stat().st_mtime_ns), str(stamp.st_mtime_ns))
    memory.write_text(forged[:-5] + " " * 5)
    with pytest.raises(DamagedLake):
        Lake(lake.folder).read("snapshots")


@pytest.mark.parametrize("gone", ["the log", "the digests of the log", "log and digests"])
def test_a_table_without_its_log_is_damaged_and_not_new(lake, gone):
    lake.write(contract=Contract(table="snapshots"), rows=ROWS)
    if gone != "the digests of the log":
        shutil.rmtree(lake.path("snapshots") / "_delta_log")
    if gone != "the log":
        (lake.path("snapshots") / DIGESTS).unlink()
    if gone == "log and digests":
        assert lake.find("snapshots") is None
        assert [file.suffix for file in lake.strangers("snapshots")] == []
    else:
        with pytest.raises(DamagedLake, match="is gone"):
            lake.find("snapshots")


def test_damage_names_its_partition(tmp_path):
    lake = Lake(tmp_path / "lake")
    token = lake.begin_write("features")
    day = lake.write_part("features", "snapshot_date", "2024-01-31", pa.table({"x": [1]}), token=token)
    schema = pa.schema([("x", pa.int64()), ("snapshot_date", pa.date32())])
    lake.commit("features", [day], schema, partition_by=("snapshot_date",))
    (file,) = lake.require("features").files
    file.unlink()
    with pytest.raises(DamagedLake, match=r"version 0: file '.*' of partition snapshot_date=2024-01-31 is gone"):
        lake.read("features")
    (damage,) = survey(lake).damages
    assert (damage.table, damage.version, damage.partition) == ("features", "0", "snapshot_date=2024-01-31")


@pytest.mark.slow
def test_after_110_commits_checkpoint_and_clean_up_there_is_no_false_alarm_and_old_damage_is_found(tmp_path):
    lake = Lake(tmp_path / "lake")
    for number in range(110):
        lake.write(contract=Contract(table="numbers"), rows=pa.table({"x": [number]}), mode="append")
    logs = lake.path("numbers") / "_delta_log"
    long_ago = time.time() - 40 * 86_400
    for log in logs.iterdir():
        os.utime(log, (long_ago, long_ago))
    assert survey(lake).damages == (), "older times are no damage"
    table = DeltaTable(str(lake.path("numbers")))
    table.create_checkpoint()
    table.cleanup_metadata()
    assert len(list(logs.glob("*.json"))) < 110, "Delta did not clean its log, so this test shows nothing"
    assert survey(lake).damages == ()
    assert lake.read("numbers").num_rows == 110
    lake.write(contract=Contract(table="numbers"), rows=pa.table({"x": [110]}), mode="append")
    assert survey(lake).damages == ()

    files = lake.require("numbers").files
    oldest = min(files, key=lambda file: pq.read_table(file)["x"][0].as_py())
    before = oldest.stat()
    flip(oldest)
    put_back_times(oldest, before)
    assert [damage.file for damage in survey(lake).damages] == [f"numbers/{oldest.name}"]
    with pytest.raises(DamagedLake, match=oldest.name):
        lake.read("numbers")


@pytest.mark.parametrize("point", ["begin_commit", "seal"])
def test_a_run_killed_around_the_commit_is_no_damage_and_the_next_run_notes_the_digest(lake, monkeypatch, point):
    class KilledError(BaseException):
        pass

    def die(log):
        raise KilledError

    monkeypatch.setattr(f"tenure.store.log_digests.TableLog.{point}", die)
    with pytest.raises(KilledError):
        lake.write(contract=Contract(table="snapshots"), rows=ROWS)
    monkeypatch.undo()
    rows = lake.read("snapshots").num_rows
    assert rows == 2
    with lake.locked():
        assert survey(lake).damages == ()
        assert lake.require("snapshots").version == (1 if point == "seal" else 0)
        lake.write(contract=Contract(table="snapshots"), rows=ROWS)
        assert survey(lake).damages == ()


def test_a_log_that_nobody_noted_is_not_believed(lake):
    DeltaTable(str(lake.path("snapshots"))).delete("customer_id = 1")
    with pytest.raises(DamagedLake, match="was not written by Tenure, or its digest is lost"):
        lake.read("snapshots")


def test_digests_of_files_that_stay_are_remembered_and_none_is_read_twice(tmp_path, monkeypatch):
    file, memory = tmp_path / "raw.csv", tmp_path / "memory.json"
    file.write_bytes(b"a,b\n1,2\n")
    first = FileDigests(memory)
    digest = first.of(file)
    first.save()
    monkeypatch.setattr("tenure.store.digests.sha256_of", lambda _: pytest.fail("it was read again"))
    assert FileDigests(memory).of(file) == digest == first.of(file)


def test_a_replaced_file_of_equal_size_and_time_has_another_digest(tmp_path):
    file, memory = tmp_path / "raw.csv", tmp_path / "memory.json"
    file.write_bytes(b"a,b\n1,2\n")
    known = FileDigests(memory)
    before, digest = file.stat(), known.of(file)
    (tmp_path / "other.csv").write_bytes(b"a,b\n3,4\n")
    (tmp_path / "other.csv").replace(file)
    put_back_times(file, before)
    assert known.of(file) != digest


names = st.sampled_from(
    [
        "part-1.parquet",
        "payments.parquet",
        "x/part-2.parquet",
        "notes.txt",
        "_incoming-1/a.parquet",
        "_writes.parquet",
        f"part-{'a' * 32}-0.parquet",
        "snapshot_date=2024-01-31/part-3.parquet",
    ]
)
places = st.sampled_from(["features", "snapshots", "staging/payments", "tiles/payments", "models", "quarantine/x", "."])


@pytest.mark.slow
@settings(
    max_examples=12 if THOROUGH else 4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(layout=st.lists(st.tuples(places, names), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_no_run_changes_or_removes_a_file_that_is_not_its_own(built_bank, tmp_path_factory, layout, seed):
    folder = tmp_path_factory.mktemp("layout") / "bank"
    if seed % 2:
        shutil.copytree(built_bank, folder)
    else:
        write_tiny_bank(folder)
    chance = random.Random(seed)  # noqa: S311  (draws contents, no secrets)
    strangers = {}
    for place, name in layout:
        file = folder / "lake" / place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(50))
        strangers[file] = file.read_bytes()
    raw = {file: file.read_bytes() for file in (folder / "data").iterdir()}
    (folder / "features" / "paid.py").write_text((folder / "features" / "paid.py").read_text() + "\n# edited\n")
    with Work.open(folder, overrides={"verify": {"customers": 0}}) as work:
        for _ in run(work, stages_between("staging", "splits")):
            pass
    for file, content in (strangers | raw).items():
        assert file.read_bytes() == content, f"{file} was changed"


@pytest.fixture(scope="module")
def built_bank(tmp_path_factory):
    folder = write_tiny_bank(tmp_path_factory.mktemp("built") / "bank")
    with Work.open(folder, overrides={"verify": {"customers": 0}}) as work:
        for _ in run(work, stages_between("staging", "splits")):
            pass
    return folder


@pytest.mark.slow
def test_the_cure_that_a_damaged_table_names_is_the_right_cure(built_bank, tmp_path):
    folder = tmp_path / "bank"
    shutil.copytree(built_bank, folder)
    lake = Lake(folder / "lake")
    damaged = [name for name in lake.tables() if name != "runs"]
    if not THOROUGH:  # made of raw files; a record that is lost; a part each snapshot; made of two other tables
        damaged = ["staging/payments", "intake", "features", "splits"]
    for table in damaged:
        file = next(iter(lake.require(table).files), None)
        if file is None:
            continue
        flip(file)
        with pytest.raises(DamagedLake) as caught, Work.open(folder) as work:
            for _ in run(work, stages_between("staging", "splits")):
                pass
        assert "run 'tenure repair'" in caught.value.hint
        with Work.open(folder, overrides={"verify": {"customers": 0}}) as work:
            list(repair(work))
        with Work.open(folder, overrides={"verify": {"customers": 0}}) as work:
            list(run(work, stages_between("staging", "splits")))
        lake = Lake(folder / "lake")
        assert survey(lake).damages == ()


def test_the_journal_forgets_tokens_of_which_no_file_is_left(lake):
    token = lake.begin_write("snapshots")
    assert token in (lake.path("snapshots") / JOURNAL).read_text()
    lake.sweep("snapshots")
    assert token not in (lake.path("snapshots") / JOURNAL).read_text()
