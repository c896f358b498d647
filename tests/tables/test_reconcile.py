"""Bookings against balances, cell by cell against plain Python that walks each account day by day."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure import ChurnDefinition, Closure, Column, Csv, Entity, Reconciliation, Source
from tenure.define.project import Project
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.tables import reconcile

MONDAY = date(2024, 3, 4)
TUESDAY, WEDNESDAY, THURSDAY = (MONDAY + timedelta(days=n) for n in (1, 2, 3))

BOOKINGS = Source(
    "bookings",
    read=Csv("bookings.csv"),
    key="booking_id",
    event_time="valued_on",
    columns=[
        Column("booking_id", type="integer", role="key"),
        Column("account_id", type="integer", role="key"),
        Column("valued_on", type="date", role="time"),
        Column("posted_on", type="date", planned=True),
        Column("side"),
        Column("amount", type="decimal", role="measure", unit="EUR"),
        Column("balance", type="decimal", role="measure", unit="EUR"),
    ],
)
BALANCES = Source(
    "balances",
    read=Csv("balances.csv"),
    key=("account_id", "stated_on"),
    event_time="stated_on",
    columns=[
        Column("account_id", type="integer", role="key"),
        Column("stated_on", type="date", role="time"),
        Column("held", type="decimal", role="measure", unit="EUR"),
    ],
)


def project_of():
    return Project(
        name="Bank",
        entity=Entity("account", key="account_id", source="balances"),
        sources={"bookings": BOOKINGS, "balances": BALANCES},
        views={},
        churn=ChurnDefinition("closed", event=Closure(), horizon=30),
    )


def running(**said):
    said = {"tolerance": "0.11", **said}
    return Reconciliation(
        "ledger",
        bookings="bookings",
        account="account_id",
        amount="amount",
        credit="side = 'in'",
        balance="balance",
        **said,
    )


def stated(**said):
    return Reconciliation(
        "ledger",
        bookings="bookings",
        account="account_id",
        amount="amount",
        credit="side = 'in'",
        balances="balances",
        balance="held",
        **said,
    )


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, date):
        return f"DATE '{value}'"
    return (
        f"'{value}'"
        if isinstance(value, str)
        else f"CAST({value} AS DECIMAL(18, 2))"
        if isinstance(value, Decimal)
        else str(value)
    )


def relation(names, types, rows):
    """Staged rows as a SELECT; each is known when its first date is over, and is the newest version."""
    cells = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in zip(names, types, strict=True))
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    time = next(name for name, kind in zip(names, types, strict=True) if kind == "DATE")
    at = f"CAST({time} AS TIMESTAMP)"
    times = f"{at} AS event_time, {at} AS known_time, CAST(NULL AS TIMESTAMP) AS known_until"
    return f"SELECT {cells}, {times} FROM (VALUES {values}) AS given ({', '.join(names)})"


def come_to(engine, defined, bookings, balances=()):
    """What the engine makes of (id, account, valued, posted, moved, balance) and (account, day, balance)."""
    names = ("booking_id", "account_id", "valued_on", "posted_on", "side", "amount", "balance")
    types = ("BIGINT", "BIGINT", "DATE", "DATE", "VARCHAR(9)", "DECIMAL(18, 2)", "DECIMAL(18, 2)")
    rows = [
        (key, account, valued, posted, "in" if moved >= 0 else "out", abs(moved), balance)
        for key, account, valued, posted, moved, balance in bookings
    ]
    engine.view("bookings", relation(names, types, rows))
    if balances:
        engine.view(
            "balances", relation(("account_id", "stated_on", "held"), ("BIGINT", "DATE", "DECIMAL(18, 2)"), balances)
        )
    return engine.run(reconcile.account_days(project_of(), defined, engine.dialect).text).to_pylist()


def picked(rows, *names):
    return [tuple(row[name] for name in names) for row in rows]


def money(*texts):
    return [Decimal(text) for text in texts]


# By hand


def test_a_day_is_met_whatever_the_order_of_its_bookings(engine):
    # Monday: in truth −30 came first, though its id is higher; Tuesday opens with 70, the balance that met.
    hundred, thirty, seventy = money("100", "-30", "70")
    bookings = [
        (1, 7, MONDAY, MONDAY, hundred, seventy),
        (2, 7, MONDAY, MONDAY, thirty, thirty),
        (3, 7, TUESDAY, TUESDAY, Decimal(5), Decimal(75)),
        (4, 7, TUESDAY, TUESDAY, Decimal(-20), Decimal(55)),
        (5, 7, THURSDAY, THURSDAY, Decimal("1.05"), Decimal("56.16")),
    ]
    rows = come_to(engine, running(), bookings)
    assert picked(rows, "ledger_day", "bookings", "opening", "net", "balance", "outcome") == [
        (MONDAY, 2, 0, 70, 70, "met"),
        (TUESDAY, 2, 70, -15, 55, "met"),
        (THURSDAY, 1, 55, Decimal("1.05"), Decimal("56.16"), "met"),
    ], "0.11 apart is within the tolerance"
    assert [row["break_kind"] for row in rows] == [None] * 3


def test_after_a_break_a_day_opens_with_the_last_row_of_the_day_before(engine):
    bookings = [
        (1, 7, MONDAY, MONDAY, Decimal(10), Decimal(10)),
        # Opens at 10 and moves 5: neither 40 nor 37 is met.
        (2, 7, TUESDAY, TUESDAY, Decimal(8), Decimal(40)),
        (3, 7, TUESDAY, TUESDAY, Decimal(-3), Decimal(37)),
        (4, 7, WEDNESDAY, WEDNESDAY, Decimal(1), Decimal(38)),
    ]
    rows = come_to(engine, running(), bookings)
    assert picked(rows, "opening", "expected", "balance", "difference", "outcome", "break_kind") == [
        (0, 10, 10, 0, "met", None),
        (10, 15, 37, 22, "broken", "missing"),
        (37, 38, 38, 0, "met", None),
    ]


def test_a_day_that_is_broken_only_by_how_it_opened_says_so(engine):
    # Tuesday misses by 0.20 and closes with its last row, 12; the bank went on from 15.20.
    bookings = [
        (1, 7, MONDAY, MONDAY, Decimal(10), Decimal(10)),
        (2, 7, TUESDAY, TUESDAY, Decimal(2), Decimal("15.20")),
        (3, 7, TUESDAY, TUESDAY, Decimal(3), Decimal(12)),
        (4, 7, WEDNESDAY, WEDNESDAY, Decimal(1), Decimal("16.20")),
    ]
    rows = come_to(engine, running(), bookings)
    assert picked(rows, "difference", "break_kind") == [
        (0, None),
        (Decimal("0.20"), "missing"),
        (Decimal("3.20"), "after_break"),
    ]


def test_an_account_whose_opening_is_unknown_opens_with_its_first_balance(engine):
    bookings = [(1, 7, MONDAY, MONDAY, Decimal(10), Decimal(510)), (2, 7, TUESDAY, TUESDAY, Decimal(5), Decimal(515))]
    assert picked(come_to(engine, running(opening="unknown"), bookings), "opening", "outcome", "break_kind") == [
        (None, "opened", None),
        (510, "met", None),
    ]
    assert picked(come_to(engine, running(), bookings), "difference", "outcome", "break_kind") == [
        (500, "broken", "opening"),
        (0, "met", None),
    ]


def test_a_day_without_a_balance_carries_what_is_expected(engine):
    bookings = [
        (1, 7, MONDAY, MONDAY, Decimal(10), Decimal(10)),
        (2, 7, TUESDAY, TUESDAY, Decimal(5), None),
        (3, 7, WEDNESDAY, WEDNESDAY, Decimal(-1), Decimal(14)),
    ]
    rows = come_to(engine, running(), bookings)
    assert picked(rows, "opening", "balance", "outcome") == [(0, 10, "met"), (10, None, "unchecked"), (15, 14, "met")]


#: What an account moves on Tuesday, and what the bank's balance says that it moved.
LOOKS = {
    "sign": ((20, -5), 25),  # the bank counted +5
    "duplicate": ((20, 20), 20),
    "extra": ((20, 8), 20),
    "missing": ((20,), 31),
}


def test_a_break_says_what_it_looks_like(engine):
    bookings = []
    for account, (moved, balance) in enumerate(LOOKS.values()):
        bookings.append((account * 10, account, MONDAY, MONDAY, Decimal(100), Decimal(100)))
        for place, one in enumerate(moved, start=1):
            shown = Decimal(100 + balance) if place == len(moved) else None
            bookings.append((account * 10 + place, account, TUESDAY, TUESDAY, Decimal(one), shown))
    rows = come_to(engine, running(), bookings)
    assert picked(rows, "outcome", "break_kind") == [row for kind in LOOKS for row in (("met", None), ("broken", kind))]


def test_balances_of_their_own_count_by_the_day_that_is_declared(engine):
    # −40 is valued on Monday and posted on Tuesday; balances are of the posting day.
    bookings = [(1, 7, MONDAY, MONDAY, Decimal(100), None), (2, 7, MONDAY, TUESDAY, Decimal(-40), None)]
    balances = [(7, MONDAY, Decimal(100)), (7, TUESDAY, Decimal(60)), (7, WEDNESDAY, Decimal(60))]
    by_posting = come_to(engine, stated(day="posted_on", every="day"), bookings, balances)
    assert picked(by_posting, "ledger_day", "bookings", "opening", "net", "balance", "outcome") == [
        (MONDAY, 1, 0, 100, 100, "met"),
        (TUESDAY, 1, 100, -40, 60, "met"),
        (WEDNESDAY, 0, 60, 0, 60, "met"),
    ]
    by_value = come_to(engine, stated(every="day"), bookings, balances)
    assert picked(by_value, "difference", "outcome", "break_kind") == [
        (40, "broken", "other_day"),
        (-40, "met", None),
        (0, "met", None),
    ], "one booking on another day is one break"


def test_a_wrong_balance_is_one_break_and_two_of_them_are_two(engine):
    bookings = [(1, 7, MONDAY, MONDAY, Decimal(100), None), (2, 7, TUESDAY, TUESDAY, Decimal(7), None)]
    balances = [
        (7, MONDAY, Decimal(150)),
        (7, TUESDAY, Decimal(107)),
        (7, WEDNESDAY, Decimal(157)),
        (7, THURSDAY, Decimal(107)),
    ]
    rows = come_to(engine, stated(), bookings, balances)
    assert picked(rows, "difference", "outcome", "break_kind") == [
        (50, "broken", "wrong_balance"),
        (-50, "met", None),
        (50, "broken", "wrong_balance"),
        (-50, "met", None),
    ]


def test_missing_balances_are_breaks_where_they_are_due(engine):
    ends = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 4, 30), date(2024, 5, 31)]
    bookings = [
        (1, 7, date(2024, 1, 5), MONDAY, Decimal(10), None),
        (2, 7, date(2024, 3, 5), MONDAY, Decimal(5), None),
        (3, 8, date(2024, 2, 5), MONDAY, Decimal(3), None),
        (4, 8, date(2024, 4, 5), MONDAY, Decimal(4), None),
        (5, 8, date(2024, 6, 1), MONDAY, Decimal(4), None),
        (6, 9, date(2024, 5, 9), MONDAY, Decimal(1), None),
    ]
    balances = [
        (7, ends[0], Decimal(10)),
        (7, ends[1], Decimal(10)),
        (7, ends[2], Decimal(15)),
        (7, ends[3], Decimal(15)),
    ]
    balances += [(8, ends[1], Decimal(3))]
    rows = come_to(engine, stated(every="month"), bookings, balances)
    assert picked(
        rows, "account_id", "ledger_day", "bookings", "balance", "missing_balances", "outcome", "break_kind"
    ) == [
        (7, ends[0], 1, 10, 0, "met", None),
        (7, ends[1], 0, 10, 0, "met", None),
        (7, ends[2], 1, 15, 1, "broken", "gap"),
        (7, ends[3], 0, 15, 0, "met", None),
        (8, ends[1], 1, 3, 0, "met", None),
        (8, date(2024, 4, 5), 1, None, 2, "broken", "gap"),
        (9, date(2024, 5, 9), 1, None, 1, "broken", "gap"),
    ], "that of June is due when any account has a balance of June"
    unjudged = come_to(engine, stated(), bookings, balances)
    assert {row["outcome"] for row in unjudged} == {"met", "unchecked"}


def test_an_account_is_reconciled_if_no_day_of_it_is_broken(engine):
    bookings = [
        (1, 7, MONDAY, MONDAY, Decimal(10), Decimal(10)),
        (2, 8, MONDAY, MONDAY, Decimal(10), Decimal(12)),
        (3, 8, TUESDAY, TUESDAY, Decimal(10), Decimal(30)),
        (4, 9, MONDAY, MONDAY, Decimal(1), None),
    ]
    come_to(engine, running(), bookings)
    engine.cache("reconciliation_ledger", reconcile.account_days(project_of(), running(), engine.dialect).text)
    rows = engine.run(reconcile.accounts(running()).text).to_pylist()
    told = picked(
        rows,
        "account_id",
        "days",
        "bookings",
        "breaks",
        "first_break",
        "last_break",
        "largest_difference",
        "reconciled",
    )
    assert told == [
        (7, 1, 1, 0, None, None, None, True),
        (8, 2, 2, 2, MONDAY, TUESDAY, 8, False),
        (9, 1, 1, 0, None, None, None, False),
    ]
    assert rows[1]["broken_since"].replace(tzinfo=None) == datetime(2024, 3, 4)


# Against plain Python

AMOUNTS = st.sampled_from(money("0.10", "-0.10", "5", "-5", "7.05", "-12.3", "20"))
#: What a recorded balance is off by: mostly nothing, now and then within the tolerance or beyond it.
OFF = st.sampled_from(money(*["0"] * 8, "0.11", "-0.1", "0.12", "5", "-40"))
BOOKED = st.lists(st.tuples(st.integers(1, 2), st.integers(0, 5), AMOUNTS, OFF, st.booleans()), min_size=1, max_size=16)


@pytest.fixture(scope="module")
def duck():
    opened = DuckDBEngine(EngineSettings(memory="1GB", threads=1))
    yield opened
    opened.close()


@given(booked=BOOKED, shuffle=st.randoms(use_true_random=False), opening=st.sampled_from(["zero", "unknown"]))
@settings(max_examples=60)
def test_running_balances_come_to_what_plain_python_says(duck, booked, shuffle, opening):
    bookings, held = [], defaultdict(Decimal)
    for account, day, moved, off, has_balance in sorted(booked, key=lambda row: row[:2]):
        held[account] += moved
        when = MONDAY + timedelta(days=day)
        bookings.append((account, when, when, moved, held[account] + off if has_balance else None))
    keys = list(range(len(bookings)))
    shuffle.shuffle(keys)
    bookings = [(key, *row) for key, row in zip(keys, bookings, strict=True)]
    found = come_to(duck, running(opening=opening), bookings)
    names = ("account_id", "ledger_day", "opening", "net", "balance", "outcome")
    assert picked(found, *names) == running_by_hand(bookings, opening, Decimal("0.11"))


def running_by_hand(bookings, opening, most):
    """The order-free rule, account by account: a day is met by any of its balances; the nearest one is shown."""
    days = defaultdict(list)
    for key, account, day, _, moved, balance in bookings:
        days[account, day].append((key, moved, balance))
    carried, found = {}, []
    for account, day in sorted(days):
        rows = sorted(days[account, day])
        begun = carried.get(account, Decimal(0) if opening == "zero" else None)
        net = sum(moved for _, moved, _ in rows)
        balances = [balance for _, _, balance in rows if balance is not None]
        last = balances[-1] if balances else None
        if begun is None:
            carried[account], shown, outcome = last, last, "opened"
        elif not balances:
            carried[account], shown, outcome = begun + net, None, "unchecked"
        else:
            shown = min(balances, key=lambda balance: (abs(balance - begun - net), balance))
            is_met = abs(shown - begun - net) <= most
            carried[account], outcome = (shown, "met") if is_met else (last, "broken")
        found.append((account, day, begun, net, shown, outcome))
    return found


STATED = st.lists(st.tuples(st.integers(1, 2), st.integers(0, 7), OFF), max_size=12, unique_by=lambda row: row[:2])


@given(booked=BOOKED, balances=STATED, opening=st.sampled_from(["zero", "unknown"]), every=st.sampled_from(["", "day"]))
@settings(max_examples=60)
def test_balances_of_their_own_come_to_what_plain_python_says(duck, booked, balances, opening, every):
    bookings = [
        (key, account, MONDAY, MONDAY + timedelta(days=day), moved, None)
        for key, (account, day, moved, *_) in enumerate(booked)
    ]
    given_balances = [(1, MONDAY + timedelta(days=8), Decimal(0))]
    for account, day, off in balances:
        when = MONDAY + timedelta(days=day)
        held = sum((row[4] for row in bookings if row[1] == account and row[3] <= when), Decimal(0))
        given_balances.append((account, when, held + off))
    found = come_to(duck, stated(opening=opening, every=every, day="posted_on"), bookings, given_balances)
    names = ("account_id", "ledger_day", "opening", "net", "balance", "outcome", "missing_balances")
    assert picked(found, *names) == stated_by_hand(bookings, given_balances, opening, every)


def stated_by_hand(bookings, balances, opening, every):
    found, last_day = [], max(day for _, day, _ in balances)
    for account in sorted({row[1] for row in bookings} | {row[0] for row in balances}):
        moves = sorted((row[3], row[4]) for row in bookings if row[1] == account and row[3] <= last_day)
        stated_days = sorted((day, held) for other, day, held in balances if other == account)
        begun, before, off = (Decimal(0) if opening == "zero" else None), None, None
        for day, held in [*stated_days, (None, None)]:
            mine = [(on, m) for on, m in moves if (before is None or on > before) and (day is None or on <= day)]
            if day is None and not mine:
                continue
            net, shown = sum((m for _, m in mine), Decimal(0)), day or max(on for on, _ in mine)
            missing = 0
            if every == "day" and before is not None:
                missing = (shown - before).days - (day is not None)
            elif every == "day" and mine and (day is None or opening == "zero"):
                missing = (shown - mine[0][0]).days + (day is None)
            difference = None if held is None or begun is None else held - begun - net
            if difference is not None and off is not None and difference != 0 and difference + off == 0:
                outcome, off = "met", None
            else:
                off = difference or None
                outcome = "opened" if begun is None else "unchecked" if held is None else "broken" if off else "met"
            found.append((account, shown, begun, net, held, "broken" if missing else outcome, missing))
            begun, before = held, shown
    return found
