"""Which model beats which on the test, and how steady the champion is over its snapshots, as rows and clauses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from tenure.define.churn import ChurnDefinition

#: What each verdict means for ranking, in the words of a sentence about the champion.
_CLAUSES = {
    "better": "ranks leavers better than {}",
    "worse": "ranks them worse than {}",
    "unclear": "is neither clearly better nor clearly worse than {}",
}


@dataclass(frozen=True, kw_only=True)
class Steadiness:
    """How the champion fared over the snapshots of the test.

    `by_snapshot` has their figures in order; `auroc` and `log_loss` the row of `back_test` of each.
    """

    snapshots: int
    periods: int
    by_snapshot: list[dict[str, Any]]
    auroc: Mapping[str, Any]
    log_loss: Mapping[str, Any]

    @property
    def has_interval(self) -> bool:
        """Whether there are enough independent periods for an interval over them."""
        return bool(pd.notna(self.auroc["periods_low"]))


def compared(comparisons: pd.DataFrame, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a row a pair of models, those of the champion first: model, against, and of each metric what was found.

    `names` maps a version to its words, the champion's first.
    """
    found = {
        (row["model_version"], row["against_version"], row["metric"]): row for row in comparisons.to_dict("records")
    }
    return [
        {"model": names[one], "against": names[other], **{m: found[one, other, m] for m in ("auroc", "log_loss")}}
        for one, other in combinations(names, 2)
        if (one, other, "auroc") in found
    ]


def champion_clause(comparisons: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Return how the champion ranks beside the others, as a clause: 'ranks leavers better than Rule on one feature'.

    '' where there is nothing to compare.
    """
    champion = next(iter(names))
    rows = comparisons[(comparisons["model_version"] == champion) & (comparisons["metric"] == "auroc")]
    clauses = []
    for verdict, clause in _CLAUSES.items():
        others = [names[str(version)] for version in rows.loc[rows["verdict"] == verdict, "against_version"]]
        if others:
            clauses.append(clause.format(_listed(others)))
    return _listed(clauses, "; it ")


def steadiness(back_test: pd.DataFrame, evaluations: pd.DataFrame, champion: str) -> Steadiness | None:
    """Return how the champion fared over the test's snapshots; None where the test has none."""
    own = back_test[back_test["model_version"] == champion].set_index("metric")
    if own.empty or not own["snapshots"].iloc[0]:
        return None
    rows = evaluations[
        (evaluations["model_version"] == champion)
        & (evaluations["split"] == "test")
        & (evaluations["population"] == "all")
        & evaluations["snapshot_date"].notna()
    ]
    return Steadiness(
        snapshots=int(own["snapshots"].iloc[0]),
        periods=int(own["independent_periods"].iloc[0]),
        by_snapshot=rows.sort_values("snapshot_date").to_dict("records"),
        auroc=own.loc["auroc"].to_dict(),
        log_loss=own.loc["log_loss"].to_dict(),
    )


def taken_apart(by_group: pd.DataFrame, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return each attribute with its groups: the champion's figures, and the AUROC of each of `names`, in order."""
    found = []
    for attribute, of_one in by_group.groupby("attribute", sort=False):
        rows = []
        for _, models in of_one.groupby("value", sort=False):
            by_version = models.set_index("model_version")
            aurocs = [by_version["auroc"].get(version) for version in names]
            rows.append({**by_version.loc[next(iter(names))].to_dict(), "aurocs": aurocs})
        found.append({"attribute": attribute, "names": list(names.values()), "groups": rows})
    return found


def warned(warning_time: pd.DataFrame, champion: str) -> dict[str, dict[str, Any]]:
    """Return the champion's warning time by until when its days are counted; none where nobody of the test left."""
    own = warning_time[(warning_time["model_version"] == champion) & (warning_time["churners"] > 0)]
    return {str(row["until"]): {str(k): v for k, v in row.items()} for row in own.to_dict("records")}


def without_sign(churn: ChurnDefinition) -> list[str]:
    """Return the events of a churn definition of which nothing shows at t, in words."""
    return [event.words for event in churn.events if churn.sign_of(event) is None]


def _listed(parts: list[str], between: str = " and ") -> str:
    """Parts as one text; of three names or more the first are set apart by commas."""
    if between == " and " and len(parts) > 2:
        return f"{', '.join(parts[:-1])} and {parts[-1]}"
    return between.join(parts)
