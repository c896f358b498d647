"""Partials: the mergeable sums behind every aggregate, and each aggregate's expression over them.

    rows ──(of_rows)──► tile ──(of_tiles)──► band ──(combined)──► window ──(aggregated)──► feature

A partial of two spans that do not overlap comes out of the partials of both, so a row is read once and serves
every window and snapshot. Money stays an exact decimal until the last step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Any, TypeAlias

from tenure.define.aggregates import (
    INSTANT,
    KINDS,
    VALUE,
    ActiveDays,
    DaysSince,
    DistinctValues,
    EndValue,
    Entropy,
    Formula,
    Max,
    Min,
    MostFrequent,
    Quantile,
    Streak,
    sums_of,
)
from tenure.define.feature import OTHER, Aggregate
from tenure.define.naming import with_place
from tenure.define.shape import ByKind
from tenure.define.source import Source
from tenure.define.value_type import INTEGER, ValueType
from tenure.sql import TYPE_NAMES, Dialect, date_literal, literal, op
from tenure.sql.arithmetic import Number
from tenure.sql.dialects import WHOLE
from tenure.sql.expressions import (
    after,
    all_of,
    call,
    case,
    cases,
    cast,
    coalesce,
    each_of,
    equal,
    grouped,
    is_not_in,
    is_not_null,
    listed,
    of,
    text_literal,
)
from tenure.tables.conditions import condition_on
from tenure.tables.finish import CUT, nearest, quantile, struct, whole
from tenure.tables.long_decimals import quantile_of_decimals
from tenure.tiles.formulas import or_empty, printed
from tenure.tiles.lists import dated, is_listed, of_list
from tenure.tiles.sums import SUMS, SumKind, kinds_of

#: The day from which days are counted where they are added up: near, so that products with them stay short. Tiles are
#: kept, so another day would make them stale.
DAY_ZERO = date(2020, 1, 1)


@dataclass(frozen=True)
class Values:
    """The rows of a source that some aggregates read: those where `where` holds, and the column taken of them."""

    label: str
    where: str
    of: str
    type: ValueType
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
    def sum(self) -> SumKind:
        """What is known of its kind."""
        return SUMS[self.kind]

    @property
    def is_count(self) -> bool:
        """Whether it counts rows."""
        return self.kind == "count"

    @property
    def is_one_rows(self) -> bool:
        """Whether it is the value of one row, the first or the last."""
        return self.sum.is_one_rows

    @property
    def is_added(self) -> bool:
        """Whether that of two spans is the sum of both."""
        return self.sum.merge == "add"

    @property
    def is_money(self) -> bool:
        """Whether its numbers are decimals, in the unit of the values rather than in that of their last place."""
        return self.values.type.is_decimal and self.sum.term == VALUE

    @property
    def stored_type(self) -> str:
        """The type that a sum is kept in."""
        if self.is_count:
            return "BIGINT"
        return call("DECIMAL", *self.sum.digits(self.values.type))

    def of_rows(self, value: str, dialect: Dialect) -> str:
        """Return the aggregate over rows whose value is `value`, null where the row does not count."""
        merge = self.sum.merge
        if merge in _LISTED:
            return op(_LISTED[merge], dialect, value)
        if self.is_count:
            return self._merged("count", value)
        return self._merged(merge, self._addend(value, dialect) if self.is_added else value)

    def _merged(self, how: str, value: str) -> str:
        return OF_ROWS[how].format(value, type=self.stored_type)

    def _addend(self, value: str, dialect: Dialect) -> str:
        """What SQL adds up of rows whose value is `value`."""
        if self.sum.piece:
            number = Number(whole(value, self.values.type, dialect))
            square = number * number
            return op("quotient", dialect, square.grouped, CUT**2) if self.sum.piece == "high" else str(square % CUT**2)
        if self.sum.term == VALUE and self.values.type == INTEGER:
            # Spark would add them up in 64 bits, and begin anew beyond.
            return cast(value, WHOLE[dialect])
        return value

    def of_tiles(self, dialect: Dialect) -> str:
        """Return the aggregate over the tiles of a band."""
        merge = self.sum.merge
        if merge == "lists":
            return op("list_of_lists", dialect, self.name)
        if merge == "bits":
            return cast(call("SUM", op("bits", dialect, self.name)), "BIGINT")
        return self._merged(merge, self.name)

    def combined(self, bands: Sequence[str], dialect: Dialect) -> str:
        """Return the partial of a window out of its disjoint bands, the newest band first; null only of no rows."""
        names = [of(band, self.name) for band in bands]
        merge = self.sum.merge
        if merge == "lists":
            return op("concatenated", dialect, listed(op("or_empty", dialect, name) for name in names))
        if merge in ("smallest", "largest"):
            return self._outermost(names) if len(names) > 1 else names[0]
        sign = " | " if merge == "months" else " + "
        return grouped(sign.join(coalesce(name, 0) for name in names))

    def _outermost(self, names: Sequence[str]) -> str:
        """The smallest or largest of several bands' values; a row's value is that of the newest or oldest band."""
        is_largest = self.sum.merge == "largest"
        if self.is_one_rows:
            return coalesce(*(names if is_largest else reversed(names)))
        return call("GREATEST" if is_largest else "LEAST", *names)


#: How SQL brings the numbers of rows together, and those of tiles; rows that are counted have none.
OF_ROWS: dict[str, str] = {
    "count": "COUNT({0})",
    "add": "CAST(SUM({0}) AS {type})",
    "smallest": "MIN({0})",
    "largest": "MAX({0})",
    "bits": "BIT_OR({0})",
}

#: The operations that list the values of rows.
_LISTED: dict[str, str] = {"lists": "list_of_rows", "sets": "set_of_rows"}


def _kinds_of_formula(formula: Formula) -> tuple[str, ...]:
    """The kinds of all sums in a formula, each once."""
    return tuple(dict.fromkeys(chain.from_iterable(map(kinds_of, sums_of(formula.of)))))


#: Family → the kinds of partial that an aggregate of it is made of; lists count theirs by category.
_NEEDS: ByKind[Callable[[Any], tuple[str, ...]]] = ByKind(
    "family of aggregates",
    {
        Formula: _kinds_of_formula,
        Quantile: lambda _: ("list",),
        EndValue: lambda end: ("last",) if end.newest else ("first",),
        ActiveDays: lambda _: ("days",),
        DistinctValues: lambda _: ("set",),
        Streak: lambda _: ("count",),
        DaysSince: lambda since: kinds_of(Max(INSTANT) if since.newest else Min(INSTANT)),
    },
)


class Readings:
    """What a source's aggregates read of its rows: each (where, column) once, by a label of its own."""

    def __init__(self, source: Source, aggregates: Sequence[Aggregate], dialect: Dialect) -> None:
        self.source, self.dialect = source, dialect
        self._values: dict[tuple[str, str], Values] = {}
        # Labels are columns next to the keys, whose names they must not take.
        self._taken = {*source.column_names, "snapshot_date"}
        for feature in aggregates:
            self._read(feature, feature.where, feature.of)
            if any(KINDS[how].lists_values for how in feature.hows):
                for where in _by_value(feature):
                    self._read(feature, where, "")

    def _read(self, feature: Aggregate, where: str, of: str) -> None:
        if (where, of) not in self._values:
            label = feature.name if feature.name not in self._taken else f"{feature.name}__{len(self._values)}"
            self._taken.add(label)
            type_ = self.source.column(of).value_type if of else INTEGER
            asked_by = with_place("feature", feature)
            self._values[where, of] = Values(label, where, of, type_, asked_by)

    def values(self, feature: Aggregate) -> Values:
        """Return what the aggregate reads."""
        return self._values[feature.where, feature.of]

    def values_of(self, feature: Aggregate) -> list[Values]:
        """Return what a mode or entropy counts: each listed value, then all others."""
        return [self._values[where, ""] for where in _by_value(feature)]

    def needed(self, feature: Aggregate, how: str) -> list[Partial]:
        """Return the partials that an aggregate is made of."""
        kind = KINDS[how]
        if kind.lists_values:
            return [Partial(values, "count") for values in self.values_of(feature)]
        values = self.values(feature)
        if isinstance(kind.computed, Formula) and is_listed(kind.computed, values.type):
            return [Partial(values, "dated_list" if kind.computed.reads_days else "list")]
        return [Partial(values, name) for name in _NEEDS.of(kind.computed)(kind.computed)]

    def counts(self, values: Values) -> str:
        """Return the SQL of whether a row counts, '' where every row does."""
        tests = self._own_condition(values)
        if values.of:
            tests.append(is_not_null(of("r", values.of)))
        return all_of(*tests)

    def _own_condition(self, values: Values) -> list[str]:
        """The bank's own condition on a row in parentheses, if it has one."""
        if not values.where:
            return []
        return [grouped(condition_on(self.source, values.where, self.dialect, asked_by=values.asked_by))]

    def row_value(self, partial: Partial, day_bit: str = "1") -> str:
        """Return the SQL of a row's value for a partial, null where the row does not count; `day_bit` is its day's."""
        values = partial.values
        tests = self._own_condition(values)
        if values.of and not partial.sum.reads_value:
            tests.append(grouped(is_not_null(of("r", values.of))))
        value = self._given(partial, day_bit)
        return case(when=all_of(*tests), then=value) if tests else value

    def _given(self, partial: Partial, day_bit: str) -> str:
        """The value of a row that counts."""
        value, kind = of("r", partial.values.of), partial.sum
        if partial.is_one_rows:
            return self._ordered(value)
        if partial.kind == "dated_list":
            return dated(day_of_row(self.dialect), value, partial.values.type, self.dialect)
        if kind.is_product:
            return _product(kind, value, partial.values.type, self.dialect)
        if kind.term == INSTANT:
            return "r.event_time"
        return {"count": "1", "days": day_bit}.get(partial.kind, value)

    def _ordered(self, value: str) -> str:
        """A row's value behind its instant and key, by which the first and the last row are found."""
        fields = {"at": op("micros", self.dialect, "r.event_time")}
        for number, key in enumerate(each_of("r", self.source.keys)):
            fields[f"k{number}"] = key
        return struct({**fields, "v": value}, self.dialect)

    def aggregated(self, feature: Aggregate, how: str, merged: Callable[[Partial], str]) -> str:
        """Return an aggregate's expression, given that of each merged partial."""
        computed = KINDS[how].computed
        parts = {partial: merged(partial) for partial in self.needed(feature, how)}
        return _FINISHED.of(computed)(self, feature, how, computed, parts)


