"""Who is alike: segments of customers by density, with an automatic choice of parameters.

features ─► FeatureSpace ─► PCA | UMAP ─► candidates on a small sample ─► HDBSCAN on fit_rows ─► all rows
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from tenure.errors import MissingFeature, ModelError, choices
from tenure.insight.cells import Floats
from tenure.insight.clusters import Candidate, Clustering, assigned, best, candidates
from tenure.insight.density import Labels
from tenure.insight.profiles import profiles
from tenure.insight.projection import Projection
from tenure.insight.scaling import FeatureSpace

FEWEST_ROWS = 50
#: Candidates are compared on this many rows: a comparison needs all pairwise distances.
SEARCH_ROWS = 2000


@dataclass(frozen=True, kw_only=True)
class SegmentSettings:
    """How segments are sought.

    `fit_rows`: rows that the clustering is fitted on; the rest are assigned to it. `min_share`: the smallest
    segment worth a campaign, as a share of the fitted rows. `variance`: share that the principal components
    must keep, of which there are at most `most_components`. `category_levels`: a category of at most so many
    levels takes part; 0 keeps to numbers. `method` 'umap' needs the extra 'segments'.
    """

    seed: int = 7
    fit_rows: int = 20_000
    min_share: float = 0.02
    variance: float = 0.9
    most_components: int = 15
    category_levels: int = 0
    method: Literal["pca", "umap"] = "pca"

    def __post_init__(self) -> None:
        allowed = (
            ("method", self.method, self.method in ("pca", "umap"), "'pca' or 'umap'"),
            ("min_share", self.min_share, 0 < self.min_share <= 0.5, "above 0, at most 0.5"),
            ("variance", self.variance, 0 < self.variance <= 1, "above 0, at most 1"),
            ("fit_rows", self.fit_rows, self.fit_rows >= FEWEST_ROWS, f"{FEWEST_ROWS} or more"),
            ("most_components", self.most_components, self.most_components >= 1, "1 or more"),
            ("category_levels", self.category_levels, self.category_levels >= 0, "0 or more"),
        )
        for name, got, fits, want in allowed:
            if not fits:
                raise ModelError(f"segments can't be sought with {name}={got!r}; allowed: {want}.")


@dataclass(frozen=True)
class Segments:
    """What segmentation found, as three tables.

    `segments`, a row a row of the features, in their order: keys, snapshot_date, segment_id (0 is the
    largest, -1 belongs to none), strength 0..1 of belonging, x and y (the projection's first two axes).
    `parameters`, a row a candidate: components, min_cluster_size, min_samples, rows it was tried on,
    clusters, coverage, validity, stability, score, chosen, note.
    `profiles`, up to five rows a segment: segment_id, customers, share, score_mean, position, feature,
    difference (of means, in the population's standard deviations), segment_median, population_median (text).
    """

    segments: pd.DataFrame
    parameters: pd.DataFrame
    profiles: pd.DataFrame


class SegmentationService:
    """Seeks segments of customers who are alike; the same seed and rows give the same answer."""

    def __init__(self, settings: SegmentSettings | None = None) -> None:
        self.settings = settings or SegmentSettings()

    def segment(self, features: pd.DataFrame, keys: Sequence[str], scores: pd.DataFrame | None = None) -> Segments:
        """Return the segments of `features` (keys, snapshot_date, a column a feature).

        `scores` (keys, snapshot_date, score) adds each segment's mean score. Where nothing separates rows
        (fewer than 50 rows, no feature that varies, no candidate with two clusters and a score of 0.1) all
        rows are segment 0 and the note in `parameters` says why.

        Raises MissingFeature without a key column, ModelError if a row has two scores, MissingDependency if
        the method is not installed.
        """
        identity = [*keys, "snapshot_date"]
        _check_columns(features, identity, "features")
        features = features.reset_index(drop=True)
        rng = np.random.default_rng(self.settings.seed)
        fit = _sample(_in_order(features, identity), self.settings.fit_rows, rng)
        space = FeatureSpace.learn(features.iloc[fit], identity, self.settings.category_levels)
        clustering, axes, tried = self._clustering(space.coordinates(features), fit, rng)
        found = features[identity].assign(
            segment_id=clustering.labels, strength=clustering.strength, x=axes[:, 0], y=axes[:, 1]
        )
        mean_of = None if scores is None else _scores_of(features, identity, scores)
        parameters = pd.DataFrame([asdict(candidate) for candidate in tried])
        return Segments(found, parameters, profiles(features, keys, space, clustering.labels, mean_of))

    def _clustering(
        self, coordinates: Floats, fit: Labels, rng: np.random.Generator
    ) -> tuple[Clustering, Floats, list[Candidate]]:
        """Return all rows' clustering, their two plot axes and the candidates tried."""
        rows, width = coordinates.shape
        if not width or not rows:
            return Clustering.of_one(rows), np.zeros((rows, 2)), [_single("no feature varies: one segment")]
        settings = self.settings
        enough = len(fit) >= FEWEST_ROWS
        projection = Projection.learn(
            coordinates[fit],
            method=settings.method if enough else "pca",
            variance=settings.variance,
            most=settings.most_components,
            seed=settings.seed,
        )
        points = projection.points(coordinates)
        axes = np.column_stack([points, np.zeros(rows)])[:, :2]
        if not enough:
            few = _single(f"{rows} rows are fewer than {FEWEST_ROWS}: one segment")
            return Clustering.of_one(rows), axes, [few]
        search = _sample(fit, SEARCH_ROWS, rng)
        tried = candidates(points[search], settings.min_share, rng)
        winner = best(tried)
        if winner is None:
            return Clustering.of_one(rows), axes, [*tried, _single(_none_found(tried))]
        where, fitted = _fitted(points, tried[winner], fit, search)
        outcome = f"{fitted.count} segments, coverage {fitted.coverage:.2f}"
        note = f"fitted on {len(where)} of {rows} rows: {outcome}"
        tried[winner] = replace(tried[winner], chosen=True, note=note)
        return assigned(points[:, : tried[winner].components], where, fitted), axes, tried


def _fitted(points: Floats, chosen: Candidate, fit: Labels, search: Labels) -> tuple[Labels, Clustering]:
    """Return the rows fitted and their clustering: `search` where the candidate fails on the larger `fit`."""
    fitted = chosen.clustering(points[fit])
    return (fit, fitted) if fitted.count > 1 else (search, chosen.clustering(points[search]))


def _none_found(tried: Sequence[Candidate]) -> str:
    if max((candidate.clusters for candidate in tried), default=0) < 2:
        return "no candidate finds two clusters: one segment"
    return f"no candidate scores enough to be trusted (best {max(c.score for c in tried):.2f}): one segment"


def _single(note: str) -> Candidate:
    return Candidate(chosen=True, note=note)


def _check_columns(frame: pd.DataFrame, names: Sequence[str], what: str) -> None:
    for name in names:
        if name not in frame.columns:
            raise MissingFeature(f"the {what} have no column '{name}'; columns: {choices(map(str, frame.columns))}.")


def _in_order(features: pd.DataFrame, identity: Sequence[str]) -> Labels:
    """Return row numbers by key and snapshot, so that the order of a scan does not move the sample."""
    ordered = features[list(identity)].sort_values(list(identity), kind="stable")
    return np.asarray(ordered.index, dtype=np.int64)


def _sample(rows: Labels, most: int, rng: np.random.Generator) -> Labels:
    if len(rows) <= most:
        return rows
    return rows[np.sort(rng.choice(len(rows), size=most, replace=False))]


def _scores_of(features: pd.DataFrame, identity: list[str], scores: pd.DataFrame) -> Floats:
    _check_columns(scores, [*identity, "score"], "scores")
    if scores.duplicated(identity).any():
        twice = scores.loc[scores.duplicated(identity), identity].iloc[0].to_dict()
        raise ModelError(f"the scores hold two rows for {twice}.", hint="Pass the scores of one model version.")
    joined = features[identity].merge(scores[[*identity, "score"]], on=identity, how="left")
    return np.asarray(joined["score"].to_numpy(dtype=float))
