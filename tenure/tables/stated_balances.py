"""Stated balances: bookings up to each balance of a table of balances, beside what the balances before it explain.

──balance──┊··· bookings ···┊──balance──┊··· bookings ···┊──(due, and missing)
                             opens what follows
"""

from __future__ import annotations

from tenure.sql.arithmetic import Number
from tenure.sql.dialects import op
from tenure.sql.expressions import (
    all_of,
    call,
    case,
    cases,
    cast,
    coalesce,
    each_of,
    equal,
    grouped,
    is_not_null,
    named,
    negated,
    of,
    over_partitions,
    text_literal,
)
from tenure.sql.query import Column, Cte, Join, Query, union_all
from tenure.tables.finish import struct
from tenure.tables.ledger import MONEY, SAID, Ledger, place_of
from tenure.tables.visible import same


def of_stated_balances(ledger: Ledger) -> list[Cte]:
    """Return the CTEs that end in `held_against`, where balances stand in a table of their own."""
    return [
        Cte("stated_balances", "balances as they stand now, each of the end of its day", _stated(ledger)),
        Cte(
            "last_stated",
            "the last day of which any account has a balance",
            _last_stated(ledger),
        ),
        Cte(
            "ledger_days",
            "each account and day with its bookings, and its balance if it has one",
            _booked_and_stated(ledger),
        ),
        Cte("until_balance", "each day with the next day of the account that has a balance", _until_balance(ledger)),
        Cte("balance_spans", "what was booked up to each balance; up to none where no more came", _spans(ledger)),
        Cte("opened_days", "each balance beside the one before", _opened_spans(ledger)),
        Cte(
            "judged_days", "what each came to, and whether the one after a break makes up for it", _judged_spans(ledger)
        ),
        Cte("in_turn", "how many in a row make up for the one before", _in_turn(ledger)),
        Cte("told_apart", "breaks, and what makes up for them, told apart", _told_apart(ledger)),
        Cte("held_against", "each balance beside the next one", _held_against_balances(ledger)),
    ]


def _stated(ledger: Ledger) -> Query:
    last = struct(
        {"place": struct(place_of(ledger.balances), ledger.dialect), "b": of("r", ledger.defined.balance)},
        ledger.dialect,
    )
    balance = of(grouped(call("MAX", last)), "b")
    day = cast("r.event_time", "DATE")
    accounts = ledger.accounts_of_rows
    needed = (*each_of("r", ledger.defined.accounts), of("r", ledger.defined.balance))
    return Query(
        columns=accounts,
        lines=[
            named(day, "ledger_day"),
            named(cast(balance, MONEY), "balance"),
            named("MAX(r.known_time)", "known_time"),
        ],
        source=ledger.defined.balances,
        alias="r",
        joins=ledger.seen,
        where=[*ledger.is_seen, *map(is_not_null, needed)],
        group_by=[*accounts, day],
    )


def _last_stated(ledger: Ledger) -> Query:
    last_day = named("MAX(ledger_day)", "last_day")
    return Query(columns=[*ledger.snapshot, last_day], source="stated_balances", group_by=ledger.snapshot)


def _booked_and_stated(ledger: Ledger) -> Query:
    """Bookings after the last day that has a balance are left out: theirs is not due."""
    in_snapshot = [same(ledger.snapshot, "l", "b")] if ledger.snapshot else []
    moved = Query(
        columns=[
            *each_of("b", ledger.day),
            "b.moved",
            "1 AS bookings",
            named(cast("NULL", MONEY), "balance"),
            "b.known_time",
        ],
        source="ledger_bookings",
        alias="b",
        joins=[Join("last_stated", alias="l", on=[*in_snapshot, "b.ledger_day <= l.last_day"])],
    )
    stated = Query(
        columns=[*ledger.day, named(cast(0, MONEY), "moved"), "0 AS bookings", "balance", "known_time"],
        source="stated_balances",
    )
    return Query(
        columns=ledger.day,
        lines=[
            named(cast("SUM(bookings)", "BIGINT"), "bookings"),
            named(cast("SUM(moved)", MONEY), "net"),
            named("MAX(balance)", "balance"),
            named("MAX(known_time)", "known_time"),
        ],
        source=f"(\n{union_all([moved, stated])}\n)",
        alias="both_sides",
        group_by=ledger.day,
    )


def _until_balance(ledger: Ledger) -> Query:
    has_balance = call("MIN", case(when="balance IS NOT NULL", then="ledger_day"))
    return Query(
        columns=[*ledger.day, "bookings", "net", "balance", "known_time"],
        lines=[named(over_partitions(has_balance, ledger.accounts, ["ledger_day DESC"]), "balance_day")],
        source="ledger_days",
    )


