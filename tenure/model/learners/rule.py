"""The baseline: one feature, cut into bands, each with its churn rate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression

from tenure.errors import ModelError
from tenure.model.base import FitSettings, LearnedModel, Model
from tenure.model.sample import Folds, Sample
from tenure.model.select import Columns

BANDS = 20
"""Quantile bands of the feature, before neighbours that break the direction are pooled."""

LEAST_RATE = 1e-9
"""Rates of 0 and 1 are read as this and 1 - this in log-odds, where they would be infinite."""


@dataclass(frozen=True)
class Rule:
    """Churn rates by bands of one feature, rising or falling throughout.

    Band i holds the values with edges[i - 1] < value <= edges[i]; the last band is open. Rows without a value
    have a rate of their own, the base rate if train had no such row.
    """

    feature: str
    rising: bool
    edges: tuple[float, ...]
    rates: tuple[float, ...]
    missing_rate: float
    train_auroc: float


class RuleModel(LearnedModel):
    """The numeric feature that alone ranks train's churners best (AUROC), as a table of churn rates."""

    kind = "rule"

    def __init__(self, columns: Columns, parameters: Mapping[str, Any], rule: Rule) -> None:
        super().__init__(columns, parameters)
        self.rule = rule

    @classmethod
    def cross_fit(cls, folds: Folds, settings: FitSettings, like: Model | None = None) -> dict[int, RuleModel]:
        """Return the best rule of each fold's other rows, the first in column order where two are equal.

        Nothing is tuned. Raises ModelError if no feature is numeric.
        """
        del settings, like
        return {number: cls._best(folds.columns_of(number), folds.apart(number)[0]) for number in folds.numbers}

    @classmethod
    def _best(cls, columns: Columns, train: Sample) -> RuleModel:
        rules: list[Rule] = []
        for place, name in enumerate(columns.numeric):
            values = train.matrix[:, place]
            if np.isnan(values).all():  # Known in the fold left out alone.
                continue
            rules.append(_rule(name, values, train.churned, rising=True))
            rules.append(_rule(name, values, train.churned, rising=False))
        if not rules:
            raise ModelError(
                "a rule needs a numeric feature with values; there is none",
                hint="tenure.toml: leave 'rule' out of [train] models",
            )
        best = max(rules, key=lambda rule: rule.train_auroc)
        found = {"feature": best.feature, "rising": best.rising, "bands": len(best.rates)}
        return cls(columns, {**found, "train_auroc": best.train_auroc}, best)

    @classmethod
    def from_files(cls, card: Mapping[str, Any], files: Mapping[str, bytes]) -> RuleModel:
        """Return the model that `files` wrote."""
        record = json.loads(files["rule.json"])
        rule = Rule(**{**record, "edges": tuple(record["edges"]), "rates": tuple(record["rates"])})
        return cls(Columns.from_json(card["columns"]), card["parameters"], rule)

    def margin(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds of the churn rate of each row's band; see LEAST_RATE."""
        values = matrix[:, self.columns.names.index(self.rule.feature)]
        band = np.where(np.isnan(values), len(self.rule.rates), np.searchsorted(self.rule.edges, values))
        return _log_odds(self._rates)[band]

    def score(self, margin: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the rate of the table that each margin was made of, to the bit; of other margins the sigmoid."""
        rates = np.unique(self._rates)
        margins = _log_odds(rates)
        place = np.searchsorted(margins, margin).clip(max=len(rates) - 1)
        return np.where(margins[place] == margin, rates[place], super().score(margin))

    def contributions(
        self, matrix: NDArray[np.float64], background: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the log-odds above the background's mean, all of it owed to the rule's only feature."""
        base = np.full(len(matrix), self.margin(background).mean())
        values = np.zeros_like(matrix)
        values[:, self.columns.names.index(self.rule.feature)] = self.margin(matrix) - base
        return values, base

    @property
    def _rates(self) -> NDArray[np.float64]:
        """The rates of the bands, then that of rows without a value."""
        return np.array([*self.rule.rates, self.rule.missing_rate])

    def files(self) -> dict[str, bytes]:
        """Return model.json and rule.json."""
        return {"model.json": self.card(), "rule.json": json.dumps(asdict(self.rule), indent=1).encode()}


def _rule(feature: str, values: NDArray[np.float64], churned: NDArray[np.float64], *, rising: bool) -> Rule:
    """Return the monotone table of one feature. NaN rows are a band of their own."""
    known = ~np.isnan(values)
    # A value between two data points would differ from both; a lower quantile is a value that was seen.
    quantiles = np.quantile(values[known], np.arange(1, BANDS) / BANDS, method="lower")
    cuts = np.unique(quantiles)
    cuts = cuts[cuts < values[known].max()]
    band = np.searchsorted(cuts, values[known])
    rows = np.bincount(band, minlength=len(cuts) + 1).astype(np.float64)
    churners = np.bincount(band, weights=churned[known], minlength=len(cuts) + 1)
    rates = isotonic_regression(churners / rows, sample_weight=rows, increasing=rising)
    missing = ~known
    missing_rate = float(churned[missing].mean() if missing.any() else churned.mean())
    auroc = _auroc_of_bands(
        np.append(rates, missing_rate),
        np.append(churners, churned[missing].sum()),
        np.append(rows, missing.sum()),
    )
    last_of_pool = np.append(np.diff(rates) != 0, True)
    return Rule(
        feature=feature,
        rising=rising,
        edges=tuple(cuts[last_of_pool[:-1]].tolist()),
        rates=tuple(rates[last_of_pool].tolist()),
        missing_rate=missing_rate,
        train_auroc=auroc,
    )


def _log_odds(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(rates, LEAST_RATE, 1 - LEAST_RATE)
    return np.asarray(np.log(bounded) - np.log1p(-bounded))


def _auroc_of_bands(rates: NDArray[np.float64], churners: NDArray[np.float64], rows: NDArray[np.float64]) -> float:
    """Return the AUROC of a score that takes one value a band; exact, with ties counted half."""
    order = np.argsort(rates, kind="stable")
    first = np.unique(rates[order], return_index=True)[1]
    churned = np.add.reduceat(churners[order], first)
    stayed = np.add.reduceat((rows - churners)[order], first)
    below = np.cumsum(stayed) - stayed
    wins = float((churned * (below + stayed / 2)).sum())
    return wins / float(churned.sum() * stayed.sum())
