"""What comes in, goes out and stays: amounts and balances."""

from tenure import Aggregate, FeatureView, Ratio, Trend, days

MONTH, MONTHS, QUARTER = WINDOWS = days(30, 60, 90)


def total(name: str, doc: str, where: str) -> Aggregate:
    """The sum of the amounts of some transactions."""
    return Aggregate(name, of="amount", how="sum", windows=WINDOWS, where=where, unit="USD", doc=doc)


def balance(product: str, doc: str) -> Aggregate:
    """The balances that a product's transactions left behind."""
    where = f"product = '{product}'"
    return Aggregate(
        f"{product}_balance",
        of="balance_after",
        how=("mean", "min"),
        windows=(MONTH, QUARTER),
        where=where,
        unit="USD",
        doc=doc,
    )


money = FeatureView(
    "money",
    source="transactions",
    features=[
        total("debit_amount", "Money out", "direction = 'debit'"),
        total("credit_amount", "Money in", "direction = 'credit'"),
        total("salary_amount", "Salary received", "category = 'salary'"),
        total("fee_amount", "Fees paid", "category = 'fee'"),
        Aggregate("salary", how="days_since_last", where="category = 'salary'", doc="Salary payments"),
        Aggregate(
            "payment",
            of="amount",
            how=("mean", "max", "std"),
            windows=[QUARTER],
            where="direction = 'debit'",
            unit="USD",
            doc="Size of a payment",
        ),
        balance("checking", "Balance of the checking account"),
        balance("savings", "Balance of the savings account"),
        Ratio(
            "debit_to_credit",
            of="debit_amount_sum",
            to="credit_amount_sum",
            windows=WINDOWS,
            doc="Money out per money in",
        ),
        Ratio(
            "fees_to_debit",
            of="fee_amount_sum",
            to="debit_amount_sum",
            windows=[QUARTER],
            doc="Fees as a share of money out",
        ),
        Trend("debit_amount_sum", short=MONTH, long=QUARTER, doc="Money out"),
        Trend("credit_amount_sum", short=MONTH, long=QUARTER, doc="Money in"),
        Trend("salary_amount_sum", short=MONTH, long=QUARTER, doc="Salary received"),
        Trend("checking_balance_mean", short=MONTH, long=QUARTER, doc="Balance of the checking account"),
        Trend("savings_balance_mean", short=MONTH, long=QUARTER, doc="Balance of the savings account"),
    ],
)
