"""Digests: the share of a whole run's processor time that hashing files and noting digests takes.

    python benchmarks/digests.py --customers 20k

A generated bank is run from raw files to its report in one process: first into an empty lake, then again with nothing
changed, where only stamps are looked at. A JSON line each: processor seconds of the run (user and system), those within
the digests' functions (hashing, sealing, the digests of logs, the journal), and their share.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

#: Runs all stages with the functions of tenure.store that hash, note or look at digests timed, outermost calls only.
SCRIPT = """
import os, sys, time
from pathlib import Path
from tenure.stages.run import run
from tenure.session.work import Work
from tenure.store import digests, journal, lake, log_digests, steps

spent, depth = 0.0, 0

def timed(function):
    def called(*given, **named):
        global spent, depth
        depth += 1
        begun = time.thread_time()
        try:
            return function(*given, **named)
        finally:
            depth -= 1
            if not depth:
                spent += time.thread_time() - begun
    return called

for owner, names in {
    lake: ("seal",),
    steps: ("seal",),
    lake.Lake: ("verify_files", "begin_write"),
    log_digests.TableLog: ("damage", "seal", "begin_commit", "seal_what_a_kill_left"),
    digests.FileDigests: ("of", "note", "save"),
}.items():
    for name in names:
        setattr(owner, name, timed(getattr(owner, name)))

with Work.open(Path(sys.argv[1])) as work:
    for record in run(work):
        pass
used = os.times()
print(used.user + used.system, spent)
"""


def main() -> None:
    """Measure and print two JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", default="20k", help="2k, 20k or any number")
    parser.add_argument("--dir", type=Path, default=Path("build/bench"), help="kept: the bank")
    arguments = parser.parse_args()
    folder = arguments.dir.resolve() / f"whole-{arguments.customers}"
    if not (folder / "tenure.toml").exists():
        make_bank(folder, arguments.customers)
    shutil.rmtree(folder / "lake", ignore_errors=True)
    for which in ("first run", "unchanged run"):
        told = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(folder)], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.split()
        cpu, spent = float(told[-2]), float(told[-1])
        print(
            json.dumps(
                {
                    "run": which,
                    "cpu_seconds": round(cpu, 1),
                    "digest_seconds": round(spent, 2),
                    "share": round(spent / cpu, 4),
                }
            ),
            flush=True,
        )


def make_bank(folder: Path, customers: str) -> None:
    """Write the project and the raw files of a generated bank."""
    from tenure.demo import generate_bank, parse_customers
    from tenure.session.start import write_project

    write_project(folder)
    generate_bank(folder, customers=parse_customers(customers))


if __name__ == "__main__":
    main()
