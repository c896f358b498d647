"""Appended rows: of a server's table that only grows, those that came since the last time are asked for.

```
                                     until: the newest instant that was read
server    ────── counted by month ──────┊── overlap ──┊── new ──►
kept      rows-00000 · rows-00001 ······┊·············┊
asked                                   (·············(········)    what is not kept yet becomes rows-00002
```
Rows that a slow transaction wrote late lie within the overlap. Where a month has other counts than it had, or a row of
the overlap is gone, the table did not only grow: it is read whole, month after month, and that is said.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tenure.define.raw_tables import Parquet
from tenure.errors import WarehouseError
from tenure.intake.readers import Declared, Reader
from tenure.session.fingerprints import fingerprint
from tenure.storage.location import Location, entries, for_arrow, make_folder, open_to_read, put, write_whole
from tenure.store.landing import Landing

#: What is landed, as engines read it.
LANDED = Parquet("landed")

#: About so many rows are asked for at once, where the whole is read.
_ROWS_AT_ONCE = 1_000_000

_STATE = "state.json"


@dataclass(frozen=True)
class Kept:
    """What is kept of a table: what it is of, the names of the files in order, and the newest instant that was read.

    Of a table that is being read whole, `until` is the instant before which all is there.
    """

    meaning: str
    files: tuple[str, ...] = ()
    until: str = ""

    @property
    def instant(self) -> datetime:
        """The newest instant that was read, in UTC, without a zone."""
        return datetime.fromisoformat(self.until)


class ServerReader(Reader[Declared]):
    """The rows of a query, landed as Parquet; of a table that only grows, file by file."""

    asks_a_server = True

    @property
    @abstractmethod
    def select(self) -> str:
        """The query, without its semicolon."""

    @abstractmethod
    def ask(self, select: str, folder: Path) -> Path:
        """Land the rows of a query into a folder of this machine; return the file."""

    @abstractmethod
    def months(self, column: str, *, has_zone: bool, where: str) -> str:
        """Return the query for the rows by year `y` and month `m`, `n`, in UTC, of those that a condition holds for."""

    @abstractmethod
    def literal(self, instant: datetime, *, has_zone: bool, is_day: bool) -> str:
        """Return an instant of UTC, or its day, as the server reads it."""

    @abstractmethod
    def name(self, column: str) -> str:
        """Return a column's name as the server reads it."""

    @cached_property
    def files(self) -> list[Location]:
        """The landed rows; WarehouseError if the server can't be reached, or refuses the query."""
        if self.raw.append_only:
            appended = _Appended(self)
            return appended.kept_files() if self.again and appended.kept else appended.grown()
        landed = self.landing.files() if self.again else []
        return landed or [self.kept_whole(self.select)]

    def kept_whole(self, select: str) -> Location:
        """Land the rows of a query in place of those that were landed before."""
        with self.landing.writing() as folder:
            return self.landing.keep(self.ask(select, folder))

    def land(self, relation: str) -> dict[str, str]:
        """Make the landed rows a relation."""
        return self.work.engine.read_parquet(relation, LANDED, self.files)

    def plan(self, relation: str) -> dict[str, str]:
        """Ask for the query's columns alone, in words that every database knows."""
        none = f"SELECT * FROM ({self.select}) planned WHERE 1 = 0"
        return self.work.engine.read_parquet(relation, LANDED, [self.kept_whole(none)])


