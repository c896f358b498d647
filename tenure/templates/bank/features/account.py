"""What the customer holds: accounts open at the snapshot."""

from tenure import Aggregate, FeatureView

accounts = FeatureView(
    "accounts",
    source="accounts",
    features=[
        Aggregate("accounts", how="count", doc="Open accounts"),
        Aggregate("savings_accounts", how="count", where="product = 'savings'", doc="Open savings accounts"),
        Aggregate("credit_cards", how="count", where="product = 'credit_card'", doc="Open credit cards"),
        Aggregate("overdraft_limit", of="overdraft_limit", how="sum", unit="USD", doc="Overdraft limit"),
        Aggregate(
            "savings_rate", of="interest_rate", how="max", where="product = 'savings'", doc="Yearly interest on savings"
        ),
        Aggregate("account_opening", how="days_since_last", doc="Account openings"),
    ],
)
