"""What the invoices tell about a customer."""

from tenure import Aggregate, Attribute, FeatureView, Ratio, Trend, days

windows = days(30, 60, 90, 180)

relationship = FeatureView(
    "relationship",
    source="customers",
    features=[
        Attribute("customer_age_days", of="first_invoice", how="days_since", unit="days", doc="Days since the first invoice"),
    ],
)

purchases = FeatureView(
    "purchases",
    source="invoices",
    features=[
        Aggregate("purchase", how=("count", "days_since_last"), windows=windows, where="amount > 0", doc="Purchases"),
        Aggregate(
            "purchase_amount",
            of="amount",
            how=("sum", "mean", "max", "std"),
            windows=windows,
            where="amount > 0",
            unit="GBP",
            doc="Amount of purchases",
        ),
        Aggregate("purchase_lines", of="line_count", how="mean", windows=windows, where="amount > 0", doc="Lines an invoice"),
        Aggregate("purchase_lifetime", how="count", where="amount > 0", doc="Purchases ever"),
        Aggregate("spent_lifetime", of="amount", how="sum", unit="GBP", doc="Amount ever spent"),
        Aggregate("cancelled", how="count", windows=days(90, 180), where="amount < 0", doc="Cancelled invoices"),
        Aggregate("cancelled_amount", of="amount", how="sum", windows=days(90, 180), where="amount < 0", unit="GBP", doc="Amount cancelled"),
        Ratio("cancelled_to_purchased", of="cancelled_amount_sum", to="purchase_amount_sum", windows=days(90, 180), doc="Share of purchases cancelled"),
        Trend("purchase_count", short=days(30)[0], long=days(90)[0], doc="Purchases a day"),
        Trend("purchase_amount_sum", short=days(90)[0], long=days(180)[0], doc="Amount spent a day"),
    ],
)
