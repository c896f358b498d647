"""The stage `labels`: who churned in the horizon after each snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from tenure.catalog.leavers import unlike_neighbours
from tenure.catalog.sql import further_labels_selects, labels_select, unlabelled_select
from tenure.define.churn import CENSORED, ENDED, ChurnDefinition
from tenure.errors import LabelError
from tenure.intake.calendar import Calendar, calendar
from tenure.session.work import Outcome, Work
from tenure.stages.suppression import left_out


def labels(work: Work) -> Outcome:
    """Build the labels table; raise LabelError if no customer is eligible at any snapshot."""
    outcome, days = Outcome(), calendar(work)
    work.build(labels_select(work, days, work.dialect), outcome)
    rows = outcome.rows
    if not rows:
        raise _nobody_to_ask(work.churn, days)
    work.build(unlabelled_select(work, days, work.dialect), outcome)
    for select in further_labels_selects(work, days, work.dialect):
        work.build(select, outcome)
    outcome.rows = rows
    outcome.message = "; ".join([*left_out(work), *_without_label(work), *_further(work), *unlike_neighbours(work)])
    return outcome


def labels_of(name: str) -> Callable[[Work], Outcome]:
    """Return the function of the stage that makes the labels of a churn definition that is not the main one."""

    def made(work: Work) -> Outcome:
        main, outcome = work.project, Outcome()
        churn = main.churn_named(name)
        work.project = replace(main, churn=churn)
        try:
            days = calendar(work)
            select = labels_select(work, days, work.dialect)
            work.build(replace(select, table=f"labels_of/{name}"), outcome)
        finally:
            work.project = main
        if not outcome.rows:
            raise _nobody_to_ask(churn, days)
        outcome.message = f"of the churn definition {name}; models learn {main.churn.name}"
        return outcome

    return made


def _without_label(work: Work) -> list[str]:
    """Who has no label though the horizon lies within the data, a clause a reason."""
    counted = work.read("unlabelled").group_by("reason").aggregate([("customers", "sum"), ("snapshot_date", "count")])
    found = []
    for row in sorted(counted.to_pylist(), key=lambda row: str(row["reason"])):
        reason, customers, snapshots = row["reason"], row["customers_sum"], row["snapshot_date_count"]
        if reason.startswith(ENDED):
            found.append(f"{customers:,} {'row' if customers == 1 else 'rows'} without label: {reason}")
        elif reason != CENSORED:
            found.append(f"{snapshots} {'snapshot' if snapshots == 1 else 'snapshots'} without labels: {reason}")
    return found


def _further(work: Work) -> list[str]:
    """The further horizons that there are labels of, if any, as a clause."""
    days = ", ".join(map(str, work.churn.further))
    return [f"also over {days} days"] if days else []


def _nobody_to_ask(churn: ChurnDefinition, days: Calendar) -> LabelError:
    hints = ["Lower min_tenure, widen active=, or shorten the horizon in churn.py; then run 'tenure labels'."]
    if churn.event.asks_only:
        hints.append(f"The event is asked only of customers {churn.event.asks_only}.")
    if churn.leaves_out:
        hints.append(f"There is no answer for {churn.leaves_out}.")
    return LabelError(
        f"churn definition '{churn.name}' has nobody to ask: no customer is eligible at any of the snapshots from "
        f"{days.dates[0]} to {days.dates[-1]} whose horizon ends by {days.data_end} ({churn.where_defined}).",
        hint=" ".join(hints),
    )


def labelled_dates(work: Work) -> list[date]:
    """Return the dates of the snapshots that have a label, in order."""
    return sorted(set(work.read("labels", columns=["snapshot_date"])["snapshot_date"].to_pylist()))
