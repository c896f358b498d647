"""Reconcile: bookings against balances, an account and day a row, whatever the order of bookings within a day.

           Monday: opens at 0       Tuesday: opens at 70
bookings   +100, −30                −20, +5
balances   −30 (of −30), 70 (of +100)    75, 55 (of −20)
           0 + 70 = 70: met         70 − 15 = 55: met

A day is met if its opening and its bookings add up to one of its balances; the next day opens with that. After a break
it opens with the balance of the last row by time and key, so that a break is not carried on.
"""

from __future__ import annotations

from dataclasses import replace

from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.define.reconciliation import Reconciliation
from tenure.sql.expressions import (
    after,
    all_of,
    any_of,
    before,
    call,
    case,
    cases_in_lines,
    cast,
    coalesce,
    count_where,
    each_of,
    equal,
    is_null,
    named,
    of,
    over_partitions,
    text_literal,
)
from tenure.sql.query import Column, Cte, Join, Query, Select
from tenure.tables.ledger import SAID, Ledger, booked
from tenure.tables.running_balances import of_running_balances
from tenure.tables.stated_balances import of_stated_balances
from tenure.tables.visible import same


def account_days(project: Project, defined: Reconciliation, dialect: Dialect) -> Select:
    """Return a row per account and day that is held against a balance, in order: the account's columns, ledger_day,
    bookings, opening, net, expected, balance, difference (balance − expected), outcome, missing_balances, kind of a
    break, and known_time, since when all of it is known.

    Raises InvalidDefinition or UnknownColumn for a `credit` that is no condition on a booking.
    """
    ledger = Ledger(project, defined, dialect)
    made = Query(
        ctes=[*_held_against(ledger), *_explained(ledger)],
        columns=each_of("o", ledger.accounts),
        lines=[
            *each_of("o", SAID),
            Column(_kind(ledger), "break_kind", "what the break looks like"),
            Column(cast("o.known_time", "TIMESTAMP"), "known_time"),
        ],
        source="held_against",
        alias="o",
        joins=[Join("explained_breaks", alias="e", on=same(ledger.day, "e", "o"), kind="LEFT")],
        order_by=each_of("o", ledger.day),
    )
    return made.as_table(f"reconciliation/{defined.name}", reads=defined.reads)


def _held_against(ledger: Ledger) -> list[Cte]:
    """Return the CTEs that end in `held_against`: each account and day beside what it came to."""
    are = "as they are known at each snapshot" if ledger.seen_at else "as they stand now"
    steps = of_stated_balances if ledger.defined.balances else of_running_balances
    return [Cte("ledger_bookings", f"bookings {are}, each with what it moves", booked(ledger)), *steps(ledger)]


def broken_accounts(project: Project, defined: Reconciliation, dialect: Dialect, *, seen_at: str, until: str) -> Query:
    """Return the accounts with a break, by snapshot: the account's columns and snapshot_date.

    It reads relation `dates`, whose instants are `seen_at` and `until`, such as d.label_end: the rows that are known at
    the one are held against each other, and breaks count of the days before the other.

        ──────[ day ─ break? )──────┊ until ····· seen_at ┊
         rows with known_time < seen_at <= known_until

    So a booking that comes later, or is corrected later, changes nothing.
    """
    ledger = Ledger(project, defined, dialect, seen_at)
    before_end = before("o.ledger_day", cast(until, "DATE"))
    return Query(
        ctes=_held_against(ledger),
        distinct=True,
        columns=each_of("o", ledger.accounts),
        source="held_against",
        alias="o",
        joins=[Join("dates", alias="d", on=[same(ledger.snapshot, "d", "o"), before_end])],
        where="o.outcome = 'broken'",
    )


def accounts(defined: Reconciliation) -> Select:
    """Return a row per account, in order: its days, bookings and breaks, the first and the last break, the largest
    difference, whether it is reconciled, and since when a break of it is known.
    """
    is_broken = equal("outcome", text_literal("broken"))
    breaks = count_where(is_broken)
    has_balance = after(call("COUNT", "balance"), 0)
    made = Query(
        columns=list(defined.accounts),
        lines=[
            Column("COUNT(*)", "days"),
            Column(cast("SUM(bookings)", "BIGINT"), "bookings"),
            Column(breaks, "breaks"),
            Column("MIN(ledger_day)", "first_day"),
            Column("MAX(ledger_day)", "last_day"),
            Column(call("MIN", case(when=is_broken, then="ledger_day")), "first_break"),
            Column(call("MAX", case(when=is_broken, then="ledger_day")), "last_break"),
            Column(call("MAX", case(when=is_broken, then="ABS(difference)")), "largest_difference"),
            Column(all_of(equal(breaks, 0), has_balance), "reconciled", "no break, and a balance to hold it against"),
            Column(call("MIN", case(when=is_broken, then="known_time")), "broken_since"),
        ],
        source=defined.days_relation,
        group_by=list(defined.accounts),
        order_by=list(defined.accounts),
    )
    return made.as_table(f"reconciled_accounts/{defined.name}", reads=[defined.days_relation])


