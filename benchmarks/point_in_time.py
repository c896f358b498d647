"""Point-in-time join of attributes, against polars, pandas and Feast: whole processes, from start-up to Parquet.

    python benchmarks/point_in_time.py [--rows 1M] [--versions 5M] [--customers 100k] [--rounds 3] [--peers polars]

`rows` spine rows are joined with three sources of `versions` rows each (ttl 90, 30 and 400 days, five features each).
Every way is a process of its own that reads the spine and writes rows and features as Parquet; ways take turns, and
each round's ratio is to ours of the same round. Before it is timed a way must have kept every row and agree with ours
on every cell. polars and Feast live in environments of their own, made under build/bench/venvs/. Ratios of processor
seconds (all threads) are told beside those of the clock, which other work on the machine disturbs more. JSON lines.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENVS = ROOT / "build" / "bench" / "venvs"
#: Source → its ttl in days.
TTL = {"wealth": 90, "usage": 30, "profile": 400}
FEATURES = ("amount", "rate", "visits", "tier", "portion")
NEEDS = {"polars": ["polars", "pyarrow"], "feast": ["feast[duckdb]==0.67.0", "pandas<3"]}
DAYS = 730

SOURCES = """\
from tenure import Column, Entity, Parquet, Source

customer = Entity("customer", key="customer_id", source="customers")
customers = Source(
    "customers", read=Parquet("customers.parquet"), key="customer_id", event_time="opened_on",
    columns=[Column("customer_id", type="integer", role="key"), Column("opened_on", type="date", role="time")],
)
wealth, usage, profile = (
    Source(
        name, read=Parquet(f"{name}.parquet"), key="customer_id", event_time="told_at", known_time="told_at",
        columns=[
            Column("customer_id", type="integer", role="key"), Column("told_at", type="timestamp", role="time"),
            Column(f"{name}_amount", type="float"), Column(f"{name}_rate", type="float"),
            Column(f"{name}_visits", type="integer"), Column(f"{name}_tier"), Column(f"{name}_portion", type="float"),
        ],
    )
    for name in ("wealth", "usage", "profile")
)
"""
VIEWS = """\
from tenure import Attribute, FeatureView

KINDS = ("amount", "rate", "visits", "tier", "portion")
wealth, usage, profile = (
    FeatureView(
        f"{name}_then", source=name, ttl=ttl,
        features=[Attribute(f"{name}_{kind}", of=f"{name}_{kind}", doc=kind) for kind in KINDS],
    )
    for name, ttl in (("wealth", 90), ("usage", 30), ("profile", 400))
)
"""
CHURN = """\
from tenure import ChurnDefinition, Inactivity

churn = ChurnDefinition("silent", event=Inactivity("usage"), horizon=30)
"""
FEAST = """\
project: bench
provider: local
registry: registry.db
offline_store:
  type: duckdb
online_store: null
entity_key_serialization_version: 3
"""


def main() -> None:
    """Make the data and the environments, then let the ways take turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=counted, default=1_000_000)
    parser.add_argument("--versions", type=counted, default=5_000_000)
    parser.add_argument("--customers", type=counted, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="polars,pandas,feast")
    parser.add_argument("--way", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=None)
    arguments = parser.parse_args()
    folder = arguments.folder or ROOT / "build" / "bench" / f"point_in_time_{arguments.rows}_{arguments.versions}"
    if arguments.way:
        WAYS[arguments.way](folder)
        return
    prepare(folder, arguments.rows, arguments.versions, arguments.customers)
    ways = ["tenure", *(peer for peer in arguments.peers.split(",") if peer)]
    for way in ways:
        environment(way)
    if "feast" in ways:
        started("feast_apply", folder)
    seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for way in ways:  # untimed: bytecode and file caches are warm afterwards
        started(way, folder)
        require_equal(folder, way, arguments.rows)
    for _ in range(arguments.rounds):
        for way in ways:
            seconds[way].append(started(way, folder))
    for way in ways:
        pairs = list(zip(seconds[way], seconds["tenure"], strict=True))
        clock, processor = ([theirs[n] / ours[n] for theirs, ours in pairs] for n in (0, 1))
        line = {
            "benchmark": "point_in_time",
            "way": way,
            "rows": arguments.rows,
            "versions": arguments.versions,
            "rounds": arguments.rounds,
            "seconds": round(statistics.median(theirs[0] for theirs, _ in pairs), 2),
            "times_ours": round(statistics.median(clock), 2),
            "between": [round(min(clock), 2), round(max(clock), 2)],
            "processor_seconds": round(statistics.median(theirs[1] for theirs, _ in pairs), 2),
            "processor_times_ours": round(statistics.median(processor), 2),
            "load": round(os.getloadavg()[0], 1),
        }
        print(json.dumps(line), flush=True)


