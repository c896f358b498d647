"""Rows to sum: a source's rows as the arrays of one machine (`tenure/arrays`) sum them up to tiles.

    rows ──(rows_to_sum)──► arrays ──(summed_tiles)──► tiles

Sums of whole numbers are exact in any order, so arrays may take them by another way than SQL does and end in the same
cells. Other sums, such as lists of values, stay with SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import starmap

from tenure.define.dialect import Dialect
from tenure.define.source import Source
from tenure.sql.dialects import literal, op
from tenure.sql.expressions import (
    case,
    cast,
    coalesce,
    each_of,
    is_not_null,
    is_null,
    of,
    simple_case,
)
from tenure.sql.query import Column, Join, Query, Select
from tenure.tables.visible import qualified, same
from tenure.tiles.partials import Partial, Values, day_of_row
from tenure.tiles.tiles import Tiles, names_of, numbered_keys

#: A condition that a column equals a text, as `by` and `values` of an Aggregate make many.
_EQUALS = re.compile(r"(?P<column>[a-z_][a-z0-9_]*) = '(?P<text>[^'\\]*)'")

#: Codes of one column at most.
_MOST_CODES = 1000


@dataclass(frozen=True)
class RowPart:
    """What a partial reads of rows: the column of whether they count ('' where all do), and the column of its value.

    With a `code`, `counts` is a column of codes, and the rows with this code count. The value is multiplied by the
    columns in `times`.
    """

    counts: str
    value: str
    code: int = -1
    times: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowsToSum:
    """A source's rows as arrays read them: `key_no`, `interval_start` and the columns that the partials need.

    `names` are the partials' columns in tiles. `codes` are the columns of codes, each with the number of its codes; a
    row without one has the number after the last. `order` are the columns that sort rows from first to last: their
    instant, then their key.
    """

    text: str
    parts: Mapping[Partial, RowPart]
    codes: Mapping[str, int]
    order: tuple[str, ...]
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Name the columns once, before any row is read."""
        object.__setattr__(self, "names", tuple(names_of(self.parts)))


class _Columns:
    """The columns that are read of rows, each expression once, under a name of its own."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, expression: str, kind: str) -> str:
        """Return the name of an expression's column, which begins with its kind."""
        return self._names.setdefault(expression, f"{kind}{len(self._names)}")

    def names(self, expressions: Sequence[str], kind: str) -> list[str]:
        """Return the names of several."""
        return [self.name(expression, kind) for expression in expressions]

    @property
    def selected(self) -> list[Column]:
        """The columns of the SELECT."""
        return list(starmap(Column, self._names.items()))


def rows_to_sum(tiles: Tiles, taken: Sequence[Partial], periods: Sequence[date] = ()) -> RowsToSum:
    """Return the rows known in time with what the partials `taken` read of them.

    Where the customer's key is no number itself, `row_keys` has to be a relation before the text is run.
    """
    dialect, columns = tiles.dialect, _Columns()
    coded = _coded(tiles.source, taken)
    codes: dict[str, int] = {}
    parts: dict[Partial, RowPart] = {}
    for partial in taken:
        values = partial.values
        value, *times = columns.names(_factors(partial, dialect), "value") or [""]
        if values in coded:
            column, conditions = coded[values]
            counts = columns.name(_code(column, conditions, values.of, dialect), "code")
            codes[counts] = len(conditions)
            parts[partial] = RowPart(counts, value, conditions.index(values.where), tuple(times))
        else:
            test = tiles.readings.counts(values)
            counts = columns.name(coalesce(test, "FALSE"), "counts") if test else ""
            parts[partial] = RowPart(counts, value, times=tuple(times))
    order = columns.names(_order(tiles, taken), "value")
    return RowsToSum(_rows(tiles, periods, columns), parts, codes, tuple(order))


def _order(tiles: Tiles, taken: Sequence[Partial]) -> list[str]:
    """The expressions that sort rows from first to last, if any partial needs them."""
    if not any(partial.is_one_rows for partial in taken):
        return []
    return [op("micros", tiles.dialect, "r.event_time"), *each_of("r", tiles.source.keys)]


