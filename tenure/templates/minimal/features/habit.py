"""How often the customer uses the accounts."""

from tenure import Aggregate, FeatureView, days

habits = FeatureView(
    "habits",
    source="transactions",
    features=[Aggregate("use", how=("count", "days_since_last"), windows=days(30, 90), doc="Transactions")],
)
