"""Backfills killed at points spread over all that they change: readers see the old version or the new, and the next
run ends as ever.

TENURE_KILLS=50 .venv/bin/pytest tests/feature_store/test_build_killed.py    kills fifty of them, not 6
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import THOROUGH
from kill_points import Runs
from tiny_bank import write_tiny_bank

from tenure.store.lake import Lake

pytestmark = pytest.mark.slow

#: From the first change to the last, evenly; six are enough to fall before any step, after steps, and at the commit.
KILLS = int(os.environ.get("TENURE_KILLS", "16" if THOROUGH else "6"))
#: Below the sizes of the ledger's files, of the tiles' and of the features'.
FILE_SIZES = (300, 1_500, 3_000, 4_500, 6_000) if THOROUGH else (300, 3_000, 6_000)
TABLES = ("features", "tiles/payments", "snapshots", "arrivals")


@pytest.fixture(scope="module")
def runs():
    with Runs() as running:
        yield running


def rows(lake: Lake, table: str) -> pa.Table:
    found = lake.read(table)
    return found.sort_by([(name, "ascending") for name in found.column_names])


@pytest.fixture(scope="module")
def before(tmp_path_factory, runs) -> Path:
    """A bank whose features are built, and whose definitions then changed."""
    folder = write_tiny_bank(tmp_path_factory.mktemp("killed") / "before")
    toml = (folder / "tenure.toml").read_text()
    (folder / "tenure.toml").write_text(toml.replace("first = 2024-01-31", "first = 2024-03-31\nlast = 2024-05-31"))
    assert runs(folder, "backfill").exit_code == 0
    file = folder / "features" / "paid.py"
    file.write_text(file.read_text().replace("amount > 50", "amount > 40"))
    return folder


@pytest.fixture(scope="module")
def clean(before, runs) -> tuple[Path, int]:
    """The same after an undisturbed backfill, and the points that its features passed."""
    folder = shutil.copytree(before, before.with_name("clean"))
    ended = runs(folder, "backfill")
    assert ended.exit_code == 0
    assert not rows(Lake(before / "lake"), "features").equals(rows(Lake(folder / "lake"), "features"))
    assert len(Lake(folder / "lake").require("features").files) >= 4 * 3, "several steps"
    return folder, ended.points["features"]


def require_whole(folder: Path, before: Path, done: Path) -> str:
    """Readers of a killed backfill see the old version or the new one; return which."""
    seen, old, new = (rows(Lake(place / "lake"), "features") for place in (folder, before, done))
    assert seen.equals(old) or seen.equals(new), "a version between two"
    return "old" if seen.equals(old) else "new"


def require_same(folder: Path, done: Path) -> None:
    """The next backfill ended as an undisturbed one, and left nothing over."""
    lake = Lake(folder / "lake")
    for table in TABLES:
        assert rows(lake, table).equals(rows(Lake(done / "lake"), table)), table
        assert lake.sweep(table) == 0, f"{table} has files that no commit names"
    assert lake.require("features").fingerprint == Lake(done / "lake").require("features").fingerprint
    assert not list((folder / "lake").rglob("_steps*")), "nothing of the steps is left"


def test_killed_backfills_end_as_an_undisturbed_one(before, clean, runs, tmp_path):
    done, points = clean
    assert points >= KILLS
    seen: Counter[str] = Counter()
    for number in range(KILLS):
        folder = shutil.copytree(before, tmp_path / str(number))
        point = 1 + number * (points - 1) // (KILLS - 1)
        assert runs(folder, "backfill", stage="features", point=point).signal == signal.SIGKILL
        seen[require_whole(folder, before, done)] += 1
        seen["steps kept"] += (folder / "lake" / "features" / "_steps.json").exists()
        assert runs(folder, "backfill").exit_code == 0
        require_same(folder, done)
        shutil.rmtree(folder)
    assert seen["steps kept"] >= KILLS // 4, seen
    assert seen["old"] >= 2, seen
    assert seen["new"] >= 1, seen


@pytest.mark.parametrize("size", FILE_SIZES)
def test_a_backfill_killed_in_the_middle_of_a_file_ends_as_an_undisturbed_one(size, before, clean, runs, tmp_path):
    done, _ = clean
    folder = shutil.copytree(before, tmp_path / "bank")
    assert runs(folder, "backfill", file_size=size).signal == signal.SIGXFSZ
    cut = [file for file in folder.rglob("*") if file.is_file() and file.stat().st_size == size]
    assert cut, "a file that was cut short"
    assert require_whole(folder, before, done) == "old"
    assert runs(folder, "backfill").exit_code == 0
    require_same(folder, done)
