"""The inputs of a stage: stored tables that belong together, each made of the others as they are stored now.

    staging ─► snapshots ─► features ─┬─► scores ─► reasons, segments ─► report
                   └─► labels ─► splits ─► training_set ─► models ─► evaluations ─┘

Stages run alone, in any order; where one finds that its inputs do not belong together, its error names the stage to
run. Run that, and the next one that an error names, until the first stage goes through.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import partial
from typing import get_args

from tenure.catalog.models import Row, newest_training, versions_of
from tenure.catalog.sql import further_labels_selects, labels_select, reconcile_selects, snapshots_select, splits_select
from tenure.define.personal import protected_columns
from tenure.define.stage import STAGES, maker_of
from tenure.errors import MissingTable
from tenure.feature_store.plan import outdated_features
from tenure.intake.calendar import Calendar, calendar
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Work
from tenure.sql import Dialect, Select
from tenure.stages.labels import labelled_dates
from tenure.tables.labels import eligible
from tenure.tables.training_set import training_set
from tenure.version import __version__


def require_training_set(work: Work) -> None:
    """Raise MissingTable unless the training set was made of the rows staged and the definitions that stand now."""
    days = calendar(work)
    _require_made(work, lambda dialect: snapshots_select(work, days, dialect))
    _require_made(work, lambda dialect: labels_select(work, days, dialect))
    _require_made(work, lambda dialect: splits_select(work, days, dialect))
    require_features(work, labelled_dates(work))
    _require_made(work, lambda _: training_set(work.project))


def require_features(work: Work, dates: Sequence[date]) -> None:
    """Raise MissingTable unless the features of the snapshots were made of the rows and definitions that stand now."""
    outdated = outdated_features(work, dates)
    if outdated:
        more = f" and {len(outdated) - 1} more" if len(outdated) > 1 else ""
        raise MissingTable(
            f"the features of snapshot {outdated[0]}{more} are missing, or were made of other rows or definitions than "
            "those stored now.",
            hint="Run 'tenure features'.",
        )


def trained_from(work: Work) -> dict[str, str]:
    """Return the fingerprints of the stored tables that models are trained from and that the report shows."""
    return fingerprints(work, ("labels", "splits", "training_set"))


def fingerprints(work: Work, tables: Iterable[str]) -> dict[str, str]:
    """Return the fingerprint of each stored table by its name; raise MissingTable if one is not built yet."""
    return {table: work.fingerprint_of(table) for table in tables}


def require_trained_on(work: Work, rows: Sequence[Row]) -> None:
    """Raise MissingTable unless the models of these rows of the registry were trained on the stored training set."""
    stored_now = json.dumps(trained_from(work), sort_keys=True)
    if any(row["inputs"] != stored_now for row in rows):
        raise MissingTable(
            f"the models, {' and '.join(versions_of(rows))}, were trained on another training set than the one stored "
            "now.",
            hint="Run 'tenure train'.",
        )


def newest_snapshot(work: Work) -> date:
    """Return the newest snapshot date; raise MissingTable unless its customers and features match the staged rows."""
    days: Calendar = calendar(work)
    _require_made(work, lambda dialect: snapshots_select(work, days, dialect))
    require_features(work, days.dates[-1:])
    return days.dates[-1]


def scores_fingerprint(work: Work, snapshot_date: date) -> str:
    """Return the fingerprint of the scores that the champion gives the customers of a snapshot now."""
    asked = eligible(work.project, work.churn, "duckdb", snapshot_date)
    features = work.require("features").fingerprint
    read = fingerprints(work, asked.reads)
    champion = versions_of(newest_training(work)[:1])
    return fingerprint([features, *read.values(), champion, snapshot_date, asked.text, __version__])


def require_scores(work: Work) -> date:
    """Return the newest snapshot date; raise MissingTable unless the champion scored it from what is stored now."""
    snapshot_date = newest_snapshot(work)
    if work.require("scores").fingerprint != scores_fingerprint(work, snapshot_date):
        (champion,) = versions_of(newest_training(work)[:1])
        raise MissingTable(
            f"table 'scores' does not hold the scores of the champion, {champion}, for the features of {snapshot_date} "
            "as they are stored now.",
            hint="Run 'tenure score'.",
        )
    return snapshot_date


def evaluations_fingerprint(work: Work) -> str:
    """Return the fingerprint of the evaluations of the newest models on the stored training set.

    What is known of the test's customers beyond it (since when they are customers, whether they show the sign) is as it
    was when the set was made: a new month, which makes no new training set, leaves the evaluations as they are.
    """
    versions, sections = versions_of(newest_training(work)), (work.config.value, work.config.evaluate)
    compared = protected_columns(work.project)
    read = fingerprints(work, dict.fromkeys(source.name for source, _ in compared))
    parts = [work.require("training_set").fingerprint, versions, *sections, work.config.train.seed]
    return fingerprint([*parts, *(column.name for _, column in compared), *read.values()])


def horizons_fingerprint(work: Work) -> str:
    """Return the fingerprint of the models over further horizons that the champion and the stored labels give now."""
    labels = [f"labels_of/{churn.name}" for churn in work.churn.further.values()]
    read = fingerprints(work, ("training_set", *labels))
    champion = newest_training(work)[0]
    learned_with = [champion["model_version"], champion["libraries"]]
    return fingerprint([*read.items(), *learned_with, work.config.train.seed, work.config.splits.group, __version__])


def horizon_scores_fingerprint(work: Work, snapshot_date: date) -> str:
    """Return the fingerprint of the scores over further horizons of the customers of a snapshot."""
    return fingerprint([scores_fingerprint(work, snapshot_date), work.require("horizons").fingerprint])


def require_horizon_labels(work: Work) -> None:
    """Raise MissingTable unless the labels of each further horizon were made of what stands now."""
    days = calendar(work)
    for place, _ in enumerate(work.churn.further):
        _require_made(work, partial(_further_labels_select, work, days, place))


def _further_labels_select(work: Work, days: Calendar, place: int, dialect: Dialect) -> Select:
    return further_labels_selects(work, days, dialect)[place]


def _require_horizons(work: Work, snapshot_date: date) -> None:
    """Raise MissingTable unless the scores over further horizons, if any are declared, belong to the champion's."""
    if work.churn.further:
        _require_same(work, ("horizons",), horizons_fingerprint(work), "horizons")
        _require_same(work, ("horizon_scores",), horizon_scores_fingerprint(work, snapshot_date), "horizons")


