"""Features against their peers: whole processes over the same staged files, in turn, as ratios within one run.

    python benchmarks/features.py --size S [--ways ours,duckdb_loop,polars_tiles] [--rounds 3] [--check]

Absolute seconds drift on a shared machine, ratios less so: rounds are interleaved (A B C A B C), and each way's line
gives the median of its rounds' ratios to ours. docs/benchmarks.md tells what is computed and how to read the lines.
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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from venvs import interpreter
from workload import Workload, load

HERE = Path(__file__).resolve().parent
SIZES = {"S": 2_000, "M": 20_000, "L": 100_000}

#: Each way first runs on so few customers, untimed: what Python compiles once is no part of a run.
WARM_UP = 20


@dataclass(frozen=True)
class Way:
    """A script, the environment that it needs, the way it is measured against, and what it can't do.

    `on_time` leaves late and corrected rows out; a way with `columns` has so many and is compared on those alone.
    """

    script: str
    base: str = "ours"
    environment: str = ""
    on_time: bool = False
    columns: int = 0


WAYS = {
    "ours": Way("ours.py"),
    "duckdb_loop": Way("duckdb_loop.py"),
    "duckdb_bands": Way("duckdb_bands.py"),
    "polars_tiles": Way("polars_tiles.py", environment="polars"),
    "polars_loop": Way("polars_loop.py", environment="polars"),
    "floor": Way("floor.py"),
    "ours_on_time": Way("ours.py", base="ours_on_time", on_time=True),
    "featuretools": Way(
        "featuretools_dfs.py", base="ours_on_time", environment="featuretools", on_time=True, columns=204
    ),
}


@dataclass
class Measured:
    """What one way took, a number a round, and what it said of its last run."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    mebibytes: list[float] = field(default_factory=list)
    phases: list[dict[str, float]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


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
    customers = SIZES.get(arguments.size) or int(arguments.size)
    # Bytecode is kept beside the banks, wherever the environment would put it or forbid it.
    os.environ |= {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    pythons = {name: interpreter(WAYS[name].environment, folder / "venvs") for name in ways}
    out = folder / "out"
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
    command = [
        sys.executable,
        str(HERE / "bank.py"),
        "--customers",
        str(customers),
        "--dir",
        str(folder / f"{customers}"),
    ]
    made = subprocess.run(
        [*command, *(["--on-time"] if on_time else [])],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    return load(Path(made.stdout.splitlines()[-1]))


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
    phases: dict[str, float] = said["phases"]
    measured.phases.append(phases | {"start-up and rest": seconds - sum(phases.values())} if phases else {})


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


def medians(rounds: Sequence[Mapping[str, float]]) -> Iterator[tuple[str, float]]:
    """Return each phase's median."""
    for phase in rounds[0]:
        yield phase, round(statistics.median(phases.get(phase, 0) for phases in rounds), 2)


def check(name: str, out: Path) -> int:
    """Compare a way's last output with that of the way it is measured against; return 1 if they differ."""
    base = WAYS[name].base
    files = [str(out / f"{said}.json") for said in (f"{base}-workload", base, name)]
    command = [sys.executable, str(HERE / "check.py"), *files, *(["--those-it-has"] if WAYS[name].columns else [])]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    told = json.loads(done.stdout) if done.returncode == 0 else {}
    print(json.dumps({"check": name, "against": base, "equal": done.returncode == 0, **told}))
    return done.returncode


def environment() -> dict[str, str]:
    """Return the environment of a process that finds this tree's Tenure before any other."""
    path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


if __name__ == "__main__":
    main()
