"""The tables once more, in plain and slow Python: no SQL and no frames, one small function a rule.

Loops over every snapshot date, customer and staged row, so a reader can check each rule by its drawn line.
The bank's `where=` texts are not parsed: the test that asks gives each text its Python predicate.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from tenure.define.churn import AllOf, AnyOf, BalanceDecline, Closure, Event, Inactivity
from tenure.define.feature import QUANTILES, Aggregate, Attribute, FeatureView, Ratio, Trend
from tenure.define.project import Project
from tenure.define.source import Source
from tenure.define.window import ColumnName, Window

Row = dict[str, Any]
Predicate = Callable[[Row], bool | None]


def instant(value: date | datetime) -> datetime:
    """A date is the midnight at which it begins; instants are UTC without a zone."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time())
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def whole_days(earlier: date | datetime, later: date | datetime) -> int:
    """Midnights passed between two days, whatever the hour."""
    return (instant(later).date() - instant(earlier).date()).days


def whole_years(earlier: date | datetime, later: date | datetime) -> int:
    """Birthdays passed; one on the later day itself counts."""
    born, now = instant(earlier).date(), instant(later).date()
    return now.year - born.year - ((now.month, now.day) < (born.month, born.day))


def key_of(row: Row, keys: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[key] for key in keys)


