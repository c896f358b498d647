"""Labels: did an eligible customer churn in the horizon after the gap.

 eligible at t               t      gap
 ────────────────────────────┊···········[ label_start ······· churn event? ······· label_end )───►
                                          everything is read as it was known at label_end

No row where the question has no answer: the horizon ends after the data, the customer left within the gap,
or the event can't be measured. After femr's labelers and RelBench's churn tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from typing import Any

from tenure.define.churn import Activity, ChurnDefinition
from tenure.define.dialect import Dialect
from tenure.define.event_base import Event, event_kinds
from tenure.define.events import AllOf, AnyOf, BalanceDecline, Closure, Inactivity, ProductClosure
from tenure.define.project import Project
from tenure.define.shape import ByKind
from tenure.errors import CensoredHorizon
from tenure.sql.conditions import condition
from tenure.sql.dialects import WHOLE
from tenure.sql.expressions import (
    after,
    all_of,
    any_of,
    at_least,
    before,
    call,
    case,
    cast,
    days_earlier,
    each_of,
    either,
    grouped,
    is_null,
    named,
    null_if,
    of,
    times,
)
from tenure.sql.query import Column, Cte, Join, Query, Select
from tenure.tables.visible import dates_relation, readable_columns, same, visible_at, within

#: The columns of `dates`: the snapshot's date, and the instants that it begins, that the horizon begins and ends.
_DATES = ("snapshot_date", "t", "label_start", "label_end")


@dataclass(frozen=True)
class Question:
    """A churn definition of a project in one dialect, and how many of its events have a CTE of their own so far."""

    project: Project
    churn: ChurnDefinition
    dialect: Dialect
    _numbers: Iterator[int] = field(default_factory=lambda: count(1), init=False, repr=False, compare=False)

    @property
    def row(self) -> tuple[str, ...]:
        """The key of a customer at a snapshot."""
        return (*self.project.entity.keys, "snapshot_date")

    def cte(self, name: str) -> str:
        """Return the name of a CTE that no other event has."""
        return f"{name}_{next(self._numbers)}"


@dataclass(frozen=True)
class EventSql:
    """An event in SQL: its three-valued expression over `eligible AS e`, and the CTEs and joins that it needs."""

    happens: str
    ctes: list[Cte] = field(default_factory=list, kw_only=True)
    joins: list[Join] = field(default_factory=list, kw_only=True)


def label_dates(churn: ChurnDefinition, dates: Sequence[date], data_end: date) -> list[tuple[date, date, date]]:
    """Return (snapshot_date, label_start, label_end) of every snapshot whose horizon ends within the data.

    `data_end` is the first day that the data do not cover. Raises CensoredHorizon if no snapshot is left.
    """
    spans = [(t, t + timedelta(days=churn.gap), t + timedelta(days=churn.gap + churn.horizon)) for t in dates]
    whole = [span for span in spans if span[2] <= data_end]
    if not whole:
        raise CensoredHorizon(
            f"churn definition '{churn.name}' looks {churn.gap} + {churn.horizon} days ahead, but the data end "
            f"before {data_end} and the first snapshot is {min(dates)}: every label would be censored "
            f"({churn.where_defined}).",
            hint="Shorten the horizon or the gap, or begin the snapshots earlier ([snapshots] first).",
        )
    return whole


def generate_churn_label(
    project: Project, churn: ChurnDefinition, dialect: Dialect, dates: Sequence[date], data_end: date
) -> Select:
    """Return one row per eligible (customer, snapshot_date): label_start, label_end (DATE) and churned (0 or 1).

    Raises CensoredHorizon if the data end before the first snapshot's horizon does.
    """
    keys, question = project.entity.keys, Question(project, churn, dialect)
    days = [(t, t, start, end) for t, start, end in label_dates(churn, dates, data_end)]
    # The CTEs of whom is asked are numbered on their own.
    asked = _eligible_customers(Question(project, churn, dialect))
    event = _event(question, churn.event)
    answered = Query(
        columns=each_of("e", (*question.row, "label_start", "label_end")),
        lines=[Column(event.happens, "churns")],
        source="eligible",
        alias="e",
        joins=event.joins,
    )
    labelled = Query(
        ctes=[
            Cte("dates", "snapshots whose horizon ends within the data", dates_relation(_DATES, days)),
            *asked,
            *event.ctes,
            Cte("answered", "eligible customers with the answer, null where it can't be told", answered),
        ],
        columns=[
            *question.row,
            named(cast("label_start", "DATE"), "label_start"),
            named(cast("label_end", "DATE"), "label_end"),
        ],
        lines=[Column(cast(case(when="churns", then=1, otherwise=0), "INTEGER"), "churned")],
        source="answered",
        where="churns IS NOT NULL",
        order_by=["snapshot_date", *keys],
    )
    return labelled.as_table("labels", reads=["snapshots", project.entity.source, *churn.reads])


def eligible(project: Project, churn: ChurnDefinition, dialect: Dialect, snapshot_date: date) -> Select:
    """Return the keys of whom the churn question is asked at one snapshot, whatever the future holds: whom to score."""
    question = Question(project, churn, dialect)
    asked = Query(
        ctes=[
            Cte("dates", "the snapshot", dates_relation(_DATES, [(snapshot_date,) * len(_DATES)])),
            *_eligible_customers(question),
        ],
        columns=question.row,
        source="eligible",
        order_by=project.entity.keys,
    )
    known_before = [rows.source for rows in churn.rows if rows.before_snapshot]
    return asked.as_table("eligible", reads=["snapshots", project.entity.source, *known_before])


def _eligible_customers(question: Question) -> list[Cte]:
    """Return the CTEs that end in `eligible`: whom the churn question is asked of at each snapshot.

    Customers at t with the minimum tenure, active before t if the definition says so, not gone within the gap.
    """
    churn, row = question.churn, question.row
    ctes: list[Cte] = []
    joins = [Join("dates", alias="d", on="d.snapshot_date = s.snapshot_date")]
    if churn.active:
        ctes.append(_active_before(question, churn.active))
        joins.append(Join("active_before", alias="a", on=same(row, "a", "s")))
    for event in churn.events:
        if event.asks_only:
            cte, join = _ASKED_OF.of(event)(question, event)
            ctes.append(cte)
            joins.append(join)
    eligible = Query(
        columns=[*each_of("s", row), "d.t", "d.label_start", "d.label_end", "o.closed"],
        source="snapshots",
        alias="s",
        joins=[*joins, Join("outcome", alias="o", on=same(row, "o", "s"), kind="LEFT")],
        where=[
            at_least("s.tenure_days", churn.min_tenure),
            any_of("o.closed IS NULL", "o.closed >= d.label_start"),
        ],
    )
    of_age = f"customers of at least {churn.min_tenure} days, not gone within the gap"
    return [*ctes, _outcome(question), Cte("eligible", of_age, eligible)]


def _active_before(question: Question, active: Activity) -> Cte:
    span = [within(days_earlier("d.t", active.within), "d.t"), visible_at("d.t")]
    return Cte(
        "active_before",
        f"customers with activity in the {active.within} days before t",
        _rows_in(question, active.source, active.where, span),
    )


def _outcome(question: Question) -> Cte:
    customers = question.project.sources[question.project.entity.source]
    closed = of("r", customers.ends) if customers.ends else cast("NULL", "TIMESTAMP")
    outcome = Query(
        columns=[*each_of("r", question.project.entity.keys), "d.snapshot_date", named(closed, "closed")],
        source=customers.name,
        alias="r",
        joins=[Join("dates", alias="d", on=visible_at("d.label_end"))],
    )
    return Cte("outcome", "each customer's closing time, if any, as known when the horizon ended", outcome)


#: Of those that are asked of some customers only: the CTE of these, and its join to `snapshots AS s`.
_ASKED_OF: ByKind[Callable[[Question, Any], tuple[Cte, Join]]] = ByKind("churn event with asks_only")

#: What each class of event is in SQL. One without any is refused as soon as this module is imported.
_SQL_OF: ByKind[Callable[[Question, Any], EventSql]] = ByKind("churn event")


def _event(question: Question, event: Event) -> EventSql:
    """Return the event in SQL, over `eligible AS e`."""
    return _SQL_OF.of(event)(question, event)


@_SQL_OF.register(AnyOf)
def _any_of(question: Question, event: AnyOf) -> EventSql:
    return _joined(any_of, [_event(question, part) for part in event.events])


@_SQL_OF.register(AllOf)
def _all_of(question: Question, event: AllOf) -> EventSql:
    return _joined(_all_of_them, [_event(question, part) for part in event.events])


def _all_of_them(*conditions: str) -> str:
    return grouped(all_of(*conditions))


def _joined(operator: Callable[..., str], parts: Sequence[EventSql]) -> EventSql:
    return EventSql(
        operator(*(part.happens for part in parts)),
        ctes=[cte for part in parts for cte in part.ctes],
        joins=[join for part in parts for join in part.joins],
    )


@_SQL_OF.register(Closure)
def _closed(_question: Question, _event: Closure) -> EventSql:
    return EventSql(grouped(all_of("e.closed IS NOT NULL", "e.closed < e.label_end")))


@_SQL_OF.register(Inactivity)
def _inactive(question: Question, event: Inactivity) -> EventSql:
    name = question.cte("active")
    span = [within("d.label_start", "d.label_end"), visible_at("d.label_end")]
    cte = Cte(
        name,
        f"customers with activity in {event.source} within the horizon",
        _rows_in(question, event.source, event.where, span),
    )
    happens = grouped(is_null(of(name, "snapshot_date")))
    return EventSql(happens, ctes=[cte], joins=[_left_join(question, name)])


@_SQL_OF.register(BalanceDecline)
def _declined(question: Question, event: BalanceDecline) -> EventSql:
    name = question.cte("balances")
    amount = of("r", event.of)
    if question.project.sources[event.source].column(event.of).type == "integer":
        amount = cast(amount, WHOLE[question.dialect])  # Spark would add them up in 64 bits, and begin anew beyond
    group = [*each_of("r", question.project.entity.keys), "d.snapshot_date"]
    balances = Query(
        columns=group,
        lines=[
            Column(_mean_where("r.event_time < d.t", amount), "mean_before"),
            Column(_mean_where("r.event_time >= d.label_start", amount), "mean_after"),
        ],
        source=event.source,
        alias="r",
        joins=[
            Join(
                "dates",
                alias="d",
                on=[
                    within(days_earlier("d.t", event.baseline), "d.label_end"),
                    visible_at("d.label_end"),
                    *_own_condition(question, event.source, event.where),
                ],
            )
        ],
        group_by=group,
    )
    cte = Cte(name, f"mean {event.of} in the {event.baseline} days before t and in the horizon", balances)
    mean_before, mean_after = each_of(name, ("mean_before", "mean_after"))
    fell = before(mean_after, times(event.below, mean_before))
    happens = grouped(case(when=after(mean_before, 0), then=fell))
    return EventSql(happens, ctes=[cte], joins=[_left_join(question, name)])


def _mean_where(condition: str, amount: str) -> str:
    """The mean of some rows' amounts as a DOUBLE, null of none; on two lines."""
    counted = case(when=condition, then=amount)
    total = cast(call("SUM", counted), "DOUBLE")
    return f"{total}\n    / {null_if(call('COUNT', counted), 0)}"