class _Appended:
    """The rows of one reader that are kept, and how they grow."""

    def __init__(self, reader: ServerReader[Any]) -> None:
        self.reader, self.column = reader, str(reader.raw.append_only)
        self.landing = Landing(reader.landing.folder / "appended")
        self.meaning = fingerprint([reader.raw.meaning, self.column])
        state = self._state()
        self.kept, self.building = state.get("kept"), state.get("building")

    def kept_files(self) -> list[Location]:
        """The files that are kept, in order."""
        return self._files_of(self.kept)

    def grown(self) -> list[Location]:
        """The files after what is new was asked for; after the whole was, where the table did not only grow."""
        if self.kept is None or not self._more(self.kept):
            self._read_whole()
        return self.kept_files()

    def _more(self, kept: Kept) -> bool:
        """Keep what the table has more; return whether it only grew."""
        cutoff = kept.instant - timedelta(days=self.reader.raw.overlap)
        before = self._server_months(self._condition("<", cutoff))
        if before != self._kept_months(cutoff):
            return self._did_not_only_grow("a month has other rows than it had")
        with TemporaryDirectory() as folder:
            asked = self.reader.ask(self._where(self._condition(">=", cutoff)), Path(folder))
            overlap = Counter(self._overlap(kept, cutoff))
            file = Path(folder) / "more.parquet"
            newest = self._write_more(asked, file, overlap)
            if any(overlap.values()):
                return self._did_not_only_grow("a row that was read is gone")
            if newest is None:
                return True
            name = self._keep(file, len(kept.files))
        self._note(kept=Kept(self.meaning, (*kept.files, name), max(kept.instant, newest).isoformat()))
        return True

    def _did_not_only_grow(self, words: str) -> bool:
        self.reader.changed = f"{words}, though append_only='{self.column}' says that the table only grows"
        return False

    def _write_more(self, asked: Path, file: Path, overlap: Counter[str]) -> datetime | None:
        """Write the asked rows that are not in the overlap, which is emptied of those that are; return the newest
        instant written, None if there is no row.
        """
        rows = pq.ParquetFile(asked)
        newest: datetime | None = None
        with pq.ParquetWriter(file, rows.schema_arrow) as writer:
            for batch in rows.iter_batches():
                more = []
                for number, row in enumerate(_as_texts(batch)):
                    if overlap[row]:
                        overlap[row] -= 1
                    else:
                        more.append(number)
                if more:
                    fresh = batch.take(pa.array(more))
                    writer.write_batch(fresh)
                    latest = _naive(pc.max(fresh[self.column]).as_py())
                    newest = latest if newest is None else max(newest, latest)
        return newest

    def _overlap(self, kept: Kept, cutoff: datetime) -> Iterator[str]:
        """The kept rows from an instant on, as texts."""
        for file in self._files_of(kept):
            for batch in pq.ParquetFile(for_arrow(file)).iter_batches():
                instants = batch[self.column]
                begin = pa.scalar(_as_type(cutoff, instants.type), instants.type)
                yield from _as_texts(batch.filter(pc.greater_equal(instants, begin)))

    def _kept_months(self, cutoff: datetime) -> dict[tuple[int, int], int]:
        """The kept rows before an instant, by year and month."""
        found: Counter[tuple[int, int]] = Counter()
        for file in self.kept_files():
            instants = pq.read_table(for_arrow(file), columns=[self.column])[self.column].combine_chunks()
            early = instants.filter(pc.less(instants, pa.scalar(_as_type(cutoff, instants.type), instants.type)))
            months = pa.table({"y": pc.year(early), "m": pc.month(early)})
            for row in months.group_by(["y", "m"]).aggregate([([], "count_all")]).to_pylist():
                found[row["y"], row["m"]] += row["count_all"]
        return dict(found)

    def _server_months(self, where: str) -> dict[tuple[int, int], int]:
        """The server's rows by year and month; WarehouseError if a row has no instant."""
        with TemporaryDirectory() as folder:
            either = f"{where} OR {self._name} IS NULL"
            asked = self.reader.months(self._name, has_zone=self._has_zone, where=either)
            counted = pq.read_table(self.reader.ask(asked, Path(folder))).to_pylist()
        found: dict[tuple[int, int], int] = {}
        for row in counted:
            year, month, rows = (row[name] for name in sorted(row, key="ymn".index))
            if year is None:
                raise WarehouseError(
                    f"{self.reader.asked_by}: {int(rows):,} rows have no '{self.column}', by which append_only= tells "
                    "what is new.",
                    hint="Name a column that every row has, or leave append_only= out.",
                )
            found[int(year), int(month)] = int(rows)
        return found

    def _read_whole(self) -> None:
        """Read the whole table, months together that have few rows; a run that is stopped is gone on from there."""
        building = self.building or Kept(self.meaning)
        months = self._server_months("1 = 1")
        begins = datetime.fromisoformat(building.until) if building.until else None
        for low, high in _chunks(months, begins):
            conditions = [self._condition(">=", low)] if low else []
            conditions += [self._condition("<", high)] if high else []
            with TemporaryDirectory() as folder:
                asked = self.reader.ask(self._where(" AND ".join(conditions) or "1 = 1"), Path(folder))
                name = self._keep(asked, len(building.files))
            building = Kept(self.meaning, (*building.files, name), high.isoformat() if high else "")
            self._note(kept=self.kept, building=building)
        newest = [self._newest(file) for file in self._files_of(building)]
        until = max((one for one in newest if one is not None), default=None)
        self._note(kept=Kept(self.meaning, building.files, until.isoformat() if until else ""))

    def _newest(self, file: Location) -> datetime | None:
        instants = pq.read_table(for_arrow(file), columns=[self.column])[self.column]
        latest = pc.max(instants).as_py()
        return None if latest is None else _naive(latest)

    @cached_property
    def _type(self) -> pa.DataType:
        """The column's type; WarehouseError if the query has no such column, or if it is no time."""
        with TemporaryDirectory() as folder:
            schema = pq.read_schema(self.reader.ask(self._where("1 = 0"), Path(folder)))
        type_ = schema.field(self.column).type if self.column in schema.names else None
        if type_ is None or not (pa.types.is_timestamp(type_) or pa.types.is_date(type_)):
            got = "the query has no such column" if type_ is None else f"it is a {type_}"
            raise WarehouseError(
                f"{self.reader.asked_by} has append_only='{self.column}', and {got}; allowed: a date or timestamp that "
                "says when a row was written.",
                hint=f"The query's columns: {', '.join(schema.names)}.",
            )
        return type_

    @property
    def _has_zone(self) -> bool:
        return bool(pa.types.is_timestamp(self._type) and self._type.tz)

    @property
    def _name(self) -> str:
        return self.reader.name(self.column)

    def _condition(self, compared: str, instant: datetime) -> str:
        is_day = pa.types.is_date(self._type)
        return f"{self._name} {compared} {self.reader.literal(instant, has_zone=self._has_zone, is_day=is_day)}"

    def _where(self, condition: str) -> str:
        return f"SELECT * FROM ({self.reader.select}) asked WHERE {condition}"

    def _keep(self, file: Path, number: int) -> str:
        """Put a file beside those that are kept, under a name of its own; return the name."""
        target = file.with_name(f"rows-{number:05}-{uuid4().hex[:8]}.parquet")
        if isinstance(self.landing.folder, Path):
            make_folder(self.landing.folder)
        put(file, self.landing.folder / target.name)
        return target.name

    def _files_of(self, kept: Kept | None) -> list[Location]:
        return [self.landing.folder / name for name in (kept.files if kept else ())]

    def _state(self) -> dict[str, Kept]:
        """What is noted, of the same query alone, as far as its files are there."""
        there = entries(self.landing.folder)
        place = self.landing.folder / _STATE
        if place not in there:
            return {}
        with open_to_read(place) as content:
            noted = json.loads(content.read())
        found = {what: Kept(one["meaning"], tuple(one["files"]), one["until"]) for what, one in noted.items()}
        return {
            what: one
            for what, one in found.items()
            if one.meaning == self.meaning and all(file in there for file in self._files_of(one))
        }

    def _note(self, *, kept: Kept | None, building: Kept | None = None) -> None:
        """Note what is kept, and remove files that are not."""
        self.kept, self.building = kept, building
        states = {"kept": kept, "building": building}
        noted = {what: asdict(one) for what, one in states.items() if one is not None}
        write_whole(self.landing.folder / _STATE, json.dumps(noted).encode())
        named = {*self._files_of(kept), *self._files_of(building)}
        for file in entries(self.landing.folder):
            if file.suffix == ".parquet" and file not in named:
                file.unlink()


def _chunks(
    months: Mapping[tuple[int, int], int], begins: datetime | None
) -> Iterator[tuple[datetime | None, datetime | None]]:
    """Yield the spans [low, high) in which a table is read, None for an open end, from where it was read before."""
    low, rows = begins, 0
    for (year, month), count in sorted(months.items()):
        following = datetime(year + month // 12, month % 12 + 1, 1)
        rows += count
        if rows >= _ROWS_AT_ONCE and (begins is None or following > begins):
            yield low, following
            low, rows = following, 0
    yield low, None


def _naive(instant: date) -> datetime:
    """An instant, or the begin of a day, in UTC, without a zone."""
    if not isinstance(instant, datetime):
        return datetime.combine(instant, time())
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant


def _as_type(instant: datetime, type_: pa.DataType) -> date:
    """An instant as a value that Arrow compares with a column."""
    if pa.types.is_date(type_):
        return instant.date()
    return instant.replace(tzinfo=UTC) if type_.tz else instant


def _as_texts(batch: pa.RecordBatch) -> Iterator[str]:
    """Each row as one text; equal rows give equal texts, NaN among them."""
    return map(repr, zip(*(column.to_pylist() for column in batch.columns), strict=True))
