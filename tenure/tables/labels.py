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

from tenure.define.churn import ChurnDefinition
from tenure.define.events import (
    AllOf,
    AnyOf,
    BalanceDecline,
    Closure,
    Event,
    Inactivity,
    ProductClosure,
    event_kinds,
)
from tenure.define.project import Project
from tenure.define.shape import ByKind
from tenure.errors import CensoredHorizon
from tenure.sql import Dialect, Select, condition, with_ctes
from tenure.tables.finish import WHOLE
from tenure.tables.visible import (
    dates_relation,
    days_before,
    qualified,
    readable_columns,
    same,
    visible_at,
    within,
)

Cte = tuple[str, str, str]


@dataclass(frozen=True)
class Question:
    """A churn definition of a project in one dialect, and how many of its events have a CTE of their own so far."""

    project: Project
    churn: ChurnDefinition
    dialect: Dialect
    _numbers: Iterator[int] = field(default_factory=lambda: count(1), init=False, repr=False, compare=False)

    def cte(self, name: str) -> str:
        """Return the name of a CTE that no other event has."""
        return f"{name}_{next(self._numbers)}"


@dataclass(frozen=True)
class EventSql:
    """An event in SQL: its three-valued expression over `eligible AS e`, and the CTEs and joins that it needs."""

    happens: str
    ctes: list[Cte] = field(default_factory=list, kw_only=True)
    joins: list[str] = field(default_factory=list, kw_only=True)


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
    spans = label_dates(churn, dates, data_end)
    ctes: list[Cte] = [
        (
            "dates",
            "snapshots whose horizon ends within the data",
            dates_relation(("snapshot_date", "t", "label_start", "label_end"), [(d, d, s, e) for d, s, e in spans]),
        ),
        *_get_eligible_customers(project, churn, dialect),
    ]
    event = _event(question, churn.event)
    ctes += event.ctes
    answered = (
        f"SELECT {qualified(keys, 'e')}, e.snapshot_date, e.label_start, e.label_end,\n    {event.happens} AS churns\n"
        "FROM eligible AS e" + "".join(event.joins)
    )
    ctes.append(("answered", "eligible customers with the answer, null where it can't be told", answered))
    final = (
        f"SELECT {', '.join(keys)}, snapshot_date, CAST(label_start AS DATE) AS label_start, "
        "CAST(label_end AS DATE) AS label_end,\n    CAST(CASE WHEN churns THEN 1 ELSE 0 END AS INTEGER) AS churned\n"
        f"FROM answered\nWHERE churns IS NOT NULL\nORDER BY snapshot_date, {', '.join(keys)}"
    )
    reads = dict.fromkeys(("snapshots", project.entity.source, *churn.reads))
    return Select("labels", with_ctes(ctes, final), tuple(reads))


def eligible(project: Project, churn: ChurnDefinition, dialect: Dialect, snapshot_date: date) -> Select:
    """Return the keys of whom the churn question is asked at one snapshot, whatever the future holds: whom to score."""
    keys = project.entity.keys
    day = [(snapshot_date,) * 4]
    ctes: list[Cte] = [
        ("dates", "the snapshot", dates_relation(("snapshot_date", "t", "label_start", "label_end"), day)),
        *_get_eligible_customers(project, churn, dialect),
    ]
    final = f"SELECT {', '.join(keys)}, snapshot_date\nFROM eligible\nORDER BY {', '.join(keys)}"
    told = [rows.source for rows in churn.rows if rows.before_snapshot]
    reads = dict.fromkeys(["snapshots", project.entity.source, *told])
    return Select("eligible", with_ctes(ctes, final), tuple(reads))


