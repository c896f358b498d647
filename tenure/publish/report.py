"""The report: one HTML page that opens from disk, loads nothing, and computes every number it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import pandas as pd
from markupsafe import Markup

from tenure.define.churn import CENSORED, ENDED, ChurnDefinition
from tenure.define.project import REASONS, NoDates
from tenure.define.reconciliation import KINDS
from tenure.faults.redact import shape
from tenure.model import CUT_SHORT
from tenure.publish import charts, timelines, words
from tenure.publish.comparison import champion_clause, compared, steadiness, taken_apart, warned, without_sign
from tenure.publish.curves import quality_charts
from tenure.publish.drawing import Figure
from tenure.publish.horizons import growth_chart, horizon_rows
from tenure.publish.left_out import left_out
from tenure.publish.pages import pages
from tenure.publish.personal import personal_words
from tenure.publish.quality import Quality
from tenure.publish.reconciliation import Reconciled

LIST_ROWS = 20
FEATURES = 15


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What a campaign was taken to cost and save; money in `currency`, per customer, `save_rate` a share 0..1."""

    contact_cost: float
    offer_cost: float
    save_rate: float
    customer_value: float
    currency: str


@dataclass(frozen=True, kw_only=True)
class ReportInput:
    """The inputs of the report; frames have the columns of the lake's tables of the same name.

    `population` has a row a snapshot, in order: snapshot_date, customers, labelled, churners, churn_rate (null where
    nobody is labelled), split ('train', 'embargo', 'test' or 'unlabelled'). `latencies` has a row a stage: stage, doc,
    rows, seconds, engine. `models` holds the models compared, one of them champion; `importances` the champion's;
    `split_proof` one row. `longest_window` is in days, 0 for none. `personal` names the columns that sources declare
    personal, as 'source.column', each with the feature columns computed from it; `personal_keys` the keys that are
    personal data themselves: the page shows them by their shape. `protected` names the columns that only `fairness` is
    made of. `data_quality` is what is known of the data, `ledgers` are the declared reconciliations, `objected` how
    many customers are on the suppression list, `published` the columns that stand on the list because the bank declares
    them so, `threshold_is_declared` whether [evaluate] says from which score a customer counts as a leaver. `horizons`
    and `horizon_scores` are None where no further horizon is declared. `flat` is set where the table has no dates: then
    the snapshots' days are nominal, and no figure is out of time.
    """

    project: str
    entity: str
    keys: tuple[str, ...]
    data_end: date
    churn: ChurnDefinition
    longest_window: int
    descriptions: Mapping[str, str]
    personal: Mapping[str, Sequence[str]]
    personal_keys: frozenset[str]
    protected: tuple[str, ...]
    costs: Costs
    attrition_list: pd.DataFrame
    population: pd.DataFrame
    split_proof: pd.DataFrame
    unlabelled: pd.DataFrame
    models: pd.DataFrame
    evaluations: pd.DataFrame
    curves: pd.DataFrame
    comparisons: pd.DataFrame
    back_test: pd.DataFrame
    by_group: pd.DataFrame
    warning_time: pd.DataFrame
    campaign_value: pd.DataFrame
    fairness: pd.DataFrame
    importances: pd.DataFrame
    segments: pd.DataFrame
    segment_profiles: pd.DataFrame
    segment_parameters: pd.DataFrame
    latencies: pd.DataFrame
    data_quality: Quality
    ledgers: Sequence[Reconciled] = ()
    objected: int = 0
    published: tuple[str, ...] = ()
    threshold_is_declared: bool = False
    horizons: pd.DataFrame | None = None
    horizon_scores: pd.DataFrame | None = None
    flat: NoDates | None = None


