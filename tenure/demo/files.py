"""Files: the demo bank's CSV and Parquet files, appended to chunk by chunk so that memory stays bounded."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from tenure.demo.calendar import Calendar
from tenure.demo.facts import FACTS_FILE, BankFacts
from tenure.demo.ledger import TRANSACTIONS
from tenure.errors import InvalidConfig

CSV_TABLES = ("customers", "accounts", "interactions")
_OWN = (*(f"{name}.csv" for name in CSV_TABLES), "transactions", FACTS_FILE)


class BankFiles:
    """The open files of one demo bank: three CSV files and a Parquet file a month of transactions.

    They are written next to `folder` and moved into it at the end, so a killed run leaves the bank before it whole.
    Raises InvalidConfig if `folder` holds files of those names that are not a demo bank's.
    """

    def __init__(self, folder: Path, calendar: Calendar) -> None:
        _refuse_foreign(folder)
        self._folder = folder
        self._unfinished = folder.with_name(f"{folder.name}.unfinished")
        self._calendar = calendar
        self._closing = ExitStack()
        self._csv: dict[str, BinaryIO] = {}
        self._months: list[pa.parquet.ParquetWriter] = []

    def __enter__(self) -> Self:
        shutil.rmtree(self._unfinished, ignore_errors=True)
        (self._unfinished / "transactions").mkdir(parents=True)
        for name in CSV_TABLES:
            self._csv[name] = self._closing.enter_context((self._unfinished / f"{name}.csv").open("wb"))
        for month in range(self._calendar.months):
            path = self._unfinished / "transactions" / f"{self._calendar.month(month):%Y-%m}.parquet"
            self._months.append(self._closing.enter_context(pa.parquet.ParquetWriter(path, TRANSACTIONS)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.__exit__(kind, error, trace)

    def append_csv(self, name: str, rows: pa.Table) -> None:
        """Append rows to a CSV file; its header comes with the first of them."""
        file = self._csv[name]
        if file.tell() == 0:
            file.write((",".join(rows.column_names) + "\n").encode())
        options = pa.csv.WriteOptions(include_header=False, quoting_style="none")
        pa.csv.write_csv(rows, file, options)

    def append_transactions(self, rows: pa.Table) -> None:
        """Append rows, each to the file of the month in which it was booked, in their order."""
        booked = rows["booked_at"].to_numpy().astype("datetime64[M]")
        month = (booked - np.datetime64(self._calendar.first, "M")).astype(np.int64)
        order = np.argsort(month, kind="stable")
        edges = np.searchsorted(month[order], np.arange(self._calendar.months + 1))
        sorted_rows = rows.take(order)
        for number, writer in enumerate(self._months):
            part = sorted_rows.slice(edges[number], edges[number + 1] - edges[number])
            if len(part):
                writer.write_table(part)

    def publish(self, facts: BankFacts) -> None:
        """Close the files and move them, with their facts, to where the bank belongs; the facts go last."""
        self._closing.close()
        facts.write(self._unfinished)
        self._folder.mkdir(parents=True, exist_ok=True)
        for name in reversed(_OWN):
            _remove(self._folder / name)
        for name in _OWN:
            # Not `replace`: some are folders, which Windows replaces not; what was there has just been removed.
            (self._unfinished / name).rename(self._folder / name)
        self._unfinished.rmdir()


def _refuse_foreign(folder: Path) -> None:
    held = [name for name in _OWN if (folder / name).exists()]
    if held and FACTS_FILE not in held:
        raise InvalidConfig(
            f"'{folder}' holds a {held[0]} but no {FACTS_FILE}: it is not a demo bank's, so nothing was written.",
            hint="Give a new folder, or move the files away.",
        )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
