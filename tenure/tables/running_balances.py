"""Running balances: each day of an account with what it opens with, where each booking carries the balance after it.

one balance on the day before ──► it opens the day, met or not: a chain begins here
several                       ──► the one that met opens the day: the chain is walked, day by day
"""

from __future__ import annotations

from tenure.define.dialect import Dialect
from tenure.sql.arithmetic import Number
from tenure.sql.dialects import op
from tenure.sql.expressions import (
    all_of,
    any_of,
    call,
    case,
    cases,
    cast,
    coalesce,
    each_of,
    equal,
    grouped,
    is_not_null,
    listed,
    named,
    of,
    text_literal,
)
from tenure.sql.query import Column, Cte, Join, Query
from tenure.tables.finish import in_steps, struct
from tenure.tables.ledger import MONEY, SAID, Ledger
from tenure.tables.visible import same


def of_running_balances(ledger: Ledger) -> list[Cte]:
    """Return the CTEs that end in `held_against`, where each booking carries the balance after it."""
    return [
        Cte("ledger_days", "each account and day with its balances", _by_day(ledger)),
        Cte("with_day_before", "each day with the balances of the account's day before", _with_day_before(ledger)),
        Cte("in_chains", "days in chains, each of which begins where the opening is sure", _in_chains(ledger)),
        Cte("ledger_chains", "the days of each chain as a list, in order", _chains(ledger)),
        Cte("walked_chains", "each chain walked: every day opens with what met the day before", _walked(ledger)),
        Cte("chain_openings", "what the days behind the first of a chain open with", _openings(ledger)),
        Cte("opened_days", "each day with what it opens with", _opened_days(ledger)),
        Cte("nearest_balances", "each day with the balance that is nearest to what is expected", _nearest(ledger)),
        Cte("judged_days", "each day with what it came to", _judged(ledger)),
        Cte("beside_day_before", "each day beside the account's day before", _beside_day_before(ledger)),
        Cte(
            "held_against",
            "each day, and whether it is broken only since the day before is",
            _held_against_bookings(ledger),
        ),
    ]


def _by_day(ledger: Ledger) -> Query:
    dialect = ledger.dialect
    last = struct({"place": "place", "b": "balance_after"}, dialect)
    last = call("MAX", case(when=is_not_null("balance_after"), then=last))
    return Query(
        columns=ledger.day,
        lines=[
            named("COUNT(*)", "bookings"),
            named(cast("SUM(moved)", MONEY), "net"),
            named("MIN(balance_after)", "low"),
            named("MAX(balance_after)", "high"),
            Column(of(grouped(last), "b"), "last_balance", "that of the last row by time and key"),
            named(op("list_of_rows", dialect, "balance_after"), "balances"),
            named("MAX(known_time)", "known_time"),
        ],
        source="ledger_bookings",
        group_by=ledger.day,
    )


def _with_day_before(ledger: Ledger) -> Query:
    return Query(
        columns=[*ledger.day, "bookings", "net", "low", "high", "last_balance", "balances", "known_time"],
        lines=[
            named(ledger.in_order("ROW_NUMBER()"), "number"),
            named(ledger.in_order("LAG(low)"), "low_before"),
            named(ledger.in_order("LAG(high)"), "high_before"),
        ],
        source="ledger_days",
    )


def _in_chains(ledger: Ledger) -> Query:
    """A day whose account has one balance the day before opens with that, whether it met or not."""
    is_sure = any_of(equal("number", 1), coalesce(equal("low_before", "high_before"), "FALSE"))
    return Query(
        columns=[*ledger.day, "bookings", "net", "low", "high", "last_balance", "balances", "known_time", "number"],
        lines=[
            named(is_sure, "is_sure"),
            named(case(when="number = 1", then=ledger.begins, otherwise="low_before"), "sure_opening"),
            Column(ledger.in_order(call("SUM", case(when=is_sure, then=1, otherwise=0))), "chain"),
        ],
        source="with_day_before",
    )


def _chains(ledger: Ledger) -> Query:
    dialect = ledger.dialect
    step = struct({"d": "ledger_day", "net": "net", "b": "last_balance", "l": "balances"}, dialect)
    return Query(
        columns=[*ledger.accounts, "chain"],
        lines=[
            named(call("MAX", case(when="is_sure", then="sure_opening")), "begins"),
            named(op("sorted", dialect, op("list_of_rows", dialect, step)), "steps"),
        ],
        source="in_chains",
        group_by=[*ledger.accounts, "chain"],
        having="COUNT(*) > 1",
    )


