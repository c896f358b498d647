"""What the invoices tell about a customer: how often, how much, how varied, and how late compared with the habit."""

from tenure import Aggregate, Attribute, FeatureView, Ratio, Trend, days

windows = days(30, 60, 90, 180)
month, _, quarter, half_year = windows
bought = "amount > 0"
cancelled = "amount < 0"

relationship = FeatureView(
    "relationship",
    source="customers",
    features=[
        Attribute(
            "customer_age", of="first_invoice", how="days_since", unit="days", doc="Time since the first invoice"
        ),
    ],
)

purchases = FeatureView(
    "purchases",
    source="invoices",
    features=[
        Aggregate("purchase", how=("count", "days_since_last"), windows=windows, where=bought, doc="Purchases"),
        Aggregate("active_days", of="new_day", how="sum", windows=windows, unit="days", doc="Days with a purchase"),
        Aggregate(
            "purchase_amount",
            of="amount",
            how=("sum", "mean", "max", "std"),
            windows=days(30, 90, 180),
            where=bought,
            unit="GBP",
            doc="Amount of purchases",
        ),
        Aggregate("lines", of="line_count", how=("sum", "mean"), windows=days(90), where=bought, doc="Invoice lines"),
        Aggregate("quantity", of="quantity", how="mean", windows=days(90), where=bought, unit="pieces", doc="Pieces"),
        Aggregate("new_products", of="new_products", how="sum", windows=days(30, 90), doc="Products bought anew"),
        Ratio(
            "new_to_lines", of="new_products_sum", to="lines_sum", windows=days(90), doc="Share of lines bought anew"
        ),
        Aggregate("cancelled", how="count", windows=days(90, 180), where=cancelled, doc="Cancelled invoices"),
        Aggregate(
            "cancelled_amount",
            of="amount",
            how="sum",
            windows=days(90, 180),
            where=cancelled,
            unit="GBP",
            doc="Amount cancelled",
        ),
        Ratio(
            "cancelled_to_purchased",
            of="cancelled_amount_sum",
            to="purchase_amount_sum",
            windows=days(90, 180),
            doc="Amount cancelled for amount bought",
        ),
        Trend("purchase_count", short=month, long=quarter, doc="Purchases a day"),
        Trend("purchase_amount_sum", short=quarter, long=half_year, doc="Amount spent a day"),
    ],
)

habit = FeatureView(
    "habit",
    source="invoices",
    features=[
        Aggregate("lifetime_days", of="new_day", how="sum", unit="days", doc="Days with a purchase, ever"),
        Aggregate("lifetime_amount", of="amount", how="sum", unit="GBP", doc="Amount spent, ever"),
        Aggregate("gap", of="gap", how=("mean", "max", "std"), unit="days", doc="Days between purchases"),
        Ratio("wait_to_gap", of="purchase_days_since_last", to="gap_mean", doc="Days waited for the usual gap"),
        Ratio(
            "wait_to_longest_gap", of="purchase_days_since_last", to="gap_max", doc="Days waited for the longest gap"
        ),
        Aggregate("abroad", how="count", where="country <> 'United Kingdom'", doc="Invoices from abroad"),
    ],
)
