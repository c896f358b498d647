"""Running stages: compile → run → check → commit → record the latency."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import date
from functools import partial
from importlib import import_module
from typing import TypeAlias

from tenure.catalog.lineage_events import LineageEvents
from tenure.catalog.sql import compile_all
from tenure.catalog.views import refresh_views
from tenure.define.flat import require_dates
from tenure.define.stage import STAGES, Stage, maker_of
from tenure.errors import InvalidConfig, TenureError
from tenure.session.work import Outcome, Work
from tenure.stages.extras import require_packages
from tenure.stages.features import features, newest_features
from tenure.stages.quality_page import SHOWN, refresh_quality_page
from tenure.store.runs import StageRun

#: The function of a stage: it builds the stage's tables, unless they are current.
StageFunction: TypeAlias = Callable[[Work], Outcome]


def run(
    work: Work, stages: Iterable[str] = tuple(STAGES), overrides: Mapping[str, StageFunction] | None = None
) -> Iterator[StageRun]:
    """Run stages in order and yield each one's record as it ends; the lake is locked for the whole run.

    `overrides` gives a stage another function than its own, such as one for some snapshots only.

    A stage whose definitions and inputs are unchanged is 'current' and does nothing. A stage that fails is
    recorded as 'failed', one that is stopped as 'interrupted', and its error raised; nothing that it had begun is
    visible. A definition that does not compile, or a package that is not installed, is refused before the first stage.
    The views that `tenure views` wrote are written anew after the last. What a stage read and wrote is added to the
    run's lineage events, unless [lineage] says not to.
    """
    stages = _possible(work, list(stages))
    require_packages(stages, work.config.train.models)
    with ExitStack() as lock:
        with work.boundary("the start of the run"):
            compile_all(work, work.dialect)
            work.suppression_file  # noqa: B018  (a list that is missing is refused before the first stage)
            lock.enter_context(work.lake.locked())
        events = LineageEvents(work) if work.config.lineage.openlineage else None
        is_page_old = False
        try:
            for stage in stages:
                function = (overrides or {}).get(stage) or function_of(STAGES[stage])
                record = _run_stage(work, stage, function, events)
                # The report writes the quality page too.
                is_page_old = stage in SHOWN or (is_page_old and stage != "report")
                yield record
        finally:
            if is_page_old:
                refresh_quality_page(work, is_stopped=False)
        with work.boundary("the views"):
            refresh_views(work)


#: Stages that compare times, or rows of several.
_NEED_DATES = frozenset({"reconcile", "drift", "horizons"})


def _possible(work: Work, stages: list[str]) -> list[str]:
    """The stages that the project can run; raise InvalidDefinition if it has no dates and each of them needs some."""
    if work.project.flat is None:
        return stages
    possible = [stage for stage in stages if stage not in _NEED_DATES]
    if stages and not possible:
        require_dates(work.project, f"'tenure {stages[0]}'")
    return possible


def function_of(stage: Stage) -> StageFunction:
    """Return a stage's function; its module is loaded only now, since most runs need few of them."""
    function: StageFunction = getattr(import_module(stage.module), stage.name)
    return function


def backfill(work: Work, first: date | None = None, last: date | None = None) -> Iterator[StageRun]:
    """Stage what changed and bring the features of the snapshots from `first` to `last` (both included) up to date."""
    require_dates(work.project, "'tenure backfill'")
    return run(work, stages_between("staging", "features"), {"features": partial(features, first=first, last=last)})


def materialize(work: Work) -> Iterator[StageRun]:
    """Stage what changed and bring the features of the newest snapshot up to date."""
    require_dates(work.project, "'tenure materialize'")
    return run(work, stages_between("staging", "features"), {"features": newest_features})


def _run_stage(work: Work, stage: str, function: StageFunction, events: LineageEvents | None) -> StageRun:
    record = StageRun(run_id=work.run_id, stage=stage)
    before: dict[str, int] = {}
    begun = time.perf_counter()
    record.begin(work.lake)
    work.progress.begin(stage)
    try:
        with work.boundary(f"stage '{stage}'"):
            before = _whole_versions(work, stage)
            outcome = function(work)
    except BaseException as error:
        record.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        record.message = _summary(error)
        record.seconds = time.perf_counter() - begun
        with suppress(Exception):  # The stage's own error is raised; its row is kept for the next run that can write.
            record.record(work.lake)
        if events:
            with suppress(Exception):
                events.add(record, before, type(error).__name__)
        if stage in SHOWN and isinstance(error, TenureError):
            refresh_quality_page(work, is_stopped=True)
        raise
    finally:
        work.progress.end()
    record.status = "built" if outcome.built else "current"
    record.rows, record.versions, record.fingerprint = outcome.rows, outcome.versions, outcome.fingerprint
    record.checks, record.message = outcome.checks, outcome.message
    record.engine = work.engine_version
    record.seconds = time.perf_counter() - begun
    with work.boundary(f"the ledger's row of stage '{stage}'"):
        record.record(work.lake)
    if events:
        with work.boundary(f"the lineage events of stage '{stage}'"):
            events.add(record, before)
    return record


def _whole_versions(work: Work, stage: str) -> dict[str, int]:
    """The version of each table of the stage that is there.

    Raises DamagedLake if one is damaged: it would count as current without being read.
    """
    tables = [table for table in work.lake.tables() if maker_of(table) == stage]
    found = {table: work.lake.find(table) for table in tables}
    return {table: version.version for table, version in found.items() if version is not None}


def _summary(error: BaseException) -> str:
    """The ledger's message for a stage that did not end; of a bug only the class, since its text may quote rows."""
    if isinstance(error, TenureError):
        return error.message
    if isinstance(error, KeyboardInterrupt):
        return "stopped by Ctrl-C or SIGTERM; nothing half-done is visible"
    return f"{type(error).__name__}, a bug in Tenure"


def stages_between(first: str, last: str) -> Sequence[str]:
    """Return the stages from `first` to `last`, both included; raise InvalidConfig unless they are stages in order."""
    names = list(STAGES)
    for name in (first, last):
        if name not in STAGES:
            raise InvalidConfig(f"'{name}' is not a stage; stages: {', '.join(STAGES)}.")
    chosen = names[names.index(first) : names.index(last) + 1]
    if not chosen:
        raise InvalidConfig(f"stage '{first}' comes after '{last}'; the order is: {', '.join(STAGES)}.")
    return chosen