def report(inputs: ReportInput) -> str:
    """Return the page: HTML with its style and drawings inside, no script, nothing to fetch."""
    horizons = _horizons(inputs)
    return (
        pages()
        .get_template("report.html.j2")
        .render(
            inputs=inputs,
            facts=Facts(inputs),
            figures=_figures(inputs) | {"growth": growth_chart(horizons)},
            horizons=horizons,
            models=_models(inputs),
            left_out=left_out(Facts(inputs).champion),
            segments=_segments(inputs),
            **_comparison(inputs),
            event=words.event_words(inputs.churn.event),
            eligible=words.eligibility_words(inputs.churn),
            eligible_in_brief=words.eligibility_brief(inputs.churn),
            span=words.span_words(inputs.churn),
            rows=_rows,
            shape=shape,
            personal=personal_words(
                inputs.personal, inputs.entity, inputs.keys, inputs.personal_keys, inputs.protected, inputs.published
            ),
            reasons=REASONS,
            kinds=KINDS,
            list_rows=LIST_ROWS,
            svg=_svg,
            quality=inputs.data_quality,
            ledger_place="#ledger" if inputs.ledgers else "",
        )
    )


class Facts:
    """The numbers of the opening paragraphs and of the limits."""

    def __init__(self, inputs: ReportInput) -> None:
        self._in = inputs
        self.today = inputs.population.iloc[-1]
        self.scored = len(inputs.attrition_list)
        self.top = inputs.attrition_list[inputs.attrition_list["decile"] == 1]
        tests = inputs.population[inputs.population["split"] == "test"]
        self.test_dates = list(tests["snapshot_date"])
        self.unlabelled = inputs.unlabelled.groupby("reason", as_index=False).agg(
            customers=("customers", "sum"), snapshots=("snapshot_date", "nunique")
        )
        censored = self.unlabelled[self.unlabelled["reason"] == CENSORED]
        self.censored = int(censored["snapshots"].sum())
        best = inputs.campaign_value[inputs.campaign_value["best"].astype(bool)]
        self.campaign = None if best.empty else best.iloc[0]
        self.quarantined = inputs.data_quality.refused
        self.read = inputs.data_quality.read
        self.seconds = float(inputs.latencies["seconds"].sum())

    @property
    def other_ends(self) -> list[dict[str, Any]]:
        """The ends that are no leaving: reason and how many rows."""
        ended = self.unlabelled[self.unlabelled["reason"].str.startswith(ENDED)]
        rows: list[dict[str, Any]] = ended.to_dict("records")
        return [row | {"reason": row["reason"].removeprefix(ENDED)} for row in rows]

    @property
    def outages(self) -> list[dict[str, Any]]:
        """The spans of which rows are missing, with how many snapshots have no label for it."""
        known = self.unlabelled["reason"].str.startswith(ENDED) | (self.unlabelled["reason"] == CENSORED)
        rows: list[dict[str, Any]] = self.unlabelled[~known].to_dict("records")
        return rows

    @cached_property
    def champion(self) -> pd.Series:
        """The champion's row of the registry."""
        return self._in.models[self._in.models["champion"].astype(bool)].iloc[0]

    @cached_property
    def test(self) -> pd.Series:
        """The champion's figures of all test rows."""
        return _pooled(self._in.evaluations, self.champion["model_version"], "all")

    @cached_property
    def top_rate(self) -> float:
        """The share of leavers among the tenth of the test rows with the highest scores."""
        return float(self.test["lift_at_10"] * self.test["churn_rate"])

    @cached_property
    def better_on_test(self) -> str:
        """The words of the model that ranks the test better than the champion, '' if none does."""
        of = {v: _pooled(self._in.evaluations, v, "all")["auroc"] for v in self._in.models["model_version"]}
        best = max(of, key=lambda version: -1.0 if pd.isna(of[version]) else of[version])
        return _model_names(self._in)[best] if of[best] > self.test["auroc"] else ""

    @cached_property
    def kind(self) -> str:
        """The champion's kind in words."""
        return words.kind_words(str(self.champion["kind"]))

    @property
    def cut_short(self) -> list[str]:
        """The words of the models whose search the guard of [train] seconds ended."""
        return [name for version, name in _model_names(self._in).items() if version.endswith(CUT_SHORT)]


def _pooled(evaluations: pd.DataFrame, version: str, population: str) -> pd.Series:
    rows = evaluations[
        (evaluations["model_version"] == version)
        & (evaluations["split"] == "test")
        & (evaluations["population"] == population)
        & evaluations["snapshot_date"].isna()
    ]
    return rows.iloc[0]


