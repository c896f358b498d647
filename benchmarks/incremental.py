"""Incremental: one new month-end snapshot against a backfill of all, over the same staged files, as whole processes.

    python benchmarks/incremental.py --size M [--rounds 3] [--proved]

`all` computes every snapshot into an empty lake; `new` the newest one into a lake that holds all others and their
tiles. Both begin with a new process and end with the commit; --proved adds the proof of 100 customers to both.
The line gives the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from features import SIZES, banks
from lake_links import link_lake
from timing import environment
from workload import Workload

#: Builds features up to the last but one snapshot (`others`), or those that are missing.
SCRIPT = """
import sys
from pathlib import Path
from tenure.feature_store.build import build_features
from tenure.intake.calendar import calendar
from tenure.session.work import Outcome, Work

project, lake, memory, proved, which = sys.argv[1:]
overrides = {"lake": {"path": lake}, "engine": {"memory": memory}, "verify": {"customers": int(proved)}}
with Work.open(Path(project), overrides=overrides) as work:
    plan, outcome = calendar(work).plan, Outcome()
    build_features(work, plan, outcome, last=plan.dates()[-2] if which == "others" else None)
    print(outcome.message)
"""


def main() -> None:
    """Measure and print a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="M", help="S, M, L or a number of customers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--dir", type=Path, default=Path("build/bench"), help="kept: banks")
    parser.add_argument("--proved", action="store_true", help="with the proof before the commit")
    arguments = parser.parse_args()
    folder = arguments.dir.resolve()
    os.environ |= {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    given = banks(folder, SIZES.get(arguments.size) or int(arguments.size), ["ours"])["ours"]
    proved = "100" if arguments.proved else "0"
    everything, newest = [], []
    for _ in range(arguments.rounds):
        for which, found in (("all", everything), ("new", newest)):
            lake = folder / "out" / f"incremental-{which}"
            shutil.rmtree(lake, ignore_errors=True)
            link_lake(Path(given.lake), lake)
            if which == "new":
                built(given, lake, arguments.memory, proved, "others")
            found.append(built(given, lake, arguments.memory, proved, which))
    line = {
        "benchmark": "incremental",
        "size": arguments.size,
        "proved": arguments.proved,
        "rounds": arguments.rounds,
        "all_seconds": round(statistics.median(everything), 2),
        "new_seconds": round(statistics.median(newest), 2),
        "new_of_all": round(statistics.median(n / a for n, a in zip(newest, everything, strict=True)), 3),
    }
    print(json.dumps(line))


def built(given: Workload, lake: Path, memory: str, proved: str, which: str) -> float:
    """Build in a process of its own and return its seconds."""
    command = [sys.executable, "-c", SCRIPT, given.project, str(lake), memory, proved, which]
    begun = time.perf_counter()
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=environment()).stdout
    seconds = time.perf_counter() - begun
    if which == "new" and ", 1 of " not in told:
        sys.exit(f"the newest snapshot was not the only one: {told}")
    return seconds


if __name__ == "__main__":
    main()
