"""Looking without building: a stage's SQL, the check of all definitions against the data, the state of the lake."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from tenure.define.feature import Aggregate
from tenure.define.source import Source, files_of, query_of
from tenure.engines.warehouse import land
from tenure.errors import InvalidDefinition, MissingTable
from tenure.pipeline.data import calendar, planned_types
from tenure.pipeline.data_end import require_end
from tenure.pipeline.stages import STAGE_DOCS
from tenure.pipeline.work import Work
from tenure.sql import DIALECTS, Dialect, Select, condition
from tenure.store.runs import last_runs
from tenure.tables import labels, snapshots, splits, staging, training_set
from tenure.tables.features import FeatureSteps
from tenure.tables.support import require_supported
from tenure.tables.visible import readable_columns

#: Stages that SQL makes; the others train, score and explain in Python.
SQL_STAGES = ("staging", "snapshots", "features", "labels", "splits", "training_set")

#: How a relation that is computed once and held is printed.
_HOLD: dict[Dialect, str] = {
    "duckdb": "CREATE OR REPLACE TEMP TABLE {} AS\n{}",
    "spark": "CREATE OR REPLACE TEMPORARY VIEW {} AS\n{}",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was checked and found right."""

    subject: str
    told: str


def statements(work: Work, stage: str, dialect: Dialect) -> list[Select]:
    """Return the SELECTs of a stage. Staging reads the raw files' headers; the rest need the staged tables' dates."""
    if stage == "staging":
        with tempfile.TemporaryDirectory() as folder:
            return [s for source in work.project.sources.values() for s in _staging(work, source, Path(folder))]
    days = calendar(work)
    return _compiled(work, stage, dialect, days.dates, days.data_end)


def check(work: Work) -> list[Finding]:
    """Check every definition against the sources, before anything runs; return what was found right.

    The definitions were validated together when the project was loaded. Here raw files are found and their
    columns compared, the bank's SELECTs planned, and every table compiled for both engines. Raises the first error.
    """
    project = work.project
    found = [
        Finding(
            "definitions",
            f"{len(project.sources)} sources, {len(project.columns)} feature columns, 1 churn definition",
        )
    ]
    with tempfile.TemporaryDirectory() as folder:
        for source in project.sources.values():
            _staging(work, source, Path(folder))
            found.append(
                Finding(f"source {source.name}", f"{len(source.columns)} columns, key {', '.join(source.keys)}")
            )
    found.append(Finding("end of the data", _end_of_data(work)))
    return [*found, *(Finding(f"SQL for {dialect}", _compiles(work, dialect)) for dialect in DIALECTS)]


def _end_of_data(work: Work) -> str:
    """The dates of the run; raises what the calendar refuses, and tells where nothing could be looked at."""
    try:
        days = calendar(work)
    except MissingTable as error:
        return f"could not look: {error.message} Run 'tenure staging', then 'tenure check' again."
    dates = days.dates
    return f"{days.data_end} is the first day not covered; {len(dates)} snapshots, {dates[0]} to {dates[-1]}"


def _compiles(work: Work, dialect: Dialect) -> str:
    """Compile every table; what only the other engine lacks is told, not refused."""
    if dialect != work.dialect:
        try:
            require_supported(work.project, dialect)
        except InvalidDefinition as gap:
            return f"not on this engine: {gap.message}"
    return f"{len(compile_all(work, dialect))} tables compile"


def compile_all(work: Work, dialect: Dialect) -> list[Select]:
    """Return every table's SELECT over sample dates: a definition that can't be compiled is refused before any run."""
    require_end(work.config.data.end, work.project.churn.bounds)
    _check_conditions(work, dialect)
    sample = (date(2024, 1, 31), date(2024, 4, 30), date(2100, 1, 31))
    end = sample[-1] + timedelta(days=work.project.churn.gap + work.project.churn.horizon)
    return [s for stage in SQL_STAGES[1:] for s in _compiled(work, stage, dialect, sample, end, test_snapshots=1)]


def _check_conditions(work: Work, dialect: Dialect) -> None:
    """Refuse a where= that is no condition on its own: by= joins it to another, of which it might pass for a part."""
    for view in work.project.views.values():
        for feature in view.features:
            if isinstance(feature, Aggregate) and feature.where:
                asked_by = f"feature '{feature.name}' ({feature.where_defined})"
                columns = readable_columns(work.project.sources[view.source])
                condition(feature.where, columns, dialect, relation="r", asked_by=asked_by)


def state(work: Work) -> list[dict[str, object]]:
    """Return each stage's newest record of the run ledger, in order, then the proofs; empty before the first run."""
    newest = last_runs(work.lake)
    return [newest[stage] for stage in (*STAGE_DOCS, "verify", "integrity") if stage in newest]


def _compiled(
    work: Work,
    stage: str,
    dialect: Dialect,
    dates: Sequence[date],
    data_end: date,
    *,
    test_snapshots: int = 0,
) -> list[Select]:
    project = work.project
    if stage == "snapshots":
        return [snapshots.snapshots(project, dialect, dates)]
    if stage == "features":
        steps = FeatureSteps(project, dialect, dates)
        held = [replace(s, text=_HOLD[dialect].format(s.table, s.text)) for s in (*steps.held, *steps.ranged())]
        return [*held, steps.final()]
    if stage == "labels":
        return [labels.generate_churn_label(project, dialect, dates, data_end)]
    if stage == "splits":
        section = work.config.splits
        plan = splits.SplitPlan(
            test_snapshots=test_snapshots or section.test_snapshots, validation_share=section.validation_share
        )
        spans = labels.label_dates(project.churn, dates, data_end)
        return [splits.splits(project, dialect, spans, plan), splits.split_proof(project)]
    return [training_set.training_set(project)]


def _staging(work: Work, source: Source, folder: Path) -> list[Select]:
    """Plan a source's staging over the real raw columns, reading no rows."""
    engine, asked_by = work.engine, f"source '{source.name}'"
    for name, raw in source.raws.items():
        query = query_of(raw)
        if query:
            empty = replace(query, query=f"SELECT * FROM ({query.query.strip().rstrip(';')}) AS planned LIMIT 0")
            engine.read(name, files_of(raw), [land(empty, folder / f"{source.name}-{name}", asked_by=asked_by)])
        else:
            engine.read(name, files_of(raw), work.raw_files(files_of(raw), asked_by=asked_by))
    raw_types = planned_types(work, source, staging.raw_rows(source, engine.dialect))
    typed = staging.typed_rows(work.project, source, engine.dialect, raw_types)
    engine.schema(typed.text)
    return [typed, staging.staging(work.project, source)]