def _get_eligible_customers(project: Project, churn: ChurnDefinition, dialect: Dialect) -> list[Cte]:
    """Return the CTEs that end in `eligible`: whom the churn question is asked of at each snapshot.

    Customers at t with the minimum tenure, active before t if the definition says so, not gone within the gap.
    """
    keys, question = project.entity.keys, Question(project, churn, dialect)
    row = (*keys, "snapshot_date")
    customers = project.sources[project.entity.source]
    ctes: list[Cte] = []
    active_join = ""
    if churn.active:
        span = within(days_before("d.t", churn.active.within), "d.t")
        known = visible_at("d.t")
        body = _rows_in(question, churn.active.source, churn.active.where, f"{span}\n  AND {known}")
        ctes.append(("active_before", f"customers with activity in the {churn.active.within} days before t", body))
        active_join = f"\nJOIN active_before AS a\n  ON {same(row, 'a', 's')}"
    held_joins = ""
    for event in churn.events:
        if event.asks_only:
            cte, join = _ASKED_OF.of(event)(question, event)
            ctes.append(cte)
            held_joins += join
    ends = f"r.{customers.ends}" if customers.ends else "CAST(NULL AS TIMESTAMP)"
    outcome = (
        f"SELECT {qualified(keys, 'r')}, d.snapshot_date, {ends} AS closed\nFROM {customers.name} AS r\n"
        f"JOIN dates AS d\n  ON {visible_at('d.label_end')}"
    )
    ctes.append(("outcome", "each customer's closing time, if any, as known when the horizon ended", outcome))
    eligible = (
        f"SELECT {qualified(row, 's')}, d.t, d.label_start, d.label_end, o.closed\nFROM snapshots AS s\n"
        f"JOIN dates AS d\n  ON d.snapshot_date = s.snapshot_date{active_join}{held_joins}\n"
        f"LEFT JOIN outcome AS o\n  ON {same(row, 'o', 's')}\n"
        f"WHERE s.tenure_days >= {churn.min_tenure}\n  AND (o.closed IS NULL OR o.closed >= d.label_start)"
    )
    ctes.append(("eligible", f"customers of at least {churn.min_tenure} days, not gone within the gap", eligible))
    return ctes


#: Of those that are asked of some customers only: the CTE of these, and its join to `snapshots AS s`.
_ASKED_OF: ByKind[Callable[[Question, Any], tuple[Cte, str]]] = ByKind("churn event with asks_only")

#: What each class of event is in SQL. One without any is refused as soon as this module is imported.
_SQL_OF: ByKind[Callable[[Question, Any], EventSql]] = ByKind("churn event")


def _event(question: Question, event: Event) -> EventSql:
    """Return the event in SQL, over `eligible AS e`."""
    return _SQL_OF.of(event)(question, event)


@_SQL_OF.register(AnyOf)
def _any_of(question: Question, event: AnyOf) -> EventSql:
    return _joined(" OR ", [_event(question, part) for part in event.events])


@_SQL_OF.register(AllOf)
def _all_of(question: Question, event: AllOf) -> EventSql:
    return _joined(" AND ", [_event(question, part) for part in event.events])


def _joined(glue: str, parts: Sequence[EventSql]) -> EventSql:
    return EventSql(
        "(" + glue.join(part.happens for part in parts) + ")",
        ctes=[cte for part in parts for cte in part.ctes],
        joins=[join for part in parts for join in part.joins],
    )


@_SQL_OF.register(Closure)
def _closed(_question: Question, _event: Closure) -> EventSql:
    return EventSql("(e.closed IS NOT NULL AND e.closed < e.label_end)")


@_SQL_OF.register(Inactivity)
def _inactive(question: Question, event: Inactivity) -> EventSql:
    name = question.cte("active")
    span = f"{within('d.label_start', 'd.label_end')}\n  AND {visible_at('d.label_end')}"
    body = _rows_in(question, event.source, event.where, span)
    row = (*question.project.entity.keys, "snapshot_date")
    join = f"\nLEFT JOIN {name}\n  ON {same(row, name, 'e')}"
    cte = (name, f"customers with activity in {event.source} within the horizon", body)
    return EventSql(f"({name}.snapshot_date IS NULL)", ctes=[cte], joins=[join])


