"""`tenure check --all` on a demo bank's staged rows, against DuckDB's SUMMARIZE of the same files.

    python benchmarks/checks.py [--customers 20k] [--rounds 3] [--project DIR]

The bank is generated and staged once, under build/bench/checks-<customers>; 20k customers have about 10M bookings. Each
side is a process of its own with the same threads and limit of memory, and sides take turns. JSON lines: the processor
seconds of all threads behind start-up, and the median of the rounds' ratios. Goal: 0.5 of SUMMARIZE at most.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import duckdb
from timing import environment

from tenure.catalog.staged_checks import staged_checks
from tenure.demo import generate_bank, parse_customers
from tenure.session.start import write_project
from tenure.session.work import Work

ROOT = Path(__file__).resolve().parent.parent


def staged(customers: str) -> Path:
    """Return the folder of a demo bank that is staged."""
    folder = ROOT / "build" / "bench" / f"checks-{customers}"
    if not (folder / "tenure.toml").exists():
        write_project(folder)
        generate_bank(folder, customers=parse_customers(customers))
    command = [sys.executable, "-m", "tenure.cli", "run", "--project", str(folder), "--to", "staging"]
    subprocess.run(command, check=True, env=environment(), stdout=subprocess.DEVNULL)
    return folder


def checked(project: Path) -> dict[str, float]:
    """Check all staged rows; return the processor seconds, and how many checks there were."""
    with Work.open(project) as work:
        begun = time.process_time()
        outcomes = list(staged_checks(work, sampled=False))
        return {"cpu": time.process_time() - begun, "checks": len(outcomes)}


def summarized(project: Path) -> dict[str, float]:
    """Summarize the same files; return the processor seconds, and how many columns there were."""
    with Work.look(project) as work:
        versions = [work.require(name) for name in work.project.sources]
        settings = {"threads": work.config.engine.threads or 2, "memory_limit": work.config.engine.memory or "4GB"}
    with duckdb.connect(config=settings) as connection:
        begun = time.process_time()
        columns = 0
        for version in versions:
            rows = connection.execute(
                "SELECT * FROM (SUMMARIZE FROM read_parquet($files))", {"files": list(map(str, version.files))}
            )
            columns += len(rows.fetchall())
        return {"cpu": time.process_time() - begun, "columns": columns}


SIDES = {"checks": checked, "summarize": summarized}


def measured(side: str, project: Path) -> dict[str, float]:
    """Run one side as a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--project", str(project)]
    done = subprocess.run(command, check=True, env=environment(), stdout=subprocess.PIPE)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Make the bank, let the sides take turns, and print a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", default="20k")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--project", type=Path, help="a project that is staged already")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(SIDES[arguments.side](arguments.project)))
        return
    project = arguments.project or staged(arguments.customers)
    rounds = [{side: measured(side, project) for side in SIDES} for _ in range(arguments.rounds)]
    ratios = [one["checks"]["cpu"] / one["summarize"]["cpu"] for one in rounds]
    for side in SIDES:
        cpu = [one[side]["cpu"] for one in rounds]
        print(json.dumps({"benchmark": "checks", "side": side} | rounds[0][side] | {"cpu": statistics.median(cpu)}))
    print(json.dumps({"benchmark": "checks", "ratio": round(statistics.median(ratios), 3), "goal": 0.5}))


if __name__ == "__main__":
    main()
