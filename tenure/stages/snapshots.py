"""The stage `snapshots`: who is a customer at each snapshot date."""

from __future__ import annotations

from tenure.catalog.sql import snapshots_select
from tenure.intake.calendar import calendar
from tenure.session.work import Outcome, Work


def snapshots(work: Work) -> Outcome:
    """Build the snapshots table."""
    outcome = Outcome()
    work.build(snapshots_select(work, calendar(work), work.dialect), outcome)
    if work.project.flat:
        outcome.message = "the table has no dates: its rows are one snapshot, of a nominal day"
    return outcome
