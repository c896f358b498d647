"""Storage: the demo bank's whole run on S3 against the same on disk, and what one new snapshot reads.

    python benchmarks/storage.py --customers 2000 [--dir build/bench/storage]

S3 is moto's over HTTP on this machine, in a process of its own: its processor time is S3's and not Tenure's, so that
seconds are compared and requests and bytes are counted. One line of JSON a measurement.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from s3_proxy import Proxy
from s3_service import serve

from tenure.demo import generate_bank
from tenure.session.start import write_project
from tenure.session.work import Work
from tenure.storage.credentials import s3_client
from tenure.storage.location import size_of
from tenure.storage.settings import S3Settings

BUCKET = "bench-lake"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--dir", type=Path, default=Path("build/bench/storage"))
    arguments = parser.parse_args()
    folder = arguments.dir.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    here = folder / "here"
    write_project(here)
    generate_bank(here, customers=arguments.customers)
    with service() as endpoint, Proxy(endpoint) as proxy:
        there = shutil.copytree(here, folder / "there")
        edit(there, 'path = "lake"', f'path = "s3://{BUCKET}/lake"')
        s3 = f'\n[s3]\nendpoint = "{proxy.url}"\nregion = "us-east-1"\npath_style = true\n'
        (there / "tenure.toml").write_text((there / "tenure.toml").read_text(encoding="utf-8") + s3, encoding="utf-8")
        local, remote = seconds("run", "--project", here), seconds("run", "--project", there)
        report("a whole run", local=local, s3=remote, ratio=remote / local, requests=len(proxy.requests))
        report("a run that finds all current", local=seconds("run", "-p", here), s3=seconds("run", "-p", there))
        one_new_snapshot(there, proxy)


def one_new_snapshot(project: Path, proxy: Proxy) -> None:
    """Take the newest snapshot's features away, compute them again, and count what that reads of S3."""
    with Work.open(project) as work:
        newest = max(work.lake.require("features").partitions)
        stored = [file for table in work.lake.tables() if table.startswith(("staging/", "tiles/"))
                  for file in work.lake.require(table).files]  # fmt: skip
        whole = sum(size_of(file) for file in stored)
    text = (project / "tenure.toml").read_text(encoding="utf-8")
    edit(project, "[snapshots]", f"[snapshots]\nlast = {date.fromisoformat(newest) - timedelta(days=1)}")
    tenure("backfill", "--project", project)
    (project / "tenure.toml").write_text(text, encoding="utf-8")
    requests, sent = len(proxy.requests), proxy.bytes_sent
    tenure("backfill", "--project", project)
    asked = Counter(method for method, _ in proxy.requests[requests:])
    read = proxy.bytes_sent - sent
    report("one new snapshot", bytes_read=read, of_staged_and_tiles=whole, share=read / whole, **asked)


def edit(project: Path, old: str, new: str) -> None:
    """Change a line of tenure.toml."""
    file = project / "tenure.toml"
    text = file.read_text(encoding="utf-8")
    if old not in text:
        raise ValueError(f"tenure.toml lacks {old!r}")
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def report(measured: str, **figures: float) -> None:
    """Print a measurement."""
    sys.stdout.write(json.dumps({"measured": measured} | {name: round(value, 2) for name, value in figures.items()}))
    sys.stdout.write("\n")
    sys.stdout.flush()


def tenure(*arguments: object) -> None:
    """Run the command."""
    command = [sys.executable, "-m", "tenure.cli", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def seconds(*arguments: object) -> float:
    """Run the command and return how long it took."""
    begun = time.perf_counter()
    tenure(*arguments)
    return time.perf_counter() - begun


@contextmanager
def service() -> Iterator[str]:
    """An S3 service with an empty bucket."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
    spawned = get_context("spawn")
    address = spawned.Queue()
    process = spawned.Process(target=serve, args=(address,), daemon=True)
    process.start()
    endpoint = address.get(timeout=60)
    s3_client(S3Settings(endpoint=endpoint, region="us-east-1", path_style=True)).create_bucket(Bucket=BUCKET)
    yield endpoint
    process.terminate()
    process.join()


if __name__ == "__main__":
    main()
