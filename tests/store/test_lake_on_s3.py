"""A lake on S3: the same rows as on disk from every stage, killed runs too; history, integrity and restore."""

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pyarrow as pa
import pytest
from conftest import THOROUGH
from lake_cells import cells
from stages.runs import edit
from tiny_bank import LAST_DAY, with_train, write_leavers, write_tiny_bank

from tenure.checks.in_memory import schema_of
from tenure.cli import application
from tenure.define.contract_base import Contract
from tenure.errors import DamagedLake, InvalidConfig, LakeBusy
from tenure.session.work import Work, adopt
from tenure.stages.run import backfill, run
from tenure.storage.credentials import s3_client
from tenure.storage.s3 import S3Location
from tenure.store.history import history, restore
from tenure.store.integrity import survey
from tenure.store.lake import Lake

#: When a row was made is not part of its content.

NUMBERS = Contract(table="numbers", keys=("number",), columns={"number": "int64"})

SETTINGS = """
[verify]
customers = 20
"""


def on_s3(bank, place):
    """Have a project keep its lake on S3: one line, and how the service is reached."""
    file = bank / "tenure.toml"
    reached = f'[s3]\nendpoint = "{place.settings.endpoint}"\nregion = "us-east-1"\npath_style = true\n'
    file.write_text(f'{file.read_text()}\n[lake]\npath = "{place}"\n\n{reached}')


def ran(bank, *stages):
    """Run stages, all by default; return each one's status."""
    with Work.open(bank) as work:
        return {record.stage: record.status for record in (run(work, stages) if stages else run(work))}


def require_same(one, other):
    """The same tables with the same cells; the ledger tells of other runs."""
    assert one.tables() == other.tables()
    for table in one.tables():
        if table != "runs":
            assert cells(one, table).equals(cells(other, table)), table


@pytest.fixture(scope="module")
def banks(tmp_path_factory, bucket, s3_settings):
    """One project built on disk and its copy built on S3, two months one after the other."""
    here = write_tiny_bank(tmp_path_factory.mktemp("s3") / "here")
    toml = here / "tenure.toml"
    toml.write_text(with_train(toml.read_text(), 'models = ["rule", "logistic"]') + SETTINGS)
    there = shutil.copytree(here, here.with_name("there"))
    place = S3Location(bucket, f"tests/{uuid4().hex}", s3_settings)
    on_s3(there, place)
    statuses, writes = [], Writes()
    s3_client(s3_settings).meta.events.register("before-send.s3", writes.count)
    for last_day in (date(2024, 5, 31), LAST_DAY):
        for bank in (here, there):
            write_leavers(bank / "data", last_day=last_day)
            statuses.append(ran(bank))
        writes.ended.append(writes.passed)
    return SimpleNamespace(
        here=here,
        there=there,
        statuses=statuses,
        place=place,
        local=Lake(here / "lake"),
        remote=Lake(place),
        writes=writes.ended[0],
    )


class Writes:
    """Counts the objects that are written or removed."""

    def __init__(self):
        self.passed, self.ended = 0, []

    def count(self, request, **_):
        self.passed += request.method in ("PUT", "POST", "DELETE")


@pytest.fixture(scope="module")
def clean(banks):
    """The lake of one undisturbed run on disk."""
    folder = shutil.copytree(banks.here, banks.here.with_name("clean"), ignore=shutil.ignore_patterns("lake", "out"))
    ran(folder)
    return Lake(folder / "lake")


def test_every_table_holds_the_same_cells(banks):
    assert banks.statuses[0] == banks.statuses[1]
    assert banks.statuses[2] == banks.statuses[3]
    require_same(banks.local, banks.remote)


def test_the_list_is_the_same(banks):
    name = Path("out") / "attrition_list.csv"
    assert (banks.there / name).read_bytes() == (banks.here / name).read_bytes()


def test_a_second_run_finds_everything_current(banks):
    assert set(ran(banks.there).values()) == {"current"}


