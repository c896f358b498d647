"""Partials: the mergeable sums behind every aggregate, and each aggregate's expression over them.

    rows ──(of_rows)──► tile ──(of_tiles)──► band ──(combined)──► window ──(aggregated)──► feature

A partial of two spans that do not overlap comes out of the partials of both, so a row is read once and serves
every window and snapshot. Money stays an exact decimal until the last step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenure.define.feature import OTHER, QUANTILES, Aggregate
from tenure.define.source import Source
from tenure.sql import TYPE_NAMES, Dialect, condition, literal, op
from tenure.tables.finish import (
    CUT,
    WHOLE,
    deviation,
    deviation_of_list,
    mean_of_list,
    quantile,
    struct,
    total_of_list,
    whole,
)
from tenure.tables.visible import readable_columns

#: The kind of a partial → how it is made of rows, of tiles, and of the bands of one window (newest band first).
#: {0} is the row's value, the tile's or band's partial; {type} the type that a partial is stored in.
OF_ROWS: dict[str, str] = {
    "count": "COUNT({0})",
    "sum": "CAST(SUM({0}) AS {type})",
    "squares": "CAST(SUM({0} * {0} % {cut}) AS {type})",
    "squares_high": "CAST(SUM({high}) AS {type})",
    "min": "MIN({0})",
    "max": "MAX({0})",
    "first": "MIN({0})",
    "last": "MAX({0})",
    "newest": "MAX({0})",
    "oldest": "MIN({0})",
    "days": "BIT_OR({0})",
}

#: Kinds whose value of two tiles is that of the rows of both.
_IDEMPOTENT = ("min", "max", "first", "last", "newest", "oldest")


#: Kinds that are whole numbers: of any rows, or of rows whose values are.
_WHOLE = ("count", "newest", "oldest", "days", "first", "last")
_WHOLE_OF_VALUES = ("sum", "squares", "squares_high", "min", "max")

#: Kinds whose value of two spans is the sum of both.
ADDED = ("count", "sum", "squares", "squares_high")


@dataclass(frozen=True)
class Values:
    """The rows of a source that some aggregates read: those where `where` holds, and the column taken of them."""

    label: str
    where: str
    of: str
    type: str
    asked_by: str


@dataclass(frozen=True)
class Partial:
    """One mergeable sum of some values; `name` is its column in tiles and bands."""

    values: Values
    kind: str

    @property
    def name(self) -> str:
        """The column's name."""
        return f"{self.values.label}__{self.kind}"

    @property
    def fits_arrays(self) -> bool:
        """Whether whole numbers are all it takes, such as cents, days as bits or the order of rows.

        They are exact in whichever order they are summed up.
        """
        exact = self.values.type in ("integer", "decimal")
        return self.kind in _WHOLE or (self.kind in _WHOLE_OF_VALUES and exact)

    @property
    def is_one_rows(self) -> bool:
        """Whether it is the value of one row, the first or the last."""
        return self.kind in ("first", "last")

    @property
    def is_added(self) -> bool:
        """Whether that of two spans is the sum of both."""
        return self.kind in ADDED

    @property
    def stored_type(self) -> str:
        """The type that a sum is kept in: room for that of 10⁹ rows of the largest values."""
        if self.kind == "count":
            return "BIGINT"
        if self.kind == "squares":
            return "DECIMAL(38, 0)"
        return "DECIMAL(28, 2)" if self.kind == "sum" and self.values.type == "decimal" else "DECIMAL(28, 0)"

    def of_rows(self, value: str, dialect: Dialect) -> str:
        """Return the aggregate over rows whose value is `value`, null where the row does not count."""
        if self.kind in ("list", "set"):
            return op(f"{self.kind}_of_rows", dialect, value)
        high = ""
        if self.kind in ("squares", "squares_high"):
            value = whole(value, self.values.type, dialect)
            high = op("quotient", dialect, f"({value} * {value})", str(CUT**2))
        elif self.kind == "sum" and self.values.type == "integer":
            # Spark would add them up in 64 bits, and begin anew beyond.
            value = f"CAST({value} AS {WHOLE[dialect]})"
        return OF_ROWS[self.kind].format(value, type=self.stored_type, cut=CUT**2, high=high)

    def of_tiles(self, dialect: Dialect) -> str:
        """Return the aggregate over the tiles of a band."""
        if self.kind == "list":
            return op("list_of_lists", dialect, self.name)
        if self.kind == "days":
            return f"CAST(SUM({op('bits', dialect, self.name)}) AS BIGINT)"
        if self.kind in _IDEMPOTENT:
            return OF_ROWS[self.kind].format(self.name)
        return f"CAST(SUM({self.name}) AS {self.stored_type})"

    def combined(self, bands: Sequence[str], dialect: Dialect) -> str:
        """Return the partial of a window out of its disjoint bands, the newest band first; null only of no rows."""
        names = [f"{band}.{self.name}" for band in bands]
        if self.kind == "last":
            return f"COALESCE({', '.join(names)})" if len(names) > 1 else names[0]
        if self.kind == "first":
            return f"COALESCE({', '.join(reversed(names))})" if len(names) > 1 else names[0]
        if self.kind in ("min", "max"):
            word = {"min": "LEAST", "max": "GREATEST"}[self.kind]
            return f"{word}({', '.join(names)})" if len(names) > 1 else names[0]
        if self.kind == "list":
            return op("concatenated", dialect, ", ".join(op("or_empty", dialect, name) for name in names))
        joined = (" | " if self.kind == "months" else " + ").join(f"COALESCE({name}, 0)" for name in names)
        return f"({joined})"


