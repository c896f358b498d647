"""A run killed with SIGKILL, in any stage or right before any commit, and started again ends as if nothing had been."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import THOROUGH
from kill_points import Runs
from lake_cells import cells

from tenure.define.stage import STAGES, maker_of
from tenure.demo import generate_bank
from tenure.session.start import write_project
from tenure.store.lake import Lake
from tenure.store.runs import last_runs

pytestmark = pytest.mark.slow

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
#: Fewer snapshots, models and trials, so that a whole run takes seconds.
QUICKER = {
    "# first = 2024-01-31": "first = 2024-11-30",
    "test_snapshots = 3": "test_snapshots = 2",
    '["rule", "logistic", "lightgbm", "blend"]': '["rule", "lightgbm"]',
    "folds = 5": "folds = 2",
    "trials = 12": "trials = 1",
}
#: What is read by no stage but `features`, whose code is the same for every view: half of a run's time is theirs.
LEFT_OUT = ("account", "balance", "habit", "interaction")
#: Tables to which staging adds rows after each source.
AFTER_EACH_SOURCE = ("intake", "completeness", "checks", "quality", "monthly_profiles")
#: The search ends by its trials: a limit by the clock would let the load choose the model.
LIMIT = re.compile(r"^seconds = \d+", re.MULTILINE)


@pytest.fixture(scope="module")
def runs():
    with Runs() as running:
        yield running


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Path:
    """The demo bank's definitions and raw files, nothing built."""
    folder = tmp_path_factory.mktemp("kill") / "bank"
    write_project(folder)
    generate_bank(folder, customers=250)
    text = (folder / "tenure.toml").read_text()
    for old, new in QUICKER.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "tenure.toml").write_text(LIMIT.sub("seconds = 3600", text) + "\n[verify]\ncustomers = 5\n")
    for view in LEFT_OUT:
        (folder / "features" / f"{view}.py").unlink()
    return folder


@pytest.fixture(scope="module")
def clean(bank, runs) -> tuple[Path, dict[str, int]]:
    """A run from the first stage to the last, and the points that each stage passed."""
    folder = shutil.copytree(bank, bank.with_name("clean"))
    ended = runs(folder)
    assert ended.exit_code == 0
    assert list(ended.points) == list(STAGES)
    return folder, ended.points


@pytest.fixture
def copy(bank, tmp_path) -> Path:
    folder = tmp_path / "bank"
    shutil.copytree(bank, folder)
    return folder


def tables(folder: Path) -> Iterator[str]:
    """Every committed table but the ledger."""
    for log in sorted((folder / "lake").rglob("_delta_log")):
        table = log.parent.relative_to(folder / "lake").as_posix()
        if table != "runs":
            yield table


def require_same(folder: Path, clean: Path) -> None:
    """The same tables with the same cells, the same list, no stray file, and the lake is free."""
    killed, whole = Lake(folder / "lake"), Lake(clean / "lake")
    assert list(tables(folder)) == list(tables(clean))
    for table in tables(clean):
        left, right = cells(killed, table), cells(whole, table)
        assert left.schema == right.schema, table
        assert left.num_rows == right.num_rows, table
        assert [name for name in left.column_names if not left[name].equals(right[name])] == [], table
        assert killed.sweep(table) == 0, f"{table} has files that no commit names"
    assert [path for path in (folder / "lake").rglob("*") if path.name.endswith((".partial", ".tmp"))] == []
    listed = "out/attrition_list.csv"
    assert (folder / listed).read_bytes() == (clean / listed).read_bytes()
    assert {f.name for f in (folder / "out").iterdir()} == {f.name for f in (clean / "out").iterdir()}
    with killed.locked():
        assert {row["status"] for row in last_runs(killed).values()} <= {"built", "current"}


def finished(folder: Path, last: str = "report") -> list[str]:
    """Run the command to the end; return the stages that were built."""
    command = [sys.executable, "-m", "tenure.cli", "run", "--project", str(folder), "--to", last, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=ENVIRONMENT)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert records[-1]["stage"] == last
    return [r["stage"] for r in records if r["status"] == "built"]


# A run that goes on begins with the stage that was killed, as `--from` does; the last one begins with the first stage.


def test_run_killed_in_every_stage_ends_as_a_clean_run(copy, clean, runs):
    folder, points = clean
    chance = random.Random(11)  # noqa: S311  (places, not secrets)
    first = next(iter(STAGES))
    for stage in STAGES:
        assert points[stage] > 1, f"{stage} changes nothing"
        point = chance.randint(1, points[stage])
        assert runs(copy, first=first, stage=stage, point=point).signal == signal.SIGKILL, (stage, point)
        first = stage
    finished(copy)
    require_same(copy, folder)


def test_run_killed_right_before_each_commit_ends_as_a_clean_run(copy, clean, runs):
    folder, _ = clean
    by_time = sorted(tables(folder), key=lambda table: (folder / "lake" / table / "_delta_log").stat().st_mtime_ns)
    # Of staging, quarantine and tiles one source stands for all: the same code commits each.
    in_order = {table.partition("/")[0]: table for table in by_time}.values()
    if not THOROUGH:  # one that staging adds to after each source, and of each stage the last: all others are there
        last_of = {maker_of(table): table for table in in_order}.values()
        in_order = [table for table in in_order if table == "intake" or table in last_of]
    lake, first = Lake(copy / "lake"), "staging"
    for table in in_order:
        before = lake.find(table)
        assert runs(copy, first=first, before_commit=table).signal == signal.SIGKILL, table
        first = maker_of(table)
        assert lake.find(table) == before, f"{table} changed, though its commit never came"
        assert before is None or table in AFTER_EACH_SOURCE, table
    finished(copy)
    require_same(copy, folder)


def test_killed_rebuild_leaves_the_version_before_whole(copy, clean, runs):
    """The successor's file already lies beside it, and nobody reads that."""
    folder, _ = clean
    shutil.rmtree(copy)
    shutil.copytree(folder, copy)
    lake = Lake(copy / "lake")
    before = lake.require("labels"), cells(lake, "labels")
    churn = (copy / "churn.py").read_text()
    assert "min_tenure=90" in churn
    (copy / "churn.py").write_text(churn.replace("min_tenure=90", "min_tenure=120"))
    assert runs(copy, before_commit="labels").signal == signal.SIGKILL
    stray = set((copy / "lake" / "labels").glob("*.parquet")) - set(before[0].files)
    assert len(stray) == 1
    assert pq.read_metadata(stray.pop()).num_rows > 0
    assert (lake.require("labels"), cells(lake, "labels")) == before

    (copy / "churn.py").write_text(churn)
    assert finished(copy, "labels") == []
    assert lake.require("labels") == before[0]
