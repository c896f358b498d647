"""Signs: who shows at t what the churn event looks for, asked of the days before t in what was known then.

                       t − days                t
 ──────────────────────[ ··· the event? ······· )┊        known_time < t, as of features
                                                 ┊[ ······ the event? ······ )   the label, of the days after

Whoever shows the sign is easy to find without a model: what a model is worth shows among those who do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from tenure.define.churn import ChurnDefinition
from tenure.define.dialect import Dialect
from tenure.define.event_base import Sign, sources_of
from tenure.define.project import Project
from tenure.sql.expressions import each_of, equal
from tenure.sql.query import Column, Cte, Join, Query, Select
from tenure.tables.labels import DATES, Question, event_sql
from tenure.tables.visible import dates_relation


def sign_then(project: Project, churn: ChurnDefinition, sign: Sign, dialect: Dialect, dates: Sequence[date]) -> Select:
    """Return one row per row of split test: keys, snapshot_date and `shows`, null where it can't be measured.

    `sign` is one of those of `churn`, `dates` are the test snapshots.
    The SQL is that of the event's labels, with another span and answering day.
    """
    keys = project.entity.keys
    event = event_sql(Question(project, churn, dialect), sign.event)
    spans = [(day, *_asked_before(day, sign.days)) for day in dates]
    asked = Query(
        columns=[*each_of("s", (*keys, "snapshot_date")), *each_of("d", ("label_start", "label_end"))],
        source="splits",
        alias="s",
        joins=[Join("dates", alias="d", on=equal("d.snapshot_date", "s.snapshot_date"))],
        where="s.split = 'test'",
    )
    made = Query(
        ctes=[
            Cte("dates", "test snapshots, each with the days before it", dates_relation(DATES, spans)),
            Cte("eligible", "the rows of the test", asked),
            *event.ctes,
        ],
        columns=each_of("e", (*keys, "snapshot_date")),
        lines=[Column(event.happens, "shows")],
        source="eligible",
        alias="e",
        joins=event.joins,
    )
    return made.as_table("sign_then", reads=["splits", *sources_of(sign.event.rows)])


def _asked_before(day: date, days: int) -> tuple[date, date, date, date]:
    """Where the event's `t`, horizon, horizon's end and answer lie if it is asked of the days before a snapshot."""
    start = day - timedelta(days=days)
    return start, start, day, day