def test_a_backfill_in_parts_gives_the_same_features(banks, tmp_path, prefix):
    folder = shutil.copytree(banks.there, tmp_path / "bank", ignore=shutil.ignore_patterns("out"))
    edit(folder / "tenure.toml", str(banks.place), str(prefix))
    for first, last in ((None, date(2024, 2, 29)), (date(2024, 4, 30), None), (None, None)):
        with Work.open(folder) as work:
            assert [done.status for done in backfill(work, first, last)][-1] == "built"
    assert cells(Lake(prefix), "features").equals(cells(banks.local, "features"))
    with Work.open(folder) as work:
        assert {done.stage: done.status for done in backfill(work)}["features"] == "current"


def test_nothing_of_the_lake_lies_on_this_machine(banks):
    assert not (banks.there / "lake").exists()
    assert not [path for path in banks.there.rglob("*.parquet") if path.parent.name != "out"]


def test_old_versions_are_read(banks):
    commits = list(history(banks.remote, "features"))
    assert [commit.version for commit in commits] == [1, 0]
    assert [commit.gone for commit in commits] == [0, 0]
    assert content_of_version(banks.remote, 0).equals(content_of_version(banks.local, 0))


def content_of_version(lake, version):
    rows = lake.read("features", version=version)
    return rows.sort_by([(name, "ascending") for name in rows.column_names])


def copy_objects(place, target, *below):
    """Have S3 copy what lies below a place, or below those folders of it alone."""
    client = s3_client(place.settings)
    for found in place.listed():
        name = found.key.removeprefix(f"{place.key}/")
        if not below or name.startswith(below):
            source = {"Bucket": found.bucket, "Key": found.key}
            client.copy_object(Bucket=target.bucket, Key=f"{target.key}/{name}", CopySource=source)


@pytest.fixture
def two_tables(banks, prefix):
    """A lake on S3 that holds copies of two of the tables, to be changed."""
    copy_objects(banks.place, prefix, "features/", "labels/", "_lake.json")
    return SimpleNamespace(place=prefix, lake=Lake(prefix))


def test_a_copied_bucket_stages_nothing_anew(banks, tmp_path, prefix):
    folder = shutil.copytree(banks.there, tmp_path / "bank")
    copy_objects(banks.place, prefix)
    edit(folder / "tenure.toml", str(banks.place), str(prefix))
    adopt(folder, "Tiny Bank")
    with Work.open(folder) as work:
        (record,) = run(work, ["staging"])
    assert record.status == "current"


def test_an_old_version_becomes_current_again_and_back(two_tables):
    bank = two_tables
    before = cells(bank.lake, "features")
    with bank.lake.locked():
        assert restore(bank.lake, "features", 0).version == 2
    assert bank.lake.read("features").num_rows < before.num_rows
    with bank.lake.locked():
        restore(bank.lake, "features", 1)
    assert cells(bank.lake, "features").equals(before)


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_object_is_named_and_not_read(two_tables, damage):
    bank = two_tables
    place = bank.lake.require("labels").files[0]
    whole = place.read_bytes()
    middle = len(whole) // 2
    if damage == "gone":
        place.unlink()
    else:
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        place.write(flipped if damage == "flipped" else whole[:middle])
    with pytest.raises(DamagedLake, match=rf"table 'labels' .* is damaged: version 1: file '{place.name}'"):
        Lake(bank.place).require("labels")
    with bank.lake.locked():
        (found,) = survey(Lake(bank.place)).damages
    assert (found.table, found.file) == ("labels", f"labels/{place.name}")


def test_a_log_that_was_changed_is_named(two_tables):
    bank = two_tables
    log = bank.place / "features" / "_delta_log" / f"{0:020}.json"
    log.write(log.read_bytes().replace(b"part-", b"qart-", 1))
    with pytest.raises(DamagedLake, match=r"'0{20}\.json' of its log is not as it was written"):
        Lake(bank.place).require("features")


