"""The labels once more, beside the product's oracle of snapshots and features; and staging of raw rows, in Python.

Loops over every snapshot date, customer and staged row, so a reader can check each rule by its drawn line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tenure.define.churn import AllOf, AnyOf, BalanceDecline, Closure, Event, Inactivity
from tenure.define.source import Source
from tenure.proofs.oracle import oracle
from tenure.proofs.oracle.rules import (
    Row,
    all_true,
    any_true,
    grouped,
    happened_in,
    instant,
    key_of,
    mean,
    visible,
    whole_days,
)


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


@dataclass(frozen=True, kw_only=True)
class Oracle(oracle.Oracle):
    """The product's oracle, with the labels that can be told before `data_end`."""

    data_end: date

    def features_at(self, asked: Row) -> Row:
        """The features of any customer, also of none, at any instant: `asked` has the key and, as snapshot_date, t."""
        source, t = self.project.sources[self.project.entity.source], instant(asked["snapshot_date"])
        known = [row for row in self._rows_of(source.name, asked) if visible(row, t) and row["event_time"] < t]
        return self._features_of(asked | {"tenure_days": whole_days(known[0]["event_time"], t) if known else 0})

    def labels(self) -> list[Row]:
        """One row per snapshot row whose question has an answer."""
        found = [self._label_of(snapshot) for snapshot in self.snapshots()]
        return [label for label in found if label is not None]

    def _rows_of(self, source: str, snapshot: Row, where: str = "") -> list[Row]:
        return self.own_rows(source, snapshot, where)

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
