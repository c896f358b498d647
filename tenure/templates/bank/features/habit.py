"""How the customer uses the accounts: how often, on what, through which channel."""

from tenure import Aggregate, FeatureView, Ratio, Trend, days

MONTH, MONTHS, QUARTER = WINDOWS = days(30, 60, 90)
BY_CUSTOMER = "channel <> 'batch'"


def spent(category: str, doc: str) -> Aggregate:
    """Money out in one category."""
    where = f"direction = 'debit' AND category = '{category}'"
    name = f"{category}_amount"
    return Aggregate(name, of="amount", how="sum", windows=(MONTH, QUARTER), where=where, unit="USD", doc=doc)


def used(channel: str, doc: str) -> Aggregate:
    """Transactions through one channel."""
    return Aggregate(f"{channel}_use", how="count", windows=[QUARTER], where=f"channel = '{channel}'", doc=doc)


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
        used("branch", "Transactions in a branch"),
        used("atm", "Transactions at a cash machine"),
        used("pos", "Payments in shops"),
        used("online", "Transactions on the website"),
        used("mobile", "Transactions in the app"),
        spent("groceries", "Spent on groceries"),
        spent("dining", "Spent on dining"),
        spent("shopping", "Spent on shopping"),
        spent("travel", "Spent on travel"),
        spent("utilities", "Paid to utilities"),
        spent("cash", "Cash taken out"),
        Ratio(
            "mobile_to_own",
            of="mobile_use_count",
            to="own_use_count",
            windows=[QUARTER],
            doc="Share of transactions in the app",
        ),
        Ratio(
            "cash_to_debit",
            of="cash_amount_sum",
            to="debit_amount_sum",
            windows=(MONTH, QUARTER),
            doc="Cash as a share of money out",
        ),
        Trend("own_use_count", short=MONTH, long=QUARTER, doc="Transactions by the customer"),
        Trend("groceries_amount_sum", short=MONTH, long=QUARTER, doc="Spent on groceries"),
    ],
)
