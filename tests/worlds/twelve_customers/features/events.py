from tenure import Aggregate, FeatureView, Ratio, Trend, days, months
from tenure.define.window import Window

paid = FeatureView(
    "paid",
    source="payments",
    features=[
        Aggregate("payments", how="count", windows=days(30, 90), doc="Payments"),
        Aggregate("amount", of="amount", how="sum", windows=days(30, 90), unit="USD", doc="Money moved"),
        Aggregate(
            "amount",
            of="amount",
            how=("mean", "min", "max", "std"),
            windows=days(90),
            unit="USD",
            doc="Money a payment",
        ),
        Aggregate(
            "spent",
            of="amount",
            how="sum",
            where="direction = 'out'",
            windows=days(90),
            unit="USD",
            doc="Money out",
        ),
        Aggregate("payment", how="days_since_last", doc="Payment"),
        Ratio(
            "spent_to_amount",
            of="spent_sum",
            to="amount_sum",
            windows=days(90),
            doc="Money out of all money moved",
        ),
        Trend("payments_count", short=Window(30), long=Window(90), doc="Payments a day"),
    ],
)

logged_in = FeatureView(
    "logged_in",
    source="logins",
    features=[Aggregate("login", how=("count", "days_since_last"), windows=days(30), doc="Logins")],
)

held = FeatureView(
    "held",
    source="products",
    features=[
        Aggregate("products", how="count", doc="Products held"),
        Aggregate("credit_limit", of="credit_limit", how="mean", unit="USD", doc="Credit limit of a product"),
    ],
)

paid_in_order = FeatureView(
    "paid_in_order",
    source="payments",
    features=[
        Aggregate("amount", of="amount", how=("first", "last"), windows=days(90), unit="USD", doc="Money of a payment"),
        Aggregate("payments", how="count", windows=months(1, 12), doc="Payments of months"),
        Aggregate("payments", how="active_days", windows=days(30, 90), doc="Payments"),
    ],
)