def _spans(ledger: Ledger) -> Query:
    first_booked = call("MIN", case(when="bookings > 0", then="ledger_day"))
    return Query(
        columns=ledger.accounts,
        lines=[
            named("MAX(ledger_day)", "ledger_day"),
            named(first_booked, "first_booked"),
            named(cast("SUM(bookings)", "BIGINT"), "bookings"),
            named(cast("SUM(net)", MONEY), "net"),
            named("MAX(balance)", "balance"),
            named("MAX(known_time)", "known_time"),
        ],
        source="until_balance",
        group_by=[*ledger.accounts, "balance_day"],
    )


def _opened_spans(ledger: Ledger) -> Query:
    return Query(
        columns=[*ledger.day, "first_booked", "bookings", "net", "balance", "known_time"],
        lines=[
            named(ledger.in_order("ROW_NUMBER()"), "number"),
            named(ledger.in_order("LAG(ledger_day)"), "from_day"),
            named(
                case(
                    when=equal(ledger.in_order("ROW_NUMBER()"), 1),
                    then=ledger.begins,
                    otherwise=ledger.in_order("LAG(balance)"),
                ),
                "opening",
            ),
        ],
        source="balance_spans",
    )


def _judged_spans(ledger: Ledger) -> Query:
    difference = cast("balance - (opening + net)", MONEY)
    return Query(
        columns=[*ledger.day, "number", "from_day", "bookings", "opening", "net", "balance", "known_time"],
        lines=[
            named(cast("opening + net", MONEY), "expected"),
            named(difference, "difference"),
            named(_missing_balances(ledger), "missing_balances"),
            named(ledger.in_order(f"LAG({difference})"), "difference_before"),
        ],
        source="opened_days",
    )


def _missing_balances(ledger: Ledger) -> str:
    """How many balances are missing before one, or at the end of an account's bookings; 0 where that is not judged."""
    every = ledger.defined.every
    if not every:
        return cast(0, "BIGINT")

    def apart(earlier: str) -> Number:
        if every == "day":
            return Number(op("days_between", ledger.dialect, earlier, "ledger_day"))
        months = [Number(call("YEAR", day)) * 12 + Number(call("MONTH", day)) for day in ("ledger_day", earlier)]
        return (months[0] - months[1]).grouped

    unknown = 0 if ledger.defined.opening == "unknown" else apart("first_booked")
    counted = cases(
        [
            ("balance IS NULL AND number = 1", str(apart("first_booked") + 1)),
            ("balance IS NULL", str(apart("from_day"))),
            ("number = 1", str(coalesce(unknown, 0))),
        ],
        otherwise=apart("from_day") - 1,
    )
    return cast(call("GREATEST", counted, 0), "BIGINT")


def _in_turn(ledger: Ledger) -> Query:
    """A balance makes up for a break before it if what was there too much is now missing, or the other way round."""
    makes_up = all_of(
        negated(grouped(ledger.is_near("difference"))),
        negated(grouped(ledger.is_near("difference_before"))),
        ledger.is_near("difference + difference_before"),
    )
    makes_up = coalesce(makes_up, "FALSE")
    turns = ledger.in_order(call("SUM", case(when=makes_up, then=0, otherwise=1)))
    columns = ("number", "from_day", *SAID[1:7], "missing_balances", "known_time")
    return Query(columns=[*ledger.day, *columns], lines=[named(turns, "turn")], source="judged_days")


def _told_apart(ledger: Ledger) -> Query:
    """Of breaks that make up for each other in turn the first, the third, the fifth are breaks."""
    place = over_partitions("ROW_NUMBER()", [*ledger.accounts, "turn"], ["ledger_day"])
    columns = ("number", "from_day", *SAID[1:7], "missing_balances", "known_time")
    return Query(columns=[*ledger.day, *columns], lines=[named(f"{place} % 2 = 0", "undoes")], source="in_turn")


def _held_against_balances(ledger: Ledger) -> Query:
    is_undone = coalesce(ledger.in_order("LEAD(undoes)"), "FALSE")
    outcome = cases(
        [
            ("missing_balances > 0", text_literal("broken")),
            ("opening IS NULL", text_literal("opened")),
            ("balance IS NULL", text_literal("unchecked")),
            (f"undoes OR {ledger.is_near('difference')}", text_literal("met")),
        ],
        otherwise=text_literal("broken"),
    )
    to_day = case(when=is_undone, then=ledger.in_order("LEAD(ledger_day)"), otherwise="ledger_day")
    return Query(
        columns=[*ledger.day, *SAID[1:7], named(outcome, "outcome"), "missing_balances", "from_day"],
        lines=[
            Column(case(when="balance IS NOT NULL", then="known_time"), "known_time"),
            named("number = 1", "is_first"),
            named("FALSE", "is_after_break"),
            named(is_undone, "is_undone"),
            named(to_day, "to_day"),
        ],
        source="told_apart",
    )