@_SQL_OF.register(ProductClosure)
def _product_closed(question: Question, event: ProductClosure) -> EventSql:
    name = question.cte("kept")
    cte = Cte(
        name,
        f"customers with an open row of {event.source} when the horizon ends",
        _open_at(question, event, "d.label_end"),
    )
    stays = either("e.closed IS NULL", "e.closed >= e.label_end")
    happens = grouped(case(when=stays, then=is_null(of(name, "snapshot_date"))))
    return EventSql(happens, ctes=[cte], joins=[_left_join(question, name)])


@_ASKED_OF.register(ProductClosure)
def _product_holders(question: Question, event: ProductClosure) -> tuple[Cte, Join]:
    name = question.cte("holders")
    cte = Cte(name, f"customers with an open row of {event.source} at t", _open_at(question, event, "d.t"))
    return cte, Join(name, on=same(question.row, name, "s"))


def _open_at(question: Question, event: ProductClosure, instant: str) -> Query:
    """Customers with a row that began before the instant and did not end before it, as known then."""
    ends = of("r", question.project.sources[event.source].ends)
    is_open = all_of(before("r.event_time", instant), any_of(is_null(ends), at_least(ends, instant)))
    return _rows_in(question, event.source, event.where, [is_open, visible_at(instant)])


_SQL_OF.require(event_kinds(), place="_SQL_OF of tenure/tables/labels.py")


def _left_join(question: Question, name: str) -> Join:
    """The join of an event's CTE to `eligible AS e`, which keeps customers without a row of it."""
    return Join(name, on=same(question.row, name, "e"), kind="LEFT")


def _rows_in(question: Question, source: str, where: str, span: list[str]) -> Query:
    """The (customer, snapshot) pairs with a row in the span that meets the definition's own condition."""
    return Query(
        distinct=True,
        columns=[*each_of("r", question.project.entity.keys), "d.snapshot_date"],
        source=source,
        alias="r",
        joins=[Join("dates", alias="d", on=[*span, *_own_condition(question, source, where)])],
    )


def _own_condition(question: Question, source: str, where: str) -> list[str]:
    """The bank's own condition on a source's rows in parentheses, if it has one."""
    if not where:
        return []
    names = readable_columns(question.project.sources[source])
    asked_by = f"churn definition '{question.churn.name}' ({question.churn.where_defined})"
    return [grouped(condition(where, names, question.dialect, relation="r", asked_by=asked_by))]
