"""Drift: how often quiet panels alarm, and which planted faults are found, on simulated banks and on demo banks.

    python benchmarks/drift.py [--panels 200] [--faults 3] [--demo-banks 10]

A quiet panel has 36 month ends and 330 columns of about 5,000 customers who stay from month to month (1.5 % leave each
month, 2.5 % join), whose cells hang together over time, with season, growth, newcomers who become like the others,
columns that age, windows that overlap, cells that are missing for a reason, and a calendar that shakes some columns.
All of the stage's judging is run on it; only the profiles are taken from arrays rather than from files.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import NormalDist

import numpy as np

from tenure.catalog.drift import drifted
from tenure.checks.drift import SHARES
from tenure.checks.drift_findings import DriftFinding, Profile, findings
from tenure.demo import generate_bank
from tenure.session.start import write_project
from tenure.session.work import Work
from tenure.stages.run import run

ROOT = Path(__file__).resolve().parent.parent

#: Columns by what they are like.
LEVELS, MONEY, COUNTS, WINDOWS, TENURES, SINCE, RATIOS, CATEGORIES = 80, 60, 60, 45, 15, 20, 40, 10
NUMBERS = LEVELS + MONEY + COUNTS + WINDOWS + TENURES + SINCE + RATIOS
#: Customers a year before the first snapshot, and the shares of them who leave and join in a month.
FIRST, LEAVE, JOIN = 3_550, 0.015, 0.025
FALSE_ALARMS_A_YEAR = 0.02

#: By how many standard deviations the calendar shakes a fifth of the columns, anew each month.
SHAKEN = 0.01


def month_ends(number: int) -> list[date]:
    """Return month ends from January 2022 on."""
    firsts = [date(2022 + place // 12, place % 12 + 1, 1) for place in range(1, number + 1)]
    return [first - timedelta(days=1) for first in firsts]


@dataclass
class Fault:
    """What is done to the numbers of a month: rows of columns, in place; `month` counts from the fault's first."""

    begins: int
    numbers: Callable[[np.ndarray, int, np.random.Generator], None] | None = None
    categories: Callable[[np.ndarray, int, np.random.Generator], None] | None = None
    missing_base: float | None = None
    missing_more: float = 0.0


