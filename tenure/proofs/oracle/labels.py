"""The labels once more, in plain and slow Python, from staged rows.

Loops over every snapshot date and customer; nothing of `tenure.tables` is read, so a fault there shows as a label that
differs.

    t ── gap ──[ label_start ······ event? ······ label_end )── wait ──┊ all read as known then
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from tenure.define.churn import ChurnDefinition
from tenure.define.event_base import Event, event_kinds
from tenure.define.events import AllOf, AnyOf, BalanceDecline, Closure, Inactivity, ProductClosure
from tenure.define.shape import ByKind
from tenure.define.source import Source
from tenure.proofs.oracle.oracle import Oracle
from tenure.proofs.oracle.rules import (
    Row,
    all_true,
    any_happened,
    any_true,
    ended_before,
    happened_in,
    instant,
    key_of,
    mean,
    part_of,
    visible,
)


@dataclass(frozen=True, kw_only=True)
class LabelOracle(Oracle):
    """The oracle of snapshots and features, with the labels of `churn` whose horizon ends by `data_end`."""

    churn: ChurnDefinition
    data_end: date

    def labels(self) -> list[Row]:
        """Return one row per row of snapshots whose question has an answer."""
        found = []
        for snapshot in self.snapshots():
            row = self._label_of(Question(self, snapshot))
            if row is not None:
                found.append(row)
        return found

    def _label_of(self, question: Question) -> Row | None:
        """The label; None if it is censored, the question is not asked of the customer, or it has no answer."""
        if question.answered.date() > self.data_end or not question.is_asked:
            return None
        churned = happens(self.churn.event, question)
        if churned is None:
            return None
        row = part_of(question.snapshot, (*self.project.entity.keys, "snapshot_date"))
        span = {"label_start": question.start.date(), "label_end": question.end.date()}
        return row | span | {"churned": int(churned)}


@dataclass(frozen=True)
class Question:
    """One customer at one snapshot: t ── gap ──[ start ······ end ), and what was known of the customer then."""

    oracle: LabelOracle
    snapshot: Row

    @cached_property
    def t(self) -> datetime:
        """The instant of the snapshot."""
        return instant(self.snapshot["snapshot_date"])

    @cached_property
    def start(self) -> datetime:
        """The first instant at which the event counts."""
        return self.t + timedelta(days=self.oracle.churn.gap)

    @cached_property
    def end(self) -> datetime:
        """The instant behind the last at which the event counts."""
        return self.start + timedelta(days=self.oracle.churn.horizon)

    @cached_property
    def answered(self) -> datetime:
        """The instant that the answer is read, when the horizon's rows have arrived."""
        return self.end + timedelta(days=self.oracle.churn.wait_for(self.oracle.project.sources))

    def rows(self, source: str, where: str, *, known_at: datetime) -> list[Row]:
        """Return the customer's rows of a source that meet `where`, in the versions that an instant sees."""
        return [row for row in self.oracle.own_rows(source, self.snapshot, where) if visible(row, known_at)]

    @cached_property
    def is_asked(self) -> bool:
        """Whether the customer is eligible: old enough, active before t, not gone before the label's span."""
        churn = self.oracle.churn
        if self.snapshot["tenure_days"] < churn.min_tenure:
            return False
        if churn.active:
            known = self.rows(churn.active.source, churn.active.where, known_at=self.t)
            since = self.t - timedelta(days=churn.active.within)
            if not any_happened(known, since, self.t):
                return False
        for event in churn.events:
            if event.asks_only and not _IS_ASKED.of(event)(event, self):
                return False
        if self.closed is None:
            return True
        return self.closed >= self.start and not (self.closed < self.end and self._ended_otherwise)

    @property
    def customers(self) -> Source:
        """The customers' own source."""
        return self.oracle.project.sources[self.oracle.project.entity.source]

    @cached_property
    def closed(self) -> datetime | None:
        """The customer's closing time in the version that is known when the answer is read."""
        return next(iter(self.closings("", known_at=self.answered)), None)

    def closings(self, where: str, *, known_at: datetime) -> list[datetime]:
        """Return the closing times of the customer's own rows that meet `where`, as an instant sees them."""
        ends = self.customers.ends
        known = self.rows(self.customers.name, where, known_at=known_at) if ends else []
        return [instant(row[ends]) for row in known if row[ends] is not None]

    @property
    def _ended_otherwise(self) -> bool:
        """Whether the customer's end is none that the definition counts."""
        counted = self.oracle.churn.ends_counted
        return bool(counted) and not any(self.closings(where, known_at=self.answered) for where in counted)