def worst(defined: Reconciliation, most: int) -> Select:
    """Return the breaks with the largest differences, those without a balance last: all that is stored of them."""
    return _worst(defined, most).as_table(f"{defined.name}_worst", reads=[defined.days_relation])


def _worst(defined: Reconciliation, most: int) -> Query:
    said = [name for name in SAID if name != "outcome"]
    size = coalesce(call("ABS", "difference"), -1)
    return Query(
        columns=[*defined.accounts, *said, "break_kind"],
        source=defined.days_relation,
        where="outcome = 'broken'",
        order_by=[f"{size} DESC", *defined.accounts, "ledger_day"],
        limit=most,
    )


def bookings_of_worst(project: Project, defined: Reconciliation, dialect: Dialect, most: int) -> Select:
    """Return the bookings that the worst breaks count, by account, day and order: the account's columns, ledger_day of
    the break, booked_on, the booking's key, moved and, where bookings carry it, balance_after.
    """
    ledger = Ledger(project, defined, dialect)
    source = ledger.bookings
    keys = [name for name in source.keys if name not in defined.accounts]
    with_keys = replace(booked(ledger), columns=each_of("r", (*defined.accounts, *keys)))
    after_day = coalesce("w.from_day", "DATE '0001-01-01'")
    counted = [same(defined.accounts, "b", "w"), f"b.ledger_day > {after_day}", "b.ledger_day <= w.ledger_day"]
    made = Query(
        ctes=[
            Cte("broken_days", "the breaks with the largest differences", _worst(defined, most)),
            Cte("ledger_bookings", "bookings as they stand now, each with what it moves", with_keys),
        ],
        columns=[*each_of("w", ledger.day), "b.ledger_day AS booked_on", *each_of("b", keys), "b.moved"],
        lines=[] if defined.balances else ["b.balance_after"],
        source="broken_days",
        alias="w",
        joins=[Join("ledger_bookings", alias="b", on=counted)],
        order_by=[*each_of("w", ledger.day), "b.place"],
    )
    return made.as_table(f"{defined.name}_worst_bookings", reads=[defined.days_relation, source.name])


# What a break looks like


def _explained(ledger: Ledger) -> list[Cte]:
    """Return the CTEs that end in `explained`: which bookings would explain the difference of each break."""
    beyond = coalesce("o.from_day", "DATE '0001-01-01'")
    joined = [
        *(equal(of("b", name), of("o", name)) for name in ledger.accounts),
        f"b.ledger_day > {beyond}",
        "b.ledger_day <= o.to_day",
    ]
    twins = over_partitions("COUNT(*)", [*each_of("o", ledger.day), "b.ledger_day", "b.moved"], ["b.moved"])
    beside = Query(
        columns=[*each_of("o", ledger.day), "o.difference", "b.moved"],
        lines=[named("b.ledger_day <= o.ledger_day", "counts"), named(twins, "twins")],
        source="held_against",
        alias="o",
        joins=[Join("ledger_bookings", alias="b", on=joined)],
        where="o.outcome = 'broken'",
    )

    def any_booking(*conditions: str) -> str:
        return equal(call("MAX", case(when=all_of(*conditions), then=1, otherwise=0)), 1)

    not_held = ledger.is_near("difference + moved")
    explained = Query(
        columns=ledger.day,
        lines=[
            Column(any_booking("counts", ledger.is_near("difference + 2 * moved")), "has_other_sign"),
            Column(any_booking("counts", not_held), "is_not_held"),
            Column(any_booking("counts", "twins > 1", not_held), "stands_twice"),
            Column(any_booking("NOT counts", ledger.is_near("difference - moved")), "is_held_early"),
        ],
        source="beside_bookings",
        group_by=ledger.day,
    )
    return [
        Cte(
            "beside_bookings",
            "each break with the bookings that it counts, and those up to what makes up for it",
            beside,
        ),
        Cte("explained_breaks", "whether a booking alone explains the difference of a break", explained),
    ]


def _kind(ledger: Ledger) -> str:
    moved_away = coalesce(any_of("e.is_not_held", "e.is_held_early"), "FALSE")
    within = any_of(is_null("o.difference"), ledger.is_near("o.difference"))
    kinds = [
        ("o.outcome <> 'broken'", "NULL"),
        (within, text_literal("gap")),
        (all_of("o.is_undone", moved_away), text_literal("other_day")),
        ("o.is_undone", text_literal("wrong_balance")),
        ("e.has_other_sign", text_literal("sign")),
        ("e.stands_twice", text_literal("duplicate")),
        ("e.is_not_held", text_literal("extra")),
        ("o.is_after_break", text_literal("after_break")),
        ("o.missing_balances > 0", text_literal("gap")),
        ("o.is_first", text_literal("opening")),
    ]
    return cases_in_lines(kinds, otherwise=text_literal("missing"))
