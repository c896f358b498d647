"""Staging: raw tables typed, checked and sorted into the lake, against DuckDB's sorted copy and a count of the keys.

    python benchmarks/staging.py [--rows 10M] [--csv-rows 2M] [--month-rows 10M] [--rounds 3] [--memory 4GB]

The bookings are generated, seeded and sorted by nothing: one of a hundred is corrected later by a second version of its
key, and one of a thousand is an exact duplicate. Of Parquet DuckDB writes a copy in the order that staging writes, and
counts the keys that occur more than once; of gzip CSV it writes the rows as Parquet. Each side is a process of its own
with the same limit of memory, and sides take turns. A new month is one file of 24 that comes when the others are
staged, with corrections of older bookings in it; it is compared with the staging of the first 23.
JSON lines: the processor seconds of all threads behind start-up
(Python's imports, the project's definitions), start-up beside them, the peak of resident memory, and the median of the
rounds' ratios.
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

import duckdb
from timing import environment

#: A customer has so many bookings.
BOOKINGS = 200

SOURCES = """\
from tenure import Column, Csv, Entity, Parquet, Source

customer = Entity("customer", key="customer_id", source="customers")
customers = Source(
    "customers", read=Parquet("customers.parquet"), key="customer_id", event_time="opened_on",
    columns=[Column("customer_id", type="integer", role="key"), Column("opened_on", type="date", role="time")],
)
bookings = Source(
    "bookings", read={read}, key="booking_id", event_time="booked_at", known_time="known_at",
    columns=[
        Column("booking_id", type="integer", role="key"), Column("customer_id", type="integer", role="key"),
        Column("booked_at", type="timestamp", role="time"), Column("known_at", type="timestamp", role="time"),
        Column("amount", type="decimal", role="measure", unit="EUR"), Column("direction"), Column("category"),
    ],
)
"""
CHURN = """\
from tenure import ChurnDefinition, Inactivity

churn = ChurnDefinition("silent", event=Inactivity("bookings"), horizon=30)
"""
VIEWS = """\
from tenure import Aggregate, FeatureView, days

