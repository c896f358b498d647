"""What every model is, and what fitting it takes."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from tenure.errors import InvalidConfig
from tenure.model.sample import Folds
from tenure.model.select import Columns

CHUNK_ROWS = 20_000
"""Rows that are taken apart at once, so that memory does not grow with the bank."""


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How one model is fitted.

    trials        settings of boosted trees to try, the hand-set start included
    seconds       a guard: the longest that one kind's search may take. A search ends by its trials; where the guard
                  ends it, the model is `cut_short`. The first candidate is always finished
    seed          of every random draw. Same data, seed and library versions give the same models, whatever the
                  number of threads, unless a search is cut short
    threads       to compute with; 0 takes all cores
    """

    trials: int = 12
    seconds: float = 3600.0
    seed: int = 7
    threads: int = 0

    def __post_init__(self) -> None:
        self.require_at_least(trials=1, seconds=0, threads=0)

    def require_at_least(self, **least: int) -> None:
        """Raise InvalidConfig if a setting is below its least value."""
        for name, allowed in least.items():
            if getattr(self, name) < allowed:
                raise InvalidConfig(f"{name}: got {getattr(self, name)}; it must be at least {allowed}")


class Model(ABC):
    """A fitted model: its kind, the columns that it reads, and what its search chose (plain JSON values).

        matrix ── margin ──► log-odds ── score ──► probability of churn
           └──── contributions ──► base + a value a feature = log-odds

    `threads` is how many it computes with, 0 for all cores; no bit of a result depends on it.
    """

    kind: str
    threads: int = 0

    def __init__(self, columns: Columns, parameters: Mapping[str, Any]) -> None:
        self.columns = columns
        self.parameters = dict(parameters)

    @property
    def cut_short(self) -> bool:
        """Whether the guard of [train] seconds ended the search before its trials did."""
        return bool(np.any(self.parameters.get("seconds_limit_hit", False)))

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of churn of each row, shape (rows,), in the frame's order.

        Raises MissingFeature if the frame lacks a feature.
        """
        matrix = self.columns.matrix(frame)
        return self.probabilities(matrix) if len(matrix) else np.empty(0)

    def probabilities(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of churn of each row of a matrix of `columns`; at least one row."""
        return self.score(self.margin(matrix))

    @abstractmethod
    def margin(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds of each row of a matrix of `columns`, finite, shape (rows,); at least one row."""

    def score(self, margin: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of churn of each margin: its logistic function."""
        return np.asarray(expit(margin), dtype=np.float64)

    @abstractmethod
    def contributions(
        self, matrix: NDArray[np.float64], background: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what each feature adds to the margin, shape (rows, features), and the base (rows,), in log-odds.

        margin = base + the row's values, up to rounding. `background` (rows, features) is what a linear or a rule
        model is compared with; trees are compared with their own training rows.
        """

    @abstractmethod
    def files(self) -> dict[str, bytes]:
        """Return the files that hold the model, by name; `registry.load_model` reads them back."""

    def card(self) -> bytes:
        """Return model.json: the kind, columns and parameters that every model's files begin with."""
        record = {"kind": self.kind, "columns": self.columns.as_json(), "parameters": self.parameters}
        return json.dumps(record, indent=1).encode()


class LearnedModel(Model):
    """A model that one learner fitted on one sample of rows."""

    @classmethod
    @abstractmethod
    def cross_fit(cls, folds: Folds, settings: FitSettings, like: Model | None = None) -> dict[int, Self]:
        """Return a member a fold, learned from the rows outside of it; settings are chosen by the loss out of fold.

        Given a model that they shall be `like`, one of their own kind, nothing is searched: that one's settings are
        taken.
        """

    @classmethod
    @abstractmethod
    def from_files(cls, card: Mapping[str, Any], files: Mapping[str, bytes]) -> Self:
        """Return the model that `files` wrote; `card` is its model.json. Raises UnsafeModelFile for another's."""


def chunks(rows: int) -> Iterator[slice]:
    """Yield slices of CHUNK_ROWS that cover so many rows."""
    for first in range(0, rows, CHUNK_ROWS):
        yield slice(first, first + CHUNK_ROWS)
