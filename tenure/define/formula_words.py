"""A feature's formula in words, and its window as a line: what a data dictionary says beside the meaning.

debit_amount_sum_90d     sum of amount of the rows of transactions where direction = 'debit', event_time in [t − 90d, t)
                         ──[ t − 90d ··················)┊ t
"""

from __future__ import annotations

from collections.abc import Callable

from tenure.define.aggregates import KINDS, DaysSince
from tenure.define.feature import Aggregate, Attribute, DatePart, Feature, FeatureView, Ratio, Trend
from tenure.define.shape import ByKind
from tenure.define.source import Source
from tenure.define.window import ColumnName

_READINGS = {
    "value": "{of}",
    "years_since": "whole years from {of} to t",
    "days_since": "whole days from {of} to t",
    "days_to_anniversary": "whole days from t to the next anniversary of {of}",
    "is_known": "whether {of} is known",
}

_DATE_PARTS = {"month_of_year": "month of t, 1 to 12"}


def formula_words(column: ColumnName, part: Feature, view: FeatureView, source: Source) -> str:
    """Return how a feature column is computed, in words; `part` is its feature without `by`."""
    return _FORMULAS.of(part)(column, part, view, source)


def history_share_words(column: ColumnName) -> str:
    """Return how Tenure's own share of a window is computed, in words."""
    return f"days since opened_on, {column.window} at most, ÷ days of [t − {column.window}, t)"


def _of_attribute(_: ColumnName, part: Attribute, view: FeatureView, source: Source) -> str:
    too_old = f"; null where that became known more than {view.ttl} days before t" if view.ttl else ""
    return f"{_READINGS[part.how].format(of=part.of)}, of the newest version of {source.name} known before t{too_old}"


def _of_date_part(_: ColumnName, part: DatePart, __: FeatureView, ___: Source) -> str:
    return _DATE_PARTS[part.how]


def _of_aggregate(column: ColumnName, part: Aggregate, _: FeatureView, source: Source) -> str:
    kind = KINDS[column.aggregate]
    computed = kind.formula.format(of=part.of, values=", ".join(part.values))
    where = f" where {part.where}" if part.where else ""
    if column.window:
        which = f"event_time in [t − {column.window}, t)"
    elif isinstance(kind.computed, DaysSince):
        which = "event_time < t"
    else:
        which = "open at t" if source.ends else "event_time < t"
    left_out = f"; rows without {part.of} are left out" if part.of else ""
    broken = f"; null where '{part.reconciled}' finds a break before t in an account" if part.reconciled else ""
    return f"{computed} of the rows of {source.name}{where}, {which}, known_time < t{left_out}{broken}"


def _of_ratio(column: ColumnName, part: Ratio, _: FeatureView, __: Source) -> str:
    numerator, denominator = part.parts[column]
    return f"{numerator} ÷ {denominator}"


def _of_trend(column: ColumnName, part: Trend, _: FeatureView, __: Source) -> str:
    short, long = part.parts[column]
    if not KINDS[column.aggregate].grows:
        return f"{short} ÷ {long}"
    return f"({short} ÷ {part.short.length}) ÷ ({long} ÷ {part.long.length})"


_FORMULAS: ByKind[Callable[..., str]] = ByKind(
    "feature",
    {
        Attribute: _of_attribute,
        DatePart: _of_date_part,
        Aggregate: _of_aggregate,
        Ratio: _of_ratio,
        Trend: _of_trend,
    },
)


def drawn_window(column: ColumnName, part: Feature | None, source: Source | None) -> str:
    """Return the span before t that a feature column reads, drawn as a line; `part` is None of Tenure's own."""
    if column.over:
        return f"──[ t − {column.over} ········[ t − {column.window} ········)┊ t"
    if column.window:
        return f"──[ t − {column.window} ··················)┊ t"
    if isinstance(part, DatePart):
        return "─────────────────────────────── itself ┊ t"
    if isinstance(part, Attribute):
        return "──────── newest version known before t ┊ t"
    ends = source is not None and bool(source.ends)
    if ends and not column.aggregate.startswith("days_since"):
        return "────────── begun, and not ended ───────┊ t"
    return "[ all history ························)┊ t"
