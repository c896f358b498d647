"""The stage `splits`: the labelled rows separated in time and by customer, and the proof of it."""

from __future__ import annotations

from tenure.catalog.sql import splits_select
from tenure.intake.calendar import calendar
from tenure.session.work import Outcome, Work
from tenure.tables import splits as splits_table


def splits(work: Work) -> Outcome:
    """Build the splits table and its proof."""
    outcome = Outcome()
    work.build(splits_select(work, calendar(work), work.dialect), outcome)
    rows = outcome.rows
    work.build(splits_table.split_proof(work.project, work.churn.wait_for(work.project.sources)), outcome)
    outcome.rows = rows
    return outcome
