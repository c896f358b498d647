"""Training set: each labelled row with its split and everything known before its snapshot."""

from __future__ import annotations

from tenure.define.project import Project
from tenure.sql import Select
from tenure.tables.visible import same


def training_set(project: Project) -> Select:
    """Return one row per row of labels: keys, snapshot_date, label_end, split, seen_in_train, churned, features."""
    keys = project.entity.keys
    row = (*keys, "snapshot_date")
    columns = [f"l.{c}" for c in (*row, "label_end")] + ["p.split", "p.seen_in_train", "l.churned"]
    columns += [f"f.{name}" for name in project.columns]
    text = (
        "-- each labelled row with its split and its features\n"
        f"SELECT\n    {(',' + chr(10) + '    ').join(columns)}\nFROM labels AS l\n"
        f"JOIN splits AS p\n  ON {same(row, 'p', 'l')}\nJOIN features AS f\n  ON {same(row, 'f', 'l')}\n"
        f"ORDER BY l.snapshot_date, {', '.join(f'l.{k}' for k in keys)}"
    )
    return Select("training_set", text, ("labels", "splits", "features"))
