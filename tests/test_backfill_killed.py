"""Fifty backfills killed at random points: readers see the old version or the new, and the next run ends as ever."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from tiny_bank import write_tiny_bank

from tenure.store.lake import Lake

KILLS = 50
TABLES = ("features", "tiles/payments", "snapshots", "arrivals")

#: Loads everything once, then forks a backfill a line: 'FOLDER SECONDS' kills it so many seconds after it began to run,
#: 'FOLDER -' lets it end. Ranges of few customers, and of periods, so that there are steps to be killed between.
DRIVER = """
import os, signal, sys, time
from pathlib import Path
import duckdb, deltalake, pyarrow.dataset, pyarrow.parquet
import tenure.engines.duckdb, tenure.pipeline.backfill
from tenure.pipeline.run import backfill
from tenure.pipeline.work import Work

tenure.pipeline.backfill._SHARE_OF_MEMORY = 3e-6
tenure.pipeline.backfill._MOST_ROWS = 100
for line in sys.stdin:
    folder, delay = line.split()
    begun = time.perf_counter()
    child = os.fork()
    if not child:
        with Work.open(Path(folder)) as work:
            list(backfill(work))
        os._exit(0)
    if delay != "-":
        time.sleep(float(delay))
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), time.perf_counter() - begun,
        flush=True)
"""


class Runner:
    """The driver, asked for one backfill at a time."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __call__(self, folder: Path, delay: float | None = None) -> tuple[int, float]:
        """Return how it ended (the signal, or the exit code) and its seconds."""
        print(folder, "-" if delay is None else delay, file=self.process.stdin, flush=True)
        status, seconds = self.process.stdout.readline().split()
        return int(status), float(seconds)


@pytest.fixture(scope="module")
def runner():
    running = Runner()
    with running.process:
        yield running
        running.process.stdin.close()


def rows(lake: Lake, table: str) -> pa.Table:
    found = lake.read(table)
    return found.sort_by([(name, "ascending") for name in found.column_names])


@pytest.fixture(scope="module")
def before(tmp_path_factory, runner) -> Path:
    """A bank whose features are built, and whose definitions then changed."""
    folder = write_tiny_bank(tmp_path_factory.mktemp("killed") / "before")
    toml = (folder / "tenure.toml").read_text()
    (folder / "tenure.toml").write_text(toml.replace("first = 2024-01-31", "first = 2024-01-31\nlast = 2024-05-31"))
    assert runner(folder)[0] == 0
    file = folder / "features" / "paid.py"
    file.write_text(file.read_text().replace("amount > 50", "amount > 40"))
    return folder


@pytest.fixture(scope="module")
def clean(before, runner) -> tuple[Path, float]:
    """The same after an undisturbed backfill, and its seconds."""
    folder = shutil.copytree(before, before.with_name("clean"))
    status, seconds = runner(folder)
    assert status == 0
    return folder, seconds


@pytest.mark.slow
def test_fifty_killed_backfills_end_as_an_undisturbed_one(before, clean, runner, tmp_path):
    done, seconds = clean
    chance = random.Random(11)  # noqa: S311  (delays, not secrets)
    old, new = (rows(Lake(folder / "lake"), "features") for folder in (before, done))
    assert not old.equals(new)
    assert len(Lake(done / "lake").require("features").files) >= 4 * 5, "several steps"
    ends: Counter[str] = Counter()
    for number in range(KILLS):
        folder = shutil.copytree(before, tmp_path / str(number))
        lake = Lake(folder / "lake")
        status, _ = runner(folder, chance.uniform(0.02, 1.0) * seconds)
        seen = rows(lake, "features")
        assert seen.equals(old) or seen.equals(new), "a version between two"
        ends["killed" if status == signal.SIGKILL else "ended"] += 1
        ends["steps kept"] += (folder / "lake" / "features" / "_steps.json").exists()
        assert runner(folder)[0] == 0
        for table in TABLES:
            assert rows(lake, table).equals(rows(Lake(done / "lake"), table)), table
            assert lake.sweep(table) == 0, f"{table} has files that no commit names"
        assert lake.require("features").fingerprint == Lake(done / "lake").require("features").fingerprint
        assert not list((folder / "lake").rglob("_steps*")), "nothing of the steps is left"
        shutil.rmtree(folder)
    assert ends["killed"] >= KILLS * 0.8, ends
    assert ends["steps kept"] >= 3, ends