def counted(text: str) -> int:
    """Return 100000 for '100k'."""
    return int(float(text[:-1]) * {"k": 1e3, "M": 1e6}[text[-1]]) if text[-1] in "kM" else int(text)


def environment(way: str) -> Path:
    """Return the Python that a way runs in; make it if it is not there."""
    if way not in NEEDS:
        return Path(sys.executable)
    folder = VENVS / way
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *NEEDS[way]], check=True)
        (folder / "ready").touch()
    return python


def started(way: str, folder: Path) -> tuple[float, float]:
    """Run a way in a process of its own; return its seconds by the clock and of the processor."""
    begun = time.perf_counter()
    command = [str(environment(way.partition("_")[0])), __file__, "--way", way, "--folder", str(folder)]
    own = {
        "PYTHONPATH": str(ROOT),
        "PYTHONPYCACHEPREFIX": str(VENVS.parent / "bytecode"),
        "PYTHONDONTWRITEBYTECODE": "",
    }
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **own})
    _, status, used = os.wait4(running.pid, 0)
    if status:
        sys.exit(f"{way} ended with status {status}")
    return time.perf_counter() - begun, used.ru_utime + used.ru_stime


def prepare(folder: Path, rows: int, versions: int, customers: int) -> None:
    """Write spine and sources, and stage them; versions fall on whole seconds and the spine on half ones."""
    if (folder / "ready").exists():
        return
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tenure.session.work import Work
    from tenure.stages.run import run

    chance, first = np.random.default_rng(7), datetime(2022, 1, 1)
    project = folder / "bank"
    (project / "data").mkdir(parents=True, exist_ok=True)
    (project / "features").mkdir(exist_ok=True)
    opened = pa.array([first.date()] * customers)
    pq.write_table(
        pa.table({"customer_id": np.arange(customers), "opened_on": opened}), project / "data/customers.parquet"
    )
    start = np.datetime64(first, "us")
    for name in TTL:
        moments = np.sort(chance.integers(0, DAYS * 86_400, versions))
        ids = chance.integers(0, customers, versions)
        _, once = np.unique(ids * (DAYS * 86_400) + moments, return_index=True)
        once.sort()
        size = len(once)
        table = pa.table(
            {
                "customer_id": ids[once],
                "told_at": pa.array(start + moments[once] * np.timedelta64(1_000_000, "us")),
                f"{name}_amount": chance.normal(1000, 300, size).round(2),
                f"{name}_rate": chance.random(size),
                f"{name}_visits": chance.integers(0, 100, size),
                f"{name}_tier": pa.array(np.array(["basic", "plus", "gold", "private"])[chance.integers(0, 4, size)]),
                f"{name}_portion": chance.random(size),
            }
        )
        pq.write_table(table, project / "data" / f"{name}.parquet")
    at = (
        start
        + chance.integers(0, DAYS * 86_400, rows) * np.timedelta64(1_000_000, "us")
        + np.timedelta64(500_000, "us")
    )
    ids = chance.integers(0, customers, rows)
    spine = pa.table({"row_id": np.arange(rows), "customer_id": ids, "event_timestamp": pa.array(at)})
    pq.write_table(spine, folder / "spine.parquet")
    (project / "sources.py").write_text(SOURCES)
    (project / "features" / "views.py").write_text(VIEWS)
    (project / "churn.py").write_text(CHURN)
    (project / "tenure.toml").write_text('[project]\nname = "Bench"\n')
    with Work.open(project) as work:
        list(run(work, ["staging"]))
    (folder / "feature_store.yaml").write_text(FEAST)
    (folder / "ready").touch()


