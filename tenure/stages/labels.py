"""The stage `labels`: who churned in the horizon after each snapshot."""

from __future__ import annotations

from datetime import date

from tenure.catalog.sql import labels_select
from tenure.define.churn import ChurnDefinition
from tenure.errors import LabelError
from tenure.intake.calendar import Calendar, calendar
from tenure.session.work import Outcome, Work


def labels(work: Work) -> Outcome:
    """Build the labels table; raise LabelError if no customer is eligible at any snapshot."""
    outcome, days = Outcome(), calendar(work)
    work.build(labels_select(work, days, work.dialect), outcome)
    if not outcome.rows:
        raise _nobody_to_ask(work.churn, days)
    return outcome


def _nobody_to_ask(churn: ChurnDefinition, days: Calendar) -> LabelError:
    hints = ["Lower min_tenure, widen active=, or shorten the horizon in churn.py; then run 'tenure labels'."]
    if churn.event.asks_only:
        hints.append(f"The event is asked only of customers {churn.event.asks_only}.")
    if churn.event.leaves_out:
        hints.append(f"There is no answer for {churn.event.leaves_out}.")
    return LabelError(
        f"churn definition '{churn.name}' has nobody to ask: no customer is eligible at any of the snapshots from "
        f"{days.dates[0]} to {days.dates[-1]} whose horizon ends by {days.data_end} ({churn.where_defined}).",
        hint=" ".join(hints),
    )


def labelled_dates(work: Work) -> list[date]:
    """Return the dates of the snapshots that have a label, in order."""
    return sorted(set(work.read("labels", columns=["snapshot_date"])["snapshot_date"].to_pylist()))
