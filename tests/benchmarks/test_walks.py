"""Walks: what counts as a stay and as a climb, and that the way of a raw table through staging stays short."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "walks.py"


@pytest.fixture(scope="module")
def walks():
    spec = importlib.util.spec_from_file_location("walks", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["walks"] = module
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def test_rooms_are_as_high_as_the_import_contract_says(walks):
    heights = walks.layers()
    assert heights["cli"] == heights["glue"]
    assert heights["intake"] > heights["session"] > heights["engines"] > heights["define"] > heights["version"] == 0


def test_a_call_from_below_is_a_climb_and_one_from_above_or_of_a_generator_is_none(walks):
    heights, walk = walks.layers(), walks.Walk()
    walk.note("intake/staging.py", "engines/duckdb.py", heights, resumable=False)
    walk.note("engines/duckdb.py", "sql/query.py", heights, resumable=False)
    walk.note("sql/query.py", "intake/facts.py", heights, resumable=True)
    assert walk.climbs == []
    walk.note("engines/duckdb.py", "intake/staging.py", heights, resumable=False)
    walk.note("intake/staging.py", "intake/staging.py", heights, resumable=False)
    assert walk.climbs == [("engines/duckdb.py", "intake/staging.py")]
    assert walk.ups(heights) == 1, "facts.py, after query.py; staging.py lies level with facts.py"
    assert sorted(walk.files) == [
        "engines/duckdb.py",
        "intake/facts.py",
        "intake/staging.py",
        "sql/query.py",
    ]


def test_a_raw_table_goes_through_six_files_of_staging_at_most(walks):
    done = subprocess.run([sys.executable, str(SCRIPT), "staging"], check=True, capture_output=True, text=True)
    followed = json.loads(done.stdout.splitlines()[0])
    assert followed["calls"] == "followed"
    assert 3 <= followed["files"] <= 6
    assert followed["climbs"] <= 3


def test_tiles_are_written_through_eight_files_at_most_with_their_preparation_behind_them(walks):
    """Both writes of a source are followed: of late rows by SQL, of those known in time by arrays."""
    done = subprocess.run([sys.executable, str(SCRIPT), "tiles"], check=True, capture_output=True, text=True)
    followed = json.loads(done.stdout.splitlines()[0])
    assert 3 <= followed["files"] <= 8
    assert followed["climbs"] == 0
    assert followed["ups"] <= 3
