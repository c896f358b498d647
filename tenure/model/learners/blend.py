"""A blend of models: their margins, weighted and summed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenure.errors import UnsafeModelFile
from tenure.model.base import Model, StoredModel
from tenure.model.learners import BLEND, model_kind


class BlendModel(StoredModel):
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
    def from_files(cls, card: Mapping[str, Any], files: Mapping[str, bytes]) -> BlendModel:
        """Return the model that `files` wrote."""
        kinds, weights = card["parameters"]["parts"], card["parameters"]["weights"]
        parts = [_part(kind, files) for kind in kinds]
        if not parts or len(parts) != len(weights):
            raise UnsafeModelFile(
                f"model.json of a blend has {len(weights)} weights for {len(parts)} parts; it must have as many.",
                hint="Run 'tenure train'.",
            )
        return cls(parts, weights, card["parameters"]["intercept"])

    def _weighing(self) -> Iterator[tuple[float, Model]]:
        """The parts that weigh anything."""
        for weight, part in zip(self.weights, self.parts, strict=True):
            if weight:
                yield weight, part


def _part(kind: str, files: Mapping[str, bytes]) -> Model:
    """The part of a kind, whose files begin with its name."""
    own = {name.removeprefix(f"{kind}-"): content for name, content in files.items() if name.startswith(f"{kind}-")}
    if "model.json" not in own:
        raise UnsafeModelFile(f"a blend needs {kind}-model.json, which is not there.", hint="Run 'tenure train'.")
    return model_kind(kind, place="parts of a blend", refused=UnsafeModelFile).load(json.loads(own["model.json"]), own)
