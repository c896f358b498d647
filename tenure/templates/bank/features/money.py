"""What comes in and goes out."""

from tenure import Aggregate, FeatureView, Ratio, Trend, days, months

MONTH, MONTHS, QUARTER = WINDOWS = days(30, 60, 90)
WEEK, YEAR = days(7, 365)


def total(name: str, doc: str, where: str) -> Aggregate:
    """The sum of the amounts of some transactions."""
    return Aggregate(name, of="amount", how="sum", windows=WINDOWS, where=where, unit="USD", doc=doc)


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
        Aggregate(
            "payment",
            of="amount",
            how=("median", "p90", "first", "last"),
            windows=[MONTH],
            where="direction = 'debit'",
            unit="USD",
            doc="Size of a payment",
        ),
        Aggregate(
            "money_out",
            of="amount",
            how="sum",
            windows=(WEEK, YEAR, *months(1, 3, 12)),
            where="direction = 'debit'",
            unit="USD",
            doc="Money out of all accounts",
        ),
        Aggregate(
            "money_in",
            of="amount",
            how="sum",
            windows=(WEEK, YEAR, *months(1, 3, 12)),
            where="direction = 'credit'",
            unit="USD",
            doc="Money into all accounts",
        ),
        Aggregate("salary", how="streak", windows=months(12), where="category = 'salary'", doc="Salary came"),
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
        Trend("money_out_sum", short=months(1)[0], long=months(12)[0], doc="Money out of all accounts"),
        Trend("money_in_sum", short=months(1)[0], long=months(12)[0], doc="Money into all accounts"),
    ],
)