@dataclass
class Panel:
    """A bank month by month: the customers who are there, and the state of each of their columns."""

    rng: np.random.Generator
    missing_base: float | None = None

    def __post_init__(self) -> None:
        rng = self.rng
        self.rho = rng.uniform(0.3, 0.99, (NUMBERS, 1)).astype(np.float32)
        self.fixed = rng.uniform(0.0, 0.9, (NUMBERS, 1)).astype(np.float32)
        amplitude = np.where(rng.random(NUMBERS) < 0.5, rng.uniform(0.05, 0.3, NUMBERS), 0)
        self.season = (amplitude[:, None] * rng.standard_normal((NUMBERS, 12))).astype(np.float32)
        self.shaken = np.where(rng.random(NUMBERS) < 0.2, SHAKEN, 0.0)
        self.newcomers = np.where(rng.random(NUMBERS) < 0.3, rng.uniform(-0.6, 0.6, NUMBERS), 0).astype(np.float32)
        self.sigma = rng.uniform(0.5, 2.0, (MONEY, 1)).astype(np.float32)
        self.rate = rng.uniform(0.05, 4.0, (COUNTS, 1)).astype(np.float32)
        self.window = rng.integers(1, 4, (WINDOWS, 1))
        self.reset = rng.uniform(0.02, 0.6, (SINCE, 1))
        base = np.where(rng.random(NUMBERS) < 0.5, rng.uniform(0.01, 0.4, NUMBERS), 0.0)
        self.missing = base if self.missing_base is None else np.full(NUMBERS, self.missing_base)
        self.levels = rng.integers(3, 9, CATEGORIES)
        self.months = rng.exponential(45, FIRST)
        self._join(FIRST, old=True)
        for month in range(12):
            self.step()
            self.numbers(month)

    def _join(self, number: int, *, old: bool) -> None:
        rng = self.rng
        fresh = {
            "effect": rng.standard_normal((NUMBERS, number), dtype=np.float32),
            "state": rng.standard_normal((NUMBERS, number), dtype=np.float32),
            "absent": rng.standard_normal((NUMBERS, number), dtype=np.float32),
            "flows": np.zeros((3, WINDOWS, number), dtype=np.float32),
            "since": rng.geometric(np.broadcast_to(self.reset, (SINCE, number))).astype(np.float32)
            * (30 if old else 1),
            "offset": rng.exponential(200, (TENURES, number)).astype(np.float32),
            "chosen": np.stack([rng.binomial(levels - 1, 0.3, number) for levels in self.levels]),
        }
        if old:
            for _ in range(3):
                fresh["flows"] = np.concatenate([np.exp(rng.standard_normal((1, WINDOWS, number))), fresh["flows"][:2]])
            self.cells = fresh
            return
        self.months = np.concatenate([self.months, np.zeros(number)])
        self.cells = {name: np.concatenate([cells, fresh[name]], axis=-1) for name, cells in self.cells.items()}

    def step(self) -> None:
        """Let a month pass."""
        rng = self.rng
        stays = rng.random(len(self.months)) >= LEAVE
        self.months = self.months[stays] + 1
        self.cells = {name: cells[..., stays] for name, cells in self.cells.items()}
        self._join(rng.poisson(JOIN * len(self.months)), old=False)
        cells, shape = self.cells, (NUMBERS, len(self.months))
        noise = rng.standard_normal(shape, dtype=np.float32)
        cells["state"] = self.rho * cells["state"] + np.sqrt(1 - self.rho**2) * noise
        cells["absent"] = np.float32(0.95) * cells["absent"]
        cells["absent"] += np.float32(np.sqrt(1 - 0.95**2)) * rng.standard_normal(shape, dtype=np.float32)
        reset = rng.random((SINCE, shape[1])) < self.reset
        cells["since"] = np.where(reset, rng.integers(0, 30, reset.shape), cells["since"] + 30).astype(np.float32)
        for row, levels in zip(cells["chosen"], self.levels, strict=True):
            moved = rng.random(shape[1]) < 0.03
            row[moved] = rng.binomial(levels - 1, 0.3, moved.sum())

    def numbers(self, month: int) -> np.ndarray:
        """Return the cells of a month, a row a column."""
        cells, rng = self.cells, self.rng
        base = np.sqrt(self.fixed) * cells["effect"] + np.sqrt(1 - self.fixed) * cells["state"]
        shock = self.season[:, month % 12] + (self.shaken * rng.standard_normal(NUMBERS)).astype(np.float32)
        base += shock[:, None] + self.newcomers[:, None] * np.exp(-self.months / 12).astype(np.float32)
        parts = np.split(base, np.cumsum([LEVELS, MONEY, COUNTS, WINDOWS, TENURES, SINCE]))
        levels, money, counts, flows, _, _, ratios = parts
        cells["flows"] = np.concatenate([np.exp(flows)[None], cells["flows"][:2]])
        summed = np.cumsum(cells["flows"], axis=0)
        return np.concatenate(
            [
                levels,
                np.exp(self.sigma * money + 6),
                rng.poisson(self.rate * np.exp(0.7 * counts)).astype(np.float32),
                np.take_along_axis(summed, (self.window - 1)[None], axis=0)[0],
                (30.4 * self.months).astype(np.float32) + cells["offset"],
                cells["since"],
                1 / (1 + np.exp(-ratios)),
            ]
        )

    def absent(self, more: float) -> np.ndarray:
        """Return which cells are missing; `more` of all rows than usual."""
        usual = np.array([NormalDist().inv_cdf(share) if share else -99 for share in self.missing])
        if more:
            usual = np.array([NormalDist().inv_cdf(share + more) if share else -99 for share in self.missing])
        return self.cells["absent"] < usual[:, None].astype(np.float32)


