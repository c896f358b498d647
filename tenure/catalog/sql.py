"""The SQL of a project: the SELECTs of each stage, and whether all of them compile."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from tenure.define.feature import Aggregate
from tenure.define.project import NoDates
from tenure.define.source import Source
from tenure.define.stage import SQL_STAGES
from tenure.errors import CensoredHorizon, InvalidConfig, InvalidDefinition, choices
from tenure.intake.calendar import Calendar, calendar
from tenure.intake.data_end import require_end
from tenure.intake.readers import readers_of
from tenure.intake.typed_rows import planned_types
from tenure.session.work import Work
from tenure.sql import Dialect, Select
from tenure.sql.conditions import names_read
from tenure.tables import labels as labels_table
from tenure.tables import reconcile as reconcile_table
from tenure.tables import snapshots as snapshots_table
from tenure.tables import splits as splits_table
from tenure.tables import staging as staging_table
from tenure.tables import training_set as training_set_table
from tenure.tables.conditions import condition_on
from tenure.tables.flat_splits import flat_split_proof, flat_splits
from tenure.tables.label_spans import Outage, all_spans, label_spans
from tenure.tables.unlabelled import unlabelled
from tenure.tiles.features import FeatureSteps
from tenure.tiles.support import require_supported

#: How a relation that is computed once and cached is printed.
_CACHED: dict[Dialect, str] = {
    "duckdb": "CREATE OR REPLACE TEMP TABLE {} AS\n{}",
    "spark": "CREATE OR REPLACE TEMPORARY VIEW {} AS\n{}",
}


def statements(work: Work, stage: str, dialect: Dialect) -> list[Select]:
    """Return the SELECTs of a stage. Staging reads the raw files' headers; the rest need the staged tables' dates."""
    if stage == "staging":
        with tempfile.TemporaryDirectory() as folder:
            return [s for source in work.project.sources.values() for s in staging_selects(work, source, Path(folder))]
    if stage == "reconcile":
        return reconcile_selects(work, dialect)
    days = calendar(work)
    return _compiled(work, stage, dialect, days.dates, days.data_end, days.outages)


def compile_all(work: Work, dialect: Dialect) -> list[Select]:
    """Return every table's SELECT over sample dates: a definition that can't be compiled is refused before any run."""
    if not work.project.flat:
        require_end(work.config.data.end, work.project.bounds)
    require_supported(work.project, dialect, work.churn)
    _check_conditions(work, dialect)
    sample = (date(2024, 1, 31), date(2024, 4, 30), date(2100, 1, 31))
    wait = work.churn.wait_for(work.project.sources)
    end = sample[-1] + timedelta(days=work.churn.gap + work.churn.horizon + wait)
    return [s for stage in SQL_STAGES[1:] for s in _compiled(work, stage, dialect, sample, end, test_snapshots=1)]


def _check_conditions(work: Work, dialect: Dialect) -> None:
    """Refuse a where= that is no condition on its own: by= joins it to another, of which it might pass for a part."""
    for view in work.project.views.values():
        for feature in view.features:
            if isinstance(feature, Aggregate) and feature.where:
                asked_by = f"feature '{feature.name}' ({feature.where_defined})"
                source = work.project.sources[view.source]
                condition_on(source, feature.where, dialect, asked_by=asked_by)
                _refuse_metadata(source, feature.where, dialect, asked_by)


def _refuse_metadata(source: Source, where: str, dialect: Dialect, asked_by: str) -> None:
    for name in names_read(where, dialect):
        if source.column(name).role == "metadata":
            raise InvalidDefinition(
                f"{asked_by} reads '{name}' in where={where!r}, which is metadata: it reaches no training set.",
                hint="Give the column another role in sources.py if what it holds says something of the customer.",
            )


def reconcile_selects(work: Work, dialect: Dialect) -> list[Select]:
    """Return the SELECTs that make both tables of each reconciliation."""
    found: list[Select] = []
    for defined in work.project.reconciliations.values():
        found += [reconcile_table.account_days(work.project, defined, dialect), reconcile_table.accounts(defined)]
    return found


def snapshots_select(work: Work, days: Calendar, dialect: Dialect) -> Select:
    """Return the SELECT that makes the snapshots table."""
    return snapshots_table.snapshots(work.project, dialect, days.dates)


def labels_select(work: Work, days: Calendar, dialect: Dialect) -> Select:
    """Return the SELECT that makes the labels table."""
    return labels_table.generate_churn_label(work.project, work.churn, dialect, days.dates, days.data_end, days.outages)


def further_labels_selects(work: Work, days: Calendar, dialect: Dialect) -> list[Select]:
    """Return the SELECTs that make the labels of each further horizon, in order.

    Raises CensoredHorizon for one that no snapshot's answer reaches.
    """
    found: list[Select] = []
    for churn in work.churn.further.values():
        try:
            made = labels_table.generate_churn_label(
                work.project, churn, dialect, days.dates, days.data_end, days.outages
            )
        except CensoredHorizon as error:
            hint = f"Leave {churn.horizon} out of horizons=, or begin the snapshots earlier ([snapshots] first)."
            raise CensoredHorizon(error.message, hint=hint) from error
        found.append(replace(made, table=f"labels_of/{churn.name}"))
    return found


def unlabelled_select(work: Work, days: Calendar, dialect: Dialect) -> Select:
    """Return the SELECT that counts who has no label, by reason."""
    spans = all_spans(work.project, work.churn, days.dates, days.data_end, days.outages)
    return unlabelled(work.project, work.churn, dialect, spans)


def splits_select(work: Work, days: Calendar, dialect: Dialect) -> Select:
    """Return the SELECT that makes the splits table."""
    if work.project.flat:
        return _flat_splits(work, work.project.flat, dialect)
    spans = label_spans(work.project, work.churn, days.dates, days.data_end, days.outages)
    return splits_table.splits(work.project, dialect, spans, split_plan(work))


def _flat_splits(work: Work, flat: NoDates, dialect: Dialect) -> Select:
    if work.config.splits.group:
        raise InvalidConfig(
            f"[splits] group is set, and flat table '{flat.name}' says itself which rows belong together "
            f"({flat.where_defined}).",
            hint="Take it out of tenure.toml, and name the column in sources.py: FlatTable(…, group=…).",
        )
    return flat_splits(work.project, dialect, flat, work.config.splits.folds)


def split_plan(work: Work, test_snapshots: int = 0) -> splits_table.SplitPlan:
    """Return how rows are split, as [splits] says; InvalidConfig for a group that is no part of the entity's key."""
    section, keys = work.config.splits, work.project.entity.keys
    strange = [name for name in section.group if name not in keys]
    if strange:
        raise InvalidConfig(
            f"[splits] group has '{strange[0]}', which is no part of the entity's key; allowed: {choices(keys)}.",
            hint="Set it in tenure.toml to columns of the key that tell whose rows belong on one side.",
        )
    return splits_table.SplitPlan(
        test_snapshots=test_snapshots or section.test_snapshots,
        folds=section.folds,
        group=section.group,
    )


