"""What comes in and goes out."""

from tenure import Aggregate, FeatureView, Ratio, Trend, days, months

MONTH, MONTHS, QUARTER = WINDOWS = days(30, 60, 90)
(WEEK,) = days(7)
ONE_MONTH, _, HALF_YEAR = CALENDAR = months(1, 3, 6)


def total(name: str, doc: str, where: str) -> Aggregate:
    """The sum of the amounts of some bookings."""
    return Aggregate(name, of="amount", how="sum", windows=WINDOWS, where=where, unit="CZK", doc=doc)


def over_spans(name: str, direction: str, doc: str) -> Aggregate:
    """Money in one direction over a week and calendar months."""
    windows = (WEEK, *CALENDAR)
    where = f"direction = '{direction}'"
    return Aggregate(name, of="amount", how="sum", windows=windows, where=where, unit="CZK", doc=doc)


money = FeatureView(
    "money",
    source="transactions",
    features=[
        total("debit_amount", "Money out", "direction = 'debit'"),
        total("credit_amount", "Money in", "direction = 'credit'"),
        total("pension_amount", "Pension received", "category = 'pension'"),
        total("fee_amount", "Fees paid", "category = 'fee'"),
        total("interest_amount", "Interest earned", "category = 'interest'"),
        Aggregate("pension", how="days_since_last", where="category = 'pension'", doc="Pension payments"),
        Aggregate(
            "payment",
            of="amount",
            how=("mean", "max", "std"),
            windows=[QUARTER],
            where="direction = 'debit'",
            unit="CZK",
            doc="Size of a payment",
        ),
        Aggregate(
            "payment",
            of="amount",
            how=("median", "p90", "first", "last"),
            windows=[MONTH],
            where="direction = 'debit'",
            unit="CZK",
            doc="Size of a payment",
        ),
        over_spans("money_out", "debit", "Money out of the account"),
        over_spans("money_in", "credit", "Money into the account"),
        Aggregate("pension", how="streak", windows=months(12), where="category = 'pension'", doc="A pension came"),
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
        Trend("pension_amount_sum", short=MONTH, long=QUARTER, doc="Pension received"),
        Trend("money_out_sum", short=ONE_MONTH, long=HALF_YEAR, doc="Money out over whole months"),
        Trend("money_in_sum", short=ONE_MONTH, long=HALF_YEAR, doc="Money in over whole months"),
    ],
)
