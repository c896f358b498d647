"""Staging of raw rows in plain Python, beside the product's oracle of snapshots, features and labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from tenure.define.source import Source
from tenure.proofs.oracle.labels import LabelOracle
from tenure.proofs.oracle.rules import Row, grouped, instant, key_of, visible, whole_days


def staged(source: Source, typed_rows: Iterable[Row]) -> list[Row]:
    """Each row once, with when it happened, when it was first known and until when it was the newest version.

    known_time of a version ── known_until = known_time of the next version of the same key
    """
    once = {key_of(row, [c.name for c in source.columns]): row for row in typed_rows}
    rows = [dict(row) for row in once.values()]
    for row in rows:
        row["event_time"] = instant(row[source.event_time])
        known = instant(row[source.known_time or source.event_time])
        if source.known_by_day:
            known += timedelta(days=1, microseconds=-1)
        row["known_time"] = known if source.known_time else known + timedelta(days=source.arrival_delay)
    versions = grouped(rows, source.keys)
    for row in rows:
        later = [r["known_time"] for r in versions[key_of(row, source.keys)] if r["known_time"] > row["known_time"]]
        row["known_until"] = min(later, default=None)
    return rows


@dataclass(frozen=True, kw_only=True)
class Oracle(LabelOracle):
    """The product's oracle, with features at any instant."""

    def features_at(self, asked: Row) -> Row:
        """The features of any customer, also of none, at any instant: `asked` has the key and, as snapshot_date, t."""
        source, t = self.project.sources[self.project.entity.source], instant(asked["snapshot_date"])
        known = [row for row in self.own_rows(source.name, asked) if visible(row, t) and row["event_time"] < t]
        return self._features_of(asked | {"tenure_days": whole_days(known[0]["event_time"], t) if known else 0})
