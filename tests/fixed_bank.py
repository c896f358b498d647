"""A bank of forty clients with the same rows on every machine: those of worlds/branch_bank, but not drawn."""

from __future__ import annotations

import csv
import hashlib
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from tenure.store.lake import Lake

WORLD = Path(__file__).parent / "worlds" / "branch_bank"


#: Tables that routes make, and the columns by which their rows are put in order.
TABLES = {
    "features": ("branch", "number", "snapshot_date"),
    "tiles/moves": ("branch", "number", "period_end", "interval_start", "seen_from", "seen_to"),
    "tiles/holdings": ("branch", "number", "period_end", "interval_start", "seen_from", "seen_to"),
}

#: A column of type float is summed up by SQL in whatever order its threads take, so its last bits are no golden ones.
FLOATING = ("rate", "pace")


class Numbers:
    """The same numbers on every machine and Python: a linear congruential generator (Knuth's MMIX)."""

    def __init__(self):
        self.state = 11

    def below(self, most):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % most

    def one_of(self, *values):
        return values[self.below(len(values))]


def fixed_rows():
    """Forty clients of two branches with moves, corrections that arrive late, and holdings."""
    numbers, start = Numbers(), datetime(2023, 10, 1)
    clients, moves, holdings = [], [], []
    for number in range(40):
        key = {"branch": number % 2, "number": number}
        opened = start + timedelta(days=numbers.below(150))
        clients.append(
            {**key, "segment": numbers.one_of("mass", "gold", ""), "income": f"{numbers.below(9000)}.25"}
            | {"is_staff": "false", "birth_date": "1980-02-29", "reviewed_at": opened, "opened_at": opened}
            | {"closed_at": "", "recorded_at": opened}
        )
        for _ in range(numbers.below(12)):
            moved = start + timedelta(hours=12 * numbers.below(540))
            move = {"move_id": len(moves), **key, "moved_at": moved, "rate": f"{numbers.below(90)}.5"}
            for delay in (0, 0.5, 20)[: 1 + numbers.below(3)]:
                amount = numbers.one_of("", f"{numbers.below(90_000) - 20_000}.{numbers.below(90) + 10}")
                moves.append(
                    {**move, "recorded_at": moved + timedelta(days=delay), "items": numbers.one_of("", 0, 3, 9)}
                    | {"channel": numbers.one_of("online", "branch", "post", ""), "amount": amount}
                )
        for _ in range(numbers.below(3)):
            began = (start + timedelta(days=numbers.below(240))).date()
            ended = numbers.one_of("", began + timedelta(days=30))
            worth = f"{numbers.below(2000)}.5"
            holdings.append({"holding_id": len(holdings), **key, "began_on": began, "ended_on": ended, "worth": worth})
    return {"clients": clients, "moves": moves, "holdings": holdings}


def write_fixed_bank(folder: Path) -> Path:
    """Write the project and its raw files into `folder`, with nothing built, and return it."""
    shutil.copytree(WORLD, folder)
    (folder / "data").mkdir()
    for name, rows in fixed_rows().items():
        with (folder / "data" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


def cells_of(lake: Lake) -> dict[str, dict[str, str]]:
    """The digest of each column of each table in TABLES."""
    return {table: digests(lake.read(table), order) for table, order in TABLES.items()}


def digests(rows, order):
    by = [(name, "ascending") for name in order if name in rows.schema.names]
    ordered = rows.sort_by(by)
    kept = [name for name in sorted(rows.schema.names) if not any(word in name for word in FLOATING)]
    return {name: digest(ordered[name]) for name in kept}


def digest(column: pa.ChunkedArray) -> str:
    values = [sorted(value, key=repr) if isinstance(value, list) else value for value in column.to_pylist()]
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def differing(found, golden):
    """The columns whose cells are not the golden ones, as table.column."""
    return sorted(
        f"{table}.{name}"
        for table in golden.keys() | found.keys()
        for name in golden.get(table, {}).keys() | found.get(table, {}).keys()
        if golden.get(table, {}).get(name) != found.get(table, {}).get(name)
    )