#: Of those that are asked of some customers only: whether a customer is one of them.
_IS_ASKED: ByKind[Callable[[Any, Question], bool]] = ByKind("churn event with asks_only")

#: Whether each class of event happens to a customer; None where it can't be decided.
_HAPPENS: ByKind[Callable[[Any, Question], bool | None]] = ByKind("churn event")


def happens(event: Event, question: Question) -> bool | None:
    """Return whether an event happens to a customer in the label's span, None where it can't be decided."""
    return _HAPPENS.of(event)(event, question)


@_HAPPENS.register(AnyOf)
def _any_of(event: AnyOf, question: Question) -> bool | None:
    return any_true([happens(part, question) for part in event.events])


@_HAPPENS.register(AllOf)
def _all_of(event: AllOf, question: Question) -> bool | None:
    return all_true([happens(part, question) for part in event.events])


@_HAPPENS.register(Closure)
def _closes(event: Closure, question: Question) -> bool:
    closings = question.closings(event.where, known_at=question.answered)
    if event.winback == "leaves":
        # Every version counts that was ever known, not only the newest.
        own = question.oracle.own_rows(question.customers.name, question.snapshot, event.where)
        ends = question.customers.ends
        known = [row for row in own if row["known_time"] < question.answered and row[ends] is not None]
        closings = [instant(row[ends]) for row in known]
    return any(question.start <= closed < question.end for closed in closings)


@_HAPPENS.register(Inactivity)
def _is_silent(event: Inactivity, question: Question) -> bool | None:
    known = question.rows(event.source, event.where, known_at=question.answered)
    if event.days is None:
        return not any_happened(known, question.start, question.end)
    days = timedelta(days=event.days)
    moments = sorted(row["event_time"] for row in known if happened_in(row, question.t - days, question.end))
    if not moments:
        return None
    for number, moment in enumerate(moments):
        later = moments[number + 1 :]
        complete = moment + days
        if complete < question.end and not any(other <= complete for other in later):
            return True if complete >= question.start else None
    return False


@_IS_ASKED.register(Inactivity)
def _was_heard_from(event: Inactivity, question: Question) -> bool:
    """A row in [t − days, t), as known at t."""
    known = question.rows(event.source, event.where, known_at=question.t)
    return any_happened(known, question.t - timedelta(days=event.days or 0), question.t)


@_HAPPENS.register(BalanceDecline)
def _declines(event: BalanceDecline, question: Question) -> bool | None:
    """T − baseline ──[ mean before )── t ── gap ──[ mean after )── label_end."""
    known = question.rows(event.source, event.where, known_at=question.answered)
    if event.ledger:
        accounts = event.ledger.accounts
        broken = question.oracle.broken_accounts(event.ledger, question.answered, question.end.date())
        known = [row for row in known if None not in key_of(row, accounts) and key_of(row, accounts) not in broken]

    def mean_of(first: datetime, last: datetime) -> float | None:
        return mean([row[event.of] for row in known if happened_in(row, first, last) and row[event.of] is not None])

    before = mean_of(question.t - timedelta(days=event.baseline), question.t)
    after = mean_of(question.start, question.end)
    if before is None or after is None or before <= 0:
        return None
    return after < event.below * before


@_IS_ASKED.register(ProductClosure)
def _holds_at_t(event: ProductClosure, question: Question) -> bool:
    return _holds(event, question, question.t, known_at=question.t)


@_HAPPENS.register(ProductClosure)
def _drops(event: ProductClosure, question: Question) -> bool | None:
    """None open at label_end, unless the customer is gone by then."""
    if question.closed is not None and question.closed < question.end:
        return None
    return not _holds(event, question, question.end, known_at=question.answered)


def _holds(event: ProductClosure, question: Question, moment: datetime, *, known_at: datetime) -> bool:
    """event_time ──(···· moment ····]── ends, in the version that is known then."""
    source = question.oracle.project.sources[event.source]
    known = question.rows(event.source, event.where, known_at=known_at)
    return any(row["event_time"] < moment and not ended_before(source, row, moment) for row in known)


_HAPPENS.require(event_kinds(), place="_HAPPENS of tenure/proofs/oracle/labels.py")
