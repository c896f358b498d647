"""Customers who objected: how many of the list are customers."""

from __future__ import annotations

from tenure.define.project import Project
from tenure.sql.query import Join, Query, Select, within_parentheses
from tenure.tables.labels import SUPPRESSED
from tenure.tables.visible import same


def suppressed_customers(project: Project) -> Select:
    """Return one row: `customers`, how many of the list the bank has, or had."""
    keys, source = project.entity.keys, project.entity.source
    known = Query(distinct=True, columns=list(keys), source=source)
    made = Query(
        columns=["COUNT(*) AS customers"],
        source=SUPPRESSED,
        alias="x",
        joins=[Join(within_parentheses(known.text), alias="c", on=same(keys, "c", "x"))],
    )
    return made.as_table("suppressed_customers", reads=[SUPPRESSED, source])
