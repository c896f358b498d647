"""Features: the grammar of column names, windows, and definitions that can't stand."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure import Aggregate, Attribute, DatePart, FeatureService, FeatureView, Ratio, Trend, days, months
from tenure.define.naming import RESERVED_COLUMNS, RESERVED_WORDS
from tenure.define.window import AGGREGATES, ColumnName, Window
from tenure.errors import InvalidDefinition

HERE = "define/test_feature.py:"
names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True).filter(
    lambda name: name not in RESERVED_WORDS | RESERVED_COLUMNS
)
day_windows = st.builds(Window, st.integers(1, 3660))
windows = day_windows | st.builds(Window, st.integers(1, 120), st.just("m"))
hows = st.sampled_from(["count", "sum", "mean", "min", "max", "std", "distinct_count", "days_since_last"])
pieces = ["", *"a debit sum count days_since_last last ratio over 30d 90d 3m 0d 030d 9999d 999m 1٣d".split()]


@given(names, st.sets(hows, min_size=1), st.lists(windows, max_size=4))
def test_every_name_that_an_aggregate_makes_parses_back(name, hows, windows):
    made = Aggregate(name, of="amount", how=sorted(hows), windows=windows, doc="Money").columns
    assert {ColumnName.parse(str(column)) for column in made} == set(made)
    per_window = len(hows - {"days_since_last"}) * max(1, len(set(windows)))
    assert len({str(column) for column in made}) == per_window + ("days_since_last" in hows)


@given(names, hows.filter(lambda how: how != "days_since_last"), st.sets(day_windows, min_size=2, max_size=2))
def test_every_name_that_a_ratio_or_a_trend_makes_parses_back(name, how, pair):
    short, long = sorted(pair)
    part = f"{name}_{how}"
    trend = Trend(part, short=short, long=long, doc="Money")
    ratio = Ratio(name, of=part, to=part, windows=[short, long], doc="Money")
    assert list(trend.columns) == [ColumnName(name, how, short, long)]
    assert list(ratio.columns) == [ColumnName(name, "ratio", short), ColumnName(name, "ratio", long)]
    for column in [*trend.columns, *ratio.columns]:
        assert ColumnName.parse(str(column)) == column


@given(names)
def test_an_attribute_is_its_own_name_or_refused(name):
    try:
        attribute = Attribute(name, of="region", doc="Region")
    except InvalidDefinition:
        assert name.rsplit("_", 1)[-1] in {*AGGREGATES, "last"} or name[-1] in "dm"
    else:
        assert list(attribute.columns) == [ColumnName(name)]
        assert ColumnName.parse(name) == ColumnName(name)


@given(st.lists(st.sampled_from(pieces), max_size=7).map("_".join) | st.text(max_size=12))
def test_what_parses_prints_as_it_was_written(text):
    try:
        name = ColumnName.parse(text)
    except InvalidDefinition:
        return
    assert str(name) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("region", ColumnName("region")),
        ("debit_amount_sum_90d", ColumnName("debit_amount", "sum", Window(90))),
        ("accounts_count", ColumnName("accounts", "count")),
        ("login_days_since_last", ColumnName("login", "days_since_last")),
        ("fees_to_income_ratio_90d", ColumnName("fees_to_income", "ratio", Window(90))),
        ("debit_amount_sum_30d_over_90d", ColumnName("debit_amount", "sum", Window(30), Window(90))),
        ("sum_count_7d", ColumnName("sum", "count", Window(7))),
        ("history_share_30d", ColumnName("history", "share", Window(30))),
    ],
)
def test_a_name_is_taken_apart(text, name):
    assert ColumnName.parse(text) == name


@pytest.mark.parametrize("text", ["", "amount_30d", "_sum_30d", "sum_30d", "amount_30d_over_90d"])
def test_text_outside_the_grammar_is_refused_with_the_grammar(text):
    with pytest.raises(InvalidDefinition) as caught:
        ColumnName.parse(text)
    assert f"'{text}' is not a feature's name" in caught.value.message
    assert "<subject>_<aggregate>_<window>" in caught.value.message


@given(windows)
def test_a_window_parses_back(window):
    assert Window.parse(str(window)) == window


@pytest.mark.parametrize("length", [0, -1, 3661])
def test_a_window_out_of_range_is_refused(length):
    with pytest.raises(InvalidDefinition) as caught:
        days(30, length)
    assert caught.value.message.startswith(f"a window of {length} days is not allowed ({HERE}")
    assert caught.value.message.endswith("allowed: 1 to 3660.")


def test_windows_come_shortest_first_and_once():
    assert days(90, 7, 30) == (Window(7), Window(30), Window(90))
    aggregate = Aggregate("payments", how="count", windows=days(90, 30, 90), doc="Payments")
    assert [str(column) for column in aggregate.columns] == ["payments_count_30d", "payments_count_90d"]


def test_a_recency_takes_no_window_and_the_rest_of_its_definition_does():
    aggregate = Aggregate("login", how=("count", "days_since_last"), windows=days(30), doc="Logins")
    assert [str(column) for column in aggregate.columns] == ["login_count_30d", "login_days_since_last"]


def aggregate(**settings):
    return lambda: Aggregate("way", of="channel", doc="Channel", **settings)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (aggregate(how="last"), "feature 'way' takes a last over no window"),
        (aggregate(how="streak", windows=days(30)), "feature 'way' counts a streak of months over 30d"),
        (aggregate(how="streak", windows=months(61)), "feature 'way' counts a streak of 61 months"),
        (aggregate(how="mode", windows=days(30)), "feature 'way' takes the mode of 'channel' and lists no values"),
        (aggregate(how="count", by="channel"), "feature 'way' is made by 'channel' and lists no values"),
        (aggregate(how="count", values=("a",)), "feature 'way' lists values that nothing reads"),
        (aggregate(how="count", by="channel", values=("it's",)), "feature 'way' lists the value \"it's\""),
        (aggregate(how="mode", values=("other",), windows=days(30)), "feature 'way' lists the value 'other'"),
        (aggregate(how="count", by="channel", values=("A b", "a-b")), "lists values that make the same column name"),
        (
            lambda: Trend("way_count", short=Window(1, "m"), long=Window(90), doc="x"),
            "trend of 'way_count' compares 1m with 90d",
        ),
        (
            lambda: FeatureView("v", source="s", ttl=3, features=[Aggregate("way", how="count", doc="x")]),
            "feature view 'v' has ttl=3",
        ),
        (lambda: FeatureService("s", features=[]), "feature service 's' has no features"),
        (lambda: Window(1, "w"), "a window can't be in 'w'"),
        (lambda: months(121), "a window of 121 months is not allowed"),
    ],
)
def test_what_an_aggregate_needs_is_told(make, told):
    with pytest.raises(InvalidDefinition) as caught:
        make()
    assert told in caught.value.message
    assert HERE in caught.value.message


def test_by_makes_the_columns_of_every_value():
    spent = Aggregate("spent", of="amount", how=("sum", "count"), by="kind", values=("Cash", "e-pay"), doc="Spent")
    assert [str(name) for name in spent.columns] == [
        "spent_cash_sum",
        "spent_cash_count",
        "spent_e_pay_sum",
        "spent_e_pay_count",
    ]
    assert [part.where for part in spent.simple] == ["kind = 'Cash'", "kind = 'e-pay'"]
    narrowed = Aggregate("spent", how="count", by="kind", values=("cash",), where="amount > 0", doc="Spent")
    assert [part.where for part in narrowed.simple] == ["(amount > 0) AND kind = 'cash'"]


@pytest.mark.parametrize(
    ("t", "length", "start"),
    [
        (date(2024, 3, 31), 1, date(2024, 2, 29)),
        (date(2024, 2, 29), 1, date(2024, 1, 31)),
        (date(2024, 2, 29), 12, date(2023, 2, 28)),
        (date(2023, 2, 28), 12, date(2022, 2, 28)),
        (date(2023, 2, 28), 24, date(2021, 2, 28)),
        (date(2024, 3, 30), 1, date(2024, 2, 29)),
        (date(2024, 1, 15), 13, date(2022, 12, 15)),
    ],
)
def test_months_end_where_months_end(t, length, start):
    assert Window(length, "m").start(t) == start


@given(st.dates(date(1950, 1, 1), date(2090, 1, 1)), windows)
def test_a_window_never_spans_more_than_it_says(t, window):
    assert 0 < (t - window.start(t)).days <= window.most_days


def test_columns_say_what_they_read_and_what_nothing_gives():
    made = Aggregate("amount", of="amount", how=("sum", "max"), windows=months(3), unit="USD", doc="Money").columns
    assert [(d.boundary, d.empty) for d in made.values()] == [
        ("event_time in [t − 3m, t), known_time < t", "0 where there are none"),
        ("event_time in [t − 3m, t), known_time < t", "null where there are none"),
    ]


def test_columns_are_described_in_words_with_their_unit():
    amount = Aggregate("amount", of="amount", how=("sum", "count"), windows=days(30), unit="USD", doc="Money out")
    told = {str(name): (d.text, d.unit) for name, d in amount.columns.items()}
    assert told == {
        "amount_sum_30d": ("Money out, total over the 30 days before", "USD"),
        "amount_count_30d": ("Money out, count over the 30 days before", ""),
    }


def test_a_feature_view_lists_the_columns_of_its_features_in_order():
    view = FeatureView(
        "paid",
        source="payments",
        features=[
            Aggregate("payments", how="count", doc="Payments"),
            Ratio("spent", of="spent_sum", to="amount_sum", doc="Money out of all"),
        ],
    )
    assert [str(name) for name in view.columns] == ["payments_count", "spent_ratio"]


def made(kind, name, **settings):
    return lambda: kind(name, **settings)


@pytest.mark.parametrize(
    ("make", "fragments"),
    [
        (
            made(Attribute, "region", of="region", how="newest", doc="Region"),
            ["'region'", "how='newest'", "days_since"],
        ),
        (made(Attribute, "region", of="region", doc=" "), ["'region' has an empty doc"]),
        (made(Attribute, "amount_sum", of="region", doc="x"), ["'amount_sum' ends like an aggregate"]),
        (
            made(DatePart, "month_count", how="month_of_year", doc="x"),
            ["date part 'month_count' ends like an aggregate"],
        ),
        (made(DatePart, "season", how="season", doc="x"), ["'season' has how='season'", "allowed: month_of_year"]),
        (made(DatePart, "month_of_t", how="month_of_year", doc=""), ["'month_of_t' has an empty doc"]),
        (made(Attribute, "Region", of="region", doc="x"), ["feature 'Region' is not a name"]),
        (made(Attribute, "select", of="region", doc="x"), ["feature 'select' is a reserved word"]),
        (made(Attribute, "churned", of="region", doc="x"), ["feature 'churned' is a reserved word"]),
        (made(Aggregate, "amount", of="amount", how="middle", doc="x"), ["'amount'", "how='middle'", "count, sum"]),
        (made(Aggregate, "amount", of="amount", how="ratio", doc="x"), ["'amount'", "how='ratio'"]),
        (made(Aggregate, "amount", how="sum", doc="x"), ["feature 'amount' takes a sum of no column"]),
        (made(Aggregate, "amount", of="amount", how="sum", doc=""), ["'amount' has an empty doc"]),
        (
            made(Trend, "amount_sum", short=Window(90), long=Window(30), doc="x"),
            ["trend of 'amount_sum' compares 90d with 30d", "shorter"],
        ),
        (made(Trend, "amount_sum", short=Window(30), long=Window(30), doc="x"), ["compares 30d with 30d"]),
        (made(Ratio, "spent", of="spent_sum", to="amount_sum", doc=""), ["'spent' has an empty doc"]),
    ],
)
def test_a_definition_that_cant_stand_is_refused_where_it_is_made(make, fragments, told):
    with pytest.raises(InvalidDefinition) as caught:
        make()
    told(caught.value, HERE, *fragments)


@pytest.mark.parametrize("part", ["amount", "amount_sum_30d", "amount_30d"])
@pytest.mark.parametrize("side", ["of", "to"])
def test_a_part_of_a_ratio_is_a_subject_and_an_aggregate(part, side):
    parts = {"of": "spent_sum", "to": "amount_sum", side: part}
    with pytest.raises(InvalidDefinition, match=f"'{part}'"):
        _ = Ratio("spent", windows=days(30), doc="Money out of all", **parts).columns


@pytest.mark.parametrize("part", ["amount", "amount_sum_30d"])
def test_a_trend_is_of_a_subject_and_an_aggregate(part):
    with pytest.raises(InvalidDefinition, match=f"'{part}' must be <subject>_<aggregate> without a window"):
        _ = Trend(part, short=Window(30), long=Window(90), doc="Money").columns
