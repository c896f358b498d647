"""A lake belongs to one project and has a format; its files are for the owner alone, and so is what engines spill."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest
from tiny_bank import TOML, write_tiny_bank

from tenure.cli import application
from tenure.define.contract_base import Contract
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.errors import EngineError, InvalidConfig, LakeBusy, LakeFormat, LakeOfAnotherProject, StoreError
from tenure.feature_store.store import FeatureStore
from tenure.session.work import Work, adopt
from tenure.stages.run import run
from tenure.store.journal import begin_write
from tenure.store.lake import Lake
from tenure.store.private import private_files
from tenure.store.spill import Spill, remove_left

FIXTURES = Path(__file__).parents[1] / "fixtures"

#: Every verb that reads or writes a lake, with what it needs.
VERBS = [
    *(["run"], ["plan"], ["backfill"], ["materialize"], ["status"], ["check"], ["verify"], ["history"]),
    *(["show", "features"], ["restore", "features", "--version", "0"], ["sql", "features"], ["features", "list"]),
    *(["lineage", "payment_count_90d"], ["staging"], ["features"], ["train"], ["score"], ["explain"], ["segment"]),
    *(["report"], ["historical-features", "--spine", "s.csv", "--features", "region", "--out", "o.csv"]),
]


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


@pytest.fixture
def tenure(monkeypatch, capsys):
    """Return a function that runs the command and returns its exit code and what it said on stderr."""

    def ran(*arguments):
        monkeypatch.setattr(sys, "argv", ["tenure", *map(str, arguments)])
        code = 0
        try:
            application.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, capsys.readouterr().err

    return ran


def build(bank, *stages, **overrides):
    with Work.open(bank, overrides={"verify": {"customers": 0}, **overrides}) as work:
        for _ in run(work, stages or ["staging", "snapshots", "features"]):
            pass


def named(bank, name):
    (bank / "tenure.toml").write_text(TOML.replace("Tiny Bank", name))


def identity(lake):
    return json.loads((lake / "_lake.json").read_text())


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Whose lake it is


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_another_project_is_refused_by_every_verb(tmp_path, tenure, verb):
    ours, theirs = write_tiny_bank(tmp_path / "a"), write_tiny_bank(tmp_path / "b")
    for folder, name in ((ours, "First Bank"), (theirs, "Second Bank")):
        named(folder, name)
        (folder / "tenure.toml").write_text((folder / "tenure.toml").read_text() + '[lake]\npath = "../lake"\n')
    with Work.open(ours).lake.locked():
        pass
    before = files(tmp_path)
    code, said = tenure(*verb, "--project", theirs)
    assert code == 7
    assert "belongs to project 'First Bank'; this is project 'Second Bank'" in said
    assert "tenure adopt 'First Bank' --project" in said
    assert files(tmp_path) == before


def test_projects_of_one_name_do_not_share_a_lake_while_both_are_there(tmp_path):
    ours, theirs = write_tiny_bank(tmp_path / "a"), write_tiny_bank(tmp_path / "b")
    at = {"lake": {"path": str(tmp_path / "lake")}}
    with Work.open(ours, overrides=at).lake.locked():
        pass
    with pytest.raises(LakeOfAnotherProject, match=r"'Tiny Bank' in '.*/a'; this is project 'Tiny Bank' in '.*/b'"):
        Work.open(theirs, overrides=at)
    shutil.rmtree(ours)
    with Work.open(theirs, overrides=at).lake.locked():
        pass
    assert identity(tmp_path / "lake")["folder"] == "../b"


def test_a_project_that_is_moved_or_copied_with_its_lake_keeps_it(bank, tmp_path):
    build(bank, "staging")
    made = identity(bank / "lake")
    shutil.copytree(bank, tmp_path / "copy")
    bank.rename(tmp_path / "moved")
    for folder in (tmp_path / "moved", tmp_path / "copy"):
        with Work.open(folder) as work:
            assert [record.status for record in run(work, ["staging"])]
        assert identity(folder / "lake") == made


def test_definitions_may_change_and_the_lake_stays(bank):
    build(bank, "staging")
    made = identity(bank / "lake")
    file = bank / "features" / "paid.py"
    file.write_text(file.read_text().replace("days(30, 90)", "days(30, 60, 90)"))
    build(bank)
    assert identity(bank / "lake") == made


def test_a_renamed_bank_adopts_its_lake_by_the_sentence_that_refuses_it(bank, tenure):
    build(bank, "staging")
    named(bank, "New Bank")
    code, said = tenure("status", "-p", bank)
    assert code == 7
    words = said.replace("\n", " ").split("run: tenure ")[1].strip()
    assert words == f"adopt 'Tiny Bank' --project {bank}"
    assert tenure("adopt", "Wrong Bank", "--project", bank)[0] == 7
    assert tenure("adopt", "Tiny Bank", "--project", bank)[0] == 0
    assert identity(bank / "lake")["project"] == "New Bank"
    assert tenure("status", "-p", bank) == (0, "")


def test_what_is_no_lake_is_not_adopted(bank):
    with pytest.raises(StoreError, match="no lake yet"):
        adopt(bank, "Tiny Bank")
    assert not (bank / "lake").exists()


def test_umlauts_of_a_name_may_be_composed_otherwise(bank):
    named(bank, "B\u00e4nk")
    with Work.open(bank).lake.locked():
        pass
    named(bank, "Ba\u0308nk")
    assert Work.open(bank)


def test_a_lake_that_another_project_took_meanwhile_is_refused_under_the_lock(tmp_path):
    ours, theirs = write_tiny_bank(tmp_path / "a"), write_tiny_bank(tmp_path / "b")
    named(theirs, "Second Bank")
    at = {"lake": {"path": str(tmp_path / "lake")}}
    first, second = Work.open(ours, overrides=at), Work.open(theirs, overrides=at)
    with first.lake.locked():
        pass
    with pytest.raises(LakeOfAnotherProject), second.lake.locked():
        pass


# The format


@pytest.fixture
def old_bank(tmp_path):
    with tarfile.open(FIXTURES / "lake_b9c3916.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "tiny"


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_an_older_lake_is_refused_by_every_verb(old_bank, tenure, verb):
    before = files(old_bank)
    code, said = tenure(*verb, "--project", old_bank)
    assert code == 7
    assert "LakeFormat" in said
    assert "made by an older Tenure (format 0), and this one reads format 1" in said
    assert f"mv {old_bank}/lake {old_bank}/lake-old, then 'tenure lake migrate" in said.replace("\n", " ")
    assert files(old_bank) == before


def test_the_cure_for_an_older_lake_works(old_bank, tenure):
    (old_bank / "lake").rename(old_bank / "lake-old")
    assert tenure("run", "--to", "snapshots", "--project", old_bank)[0] == 0
    assert identity(old_bank / "lake")["format"] == 1


@pytest.mark.parametrize("verb", [["status"], ["show", "features"], ["run"]], ids=" ".join)
def test_a_newer_lake_is_refused(bank, tenure, verb):
    with Work.open(bank).lake.locked():
        pass
    file = bank / "lake" / "_lake.json"
    file.write_text(json.dumps({"format": 2, "tenure": "9.9", "something": "else"}))
    code, said = tenure(*verb, "-p", bank)
    assert code == 7
    assert "has format 2: it was made by a newer Tenure (9.9)" in said
    with pytest.raises(LakeFormat):
        Work.open(bank)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", "null", '{"format": "1"}', '{"format": true}', '{"format": 0}', '{"format": 1}', "\xff"],
)
def test_a_damaged_lake_file_is_refused_by_a_sentence_and_left(bank, content):
    with Work.open(bank).lake.locked():
        pass
    file = bank / "lake" / "_lake.json"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(StoreError, match=r"_lake.json' (can't be read|has the format)") as refused:
        Work.open(bank)
    assert refused.value.hint
    assert file.read_bytes() == content.encode("latin-1")


def test_a_lake_file_that_is_gone_is_damage_and_no_older_format(bank):
    build(bank, "staging")
    (bank / "lake" / "_lake.json").unlink()
    with pytest.raises(StoreError, match=r"_lake.json' is gone: it tells whose lake this is") as refused:
        Work.open(bank)
    assert not isinstance(refused.value, LakeFormat)


# Links


@pytest.mark.parametrize("kind", ["symlink", "dangling", "hard link", "fifo", "other content"])
def test_a_lock_that_is_no_file_of_the_lake_is_not_written(bank, tmp_path, kind):
    target, lock = tmp_path / "precious", bank / "lake" / ".lock"
    lock.parent.mkdir()
    target.write_text("precious")
    if kind == "symlink":
        lock.symlink_to(target)
    elif kind == "dangling":
        lock.symlink_to(tmp_path / "nowhere")
    elif kind == "hard link":
        lock.hardlink_to(target)
    elif kind == "fifo":
        os.mkfifo(lock)
    else:
        lock.write_text("precious")
    with pytest.raises(StoreError, match=r"\.lock") as refused, Work.open(bank).lake.locked():
        pass
    assert not isinstance(refused.value, LakeBusy)
    assert target.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()
    assert kind != "other content" or lock.read_text() == "precious"


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_a_journal_that_is_a_link_is_not_written(bank, tmp_path, link):
    lake, target = Work.open(bank).lake, tmp_path / "precious"
    target.write_text("precious")
    lake.path("runs").mkdir(parents=True)
    getattr(lake.path("runs") / "_writes", link)(target)
    with pytest.raises(StoreError, match="_writes' is a"):
        begin_write(lake.path("runs"))
    assert target.read_text() == "precious"


def test_a_lake_file_that_is_a_link_is_refused(bank, tmp_path):
    with Work.open(bank).lake.locked():
        pass
    file = bank / "lake" / "_lake.json"
    file.rename(tmp_path / "elsewhere.json")
    file.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(StoreError, match="is a link"):
        Work.open(bank)


def test_an_output_file_that_is_a_link_is_replaced_and_its_target_stays(tmp_path):
    from tenure.storage.location import write_whole

    target = tmp_path / "precious"
    target.write_text("precious")
    for name in ("list.csv", ".list.csv.partial"):
        (tmp_path / name).symlink_to(target)
    write_whole(tmp_path / "list.csv", b"new")
    assert target.read_text() == "precious"
    assert (tmp_path / "list.csv").read_text() == "new"


# Who may read it


@pytest.mark.parametrize(
    ("mode", "umask", "file_mode", "folder_mode"),
    [("owner", 0o022, 0o600, 0o700), ("owner", 0o000, 0o600, 0o700), ("group", 0o022, 0o640, 0o750)],
)
def test_what_a_run_writes_is_for_the_owner_or_the_group_alone(bank, tmp_path, mode, umask, file_mode, folder_mode):
    before = os.umask(umask)
    try:
        build(bank, lake={"mode": mode})
        with Work.open(bank, overrides={"lake": {"mode": mode}}) as work:
            for table in ("historical/a",):
                with work.lake.locked():
                    work.lake.write(work.lake.read("snapshots"), Contract(table=table))
            job = FeatureStore(work).get_historical_features(work.lake.read("snapshots"), "region")
            job.to_file(tmp_path / "asked.csv")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    written = [bank / "lake", *(bank / "lake").rglob("*"), tmp_path / "asked.csv"]
    assert len(written) > 40
    for path in written:
        wanted = folder_mode if path.is_dir() else file_mode
        got = stat.S_IMODE(path.stat().st_mode)
        # What tells of errors is the owner's in any mode.
        of_errors = path.name in ("logs", "_pending_runs.json") or path.parent.name == "logs"
        assert got == wanted or (of_errors and got == wanted & 0o700), (path, oct(got))


@pytest.mark.spark
def test_what_spark_writes_is_for_the_owner_alone(tmp_path, spark_session):
    from tenure.engines.spark import SparkEngine

    engine = SparkEngine(EngineSettings(name="spark"), spark_session)
    with private_files("owner"):
        engine.write("SELECT 1 AS k, DATE '2024-01-31' AS day", tmp_path / "table", ("day",))
        engine.write("SELECT 1 AS k", tmp_path / "plain", ())
    for path in [*(tmp_path / "table").rglob("*"), *(tmp_path / "plain").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_umask_is_put_back_by_the_last_of_several_threads():
    before = os.umask(0o022)
    try:
        inside, leave = threading.Event(), threading.Event()

        def write():
            with private_files("group"):
                inside.set()
                leave.wait(10)

        other = threading.Thread(target=write)
        with private_files("owner"):
            other.start()
            inside.wait(10)
        assert os.umask(0o027) == 0o027  # The group's is still in force, and the owner's has gone.
        leave.set()
        other.join()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


# Spill

BIG = "SELECT range AS a, md5(range::VARCHAR) AS b FROM range(3000000)"


@pytest.fixture(params=["in the lake", "in a folder of its own"])
def room(bank, tmp_path, request):
    """The folder in which the runs of the bank spill."""
    (bank / "lake").mkdir()
    if request.param == "in the lake":
        return bank / "lake" / "spill"
    (tmp_path / "scratch").mkdir()
    with (bank / "tenure.toml").open("a") as toml:
        toml.write(f'\n[engine]\nspill_folder = "{tmp_path / "scratch"}"\n')
    return tmp_path / "scratch" / f"tenure-spill-{os.getuid()}"


def test_rows_without_room_in_memory_lie_on_disk_and_go_at_the_end(bank, room, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Work.open(bank, overrides={"engine": {"memory": "60MB", "threads": 2}}) as work:
        work.engine.cache("big", BIG)
        spilled = [path for path in room.rglob("*") if path.is_file()]
        assert spilled
        assert [path.parent.name for path in spilled] == [work.run_id] * len(spilled)
        assert stat.S_IMODE(spilled[0].parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(room.stat().st_mode) == 0o700
        assert not (tmp_path / ".tmp").exists()
    assert not room.exists()
    assert list((bank / "lake").iterdir()) == []


@pytest.mark.parametrize("place", ["s3://bucket/spill", "nowhere"])
def test_a_folder_for_spill_that_is_none_is_refused(bank, place):
    with pytest.raises(InvalidConfig, match=r"\[engine\] spill_folder is '.*(spill|nowhere)'") as told:
        Work.open(bank, overrides={"engine": {"spill_folder": place}})
    assert "folder" in told.value.hint


def test_spill_is_bounded(bank):
    (bank / "lake").mkdir()
    sizes = {"memory": "60MB", "threads": 2, "spill": "1MB"}
    with (
        Work.open(bank, overrides={"engine": sizes}) as work,
        pytest.raises(EngineError, match="than the 1MB") as told,
    ):
        work.engine.cache("big", BIG)
    assert "[engine] spill" in told.value.hint
    assert list((bank / "lake").iterdir()) == []


def test_an_engine_without_a_folder_spills_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    engine = DuckDBEngine(EngineSettings(memory="60MB", threads=2))
    with pytest.raises(EngineError, match="more memory"):
        engine.cache("big", BIG)
    engine.close()
    assert list(tmp_path.iterdir()) == []


_SPILLER = """
import sys, time
from pathlib import Path
from tenure.session.work import Work
work = Work.open(Path(sys.argv[1]), overrides={"engine": {"memory": "60MB", "threads": 2}})
with work.lake.locked():
    work.engine.cache("big", sys.argv[2])
    print("spilled", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_run_spilled_is_removed_by_the_next_and_nothing_else(bank, room):
    spill = room
    killed = subprocess.Popen([sys.executable, "-c", _SPILLER, str(bank), BIG], stdout=subprocess.PIPE, text=True)
    with killed:
        assert killed.stdout.readline() == "spilled\n"
        left = [path for path in spill.rglob("*") if path.is_file()]
        assert left
        assert {stat.S_IMODE(path.stat().st_mode) for path in left} == {0o600}
        remove_left(room)
        assert [path for path in spill.rglob("*") if path.is_file()] == left, "of a run that lives"
        killed.send_signal(signal.SIGKILL)
    dead = left[0].parent
    (dead / "notes.txt").write_text("not ours")
    (spill / "20240101T000000-abcdef.txt").write_text("not ours")
    (spill / "mine").mkdir()
    with Work.open(bank).lake.locked():
        pass
    assert {path.relative_to(spill).as_posix() for path in spill.rglob("*")} == {
        dead.name,
        f"{dead.name}/notes.txt",
        "20240101T000000-abcdef.txt",
        "mine",
    }


def test_spill_that_is_a_link_is_not_followed(bank, tmp_path):
    (bank / "lake").mkdir()
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "20240101T000000-abcdef").mkdir(parents=True)
    (elsewhere / "20240101T000000-abcdef" / "duckdb_temp_x").write_text("not ours")
    (bank / "lake" / "spill").symlink_to(elsewhere)
    remove_left(bank / "lake" / "spill")
    spill = Spill(bank / "lake" / "spill", "20250101T000000-abcdef")
    assert not spill.folder.is_relative_to(bank)
    assert stat.S_IMODE(spill.folder.stat().st_mode) == 0o700
    spill.close()
    assert not spill.folder.exists()
    assert (elsewhere / "20240101T000000-abcdef" / "duckdb_temp_x").exists()


