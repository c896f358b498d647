"""Blending: what the margins of several kinds of model weigh in their sum.

margin = intercept + Σ weight · margin of a part      weights ≥ 0; both those of the least log loss out of fold

fold          0   1   2   3   4      A member's parts are those members that never saw its fold. Its weights are fitted
member 0      ?   ■   ■   ■   ■      on the other folds, each row by the margins of those that never saw it. So a blend
member 1      ■   ?   ■   ■   ■      is judged as every model is, and pays for the choice of its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenure.errors import UnsafeModelFile
from tenure.model.base import Model
from tenure.model.cross_fit import CrossFitModel
from tenure.model.learners import BLEND
from tenure.model.sample import Folds
from tenure.model.weights import least_loss_weights


class BlendModel(Model):
    """A weighted sum of the margins of its parts, each of another kind: stacking (Wolpert 1992) with weights that are
    not negative (Breiman 1996, doi:10.1007/BF00117832), so that a rise of a part's margin never lowers the sum.
    """

    kind = BLEND.kind

    def __init__(self, parts: Sequence[Model], weights: Sequence[float], intercept: float) -> None:
        parameters = {"parts": [part.kind for part in parts], "weights": list(weights), "intercept": intercept}
        super().__init__(parts[0].columns, parameters)
        self.parts = tuple(parts)
        self.intercept = intercept

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each part."""
        return tuple(self.parameters["weights"])

    @property
    def threads(self) -> int:
        """How many threads the parts compute with."""
        return self.parts[0].threads

    @threads.setter
    def threads(self, threads: int) -> None:
        for part in self.parts:
            part.threads = threads

    def margin(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the intercept plus the weighted sum of the parts' log-odds, shape (rows,)."""
        found = np.full(len(matrix), self.intercept)
        for weight, part in self._weighing():
            found += weight * part.margin(matrix)
        return found

    def contributions(
        self, matrix: NDArray[np.float64], background: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weighted sums of the parts' values and bases: exact, since the margin is such a sum of theirs."""
        values, base = np.zeros(matrix.shape), np.full(len(matrix), self.intercept)
        for weight, part in self._weighing():
            of_part, of_base = part.contributions(matrix, background)
            values += weight * of_part
            base += weight * of_base
        return values, base

    def files(self) -> dict[str, bytes]:
        """Return model.json, and each part's files: 'logistic-model.json', 'logistic-pipeline.skops' and so on."""
        found = {"model.json": self.card()}
        for part in self.parts:
            found |= {f"{part.kind}-{name}": content for name, content in part.files().items()}
        return found

    @classmethod
    def load(
        cls, card: Mapping[str, Any], files: Mapping[str, bytes], load: Callable[[Mapping[str, bytes]], Model]
    ) -> BlendModel:
        """Return the model that `files` wrote, each part by `load`; raise UnsafeModelFile if it is no such model."""
        weighed = card["parameters"]
        parts = [load(dict(_of_part(files, kind))) for kind in weighed["parts"]]
        if not parts or len(parts) != len(weighed["weights"]):
            raise UnsafeModelFile(
                f"model.json of a blend has {len(weighed['weights'])} weights for {len(parts)} parts; "
                "it must have as many.",
                hint="Run 'tenure train'.",
            )
        if len({part.columns.names for part in parts}) > 1:
            raise UnsafeModelFile("the parts of a blend read different columns.", hint="Run 'tenure train'.")
        return cls(parts, weighed["weights"], weighed["intercept"])

    def _weighing(self) -> Iterator[tuple[float, Model]]:
        """The parts that weigh anything."""
        for weight, part in zip(self.weights, self.parts, strict=True):
            if weight:
                yield weight, part


def blended(models: Sequence[CrossFitModel], folds: Folds) -> CrossFitModel:
    """Return the blend of models that were cross-fitted on the same folds."""
    # The members of a fold read the same columns, whatever their kind.
    margins = np.column_stack([model.out_of_fold(folds.rows.matrix, folds.fold) for model in models])
    members: dict[int, Model] = {}
    for number in folds.numbers:
        others = folds.fold != number
        weights, intercept = least_loss_weights(margins[others], folds.rows.churned[others])
        members[number] = BlendModel([model.members[number] for model in models], weights, intercept)
    return CrossFitModel(members, models[0].columns)


def _of_part(files: Mapping[str, bytes], kind: str) -> Iterator[tuple[str, bytes]]:
    """The files of the part of a kind, whose names begin with it."""
    if f"{kind}-model.json" not in files:
        raise UnsafeModelFile(f"a blend needs {kind}-model.json, which is not there.", hint="Run 'tenure train'.")
    for name, content in files.items():
        if name.startswith(f"{kind}-"):
            yield name.removeprefix(f"{kind}-"), content