def explained_fingerprint(work: Work) -> str:
    """Return the fingerprint of the explanations of the stored scores, without that of their words.

    After a change of a `doc` or `unit` 'explain' writes them anew, but the report accepts them with the old words too.
    """
    return fingerprint(fingerprints(work, ("features", "scores")).values())


def segments_fingerprint(work: Work) -> str:
    """Return the fingerprint of the segments of the stored features and scores."""
    section = work.config.segment
    inputs = fingerprints(work, ("features", "scores"))
    return fingerprint([*inputs.values(), section.method, section.min_share, work.config.train.seed])


def require_report_inputs(work: Work) -> date:
    """Return the newest snapshot date; raise MissingTable unless all that the report shows belongs together."""
    snapshot_date, rows = require_scores(work), newest_training(work)
    if json.loads(rows[0]["inputs"]) != trained_from(work):
        # The error of the first names the table to build anew; if none is outdated, the models are.
        require_training_set(work)
        require_trained_on(work, rows)
    require_reconciled(work)
    _require_same(work, STAGES["evaluate"].makes, evaluations_fingerprint(work), "evaluate")
    _require_horizons(work, snapshot_date)
    _require_same(work, ("shap_values", "reasons", "importances"), explained_fingerprint(work), "explain")
    _require_same(work, ("segments", "segment_parameters", "segment_profiles"), segments_fingerprint(work), "segment")
    return snapshot_date


def require_reconciled(work: Work) -> None:
    """Raise MissingTable unless each declared reconciliation was made of the rows and definitions that stand now."""
    for place, _ in enumerate(reconcile_selects(work, work.dialect)):
        _require_made(work, partial(_reconcile_select, work, place))


def _reconcile_select(work: Work, place: int, dialect: Dialect) -> Select:
    return reconcile_selects(work, dialect)[place]


def _require_made(work: Work, select: Callable[[Dialect], Select]) -> None:
    """Raise MissingTable unless a table was built by its SELECT, on any engine, from the rows stored now."""
    dialects: list[Dialect] = [work.dialect, *get_args(Dialect)]
    table = select(work.dialect).table
    stored = work.require(table).fingerprint
    if not any(work.digest_of(select(dialect), dialect) == stored for dialect in dialects):
        raise MissingTable(
            f"table '{table}' was built of other rows, dates or definitions than those stored now.",
            hint=f"Run 'tenure {maker_of(table)}'.",
        )


def _require_same(work: Work, tables: Sequence[str], digest: str, stage: str) -> None:
    """Raise MissingTable unless the tables have this fingerprint; its part behind a '-' is not compared."""
    for table in tables:
        if work.require(table).fingerprint.partition("-")[0] != digest:
            raise MissingTable(
                f"table '{table}' was made of other inputs than those stored now.", hint=f"Run 'tenure {stage}'."
            )