def profiles(panel: Panel, months: int, fault: Fault | None = None) -> Iterator[dict[str, Profile]]:
    """Yield the profiles of each month, by column."""
    for month in range(months):
        panel.step()
        numbers, since = panel.numbers(month), month - fault.begins if fault else -1
        if fault and since >= 0 and fault.numbers:
            fault.numbers(numbers, since, panel.rng)
        numbers[panel.absent(fault.missing_more if fault and since >= 0 else 0.0)] = np.nan
        numbers.sort(axis=1)
        rows = numbers.shape[1]
        present = (~np.isnan(numbers)).sum(axis=1)
        places = (SHARES[None] * present[:, None]).astype(np.intp)
        grids = np.take_along_axis(numbers, places, axis=1).astype(np.float64)
        found = {
            f"number_{place}": Profile("number", rows, int(rows - present[place]), grid=grids[place])
            for place in range(NUMBERS)
        }
        chosen = panel.cells["chosen"].copy()
        if fault and since >= 0 and fault.categories:
            fault.categories(chosen, since, panel.rng)
        for place, row in enumerate(chosen):
            values, counts = np.unique(row, return_counts=True)
            counted = {f"v{value}": int(number) for value, number in zip(values, counts, strict=True)}
            found[f"category_{place}"] = Profile("category", rows, 0, counts=counted)
        yield found


def judged(panel: Panel, months: int, fault: Fault | None = None) -> list[DriftFinding]:
    """Return all that the stage would find in a panel, of every snapshot."""
    days = month_ends(months)
    return findings(dict(zip(days, profiles(panel, months, fault), strict=True)), FALSE_ALARMS_A_YEAR)


def quiet(panels: int, months: int, first: int = 0) -> int:
    """Print and return how many of so many quiet panels, from the `first` on, alarm at least once."""
    alarmed, begun = 0, time.perf_counter()
    for seed in range(first, first + panels):
        found = [one for one in judged(Panel(np.random.default_rng([seed, 15])), months) if one.is_alarm]
        alarmed += bool(found)
        for one in found:
            print(f"panel {seed}: {one.snapshot_date} {one.column_name} {one.kind} {one.deviate}: {one.words}")
        if seed % 20 == 19:
            took = time.perf_counter() - begun
            print(f"{alarmed} of {seed + 1 - first} quiet panels alarmed, {took:.0f} s", flush=True)
    print(f"quiet panels with any alarm over {months} months: {alarmed} of {panels}", flush=True)
    return alarmed


def _deviations(numbers: np.ndarray) -> np.ndarray:
    return numbers.std(axis=1, keepdims=True)


def _shift(numbers: np.ndarray, _since: int, _: np.random.Generator) -> None:
    numbers += np.float32(0.15) * _deviations(numbers)


def _creep(numbers: np.ndarray, since: int, _: np.random.Generator) -> None:
    numbers += np.float32(0.03 * (since + 1)) * _deviations(numbers)


def _stretch(numbers: np.ndarray, _since: int, _: np.random.Generator) -> None:
    center = numbers.mean(axis=1, keepdims=True)
    numbers[:] = center + np.float32(1.15) * (numbers - center)


def _cents(numbers: np.ndarray, _since: int, rng: np.random.Generator) -> None:
    numbers[:, rng.random(numbers.shape[1]) < 0.05] *= 100


def _new_value(chosen: np.ndarray, _since: int, rng: np.random.Generator) -> None:
    for row in chosen:
        row[rng.permutation(len(row))[: round(0.005 * len(row))]] = 99


def amounts() -> list[int]:
    """Return the columns that hold money."""
    after = LEVELS + MONEY + COUNTS
    return [*range(LEVELS, LEVELS + MONEY), *range(after, after + WINDOWS)]


