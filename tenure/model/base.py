"""What every model is, and what training it takes."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.errors import InvalidConfig, choices
from tenure.model.select import Columns

KINDS = ("rule", "logistic", "lightgbm")
"""The kinds of model, simplest first."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How models are trained.

    kinds         which models to train, of KINDS
    trials        LightGBM settings to try, the hand-set start included
    seconds       a guard: the longest that one kind's search may take. A search ends by its trials; where the guard
                  ends it, the model is `cut_short`. The first candidate is always finished
    seed          of every random draw. Same data, seed and library versions give the same models, whatever the
                  number of threads, unless a search is cut short
    min_churners  the fewest churners in train worth learning from
    threads       that LightGBM computes with; 0 takes all cores
    """

    kinds: tuple[str, ...] = KINDS
    trials: int = 12
    seconds: float = 3600.0
    seed: int = 7
    min_churners: int = 20
    threads: int = 0

    def __post_init__(self) -> None:
        unknown = set(self.kinds) - set(KINDS)
        if unknown or not self.kinds:
            raise InvalidConfig(f"[train] models: got {choices(unknown) or 'none'}; allowed: {choices(KINDS)}")
        for name, least in (("trials", 1), ("seconds", 0), ("min_churners", 1), ("threads", 0)):
            if getattr(self, name) < least:
                raise InvalidConfig(f"{name}: got {getattr(self, name)}; it must be at least {least}")


@dataclass(frozen=True)
class Sample:
    """Rows to learn from: features, shape (rows, features); `churned` is 1.0 or 0.0, shape (rows,)."""

    matrix: NDArray[np.float64]
    churned: NDArray[np.float64]


class Model(ABC):
    """A fitted model: its kind, the columns that it reads, and what its search chose (plain JSON values).

    `threads` is how many it computes with, 0 for all cores; no bit of a result depends on it.
    """

    kind: ClassVar[str]
    threads: int = 0

    def __init__(self, columns: Columns, parameters: Mapping[str, Any]) -> None:
        self.columns = columns
        self.parameters = dict(parameters)

    @property
    def cut_short(self) -> bool:
        """Whether the guard of [train] seconds ended the search before its trials did."""
        return bool(self.parameters.get("seconds_limit_hit", False))

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of churn of each row, shape (rows,), in the frame's order.

        Raises MissingFeature if the frame lacks a feature.
        """
        matrix = self.columns.matrix(frame)
        return self.probabilities(matrix) if len(matrix) else np.empty(0)

    @abstractmethod
    def probabilities(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of churn of each row of a matrix of `columns`; at least one row."""

    @abstractmethod
    def files(self) -> dict[str, bytes]:
        """Return the files that hold the model, by name; `registry.load_model` reads them back."""

    def card(self) -> bytes:
        """Return model.json: the kind, columns and parameters that every model's files begin with."""
        record = {"kind": self.kind, "columns": self.columns.as_json(), "parameters": self.parameters}
        return json.dumps(record, indent=1).encode()
