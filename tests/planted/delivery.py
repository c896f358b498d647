"""A bank's delivery of raw files: read as text, changed in memory, and written where a copy of the bank lies.

The demo bank's bookings are Parquet files. Here they are one CSV file a month, as a core system exports them, so that
a fault can be one of text; the `sources.py` of the bank's project reads those.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from tenure.demo import generate_bank
from tenure.session.start import write_project

#: Stands for the newest month's file of bookings, whatever the month.
BOOKINGS = "transactions/*.csv"

#: When a row was written, by file; a row of the newest month is one that the delivery before did not have.
WRITTEN = {
    "customers.csv": "updated_at",
    "accounts.csv": "updated_at",
    "interactions.csv": "occurred_at",
    BOOKINGS: "booked_at",
}

Row = dict[str, str]


@dataclass
class Lines:
    """A CSV file's header and lines. What nobody rewrites stays as it is, byte for byte, even where it is no UTF-8."""

    header: list[str]
    lines: list[str]

    @classmethod
    def of(cls, content: bytes) -> "Lines":
        """Take a file apart; the demo bank quotes nothing and ends each line with a line feed."""
        text = content.decode("utf-8", "surrogateescape")
        if '"' in text or "\r" in text or not text.endswith("\n"):
            raise ValueError("the file has quotes or carriage returns, or ends within a line")
        header, *lines = text[:-1].split("\n")
        return cls(header.split(","), lines)

    def row(self, place: int) -> Row:
        """The cells of a line, by column."""
        return dict(zip(self.header, self.lines[place].split(","), strict=True))

    def rows(self) -> list[Row]:
        return [self.row(place) for place in range(len(self.lines))]

    def line(self, row: Row) -> str:
        """A line of these cells; one that holds a comma is quoted, as every exporter does."""
        return ",".join(f'"{cell}"' if "," in cell else cell for cell in (row[name] for name in self.header))

    def content(self) -> bytes:
        return "".join(f"{line}\n" for line in [",".join(self.header), *self.lines]).encode("utf-8", "surrogateescape")


@dataclass
class Delivery:
    """The raw files in a folder, and what is to be changed in them; the folder itself stays as it is.

    `changed` holds the new content of each file that is changed, None for one that is missing.
    """

    folder: Path
    changed: dict[str, bytes | None] = field(default_factory=dict)

    def months(self) -> list[str]:
        """The files of bookings, oldest first."""
        return sorted(f"transactions/{file.name}" for file in (self.folder / "transactions").glob("*.csv"))

    @property
    def month(self) -> str:
        """The newest month, as 2025-12."""
        return Path(self.months()[-1]).stem

    def path(self, file: str) -> str:
        """The path of a file; that of the newest month for BOOKINGS."""
        return self.months()[-1] if file == BOOKINGS else file

    def read(self, file: str) -> bytes:
        path = self.path(file)
        content = self.changed.get(path)
        return (self.folder / path).read_bytes() if content is None else content

    def lines(self, file: str) -> Lines:
        return Lines.of(self.read(file))

    def put(self, file: str, content: bytes | None) -> None:
        self.changed[self.path(file)] = content

    def newest(self, file: str, lines: Lines) -> Sequence[int]:
        """The places of the lines that the newest month wrote.

        Customers and accounts are full extracts, written anew every month: all lines. Interactions are appended to
        their file: those of the month. Bookings have a file a month: all lines of the newest.
        """
        if file != "interactions.csv":
            return range(len(lines.lines))
        column = lines.header.index(WRITTEN[file])
        return [n for n, line in enumerate(lines.lines) if line.split(",")[column].startswith(self.month)]

    def write(self, folder: Path) -> None:
        """Change the files in a copy of the folder. A file is replaced, never written into: it may be a hard link."""
        for path, content in self.changed.items():
            (folder / path).unlink(missing_ok=True)
            if content is not None:
                (folder / path).write_bytes(content)


def month_before(folder: Path) -> Delivery:
    """The delivery of a month earlier: no bookings of the newest month, and no row that was written in it."""
    delivery = Delivery(folder)
    for file in WRITTEN:
        delivery.put(file, None if file == BOOKINGS else without_newest_month(delivery, file))
    return delivery


def without_newest_month(delivery: Delivery, file: str) -> bytes:
    """The content of a file a month ago."""
    lines = delivery.lines(file)
    column = lines.header.index(WRITTEN[file])
    kept = [line for line in lines.lines if not line.split(",")[column].startswith(delivery.month)]
    return Lines(lines.header, kept).content()


def write_bank(folder: Path, *, customers: int, seed: int = 7, months: int = 36) -> Path:
    """Write the project of a demo bank whose bookings are CSV files, with its data, and return its folder."""
    write_project(folder)
    generate_bank(folder, customers=customers, seed=seed, months=months)
    definitions = folder / "sources.py"
    text = definitions.read_text(encoding="utf-8")
    asked = 'Parquet("transactions/*.parquet")'
    if asked not in text:
        raise ValueError(f"{definitions.name} does not read {asked} any more")
    definitions.write_text(text.replace(asked, f'Csv("{BOOKINGS}")'), encoding="utf-8")
    for file in sorted((folder / "data" / "transactions").glob("*.parquet")):
        _write_as_csv(file)
    return folder


def _write_as_csv(file: Path) -> None:
    rows = pa.parquet.read_table(file)
    for name in ("booked_at", "recorded_at"):
        rows = rows.set_column(rows.column_names.index(name), name, rows[name].cast(pa.timestamp("s")))
    with file.with_suffix(".csv").open("wb") as out:
        out.write((",".join(rows.column_names) + "\n").encode())
        pa.csv.write_csv(rows, out, pa.csv.WriteOptions(include_header=False, quoting_style="none"))
    file.unlink()


def copy_bank(bank: Path, copy: Path) -> Path:
    """Copy a bank's folder; its raw files, which no stage writes into, are hard links where the disk has them."""
    raw = bank / "data"
    shutil.copytree(bank, copy, ignore=lambda at, _: ["data"] if Path(at) == bank else [])
    shutil.copytree(raw, copy / "data", copy_function=_link)
    return copy


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
