"""When customers left: the moment of the churn event, of events that happen at one.

  t        gap                    label_end
──┊─────────┊───────────▒──────────────┊───►    the closing; the day on which so many days without a row are complete
"""

from __future__ import annotations

from collections.abc import Sequence

from tenure.define.churn import ChurnDefinition
from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.sql.expressions import case, each_of
from tenure.sql.query import Column, Cte, Query, Select
from tenure.tables.label_spans import LabelSpan
from tenure.tables.labels import Question, asked_ctes, asked_of, dates_of, event_sql


def leaving_moments(
    project: Project, churn: ChurnDefinition, dialect: Dialect, spans: Sequence[LabelSpan]
) -> Select | None:
    """Return one row per labelled row that churned: keys, snapshot_date and `left_at`, the moment of the event.

    None for an event that has no moment, such as a fall of a mean over the horizon. `spans` are those of the snapshots.
    """
    question = Question(project, churn, dialect)
    event = event_sql(question, churn.event)
    if not event.moment:
        return None
    made = Query(
        ctes=[
            Cte("dates", "snapshots whose horizon ends within the data", dates_of(spans)),
            *asked_ctes(project, churn, dialect),
            *event.ctes,
        ],
        columns=each_of("e", (*project.entity.keys, "snapshot_date")),
        lines=[Column(case(when=event.happens, then=event.moment), "left_at")],
        source="eligible",
        alias="e",
        joins=event.joins,
        where=event.happens,
    )
    return made.as_table("leaving_moments", reads=[*asked_of(project), *churn.reads])
