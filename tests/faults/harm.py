"""Harm done to a file of a lake, on disk or on S3, and a small bank to do it to."""

import os
import random
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tiny_bank import with_train, write_tiny_bank

from tenure import FeatureStore
from tenure.session.work import Work
from tenure.stages.run import run
from tenure.storage.location import Location, below, files_below

SETTINGS = """
[verify]
customers = 5
"""

FEATURES = ["payment_count_30d", "amount_sum_90d", "region"]
SPINE = pd.DataFrame({"customer_id": [2, 3, 4], "event_timestamp": pd.to_datetime(["2024-03-31"] * 3)})


#: Sorts of files: the log of a table, models, the digests of logs, what a table holds, and the ledger of runs.
SORTS = ("log", "model", "digests", "data", "ledger")
KINDS = ("bit", "byte", "cut", "delete")


@dataclass(frozen=True)
class Harm:
    """One damage: how, to which file, and whether size and time are put back so that they tell nothing."""

    kind: str
    file: str
    put_back: bool = False


def some_harm(files: list[str], chance: random.Random, number: int) -> Harm:
    """Draw a damage of a file, of each sort in turn; every second one leaves its size and time as they were."""
    file = chance.choice(by_sort(files)[SORTS[number % len(SORTS)]])
    return Harm(chance.choice(KINDS), file, put_back=number % 2 == 0)


def do_harm(harm: Harm, folder: Location, chance: random.Random) -> None:
    file = folder / harm.file
    content = bytearray(file.read_bytes())
    if harm.kind == "delete":
        file.unlink()
        return
    before = file.stat() if isinstance(file, Path) else None
    if harm.kind == "cut":
        content = content[: chance.randrange(len(content))]
    elif harm.kind == "bit":
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    else:
        place = chance.randrange(len(content))
        content[place] = (content[place] + chance.randrange(1, 256)) % 256
    if not isinstance(file, Path):
        file.write(bytes(content))
        return
    file.write_bytes(bytes(content))
    if harm.put_back:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def named_files(lake: Location) -> list[str]:
    """Every file that a version, log or registry row names, the digests of the logs, and the ledger's anchor."""
    of_tables = [*files_below(lake, "*.parquet"), *files_below(lake, "_log_digests.json"), lake / "_ledger.json"]
    of_logs = [file for file in files_below(lake, "*.json") if file.parent.name == "_delta_log"]
    of_models = files_below(lake / "models" / "files", "*")
    return sorted({str(below(file, lake)) for file in (*of_tables, *of_logs, *of_models)})


def by_sort(files: list[str]) -> dict[str, list[str]]:
    """The files of each sort."""
    found: dict[str, list[str]] = {}
    for file in files:
        place = Path(file)
        if place.parts[0] in ("runs", "_ledger.json"):
            sort = "ledger"
        elif place.parts[:2] == ("models", "files"):
            sort = "model"
        elif place.parent.name == "_delta_log":
            sort = "log"
        else:
            sort = "data" if place.suffix == ".parquet" else "digests"
        found.setdefault(sort, []).append(file)
    return found


def write_run_bank(folder: Path) -> Path:
    """Write a small bank with one wrong payment, and run it to its report; a training set is persisted."""
    folder = write_tiny_bank(folder, customers=240)
    toml = folder / "tenure.toml"
    toml.write_text(with_train(toml.read_text(), 'models = ["rule", "lightgbm"]\ntrials = 1') + SETTINGS)
    sources = folder / "sources.py"
    sources.write_text(sources.read_text().replace('key="payment_id",', 'key="payment_id",\n    quarantine=0.01,'))
    with (folder / "data" / "payments.csv").open("a") as payments:
        payments.write("999999,2,2024-03-05,much\n")
    with Work.open(folder) as work:
        for _ in run(work):
            pass
    with FeatureStore(folder) as store:
        store.get_historical_features(SPINE, FEATURES).persist("asked")
    return folder
