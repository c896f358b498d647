"""Reconcile: bookings against balances, an account and day a row, whatever the order of bookings within a day.

           Monday: opens at 0       Tuesday: opens at 70
bookings   +100, −30                −20, +5
balances   −30 (of −30), 70 (of +100)    75, 55 (of −20)
           0 + 70 = 70: met         70 − 15 = 55: met

A day is met if its opening and its bookings add up to one of its balances; the next day opens with that. After a break
it opens with the balance of the last row by time and key, so that a break is not carried on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.define.reconciliation import Reconciliation
from tenure.define.source import Source
from tenure.sql.arithmetic import Number
from tenure.sql.conditions import condition
from tenure.sql.dialects import op
from tenure.sql.expressions import (
    after,
    all_of,
    any_of,
    at_most,
    call,
    case,
    cases,
    cases_in_lines,
    cast,
    coalesce,
    count_where,
    each_of,
    equal,
    grouped,
    is_not_null,
    is_null,
    listed,
    named,
    negated,
    of,
    over_partitions,
    text_literal,
)
from tenure.sql.query import Column, Cte, Join, Query, Select, union_all
from tenure.tables.finish import in_steps, struct
from tenure.tables.visible import readable_columns, same

#: The type that money is added up in.
MONEY = "DECIMAL(38, 2)"

#: What every form says of an account and day, in order, behind the account's columns.
_SAID = (
    "ledger_day",
    "bookings",
    "opening",
    "net",
    "expected",
    "balance",
    "difference",
    "outcome",
    "from_day",
    "missing_balances",
)


@dataclass(frozen=True)
class _Ledger:
    """A reconciliation of a project in one dialect, with what its SELECTs ask for again and again."""

    project: Project
    defined: Reconciliation
    dialect: Dialect

    @property
    def accounts(self) -> tuple[str, ...]:
        return self.defined.accounts

    @property
    def day(self) -> tuple[str, ...]:
        """The key of an account and day."""
        return (*self.accounts, "ledger_day")

    @property
    def bookings(self) -> Source:
        return self.project.sources[self.defined.bookings]

    @property
    def balances(self) -> Source:
        return self.project.sources[self.defined.balances]

    @property
    def most_apart(self) -> str:
        return cast(self.defined.most_apart, MONEY)

    @property
    def begins(self) -> str:
        """What an account's first day opens with."""
        return cast(0 if self.defined.opening == "zero" else "NULL", MONEY)

    def is_near(self, distance: str) -> str:
        """Whether a distance is within the tolerance."""
        return at_most(call("ABS", distance), self.most_apart)

    def in_order(self, function: str) -> str:
        """A window function over the days of an account."""
        return over_partitions(function, self.accounts, ["ledger_day"])


def account_days(project: Project, defined: Reconciliation, dialect: Dialect) -> Select:
    """Return a row per account and day that is held against a balance, in order: the account's columns, ledger_day,
    bookings, opening, net, expected, balance, difference (balance − expected), outcome, missing_balances, kind of a
    break, and known_time, since when all of it is known.

    Raises InvalidDefinition or UnknownColumn for a `credit` that is no condition on a booking.
    """
    ledger = _Ledger(project, defined, dialect)
    steps = _of_balances(ledger) if defined.balances else _of_running_balances(ledger)
    made = Query(
        ctes=[
            Cte("ledger_bookings", "bookings as they stand now, each with what it moves", _booked(ledger)),
            *steps,
            *_explained(ledger),
        ],
        columns=each_of("o", ledger.accounts),
        lines=[
            *each_of("o", _SAID),
            Column(_kind(ledger), "break_kind", "what the break looks like"),
            Column(cast("o.known_time", "TIMESTAMP"), "known_time"),
        ],
        source="held_against",
        alias="o",
        joins=[Join("explained_breaks", alias="e", on=same(ledger.day, "e", "o"), kind="LEFT")],
        order_by=each_of("o", ledger.day),
    )
    return made.as_table(f"reconciliation/{defined.name}", reads=defined.reads)


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
    said = [name for name in _SAID if name != "outcome"]
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
    ledger = _Ledger(project, defined, dialect)
    source = ledger.bookings
    keys = [name for name in source.keys if name not in defined.accounts]
    booked = replace(_booked(ledger), columns=each_of("r", (*defined.accounts, *keys)))
    after_day = coalesce("w.from_day", "DATE '0001-01-01'")
    counted = [same(defined.accounts, "b", "w"), f"b.ledger_day > {after_day}", "b.ledger_day <= w.ledger_day"]
    made = Query(
        ctes=[
            Cte("broken_days", "the breaks with the largest differences", _worst(defined, most)),
            Cte("ledger_bookings", "bookings as they stand now, each with what it moves", booked),
        ],
        columns=[*each_of("w", ledger.day), "b.ledger_day AS booked_on", *each_of("b", keys), "b.moved"],
        lines=[] if defined.balances else ["b.balance_after"],
        source="broken_days",
        alias="w",
        joins=[Join("ledger_bookings", alias="b", on=counted)],
        order_by=[*each_of("w", ledger.day), "b.place"],
    )
    return made.as_table(f"{defined.name}_worst_bookings", reads=[defined.days_relation, source.name])


