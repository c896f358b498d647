"""Snapshots: who is a customer at each date.

  opened          t                        closed
────┊─────────────┊───────────────────────────┊───►     a customer at t: opened < t, not closed before t
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tenure.define.project import Project
from tenure.sql import Dialect, Select, op, with_ctes
from tenure.tables.visible import dates_relation, qualified, visible_at


def snapshots(project: Project, dialect: Dialect, dates: Sequence[date]) -> Select:
    """Return one row per (customer, snapshot_date): opened_on (DATE) and tenure_days (whole days, 0 or more)."""
    source = project.sources[project.entity.source]
    keys = project.entity.keys
    not_closed = f"\n  AND (r.{source.ends} IS NULL OR r.{source.ends} >= d.t)" if source.ends else ""
    then = (
        f"SELECT {qualified(keys, 'r')}, d.snapshot_date, CAST(r.event_time AS DATE) AS opened_on\n"
        f"FROM {source.name} AS r\nJOIN dates AS d\n  ON {visible_at('d.t')}\n"
        f"WHERE r.event_time < d.t{not_closed}"
    )
    ctes = [
        (
            "dates",
            "snapshot dates and the instant each begins",
            dates_relation(("snapshot_date", "t"), [(d, d) for d in dates]),
        ),
        ("customers_then", "customers as known before t: opened before it, not closed before it", then),
    ]
    tenure = op("days_between", dialect, "opened_on", "snapshot_date")
    final = (
        f"SELECT {', '.join(keys)}, snapshot_date, opened_on, {tenure} AS tenure_days\n"
        f"FROM customers_then\nORDER BY snapshot_date, {', '.join(keys)}"
    )
    return Select("snapshots", with_ctes(ctes, final), (source.name,))