#: Aggregate → the kinds of partial that it is made of.
_NEEDS: dict[str, tuple[str, ...]] = {
    "count": ("count",),
    "sum": ("sum",),
    "mean": ("sum", "count"),
    "min": ("min",),
    "max": ("max",),
    "std": ("count", "sum", "squares", "squares_high"),
    "first": ("first",),
    "last": ("last",),
    "active_days": ("days",),
    "streak": ("count",),
    "distinct_count": ("set",),
    "days_since_last": ("newest",),
    "days_since_first": ("oldest",),
    **dict.fromkeys(QUANTILES, ("list",)),
}

#: Aggregates whose floats are kept as a list: sums of floats depend on the order in which they are added up.
_LISTS_OF_FLOATS = ("sum", "mean", "std")


class Readings:
    """What a source's aggregates read of its rows: each (where, column) once, by a label of its own."""

    def __init__(self, source: Source, aggregates: Sequence[Aggregate], dialect: Dialect) -> None:
        self.source, self.dialect = source, dialect
        self._values: dict[tuple[str, str], Values] = {}
        # Labels stand beside the keys, whose names they must not take.
        self._taken = {*(c.name for c in source.columns), "snapshot_date"}
        for feature in aggregates:
            self._read(feature, feature.where, feature.of)
            if set(feature.hows) & {"mode", "entropy"}:
                for position in range(len(feature.values) + 1):
                    self._read(feature, *_of_value(feature, position))

    def _read(self, feature: Aggregate, where: str, of: str) -> None:
        if (where, of) not in self._values:
            label = feature.name if feature.name not in self._taken else f"{feature.name}__{len(self._values)}"
            self._taken.add(label)
            type_ = self.source.column(of).type if of else "integer"
            asked_by = f"feature '{feature.name}' ({feature.where_defined})"
            self._values[where, of] = Values(label, where, of, type_, asked_by)

    def values(self, feature: Aggregate) -> Values:
        """Return what the aggregate reads."""
        return self._values[feature.where, feature.of]

    def values_of(self, feature: Aggregate) -> list[Values]:
        """Return what a mode or entropy counts: each listed value, then all others."""
        return [self._values[_of_value(feature, n)] for n in range(len(feature.values) + 1)]

    def needed(self, feature: Aggregate, how: str) -> list[Partial]:
        """Return the partials that an aggregate is made of."""
        if how in ("mode", "entropy"):
            return [Partial(values, "count") for values in self.values_of(feature)]
        values = self.values(feature)
        if how in _LISTS_OF_FLOATS and values.type == "float":
            return [Partial(values, "list")]
        return [Partial(values, kind) for kind in _NEEDS[how]]

    def counts(self, values: Values) -> str:
        """Return the SQL of whether a row counts, '' where every row does."""
        tests = []
        if values.where:
            names = readable_columns(self.source)
            tests.append(f"({condition(values.where, names, self.dialect, relation='r', asked_by=values.asked_by)})")
        if values.of:
            tests.append(f"r.{values.of} IS NOT NULL")
        return " AND ".join(tests)

    def row_value(self, partial: Partial, day_bit: str = "1") -> str:
        """Return the SQL of a row's value for a partial, null where the row does not count; `day_bit` is its day's."""
        values = partial.values
        names = readable_columns(self.source)
        tests = []
        if values.where:
            tests.append(condition(values.where, names, self.dialect, relation="r", asked_by=values.asked_by))
        of = f"r.{values.of}"
        if values.of and partial.kind not in (*_WHOLE_OF_VALUES, "list", "set"):
            tests.append(f"{of} IS NOT NULL")
        value = {
            "count": "1",
            "newest": "r.event_time",
            "oldest": "r.event_time",
            "days": day_bit,
        }.get(partial.kind, of)
        if partial.kind in ("first", "last"):
            fields = [
                ("at", op("micros", self.dialect, "r.event_time")),
                *((f"k{n}", f"r.{key}") for n, key in enumerate(self.source.keys)),
            ]
            value = struct([*fields, ("v", of)], self.dialect)
        return f"CASE WHEN {' AND '.join(f'({test})' for test in tests)} THEN {value} END" if tests else value

    def aggregated(self, feature: Aggregate, how: str, merged: Callable[[Partial], str]) -> str:
        """Return an aggregate's expression, given that of each merged partial."""
        dialect = self.dialect
        if how in ("mode", "entropy"):
            counts = [merged(partial) for partial in self.needed(feature, how)]
            return (_mode if how == "mode" else _entropy)(feature, counts, dialect)
        parts = {partial.kind: merged(partial) for partial in self.needed(feature, how)}
        kind = self.values(feature).type
        if "list" in parts:
            return _of_list(how, op("or_empty", dialect, parts["list"]), kind, dialect)
        if how == "count":
            return f"COALESCE({parts['count']}, 0)"
        if how == "active_days":
            return f"COALESCE({parts['days']}, 0)"
        if how in ("min", "max"):
            return f"CAST({parts[how]} AS DOUBLE)"
        if how in ("first", "last"):
            value = f"({parts[how]}).v"
            return f"CAST({value} AS DOUBLE)" if kind == "decimal" else value
        if how == "sum":
            return f"COALESCE(CAST({parts['sum']} AS DOUBLE), 0)"
        if how == "mean":
            return f"CAST({parts['sum']} AS DOUBLE) / NULLIF({parts['count']}, 0)"
        return deviation(parts["count"], parts["sum"], parts["squares"], parts["squares_high"], kind, dialect)


