"""The stage `splits`: the labelled rows separated in time and by customer, and the proof of it."""

from __future__ import annotations

from tenure.catalog.sql import split_proof_select, splits_select
from tenure.intake.calendar import calendar
from tenure.session.work import Outcome, Work


def splits(work: Work) -> Outcome:
    """Build the splits table and its proof."""
    outcome = Outcome()
    work.build(splits_select(work, calendar(work), work.dialect), outcome)
    rows = outcome.rows
    work.build(split_proof_select(work), outcome)
    outcome.rows = rows
    keys, flat = work.project.entity.keys, work.project.flat
    if flat:
        outcome.message = f"{flat.held_out:.0%} {flat.basis}"
    elif len(keys) > 1 and not work.config.splits.group:
        # Which part of the key is the person, nobody but the bank knows.
        outcome.message = (
            f"held out by the whole key ({', '.join(keys)}): rows that share but '{keys[0]}' may be in two folds; "
            f'[splits] group = ["{keys[0]}"] keeps them together'
        )
    return outcome
