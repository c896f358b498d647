"""Old versions of a table: told, restored as a new commit, refused when their files are gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from tenure.define.contract_base import Contract
from tenure.errors import MissingTable, StoreError
from tenure.store.history import history, restore, tables
from tenure.store.lake import Lake

ROOT = Path(__file__).parents[2]
ONE = pa.table({"customer_id": [1, 2], "amount": [1.5, None]})
TWO = pa.table({"customer_id": [3], "region": ["north"]})
THREE = pa.table({"customer_id": [4, 5, 6], "region": ["east", "east", "west"]})


@pytest.fixture
def lake(tmp_path):
    """A table of three versions: two rows, one row, three rows; the columns changed after the first."""
    lake = Lake(tmp_path / "lake")
    for number, rows in enumerate((ONE, TWO, THREE)):
        lake.write(contract=Contract(table="snapshots"), rows=rows, fingerprint=f"made of {number}")
    return lake


def told(lake):
    return [(c.version, c.rows, c.fingerprint, c.gone, c.restored) for c in history(lake, "snapshots")]


def test_every_version_is_told_the_newest_first(lake):
    began = datetime.now(UTC).timestamp()
    assert told(lake) == [(2, 3, "made of 2", 0, None), (1, 1, "made of 1", 0, None), (0, 2, "made of 0", 0, None)]
    assert [c.version for c in history(lake, "snapshots", 2)] == [2, 1]
    assert all(0 <= began - c.committed_at.timestamp() < 60 for c in history(lake, "snapshots"))


def test_each_version_is_found_with_its_own_fingerprint_and_read_with_its_own_columns(lake):
    assert [lake.find("snapshots", n).fingerprint for n in range(3)] == ["made of 0", "made of 1", "made of 2"]
    assert [lake.read("snapshots", version=n).to_pydict() for n in range(3)] == [
        t.to_pydict() for t in (ONE, TWO, THREE)
    ]
    assert lake.read("snapshots", version=1, columns=["region"]).to_pydict() == {"region": ["north"]}
    with pytest.raises(StoreError, match=r"table 'snapshots' has no version 3; versions: 0 to 2\."):
        lake.read("snapshots", version=3)


def test_a_restored_version_is_a_new_commit_with_the_old_rows_columns_and_fingerprint(lake):
    files = set(lake.path("snapshots").glob("*.parquet"))
    now = restore(lake, "snapshots", 0)
    assert (now.version, now.rows, now.fingerprint) == (3, 2, "made of 0")
    assert now == lake.require("snapshots")
    assert lake.read("snapshots").equals(ONE)
    assert told(lake)[0] == (3, 2, "made of 0", 0, 0)
    assert lake.read("snapshots", version=2).to_pydict() == THREE.to_pydict()
    assert set(lake.path("snapshots").glob("*.parquet")) == files  # nothing is copied
    lake.write(contract=Contract(table="snapshots"), rows=TWO, fingerprint="made of 4")
    assert lake.find("snapshots", 3).fingerprint == "made of 0"
    assert lake.sweep("snapshots") == 0
    assert lake.read("snapshots", version=3).equals(ONE)


def test_partitions_and_rows_added_one_by_one_come_back(tmp_path):
    lake = Lake(tmp_path / "lake")
    for number in range(3):
        lake.write(contract=Contract(table="runs"), rows=pa.table({"x": [number]}), mode="append")
    assert restore(lake, "runs", 1).rows == 2
    assert sorted(lake.read("runs")["x"].to_pylist()) == [0, 1]
    assert sorted(lake.read("runs", version=2)["x"].to_pylist()) == [0, 1, 2]


def test_restoring_the_current_version_commits_nothing(lake):
    before = lake.require("snapshots")
    assert restore(lake, "snapshots", 2) == before
    assert lake.require("snapshots").version == 2


@pytest.mark.parametrize("wrong", [-1, 3])
def test_a_version_that_never_was_is_refused(lake, wrong):
    with pytest.raises(StoreError, match=rf"table 'snapshots' has no version {wrong}; versions: 0 to 2\.") as caught:
        restore(lake, "snapshots", wrong)
    assert caught.value.hint == "See them with 'tenure history snapshots'."
    assert len(told(lake)) == 3


def test_a_table_that_was_never_committed_is_refused(lake):
    for asked in (lambda: restore(lake, "labels", 0), lambda: list(history(lake, "labels"))):
        with pytest.raises(MissingTable):
            asked()
    assert tables(lake) == ["snapshots"]


@pytest.mark.parametrize("harm", ["gone", "cut short"])
def test_a_version_whose_files_are_lost_is_refused_and_nothing_changes(lake, harm):
    (file,) = lake.find("snapshots", 0).files
    if harm == "gone":
        file.unlink()
        assert told(lake)[-1] == (0, 2, "made of 0", 1, None)
    else:
        file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(StoreError) as caught:
        restore(lake, "snapshots", 0)
    assert caught.value.message.startswith(
        "version 0 of table 'snapshots' can't be restored: of its 1 files 1 is gone or damaged; "
        f"'{file.name}' is {'gone' if harm == 'gone' else 'not as it was written'}"
    )
    assert lake.require("snapshots").version == 2
    assert lake.read("snapshots").to_pydict() == THREE.to_pydict()


def test_killed_at_the_commit_leaves_the_table_as_it_was_or_restored_whole(lake):
    """The process dies right before Delta writes the one file that makes a commit."""
    program = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "import deltalake\n"
        "from tenure.store import history, lake\n"
        "class Killed(deltalake.DeltaTable):\n"
        "    def restore(self, *given, **more):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "lake.DeltaTable = Killed\n"
        f"history.restore(lake.Lake(Path({str(lake.folder)!r})), 'snapshots', 0)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], check=False, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert killed.returncode == -signal.SIGKILL
    assert lake.require("snapshots").version == 2
    assert lake.read("snapshots").to_pydict() == THREE.to_pydict()
    assert restore(lake, "snapshots", 0).version == 3
