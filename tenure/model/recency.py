"""Whether recent rows shall count more than old ones: the half-life of a row's weight, chosen by forward chaining.

──── taught: label_end <= origin ────┊──── judged: origin <= t < next origin ────►   three origins or four
     weight 2 ** (-age / half-life)        weight 1

Folds of customers can't choose it: each holds all snapshots, the newest too, so that nothing in them is later than what
teaches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenure.model.base import FitSettings, Model
from tenure.model.learners.learner import Learner
from tenure.model.losses import log_losses, paired_gain
from tenure.model.origins import Origin, known_days
from tenure.model.sample import Folds, Sample
from tenure.model.select import Columns

HALF_LIVES = (180, 365, 90)
"""Days after which a row counts half; the other candidate is that all rows count alike.

Where the first of them loses by more than its error, no other is tried: that saves eight fits, and is a guess.
"""

MOST_ORIGINS = 4

MOST_ROWS = 10_000
"""Up to sixteen fits look at about so many rows, those of customers drawn by the seed."""

LEAST_ORIGINS = 3

LEAST_OF_A_CLASS = 20
"""At an origin so many churners and so many stayers must teach, and as many be judged."""


@dataclass(frozen=True)
class HalfLife:
    """The half-life chosen, None for none, and why: the best candidate's gain in log loss on none, and its error.

    `origins` is 0 where history is too short to choose.
    """

    days: int | None = None
    gain: float = 0.0
    gain_error: float = 0.0
    origins: int = 0

    def record(self) -> dict[str, Any]:
        """Return what a model records of it."""
        return {
            "half_life_days": self.days,
            "half_life_gain": self.gain,
            "half_life_gain_error": self.gain_error,
            "half_life_origins": self.origins,
        }


def weighted(rows: Sample, days: int) -> Sample:
    """Return the rows with a weight each that halves every so many days of age; its mean is 1."""
    snapshot = known_days(rows.snapshot)
    weight = np.exp2((snapshot - snapshot.max(initial=0)) / days)
    return replace(rows, weight=weight / weight.mean())


def chosen_half_life(learner: Learner, like: Model, folds: Folds, settings: FitSettings) -> HalfLife:
    """Return the half-life that gains the most on none, if that is more than its error, and a gain at every origin.

    Each candidate is tried with the settings of the model `like`. Trees are counted on the rows that judge, which
    flatters all candidates alike. With fewer than LEAST_ORIGINS origins it is none.
    """
    rows = folds.of_some_customers(MOST_ROWS, settings.seed).rows
    origins = list(_origins(rows))
    if len(origins) < LEAST_ORIGINS:
        return HalfLife()

    def losses(days: int | None) -> list[NDArray[np.float64]]:
        return [_losses(learner, like, folds.columns, origin, days, settings) for origin in origins]

    none = losses(None)
    customer = np.concatenate([origin.customer for origin in origins])
    found: list[HalfLife] = []
    for days in HALF_LIVES:
        found.append(_compared(days, none, losses(days), customer))
        if found[0].gain < -found[0].gain_error:
            break
    sure = [one for one in found if one.days is not None]
    return max(sure or found, key=lambda one: one.gain)


def _compared(
    days: int,
    losses: Sequence[NDArray[np.float64]],
    others: Sequence[NDArray[np.float64]],
    customer: NDArray[np.int64],
) -> HalfLife:
    """What a candidate with `others` gains on the losses of none, an array an origin; no days if it is not sure."""
    gain, error = paired_gain(np.concatenate(losses), np.concatenate(others), customer)
    is_sure = gain > error and all(new.mean() < old.mean() for old, new in zip(losses, others, strict=True))
    return HalfLife(days if is_sure else None, gain, error, len(losses))


def _losses(
    learner: Learner, like: Model, columns: Columns, origin: Origin, days: int | None, settings: FitSettings
) -> NDArray[np.float64]:
    """The log loss of each judged row by a model that learned with a half-life, shape (rows,)."""
    taught = origin.taught if days is None else weighted(origin.taught, days)
    (model,) = learner.cross_fit(Folds.of(columns, taught, origin.judged), settings, like).values()
    return log_losses(model.probabilities(origin.judged.matrix), origin.judged.churned)


def _origins(rows: Sample) -> Iterator[Origin]:
    """Yield the origins, evenly among the later half of the snapshots that can be one.

    What the earlier ones knew is so short that all of it is about as old.
    """
    if rows.snapshot is None or rows.label_end is None:
        return
    days = np.unique(rows.snapshot)
    ends = np.append(days[1:], days[-1] + 1)
    # Whether there are enough is asked of rows without features, which cost nothing to part.
    bare = rows.with_columns(np.empty(0, dtype=np.int64))
    able = [day for day, end in zip(days, ends, strict=True) if Origin.of(bare, day, end).has(LEAST_OF_A_CLASS)]
    if len(able) < LEAST_ORIGINS:
        return
    able = able[min(len(able) // 2, len(able) - LEAST_ORIGINS) :]
    count = min(MOST_ORIGINS, len(able))
    begins = [able[place] for place in np.linspace(0, len(able) - 1, count).round().astype(int)]
    for begin, end in zip(begins, [*begins[1:], days[-1] + 1], strict=True):
        yield Origin.of(rows, begin, end)
