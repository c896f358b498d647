"""Tables: a raw table as it is looked at: how many rows, how each column is filled and written, and some of its rows.

Rows are read by the readers that staging uses. Counts are of whole tables; formats are told by the head of a table and
by rows drawn from all of it by a hash, at most some thousands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from tenure.begin.database import MOST_ROWS
from tenure.begin.files import FoundTable, snake
from tenure.begin.personal import may_number_rows, personal
from tenure.define.naming import RESERVED_COLUMNS, RESERVED_WORDS
from tenure.define.raw_tables import Postgres, RawTable
from tenure.define.source import Column, Source
from tenure.define.value_type import MOST_DIGITS, PRECISION, SCALE
from tenure.intake.formats import Format, format_of
from tenure.intake.readers import readers_of
from tenure.session.work import Work
from tenure.sql.dialects import literal, quoted

#: So many rows of a table's head, and about so many of all of it, tell the formats.
_HEAD, _DRAWN = 2_000, 6_000

#: What a value may be that is named in a project, and how often it has to stand on average: what stands once may be a
#: person's.
NAMEABLE, REPEATED = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.&/+-]{0,30}"), 5

#: Up to so many rows a table is counted from memory.
_KEPT = 5_000_000


#: Words that no engine takes for a column's name unless they are quoted.
_QUOTED = RESERVED_WORDS - frozenset("date day month year time timestamp hour minute second".split())


@dataclass(frozen=True)
class RawColumn:
    """A column as the raw table spells it: its name for the project, how it is filled and written, why personal."""

    raw: str
    name: str
    filled: int
    different: int
    format: Format
    personal: str = ""

    @property
    def type(self) -> str:
        """Its type, as a source declares it; an integer that is personal is a text of digits."""
        return "string" if self.personal and self.format.type in ("integer", "decimal", "float") else self.format.type

    @property
    def may_be_key(self) -> bool:
        """Whether its type is one of keys."""
        return self.type in ("integer", "string") and not self.personal


@dataclass
class RawTableSeen:
    """A raw table: its columns by raw name, its rows and some of them, each a text or None."""

    found: FoundTable
    work: Work
    rows: int
    columns: dict[str, RawColumn]
    sample: dict[str, list[str | None]] = field(default_factory=dict)
    #: How many columns are left out, whose names hold line breaks or other signs that no SQL keeps.
    left_out: int = 0

    @property
    def name(self) -> str:
        """Its name, which is its relation's too."""
        return self.found.name

    @property
    def is_whole(self) -> bool:
        """Whether all of its rows were read."""
        return not isinstance(self.found.raw, Postgres) or self.rows < MOST_ROWS

    @cached_property
    def relation(self) -> str:
        """The relation that its columns are counted in: in memory where they have room."""
        if self.rows > _KEPT:
            return self.name
        kept = f"{self.name}_looked_at"
        self.work.engine.cache(kept, f"SELECT * FROM {self.name}")
        return kept

    def count(self, select: str) -> dict[str, int]:
        """Return the one row of counts that a SELECT gives."""
        (row,) = self.work.engine.run(select).to_pylist()
        return {name: int(value or 0) for name, value in row.items()}

    def different(self, columns: Sequence[str], where: str = "") -> int:
        """Return how many different values some columns have together; of no columns, how many rows differ."""
        chosen = ", ".join(map(sql_name, columns)) or "*"
        rows = f"SELECT DISTINCT {chosen} FROM {self.relation}{f' WHERE {where}' if where else ''}"
        return self.count(f"SELECT COUNT(*) AS n FROM ({rows}) AS rows_that_differ")["n"]

    def column_named(self, name: str) -> RawColumn | None:
        """Return the column of that name in the project."""
        return next((column for column in self.columns.values() if column.name == name), None)


def sql_name(column: str) -> str:
    """Return a raw column's name as SQL takes it: as it is where every engine reads that."""
    if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", column) and column.lower() not in _QUOTED:
        return column
    return quoted(column, "duckdb")


