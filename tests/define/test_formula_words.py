"""A feature's formula in words and its window as a line: hand-worked, and for every kind of aggregate."""

from __future__ import annotations

import pytest

from tenure import Aggregate, Attribute, Column, Csv, DatePart, FeatureView, Ratio, Source, Trend, days, months
from tenure.define.aggregates import KINDS
from tenure.define.feature import FEATURES
from tenure.define.formula_words import _FORMULAS, drawn_window, formula_words
from tenure.define.window import ColumnName

COLUMNS = [
    Column("id", type="integer", role="key"),
    Column("customer_id", type="integer", role="key"),
    Column("began", type="date", role="time"),
    Column("ended", type="date", role="time"),
    Column("amount", type="decimal"),
    Column("shop"),
]
OPEN = Source("accounts", read=Csv("a.csv"), key="id", event_time="began", ends="ended", columns=COLUMNS)
EVENTS = Source("payments", read=Csv("p.csv"), key="id", event_time="began", columns=COLUMNS)

WITHOUT_AMOUNT = (
    "sum of amount of the rows of payments where amount > 5, event_time in [t − 90d, t), known_time < t; rows "
    "without amount are left out"
)


def said(feature, name, source=EVENTS, ttl=0):
    view = FeatureView("view", source=source.name, features=[feature], ttl=ttl)
    part = next(
        p for p in (feature.simple if isinstance(feature, Aggregate) else [feature]) if name in map(str, p.columns)
    )
    column = ColumnName.parse(name)
    return formula_words(column, part, view, source), drawn_window(column, part, source)


@pytest.mark.parametrize(
    ("feature", "name", "formula", "window"),
    [
        (
            Aggregate("spent", of="amount", how="sum", windows=days(90), where="amount > 5", doc="Spent"),
            "spent_sum_90d",
            WITHOUT_AMOUNT,
            "──[ t − 90d ··················)┊ t",
        ),
        (
            Aggregate("use", how="count", by="shop", values=["a", "b"], windows=months(1), doc="Use"),
            "use_b_count_1m",
            "number of the rows of payments where shop = 'b', event_time in [t − 1m, t), known_time < t",
            "──[ t − 1m ··················)┊ t",
        ),
        (
            Aggregate("use", how="days_since_last", doc="Use"),
            "use_days_since_last",
            "whole days to t since the newest of the rows of payments, event_time < t, known_time < t",
            "[ all history ························)┊ t",
        ),
        (
            Attribute("to_day", of="began", how="days_to_anniversary", doc="Days to it"),
            "to_day",
            "whole days from t to the next anniversary of began, of the newest version of payments known before t",
            "──────── newest version known before t ┊ t",
        ),
        (
            DatePart("month_of_snapshot", how="month_of_year", doc="Month"),
            "month_of_snapshot",
            "month of t, 1 to 12",
            "─────────────────────────────── itself ┊ t",
        ),
        (
            Ratio("big", of="large_count", to="use_count", windows=days(30), doc="Big"),
            "big_ratio_30d",
            "large_count_30d ÷ use_count_30d",
            "──[ t − 30d ··················)┊ t",
        ),
        (
            Trend("use_count", short=days(30)[0], long=days(90)[0], doc="Use"),
            "use_count_30d_over_90d",
            "(use_count_30d ÷ 30) ÷ (use_count_90d ÷ 90)",
            "──[ t − 90d ········[ t − 30d ········)┊ t",
        ),
        (
            Trend("use_mean", short=months(1)[0], long=months(3)[0], doc="Use"),
            "use_mean_1m_over_3m",
            "use_mean_1m ÷ use_mean_3m",
            "──[ t − 3m ········[ t − 1m ········)┊ t",
        ),
    ],
)
def test_a_formula_and_its_window_are_said_exactly(feature, name, formula, window):
    assert said(feature, name) == (formula, window)


def test_open_rows_and_old_versions_are_said():
    open_rows = Aggregate("accounts", how="count", doc="Open accounts")
    assert said(open_rows, "accounts_count", OPEN) == (
        "number of the rows of accounts, open at t, known_time < t",
        "────────── begun, and not ended ───────┊ t",
    )
    assert said(open_rows, "accounts_count")[0].endswith("event_time < t, known_time < t")
    attribute = Attribute("age", of="began", how="years_since", doc="Age")
    formula, _ = said(attribute, "age", ttl=30)
    assert formula == (
        "whole years from began to t, of the newest version of payments known before t; null where that became known "
        "more than 30 days before t"
    )


def test_every_aggregate_and_every_kind_of_feature_has_a_formula():
    assert _FORMULAS.kinds == set(FEATURES)
    formulas = {kind.formula.format(of="x", values="a, b") for kind in KINDS.values()}
    assert len(formulas) == len(KINDS)
    for kind in KINDS.values():
        assert ("{of}" in kind.formula) or not kind.needs_column
