"""The oracle: snapshots and features once more, in plain and slow Python, from staged rows.

No SQL and no frames; nothing of `tenure.tables` is read, so a fault there shows as a cell that differs.

    staged rows of a customer ──► Sight of a snapshot ──► one value a feature column
                                  (what was visible at t)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import chain, repeat
from typing import Any

from tenure.define.dialect import Dialect
from tenure.define.feature import Aggregate, Attribute, DatePart, FeatureView, Ratio, Trend
from tenure.define.project import Project
from tenure.define.reconciliation import Reconciliation
from tenure.define.source import Source
from tenure.define.window import ColumnName, Window
from tenure.errors import UnprovenCondition
from tenure.proofs.oracle.conditions import Condition, compiled
from tenure.proofs.oracle.ledgers import Account, Books
from tenure.proofs.oracle.rules import (
    AGGREGATED,
    OF_EVENTS,
    QUANTILES,
    Row,
    days_to_anniversary,
    divided,
    ended_before,
    entropy,
    grouped,
    happened_in,
    instant,
    key_of,
    mode,
    part_of,
    quantile,
    streak,
    visible,
    whole_days,
    whole_years,
    window_start,
)


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """A project's snapshots and features at `dates`, recomputed from its staged rows, `rows[source]`.

    Conditions are read as `dialect` writes them. Columns whose `where` plain Python can't evaluate for sure are
    left out of `features()` and stand in `unproven` with the reason; ask for it after the features.
    """

    project: Project
    rows: Mapping[str, Sequence[Row]]
    dates: Sequence[date]
    dialect: Dialect = "duckdb"
    _conditions: dict[str, Condition] = field(default_factory=dict, init=False, repr=False, compare=False)
    _unsure: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    _own: dict[tuple[str, str, tuple[Any, ...]], list[Row]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _broken: dict[tuple[str, datetime, date], frozenset[Account]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def snapshots(self) -> list[Row]:
        """Return one row per customer and snapshot date."""
        source = self.project.sources[self.project.entity.source]
        found = []
        for day in self.dates:
            for row in self.rows[source.name]:
                if self._is_customer(source, row, instant(day)):
                    opened = row["event_time"]
                    span = {"opened_on": opened.date(), "tenure_days": whole_days(opened, day)}
                    found.append(part_of(row, self.project.entity.keys) | {"snapshot_date": day} | span)
        return found

    def features(self) -> list[Row]:
        """Return one row per row of snapshots, with every feature column of the project that can be proved."""
        rows = [self._features_of(snapshot) for snapshot in self.snapshots()]
        for name in self.unproven:
            for row in rows:
                del row[name]
        return rows

    @property
    def unproven(self) -> dict[str, str]:
        """The columns that are not proved, with the reason; whole once `features()` was asked."""
        found: dict[ColumnName, str] = {}
        for _, feature, name in self._wanted:
            for where in self._conditions_of(feature):
                if where in self._unsure:
                    found[name] = self._unsure[where]
        for _, name, parts in self._compared:
            for part in parts:
                if part in found:
                    found.setdefault(name, found[part])
        return {str(name): reason for name, reason in found.items()}

    def _conditions_of(self, feature: Aggregate) -> list[str]:
        """The conditions that decide what counts: its own, and which bookings add."""
        ledger = self.project.reconciliations.get(feature.reconciled)
        return [feature.where, ledger.credit] if ledger else [feature.where]

    def _is_customer(self, source: Source, row: Row, t: datetime) -> bool:
        """Opened ──(······ t ······]── closed."""
        return visible(row, t) and row["event_time"] < t and not ended_before(source, row, t)

    @cached_property
    def _customers(self) -> dict[str, dict[tuple[Any, ...], list[Row]]]:
        """The rows of each source by customer, where the source has the customer's key."""
        keys = self.project.entity.keys
        found = {}
        for name, rows in self.rows.items():
            if set(keys).issubset(self.project.sources[name].column_names):
                found[name] = grouped(rows, keys)
        return found

    def broken_accounts(self, defined: Reconciliation, seen_at: datetime, until: date) -> frozenset[Account]:
        """Return the accounts of which a reconciliation finds a break before the day `until`, in rows known then."""
        asked = (defined.name, seen_at, until)
        if asked not in self._broken:
            bookings, balances = (
                [row for row in self.rows[name] if visible(row, seen_at)]
                for name in (defined.reads[0], defined.reads[-1])
            )
            added = {id(row) for row in self._met(defined.credit, bookings)}
            books = Books(self.project, defined, bookings, balances, lambda row: id(row) in added)
            self._broken[asked] = frozenset(account for account, day in books.breaks() if day < until)
        return self._broken[asked]

    def own_rows(self, source: str, snapshot: Row, where: str = "") -> list[Row]:
        """Return the customer's rows of a source that meet `where`, all versions of all times.

        Unknown is no. A condition that is not sure is remembered, and no.
        """
        asked = (source, where, key_of(snapshot, self.project.entity.keys))
        if asked not in self._own:
            self._own[asked] = self._met(where, self._customers[source].get(asked[2], []))
        return self._own[asked]

    def _met(self, where: str, rows: list[Row]) -> list[Row]:
        if not where:
            return rows
        if where in self._unsure:
            return []
        try:
            if where not in self._conditions:
                self._conditions[where] = compiled(where, self.dialect)
            return self._conditions[where].met_by(rows)
        except UnprovenCondition as error:
            self._unsure[where] = error.message
            return []

    @cached_property
    def _wanted(self) -> list[tuple[str, Aggregate, ColumnName]]:
        """Every column of an aggregate, with its source and definition."""
        found: list[tuple[str, Aggregate, ColumnName]] = []
        for view in self.project.views.values():
            for feature in view.aggregates:
                found += zip(repeat(view.source), repeat(feature), feature.columns)
        return found

    @cached_property
    def _compared(self) -> list[tuple[Ratio | Trend, ColumnName, tuple[ColumnName, ColumnName]]]:
        """Every column of a ratio or trend, with its two sides."""
        return list(chain.from_iterable(view.comparisons for view in self.project.views.values()))

    @cached_property
    def _named(self) -> dict[str, ColumnName]:
        return self.project.named_columns

    @cached_property
    def _windows(self) -> tuple[Window, ...]:
        return self.project.windows

    def _features_of(self, snapshot: Row) -> Row:
        sight = Sight(self, snapshot)
        measured: dict[ColumnName, Any] = {}
        for view in self.project.views.values():
            for attribute in view.attributes:
                measured[ColumnName(attribute.name)] = self._attribute(view, attribute, sight)
            for part in view.date_parts:
                measured[ColumnName(part.name)] = _date_part(part, snapshot["snapshot_date"])
        for source, feature, name in self._wanted:
            is_known = not feature.reconciled or self._is_reconciled(source, feature.reconciled, sight)
            measured[name] = self._aggregate(source, feature, name, sight) if is_known else None
        for compared, name, (top, bottom) in self._compared:
            measured[name] = divided(_side(compared, top, measured), _side(compared, bottom, measured))
        for window in self._windows:
            measured[ColumnName("history", "share", window)] = _history_share(window, snapshot)
        row = part_of(snapshot, (*self.project.entity.keys, "snapshot_date"))
        return row | {text: measured[name] for text, name in self._named.items()}

    def _attribute(self, view: FeatureView, feature: Attribute, sight: Sight) -> Any:
        """The customer's own row, in the version visible at t and known at most `ttl` days before."""
        oldest = sight.t - timedelta(days=view.ttl)
        fresh = [row for row in sight.rows(view.source) if not view.ttl or row["known_time"] >= oldest]
        value = fresh[0][feature.of] if fresh else None
        if feature.how == "is_known":
            return value is not None
        if value is None:
            return None
        if feature.how == "value":
            return float(value) if isinstance(value, Decimal) else value
        return _SPANS[feature.how](value, sight.t)

    def _is_reconciled(self, source: str, name: str, sight: Sight) -> bool:
        """Whether no account of the customer's rows before t has a break of a day before t, in what is known then."""
        defined = self.project.reconciliations[name]
        owned = {key_of(row, defined.accounts) for row in sight.rows(source) if row["event_time"] < sight.t}
        return owned.isdisjoint(self.broken_accounts(defined, sight.t, sight.t.date()))

    def _aggregate(self, source: str, feature: Aggregate, name: ColumnName, sight: Sight) -> Any:
        how = name.aggregate
        if how in ("days_since_last", "days_since_first"):
            return _days_since(how, sight.rows(source, feature.where, feature.of), sight.t)
        span = sight.span(source, feature.where, feature.of, name.window)
        values = [row[feature.of] if feature.of else 1 for row in span]
        if how in AGGREGATED:
            return AGGREGATED[how](values)
        if how in QUANTILES:
            return quantile(values, QUANTILES[how])
        if how in ("first", "last"):
            return self._at_the_end(source, feature, how, span)
        if how in ("mode", "entropy"):
            return {"mode": mode, "entropy": entropy}[how](values, feature.values)
        if how == "distinct_count":
            return len(set(values))
        if how in OF_EVENTS:
            return OF_EVENTS[how](_moments(span), values)
        if how == "streak":
            return streak(_moments(span), sight.t, name.window.length if name.window else 0)
        raise NotImplementedError(f"the oracle does not know the aggregate '{how}'")

    def _at_the_end(self, source: str, feature: Aggregate, how: str, span: Sequence[Row]) -> Any:
        """The value at the first or the newest event; of one instant, by the key."""
        keys = self.project.sources[source].keys
        if not span:
            return None
        end = min if how == "first" else max
        value = end(span, key=lambda row: (row["event_time"], *key_of(row, keys)))[feature.of]
        return float(value) if isinstance(value, Decimal) else value