def day_of_row(dialect: Dialect) -> str:
    """Return the SQL of the UTC day of a row's event, in days since `DAY_ZERO`."""
    return op("days_between", dialect, date_literal(DAY_ZERO), cast("r.event_time", "DATE"))


def _product(kind: SumKind, value: str, type_: ValueType, dialect: Dialect) -> str:
    """A row's term as a whole number: values in units of their last place."""
    factors = kind.term.factors if kind.term else ()
    printed_as = {"day": cast(day_of_row(dialect), WHOLE[dialect]), "value": whole(value, type_, dialect)}
    first, *others = (Number(printed_as[factor]) for factor in factors)
    return str(math.prod(others, start=first))


Parts: TypeAlias = Mapping[Partial, str]


def _of_formula(readings: Readings, feature: Aggregate, how: str, formula: Formula, parts: Parts) -> str:
    type_, dialect = readings.values(feature).type, readings.dialect
    if is_listed(formula, type_):
        (values,) = parts.values()
        return of_list(formula, op("or_empty", dialect, values), type_, dialect)
    sums = {partial.kind: text for partial, text in parts.items()}
    return or_empty(printed(formula.of, sums, type_, dialect), KINDS[how])


def _of_quantile(readings: Readings, feature: Aggregate, _: str, asked: Quantile, parts: Parts) -> str:
    (values,) = parts.values()
    ordered = op("sorted", readings.dialect, op("or_empty", readings.dialect, values))
    type_ = readings.values(feature).type
    of_type = quantile_of_decimals if type_.is_long else quantile
    return of_type(ordered, asked.share, type_, readings.dialect)


