"""What the customer holds: accounts open at the snapshot, opened and closed before it, and how each is used."""

from tenure import Aggregate, FeatureView, Ratio, Trend, days, months

PRODUCTS = ("checking", "savings", "credit_card")
MONTH, QUARTER, HALF, YEAR = SPANS = days(30, 90, 180, 365)

accounts = FeatureView(
    "accounts",
    source="accounts",
    features=[
        Aggregate("accounts", how="count", doc="Open accounts"),
        Aggregate("accounts", how="count", by="product", values=PRODUCTS, doc="Open accounts"),
        Aggregate("products", of="product", how="distinct_count", doc="Products held"),
        Aggregate("overdraft_limit", of="overdraft_limit", how=("sum", "max"), unit="USD", doc="Overdraft limit"),
        Aggregate("interest_rate", of="interest_rate", how=("mean", "min", "max"), doc="Yearly interest of accounts"),
        Aggregate(
            "interest_rate",
            of="interest_rate",
            how="max",
            by="product",
            values=PRODUCTS,
            doc="Yearly interest of accounts",
        ),
        Aggregate("account_openings", how="count", windows=(*SPANS, *months(12)), doc="Accounts opened"),
        Aggregate("account_openings", how=("days_since_last", "days_since_first"), doc="Account openings"),
        Aggregate(
            "account_opening", how="days_since_first", by="product", values=PRODUCTS, doc="Account openings by product"
        ),
    ],
)

closings = FeatureView(
    "closings",
    source="account_closings",
    features=[
        Aggregate("account_closings", how="count", windows=SPANS, doc="Accounts closed"),
        Aggregate("account_closings", how="days_since_last", doc="Account closings"),
        Aggregate(
            "account_closings",
            how="count",
            by="product",
            values=PRODUCTS,
            windows=[YEAR],
            doc="Accounts closed",
        ),
        Ratio(
            "closings_to_openings",
            of="account_closings_count",
            to="account_openings_count",
            windows=[YEAR],
            doc="Accounts closed per account opened",
        ),
    ],
)


def booked(name: str, direction: str, doc: str) -> Aggregate:
    """Money through each product's accounts in one direction."""
    return Aggregate(
        name,
        of="amount",
        how="sum",
        by="product",
        values=PRODUCTS,
        where=f"direction = '{direction}'",
        windows=(MONTH, QUARTER),
        unit="USD",
        doc=doc,
    )


account_use = FeatureView(
    "account_use",
    source="transactions",
    features=[
        Aggregate(
            "account_use",
            how=("count", "active_days"),
            by="product",
            values=PRODUCTS,
            windows=(MONTH, QUARTER),
            doc="Bookings on the account",
        ),
        Aggregate(
            "account_use", how="days_since_last", by="product", values=PRODUCTS, doc="Bookings on accounts of a product"
        ),
        booked("paid_from", "debit", "Money out of the account"),
        booked("paid_into", "credit", "Money into the account"),
        Aggregate(
            "paid_from_most",
            of="amount",
            how="max",
            by="product",
            values=PRODUCTS,
            where="direction = 'debit'",
            windows=[QUARTER],
            unit="USD",
            doc="Payments out of the account",
        ),
        *(
            Ratio(
                f"{product}_out_to_in",
                of=f"paid_from_{product}_sum",
                to=f"paid_into_{product}_sum",
                windows=[QUARTER],
                doc=f"Money out per money in, {product.replace('_', ' ')}",
            )
            for product in PRODUCTS
        ),
        *(
            Trend(
                f"account_use_{product}_count",
                short=MONTH,
                long=QUARTER,
                doc=f"Bookings on the account: {product.replace('_', ' ')}",
            )
            for product in PRODUCTS
        ),
    ],
)
