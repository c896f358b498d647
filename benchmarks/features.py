"""Features against their peers: whole processes over the same staged files, in turn, as ratios within one run.

    python benchmarks/features.py --size S [--ways ours,duckdb_loop,polars_tiles] [--rounds 3] [--check]

Absolute seconds drift on a shared machine, ratios less so: rounds are interleaved (A B C A B C), and each way's line
gives the median of its rounds' ratios to ours. docs/benchmarks.md tells what is computed and how to read the lines.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from timing import HERE, Measured, environment, run
from venvs import interpreter
from ways import WAYS
from workload import Seconds, Workload, load

SIZES = {"S": 2_000, "M": 20_000, "L": 100_000}

#: Each way first runs on so few customers, untimed: what Python compiles once is no part of a run. A bank as small is
#: measured without.
WARM_UP = 20


def main() -> None:
    """Measure, print a JSON line a way, and compare the cells if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="S", help="S, M, L or a number of customers")
    parser.add_argument(
        "--ways", default="ours,duckdb_loop,duckdb_bands,polars_tiles,floor", help=f"of {', '.join(WAYS)}"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", default="4GB", help="the limit of those that have one: ours and DuckDB's")
    parser.add_argument("--dir", type=Path, default=Path("build/bench"), help="kept: banks and environments")
    parser.add_argument("--check", action="store_true", help="compare every cell with ours; exit 1 if one differs")
    arguments = parser.parse_args()
    folder = arguments.dir.resolve()
    ways = chosen(arguments.ways, parser)
    if arguments.size not in SIZES and not (arguments.size.isdecimal() and int(arguments.size)):
        parser.error(f"--size '{arguments.size}' is none of {', '.join(SIZES)}, nor a number of customers")
    if arguments.rounds < 1:
        parser.error(f"--rounds {arguments.rounds}: at least one is needed")
    customers = SIZES.get(arguments.size) or int(arguments.size)
    # Bytecode is kept beside the banks, wherever the environment would put it or forbid it.
    os.environ |= {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    pythons = {name: interpreter(WAYS[name].environment, folder / "venvs") for name in ways}
    out = folder / "out"
    if customers > WARM_UP:
        rounds(pythons, banks(folder, WARM_UP, ways), out, 1, arguments.memory)
    givens = banks(folder, customers, ways)
    measured = rounds(pythons, givens, out, arguments.rounds, arguments.memory)
    for name in ways:
        print(json.dumps(line(name, givens[name], measured, arguments.size)))
    if arguments.check:
        sys.exit(max([check(name, out) for name in ways if name != WAYS[name].base], default=0))


def chosen(text: str, parser: argparse.ArgumentParser) -> list[str]:
    """Return the ways in the order of a round: each after that which it is measured against."""
    asked = text.split(",")
    if unknown := sorted(set(asked) - set(WAYS)):
        parser.error(f"no way '{unknown[0]}'; ways: {', '.join(WAYS)}")
    wanted = {*asked, *(WAYS[name].base for name in asked)}
    return [name for name in WAYS if name in wanted]


def rounds(
    pythons: Mapping[str, str], givens: Mapping[str, Workload], out: Path, number: int, memory: str
) -> dict[str, Measured]:
    """Run every way in turn, so many times, and return what each took."""
    measured = {name: Measured() for name in pythons}
    for _ in range(number):
        for name, python in pythons.items():
            finished = measured["ours"].files if name == "floor" else []
            run(python, name, givens[name].made(memory=memory, features=finished), out, measured[name])
    return measured


def banks(folder: Path, customers: int, ways: Sequence[str]) -> dict[str, Workload]:
    """Return what each way is given of a bank of so many customers."""
    made = {late: bank(folder, customers, on_time=late) for late in {WAYS[name].on_time for name in ways}}
    return {name: made[WAYS[name].on_time] for name in ways}


def bank(folder: Path, customers: int, *, on_time: bool) -> Workload:
    """Return the workload of a bank of so many customers, generated and staged if it is not there."""
    command = [sys.executable, str(HERE / "bank.py"), f"--customers={customers}", f"--dir={folder / str(customers)}"]
    command += ["--on-time"] if on_time else []
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment())
    return load(Path(made.stdout.splitlines()[-1]))


def line(name: str, given: Workload, measured: Mapping[str, Measured], size: str) -> dict[str, object]:
    """Return what is printed of a way."""
    own, base = measured[name], WAYS[name].base
    ratios = [mine / theirs for mine, theirs in zip(own.seconds, measured[base].seconds, strict=True)]
    of_cpu = [mine / theirs for mine, theirs in zip(own.cpu, measured[base].cpu, strict=True)]
    told: dict[str, object] = {
        "benchmark": "features",
        "way": name,
        "size": size,
        "rows": given.rows,
        "columns": WAYS[name].columns or len(given.columns) - 2,
        "snapshots": len(given.dates),
        "rounds": len(own.seconds),
        "seconds": round(statistics.median(own.seconds), 2),
        f"times_{base}": round(statistics.median(ratios), 3),
        "least": round(min(ratios), 3),
        "most": round(max(ratios), 3),
        "cpu_seconds": round(statistics.median(own.cpu), 2),
        f"cpu_times_{base}": round(statistics.median(of_cpu), 3),
        "peak_mib": round(statistics.median(own.mebibytes)),
    }
    return told | ({"phases": dict(medians(own.phases))} if own.phases[0] else {})


def medians(rounds: Sequence[Mapping[str, Seconds]]) -> Iterator[tuple[str, list[float]]]:
    """Return each phase's medians: seconds of the wall clock, and of all cores."""
    for phase in rounds[0]:
        yield phase, [round(statistics.median(phases[phase][kind] for phases in rounds), 2) for kind in (0, 1)]


def check(name: str, out: Path) -> int:
    """Compare a way's last output with that of the way it is measured against; return 1 if they differ."""
    base = WAYS[name].base
    files = [str(out / f"{said}.json") for said in (f"{base}-workload", base, name)]
    command = [sys.executable, str(HERE / "check.py"), *files, *(["--those-it-has"] if WAYS[name].columns else [])]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    told = json.loads(done.stdout) if done.returncode == 0 else {}
    print(json.dumps({"check": name, "against": base, "equal": done.returncode == 0, **told}))
    return done.returncode


if __name__ == "__main__":
    main()
