"""Ledgers for tests: a bank of bookings and statements, rows that are drawn at random, and literal rows as SQL."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

FILES = {
    "tenure.toml": """\
[project]
name = "Ledgers"

[data]
end = 2024-05-13

[snapshots]
every = "month-end"
first = 2024-03-31
""",
    "sources.py": """\
from tenure import Column, Csv, Entity, Reconciliation, Source

customer = Entity("customer", key="customer_id", source="customers")

customers = Source(
    "customers",
    read=Csv("customers.csv"),
    key="customer_id",
    event_time="joined_on",
    ends="left_on",
    columns=[
        Column("customer_id", role="key"),
        Column("joined_on", type="date"),
        Column("left_on", type="date"),
    ],
)

bookings = Source(
    "bookings",
    read=Csv("bookings.csv"),
    key="booking_id",
    event_time="booked_at",
    known_time="known_at",
    columns=[
        Column("booking_id", type="integer", role="key"),
        Column("account_id", role="attribute"),
        Column("customer_id", role="key"),
        Column("booked_at", type="timestamp"),
        Column("side", role="attribute"),
        Column("amount", type="decimal"),
        Column("balance", type="decimal"),
        Column("known_at", type="timestamp"),
    ],
)

statements = Source(
    "statements",
    read=Csv("statements.csv"),
    key=("account_id", "stated_at"),
    event_time="stated_at",
    known_time="known_at",
    columns=[
        Column("account_id", role="key"),
        Column("customer_id", role="key"),
        Column("stated_at", type="timestamp"),
        Column("held", type="decimal"),
        Column("known_at", type="timestamp"),
    ],
)

ledger = Reconciliation(
    "ledger", bookings="bookings", account="account_id", amount="amount", credit="side = 'in'", balance="balance"
)

stated = Reconciliation(
    "stated",
    bookings="bookings",
    account="account_id",
    amount="amount",
    credit="side = 'in'",
    balances="statements",
    balance="held",
)
""",
    "churn.py": """\
from tenure import BalanceDecline, ChurnDefinition

by_booking = ChurnDefinition(
    "by_booking",
    event=BalanceDecline("bookings", of="balance", baseline=30, reconciled="ledger"),
    gap=10,
    horizon=30,
    wait=3,
    main=True,
)

by_statement = ChurnDefinition(
    "by_statement",
    event=BalanceDecline("statements", of="held", baseline=30, reconciled="stated"),
    gap=10,
    horizon=30,
    wait=3,
)
""",
    "features/who.py": """\
from tenure import Aggregate, FeatureView, days

booked = FeatureView(
    "booked", source="bookings", features=[Aggregate("booking", how="count", windows=days(30), doc="Bookings")]
)
""",
}

BOOKING = ("booking_id", "account_id", "customer_id", "booked_at", "side", "amount", "balance", "known_at")
STATEMENT = ("account_id", "customer_id", "stated_at", "held", "known_at")


def at(day, hour=12):
    return datetime.fromisoformat(f"2024-{day}") + timedelta(hours=hour)


def booking(key, account, customer, day, moved, balance=None, known=None):
    side = "in" if moved >= 0 else "out"
    amount, held = Decimal(abs(moved)), None if balance is None else Decimal(balance)
    return dict(zip(BOOKING, (key, account, customer, at(day), side, amount, held, known or at(day)), strict=True))


def write_definitions(folder):
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


TYPES = {"date": "DATE", "timestamp": "TIMESTAMP", "decimal": "DECIMAL(18, 2)", "integer": "BIGINT"}


def rows_in_sql(rows, types):
    """A SELECT of literal rows; it has columns though there be no row."""
    nothing = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in types.items())

    def cell(value, kind):
        return "NULL" if value is None else f"CAST('{value}' AS {kind})"

    cells = [", ".join(cell(row[name], kind) for name, kind in types.items()) for row in rows]
    return " UNION ALL ".join([f"SELECT * FROM (SELECT {nothing}) WHERE FALSE", *(f"SELECT {row}" for row in cells)])


def types_of(source):
    times = dict.fromkeys(("event_time", "known_time", "known_until"), "TIMESTAMP")
    return {column.name: TYPES.get(column.type, "VARCHAR(30)") for column in source.columns} | times


DAYS = st.sampled_from(["03-05", "03-29", "03-30", "04-09", "04-10", "04-30", "05-09", "05-10", "05-12"])
KNOWN = st.sampled_from([None, None, None, at("05-12"), at("05-13", 0), at("06-01")])
MOVES = st.tuples(DAYS, st.sampled_from([10, 10, -4, 60]), st.sampled_from([0, 0, 0, 0, 1, -5, None]), KNOWN)
HELD = st.tuples(DAYS, st.sampled_from([0, 0, 0, 2]), KNOWN)
ACCOUNTS = [("ann_0", "ann"), ("ann_1", "ann"), ("bob_0", "bob")]


@st.composite
def ledgers(draw):
    """Raw rows of three accounts, most of them whole, some with rows that are known late or corrected."""
    bookings, statements = [], []
    for place, (account, customer) in enumerate(ACCOUNTS):
        held, moves = 0, sorted(draw(st.lists(MOVES, max_size=5)), key=lambda row: row[0])
        for n, (day, moved, off, known) in enumerate(moves):
            held += moved
            balance = None if off is None else held + off
            first_known = max(known or at(day), at(day))
            bookings.append(booking(place * 10 + n, account, customer, day, moved, balance, first_known))
            if draw(st.integers(0, 5)) == 0:
                later = first_known + timedelta(days=draw(st.sampled_from([1, 20])))
                bookings.append(booking(place * 10 + n, account, customer, day, moved, held, later))
        for day, off, known in draw(st.lists(HELD, max_size=4, unique_by=lambda row: row[0])):
            so_far = sum(moved for on, moved, *_ in moves if on <= day)
            row = (account, customer, at(day), Decimal(so_far + off), max(known or at(day), at(day)))
            statements.append(dict(zip(STATEMENT, row, strict=True)))
    customers = [{"customer_id": name, "joined_on": date(2023, 1, 1), "left_on": None} for name in ("ann", "bob")]
    return {"customers": customers, "bookings": bookings, "statements": statements}