def _of_list(how: str, values: str, type_: str, dialect: Dialect) -> str:
    if how in QUANTILES:
        return quantile(op("sorted", dialect, values), QUANTILES[how], type_, dialect)
    if how == "std":
        return deviation_of_list(op("sorted", dialect, values), dialect)
    return (total_of_list if how == "sum" else mean_of_list)(values, dialect)


def _of_value(feature: Aggregate, position: int) -> tuple[str, str]:
    """The (where, column) of one listed value, or after the last of all others; a column that is null is neither."""
    listed = ", ".join(f"'{value}'" for value in feature.values)
    test = f"{feature.of} = '{feature.values[position]}'" if position < len(feature.values) else ""
    test = test or f"{feature.of} NOT IN ({listed})"
    return (f"({feature.where}) AND {test}" if feature.where else test), ""


def _mode(feature: Aggregate, counts: Sequence[str], dialect: Dialect) -> str:
    most = f"GREATEST({', '.join(counts)})"
    cases = [
        f"WHEN {count} = {most} THEN {literal(value, dialect)}"
        for value, count in zip(feature.values, counts[:-1], strict=True)
    ]
    return f"CASE WHEN {most} = 0 THEN NULL {' '.join(cases)} ELSE '{OTHER}' END"


def _entropy(_: Aggregate, counts: Sequence[str], dialect: Dialect) -> str:
    double = TYPE_NAMES[dialect]["float"]
    total = f"CAST({' + '.join(counts)} AS {double})"
    terms = [f"CASE WHEN {n} > 0 THEN -({n} / {total}) * LN({n} / {total}) ELSE 0.0 END" for n in counts]
    return f"CASE WHEN {total} > 0 THEN {' + '.join(terms)} END"