class Sight:
    """What one customer's rows show at one snapshot; each selection of them is made once."""

    def __init__(self, oracle: Oracle, snapshot: Row) -> None:
        self.t = instant(snapshot["snapshot_date"])
        self._oracle, self._snapshot = oracle, snapshot
        self._rows: dict[tuple[str, str, str], list[Row]] = {}
        self._spans: dict[tuple[str, str, str, Window | None], list[Row]] = {}

    def rows(self, source: str, where: str = "", of: str = "") -> list[Row]:
        """Return the rows visible at t that meet the condition and whose column `of` is not null."""
        asked = (source, where, of)
        if asked not in self._rows:
            if of:
                found = [row for row in self.rows(source, where) if row[of] is not None]
            else:
                found = [row for row in self._oracle.own_rows(source, self._snapshot, where) if visible(row, self.t)]
            self._rows[asked] = found
        return self._rows[asked]

    def span(self, source: str, where: str, of: str, window: Window | None) -> list[Row]:
        """Return those in the window, t − w ──[···· event_time ····)── t; without one, those open at t."""
        asked = (source, where, of, window)
        if asked not in self._spans:
            seen = self.rows(source, where, of)
            if window:
                start = window_start(window, self.t)
                self._spans[asked] = [row for row in seen if happened_in(row, start, self.t)]
            else:
                self._spans[asked] = self._open(source, seen)
        return self._spans[asked]

    def _open(self, source: str, seen: Sequence[Row]) -> list[Row]:
        """event_time ──(···· t ····]── ends."""
        ends = self._oracle.project.sources[source]
        return [row for row in seen if row["event_time"] < self.t and not ended_before(ends, row, self.t)]


