"""Training set: each labelled row with its split and everything known before its snapshot."""

from __future__ import annotations

from tenure.define.project import Project
from tenure.sql.expressions import each_of
from tenure.sql.query import Join, Query, Select
from tenure.tables.visible import same


def training_set(project: Project) -> Select:
    """Return one row per row of labels, in order.

    Its keys, snapshot_date, label_end, split, fold, seen_in_train, churned, and the features.
    """
    keys = project.entity.keys
    row = (*keys, "snapshot_date")
    labelled = Query(
        comment="each labelled row with its split and its features",
        lines=[
            *each_of("l", (*row, "label_end")),
            *each_of("p", ("split", "fold", "seen_in_train")),
            "l.churned",
            *each_of("f", map(str, project.columns)),
        ],
        source="labels",
        alias="l",
        joins=[
            Join("splits", alias="p", on=same(row, "p", "l")),
            Join("features", alias="f", on=same(row, "f", "l")),
        ],
        order_by=each_of("l", ("snapshot_date", *keys)),
    )
    return labelled.as_table("training_set", reads=["labels", "splits", "features"])
