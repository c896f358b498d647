"""The command as a process, as its users start it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tenure.store.lake import Lake
from tenure.store.runs import ledger

COMMAND = (sys.executable, "-m", "tenure.cli")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def tenure(*arguments, **options):
    """Run a verb to its end."""
    options = {"capture_output": True, "text": True, "timeout": 300, "env": ENVIRONMENT} | options
    return subprocess.run([*COMMAND, *map(str, arguments)], check=False, **options)


def started(*arguments):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


def wait_for_stage(running, lake: Path, stage: str) -> None:
    """Wait until a run notes that it has begun a stage."""
    file = lake / "_pending_runs.json"
    while running.poll() is None:
        try:
            rows = json.loads(file.read_bytes())
        except (OSError, ValueError):
            rows = []
        # The process itself has begun it: a row of one that was killed before may still be there.
        is_running = (lake / ".lock").read_text().strip().startswith(str(running.pid)) if rows else False
        if is_running and [row["stage"] for row in rows if row["status"] == "started"] == [stage]:
            return
        time.sleep(0.01)
    raise AssertionError(f"ended before stage '{stage}': {running.communicate()}")


def rows_of_ledger(lake: Path) -> list[tuple[str, str]]:
    return [(row["stage"], row["status"]) for row in ledger(Lake(lake))]


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