def _moments(rows: Sequence[Row]) -> list[datetime]:
    """When each row happened."""
    return [row["event_time"] for row in rows]


def _days_since(how: str, seen: Sequence[Row], t: datetime) -> int | None:
    """The newest, or first, event_time of all history ──────┊ t."""
    past = [moment for moment in _moments(seen) if moment < t]
    end = max if how == "days_since_last" else min
    return whole_days(end(past), t) if past else None


def _side(feature: Ratio | Trend, name: ColumnName, measured: Mapping[ColumnName, Any]) -> float | None:
    """One side of a comparison: a trend takes counts and sums a day or a month, the rest as they are."""
    value: float | None = measured[name]
    if isinstance(feature, Ratio) or value is None or name.window is None or name.aggregate not in ("count", "sum"):
        return value
    return value / name.window.length


#: Attributes of a time and t → what they are.
_SPANS: dict[str, Callable[[datetime, datetime], int]] = {
    "years_since": whole_years,
    "days_since": whole_days,
    "days_to_anniversary": days_to_anniversary,
}


def _date_part(part: DatePart, t: date) -> int:
    if part.how == "month_of_year":
        return t.month
    raise NotImplementedError(f"the oracle does not know the part '{part.how}' of a date")


def _history_share(window: Window, snapshot: Row) -> float:
    t = instant(snapshot["snapshot_date"]).date()
    span = (t - window.start(t)).days
    return float(min(span, snapshot["tenure_days"]) / span)
