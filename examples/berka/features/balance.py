"""What stays: the balance that each booking leaves behind. One account a customer, so no split by product."""

from collections.abc import Sequence

from tenure import Aggregate, FeatureView, Ratio, Trend, days, months
from tenure.define.aggregates import How
from tenure.define.window import Window

MONTH, QUARTER, HALF, YEAR = SPANS = days(30, 90, 180, 365)
WINDOWS = days(7, 30, 60, 90, 180, 365)
ONE_MONTH, THREE_MONTHS, SIX_MONTHS = CALENDAR = months(1, 3, 6)


def balance(
    how: How | Sequence[How], windows: Sequence[Window], name: str = "balance", doc: str = "Balance after a booking"
) -> Aggregate:
    """The balance of the account."""
    return Aggregate(name, of="balance", how=how, windows=windows, unit="CZK", doc=doc)


def days_with(name: str, where: str, doc: str) -> list[Aggregate]:
    """On how many days, and how long ago, the balance met a condition."""
    return [
        Aggregate(name, how="active_days", windows=SPANS, where=where, doc=doc),
        Aggregate(name, how="days_since_last", where=where, doc=doc),
    ]


balances = FeatureView(
    "balances",
    source="transactions",
    features=[
        balance(("mean", "min", "max", "std"), WINDOWS),
        balance("last", (MONTH, QUARTER)),
        balance("first", (QUARTER, HALF, YEAR)),
        balance(("mean", "min", "max"), CALENDAR),
        balance(("p10", "median", "p90"), (MONTH, QUARTER, HALF), "usual_balance", "Usual balance after a booking"),
        *(
            Trend("balance_mean", short=short, long=long, doc="Balance")
            for short, long in (
                (MONTH, QUARTER),
                (MONTH, HALF),
                (QUARTER, HALF),
                (QUARTER, YEAR),
                (ONE_MONTH, THREE_MONTHS),
                (THREE_MONTHS, SIX_MONTHS),
            )
        ),
        Trend("balance_min", short=MONTH, long=QUARTER, doc="Lowest balance"),
        Trend("balance_max", short=MONTH, long=QUARTER, doc="Highest balance"),
        Trend("balance_std", short=MONTH, long=QUARTER, doc="Swing of the balance"),
        Ratio("lowest_to_usual", of="balance_min", to="balance_mean", windows=(MONTH, QUARTER), doc="Lowest per usual"),
        Ratio(
            "debit_to_balance",
            of="debit_amount_sum",
            to="balance_mean",
            windows=days(30, 60, 90),
            doc="Money out for money kept",
        ),
        *days_with("low_balance", "balance < 5000", "The balance fell under 5,000 CZK"),
        *days_with("overdrawn", "balance < 0", "The account was overdrawn"),
        *days_with("high_balance", "balance >= 50000", "The balance was 50,000 CZK or more"),
        Aggregate(
            "savings_cover",
            how="streak",
            windows=months(12),
            where="balance >= 10000",
            doc="A balance of 10,000 CZK or more was seen",
        ),
    ],
)
