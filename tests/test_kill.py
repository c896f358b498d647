"""A run killed with SIGKILL, in any stage or right before any commit, and started again ends as if nothing had been."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.demo import generate_bank
from tenure.pipeline.run import STAGES
from tenure.pipeline.start import write_project
from tenure.store.lake import Lake
from tenure.store.runs import last_runs

pytestmark = pytest.mark.slow

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
#: When a row was made is not part of its content.
CLOCK_COLUMNS = {"created_at", "explained_at"}
#: Fewer snapshots, models and trials, so that a whole run takes seconds.
QUICKER = {
    "# first = 2024-01-31": "first = 2024-09-30",
    "test_snapshots = 3": "test_snapshots = 2",
    '["rule", "logistic", "lightgbm"]': '["rule", "lightgbm"]',
    "trials = 12": "trials = 1",
    "seconds = 60": "seconds = 300",
}

#: Loads all libraries once, then runs the project in a forked child for each line of stdin: a child dies right
#: before it commits the table that the line names. Prints the number of the signal that ended it, or 0.
KILLED_AT_COMMIT = """
import os, signal, sys
from pathlib import Path
import lightgbm, optuna, sklearn.linear_model
import tenure.engines.duckdb, tenure.insight.explain, tenure.insight.segment, tenure.model.evaluate
import tenure.model.registry, tenure.model.score, tenure.model.train, tenure.model.value
import tenure.publish.attrition_list, tenure.publish.report
from tenure.pipeline.run import run
from tenure.pipeline.work import Work
from tenure.store.lake import Lake

commit = Lake.commit
for line in sys.stdin:
    child = os.fork()
    if not child:
        def dying(lake, table, *rest, **named):
            if table == line.strip():
                os.kill(os.getpid(), signal.SIGKILL)
            return commit(lake, table, *rest, **named)
        Lake.commit = dying
        with Work.open(Path(sys.argv[1])) as work:
            list(run(work))
        os._exit(0)
    print(os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Path:
    """The demo bank's definitions and raw files, nothing built."""
    folder = tmp_path_factory.mktemp("kill") / "bank"
    write_project(folder)
    generate_bank(folder, customers=300)
    text = (folder / "tenure.toml").read_text()
    for old, new in QUICKER.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "tenure.toml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def clean(bank) -> tuple[Path, dict[str, float]]:
    """A run from the first stage to the last, and the seconds of each stage."""
    folder = bank.with_name("clean")
    shutil.copytree(bank, folder)
    with started(folder) as running:
        records = [json.loads(line) for line in running.stdout]
    assert running.returncode == 0
    assert [r["stage"] for r in records] == list(STAGES)
    return folder, {r["stage"]: r["seconds"] for r in records}


@pytest.fixture
def copy(bank, tmp_path) -> Path:
    folder = tmp_path / "bank"
    shutil.copytree(bank, folder)
    return folder


def started(folder: Path, last: str = "report") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tenure.cli", "run", "--project", str(folder), "--to", last, "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)


def run_killed_in(folder: Path, stage: str, delay: float) -> list[str]:
    """Kill a run `delay` seconds after `stage` began; return the stages that had ended."""
    before = list(STAGES)[: list(STAGES).index(stage)]
    with started(folder) as running:
        for wanted in before:
            assert json.loads(running.stdout.readline())["stage"] == wanted
        if not before:  # the first stage begins when it takes the lock
            lock = folder / "lake" / ".lock"
            while not (lock.exists() and lock.read_text() == str(running.pid)):
                assert running.poll() is None
                time.sleep(0.005)
        time.sleep(delay)
        running.send_signal(signal.SIGKILL)
        ended = [json.loads(line)["stage"] for line in running.stdout if line.endswith("\n")]
    assert running.returncode == -signal.SIGKILL
    return before + ended


def tables(folder: Path) -> Iterator[str]:
    """Every committed table but the ledger."""
    for log in sorted((folder / "lake").rglob("_delta_log")):
        table = log.parent.relative_to(folder / "lake").as_posix()
        if table != "runs":
            yield table


def content(lake: Lake, table: str) -> pa.Table:
    rows = lake.read(table)
    rows = rows.select([name for name in rows.column_names if name not in CLOCK_COLUMNS])
    for place, field in enumerate(rows.schema):
        if pa.types.is_nested(field.type):  # tiles hold lists, in no order; Arrow sorts by no nested column
            values = [str(sorted(v) if isinstance(v, list) else v) for v in rows[field.name].to_pylist()]
            rows = rows.set_column(place, field.name, pa.array(values))
    return rows.sort_by([(name, "ascending") for name in rows.column_names])


def require_same(folder: Path, clean: Path) -> None:
    """The same tables with the same cells, the same list, no stray file, and the lake is free."""
    killed, whole = Lake(folder / "lake"), Lake(clean / "lake")
    assert list(tables(folder)) == list(tables(clean))
    for table in tables(clean):
        left, right = content(killed, table), content(whole, table)
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
    """Run to the end; return the stages that were built."""
    with started(folder, last) as running:
        records = [json.loads(line) for line in running.stdout]
    assert running.returncode == 0
    assert records[-1]["stage"] == last
    return [r["stage"] for r in records if r["status"] == "built"]


def test_run_killed_once_in_every_stage_ends_as_a_clean_run(copy, clean):
    chance = random.Random()  # noqa: S311  (delays, not secrets)
    folder, seconds = clean
    in_time = 0
    for stage in STAGES:
        ended = run_killed_in(copy, stage, chance.uniform(0.05, 0.6) * seconds[stage])
        in_time += stage not in ended
    assert in_time >= len(STAGES) // 2, "most kills must land in the stage they are meant for"
    finished(copy)
    require_same(copy, folder)


def test_run_killed_right_before_each_commit_ends_as_a_clean_run(copy, clean):
    folder, _ = clean
    in_order = sorted(tables(folder), key=lambda table: (folder / "lake" / table / "_delta_log").stat().st_mtime_ns)
    script = [sys.executable, "-c", KILLED_AT_COMMIT, str(copy)]
    lake = Lake(copy / "lake")
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as driver:
        for table in in_order:
            before = lake.find(table)
            print(table, file=driver.stdin, flush=True)
            assert driver.stdout.readline().strip() == str(int(signal.SIGKILL)), table
            assert lake.find(table) == before, f"{table} changed, though its commit never came"
            assert before is None or table == "intake", "intake is written after each source"
        driver.stdin.close()
    assert driver.returncode == 0
    finished(copy)
    require_same(copy, folder)


def test_killed_rebuild_leaves_the_version_before_whole(copy, clean):
    """The successor's file already lies beside it, and nobody reads that."""
    folder, _ = clean
    shutil.rmtree(copy)
    shutil.copytree(folder, copy)
    lake = Lake(copy / "lake")
    before = lake.require("labels"), content(lake, "labels")
    churn = (copy / "churn.py").read_text()
    assert "min_tenure=90" in churn
    (copy / "churn.py").write_text(churn.replace("min_tenure=90", "min_tenure=120"))
    script = [sys.executable, "-c", KILLED_AT_COMMIT, str(copy)]
    done = subprocess.run(script, input="labels\n", capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert done.stdout.strip() == str(int(signal.SIGKILL))
    stray = set((copy / "lake" / "labels").glob("*.parquet")) - set(before[0].files)
    assert len(stray) == 1
    assert pq.read_metadata(stray.pop()).num_rows > 0
    assert (lake.require("labels"), content(lake, "labels")) == before

    (copy / "churn.py").write_text(churn)
    assert finished(copy, "labels") == []
    assert lake.require("labels") == before[0]
