"""What the customer holds, and how the account is used: the pack's shapes, by operation where it has products."""

from tenure import Aggregate, FeatureView, Ratio, Trend, days

MONTH, QUARTER, HALF, YEAR = SPANS = days(30, 90, 180, 365)
WINDOWS = days(7, 30, 60, 90, 180, 365)
PAID_OUT = ("VYBER", "PREVOD NA UCET")  # cash drawn, transfers out
PAID_IN = ("VKLAD", "PREVOD Z UCTU")  # cash paid in, transfers in

accounts = FeatureView(
    "accounts",
    source="accounts",
    features=[Aggregate("account_openings", how="count", windows=SPANS, doc="Accounts opened")],
)

loans = FeatureView(
    "loans",
    source="loans",
    features=[
        Aggregate("loans", how="count", doc="Loans granted"),
        Aggregate("loan_amount", of="amount", how=("sum", "max"), unit="CZK", doc="Amount of loans granted"),
        Aggregate("loan_payment", of="payment", how="sum", unit="CZK", doc="Monthly payments of loans granted"),
        Aggregate("loan_months", of="months", how="max", unit="months", doc="Length of loans granted"),
        Aggregate("loan_grants", how="count", windows=(MONTH, QUARTER, HALF), doc="Loans granted lately"),
        Aggregate("loan_grants", how="days_since_last", doc="Grants of a loan"),
        Ratio("loan_payment_to_amount", of="loan_payment_sum", to="loan_amount_sum", doc="Monthly payment per loan"),
    ],
)

cards = FeatureView(
    "cards",
    source="cards",
    features=[
        Aggregate("cards", how="count", doc="Cards issued"),
        Aggregate("card_issues", how="count", windows=[QUARTER], doc="Cards issued lately"),
        Aggregate("card_issues", how="days_since_last", doc="Issues of a card"),
    ],
)


def booked(name: str, direction: str, operations: tuple[str, ...], doc: str) -> list[Aggregate]:
    """Money through the account in one direction, by operation; in all over the spans that money.py has not."""
    where = f"direction = '{direction}'"
    return [
        Aggregate(name, of="amount", how="sum", where=where, windows=(HALF, YEAR), unit="CZK", doc=doc),
        Aggregate(name, of="amount", how="max", where=where, windows=(MONTH, HALF, YEAR), unit="CZK", doc=doc),
        Aggregate(
            name,
            of="amount",
            how=("count", "sum"),
            by="operation",
            values=operations,
            where=where,
            windows=(MONTH, QUARTER, HALF),
            unit="CZK",
            doc=doc,
        ),
        Aggregate(
            name, how="days_since_last", by="operation", values=operations, where=where, doc=f"{doc}, by operation"
        ),
    ]


account_use = FeatureView(
    "account_use",
    source="transactions",
    features=[
        Aggregate("account_use", how=("count", "active_days"), windows=WINDOWS, doc="Bookings on the account"),
        Aggregate("account_use", how="days_since_last", doc="Bookings on the account"),
        *booked("paid_from", "debit", PAID_OUT, "Money out of the account"),
        *booked("paid_into", "credit", PAID_IN, "Money into the account"),
        Ratio("out_to_in", of="paid_from_sum", to="paid_into_sum", windows=(HALF, YEAR), doc="Money out per money in"),
        Trend("account_use_count", short=MONTH, long=QUARTER, doc="Bookings on the account"),
        Trend("account_use_count", short=QUARTER, long=YEAR, doc="Bookings on the account"),
        Trend("paid_from_sum", short=HALF, long=YEAR, doc="Money out of the account"),
        Trend("paid_into_sum", short=HALF, long=YEAR, doc="Money into the account"),
    ],
)
