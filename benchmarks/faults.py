"""Sixty faults of data, each planted into a demo bank's newest month: which of them Tenure finds, and in which column.

    python benchmarks/faults.py [--customers 500] [--months 24] [--only NAME …]

The month before is staged, its contracts are drafted, and the newest month comes with one fault: in the whole file, and
in 1 % of its rows. What `tenure run` says of it then, and not of the month without a fault, is an alarm: what staging
refuses, what it finds missing or doubled, what its checks find, and what no longer reconciles. The faults were written
without sight of the checks (tests/planted). Prints a table in Markdown, and the rates below it.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from planted.delivery import month_before, write_bank
from planted.detection import Alarm, detection_table, run_all
from planted.faults import FAULTS

from tenure import errors
from tenure.catalog.contracts import draft
from tenure.session.work import Work
from tenure.stages.run import run


def stage_the_month_before(bank: Path) -> None:
    """Stage and reconcile the delivery before the newest, and draft contracts of it; leave the newest in its place."""
    kept = bank.with_name("newest")
    shutil.copytree(bank / "data", kept)
    month_before(bank / "data").write(bank / "data")
    with Work.open(bank) as work:
        list(run(work, ("staging", "reconcile")))
        list(draft(work))
    shutil.rmtree(bank / "data")
    kept.rename(bank / "data")


def alarms(bank: Path) -> list[Alarm]:
    """Stage and reconcile the newest delivery; return what was said of it."""
    with Work.open(bank) as work:
        try:
            list(run(work, ("staging", "reconcile")))
            refused = []
        except (errors.InputError, errors.CheckFailed) as error:
            refused = list(of_error(work, error))
        return [*refused, *of_checks(work), *of_completeness(work), *of_ledger(work)]


def of_error(work: Work, error: errors.TenureError) -> Iterator[Alarm]:
    """Yield what a refusal names: the sources, and the columns of each, '' if it names none."""
    named = re.findall(r"'(\w+)'", error.message)
    for source in work.project.sources.values():
        if source.name in named:
            columns = [name for name in source.column_names if name in named] or [""]
            yield from ((type(error).__name__, source.name, column, error.message) for column in columns)


def of_checks(work: Work) -> Iterator[Alarm]:
    """Yield the checks that failed in this run."""
    for row in work.lake.read("checks").to_pylist():
        if row["outcome"] == "failed" and row["run_id"] == work.run_id:
            yield row["code"], row["source"], row["column_name"], row["reason"] or row["title"]


def of_completeness(work: Work) -> Iterator[Alarm]:
    """Yield what seems missing or doubled, each about a table."""
    for row in work.lake.read("completeness").to_pylist():
        if row["code"] and row["severity"] != "note":
            yield row["code"], row["source"], "", row["finding"]


def of_ledger(work: Work) -> Iterator[Alarm]:
    """Yield a break of any account, which speaks of the amounts and the balances."""
    for name, defined in work.project.reconciliations.items():
        accounts = work.lake.read(f"reconciled_accounts/{name}").to_pylist()
        if any(row["breaks"] for row in accounts):
            for column in (defined.amount, defined.balance):
                yield "reconcile", defined.bookings, str(column), "bookings and balances differ"


def main() -> None:
    """Make the bank, plant every fault, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=500)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--only", nargs="*", default=[], help="names of faults")
    arguments = parser.parse_args()
    chosen = [fault for fault in FAULTS if not arguments.only or fault.name in arguments.only]
    with TemporaryDirectory() as folder:
        bank = write_bank(Path(folder) / "bank", customers=arguments.customers, months=arguments.months)
        stage_the_month_before(bank)
        print(detection_table(run_all(bank, alarms, faults=chosen)))


if __name__ == "__main__":
    main()
