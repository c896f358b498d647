"""The benchmark's features: 214 columns of one source, as the bank of `make bench` defines them.

Six windows × (count, sum, mean, std, min, max; money out and in as count and sum; count and sum of each of twelve
categories; active days), then days since the last booking, the last balance and two trends. Tenure adds history_share.
"""

from tenure import Aggregate, FeatureView, Trend, days
from tenure.demo.spending import CATEGORIES

WINDOWS = days(7, 30, 60, 90, 180, 365)
MONTH, QUARTER, YEAR = days(30, 90, 365)

bench = FeatureView(
    "bench",
    source="transactions",
    features=[
        Aggregate(
            "tx",
            of="amount",
            how=("count", "sum", "mean", "std", "min", "max"),
            windows=WINDOWS,
            unit="USD",
            doc="Bookings",
        ),
        Aggregate(
            "debit",
            of="amount",
            how=("count", "sum"),
            windows=WINDOWS,
            where="direction = 'debit'",
            unit="USD",
            doc="Money out",
        ),
        Aggregate(
            "credit",
            of="amount",
            how=("count", "sum"),
            windows=WINDOWS,
            where="direction = 'credit'",
            unit="USD",
            doc="Money in",
        ),
        Aggregate(
            "kind",
            of="amount",
            how=("count", "sum"),
            windows=WINDOWS,
            by="category",
            values=CATEGORIES,
            unit="USD",
            doc="Bookings of a category",
        ),
        Aggregate("used", how="active_days", windows=WINDOWS, doc="Any booking"),
        Aggregate("tx", how="days_since_last", doc="Bookings"),
        Aggregate("balance", of="balance_after", how="last", windows=[YEAR], unit="USD", doc="Balance"),
        Trend("tx_count", short=MONTH, long=QUARTER, doc="Bookings"),
        Trend("tx_sum", short=MONTH, long=QUARTER, doc="Amounts"),
    ],
)