def _rows(tiles: Tiles, periods: Sequence[date], columns: _Columns) -> str:
    """The rows known in time, with the number of their customer's key."""
    number = of("r", tiles.keys[0]) if is_number(tiles) else "n.key_no"
    selected: list[str | Column] = [Column(number, "key_no"), "i.interval_start", *columns.selected]
    if is_number(tiles):
        return tiles.rows_in_time(selected, periods, also=[is_not_null(number)]).text
    return tiles.rows_in_time(selected, periods, joins=[_numbered_keys(tiles, "r")]).text


def _coded(source: Source, partials: Sequence[Partial]) -> dict[Values, tuple[str, tuple[str, ...]]]:
    """The values whose condition is that a column equals a text: the column, and all such conditions on it.

    A row meets one of them at most, so one code says which.
    """
    by_column: dict[tuple[str, str], dict[str, Values]] = {}
    for partial in partials:
        values = partial.values
        match = _EQUALS.fullmatch(values.where)
        if match and source.column(match["column"]).type == "string":
            by_column.setdefault((match["column"], values.of), {})[values.where] = values
    coded: dict[Values, tuple[str, tuple[str, ...]]] = {}
    for (column, _), group in by_column.items():
        if 2 <= len(group) <= _MOST_CODES:
            coded |= dict.fromkeys(group.values(), (column, tuple(group)))
    return coded


def _code(column: str, conditions: Sequence[str], value: str, dialect: Dialect) -> str:
    """The number of the condition that a row meets, and the number after the last where it does not count."""
    none = len(conditions)
    branches = [(_text_of(where, dialect), str(number)) for number, where in enumerate(conditions)]
    code = simple_case(of("r", column), branches, otherwise=none)
    if value:
        code = case(when=is_null(of("r", value)), then=none, otherwise=code)
    return cast(code, "SMALLINT")


def _text_of(where: str, dialect: Dialect) -> str:
    match = _EQUALS.fullmatch(where)
    return literal(match["text"], dialect) if match else "NULL"


def is_number(tiles: Tiles) -> bool:
    """Return whether the key is a single whole number, which then needs no other number."""
    return len(tiles.keys) == 1 and tiles.source.column(tiles.keys[0]).type == "integer"


def row_keys(tiles: Tiles) -> Select | None:
    """Return the relation that numbers the keys of a source's rows; None where the key is a number itself."""
    if is_number(tiles):
        return None
    name = tiles.source.name
    comment = f"the keys in {name}, numbered"
    numbered = numbered_keys(tiles.keys, name, number="key_no", alias="those", comment=comment)
    return numbered.as_table(_keys_relation(tiles), reads=[name])


def _keys_relation(tiles: Tiles) -> str:
    return f"{tiles.source.name}_keys"


def _numbered_keys(tiles: Tiles, relation: str) -> Join:
    """The join of the keys' numbers to a relation's keys, as `n`."""
    return Join(_keys_relation(tiles), alias="n", on=same(tiles.keys, "n", relation))


def summed_tiles(tiles: Tiles, taken: Sequence[Partial], relation: str) -> str:
    """Return the sums `taken` that arrays have put into a relation, with the keys in place of their number."""
    if is_number(tiles):
        keys, joins = f"o.key_no AS {tiles.keys[0]}", []
    else:
        keys = qualified(tiles.keys, "n")
        joins = [Join(_keys_relation(tiles), alias="n", on="n.key_no = o.key_no")]
    summed = Query(
        lines=[keys, "o.interval_start", *each_of("o", names_of(taken))],
        source=relation,
        alias="o",
        joins=joins,
    )
    return summed.text


def _factors(partial: Partial, dialect: Dialect) -> list[str]:
    """The columns whose product is what a row gives; a square has one of them, and a row that is counted has none."""
    kind, value = partial.sum, of("r", partial.values.of)
    if kind.merge == "bits":
        return ["i.day_bit"]
    if partial.is_one_rows:
        return [value]
    if not kind.term:
        return []
    texts = {
        "value": coalesce(value, 0),
        "day": day_of_row(dialect),
        "instant": op("micros", dialect, "r.event_time"),
    }
    factors = [texts[factor] for factor in kind.term.factors]
    return factors[:1] if kind.piece else factors
