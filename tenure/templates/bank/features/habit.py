"""How the customer uses the accounts: how often, on what, through which channel."""

from tenure import Aggregate, FeatureView, Ratio, Trend, days, months

MONTH, MONTHS, QUARTER = WINDOWS = days(30, 60, 90)
BY_CUSTOMER = "channel <> 'batch'"
CHANNELS = ("branch", "atm", "pos", "online", "mobile")
CATEGORIES = ("groceries", "dining", "shopping", "travel", "utilities", "cash", "rent", "health")


habits = FeatureView(
    "habits",
    source="transactions",
    features=[
        Aggregate(
            "own_use",
            how=("count", "days_since_last"),
            windows=WINDOWS,
            where=BY_CUSTOMER,
            doc="Transactions by the customer",
        ),
        Aggregate("own_use", how="count", windows=days(7, 365), where=BY_CUSTOMER, doc="Transactions by the customer"),
        Aggregate(
            "own_use",
            how="active_days",
            windows=days(7, 30, 90, 180, 365),
            where=BY_CUSTOMER,
            doc="The customer used an account",
        ),
        Aggregate(
            "own_use", how="streak", windows=months(6, 12), where=BY_CUSTOMER, doc="The customer used an account"
        ),
        Aggregate("use", how="count", by="channel", values=CHANNELS, windows=WINDOWS, doc="Transactions by channel"),
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
            values=CATEGORIES,
            where="direction = 'debit'",
            windows=(MONTH, QUARTER),
            unit="USD",
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
        Ratio(
            "mobile_to_own",
            of="use_mobile_count",
            to="own_use_count",
            windows=[QUARTER],
            doc="Share of transactions in the app",
        ),
        Ratio(
            "cash_to_debit",
            of="spent_cash_sum",
            to="debit_amount_sum",
            windows=(MONTH, QUARTER),
            doc="Cash as a share of money out",
        ),
        Trend("own_use_count", short=MONTH, long=QUARTER, doc="Transactions by the customer"),
        Trend("spent_groceries_sum", short=MONTH, long=QUARTER, doc="Spent: groceries"),
    ],
)