def _model_names(inputs: ReportInput) -> dict[str, str]:
    """The models' words by version, the champion's first; its version is added where two are of one kind."""
    ordered = inputs.models.sort_values("champion", ascending=False, kind="stable")
    twice = ordered["kind"].duplicated(keep=False)
    names: dict[str, str] = {}
    for version, kind, same in zip(ordered["model_version"], ordered["kind"], twice, strict=True):
        name = words.kind_words(str(kind))
        names[str(version)] = f"{name} {version}" if same else name
    return names


def _models(inputs: ReportInput) -> list[dict[str, Any]]:
    """The table of models: the champion first, a row for all customers and one for those unseen in training."""
    champion = inputs.models.loc[inputs.models["champion"].astype(bool), "model_version"].iloc[0]
    rows: list[dict[str, Any]] = []
    for version, name in _model_names(inputs).items():
        model = {"name": name, "version": version, "champion": version == champion}
        for population in ("all", "unseen"):
            figures = _pooled(inputs.evaluations, version, population).to_dict()
            rows.append({**model, "population": population, **figures})
    return rows


def _comparison(inputs: ReportInput) -> dict[str, Any]:
    """What stands beside the table of models: pairs of them, the champion's clause and snapshots, and groups."""
    names = _model_names(inputs)
    return {
        "pairs": compared(inputs.comparisons, names),
        "champion_clause": champion_clause(inputs.comparisons, names),
        "steady": steadiness(inputs.back_test, inputs.evaluations, next(iter(names))),
        "warned": warned(inputs.warning_time, next(iter(names))),
        "taken_apart": taken_apart(inputs.by_group, names),
        "signs": [sign.words for sign in inputs.churn.signs],
        "unsigned": without_sign(inputs.churn),
    }


def _figures(inputs: ReportInput) -> dict[str, Any]:
    return {
        "customers": timelines.customers_over_time(inputs.population),
        "churn_rate": timelines.churn_over_time(inputs.population),
        "timeline": timelines.timeline(inputs.churn, inputs.longest_window),
        "quality": [_as_judged(inputs, one) for one in quality_charts(inputs.curves, _model_names(inputs))],
        "campaign": _as_judged(inputs, charts.campaign(inputs.campaign_value)),
        "importances": charts.importances(inputs.importances.sort_values("rank").head(FEATURES)),
        "segments": charts.segment_map(inputs.segments),
    }


def _horizons(inputs: ReportInput) -> list[dict[str, Any]]:
    """The table of horizons, none where none is declared."""
    if inputs.horizons is None or inputs.horizon_scores is None:
        return []
    return horizon_rows(inputs.horizons, inputs.horizon_scores)


def _as_judged(inputs: ReportInput, drawn: Figure | None) -> Figure | None:
    """A drawing of figures of the test, which says where they are not out of time."""
    return replace(drawn, title=f"{drawn.title} (not out of time)") if drawn and inputs.flat else drawn


def _segments(inputs: ReportInput) -> list[dict[str, Any]]:
    """The segments, largest first and the customers of none last, each with what sets it apart in words."""
    found = []
    for segment_id, rows in inputs.segment_profiles.groupby("segment_id"):
        ordered = rows.sort_values("position")
        first = ordered.iloc[0]
        apart = [_apart(row, inputs.descriptions) for row in ordered.dropna(subset=["feature"]).itertuples()]
        named = {"segment_id": int(segment_id), "apart": apart, "colour": charts.segment_colour(int(segment_id))}
        found.append({**first.to_dict(), **named})
    return sorted(found, key=lambda s: (s["segment_id"] < 0, s["segment_id"]))


def _apart(row: Any, descriptions: Mapping[str, str]) -> dict[str, str]:
    return {
        "direction": "higher" if row.difference > 0 else "lower",
        "feature": descriptions.get(row.feature, row.feature),
        "medians": f"{row.segment_median}, all customers {row.population_median}",
    }


def _rows(frame: pd.DataFrame, most: int = 0) -> Sequence[dict[str, Any]]:
    """A frame as dicts, with nothing (None) where a cell is missing."""
    shown = frame.head(most) if most else frame
    return [
        {str(k): None if pd.api.types.is_scalar(v) and pd.isna(v) else v for k, v in row.items()}
        for row in shown.to_dict("records")
    ]


def _svg(drawn: Figure) -> Markup:
    """The drawing as it is: `figure` escaped its words, and Vega those inside."""
    return Markup(drawn.svg)  # noqa: S704
