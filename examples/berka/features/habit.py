"""How the customer uses the account: how often, on what, in which way."""

from tenure import Aggregate, FeatureView, Ratio, Trend, days, months

MONTH, MONTHS, QUARTER = WINDOWS = days(30, 60, 90)
BY_CUSTOMER = "channel <> 'batch'"
CHANNELS = ("cash", "card", "transfer")
CATEGORIES = ("household", "insurance", "loan", "fee", "penalty", "cash", "transfer")

habits = FeatureView(
    "habits",
    source="transactions",
    features=[
        Aggregate(
            "own_use",
            how=("count", "days_since_last"),
            windows=WINDOWS,
            where=BY_CUSTOMER,
            doc="Bookings by the customer",
        ),
        Aggregate("own_use", how="count", windows=days(7, 365), where=BY_CUSTOMER, doc="Bookings by the customer"),
        Aggregate(
            "own_use",
            how="active_days",
            windows=days(7, 30, 90, 180, 365),
            where=BY_CUSTOMER,
            doc="The customer used the account",
        ),
        Aggregate(
            "own_use", how="streak", windows=months(6, 12), where=BY_CUSTOMER, doc="The customer used the account"
        ),
        Aggregate(
            "use",
            how="count",
            by="channel",
            values=("cash", "batch"),
            windows=WINDOWS,
            doc="Bookings by channel",
        ),
        Aggregate(
            "channel",
            of="channel",
            how=("mode", "entropy", "distinct_count"),
            values=CHANNELS,
            windows=[QUARTER],
            where=BY_CUSTOMER,
            doc="Channels that the customer used",
        ),
        Aggregate(
            "spent",
            of="amount",
            how=("sum", "count"),
            by="category",
            values=tuple(c for c in CATEGORIES if c != "fee"),  # fees stand in money.py
            where="direction = 'debit'",
            windows=(MONTH, QUARTER),
            unit="CZK",
            doc="Spent",
        ),
        Aggregate(
            "category",
            of="category",
            how=("mode", "entropy", "distinct_count"),
            values=CATEGORIES,
            windows=(MONTH, QUARTER),
            where="direction = 'debit'",
            doc="What the customer spent on",
        ),
        Aggregate(
            "partner_banks",
            of="partner_bank",
            how="distinct_count",
            windows=[QUARTER],
            doc="Other banks that money came from or went to",
        ),
        Ratio(
            "cash_to_debit",
            of="spent_cash_sum",
            to="debit_amount_sum",
            windows=(MONTH, QUARTER),
            doc="Cash as a share of money out",
        ),
        Trend("own_use_count", short=MONTH, long=QUARTER, doc="Bookings by the customer"),
        Trend("spent_cash_sum", short=MONTH, long=QUARTER, doc="Spent: cash"),
        Trend("spent_household_sum", short=MONTH, long=QUARTER, doc="Spent: household"),
    ],
)
