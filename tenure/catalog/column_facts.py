"""What the columns of a version of a table hold, computed in the engine a few columns at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pyarrow as pa

from tenure.engines.base import Engine
from tenure.store.table import TableVersion
from tenure.tables import column_facts as facts_table
from tenure.tables.column_facts import Described, Kind

#: The values that one look keeps in memory: a median is exact, and needs them all.
_VALUES_AT_ONCE = 20_000_000


@dataclass(frozen=True)
class Facts:
    """What a column holds: rows, nulls, and the range and middle of numbers, the range of times, or distinct values.

    What a column's type has not is None. `mean`, `variance` and `counted` are of numbers and of times in seconds.
    """

    rows: int
    nulls: int
    distinct: int | None = None
    least: Any = None
    middle: float | None = None
    greatest: Any = None
    # Engines add up floats in any order: the last digits of these may differ where no value does.
    mean: float = field(default=0.0, compare=False)
    variance: float = field(default=0.0, compare=False)
    counted: float = field(default=0.0, compare=False)

    @property
    def null_share(self) -> float:
        """The share of rows without a value; 0 of no rows."""
        return self.nulls / self.rows if self.rows else 0.0

    def as_words(self) -> dict[str, object]:
        """Return what is there, by its word, as JSON takes it: times, decimals and what is not finite as text."""
        found = {
            "rows": self.rows,
            "null_share": round(self.null_share, 6),
            "distinct": self.distinct,
            "min": _plain(self.least),
            "median": _plain(self.middle),
            "max": _plain(self.greatest),
        }
        return {name: value for name, value in found.items() if value is not None}


def kind_of(type_: pa.DataType) -> Kind:
    """Return how values of a type compare."""
    if pa.types.is_floating(type_):
        return "float"
    if pa.types.is_integer(type_) or pa.types.is_decimal(type_):
        return "number"
    return "time" if pa.types.is_date(type_) or pa.types.is_timestamp(type_) else "other"


def facts_of(engine: Engine, version: TableVersion, names: Sequence[str], relation: str) -> dict[str, Facts]:
    """Return what some columns of a version hold; its rows are scanned as `relation`."""
    engine.scan(relation, version.files, version.schema, version.partition_by)
    described = [Described(name, kind_of(version.schema.field(name).type)) for name in names]
    found: dict[str, Facts] = {}
    for some in _batches(described, max(1, _VALUES_AT_ONCE // max(1, version.rows))):
        row = engine.run(facts_table.column_facts(some, relation).text).to_pylist()[0]
        for place, column in enumerate(some):
            found[column.name] = _facts(row, place)
    return found


def spread_of(facts: Iterable[Facts]) -> float:
    """Return the standard deviation of several columns' values taken together; 0 where they are all the same."""
    parts = [one for one in facts if one.counted]
    counted = sum(one.counted for one in parts)
    if not counted:
        return 0.0
    mean = sum(one.mean * (one.counted / counted) for one in parts)
    variance = sum((one.variance + (one.mean - mean) ** 2) * (one.counted / counted) for one in parts)
    # Engines add up floats in any order: the last digits would order equal changes by chance.
    return float(f"{math.sqrt(variance):.9g}")


def _facts(row: dict[str, Any], place: int) -> Facts:
    mean, variance, counted = row.get(f"spread_{place}") or (None, None, None)
    return Facts(
        rows=row["rows_in_all"],
        nulls=row[f"nulls_{place}"],
        distinct=row.get(f"distinct_{place}"),
        least=row.get(f"least_{place}"),
        middle=row.get(f"middle_{place}"),
        greatest=row.get(f"greatest_{place}"),
        mean=mean or 0.0,
        variance=variance or 0.0,
        counted=counted or 0.0,
    )


def _batches(columns: Sequence[Described], most: int) -> Iterator[list[Described]]:
    left = iter(columns)
    while some := list(islice(left, most)):
        yield some


def _plain(value: Any) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, int | float | str) else str(value)