def asked() -> list[str]:
    """The names of the features, in the order in which all ways write them."""
    return [f"{name}_{kind}" for name in TTL for kind in FEATURES]


def require_equal(folder: Path, way: str, rows: int) -> None:
    """End unless a way kept every row and gave ours in every cell."""
    import pyarrow.parquet as pq

    names = ["row_id", *asked()]
    got, ours = (pq.read_table(folder / f"out_{w}.parquet", columns=names).sort_by("row_id") for w in (way, "tenure"))
    if got.num_rows != rows:
        sys.exit(f"{way} was asked for {rows} rows and wrote {got.num_rows}")
    different = [n for n in names if got[n].cast(ours[n].type).combine_chunks() != ours[n].combine_chunks()]
    if different:
        sys.exit(f"{way} differs from ours in {different}")


def by_tenure(folder: Path) -> None:
    from tenure import FeatureStore

    with FeatureStore(folder / "bank") as store:
        job = store.get_historical_features(folder / "spine.parquet", asked())
        job.to_file(folder / "out_tenure.parquet")


def by_polars(folder: Path) -> None:
    import polars as pl

    rows = pl.scan_parquet(folder / "spine.parquet").sort("event_timestamp")
    for name, ttl in TTL.items():
        columns = ["customer_id", "told_at", *(f"{name}_{kind}" for kind in FEATURES)]
        told = pl.scan_parquet(folder / "bank" / "data" / f"{name}.parquet").select(columns).sort("told_at")
        rows = rows.join_asof(
            told,
            left_on="event_timestamp",
            right_on="told_at",
            by="customer_id",
            strategy="backward",
            tolerance=timedelta(days=ttl),
            allow_exact_matches=False,
            check_sortedness=False,
        ).drop("told_at", strict=False)
    rows.sort("row_id").collect().write_parquet(folder / "out_polars.parquet", compression="snappy")


def by_pandas(folder: Path) -> None:
    import pandas as pd

    rows = pd.read_parquet(folder / "spine.parquet").sort_values("event_timestamp", kind="stable")
    for name, ttl in TTL.items():
        told = pd.read_parquet(folder / "bank" / "data" / f"{name}.parquet").sort_values("told_at", kind="stable")
        rows = pd.merge_asof(
            rows,
            told,
            left_on="event_timestamp",
            right_on="told_at",
            by="customer_id",
            tolerance=pd.Timedelta(days=ttl),
            allow_exact_matches=False,
        ).drop(columns="told_at")
    rows.sort_values("row_id").to_parquet(folder / "out_pandas.parquet", index=False)


def feast_apply(folder: Path) -> None:
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource
    from feast.types import Float64, Int64, String

    customer = Entity(name="customer", join_keys=["customer_id"])
    types = {"amount": Float64, "rate": Float64, "visits": Int64, "tier": String, "portion": Float64}
    views = [
        FeatureView(
            name=name,
            entities=[customer],
            ttl=timedelta(days=ttl),
            schema=[Field(name=f"{name}_{kind}", dtype=types[kind]) for kind in FEATURES],
            source=FileSource(path=str(folder / "bank" / "data" / f"{name}.parquet"), timestamp_field="told_at"),
            online=False,
        )
        for name, ttl in TTL.items()
    ]
    FeatureStore(repo_path=str(folder)).apply([customer, *views])


def by_feast(folder: Path) -> None:
    import pandas as pd
    import pyarrow.parquet as pq
    from feast import FeatureStore

    job = FeatureStore(repo_path=str(folder)).get_historical_features(
        entity_df=pd.read_parquet(folder / "spine.parquet"),
        features=[f"{name}:{name}_{kind}" for name in TTL for kind in FEATURES],
    )
    pq.write_table(job.to_arrow(), folder / "out_feast.parquet")


WAYS = {
    "tenure": by_tenure,
    "polars": by_polars,
    "pandas": by_pandas,
    "feast": by_feast,
    "feast_apply": feast_apply,
}

if __name__ == "__main__":
    main()
