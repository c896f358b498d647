"""Who has no label, and why: snapshots without an answer, and customers who ended in a way that is no leaving.

reason                                   customers
the horizon ends after the data          all at the snapshot
no row of payments came from … to …      all at the snapshot
ended otherwise: deceased                those of whom the question would else be asked
"""

from __future__ import annotations

from collections.abc import Sequence

from tenure.define.churn import ENDED, ChurnDefinition
from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.sql.dialects import as_text, date_literal, literal
from tenure.sql.expressions import concatenated, named, text_literal
from tenure.sql.query import Cte, Join, Query, Select, union_all, values, with_ctes
from tenure.tables.label_spans import LabelSpan
from tenure.tables.labels import Question, asked_of, ended_otherwise


def unlabelled(project: Project, churn: ChurnDefinition, dialect: Dialect, spans: Sequence[LabelSpan]) -> Select:
    """Return a row per snapshot and reason: snapshot_date, reason and how many customers have no label for it.

    `spans` are those of all snapshots.
    """
    ctes, parts = [], []
    lost = [(date_literal(span.snapshot_date), literal(span.lost, dialect)) for span in spans if span.lost]
    reads = ["snapshots"]
    if lost:
        given = Query(columns=["snapshot_date", "reason"], source=values(lost), alias="lost (snapshot_date, reason)")
        ctes.append(Cte("without_answer", "snapshots whose labels have no answer, and why", given))
        parts.append(
            Query(
                columns=["s.snapshot_date", "w.reason", "COUNT(*) AS customers"],
                source="snapshots",
                alias="s",
                joins=[Join("without_answer", alias="w", on="w.snapshot_date = s.snapshot_date")],
                group_by=["s.snapshot_date", "w.reason"],
            )
        )
    answered = [span for span in spans if not span.lost]
    if churn.ends_counted and answered:
        ctes += ended_otherwise(Question(project, churn, dialect), answered)
        reason = concatenated([text_literal(ENDED), "end_reason"])
        parts.append(
            Query(
                columns=["snapshot_date", named(reason, "reason"), "COUNT(*) AS customers"],
                source="ended_otherwise",
                group_by=["snapshot_date", "end_reason"],
            )
        )
        reads += [*asked_of(project), *(rows.source for rows in churn.rows if rows.before_snapshot)]
    if not parts:
        columns = ["snapshot_date", named(as_text("NULL", dialect), "reason"), "COUNT(*) AS customers"]
        parts.append(Query(columns=columns, source="snapshots", where="FALSE", group_by=["snapshot_date"]))
    counted = union_all(parts)
    text = with_ctes(ctes, counted) if ctes else counted
    return Select("unlabelled", text, tuple(dict.fromkeys(reads)))
