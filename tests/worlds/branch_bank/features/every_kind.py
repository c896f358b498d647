from tenure import Aggregate, Attribute, DatePart, FeatureView, Ratio, Trend, days, months
from tenure.define.window import Window

described = FeatureView(
    "described",
    source="clients",
    features=[
        Attribute("segment", of="segment", doc="Segment"),
        Attribute("income", of="income", unit="USD", doc="Income"),
        Attribute("is_staff", of="is_staff", doc="Works for the bank"),
        Attribute("age", of="birth_date", how="years_since", unit="years", doc="Age"),
        Attribute("review_age", of="reviewed_at", how="days_since", unit="days", doc="Days since the review"),
        Attribute("review_years", of="reviewed_at", how="years_since", unit="years", doc="Years since it"),
        Attribute("to_review_day", of="reviewed_at", how="days_to_anniversary", unit="days", doc="Days to its day"),
        DatePart("month_of_snapshot", how="month_of_year", doc="Month of the snapshot"),
    ],
)

EVERY = ("count", "sum", "mean", "min", "max", "std")
moved = FeatureView(
    "moved",
    source="moves",
    features=[
        Aggregate("moves", how="count", windows=days(7, 30, 90), doc="Moves"),
        Aggregate("amount", of="amount", how=EVERY, windows=days(7, 30, 90), unit="USD", doc="Money moved"),
        Aggregate("items", of="items", how=EVERY, windows=days(30), doc="Items of a move"),
        Aggregate("rate", of="rate", how=EVERY, windows=days(30, 90), doc="Rate of a move"),
        Aggregate(
            "online_amount",
            of="amount",
            how=(*EVERY, "days_since_last"),
            where="channel = 'online' AND amount > 0",
            windows=days(30, 90),
            unit="USD",
            doc="Money moved online",
        ),
        Aggregate("move", how="days_since_last", doc="Move"),
        Aggregate("branch_move", how="days_since_last", where="channel <> 'online'", doc="Move at a branch"),
        Ratio("online", of="online_amount_sum", to="amount_sum", windows=days(30, 90), doc="Online share"),
        Trend("moves_count", short=Window(7), long=Window(30), doc="Moves a day"),
        Trend("amount_sum", short=Window(30), long=Window(90), doc="Money a day"),
        Trend("rate_mean", short=Window(30), long=Window(90), doc="Rate"),
    ],
)

held = FeatureView(
    "held",
    source="holdings",
    features=[
        Aggregate("holdings", how=("count", "days_since_last"), doc="Holdings"),
        Aggregate("worth", of="worth", how=EVERY, unit="USD", doc="What a holding is worth"),
        Aggregate("large_holdings", how="count", where="worth >= 500", doc="Large holdings"),
        Aggregate("new_holdings", how="count", windows=days(30), doc="Holdings begun"),
        Ratio("large_holdings", of="large_holdings_count", to="holdings_count", doc="Large of all holdings"),
    ],
)

QUANTILES = ("median", "p10", "p25", "p75", "p90")
CHANNELS = ("branch", "online")
BOTH = (*days(7, 90), *months(1, 3))

recently_described = FeatureView(
    "recently_described",
    source="clients",
    ttl=40,
    features=[
        Attribute("fresh_segment", of="segment", doc="Segment, if it was told lately"),
        Attribute("income_is_known", of="income", how="is_known", doc="The income is known, and lately"),
        Attribute("fresh_age", of="birth_date", how="years_since", unit="years", doc="Age, if told lately"),
        Attribute(
            "to_fresh_day", of="reviewed_at", how="days_to_anniversary", unit="days", doc="Days to its day, if so"
        ),
    ],
)

moved_otherwise = FeatureView(
    "moved_otherwise",
    source="moves",
    features=[
        Aggregate(
            "size",
            of="amount",
            how=(*EVERY, "slope", *QUANTILES, "first", "last", "distinct_count", "active_days", "days_since_first"),
            windows=BOTH,
            unit="USD",
            doc="Money moved",
        ),
        Aggregate(
            "pace", of="rate", how=(*EVERY, "slope", *QUANTILES, "first", "last"), windows=BOTH, doc="Rate of a move"
        ),
        Aggregate("pieces", of="items", how=("first", "last", "p90", "distinct_count"), windows=BOTH, doc="Items"),
        Aggregate(
            "way",
            of="channel",
            how=("mode", "entropy", "first", "last", "distinct_count", "count"),
            values=CHANNELS,
            windows=BOTH,
            doc="Channel",
        ),
        Aggregate(
            "one_way", of="channel", how=("mode", "entropy"), values=("online",), windows=days(90), doc="Channel"
        ),
        Aggregate(
            "moved",
            of="amount",
            how=("count", "sum", "median", "slope", "active_days", "days_since_last"),
            by="channel",
            values=CHANNELS,
            where="amount > 0",
            windows=(*days(30), *months(1)),
            doc="Money moved",
        ),
        Aggregate("moving", how=("streak", "active_days", "count"), windows=months(1, 3, 6), doc="Moves"),
        Aggregate("online_moving", how="streak", where="channel = 'online'", windows=months(6), doc="Moves online"),
        Ratio("online_size", of="moved_online_sum", to="size_sum", windows=months(1), doc="Online share"),
        Trend("size_sum", short=Window(1, "m"), long=Window(3, "m"), doc="Money a month"),
        Trend("size_median", short=Window(7), long=Window(90), doc="Usual size"),
    ],
)

held_otherwise = FeatureView(
    "held_otherwise",
    source="holdings",
    features=[
        Aggregate("worths", of="worth", how="distinct_count", unit="USD", doc="What a holding is worth"),
        Aggregate(
            "begun", of="worth", how=("last", "distinct_count", "days_since_first"), windows=days(90), doc="Worth"
        ),
    ],
)
