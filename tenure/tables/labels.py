"""Labels: did an eligible customer churn in the horizon after the gap.

 eligible at t               t      gap
 ────────────────────────────┊···········[ label_start ······· churn event? ······· label_end )───►
                       everything is read as it was known `wait` days after label_end, when its rows have arrived

No row where the question has no answer: the horizon ends after the data or its rows have not arrived, the customer left
within the gap or in another way than the definition counts, or the event can't be measured. After femr's labelers and
RelBench's churn tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain, count
from typing import Any

from tenure.define.churn import Activity, ChurnDefinition
from tenure.define.dialect import Dialect
from tenure.define.event_base import Event, event_kinds
from tenure.define.events import AllOf, AnyOf, BalanceDecline, Closure, Inactivity, ProductClosure
from tenure.define.project import Project
from tenure.define.shape import ByKind
from tenure.define.value_type import INTEGER, ValueType
from tenure.sql.conditions import names_read
from tenure.sql.dialects import WHOLE, as_text, op
from tenure.sql.expressions import (
    after,
    all_of,
    any_of,
    at_least,
    before,
    call,
    case,
    cases,
    cast,
    coalesce,
    concatenated,
    days_earlier,
    days_later,
    each_of,
    either,
    grouped,
    is_not_null,
    is_null,
    named,
    negated,
    null_if,
    of,
    over_partitions,
    text_literal,
    times,
)
from tenure.sql.query import Column, Cte, Join, Query, Select
from tenure.tables.conditions import condition_on
from tenure.tables.label_spans import LabelSpan, Outage, label_spans
from tenure.tables.long_decimals import mean_of_decimals
from tenure.tables.reconcile import broken_accounts
from tenure.tables.visible import dates_relation, same, visible_at, within

#: The columns of `dates`: the snapshot's date, and the instants that it begins, that the horizon begins and ends, and
#: that the answer is read.
DATES = ("snapshot_date", "t", "label_start", "label_end", "answered")

#: The relation of the keys of customers who objected: it is handed over by whoever runs the SELECT, and in no lake.
SUPPRESSED = "suppressed"

#: The condition that a row was known when the answer is read.
_KNOWN = visible_at("d.answered")


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
    """An event in SQL: its three-valued expression over `eligible AS e`, and the CTEs and joins that it needs.

    `moment` is when it happened, of the rows for which it did; '' of an event that has no moment.
    """

    happens: str
    moment: str = field(default="", kw_only=True)
    ctes: list[Cte] = field(default_factory=list, kw_only=True)
    joins: list[Join] = field(default_factory=list, kw_only=True)


def generate_churn_label(
    project: Project,
    churn: ChurnDefinition,
    dialect: Dialect,
    dates: Sequence[date],
    data_end: date,
    outages: Sequence[Outage] = (),
) -> Select:
    """Return one row per eligible (customer, snapshot_date): label_start, label_end (DATE), churned (0 or 1) and
    `definition`, the churn definition's name.

    None for snapshots whose horizon meets one of the `outages`. Raises CensoredHorizon if no snapshot is left.
    """
    keys, question = project.entity.keys, Question(project, churn, dialect)
    spans = label_spans(project, churn, dates, data_end, outages)
    event = event_sql(question, churn.event)
    answered = Query(
        columns=each_of("e", (*question.row, "label_start", "label_end")),
        lines=[Column(event.happens, "churns")],
        source="eligible",
        alias="e",
        joins=event.joins,
    )
    labelled = Query(
        ctes=[
            Cte("dates", "snapshots whose horizon ends within the data", dates_of(spans)),
            *asked_ctes(project, churn, dialect),
            *event.ctes,
            Cte("answered", "eligible customers with the answer, null where it can't be told", answered),
        ],
        columns=[
            *question.row,
            named(cast("label_start", "DATE"), "label_start"),
            named(cast("label_end", "DATE"), "label_end"),
        ],
        lines=[
            Column(cast(case(when="churns", then=1, otherwise=0), "INTEGER"), "churned"),
            Column(text_literal(churn.name), "definition"),
        ],
        source="answered",
        where="churns IS NOT NULL",
        order_by=["snapshot_date", *keys],
    )
    return labelled.as_table("labels", reads=[*asked_of(project), *churn.reads])


def eligible(project: Project, churn: ChurnDefinition, dialect: Dialect, snapshot_date: date) -> Select:
    """Return the keys of whom the churn question is asked at one snapshot, whatever the future holds: whom to score."""
    question = Question(project, churn, dialect)
    asked = Query(
        ctes=[
            Cte("dates", "the snapshot", dates_relation(DATES, [(snapshot_date,) * len(DATES)])),
            *_get_eligible_customers(question),
        ],
        columns=question.row,
        source="eligible",
        order_by=project.entity.keys,
    )
    known_before = [rows.source for rows in churn.rows if rows.before_snapshot]
    return asked.as_table("eligible", reads=[*asked_of(project), *known_before])


def asked_ctes(project: Project, churn: ChurnDefinition, dialect: Dialect) -> list[Cte]:
    """Return the CTEs, after `dates`, that end in `eligible`: whom the question is asked of, numbered on their own."""
    return _get_eligible_customers(Question(project, churn, dialect))


def asked_of(project: Project) -> tuple[str, ...]:
    """Return the relations that tell whom any churn question is asked of."""
    return ("snapshots", project.entity.source, *([SUPPRESSED] if project.suppresses else []))


def _get_eligible_customers(question: Question) -> list[Cte]:
    """Return the CTEs that end in `eligible`: whom the churn question is asked of at each snapshot.

    Customers at t with the minimum tenure, active before t if the definition says so, not gone within the gap, who are
    not on the list of those who objected.
    """
    columns = [*each_of("s", question.row), *each_of("d", DATES[1:]), "o.closed"]
    ctes, eligible = _to_ask(question, columns)
    of_age = f"customers of at least {question.churn.min_tenure} days, not gone within the gap"
    if question.churn.ends_counted:
        eligible = replace(eligible, where=[*eligible.where, _ENDED_AS_COUNTED])
        of_age += " or in another way"
    return [*ctes, Cte("eligible", of_age, eligible)]


#: The condition that no end before label_end is another than the definition counts.
_ENDED_AS_COUNTED = any_of("o.closed IS NULL", "o.closed >= d.label_end", coalesce("o.is_counted", "FALSE"))


def ended_otherwise(question: Question, spans: Sequence[LabelSpan]) -> list[Cte]:
    """Return the CTEs that end in `ended_otherwise`: the key, snapshot_date and end_reason of who has no label for it.

    Of those of whom the question would be asked had they not ended in a way that the definition does not count.
    """
    ctes, asked = _to_ask(question, [*each_of("s", question.row), "o.end_reason"])
    gone = replace(asked, where=[*asked.where, negated(_ENDED_AS_COUNTED)])
    summary = "customers of whom the question would be asked, had they not ended in another way"
    return [
        Cte("dates", "snapshots whose labels have an answer", dates_of(spans)),
        *ctes,
        Cte("ended_otherwise", summary, gone),
    ]


def _to_ask(question: Question, columns: list[str]) -> tuple[list[Cte], Query]:
    """Return the query of whom to ask, however they ended, after the CTEs that it reads."""
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
    where = [at_least("s.tenure_days", churn.min_tenure), any_of("o.closed IS NULL", "o.closed >= d.label_start")]
    if question.project.suppresses:
        keys = question.project.entity.keys
        joins.append(
            Join(SUPPRESSED, alias="x", on=same(keys, "x", "s"), kind="LEFT", comment="customers who objected")
        )
        where.append(is_null(of("x", keys[0])))
    asked = Query(
        columns=columns,
        source="snapshots",
        alias="s",
        joins=[*joins, Join("outcome", alias="o", on=same(row, "o", "s"), kind="LEFT")],
        where=where,
    )
    return [*ctes, _outcome(question)], asked


def dates_of(spans: Sequence[LabelSpan]) -> Query:
    """Return the relation `dates`: a literal row a snapshot."""
    days = [(span.snapshot_date, span.snapshot_date, span.start, span.end, span.answered) for span in spans]
    return dates_relation(DATES, days)


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
    columns = [*each_of("r", question.project.entity.keys), "d.snapshot_date", named(closed, "closed")]
    counted = [_own_condition(question, customers.name, where)[0] for where in question.churn.ends_counted]
    if counted:
        columns += [named(any_of(*counted), "is_counted"), named(_end_reason(question), "end_reason")]
    outcome = Query(
        columns=columns,
        source=customers.name,
        alias="r",
        joins=[Join("dates", alias="d", on=_KNOWN)],
    )
    return Cte("outcome", "each customer's closing time, if any, as known when the answer is read", outcome)


def _end_reason(question: Question) -> str:
    """What the row says in the columns that decide whether its end counts, as a text."""
    read = [names_read(where, question.dialect) for where in question.churn.ends_counted]
    texts = [coalesce(as_text(of("r", name), question.dialect), "'none'") for name in dict.fromkeys(chain(*read))]
    return concatenated(texts, ", ")


#: Of those that are asked of some customers only: the CTE of these, and its join to `snapshots AS s`.
_ASKED_OF: ByKind[Callable[[Question, Any], tuple[Cte, Join]]] = ByKind("churn event with asks_only")

#: What each class of event is in SQL. One without any is refused as soon as this module is imported.
_SQL_OF: ByKind[Callable[[Question, Any], EventSql]] = ByKind("churn event")


def event_sql(question: Question, event: Event) -> EventSql:
    """Return the event in SQL, over `eligible AS e`."""
    return _SQL_OF.of(event)(question, event)


@_SQL_OF.register(AnyOf)
def _any_of(question: Question, event: AnyOf) -> EventSql:
    return _joined(any_of, "LEAST", [event_sql(question, part) for part in event.events])


@_SQL_OF.register(AllOf)
def _all_of(question: Question, event: AllOf) -> EventSql:
    return _joined(_all_of_them, "GREATEST", [event_sql(question, part) for part in event.events])


def _all_of_them(*conditions: str) -> str:
    return grouped(all_of(*conditions))


def _joined(operator: Callable[..., str], moment: str, parts: Sequence[EventSql]) -> EventSql:
    moments = [case(when=part.happens, then=part.moment) for part in parts if part.moment]
    return EventSql(
        operator(*(part.happens for part in parts)),
        moment=call(moment, *moments) if len(moments) == len(parts) else "",
        ctes=[cte for part in parts for cte in part.ctes],
        joins=[join for part in parts for join in part.joins],
    )


#: When a customer closed, as an instant: the column may be of days.
_CLOSED = cast("e.closed", "TIMESTAMP")


@_SQL_OF.register(Closure)
def _closed(question: Question, event: Closure) -> EventSql:
    if not event.where and event.winback == "stays":
        return EventSql(grouped(all_of("e.closed IS NOT NULL", "e.closed < e.label_end")), moment=_CLOSED)
    customers = question.project.sources[question.project.entity.source]
    closing = of("r", customers.ends)
    is_known = before("r.known_time", "d.answered") if event.winback == "leaves" else _KNOWN
    span = [at_least(closing, "d.label_start"), before(closing, "d.label_end"), is_known]
    name = question.cte("ended")
    even_if = ", even if open again" if event.winback == "leaves" else ""
    ended = _rows_in(question, customers.name, event.where, span)
    cte = Cte(name, f"customers who ended within the horizon{even_if}", ended)
    happens = grouped(is_not_null(of(name, "snapshot_date")))
    # Of a customer who is open again the row that counts says no end any more.
    moment = "" if event.winback == "leaves" else _CLOSED
    return EventSql(happens, moment=moment, ctes=[cte], joins=[_left_join(question, name)])


@_SQL_OF.register(Inactivity)
def _inactive(question: Question, event: Inactivity) -> EventSql:
    if event.days is not None:
        return _silent_for(question, event, event.days)
    name = question.cte("active")
    span = [within("d.label_start", "d.label_end"), _KNOWN]
    cte = Cte(
        name,
        f"customers with activity in {event.source} within the horizon",
        _rows_in(question, event.source, event.where, span),
    )
    happens = grouped(is_null(of(name, "snapshot_date")))
    return EventSql(happens, ctes=[cte], joins=[_left_join(question, name)])


def _silent_for(question: Question, event: Inactivity, days: int) -> EventSql:
    """A row ──── days without one ────▒ the moment at which the silence is complete, if it lies in the span."""
    keys = question.row
    moment = Query(
        columns=[*each_of("r", question.project.entity.keys), "d.snapshot_date"],
        lines=[
            Column(days_later("r.event_time", days), "complete"),
            Column(over_partitions(call("LEAD", "r.event_time"), _row_of("r", question), ["r.event_time"]), "next_one"),
        ],
        source=event.source,
        alias="r",
        joins=[
            Join(
                "dates",
                alias="d",
                on=[
                    within(days_earlier("d.t", days), "d.label_end"),
                    _KNOWN,
                    *_own_condition(question, event.source, event.where),
                ],
            )
        ],
    )
    rows, silence = question.cte("rows_before_silence"), question.cte("silence")
    is_silent = any_of("next_one IS NULL", after("next_one", "complete"))
    first = call("MIN", case(when=is_silent, then="complete"))
    silences = Query(columns=keys, lines=[Column(first, "complete")], source=rows, group_by=keys)
    ctes = [
        Cte(rows, f"rows of {event.source}, with when {days} days have passed and when the next one came", moment),
        Cte(silence, f"when each customer's first silence of {days} days is complete, null where none is", silences),
    ]
    complete = of(silence, "complete")
    # A silence that completes within the gap has no answer; nor has a customer without any row, silent all along.
    happens = cases(
        [
            (all_of(at_least(complete, "e.label_start"), before(complete, "e.label_end")), "TRUE"),
            (all_of(is_not_null(of(silence, "snapshot_date")), _not_by(complete, "e.label_end")), "FALSE"),
        ]
    )
    return EventSql(grouped(happens), moment=complete, ctes=ctes, joins=[_left_join(question, silence)])


def _not_by(moment: str, end: str) -> str:
    """The condition that a moment does not come before an end."""
    return any_of(is_null(moment), at_least(moment, end))


def _row_of(relation: str, question: Question) -> list[str]:
    """A customer at a snapshot, as the columns of rows joined to `dates AS d`."""
    return [*each_of(relation, question.project.entity.keys), "d.snapshot_date"]


@_ASKED_OF.register(Inactivity)
def _not_silent_yet(question: Question, event: Inactivity) -> tuple[Cte, Join]:
    days = event.days or 0
    name = question.cte("heard_from")
    span = [within(days_earlier("d.t", days), "d.t"), visible_at("d.t")]
    summary = f"customers with a row of {event.source} in the {days} days before t"
    cte = Cte(name, summary, _rows_in(question, event.source, event.where, span))
    return cte, Join(name, on=same(question.row, name, "s"))


@_SQL_OF.register(BalanceDecline)
def _declined(question: Question, event: BalanceDecline) -> EventSql:
    name, broken = question.cte("balances"), _broken_accounts(question, event)
    amount, type_ = of("r", event.of), question.project.sources[event.source].column(event.of).value_type
    if type_ == INTEGER:
        amount = cast(amount, WHOLE[question.dialect])  # Spark would add them up in 64 bits, and begin anew beyond
    group = [*each_of("r", question.project.entity.keys), "d.snapshot_date"]
    balances = Query(
        columns=group,
        lines=[
            Column(_mean_where("r.event_time < d.t", amount, type_, question.dialect), "mean_before"),
            Column(_mean_where("r.event_time >= d.label_start", amount, type_, question.dialect), "mean_after"),
        ],
        source=event.source,
        alias="r",
        joins=[
            Join(
                "dates",
                alias="d",
                on=[
                    within(days_earlier("d.t", event.baseline), "d.label_end"),
                    _KNOWN,
                    *_own_condition(question, event.source, event.where),
                    *map(is_not_null, each_of("r", event.ledger.accounts if event.ledger else ())),
                ],
            ),
            *_of_whole_accounts(event, broken),
        ],
        group_by=group,
    )
    cte = Cte(name, f"mean {event.of} in the {event.baseline} days before t and in the horizon", balances)
    mean_before, mean_after = each_of(name, ("mean_before", "mean_after"))
    fell = before(mean_after, times(event.below, mean_before))
    happens = grouped(case(when=after(mean_before, 0), then=fell))
    return EventSql(happens, ctes=[*broken, cte], joins=[_left_join(question, name)])


def _broken_accounts(question: Question, event: BalanceDecline) -> list[Cte]:
    """The CTE of the accounts whose rows don't count, if the event asks for reconciled ones."""
    if event.ledger is None:
        return []
    seen = {"seen_at": "d.answered", "until": "d.label_end"}
    found = broken_accounts(question.project, event.ledger, question.dialect, **seen)
    said = f"accounts of which '{event.ledger.name}' finds a break before the horizon ends, when the answer is read"
    return [Cte(question.cte("broken_accounts"), said, found)]


