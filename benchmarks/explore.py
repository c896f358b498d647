"""`tenure explore` on a demo bank, as a process of its own: wall clock, processor time, peak of resident memory.

    python benchmarks/explore.py [--customers 20k] [--rounds 3] [--project DIR]

The bank is generated and built up to its training set once, under build/bench/explore-<customers>; `--project` looks at
a project that is built already. Before each round the page is removed, so that everything is computed anew. Goal:
20k customers × 24 snapshots × 325 columns, all pairs, in under 60 s on 2 cores; 100k in bounded memory. JSON lines.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from timing import environment

from tenure.demo import generate_bank, parse_customers
from tenure.session.start import write_project
from tenure.session.work import Work
from tenure.stages.explore import PAGE

ROOT = Path(__file__).resolve().parent.parent


def built(customers: str) -> Path:
    """Return the folder of a demo bank that is built up to its training set."""
    folder = ROOT / "build" / "bench" / f"explore-{customers}"
    if not (folder / "tenure.toml").exists():
        write_project(folder)
        generate_bank(folder, customers=parse_customers(customers))
    command = [sys.executable, "-m", "tenure.cli", "run", "--project", str(folder), "--to", "training_set"]
    subprocess.run(command, check=True, env=environment())
    return folder


def measured(project: Path) -> dict[str, float]:
    """Look at every column anew; return seconds, processor seconds and the peak of memory in MiB."""
    with Work.look(project) as work:
        (work.output / PAGE).unlink(missing_ok=True)
    command = [sys.executable, "-m", "tenure.cli", "explore", "--project", str(project), "--json"]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment())
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    said = process.communicate()[0]
    if process.returncode or b'"built"' not in said:
        sys.exit(f"'{' '.join(command)}' ended with exit code {process.returncode}: {said.decode()}")
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_mib": round(used.ru_maxrss / 1024),
    }


def size(project: Path) -> dict[str, int]:
    """Return how many rows and columns the features have, and how many pairs were associated."""
    with Work.look(project) as work:
        features = work.lake.require("features")
        pairs = work.lake.require("explore/correlations").rows
        columns = work.lake.require("explore/labels").rows
    return {"rows": features.rows, "columns": columns, "pairs": pairs}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--customers", default="20k")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--project", type=Path)
    given = asked.parse_args()
    project = given.project or built(given.customers)
    rounds = []
    for number in range(given.rounds):
        rounds.append(measured(project))
        print(json.dumps({"round": number, **rounds[-1]}), flush=True)
    middle = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    print(json.dumps({"median": middle, **size(project), "cores": os.cpu_count()}))


if __name__ == "__main__":
    main()
