"""What stays: the balances that bookings leave behind, product by product."""

from collections.abc import Sequence

from tenure import Aggregate, FeatureView, Trend, days, months
from tenure.define.aggregates import How
from tenure.define.window import Window

PRODUCTS = ("checking", "savings", "credit_card")
MONTH, QUARTER, HALF = SPANS = days(30, 90, 180)
ONE_MONTH, THREE_MONTHS, SIX_MONTHS, YEAR = CALENDAR = months(1, 3, 6, 12)


def balance(
    how: How | Sequence[How], windows: Sequence[Window], name: str = "balance", doc: str = "Balance after a booking"
) -> Aggregate:
    """The balance of each product."""
    return Aggregate(
        name,
        of="balance_after",
        how=how,
        by="product",
        values=PRODUCTS,
        windows=windows,
        unit="USD",
        doc=doc,
    )


def trends(short: Window, long: Window) -> list[Trend]:
    """The mean balance of each product, lately against before."""
    return [
        Trend(f"balance_{product}_mean", short=short, long=long, doc=f"Balance: {product.replace('_', ' ')}")
        for product in PRODUCTS
    ]


balances = FeatureView(
    "balances",
    source="transactions",
    features=[
        balance(("last", "mean", "min", "max", "std"), SPANS),
        balance("mean", CALENDAR),
        balance("first", [QUARTER]),
        balance(("p10", "median"), [QUARTER], "usual_balance", "Usual balance after a booking"),
        *trends(MONTH, QUARTER),
        *trends(MONTH, HALF),
        *trends(QUARTER, HALF),
        *trends(ONE_MONTH, THREE_MONTHS),
        *trends(THREE_MONTHS, YEAR),
        Aggregate(
            "low_balance",
            how="active_days",
            windows=SPANS,
            where="product = 'checking' AND balance_after < 100",
            doc="The checking account fell under 100 USD",
        ),
        Aggregate(
            "overdrawn",
            how="active_days",
            windows=SPANS,
            where="product = 'checking' AND balance_after < 0",
            doc="The checking account was overdrawn",
        ),
        Aggregate(
            "savings_cover",
            how="streak",
            windows=[YEAR],
            where="product = 'savings' AND balance_after >= 1000",
            doc="Savings of 1,000 USD or more were seen",
        ),
    ],
)