def split_proof_select(work: Work) -> Select:
    """Return the SELECT that proves the splits."""
    if work.project.flat:
        return flat_split_proof(work.project, work.project.flat)
    wait = work.churn.wait_for(work.project.sources)
    return splits_table.split_proof(work.project, wait, split_plan(work).group)


def _compiled(
    work: Work,
    stage: str,
    dialect: Dialect,
    dates: Sequence[date],
    data_end: date,
    outages: Sequence[Outage] = (),
    *,
    test_snapshots: int = 0,
) -> list[Select]:
    project = work.project
    if stage == "reconcile":
        return reconcile_selects(work, dialect)
    if stage == "snapshots":
        return [snapshots_table.snapshots(project, dialect, dates)]
    if stage == "features":
        steps = FeatureSteps(project, dialect, dates)
        cached = [replace(s, text=_CACHED[dialect].format(s.table, s.text)) for s in (*steps.cached, *steps.ranged())]
        return [*cached, steps.final()]
    if stage == "labels":
        spans = all_spans(project, work.churn, dates, data_end, outages)
        labelled = labels_table.generate_churn_label(project, work.churn, dialect, dates, data_end, outages)
        return [labelled, unlabelled(project, work.churn, dialect, spans)]
    if stage == "splits":
        if project.flat:
            return [_flat_splits(work, project.flat, dialect), split_proof_select(work)]
        plan = split_plan(work, test_snapshots)
        spans = label_spans(project, work.churn, dates, data_end, outages)
        return [splits_table.splits(project, dialect, spans, plan), split_proof_select(work)]
    return [training_set_table.training_set(project)]


def staging_selects(work: Work, source: Source, folder: Path) -> list[Select]:
    """Plan a source's staging over the real raw columns, reading no rows."""
    engine = work.engine
    for name, reader in readers_of(work, source, folder=folder).items():
        reader.plan(name)
    raw_types = planned_types(work, source, staging_table.raw_rows(source, engine.dialect))
    typed = staging_table.typed_rows(work.project, source, engine.dialect, raw_types)
    engine.schema(typed.text)
    return [typed, *staging_table.steps(source), staging_table.staging(work.project, source)]
