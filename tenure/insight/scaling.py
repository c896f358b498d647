"""The space that segments are sought in: every feature complete, tamed and of the same weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tenure.define.naming import RESERVED_COLUMNS
from tenure.insight.cells import Floats, kind_of, numbers

_SKEWED = 1.0
_FARTHEST = 5.0


@dataclass(frozen=True)
class FeatureSpace:
    """How features become axes, learnt from a sample.

    Numbers: nulls become the median, skewed columns (|skewness| > 1) are taken as sign(x)·log(1 + |x|), and
    all are standardised and cut at ±5 standard deviations, so that one outlier is no direction of its own.
    Categories of few levels become one yes/no axis a level, of half the variance, as two axes tell one fact.
    Columns that are null or constant in the sample are left out.
    """

    columns: tuple[str, ...]
    levels: tuple[tuple[str, str], ...]
    medians: Floats
    logged: np.ndarray
    means: Floats
    deviations: Floats
    weights: Floats

    @classmethod
    def learn(cls, sample: pd.DataFrame, leave_out: Sequence[str], category_levels: int) -> FeatureSpace:
        """Return the space of the sample's features; `category_levels` 0 keeps to numbers."""
        names = [c for c in sample.columns if c not in leave_out and c not in RESERVED_COLUMNS]
        kinds = {name: kind_of(sample[name]) for name in names}
        columns = tuple(n for n in names if kinds[n] != "category" and _varies(numbers(sample, [n])))
        few = [n for n in names if kinds[n] == "category" and 2 <= sample[n].nunique() <= category_levels]
        levels = tuple((n, level) for n in few for level in sorted(sample[n].dropna().astype(str).unique()))
        # Without rows nothing varies, so there is no axis either.
        raw = _raw_axes(sample, columns, levels) if len(sample) else np.empty((1, 0))
        medians = np.nanmedian(raw, axis=0)
        filled = np.where(np.isnan(raw), medians, raw)
        logged = np.abs(_skewness(filled)) > _SKEWED
        logged[len(columns) :] = False
        tamed = np.where(logged, _signed_log(filled), filled)
        means, deviations = tamed.mean(axis=0), tamed.std(axis=0)
        deviations[deviations == 0] = 1.0
        weights = np.where(np.arange(raw.shape[1]) < len(columns), 1.0, np.sqrt(0.5))
        return cls(columns, levels, medians, logged, means, deviations, weights)

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes' names: a column, or 'column = level'."""
        return (*self.columns, *(f"{column} = {level}" for column, level in self.levels))

    def raw(self, features: pd.DataFrame) -> Floats:
        """Return the axes before scaling, shape (rows, axes), with NaN where nothing is on record."""
        return _raw_axes(features, self.columns, self.levels)

    def coordinates(self, features: pd.DataFrame) -> Floats:
        """Return the scaled axes, shape (rows, axes), in standard deviations from the sample's mean."""
        raw = self.raw(features)
        filled = np.where(np.isnan(raw), self.medians, raw)
        tamed = np.where(self.logged, _signed_log(filled), filled)
        return np.clip((tamed - self.means) / self.deviations, -_FARTHEST, _FARTHEST) * self.weights


def _raw_axes(frame: pd.DataFrame, columns: Sequence[str], levels: Sequence[tuple[str, str]]) -> Floats:
    ticks = [(frame[column].astype(str) == level).to_numpy(dtype=float) for column, level in levels]
    return np.column_stack([numbers(frame, columns), *ticks])


def _varies(column: Floats) -> bool:
    present = column[~np.isnan(column)]
    return bool(len(present)) and bool(present.max() > present.min())


def _signed_log(values: Floats) -> Floats:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _skewness(values: Floats) -> Floats:
    """Return each column's third standardised moment; 0 for a constant column."""
    centred = values - values.mean(axis=0)
    deviation = centred.std(axis=0)
    return np.asarray((centred**3).mean(axis=0) / np.where(deviation == 0, 1.0, deviation) ** 3)