spent = FeatureView(
    "spent", source="bookings", features=[Aggregate("booking", how="count", windows=days(30), doc="Bookings")]
)
"""
READ = {
    "parquet": 'Parquet("bookings.parquet")',
    "csv": 'Csv("bookings.csv.gz")',
    "months": 'Parquet("bookings-*.parquet")',
}

#: The months whose bookings are a file each.
MONTHS = [f"{year}-{month:02}" for year in (2022, 2023) for month in range(1, 13)]
COLUMNS = "booking_id, customer_id, booked_at, known_at, amount, direction, category"
TYPES = {
    "booking_id": "BIGINT",
    "customer_id": "BIGINT",
    "booked_at": "TIMESTAMP",
    "known_at": "TIMESTAMP",
    "amount": "DECIMAL(18, 2)",
    "direction": "VARCHAR",
    "category": "VARCHAR",
}
ORDER = "CAST(DATE_TRUNC('month', GREATEST(booked_at, known_at)) AS DATE), customer_id, booked_at, booking_id, known_at"


def main() -> None:
    """Make the data, let the sides take turns, and print a JSON line a kind of file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=counted, default=10_000_000, help="of Parquet; 0 leaves it out")
    parser.add_argument("--csv-rows", type=counted, default=2_000_000, help="of gzip CSV; 0 leaves it out")
    parser.add_argument(
        "--month-rows", type=counted, default=10_000_000, help="of 24 files of Parquet; 0 leaves it out"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", default="4GB", help="[engine] memory, and DuckDB's limit on the other side")
    parser.add_argument("--dir", type=Path, default=Path("build/bench"), help="kept: the raw tables")
    parser.add_argument("--side", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        SIDES[arguments.side](arguments.dir, arguments.memory)
        return
    for kind, rows in (("parquet", arguments.rows), ("csv", arguments.csv_rows)):
        if rows:
            folder = arguments.dir.resolve() / f"staging_{kind}_{rows}"
            write_bank(folder, kind, rows)
            print(json.dumps(compared(folder, kind, rows, arguments.rounds, arguments.memory)), flush=True)
    if arguments.month_rows:
        folder = arguments.dir.resolve() / f"staging_months_{arguments.month_rows}"
        write_bank(folder, "months", arguments.month_rows)
        print(json.dumps(new_month(folder, arguments.month_rows, arguments.rounds, arguments.memory)), flush=True)


def write_months(database: duckdb.DuckDBPyConnection, data: Path, rows: int, customers: int) -> None:
    """Write a file a month with the bookings that became known in it; in the last one's those of after it too."""
    database.execute(f"CREATE TABLE bookings AS {bookings(rows, customers)}")
    for month in MONTHS:
        is_of_month = f"strftime(known_at, '%Y-%m') = '{month}'" + (
            " OR known_at >= TIMESTAMP '2024-01-01'" if month == MONTHS[-1] else ""
        )
        database.execute(
            f"COPY (FROM bookings WHERE {is_of_month}) TO '{data / f'bookings-{month}.parquet'}' (FORMAT parquet)"
        )


def new_month(folder: Path, rows: int, rounds: int, memory: str) -> dict[str, object]:
    """Stage the first 23 months, then the last one beside them; return what is printed."""
    last, aside = folder / "data" / f"bookings-{MONTHS[-1]}.parquet", folder / "last.parquet"
    told: dict[str, list[dict[str, float]]] = {"first": [], "month": []}
    for _ in range(rounds):
        shutil.rmtree(folder / "lake", ignore_errors=True)
        last.rename(aside)
        try:
            told["first"].append(measured(folder, "tenure", memory))
        finally:
            aside.rename(last)
        told["month"].append(measured(folder, "tenure", memory))
    shares = [of["cpu"] / first["cpu"] for first, of in zip(told["first"], told["month"], strict=True)]
    line: dict[str, object] = {
        "benchmark": "staging",
        "kind": "new month",
        "rows": rows,
        "rounds": rounds,
        "memory": memory,
    }
    for side, figures in told.items():
        for figure in figures[0]:
            line[f"{side}_{figure}"] = round(statistics.median(of[figure] for of in figures), 2)
    return line | {"cpu_share": round(statistics.median(shares), 3)}


def counted(text: str) -> int:
    """Return the number that a text such as '10M' or '500k' means."""
    factor = {"k": 1_000, "M": 1_000_000}.get(text[-1:], 1)
    return int(text[:-1] if factor > 1 else text) * factor


def write_bank(folder: Path, kind: str, rows: int) -> None:
    """Write a project of customers and bookings, unless it is there."""
    if (folder / "tenure.toml").exists():
        return
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    customers = max(1, rows // BOOKINGS)
    (folder / "sources.py").write_text(SOURCES.format(read=READ[kind]), encoding="utf-8")
    (folder / "churn.py").write_text(CHURN, encoding="utf-8")
    (folder / "features").mkdir(exist_ok=True)
    (folder / "features" / "spent.py").write_text(VIEWS, encoding="utf-8")
    with duckdb.connect(config={"threads": 1}) as database:
        database.execute(
            f"COPY (SELECT range AS customer_id, DATE '2020-01-01' AS opened_on FROM range({customers})) "
            f"TO '{data / 'customers.parquet'}'"
        )
        if kind == "months":
            write_months(database, data, rows, customers)
        file = data / ("bookings.parquet" if kind == "parquet" else "bookings.csv.gz")
        options = "FORMAT parquet" if kind == "parquet" else "FORMAT csv, COMPRESSION gzip"
        if kind != "months":
            database.execute(f"COPY ({bookings(rows, customers)}) TO '{file}' ({options})")
    (folder / "tenure.toml").write_text('[project]\nname = "Staging"\n', encoding="utf-8")


def bookings(rows: int, customers: int) -> str:
    """Return the SELECT of the bookings: hashes of their numbers, so that every run makes the same."""
    corrected, doubled = rows // 100, rows // 1000
    first = rows - corrected - doubled
    # Row by row: its booking, and which version of it.
    numbered = f"""
        SELECT range AS row_number,
            CASE WHEN range < {first} THEN range ELSE (hash(range) % {first})::BIGINT END AS booking_id,
            (range >= {first} AND range < {first + corrected})::INT AS version
        FROM range({rows})"""
    drawn = f"""
        SELECT *, (hash(booking_id, 1) % {customers})::BIGINT AS customer_id,
            TIMESTAMP '2022-01-01' + to_seconds((hash(booking_id, 2) % (730 * 86400))::BIGINT) AS booked_at
        FROM ({numbered})"""
    return f"""
        SELECT booking_id, customer_id, booked_at,
            booked_at + to_hours(1 + (hash(booking_id, 3) % 48)::INT + 240 * version) AS known_at,
            ((hash(booking_id, 4, version) % 100000) / 100)::DECIMAL(18, 2) AS amount,
            CASE WHEN hash(booking_id, 5) % 3 = 0 THEN 'credit' ELSE 'debit' END AS direction,
            'category ' || (hash(booking_id, 6) % 20) AS category
        FROM ({drawn}) ORDER BY hash(row_number, 7)"""


def compared(folder: Path, kind: str, rows: int, rounds: int, memory: str) -> dict[str, object]:
    """Let both sides take turns on one bank; return what is printed."""
    ours, theirs = "tenure", f"duckdb_{kind}"
    told: dict[str, list[dict[str, float]]] = {ours: [], theirs: []}
    for _ in range(rounds):
        for side, rounds_told in told.items():
            shutil.rmtree(folder / "lake", ignore_errors=True)
            shutil.rmtree(folder / "copy", ignore_errors=True)
            rounds_told.append(measured(folder, side, memory))
    ratios = [mine["cpu"] / its["cpu"] for mine, its in zip(told[ours], told[theirs], strict=True)]
    line: dict[str, object] = {"benchmark": "staging", "kind": kind, "rows": rows, "rounds": rounds, "memory": memory}
    for side, name in ((ours, "tenure"), (theirs, "duckdb")):
        for figure in told[side][0]:
            line[f"{name}_{figure}"] = round(statistics.median(of[figure] for of in told[side]), 2)
    return line | {"cpu_times": round(statistics.median(ratios), 2), "least": round(min(ratios), 2),
                   "most": round(max(ratios), 2)}  # fmt: skip


def measured(folder: Path, side: str, memory: str) -> dict[str, float]:
    """Run one side as a process of its own; return its processor seconds, start-up beside them, and its peak."""
    command = [sys.executable, __file__, "--side", side, "--dir", str(folder), "--memory", memory]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(), text=True)
    out = process.stdout.read() if process.stdout else ""
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{side} failed with exit code {process.returncode}")
    start = json.loads(out.splitlines()[-1])
    return {
        "cpu": used.ru_utime + used.ru_stime - start["cpu"],
        "seconds": wall - start["seconds"],
        "start_up": start["cpu"],
        "peak_mib": used.ru_maxrss / 1024,
    }


def by_tenure(folder: Path, memory: str) -> None:
    """Stage every source of the bank."""
    begun = time.perf_counter()
    from tenure.session.work import Work
    from tenure.stages.run import run

    with Work.open(folder, overrides={"engine": {"memory": memory}}) as work:
        _started(begun)
        for stage in run(work, ["staging"]):
            sys.stderr.write(f"{stage.stage}: {stage.status}, {stage.rows:,} rows\n")


def by_duckdb_from_parquet(folder: Path, memory: str) -> None:
    """Write a sorted copy of the bookings, and count the keys that occur more than once."""
    begun = time.perf_counter()
    source, target = f"read_parquet('{folder / 'data' / 'bookings.parquet'}')", _copy(folder)
    with duckdb.connect(config=_limits(folder, memory)) as database:
        _started(begun)
        rows = f"SELECT {COLUMNS} FROM {source} ORDER BY {ORDER}"
        database.execute(f"COPY ({rows}) TO '{target}' (FORMAT parquet, COMPRESSION snappy)")
        database.execute(
            "SELECT COUNT(*) FROM ("
            f"SELECT booking_id, known_at FROM {source} GROUP BY booking_id, known_at HAVING COUNT(*) > 1)"
        )


def by_duckdb_from_csv(folder: Path, memory: str) -> None:
    """Write the bookings as Parquet."""
    begun = time.perf_counter()
    file = folder / "data" / "bookings.csv.gz"
    with duckdb.connect(config=_limits(folder, memory)) as database:
        _started(begun)
        rows = f"SELECT {COLUMNS} FROM read_csv('{file}', columns = {TYPES}, header = true, auto_detect = false)"
        database.execute(f"COPY ({rows}) TO '{_copy(folder)}' (FORMAT parquet, COMPRESSION snappy)")


def _started(begun: float) -> None:
    """Tell what starting took, of the processor and of the clock."""
    print(json.dumps({"cpu": time.process_time(), "seconds": time.perf_counter() - begun}), flush=True)


def _limits(folder: Path, memory: str) -> dict[str, str]:
    return {"memory_limit": memory, "temp_directory": str(folder / "copy" / "spill")}


def _copy(folder: Path) -> Path:
    (folder / "copy").mkdir()
    return folder / "copy" / "bookings.parquet"


SIDES = {"tenure": by_tenure, "duckdb_parquet": by_duckdb_from_parquet, "duckdb_csv": by_duckdb_from_csv}

if __name__ == "__main__":
    main()