def _booked(ledger: _Ledger) -> Query:
    """Each booking, in its newest version, with its day and what it moves."""
    defined, source = ledger.defined, ledger.bookings
    amount = coalesce(cast(of("r", defined.amount), MONEY), 0)
    moved = amount
    if defined.credit:
        columns = readable_columns(source)
        asked_by = f"reconciliation '{defined.name}' ({defined.where_defined})"
        is_credit = condition(defined.credit, columns, ledger.dialect, relation="r", asked_by=asked_by)
        moved = case(when=is_credit, then=amount, otherwise=f"-{amount}")
    day = of("r", defined.day or "event_time")
    place = struct(_place(source), ledger.dialect)
    own_balance = [] if defined.balances else [named(cast(of("r", defined.balance), MONEY), "balance_after")]
    return Query(
        columns=each_of("r", ledger.accounts),
        lines=[
            named(cast(day, "DATE"), "ledger_day"),
            Column(cast(moved, MONEY), "moved"),
            *own_balance,
            Column(place, "place", "the order of rows: by time, then by key"),
            "r.known_time",
        ],
        source=source.name,
        alias="r",
        where=["r.known_until IS NULL", *map(is_not_null, (*each_of("r", ledger.accounts), day))],
    )


def _place(source: Source) -> list[tuple[str, object]]:
    """What orders rows: the event time, and the key."""
    return [("at", "r.event_time"), *((f"k{number}", of("r", key)) for number, key in enumerate(source.keys))]


# A balance on each booking


def _of_running_balances(ledger: _Ledger) -> list[Cte]:
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


def _by_day(ledger: _Ledger) -> Query:
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


def _with_day_before(ledger: _Ledger) -> Query:
    return Query(
        columns=[*ledger.day, "bookings", "net", "low", "high", "last_balance", "balances", "known_time"],
        lines=[
            named(ledger.in_order("ROW_NUMBER()"), "number"),
            named(ledger.in_order("LAG(low)"), "low_before"),
            named(ledger.in_order("LAG(high)"), "high_before"),
        ],
        source="ledger_days",
    )


def _in_chains(ledger: _Ledger) -> Query:
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


def _chains(ledger: _Ledger) -> Query:
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


def _walked(ledger: _Ledger) -> Query:
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


def _openings(ledger: _Ledger) -> Query:
    return Query(
        columns=[*ledger.accounts, "walked_day.d AS ledger_day", "walked_day.o AS opening"],
        source="walked_chains",
        where="walked_day.d IS NOT NULL",
    )


def _opened_days(ledger: _Ledger) -> Query:
    carried = ("number", "bookings", "net", "low", "high", "last_balance", "balances", "known_time")
    return Query(
        columns=each_of("c", (*ledger.day, *carried)),
        lines=[named(case(when="c.is_sure", then="c.sure_opening", otherwise="o.opening"), "opening")],
        source="in_chains",
        alias="c",
        joins=[Join("chain_openings", alias="o", on=same(ledger.day, "o", "c"), kind="LEFT")],
    )


def _nearest(ledger: _Ledger) -> Query:
    nearest = of(_nearest_of("balances", "(opening + net)", ledger.dialect), "b")
    balance = cases([("opening IS NULL", "last_balance"), ("low = high", "low")], otherwise=nearest)
    return Query(
        columns=[*ledger.day, "number", "bookings", "opening", "net", "balances", "known_time"],
        lines=[named(balance, "balance")],
        source="opened_days",
    )


def _judged(ledger: _Ledger) -> Query:
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


def _beside_day_before(ledger: _Ledger) -> Query:
    columns = ("number", "bookings", "opening", "net", "expected", "balance", "difference", "outcome", "known_time")
    return Query(
        columns=[*ledger.day, *columns, "balances"],
        lines=[
            named(ledger.in_order(f"LAG({name})"), f"{name}_before") for name in ("ledger_day", "outcome", "balance")
        ],
        source="judged_days",
    )


