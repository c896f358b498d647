"""What a table's columns hold, one row for all: nulls, then range, middle and spread of numbers, or distinct values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tenure.sql import quoted
from tenure.sql.expressions import before, call, case, cast, named, of
from tenure.sql.query import Query

#: How a column's values compare: numbers and times have a range, of all else values are equal or not.
Kind: TypeAlias = Literal["float", "number", "time", "other"]

#: Numbers beyond it are left out of the spread: their squares would leave the range of a DOUBLE.
_SQUARED = "1e140"


@dataclass(frozen=True)
class Described:
    """A column and how its values compare."""

    name: str
    kind: Kind


def column_facts(columns: Sequence[Described], relation: str) -> Query:
    """Return one row: for the column at place n `nulls_n`, and `least_n`, `middle_n`, `greatest_n`, `spread_n` of
    numbers, the first and third of times, `distinct_n` of all else.
    """
    lines: list[str] = [named("COUNT(*)", "rows_in_all")]
    for place, column in enumerate(columns):
        cell = of("r", quoted(column.name, "duckdb"))
        lines.append(named(f"COUNT(*) - {call('COUNT', cell)}", f"nulls_{place}"))
        if column.kind == "other":
            lines.append(named(f"COUNT(DISTINCT {cell})", f"distinct_{place}"))
            continue
        lines += [named(call("MIN", cell), f"least_{place}"), named(call("MAX", cell), f"greatest_{place}")]
        if column.kind != "time":
            lines += [named(call("quantile_cont", as_number(cell, column.kind), 0.5), f"middle_{place}")]
        lines.append(named(_spread(cell, column.kind), f"spread_{place}"))
    return Query(lines=lines, source=relation, alias="r")


def as_number(cell: str, kind: Kind) -> str:
    """Return a number or a time as a DOUBLE: a time as its seconds."""
    return call("epoch", cell) if kind == "time" else cast(cell, "DOUBLE")


def _spread(cell: str, kind: Kind) -> str:
    """The mean and the variance of the values, as a pair: of two versions they give those of both together."""
    number = as_number(cell, kind)
    moderate = case(when=before(call("ABS", number), _SQUARED), then=number)
    return f"[{call('AVG', moderate)}, {call('VAR_POP', moderate)}, {cast(call('COUNT', moderate), 'DOUBLE')}]"
