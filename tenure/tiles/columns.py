"""Columns: the expressions of single feature columns over what was measured of a customer at a snapshot."""

from __future__ import annotations

from collections.abc import Callable

from tenure.define.aggregates import KINDS
from tenure.define.dialect import Dialect
from tenure.define.feature import Attribute, DatePart, Ratio, Trend
from tenure.define.project import Project
from tenure.define.shape import ByKind
from tenure.define.source import Source
from tenure.define.window import ColumnName, Window
from tenure.errors import InvalidDefinition
from tenure.sql.arithmetic import Number
from tenure.sql.dialects import op
from tenure.sql.expressions import before, call, case, cast, grouped, is_not_null, null_if, of
from tenure.tables.finish import finite_or_null, nearest
from tenure.tiles.grid import start_column


def reading(source: Source, attribute: Attribute, relation: str, dialect: Dialect, t: str = "s.snapshot_date") -> str:
    """Return an attribute's expression over the customer's row in `relation`, as of the day `t`."""
    value = of(relation, attribute.of)
    day = cast(value, "DATE")
    if attribute.how == "is_known":
        return grouped(is_not_null(value))
    if attribute.how == "days_since":
        return op("days_between", dialect, day, t)
    if attribute.how == "days_to_anniversary":
        return op("days_between", dialect, t, _next_anniversary(day, t, dialect))
    if attribute.how == "years_since":
        had_no_birthday = case(when=before(_day_of_year(t), _day_of_year(day)), then=1, otherwise=0)
        return cast(_part("YEAR", t) - _part("YEAR", day) - had_no_birthday, "BIGINT")
    if attribute.how != "value":
        raise InvalidDefinition(f"attribute '{attribute.name}' has how='{attribute.how}', which nothing reads.")
    type_ = source.column(attribute.of).value_type
    return nearest(value, type_, dialect) if type_.is_decimal else value


def date_part(part: DatePart, t: str = "s.snapshot_date") -> str:
    """Return a part of the day `t`."""
    return cast(call(_DATE_PARTS[part.how], t), "BIGINT")


#: The function of both engines that gives a part of a date.
_DATE_PARTS = {"month_of_year": "MONTH"}


def _next_anniversary(day: str, t: str, dialect: Dialect) -> str:
    """The first day from t on that has the month and the day of `day`."""
    month_and_day = (call("MONTH", day), call("DAY", day))
    this_year = op("day_of", dialect, call("YEAR", t), *month_and_day)
    next_year = op("day_of", dialect, _part("YEAR", t) + 1, *month_and_day)
    return case(when=before(this_year, t), then=next_year, otherwise=this_year)


def _part(name: str, day: str) -> Number:
    return Number(call(name, day))


def _day_of_year(day: str) -> str:
    """Month and day as one number that grows through the year."""
    return str(_part("MONTH", day) * 100 + _part("DAY", day))


def history_share(window: Window, dialect: Dialect) -> str:
    """Return the share of a window since the customer opened: 'too young' is no 'no activity'."""
    span = op("days_between", dialect, of("s", start_column(window)), "s.snapshot_date")
    return str(Number(cast(call("LEAST", span, "s.tenure_days"), "DOUBLE")) / span)


def compared(project: Project, dialect: Dialect) -> dict[ColumnName, str]:
    """Return the expressions of ratios and trends over the measured columns."""
    expressions: dict[ColumnName, str] = {}
    floats = _of_floats(project)
    for view in project.views.values():
        for feature, name, (top, bottom) in view.comparisons:
            quotient = _COMPARED.of(feature)(top, bottom)
            # Counts, decimals and integers are never so large, nor so small, that their quotient is infinite.
            expressions[name] = finite_or_null(grouped(quotient), dialect) if floats & {top, bottom} else quotient
    return expressions


_COMPARED: ByKind[Callable[[ColumnName, ColumnName], str]] = ByKind(
    "comparison",
    {
        Ratio: lambda top, bottom: _quotient(_as_double(top), str(_as_double(bottom))),
        Trend: lambda short, long: _quotient(_per_day(short), str(_per_day(long))),
    },
)


def _quotient(top: Number, bottom: str) -> str:
    """A quotient, null where the bottom is 0."""
    return str(top / null_if(bottom, 0))


def _as_double(name: ColumnName) -> Number:
    return Number(cast(name, "DOUBLE"))


def _of_floats(project: Project) -> set[ColumnName]:
    """The columns of aggregates that read a column of floats."""
    found: set[ColumnName] = set()
    for view in project.views.values():
        source = project.sources[view.source]
        for feature in view.aggregates:
            if feature.of and source.column(feature.of).type == "float":
                found |= feature.columns.keys()
    return found


def _per_day(name: ColumnName) -> Number:
    value = _as_double(name)
    if name.window and KINDS[name.aggregate].grows:
        value = value / name.window.length
    return value.grouped
