"""Timing: a way as a process of its own, its wall clock, its time on all cores and its peak of resident memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from ways import WAYS
from workload import Seconds, Workload

HERE = Path(__file__).resolve().parent


@dataclass
class Measured:
    """What one way took, a number a round, and what it said of its last run."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    mebibytes: list[float] = field(default_factory=list)
    phases: list[dict[str, Seconds]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def run(python: str, name: str, given: Workload, out: Path, measured: Measured) -> None:
    """Run a way as a process of its own; note its wall clock, its peak of resident memory and what it says."""
    folder, told = out / name, out / f"{name}.json"
    shutil.rmtree(folder, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    given.save(out / f"{name}-workload.json")
    command = [python, str(HERE / WAYS[name].script), str(out / f"{name}-workload.json"), str(folder)]
    with told.open("w") as answer:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=answer, env=environment())
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{name} failed with exit code {process.returncode}; it ran: {' '.join(command)}")
    said = json.loads(told.read_text())
    measured.files = said["files"]
    measured.seconds.append(seconds)
    measured.cpu.append(used.ru_utime + used.ru_stime)
    measured.mebibytes.append(used.ru_maxrss / 1024)
    phases: dict[str, Seconds] = said["phases"]
    spent = (sum(wall for wall, _ in phases.values()), sum(cpu for _, cpu in phases.values()))
    rest = (seconds - spent[0], measured.cpu[-1] - spent[1])
    measured.phases.append(phases | {"start-up and rest": rest} if phases else {})


def environment() -> dict[str, str]:
    """Return the environment of a process that finds this tree's Tenure before any other."""
    path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}