def test_two_commits_of_one_version_are_never_both_made(prefix):
    """Two writers, neither knowing of the other, as when a lease has lapsed unseen."""

    def rows(number):
        return pa.Table.from_pylist([{"number": number}], schema=schema_of(NUMBERS))

    one, other = Lake(prefix), Lake(prefix)
    one.write(rows(0), NUMBERS)
    log = one.log("numbers")

    def begin():
        log.begin_commit()
        other.write(rows(2), NUMBERS)

    whole, racing = one.log, SimpleNamespace(begin_commit=begin, seal=log.seal)
    one.log = lambda table, seen=None: racing if seen is None else whole(table, seen)
    with pytest.raises(LakeBusy, match="another run has committed to"):
        one.write(rows(1), NUMBERS)
    assert Lake(prefix).require("numbers").version == 1
    assert Lake(prefix).read("numbers").to_pylist() == [{"number": 2}]


#: A run of the project in the folder, killed right before or after so many objects were written or removed.
KILLED = """
import os, signal, sys
from tenure.session.work import Work, adopt
from tenure.stages.run import backfill, run
from tenure.storage.credentials import s3_client

folder, point, when = sys.argv[1], int(sys.argv[2]), sys.argv[3]
passed = 0
def count(request=None, **_):
    global passed
    if getattr(request, "method", "") in ("PUT", "POST", "DELETE"):
        passed += 1
        if passed == point and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
def answered(**_):
    if passed >= point and when == "after":
        os.kill(os.getpid(), signal.SIGKILL)
with Work.open(folder) as work:
    events = s3_client(work.folders.s3).meta.events
    events.register("before-send.s3", count)
    events.register("after-call.s3", answered)
    list(run(work))
"""


def killed(folder, point, when="before"):
    """Run the project until it is killed; return how it ended."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", KILLED, str(folder), str(point), when]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)


#: How often the run is killed: each time it goes on from where it was, through a share of its writes.
KILLS = 5 if THOROUGH else 2


@pytest.mark.slow
def test_a_run_killed_again_and_again_between_two_writes_ends_as_a_clean_one(banks, clean, tmp_path, prefix):
    folder = shutil.copytree(banks.there, tmp_path / "bank")
    shutil.rmtree(folder / "out")
    edit(folder / "tenure.toml", str(banks.place), str(prefix))
    for number in range(KILLS):
        point = banks.writes // (KILLS + 2) + number
        ended = killed(folder, point, "before" if point % 2 else "after")
        assert ended.returncode == -signal.SIGKILL, f"kill {number} came too late"
    assert "built" in ran(folder).values()
    require_same(clean, Lake(prefix))
    with Lake(prefix).locked():
        found = survey(Lake(prefix))
    assert found.damages == ()
    assert found.strangers == ()
    assert found.files > 40


def test_the_verbs_look_at_a_lake_on_s3(banks, monkeypatch, capsys):
    for verb in (["status"], ["history"], ["history", "features"], ["show", "labels"], ["verify", "--integrity"]):
        monkeypatch.setattr(sys, "argv", ["tenure", *verb, "-p", str(banks.there)])
        with pytest.raises(SystemExit) as ended:
            application.main()
        said = capsys.readouterr()
        assert not ended.value.code, (verb, said)
        assert said.out
    assert "files are as they were written" in said.out


def test_rights_of_files_are_no_setting_of_a_lake_on_s3(banks, tmp_path):
    folder = shutil.copytree(banks.there, tmp_path / "bank")
    edit(folder / "tenure.toml", f'path = "{banks.place}"', f'path = "{banks.place}"\nmode = "group"')
    with pytest.raises(InvalidConfig, match=r"\[lake\] mode is 'group'.* lies on S3") as refused:
        Work.look(folder)
    assert "bucket's policy" in refused.value.hint


def test_no_key_is_ever_written(banks):
    """The keys are canaries: they stand in no object of the lake, no file of the project, no answer."""
    for place in banks.place.listed():
        assert b"canary" not in place.read_bytes(), place
    for file in banks.there.rglob("*"):
        if file.is_file():
            assert b"canary" not in file.read_bytes(), file
    assert "canary" not in json.dumps(banks.statuses)