def faults(begins: int, panels: int) -> dict[str, float]:
    """Print and return which share of faults is found in its column, by fault; each panel plants it in every column."""
    everywhere = range(NUMBERS)
    # Fault, where it is planted, and months within which it must be found.
    asked = {
        "mean +0.15 sd": (Fault(begins, _shift, missing_base=0.0), everywhere, 1),
        "spread x 1.15": (Fault(begins, _stretch, missing_base=0.0), everywhere, 1),
        "5 % of rows in cents": (Fault(begins, _cents, missing_base=0.0), amounts(), 1),
        "missing 10 % + 5 points": (Fault(begins, missing_base=0.1, missing_more=0.05), everywhere, 1),
        "new category of 0.5 %": (Fault(begins, categories=_new_value), range(CATEGORIES), 1),
        "0.03 sd a month": (Fault(begins, _creep, missing_base=0.0), everywhere, 12),
    }
    return {name: _found(name, fault, places, within, panels) for name, (fault, places, within) in asked.items()}


def _found(name: str, fault: Fault, places: Sequence[int], within: int, panels: int) -> float:
    """Print and return which share of one fault's plants is found, with the columns in which it is missed."""
    prefix, missed, shaken, rows = "category" if fault.categories else "number", Counter[str](), 0, []
    days = month_ends(fault.begins + within)[fault.begins :]
    for seed in range(panels):
        panel = Panel(np.random.default_rng([seed, 51]), missing_base=fault.missing_base)
        found = [one for one in judged(panel, fault.begins + within, fault) if one.snapshot_date in days]
        alarms = {one.column_name for one in found if one.is_alarm}
        rows.append(len(panel.months))
        for place in places:
            if f"{prefix}_{place}" not in alarms:
                missed[prefix if fault.categories else _sort(place)] += 1
                shaken += not fault.categories and panel.shaken[place] > 0
    number, planted = missed.total(), panels * len(places)
    words = f"; missed {dict(missed)}, {shaken} of them shaken" if missed else ""
    share = 1 - number / planted
    print(f"{name:26} found {planted - number:5} of {planted:5} = {share:6.1%}, {min(rows):,} rows{words}", flush=True)
    return share


def _sort(place: int) -> str:
    names = ("levels", "money", "counts", "windows", "tenures", "since", "ratios")
    ends = np.cumsum([LEVELS, MONEY, COUNTS, WINDOWS, TENURES, SINCE, RATIOS])
    return names[int(np.searchsorted(ends, place, "right"))]


def demo_banks(number: int, customers: int, months: int) -> int:
    """Print and return how many alarms so many demo banks have, each with its own seed, over all their snapshots."""
    alarms = 0
    for seed in range(1, number + 1):
        begun, folder = time.perf_counter(), ROOT / "build" / "bench" / f"drift-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        write_project(folder)
        generate_bank(folder, customers=customers, seed=seed, months=months)
        with Work.open(folder, overrides={"verify": {"customers": 0}}) as work:
            list(run(work, ("staging", "snapshots", "features", "drift")))
            found, columns = drifted(work), len(work.project.described_columns)
        shutil.rmtree(folder)
        moved = [one for snapshot in found for one in snapshot.alarms]
        alarms += len(moved)
        told = sum(snapshot.judged > 1 for snapshot in found)
        said = f"{len(found)} snapshots, {told} judged, {columns} columns, {len(moved)} alarms"
        print(f"demo bank {seed}: {said}, {time.perf_counter() - begun:.0f} s", flush=True)
        for one in moved:
            print(f"    {one.snapshot_date} {one.words}")
    print(f"alarms of {number} demo banks of {customers:,} customers: {alarms}", flush=True)
    return alarms


def main() -> None:
    """Print what was asked for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--panels", type=int, default=200)
    asked.add_argument("--first", type=int, default=0, help="panel to begin with; each has its own seed")
    asked.add_argument("--months", type=int, default=36)
    asked.add_argument("--faults", type=int, default=3, help="panels a fault")
    asked.add_argument("--begins", type=int, default=24, help="months before the fault")
    asked.add_argument("--demo-banks", type=int, default=0)
    asked.add_argument("--customers", type=int, default=2_000, help="of a demo bank; its data span a year more")
    arguments = asked.parse_args()
    if arguments.faults:
        faults(arguments.begins, arguments.faults)
    if arguments.panels:
        quiet(arguments.panels, arguments.months, arguments.first)
    if arguments.demo_banks:
        demo_banks(arguments.demo_banks, arguments.customers, arguments.months + 12)


if __name__ == "__main__":
    main()