def _of_end(readings: Readings, feature: Aggregate, _: str, __: EndValue, parts: Parts) -> str:
    (row,) = parts.values()
    value = of(grouped(row), "v")
    type_ = readings.values(feature).type
    return nearest(value, type_, readings.dialect) if type_.is_decimal else value


def _of_days(_: Readings, __: Aggregate, how: str, ___: ActiveDays, parts: Parts) -> str:
    (days,) = parts.values()
    return or_empty(days, KINDS[how])


def _mode(readings: Readings, feature: Aggregate, _: str, __: MostFrequent, parts: Parts) -> str:
    counts = list(parts.values())
    most = call("GREATEST", *counts)
    branches = [(equal(most, 0), "NULL")]
    for value, count in zip(feature.values, counts[:-1], strict=True):
        branches.append((equal(count, most), literal(value, readings.dialect)))
    return cases(branches, otherwise=text_literal(OTHER))


def _entropy(readings: Readings, _: Aggregate, __: str, ___: Entropy, parts: Parts) -> str:
    """−Σ p·ln p over the shares of each category."""
    counts = list(parts.values())
    double = TYPE_NAMES[readings.dialect]["float"]
    total = cast(" + ".join(counts), double)
    terms = []
    for count in counts:
        share = Number(count) / total
        terms.append(case(when=after(count, 0), then=-share.grouped * call("LN", share), otherwise="0.0"))
    return case(when=after(total, 0), then=" + ".join(terms))


#: Family → an aggregate's expression over its merged partials. What is missing here is read of bands or of all history.
_FINISHED: ByKind[Callable[[Readings, Aggregate, str, Any, Parts], str]] = ByKind(
    "family of aggregates over merged sums",
    {
        Formula: _of_formula,
        Quantile: _of_quantile,
        EndValue: _of_end,
        ActiveDays: _of_days,
        MostFrequent: _mode,
        Entropy: _entropy,
    },
)


def _by_value(feature: Aggregate) -> list[str]:
    """The condition of each listed value, then of all others; a column that is null is neither."""
    texts = list(map(text_literal, feature.values))
    tests = [*(equal(feature.of, text) for text in texts), is_not_in(feature.of, texts)]
    if not feature.where:
        return tests
    own = grouped(feature.where)
    return [all_of(own, test) for test in tests]