# The network

_NO_NETWORK = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"):
        raise RuntimeError(f"network: {event} {arguments}")
sys.addaudithook(refuse)
"""


def test_a_local_project_makes_no_network_call(bank, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_NO_NETWORK)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.1)
        here = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        proxies = dict.fromkeys(
            ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), here
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        path = os.pathsep.join([str(tmp_path / "site"), *sys.path])
        for verb in (["run", "--to", "features"], ["status"], ["show", "features"], ["run", "--to", "staging"]):
            done = subprocess.run(
                [sys.executable, "-m", "tenure.cli", *verb, "-p", str(bank)],
                env={**kept, **proxies, "PYTHONPATH": path},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (verb, done.stderr)
        with pytest.raises(TimeoutError):
            proxy.accept()


def test_deltalake_is_only_ever_given_an_absolute_path(bank, monkeypatch):
    import tenure.store.lake as module

    asked = []
    real = module.DeltaTable

    class Spy(real):
        def __init__(self, uri, *arguments, **named):
            asked.append(uri)
            super().__init__(uri, *arguments, **named)

    monkeypatch.setattr(module, "DeltaTable", Spy)
    monkeypatch.chdir(bank.parent)
    lake = Lake(Path("s3:") / "lake")
    assert lake.find("features") is None
    build(Path("bank"), "staging")
    assert asked
    assert all(uri.startswith("/") for uri in asked)
