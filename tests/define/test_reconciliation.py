"""A reconciliation that can't stand is refused where it is written, with what is allowed."""

from decimal import Decimal
from pathlib import Path

import pytest

from tenure import Reconciliation, load_project
from tenure.define.reconciliation import KINDS, OUTCOMES
from tenure.errors import InvalidDefinition, UnknownColumn, UnknownSource

PAID = """
from tenure import Reconciliation

payments_held = Source(
    "payments_held",
    read=Csv("held.csv"),
    columns=[
        Column("customer_id", role="key"),
        Column("payment_id", type="integer", role="key"),
        Column("held_on", type="date"),
        Column("held", type="decimal"),
    ],
    key="payment_id",
    event_time="held_on",
)
paid = Reconciliation("paid", bookings="payments", account="customer_id", amount="amount", balance="amount")
"""


@pytest.fixture
def paying(bank):
    """The bank with a reconciliation that stands."""
    file = bank.folder / "sources.py"
    file.write_text(file.read_text() + PAID)
    return bank


def test_a_project_has_the_reconciliations_of_its_files(paying):
    project = load_project(paying.folder, "Test Bank")
    (found,) = project.reconciliations.values()
    assert found.accounts == ("customer_id",)
    assert found.reads == ("payments",)
    assert found.where_defined.startswith("bank/sources.py:")
    assert project.reconciled == {
        "reconciliation_paid": "reconciliation/paid",
        "reconciled_accounts_paid": "reconciled_accounts/paid",
    }


#: What is changed of the reconciliation, the error, and what its message has to say.
WRONG = [
    ('balance="amount"', 'balance="amount", tolerance=0.001', InvalidDefinition, ("tolerance=0.001", "two decimals")),
    ('balance="amount"', 'balance="amount", tolerance=-1', InvalidDefinition, ("tolerance=-1",)),
    ('balance="amount"', 'balance="amount", tolerance="much"', InvalidDefinition, ("tolerance='much'",)),
    ('balance="amount"', 'balance="amount", every="week"', InvalidDefinition, ("every='week'", "'month'")),
    ('balance="amount"', 'balance="amount", every="day"', InvalidDefinition, ("every='day' without balances=",)),
    ('balance="amount"', 'balance="amount", opening="100"', InvalidDefinition, ("opening='100'", "zero, unknown")),
    ('balance="amount"', 'balance="amount", credit=1', InvalidDefinition, ("credit=1", "text")),
    ('balance="amount"', 'balance="amount", day="direction"', InvalidDefinition, ("'direction', a string", "date")),
    ('account="customer_id"', "account=[]", InvalidDefinition, ("account=[]", "a column's name")),
    ('amount="amount"', 'amount="direction"', InvalidDefinition, ("'direction'", "a string", "decimal")),
    ('bookings="payments"', 'bookings="payment"', UnknownSource, ("'paid'", "'payment'", "payments")),
    ('balance="amount"', 'balance="amout"', UnknownColumn, ("'amout'", "amount")),
    ('account="customer_id"', 'account="iban"', UnknownColumn, ("'iban'", "customer_id")),
    (
        'account="customer_id", amount="amount", balance="amount"',
        'account="payment_id", amount="amount", balances="payments_held", balance="held"',
        InvalidDefinition,
        ("'payment_id'", "string in 'payments'", "integer in 'payments_held'", "one type"),
    ),
    ('"payments_held",\n', '"reconciliation_paid",\n', InvalidDefinition, ("'reconciliation_paid'", "source")),
]


@pytest.mark.parametrize(("old", "new", "kind", "words"), WRONG, ids=[f"{new[:60]}" for _, new, *_ in WRONG])
def test_what_can_not_stand_is_refused_by_name(paying, told, old, new, kind, words):
    file = paying.folder / "sources.py"
    before, _, mine = file.read_text().partition("from tenure import Reconciliation")
    assert old in mine
    file.write_text(f"{before}from tenure import Reconciliation{mine.replace(old, new)}")
    told(paying.refusal(kind), "reconciliation", *words)


@pytest.mark.parametrize(("given", "exact"), [(0.11, "0.11"), (3, "3"), ("0.05", "0.05"), (Decimal("0.10"), "0.10")])
def test_a_tolerance_is_exact(given, exact):
    said = {"bookings": "b", "account": "a", "amount": "m", "balance": "b"}
    assert Reconciliation("ledger", tolerance=given, **said).most_apart == Decimal(exact)


def test_every_kind_of_break_has_words_and_a_row_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "reconcile.md").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f"| `{kind}` |" not in page] == []
    assert [outcome for outcome in OUTCOMES if f"`{outcome}`" not in page] == []
