"""A reconciliation with two breaks, made up: one with a difference and bookings, one of a missing balance."""

from datetime import date
from decimal import Decimal

from tenure.publish.reconciliation import Booking, Break, Reconciled

OFF = Break(
    account="<7>",
    day=date(2024, 3, 5),
    from_day=date(2024, 3, 4),
    kind="sign",
    opening=Decimal("1000.00"),
    net=Decimal("-20.50"),
    expected=Decimal("979.50"),
    balance=Decimal("1020.50"),
    difference=Decimal("41.00"),
    missing_balances=0,
    bookings=21,
    shown=(Booking("4711", date(2024, 3, 5), Decimal("-20.50"), Decimal("1020.50")),),
)
GONE = Break(
    account="8",
    day=date(2024, 4, 5),
    from_day=None,
    kind="gap",
    opening=None,
    net=Decimal(0),
    expected=None,
    balance=None,
    difference=None,
    missing_balances=2,
    bookings=0,
    shown=(),
)


def made_up(**changed):
    said = {
        "name": "ledger",
        "doc": "Bookings & balances",
        "unit": "EUR",
        "days": 12_345,
        "unchecked": 1,
        "breaks": 2,
        "accounts": 1_000,
        "broken_accounts": 2,
        "unreconciled_accounts": 2,
        "kinds": {"sign": 1, "gap": 1},
        "worst": (OFF, GONE),
    }
    return Reconciled(**{**said, **changed})
