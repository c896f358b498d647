"""Every speed claim, measured as ratios within one run: absolute seconds drift on a shared machine, ratios less so.

    python benchmarks/run.py [--customers 2k] [--rounds 3]

features: all snapshots at once (what `tenure features` runs), against
    loop   the same definitions compiled for one snapshot at a time, in one connection
    floor  one group-by of the transactions by customer, plus writing the finished features again
Rounds are interleaved (A B C A B C); the medians of the per-round ratios are printed as JSON lines.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from tenure.demo import generate_bank, parse_customers
from tenure.pipeline.data import calendar
from tenure.pipeline.run import run
from tenure.pipeline.start import write_project
from tenure.pipeline.work import Work
from tenure.tables.features import FeatureSteps


def main() -> None:
    """Generate a bank, build its snapshots, and time the feature stage against its peers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", default="2k")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_project(folder)
        generate_bank(folder, customers=parse_customers(arguments.customers))
        with Work.open(folder) as work:
            for _ in run(work, ("staging", "snapshots", "features")):
                pass
            for line in measured(work, folder / "bench", arguments.rounds):
                sys.stdout.write(json.dumps(line) + "\n")


def measured(work: Work, out: Path, rounds: int) -> list[dict[str, object]]:
    """Return one line a peer: its median seconds and the median ratio of its time to ours."""
    ways = ways_to_compute(work, out)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - begun)
    return [
        {
            "benchmark": "features",
            "way": name,
            "rows": work.require("features").rows,
            "columns": len(work.project.columns),
            "snapshots": len(calendar(work).dates),
            "seconds": round(statistics.median(times), 3),
            "times_ours": round(statistics.median(t / o for t, o in zip(times, seconds["tenure"], strict=True)), 2),
        }
        for name, times in seconds.items()
    ]


def ways_to_compute(work: Work, out: Path) -> dict[str, Callable[[], None]]:
    """Return what is timed, by name; each writes the same rows as Parquet or does the floor's work."""
    dates, engine = calendar(work).dates, work.engine
    work.scan(["snapshots", *work.project.sources, "features"])

    def computed(days: Sequence[date], folder: Path) -> None:
        steps = FeatureSteps(work.project, work.dialect, days)
        for select in (*steps.held, *steps.ranged()):
            engine.hold(select.table, select.text)
        engine.write(steps.final().text, folder, ["snapshot_date"])

    def loop() -> None:
        for day in dates:
            computed([day], out / "loop")

    def floor() -> None:
        engine.run("SELECT customer_id, COUNT(*), SUM(amount), MIN(amount) FROM transactions GROUP BY customer_id")
        engine.write("SELECT * FROM features", out / "floor", ["snapshot_date"])

    def ours() -> None:
        computed(dates, out / "tenure")

    return {"tenure": ours, "loop": loop, "floor": floor}


if __name__ == "__main__":
    main()