def _walked(ledger: Ledger) -> Query:
    """Each chain as a list of days, {d: day, o: opening, c: closing}, whose first member is what it begins with."""
    dialect = ledger.dialect
    none = cast("NULL", "DATE")
    start = op("list_of_one", dialect, struct({"d": none, "o": "begins", "c": "begins"}, dialect))
    before = of(op("member", dialect, "acc", Number(op("length", dialect, "acc")) - 1), "c")
    wanted = cast(f"{before} + el.net", MONEY)
    near = _nearest_of("el.l", wanted, dialect)
    closing = case(when=ledger.is_near("it.far"), then="it.b", otherwise=coalesce("el.b", wanted))
    day = struct({"d": "el.d", "o": before, "c": in_steps(near, [closing], dialect)}, dialect)
    added = op("concatenated", dialect, listed(["acc", op("list_of_one", dialect, day)]))
    return Query(
        columns=ledger.accounts,
        lines=[named(op("members", dialect, op("folded", dialect, "steps", start, added)), "walked_day")],
        source="ledger_chains",
    )


def _nearest_of(balances: str, wanted: str, dialect: Dialect) -> str:
    """The balance of a list that is nearest to the one wanted, {far: its distance, b: itself}; of two, the lower."""
    distance = struct({"far": call("ABS", cast(f"el_b - {wanted}", MONEY)), "b": "el_b"}, dialect)
    return op("member", dialect, op("sorted", dialect, op("each", dialect, balances, "el_b", distance)), "0")


def _openings(ledger: Ledger) -> Query:
    return Query(
        columns=[*ledger.accounts, "walked_day.d AS ledger_day", "walked_day.o AS opening"],
        source="walked_chains",
        where="walked_day.d IS NOT NULL",
    )


def _opened_days(ledger: Ledger) -> Query:
    carried = ("number", "bookings", "net", "low", "high", "last_balance", "balances", "known_time")
    return Query(
        columns=each_of("c", (*ledger.day, *carried)),
        lines=[named(case(when="c.is_sure", then="c.sure_opening", otherwise="o.opening"), "opening")],
        source="in_chains",
        alias="c",
        joins=[Join("chain_openings", alias="o", on=same(ledger.day, "o", "c"), kind="LEFT")],
    )


def _nearest(ledger: Ledger) -> Query:
    nearest = of(_nearest_of("balances", "(opening + net)", ledger.dialect), "b")
    balance = cases([("opening IS NULL", "last_balance"), ("low = high", "low")], otherwise=nearest)
    return Query(
        columns=[*ledger.day, "number", "bookings", "opening", "net", "balances", "known_time"],
        lines=[named(balance, "balance")],
        source="opened_days",
    )


def _judged(ledger: Ledger) -> Query:
    outcome = cases(
        [
            ("opening IS NULL", text_literal("opened")),
            ("balance IS NULL", text_literal("unchecked")),
            (ledger.is_near("balance - (opening + net)"), text_literal("met")),
        ],
        otherwise=text_literal("broken"),
    )
    return Query(
        columns=[*ledger.day, "number", "bookings", "opening", "net", "balance", "balances", "known_time"],
        lines=[
            named(cast("opening + net", MONEY), "expected"),
            named(cast("balance - (opening + net)", MONEY), "difference"),
            named(outcome, "outcome"),
        ],
        source="nearest_balances",
    )


def _beside_day_before(ledger: Ledger) -> Query:
    columns = ("number", "bookings", "opening", "net", "expected", "balance", "difference", "outcome", "known_time")
    return Query(
        columns=[*ledger.day, *columns, "balances"],
        lines=[
            named(ledger.in_order(f"LAG({name})"), f"{name}_before") for name in ("ledger_day", "outcome", "balance")
        ],
        source="judged_days",
    )


def _held_against_bookings(ledger: Ledger) -> Query:
    """Would a day be met that opened with the balance which was nearest on the broken day before?"""
    near = _nearest_of("balances", "(balance_before + net)", ledger.dialect)
    again = all_of(equal("outcome_before", text_literal("broken")), ledger.is_near(of(near, "far")))
    return Query(
        columns=[*ledger.accounts, *SAID[:-2], named(cast(0, "BIGINT"), "missing_balances"), "known_time"],
        lines=[
            named("number = 1", "is_first"),
            Column(
                case(when=equal("outcome", text_literal("broken")), then=again, otherwise="FALSE"), "is_after_break"
            ),
            named("FALSE", "is_undone"),
            named("ledger_day_before", "from_day"),
            named("ledger_day", "to_day"),
        ],
        source="beside_day_before",
    )