def grouped(rows: Iterable[Row], keys: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    """The rows of each key, in their order."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(key_of(row, keys), []).append(row)
    return groups


def staged(source: Source, typed_rows: Iterable[Row]) -> list[Row]:
    """Each row once, with when it happened, when it was first known and until when it was the newest version.

    known_time of a version ── known_until = known_time of the next version of the same key
    """
    once = {key_of(row, [c.name for c in source.columns]): row for row in typed_rows}
    rows = [dict(row) for row in once.values()]
    for row in rows:
        row["event_time"] = instant(row[source.event_time])
        known = instant(row[source.known_time or source.event_time])
        row["known_time"] = known if source.known_time else known + timedelta(days=source.arrival_delay)
    versions = grouped(rows, source.keys)
    for row in rows:
        later = [r["known_time"] for r in versions[key_of(row, source.keys)] if r["known_time"] > row["known_time"]]
        row["known_until"] = min(later, default=None)
    return rows


def visible(row: Row, t: datetime) -> bool:
    """known_time ──(···· visible at these t ··]── known_until."""
    known, replaced = row["known_time"], row["known_until"]
    return bool(known < t and (replaced is None or t <= replaced))


def happened_in(row: Row, start: datetime, end: datetime) -> bool:
    """start ──[···· event_time ····)── end."""
    return bool(start <= row["event_time"] < end)


def ended_before(source: Source, row: Row, t: datetime) -> bool:
    """event_time ────── ends ──┊ t; a row that ends at t has not ended before it."""
    return bool(source.ends) and row[source.ends] is not None and instant(row[source.ends]) < t


def counted(values: Sequence[Any]) -> int:
    return len(values)


def summed(values: Sequence[Any]) -> float:
    return float(sum(map(Fraction, values)))


def mean(values: Sequence[Any]) -> float | None:
    return float(sum(map(Fraction, values)) / len(values)) if values else None


def smallest(values: Sequence[Any]) -> float | None:
    return float(min(values)) if values else None


def largest(values: Sequence[Any]) -> float | None:
    return float(max(values)) if values else None


def sample_deviation(values: Sequence[Any]) -> float | None:
    return float(statistics.stdev(map(Fraction, values))) if len(values) > 1 else None


AGGREGATED: dict[str, Callable[[Sequence[Any]], float | int | None]] = {
    "count": counted,
    "sum": summed,
    "mean": mean,
    "min": smallest,
    "max": largest,
    "std": sample_deviation,
}


def quantile(values: Sequence[Any], share: float) -> float | None:
    """The value at `share` of the way through the sorted ones, in between if it falls between two."""
    ordered = sorted(map(float, values))
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def listed(values: Sequence[Any], names: Sequence[str]) -> list[int]:
    """How often each name occurs, and last how often any other."""
    return [*(sum(v == name for v in values) for name in names), sum(v not in names for v in values)]


def mode(values: Sequence[Any], names: Sequence[str]) -> str | None:
    """The name that occurs most, the first of equals."""
    counts = listed(values, names)
    return [*names, "other"][counts.index(max(counts))] if values else None


def entropy(values: Sequence[Any], names: Sequence[str]) -> float | None:
    shares = [n / len(values) for n in listed(values, names) if n] if values else []
    return sum(-p * math.log(p) for p in shares) if values else None


def window_start(window: Window, t: datetime) -> datetime:
    """The first instant that the window of t sees: its first day, at the time of day of t."""
    return datetime.combine(window.start(t.date()), t.time())


def streak(moments: Iterable[datetime], t: datetime, months: int) -> int:
    """Months in a row with a moment: ──[ t − 2m ····)[ t − 1m ····)── t."""
    moments = list(moments)
    starts = [t, *(window_start(Window(n, "m"), t) for n in range(1, months + 1))]
    for n in range(months):
        if not any(starts[n + 1] <= moment < starts[n] for moment in moments):
            return n
    return months


def divided(top: float | None, bottom: float | None) -> float | None:
    return None if top is None or bottom is None or bottom == 0 else top / bottom


def any_true(answers: Sequence[bool | None]) -> bool | None:
    """SQL's OR: true beats unknown, unknown beats false."""
    return True if True in answers else None if None in answers else False


def all_true(answers: Sequence[bool | None]) -> bool | None:
    """SQL's AND: false beats unknown, unknown beats true."""
    return False if False in answers else None if None in answers else True


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """A project's tables recomputed from its staged rows, `rows[source]`; `where` holds each text's predicate."""

    project: Project
    rows: Mapping[str, Sequence[Row]]
    dates: Sequence[date]
    data_end: date
    where: Mapping[str, Predicate]

    def snapshots(self) -> list[Row]:
        """One row per customer and snapshot date."""
        source = self.project.sources[self.project.entity.source]
        return [
            {
                **{k: row[k] for k in self.project.entity.keys},
                "snapshot_date": day,
                "opened_on": row["event_time"].date(),
                "tenure_days": whole_days(row["event_time"], day),
            }
            for day in self.dates
            for row in self.rows[source.name]
            if self._is_customer(source, row, instant(day))
        ]

    def features(self) -> list[Row]:
        """One row per row of snapshots, with every feature column of the project."""
        return [self._features_of(snapshot) for snapshot in self.snapshots()]

    def features_at(self, asked: Row) -> Row:
        """The features of any customer, also of none, at any instant: `asked` has the key and, as snapshot_date, t."""
        source, t = self.project.sources[self.project.entity.source], instant(asked["snapshot_date"])
        known = [row for row in self._rows_of(source.name, asked) if visible(row, t) and row["event_time"] < t]
        return self._features_of(asked | {"tenure_days": whole_days(known[0]["event_time"], t) if known else 0})

    def labels(self) -> list[Row]:
        """One row per snapshot row whose question has an answer."""
        found = [self._label_of(snapshot) for snapshot in self.snapshots()]
        return [label for label in found if label is not None]

    def _is_customer(self, source: Source, row: Row, t: datetime) -> bool:
        """Opened ──(······ t ······]── closed."""
        return visible(row, t) and row["event_time"] < t and not ended_before(source, row, t)

    @cached_property
    def _customers(self) -> dict[str, dict[tuple[Any, ...], list[Row]]]:
        """The rows of each source by customer, where the source tells the customer."""
        keys = self.project.entity.keys
        return {
            name: grouped(rows, keys)
            for name, rows in self.rows.items()
            if set(keys) <= {column.name for column in self.project.sources[name].columns}
        }

    def _rows_of(self, source: str, snapshot: Row, where: str = "") -> list[Row]:
        own = self._customers[source].get(key_of(snapshot, self.project.entity.keys), [])
        return [row for row in own if self.where[where](row) is True] if where else own

    def _features_of(self, snapshot: Row) -> Row:
        measured: dict[ColumnName, Any] = {}
        for view in self.project.views.values():
            for attribute in view.attributes:
                measured[ColumnName(attribute.name)] = self._attribute(view, attribute, snapshot)
            for feature in view.aggregates:
                for name in feature.columns:
                    measured[name] = self._aggregate(view.source, feature, name, snapshot)
        features = [(view.source, f) for view in self.project.views.values() for f in view.features]
        for _, feature in features:
            if isinstance(feature, Ratio):
                measured |= {n: divided(measured[a], measured[b]) for n, (a, b) in feature.parts.items()}
            elif isinstance(feature, Trend):
                measured |= {n: self._trend(measured, *parts) for n, parts in feature.parts.items()}
        for window in self.project.windows:
            measured[ColumnName("history", "share", window)] = self._history_share(window, snapshot)
        row = {k: snapshot[k] for k in (*self.project.entity.keys, "snapshot_date")}
        return row | {str(name): measured[name] for name in self.project.columns}

    def _attribute(self, view: FeatureView, feature: Attribute, snapshot: Row) -> Any:
        """The customer's own row, in the version visible at t and known at most `ttl` days before."""
        t = instant(snapshot["snapshot_date"])
        rows = [row for row in self._rows_of(view.source, snapshot) if visible(row, t)]
        fresh = [row for row in rows if not view.ttl or row["known_time"] >= t - timedelta(days=view.ttl)]
        value = fresh[0][feature.of] if fresh else None
        if feature.how == "is_known":
            return value is not None
        if value is None:
            return None
        if feature.how == "value":
            return float(value) if isinstance(value, Decimal) else value
        return {"years_since": whole_years, "days_since": whole_days}[feature.how](value, t)

    def _aggregate(self, source: str, feature: Aggregate, name: ColumnName, snapshot: Row) -> Any:
        t, how = instant(snapshot["snapshot_date"]), name.aggregate
        seen = [row for row in self._rows_of(source, snapshot, feature.where) if visible(row, t)]
        if feature.of:
            seen = [row for row in seen if row[feature.of] is not None]
        if how in ("days_since_last", "days_since_first"):
            return self._days_since(how, seen, t)
        span = self._in_window(seen, name.window, t) if name.window else self._open(source, seen, t)
        values = [row[feature.of] if feature.of else 1 for row in span]
        if how in AGGREGATED:
            return AGGREGATED[how](values)
        if how in QUANTILES:
            return quantile(values, QUANTILES[how])
        if how in ("first", "last"):
            return self._at_the_end(source, feature, how, span)
        if how in ("mode", "entropy"):
            return {"mode": mode, "entropy": entropy}[how](values, feature.values)
        days = {row["event_time"].date() for row in span}
        if how == "streak":
            moments = [row["event_time"] for row in span]
            return streak(moments, t, name.window.length if name.window else 0)
        return len(days) if how == "active_days" else len(set(values))

    def _at_the_end(self, source: str, feature: Aggregate, how: str, span: Sequence[Row]) -> Any:
        """The value at the first or the newest event; of one instant, by the key."""
        keys = self.project.sources[source].keys
        ordered = sorted(span, key=lambda row: (row["event_time"], *key_of(row, keys)))
        if not ordered:
            return None
        value = ordered[0 if how == "first" else -1][feature.of]
        return float(value) if isinstance(value, Decimal) else value

    def _in_window(self, seen: Sequence[Row], window: Window, t: datetime) -> list[Row]:
        """t − w ──[···· event_time ····)── t."""
        return [row for row in seen if happened_in(row, window_start(window, t), t)]

    def _open(self, source: str, seen: Sequence[Row], t: datetime) -> list[Row]:
        """event_time ──(···· t ····]── ends."""
        ends = self.project.sources[source]
        return [row for row in seen if row["event_time"] < t and not ended_before(ends, row, t)]

    def _days_since(self, how: str, seen: Sequence[Row], t: datetime) -> int | None:
        """The newest, or first, event_time of all history ──────┊ t."""
        past = [row["event_time"] for row in seen if row["event_time"] < t]
        end = max if how == "days_since_last" else min
        return whole_days(end(past), t) if past else None

    def _trend(self, measured: Mapping[ColumnName, Any], short: ColumnName, long: ColumnName) -> float | None:
        """Counts and sums are compared a day or a month, the rest as they are."""

        def pace(name: ColumnName) -> float | None:
            value: float | None = measured[name]
            if value is None or name.window is None or name.aggregate not in ("count", "sum"):
                return value
            return value / name.window.length

        return divided(pace(short), pace(long))

    def _history_share(self, window: Window, snapshot: Row) -> float:
        t = instant(snapshot["snapshot_date"]).date()
        span = (t - window.start(t)).days
        return float(min(span, snapshot["tenure_days"]) / span)

    def _label_of(self, snapshot: Row) -> Row | None:
        """t ── gap ──[ label_start ······ event? ······ label_end )──┊ all read as known at label_end."""
        churn, t = self.project.churn, instant(snapshot["snapshot_date"])
        start = t + timedelta(days=churn.gap)
        end = start + timedelta(days=churn.horizon)
        if end.date() > self.data_end or not self._is_eligible(snapshot, t, start, end):
            return None
        churned = self._happens(churn.event, snapshot, t, start, end)
        if churned is None:
            return None
        row = {k: snapshot[k] for k in (*self.project.entity.keys, "snapshot_date")}
        return row | {"label_start": start.date(), "label_end": end.date(), "churned": int(churned)}

    def _is_eligible(self, snapshot: Row, t: datetime, start: datetime, end: datetime) -> bool:
        churn = self.project.churn
        if snapshot["tenure_days"] < churn.min_tenure:
            return False
        if churn.active:
            known = [r for r in self._rows_of(churn.active.source, snapshot, churn.active.where) if visible(r, t)]
            if not any(happened_in(r, t - timedelta(days=churn.active.within), t) for r in known):
                return False
        closed = self._closed(snapshot, end)
        return closed is None or closed >= start

    def _closed(self, snapshot: Row, known_at: datetime) -> datetime | None:
        """The closing time in the version visible at the horizon's end."""
        source = self.project.sources[self.project.entity.source]
        if not source.ends:
            return None
        ends = [row[source.ends] for row in self._rows_of(source.name, snapshot) if visible(row, known_at)]
        return next((instant(end) for end in ends if end is not None), None)

    def _happens(self, event: Event, snapshot: Row, t: datetime, start: datetime, end: datetime) -> bool | None:
        if isinstance(event, AnyOf | AllOf):
            answers = [self._happens(part, snapshot, t, start, end) for part in event.events]
            return any_true(answers) if isinstance(event, AnyOf) else all_true(answers)
        if isinstance(event, Closure):
            closed = self._closed(snapshot, end)
            return closed is not None and start <= closed < end
        known = [row for row in self._rows_of(event.source, snapshot, event.where) if visible(row, end)]
        if isinstance(event, Inactivity):
            return not any(happened_in(row, start, end) for row in known)
        return self._declines(event, known, t, start, end)

    def _declines(
        self, event: BalanceDecline, known: Sequence[Row], t: datetime, start: datetime, end: datetime
    ) -> bool | None:
        """t − baseline ──[ mean before )── t ── gap ──[ mean after )── label_end."""

        def mean_of(first: datetime, last: datetime) -> float | None:
            rows = [row for row in known if happened_in(row, first, last)]
            return mean([row[event.of] for row in rows if row[event.of] is not None])

        before, after = mean_of(t - timedelta(days=event.baseline), t), mean_of(start, end)
        if before is None or after is None or before <= 0:
            return None
        return after < event.below * before
