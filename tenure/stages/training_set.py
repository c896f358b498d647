"""The stage `training_set`: features, labels and splits joined."""

from __future__ import annotations

from tenure.errors import MissingTable
from tenure.session.work import Outcome, Work
from tenure.stages.labels import labelled_dates
from tenure.tables import training_set as training_set_table


def training_set(work: Work) -> Outcome:
    """Build the training set; raise MissingTable if a labelled snapshot has no features yet."""
    outcome = Outcome()
    labelled, built = labelled_dates(work), work.require("features").partitions
    lacking = [str(day) for day in labelled if str(day) not in built]
    if lacking:
        raise MissingTable(
            f"the features of {len(lacking)} labelled snapshots are not built, such as {lacking[0]}.",
            hint="Run 'tenure backfill'.",
        )
    work.build(training_set_table.training_set(work.project), outcome)
    return outcome
