"""What else the customer holds."""

from tenure import Aggregate, FeatureView

borrowed = FeatureView(
    "borrowed",
    source="loans",
    features=[
        Aggregate("loans", how="count", doc="Loans granted"),
        Aggregate("loan_amount", of="amount", how="sum", unit="CZK", doc="Amount of loans granted"),
        Aggregate("loan_payment", of="payment", how="sum", unit="CZK", doc="Monthly payments of loans granted"),
    ],
)

held = FeatureView(
    "held",
    source="cards",
    features=[Aggregate("cards", how="count", doc="Cards issued")],
)
