"""The stage `features`: every feature of each snapshot that is due."""

from __future__ import annotations

from datetime import date

from tenure.catalog.sql import snapshots_select
from tenure.errors import MissingTable
from tenure.feature_store.build import build_features
from tenure.intake.calendar import calendar
from tenure.session.work import Outcome, Work


def features(work: Work, first: date | None = None, last: date | None = None) -> Outcome:
    """Bring the features of the planned snapshots from `first` to `last` up to date, by default of all.

    Raises MissingTable if the stored snapshots are not those of the staged rows and the plan: the features of a missing
    snapshot would be committed without rows, and count as current.
    """
    outcome, days = Outcome(), calendar(work)
    snapshots_digest = work.digest_of(snapshots_select(work, days, work.dialect))
    if work.require("snapshots").fingerprint != snapshots_digest:
        raise MissingTable("table 'snapshots' was built of other rows or dates.", hint="Run 'tenure snapshots'.")
    build_features(work, days.plan, outcome, first=first, last=last)
    return outcome


def newest_features(work: Work) -> Outcome:
    """Bring the features of the newest planned snapshot up to date."""
    newest = calendar(work).dates[-1]
    return features(work, newest, newest)
