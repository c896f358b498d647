from tenure import Aggregate, Attribute, FeatureView, Ratio, Trend, days
from tenure.define.feature import Window

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
