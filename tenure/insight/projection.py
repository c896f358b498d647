"""Fewer axes: principal components, or UMAP where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from tenure.errors import MissingDependency, install_hint
from tenure.insight.cells import Floats

_UMAP_AXES = 10


class Projection:
    """A fitted reduction of scaled features to a few axes, strongest first."""

    def __init__(self, model: Any, kept: int) -> None:
        self._model = model
        self._kept = kept

    @classmethod
    def learn(cls, sample: Floats, *, method: str, variance: float, most: int, seed: int) -> Projection:
        """Return the reduction fitted on `sample` (rows, axes).

        'pca' keeps the fewest components with `variance` of the total, at most `most`. 'umap' keeps up to 10
        axes with 30 neighbours and no minimum distance, as its authors advise for clustering; the seed makes
        it single-threaded. Raises MissingDependency where umap-learn is not installed.
        """
        if method == "umap":
            kept = min(_UMAP_AXES, most, sample.shape[1])
            return cls(_umap(seed, kept).fit(sample), kept)
        components = min(most, *sample.shape)
        pca = PCA(n_components=components, svd_solver="full").fit(sample)
        reached = np.cumsum(pca.explained_variance_ratio_) >= variance - 1e-12
        return cls(pca, int(np.argmax(reached)) + 1 if reached.any() else components)

    def points(self, coordinates: Floats) -> Floats:
        """Return the rows on the kept axes, shape (rows, kept)."""
        return np.asarray(self._model.transform(coordinates), dtype=float)[:, : self._kept]


def _umap(seed: int, components: int) -> Any:
    try:
        from umap import UMAP
    except ImportError as missing:
        raise MissingDependency(
            "segments by 'umap' need the package umap-learn, which is not installed; 'pca' needs no more.",
            hint=install_hint("segments"),
        ) from missing
    return UMAP(n_neighbors=30, min_dist=0.0, n_components=components, random_state=seed, n_jobs=1)
