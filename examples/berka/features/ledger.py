"""What the ledger tells: money in, money out, what for, and what is left."""

from tenure import Aggregate, FeatureView, Ratio, Trend, days

windows = days(30, 60, 90)
month, _, quarter = windows

ledger = FeatureView(
    "ledger",
    source="transactions",
    features=[
        Aggregate("bookings", how="count", windows=windows, doc="Bookings"),
        Aggregate(
            "balance",
            of="balance",
            how=("mean", "min", "max", "std"),
            windows=windows,
            unit="CZK",
            doc="Balance after a booking",
        ),
        Aggregate(
            "credit",
            of="amount",
            how=("count", "sum", "max"),
            windows=windows,
            where="direction = 'credit'",
            unit="CZK",
            doc="Money in",
        ),
        Aggregate(
            "debit",
            of="amount",
            how=("count", "sum", "max"),
            windows=windows,
            where="direction = 'debit'",
            unit="CZK",
            doc="Money out",
        ),
        Aggregate("credit", how="days_since_last", where="direction = 'credit' AND purpose IS NULL", doc="Money in"),
        Aggregate("debit", how="days_since_last", where="direction = 'debit' AND purpose IS NULL", doc="Money out"),
        Ratio("debit_to_credit", of="debit_sum", to="credit_sum", windows=windows, doc="Money out for money in"),
        Ratio("debit_to_balance", of="debit_sum", to="balance_mean", windows=windows, doc="Money out for money kept"),
        Trend("balance_mean", short=month, long=quarter, doc="Average balance"),
        Trend("credit_sum", short=month, long=quarter, doc="Money in a day"),
        Trend("debit_sum", short=month, long=quarter, doc="Money out a day"),
    ],
)

purposes = FeatureView(
    "purposes",
    source="transactions",
    features=[
        Aggregate(
            "cash_in",
            of="amount",
            how="sum",
            windows=days(30, 90),
            where="operation = 'VKLAD'",
            unit="CZK",
            doc="Cash paid in",
        ),
        Aggregate(
            "cash_out",
            of="amount",
            how="sum",
            windows=days(30, 90),
            where="operation = 'VYBER'",
            unit="CZK",
            doc="Cash drawn",
        ),
        Aggregate(
            "transfer_in",
            of="amount",
            how="sum",
            windows=days(30, 90),
            where="operation = 'PREVOD Z UCTU'",
            unit="CZK",
            doc="Transfers from other banks",
        ),
        Aggregate(
            "transfer_out",
            of="amount",
            how="sum",
            windows=days(30, 90),
            where="operation = 'PREVOD NA UCET'",
            unit="CZK",
            doc="Transfers to other banks",
        ),
        Aggregate(
            "interest",
            of="amount",
            how="sum",
            windows=days(90),
            where="purpose = 'UROK'",
            unit="CZK",
            doc="Interest earned",
        ),
        Aggregate(
            "penalty",
            of="amount",
            how="sum",
            windows=days(90),
            where="purpose = 'SANKC. UROK'",
            unit="CZK",
            doc="Penalty interest for a negative balance",
        ),
        Aggregate("pension", how="count", windows=days(90), where="purpose = 'DUCHOD'", doc="Pensions received"),
        Aggregate(
            "household",
            of="amount",
            how="sum",
            windows=days(90),
            where="purpose = 'SIPO'",
            unit="CZK",
            doc="Household payments",
        ),
        Aggregate("insurance", how="count", windows=days(90), where="purpose = 'POJISTNE'", doc="Insurance payments"),
        Trend("cash_out_sum", short=month, long=quarter, doc="Cash drawn a day"),
    ],
)
