"""Bank: the demo bank of a size, staged once and kept; prints the path of its workload.

    python benchmarks/bank.py --customers 2000 --dir build/bench/2000 [--on-time]

With --on-time the transactions are only those that were known before the first snapshot after them and never
corrected: what a tool without knowledge time can be compared on.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import pyarrow as pa
from lake_links import link_lake
from workload import Workload

from tenure.define.contract_base import Contract
from tenure.demo import generate_bank
from tenure.demo.spending import CATEGORIES
from tenure.intake.calendar import calendar
from tenure.session.start import write_project
from tenure.session.work import Work
from tenure.stages.run import run

DEFINITIONS = Path(__file__).parent / "definitions.py"


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--on-time", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.dir.resolve()
    write_bank(folder, arguments.customers)
    with Work.open(folder) as work:
        for stage in run(work, ("staging", "snapshots")):
            sys.stderr.write(f"{stage.stage}: {stage.status}, {stage.rows:,} rows\n")
        lake = on_time_lake(work) if arguments.on_time else work.lake.folder
    with Work.open(folder, overrides={"lake": {"path": str(lake)}}) as work:
        file = folder / f"workload{'-on-time' if arguments.on_time else ''}.json"
        workload(work, f"{arguments.customers}{' on time' if arguments.on_time else ''}").save(file)
    sys.stdout.write(f"{file}\n")


def write_bank(folder: Path, customers: int) -> None:
    """Write the project with the benchmark's definitions, and its raw tables unless they are there."""
    if not (folder / "tenure.toml").exists():
        write_project(folder)
    for file in (folder / "features").glob("*.py"):
        file.unlink()
    shutil.copy(DEFINITIONS, folder / "features" / "bench.py")
    if not (folder / "data" / "transactions").exists():
        generate_bank(folder, customers=customers)


def workload(work: Work, size: str) -> Workload:
    """Return what the ways are given."""
    snapshots = work.require("snapshots")
    row = (*work.project.entity.keys, "snapshot_date")
    return Workload(
        size=size,
        project=str(work.folder),
        lake=str(work.lake.folder),
        transactions=[str(file) for file in work.require("transactions").files],
        snapshots=[str(file) for file in snapshots.files],
        rows=snapshots.rows,
        dates=[day.isoformat() for day in calendar(work).dates],
        categories=list(CATEGORIES),
        columns=[*row, *(str(name) for name in work.project.columns)],
    )


def on_time_lake(work: Work) -> Path:
    """Return a lake beside the bank's own whose transactions are those that every tool can read right."""
    folder = work.folder / "lake-on-time"
    shutil.rmtree(folder, ignore_errors=True)
    link_lake(work.lake.folder, folder)
    work.scan(["transactions"])
    days = ", ".join(f"(DATE '{day}')" for day in calendar(work).dates)
    rows = work.engine.run(
        "SELECT r.* FROM transactions AS r\n"
        f"ASOF LEFT JOIN (VALUES {days}) AS d(t) ON CAST(r.event_time AS DATE) < d.t\n"
        "WHERE r.known_until IS NULL AND (d.t IS NULL OR r.known_time < d.t)\n"
        "ORDER BY r.customer_id, r.event_time, r.transaction_id"
    )
    (folder / "staging" / "transactions").unlink()
    made = Work.open(work.folder, overrides={"lake": {"path": str(folder)}})
    made.lake.write(
        contract=Contract(table="staging/transactions"),
        rows=_typed(rows),
        fingerprint=work.require("transactions").fingerprint,
    )
    return folder


def _typed(rows: pa.Table) -> pa.Table:
    return rows.replace_schema_metadata(None)


if __name__ == "__main__":
    main()
