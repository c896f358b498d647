"""Rows to sum: a source's rows as the arrays of one machine (`tenure/arrays`) sum them up to tiles.

    rows ──(rows_to_sum)──► arrays ──(summed_tiles)──► tiles

Sums of whole numbers are exact in any order, so arrays may take them by another way than SQL does and end in the same
cells. What is no whole number, such as lists of values, stays with SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from tenure.define.source import Source
from tenure.sql import Dialect, Select, column_list, literal, op
from tenure.tables.visible import qualified, same
from tenure.tiles.partials import Partial, Values, day_of_row
from tenure.tiles.tiles import Tiles

#: A condition that a column equals a text, as `by` and `values` of an Aggregate make many.
_EQUALS = re.compile(r"(?P<column>[a-z_][a-z0-9_]*) = '(?P<text>[^'\\]*)'")

#: Codes of one column at most.
_MOST_CODES = 1000


@dataclass(frozen=True)
class RowPart:
    """What a partial reads of rows: the column that tells which of them count ('' where all do), and its value's.

    With a `code` the first holds codes, and those rows count that have it. The value is multiplied with the columns in
    `times`.
    """

    counts: str
    value: str
    code: int = -1
    times: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowsToSum:
    """A source's rows as arrays read them: `key_no`, `interval_start` and what the partials are made of.

    `names` are the partials' columns in tiles. `codes` are the columns of codes, with how many there are of each; what
    has none is the number behind the last. What tells the first row from the last is in `order`: their instant, then
    their key.
    """

    text: str
    parts: Mapping[Partial, RowPart]
    codes: Mapping[str, int]
    order: tuple[str, ...]
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Name the columns once, before any row is read."""
        object.__setattr__(self, "names", tuple(partial.name for partial in self.parts))


def rows_to_sum(tiles: Tiles, taken: Sequence[Partial], periods: Sequence[date] = ()) -> RowsToSum:
    """Return the rows known in time with what the partials `taken` read of them; hold `row_keys` before, if any."""
    dialect, readings = tiles.dialect, tiles.readings
    coded = _coded(tiles.source, taken)
    columns: dict[str, str] = {}

    def named(text: str, kind: str) -> str:
        return columns.setdefault(text, f"{kind}{len(columns)}")

    codes: dict[str, int] = {}
    parts: dict[Partial, RowPart] = {}
    for partial in taken:
        values = partial.values
        value, *times = [named(text, "value") for text in _factors(partial, dialect)] or [""]
        group = coded.get(values)
        if group:
            column, listed = group
            counts = named(_code(column, listed, values.of, dialect), "code")
            codes[counts] = len(listed)
            parts[partial] = RowPart(counts, value, listed.index(values.where), tuple(times))
        else:
            test = readings.counts(values)
            counts = named(f"COALESCE({test}, FALSE)", "counts") if test else ""
            parts[partial] = RowPart(counts, value, times=tuple(times))
    order: list[str] = []
    if any(partial.is_one_rows for partial in taken):
        order = [op("micros", dialect, "r.event_time"), *(f"r.{key}" for key in tiles.source.keys)]
    ordered = tuple(named(text, "value") for text in order)
    number, joins = "n.key_no", f"JOIN {tiles.source.name}_keys AS n\n  ON {same(tiles.keys, 'n', 'r')}\n"
    rows = tiles.rows_in_time(periods, joins)
    if is_number(tiles):
        number = f"r.{tiles.keys[0]}"
        rows = f"{tiles.rows_in_time(periods)}\n    AND {number} IS NOT NULL"
    selected = [f"{number} AS key_no", "i.interval_start", *(f"{text} AS {name}" for text, name in columns.items())]
    return RowsToSum(f"SELECT\n{column_list(selected)}\n{rows}", parts, codes, ordered)


def _coded(source: Source, partials: Sequence[Partial]) -> dict[Values, tuple[str, tuple[str, ...]]]:
    """The values whose condition is that a column equals a text: the column, and all such conditions on it.

    A row meets one of them at most, so one code tells which.
    """
    found: dict[tuple[str, str], dict[str, Values]] = {}
    for values in dict.fromkeys(partial.values for partial in partials):
        match = _EQUALS.fullmatch(values.where)
        if match and source.column(match["column"]).type == "string":
            found.setdefault((match["column"], values.of), {})[values.where] = values
    return {
        values: (column, tuple(those))
        for (column, _), those in found.items()
        for values in those.values()
        if 2 <= len(those) <= _MOST_CODES
    }


def _code(column: str, conditions: Sequence[str], of: str, dialect: Dialect) -> str:
    cases = [f"WHEN {_text_of(where, dialect)} THEN {number}" for number, where in enumerate(conditions)]
    coded = f"CASE r.{column} {' '.join(cases)} ELSE {len(conditions)} END"
    kept = f"CASE WHEN r.{of} IS NULL THEN {len(conditions)} ELSE {coded} END" if of else coded
    return f"CAST({kept} AS SMALLINT)"


def _text_of(where: str, dialect: Dialect) -> str:
    match = _EQUALS.fullmatch(where)
    return literal(match["text"], dialect) if match else "NULL"


def is_number(tiles: Tiles) -> bool:
    """Return whether a single whole number is the key, and so stands for itself."""
    return len(tiles.keys) == 1 and tiles.source.column(tiles.keys[0]).type == "integer"


def row_keys(tiles: Tiles) -> Select | None:
    """Return the relation that numbers the keys of a source's rows; None where the key is a number itself."""
    if is_number(tiles):
        return None
    listed, name = ", ".join(tiles.keys), tiles.source.name
    numbered = f"SELECT {listed}, ROW_NUMBER() OVER (ORDER BY {listed}) - 1 AS key_no"
    text = f"-- the keys in {name}, numbered\n{numbered}\nFROM (SELECT DISTINCT {listed} FROM {name}) AS those"
    return Select(f"{name}_keys", text, (name,))


def summed_tiles(tiles: Tiles, taken: Sequence[Partial], relation: str) -> str:
    """Return the sums `taken` that arrays have put into a relation, with the keys in place of their number."""
    names = [f"o.{p.name}" for p in taken]
    if is_number(tiles):
        keys, join = f"o.key_no AS {tiles.keys[0]}", ""
    else:
        keys, join = qualified(tiles.keys, "n"), f"\nJOIN {tiles.source.name}_keys AS n\n  ON n.key_no = o.key_no"
    return f"SELECT\n{column_list([keys, 'o.interval_start', *names])}\nFROM {relation} AS o{join}"


def _factors(partial: Partial, dialect: Dialect) -> list[str]:
    """The columns whose product is what a row gives; a square is taken of one, and a row that is counted has none."""
    kind = partial.sum
    if kind.merge == "bits":
        return ["i.day_bit"]
    if partial.is_one_rows:
        return [f"r.{partial.values.of}"]
    factors = kind.term.factors if kind.term else ()
    texts = {
        "value": f"COALESCE(r.{partial.values.of}, 0)",
        "day": day_of_row(dialect),
        "instant": op("micros", dialect, "r.event_time"),
    }
    return [texts[factor] for factor in (factors[:1] if kind.piece else factors)]