@_SQL_OF.register(BalanceDecline)
def _declined(question: Question, event: BalanceDecline) -> EventSql:
    project, dialect = question.project, question.dialect
    name, keys = question.cte("balances"), project.entity.keys
    row = (*keys, "snapshot_date")
    before, after = days_before("d.t", event.baseline), "d.label_start"
    where = _and_where(question, event.source, event.where)
    of = f"r.{event.of}"
    if project.sources[event.source].column(event.of).type == "integer":
        of = f"CAST({of} AS {WHOLE[dialect]})"  # Spark would add them up in 64 bits, and begin anew beyond
    body = (
        f"SELECT {qualified(keys, 'r')}, d.snapshot_date,\n"
        f"    CAST(SUM(CASE WHEN r.event_time < d.t THEN {of} END) AS DOUBLE)\n"
        f"        / NULLIF(COUNT(CASE WHEN r.event_time < d.t THEN {of} END), 0) AS mean_before,\n"
        f"    CAST(SUM(CASE WHEN r.event_time >= {after} THEN {of} END) AS DOUBLE)\n"
        f"        / NULLIF(COUNT(CASE WHEN r.event_time >= {after} THEN {of} END), 0) AS mean_after\n"
        f"FROM {event.source} AS r\nJOIN dates AS d\n  ON {within(before, 'd.label_end')}\n"
        f"  AND {visible_at('d.label_end')}{where}\nGROUP BY {qualified(keys, 'r')}, d.snapshot_date"
    )
    join = f"\nLEFT JOIN {name}\n  ON {same(row, name, 'e')}"
    fell = f"{name}.mean_after < {event.below} * {name}.mean_before"
    cte = (name, f"mean {event.of} in the {event.baseline} days before t and in the horizon", body)
    return EventSql(f"(CASE WHEN {name}.mean_before > 0 THEN {fell} END)", ctes=[cte], joins=[join])


@_SQL_OF.register(ProductClosure)
def _product_closed(question: Question, event: ProductClosure) -> EventSql:
    name, row = question.cte("kept"), (*question.project.entity.keys, "snapshot_date")
    cte = (
        name,
        f"customers with an open row of {event.source} when the horizon ends",
        _open_at(question, event, "d.label_end"),
    )
    join = f"\nLEFT JOIN {name}\n  ON {same(row, name, 'e')}"
    stays = "e.closed IS NULL OR e.closed >= e.label_end"
    return EventSql(f"(CASE WHEN {stays} THEN {name}.snapshot_date IS NULL END)", ctes=[cte], joins=[join])


@_ASKED_OF.register(ProductClosure)
def _product_holders(question: Question, event: ProductClosure) -> tuple[Cte, str]:
    name, row = question.cte("holders"), (*question.project.entity.keys, "snapshot_date")
    cte = (name, f"customers with an open row of {event.source} at t", _open_at(question, event, "d.t"))
    return cte, f"\nJOIN {name}\n  ON {same(row, name, 's')}"


def _open_at(question: Question, event: ProductClosure, instant: str) -> str:
    """Customers with a row that began before the instant and did not end before it, as known then."""
    ends = f"r.{question.project.sources[event.source].ends}"
    is_open = f"r.event_time < {instant} AND ({ends} IS NULL OR {ends} >= {instant})\n  AND {visible_at(instant)}"
    return _rows_in(question, event.source, event.where, is_open)


_SQL_OF.require(event_kinds(), place="_SQL_OF of tenure/tables/labels.py")


def _rows_in(question: Question, source: str, where: str, span: str) -> str:
    keys = question.project.entity.keys
    return (
        f"SELECT DISTINCT {qualified(keys, 'r')}, d.snapshot_date\nFROM {source} AS r\nJOIN dates AS d\n  ON {span}"
        + _and_where(question, source, where)
    )


def _and_where(question: Question, source: str, where: str) -> str:
    if not where:
        return ""
    names = readable_columns(question.project.sources[source])
    asked_by = f"churn definition '{question.churn.name}' ({question.churn.where_defined})"
    return f"\n  AND ({condition(where, names, question.dialect, relation='r', asked_by=asked_by)})"