def look_at(work: Work, found: FoundTable, folder: Path) -> RawTableSeen:
    """Return a raw table as it is; raise what its reader raises.

    `folder` is for rows that no engine reads as they are.
    """
    kinds = _land(work, found, folder)
    names = [name for name in kinds if name.isprintable()]
    texts = {name: _as_text(name, kinds[name]) for name in names}
    counts = [
        f"COUNT({texts[name]}) AS filled_{n}, approx_count_distinct({texts[name]}) AS different_{n}"
        for n, name in enumerate(names)
    ]
    (facts,) = work.engine.run(f"SELECT COUNT(*) AS n, {', '.join(counts)} FROM {found.name}").to_pylist()
    sample = _sample(work, found.name, texts, int(facts["n"]))
    columns = {}
    taken: set[str] = set()
    for n, raw in enumerate(names):
        name = _name_for(raw, found.name, taken)
        taken.add(name)
        values = [value for value in sample[raw] if value]
        written = _format(raw, kinds[raw], values)
        why = "" if written.type in ("timestamp", "boolean") else personal(snake(raw), values)
        if written.type == "date" and why and "birth" not in why:
            why = ""
        if why and may_number_rows(snake(raw), values):
            # Else no table of accounts would have a key; the number that a customer knows is built as an IBAN.
            why = ""
            asked = "is it the number that customers know? If no table has it for a key, it is personal: role='pii'"
            written = replace(written, type="string", formats=(), question=written.question or asked)
        filled = int(facts[f"filled_{n}"]) - _spelled_nulls(work, found.name, texts[raw], written.null)
        columns[raw] = RawColumn(raw, name, filled, int(facts[f"different_{n}"]), written, why)
    return RawTableSeen(found, work, int(facts["n"]), columns, sample, len(kinds) - len(names))


def _land(work: Work, found: FoundTable, folder: Path) -> dict[str, str]:
    raw: RawTable = found.raw
    if isinstance(raw, Postgres):
        raw = replace(raw, query=f"{raw.query} LIMIT {MOST_ROWS}")
    # The readers are asked by a source; of this one they use the name of its raw table alone.
    days = [Column("a_day", type="date")]
    probe = Source("looked_at", read={found.name: raw}, columns=days, key="a_day", event_time="a_day")
    (reader,) = readers_of(work, probe, folder=folder).values()
    return reader.land(found.name)


def _as_text(name: str, kind: str) -> str:
    return f"NULLIF(TRIM({sql_name(name)}), '')" if kind == "text" else f"CAST({sql_name(name)} AS VARCHAR)"


def _spelled_nulls(work: Work, relation: str, text: str, nulls: Sequence[str]) -> int:
    """How many values of a column are one of its spellings of null."""
    if not nulls:
        return 0
    listed = ", ".join(literal(null, "duckdb") for null in nulls)
    (row,) = work.engine.run(f"SELECT COUNT(*) AS n FROM {relation} WHERE {text} IN ({listed})").to_pylist()
    return int(row["n"])


def _sample(work: Work, relation: str, texts: Mapping[str, str], rows: int) -> dict[str, list[str | None]]:
    """The rows at the head, and rows drawn from all of the table: the same ones each time."""
    columns = ", ".join(f"{text} AS {sql_name(name)}" for name, text in texts.items())
    every = max(1, rows // _DRAWN)
    drawn = f"SELECT {columns} FROM {relation} AS a_row WHERE hash(a_row) % {every} = 0"
    selects = [drawn] if every == 1 else [f"SELECT {columns} FROM {relation} LIMIT {_HEAD}", drawn]
    found: dict[str, list[str | None]] = {name: [] for name in texts}
    for select in selects:
        for name, values in work.engine.run(select).to_pydict().items():
            found[name] += values
    return found


def _format(raw: str, kind: str, values: Sequence[str]) -> Format:
    """How a column is written: a text by its values, what is typed by its type."""
    if kind == "text":
        return format_of(snake(raw), values)
    if kind.startswith("date"):
        return Format(type="date", why="stored as days")
    if kind.startswith("timestamp"):
        return Format(type="timestamp", why="stored as instants")
    if kind == "bool":
        return Format(type="boolean", why="stored as true and false")
    if kind.startswith(("int", "uint")):
        told = format_of(snake(raw), values)
        is_money = told.type == "decimal"
        return Format(type="decimal" if is_money else "integer", why=f"stored as {kind}")
    if kind.startswith("decimal"):
        return _stored_decimal(kind)
    whole = bool(values) and all(value.endswith(".0") for value in values)
    return Format(type="integer" if whole else "float", why=f"stored as {kind}")


def _stored_decimal(kind: str) -> Format:
    """A decimal of the digits that it is stored with, where engines have so many."""
    precision, scale = (int(number) for number in kind.rstrip(")").partition("(")[2].split(","))
    why = f"stored as {kind}"
    if precision > MOST_DIGITS or not 0 <= scale <= precision:
        return Format(type="float", why=why)
    if precision <= PRECISION and scale <= SCALE:
        return Format(type="decimal", why=why)
    return Format(type="decimal", precision=precision, scale=scale, why=why)


def _name_for(raw: str, table: str, taken: Iterable[str]) -> str:
    name = snake(raw) or "column"
    if not name[0].isalpha():
        name = f"{table}_{name}"
    if name in RESERVED_WORDS or name in RESERVED_COLUMNS:
        name = f"{table}_{name}"
    names = [name[:60], *(f"{name[:58]}_{number}" for number in range(2, 1000))]
    return next(one for one in names if one not in set(taken))