def _of_whole_accounts(event: BalanceDecline, broken: Sequence[Cte]) -> list[Join]:
    """The join of rows to the accounts whose rows don't count, which leaves those out."""
    if event.ledger is None:
        return []
    (cte,) = broken
    is_broken = [same(event.ledger.accounts, cte.name, "r"), same(("snapshot_date",), cte.name, "d")]
    return [Join(cte.name, kind="ANTI", on=is_broken)]


def _mean_where(condition: str, amount: str, type_: ValueType, dialect: Dialect) -> str:
    """The mean of some rows' amounts as a DOUBLE, null of none; on two lines but of long decimals."""
    counted = case(when=condition, then=amount)
    if type_.is_long:
        listed_ = op("or_empty", dialect, op("list_of_rows", dialect, counted))
        return mean_of_decimals(listed_, type_, dialect)
    total = cast(call("SUM", counted), "DOUBLE")
    return f"{total}\n    / {null_if(call('COUNT', counted), 0)}"


@_SQL_OF.register(ProductClosure)
def _product_closed(question: Question, event: ProductClosure) -> EventSql:
    name = question.cte("kept")
    cte = Cte(
        name,
        f"customers with an open row of {event.source} when the horizon ends",
        _open_at(question, event, "d.label_end", _KNOWN),
    )
    stays = either("e.closed IS NULL", "e.closed >= e.label_end")
    happens = grouped(case(when=stays, then=is_null(of(name, "snapshot_date"))))
    return EventSql(happens, ctes=[cte], joins=[_left_join(question, name)])


@_ASKED_OF.register(ProductClosure)
def _product_holders(question: Question, event: ProductClosure) -> tuple[Cte, Join]:
    name = question.cte("holders")
    cte = Cte(
        name, f"customers with an open row of {event.source} at t", _open_at(question, event, "d.t", visible_at("d.t"))
    )
    return cte, Join(name, on=same(question.row, name, "s"))


def _open_at(question: Question, event: ProductClosure, instant: str, is_known: str) -> Query:
    """Customers with a row that began before the instant and did not end before it, of those known."""
    ends = of("r", question.project.sources[event.source].ends)
    is_open = all_of(before("r.event_time", instant), any_of(is_null(ends), at_least(ends, instant)))
    return _rows_in(question, event.source, event.where, [is_open, is_known])


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
    asked_by = f"churn definition '{question.churn.name}' ({question.churn.where_defined})"
    return [grouped(condition_on(question.project.sources[source], where, question.dialect, asked_by=asked_by))]
