"""Columns: the expressions of single feature columns over what was measured of a customer at a snapshot."""

from __future__ import annotations

from collections.abc import Callable

from tenure.define.aggregates import KINDS
from tenure.define.feature import Attribute, Ratio, Trend
from tenure.define.project import Project
from tenure.define.shape import ByKind
from tenure.define.source import Source
from tenure.define.window import ColumnName, Window
from tenure.errors import InvalidDefinition
from tenure.sql import Dialect, op
from tenure.tables.finish import finite_or_null


def reading(source: Source, attribute: Attribute, relation: str, dialect: Dialect, t: str = "s.snapshot_date") -> str:
    """Return an attribute's expression over the customer's row in `relation`, as of the day `t`."""
    value, day = f"{relation}.{attribute.of}", f"CAST({relation}.{attribute.of} AS DATE)"
    if attribute.how == "is_known":
        return f"({value} IS NOT NULL)"
    if attribute.how == "days_since":
        return op("days_between", dialect, day, t)
    if attribute.how == "years_since":
        before_birthday = f"MONTH({t}) * 100 + DAY({t}) < MONTH({day}) * 100 + DAY({day})"
        return f"CAST(YEAR({t}) - YEAR({day}) - CASE WHEN {before_birthday} THEN 1 ELSE 0 END AS BIGINT)"
    if attribute.how != "value":
        raise InvalidDefinition(f"attribute '{attribute.name}' has how='{attribute.how}', which nothing reads.")
    return f"CAST({value} AS DOUBLE)" if source.column(attribute.of).type == "decimal" else value


def history_share(window: Window, dialect: Dialect) -> str:
    """Tells 'too young for the window' from 'no activity in it'."""
    span = op("days_between", dialect, f"s.start_{window}", "s.snapshot_date")
    return f"CAST(LEAST({span}, s.tenure_days) AS DOUBLE) / {span}"


def compared(project: Project, dialect: Dialect) -> dict[ColumnName, str]:
    """Return the expressions of ratios and trends over the measured columns."""
    expressions: dict[ColumnName, str] = {}
    floats = _of_floats(project)
    for view in project.views.values():
        for feature, name, (top, bottom) in view.comparisons:
            quotient = _COMPARED.of(feature)(top, bottom)
            # Counts, decimals and integers are never so large, nor so small, that their quotient is infinite.
            expressions[name] = finite_or_null(f"({quotient})", dialect) if floats & {top, bottom} else quotient
    return expressions


_COMPARED: ByKind[Callable[[ColumnName, ColumnName], str]] = ByKind(
    "comparison",
    {
        Ratio: lambda top, bottom: f"CAST({top} AS DOUBLE) / NULLIF(CAST({bottom} AS DOUBLE), 0)",
        Trend: lambda short, long: f"{_per_day(short)} / NULLIF({_per_day(long)}, 0)",
    },
)


def _of_floats(project: Project) -> set[ColumnName]:
    """The columns of aggregates that read a column of floats."""
    return {
        name
        for view in project.views.values()
        for feature in view.aggregates
        if feature.of and project.sources[view.source].column(feature.of).type == "float"
        for name in feature.columns
    }


def _per_day(name: ColumnName) -> str:
    per = f" / {name.window.length}" if name.window and KINDS[name.aggregate].grows else ""
    return f"(CAST({name} AS DOUBLE){per})"