def _held_against_bookings(ledger: _Ledger) -> Query:
    """Would a day be met that opened with the balance which was nearest on the broken day before?"""
    near = _nearest_of("balances", "(balance_before + net)", ledger.dialect)
    again = all_of(equal("outcome_before", text_literal("broken")), ledger.is_near(of(near, "far")))
    return Query(
        columns=[*ledger.accounts, *_SAID[:-2], named(cast(0, "BIGINT"), "missing_balances"), "known_time"],
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


# Balances in a table of their own


def _of_balances(ledger: _Ledger) -> list[Cte]:
    """Return the CTEs that end in `held_against`, where balances stand in a table of their own."""
    return [
        Cte("stated_balances", "balances as they stand now, each of the end of its day", _stated(ledger)),
        Cte(
            "last_stated",
            "the last day of which any account has a balance",
            Query(columns=[named("MAX(ledger_day)", "last_day")], source="stated_balances"),
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


def _stated(ledger: _Ledger) -> Query:
    last = struct(
        {"place": struct(_place(ledger.balances), ledger.dialect), "b": of("r", ledger.defined.balance)}, ledger.dialect
    )
    balance = of(grouped(call("MAX", last)), "b")
    day = cast("r.event_time", "DATE")
    return Query(
        columns=each_of("r", ledger.accounts),
        lines=[
            named(day, "ledger_day"),
            named(cast(balance, MONEY), "balance"),
            named("MAX(r.known_time)", "known_time"),
        ],
        source=ledger.defined.balances,
        alias="r",
        where=["r.known_until IS NULL", *map(is_not_null, each_of("r", (*ledger.accounts, ledger.defined.balance)))],
        group_by=[*each_of("r", ledger.accounts), day],
    )


def _booked_and_stated(ledger: _Ledger) -> Query:
    """Bookings after the last day that has a balance are left out: theirs is not due."""
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
        joins=[Join("last_stated", alias="l", on="b.ledger_day <= l.last_day")],
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


def _until_balance(ledger: _Ledger) -> Query:
    has_balance = call("MIN", case(when="balance IS NOT NULL", then="ledger_day"))
    return Query(
        columns=[*ledger.day, "bookings", "net", "balance", "known_time"],
        lines=[named(over_partitions(has_balance, ledger.accounts, ["ledger_day DESC"]), "balance_day")],
        source="ledger_days",
    )


def _spans(ledger: _Ledger) -> Query:
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


def _opened_spans(ledger: _Ledger) -> Query:
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


def _judged_spans(ledger: _Ledger) -> Query:
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


def _missing_balances(ledger: _Ledger) -> str:
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


def _in_turn(ledger: _Ledger) -> Query:
    """A balance makes up for a break before it if what was there too much is now missing, or the other way round."""
    makes_up = all_of(
        negated(grouped(ledger.is_near("difference"))),
        negated(grouped(ledger.is_near("difference_before"))),
        ledger.is_near("difference + difference_before"),
    )
    makes_up = coalesce(makes_up, "FALSE")
    turns = ledger.in_order(call("SUM", case(when=makes_up, then=0, otherwise=1)))
    columns = ("number", "from_day", *_SAID[1:7], "missing_balances", "known_time")
    return Query(columns=[*ledger.day, *columns], lines=[named(turns, "turn")], source="judged_days")


def _told_apart(ledger: _Ledger) -> Query:
    """Of breaks that make up for each other in turn the first, the third, the fifth are breaks."""
    place = over_partitions("ROW_NUMBER()", [*ledger.accounts, "turn"], ["ledger_day"])
    columns = ("number", "from_day", *_SAID[1:7], "missing_balances", "known_time")
    return Query(columns=[*ledger.day, *columns], lines=[named(f"{place} % 2 = 0", "undoes")], source="in_turn")


def _held_against_balances(ledger: _Ledger) -> Query:
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
        columns=[*ledger.day, *_SAID[1:7], named(outcome, "outcome"), "missing_balances", "from_day"],
        lines=[
            Column(case(when="balance IS NOT NULL", then="known_time"), "known_time"),
            named("number = 1", "is_first"),
            named("FALSE", "is_after_break"),
            named(is_undone, "is_undone"),
            named(to_day, "to_day"),
        ],
        source="told_apart",
    )


# What a break looks like


def _explained(ledger: _Ledger) -> list[Cte]:
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


def _kind(ledger: _Ledger) -> str:
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
