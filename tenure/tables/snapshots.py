"""Snapshots: who is a customer at each date.

  opened          t                        closed
────┊─────────────┊───────────────────────────┊───►     a customer at t: opened < t, not closed before t
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.sql.dialects import op
from tenure.sql.expressions import any_of, at_least, cast, each_of, is_null, named, of
from tenure.sql.query import Cte, Join, Query, Select
from tenure.tables.visible import dates_relation, visible_at


def snapshots(project: Project, dialect: Dialect, dates: Sequence[date]) -> Select:
    """Return one row per (customer, snapshot_date): opened_on (DATE) and tenure_days (whole days, 0 or more)."""
    customers, keys = project.sources[project.entity.source], project.entity.keys
    ends = of("r", customers.ends)
    not_closed = [any_of(is_null(ends), at_least(ends, "d.t"))] if customers.ends else []
    customers_then = Query(
        columns=[*each_of("r", keys), "d.snapshot_date", named(cast("r.event_time", "DATE"), "opened_on")],
        source=customers.name,
        alias="r",
        joins=[Join("dates", alias="d", on=visible_at("d.t"))],
        where=["r.event_time < d.t", *not_closed],
    )
    tenure_days = op("days_between", dialect, "opened_on", "snapshot_date")
    made = Query(
        ctes=[
            Cte(
                "dates",
                "snapshot dates and the instant each begins",
                dates_relation(("snapshot_date", "t"), [(day, day) for day in dates]),
            ),
            Cte(
                "customers_then", "customers as known before t: opened before it, not closed before it", customers_then
            ),
        ],
        columns=[*keys, "snapshot_date", "opened_on", named(tenure_days, "tenure_days")],
        source="customers_then",
        order_by=["snapshot_date", *keys],
    )
    return made.as_table("snapshots", reads=[customers.name])
