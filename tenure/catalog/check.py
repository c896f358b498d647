"""The check of all definitions against the data, before anything runs."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from tenure.catalog.leavers import unlike_neighbours
from tenure.catalog.sql import compile_all, staging_selects
from tenure.errors import InvalidDefinition, MissingTable
from tenure.intake.calendar import calendar
from tenure.intake.completeness import findings_in_words
from tenure.intake.facts import intake_facts
from tenure.intake.matching import unmatched_words
from tenure.intake.quality import asked_checks
from tenure.intake.staging import check_sample
from tenure.session.inherited_roles import require_inherited
from tenure.session.work import Work
from tenure.sql import DIALECTS, Dialect
from tenure.tiles.support import require_supported


@dataclass(frozen=True)
class Confirmation:
    """One thing that was checked and found right."""

    subject: str
    message: str


def check(work: Work) -> list[Confirmation]:
    """Check every definition against the sources, before anything runs; return what was found right.

    The definitions were validated together when the project was loaded. Here raw files are found and their
    columns compared, the bank's SELECTs planned, and every table compiled for both engines. Raises the first error.
    """
    project = work.project
    require_inherited(project, work.dialect, work.churn)
    found = [
        Confirmation(
            "definitions",
            f"{len(project.sources)} sources, {len(project.columns)} feature columns, 1 churn definition",
        )
    ]
    if project.flat:
        said = f"left means {project.flat.words}; no figure is out of time; windows, backfill, time travel are refused"
        found.append(Confirmation(f"no dates in {project.flat.name}", said))
    with tempfile.TemporaryDirectory() as folder:
        for source in project.sources.values():
            staging_selects(work, source, Path(folder))
            shape = f"{len(source.columns)} columns, key {', '.join(source.keys)}"
            found.append(Confirmation(f"source {source.name}", f"{shape}; {check_sample(work, source)}"))
    found += _own_and_contract_checks(work)
    found += _matched_keys(work)
    found += [Confirmation("completeness", words) for words in findings_in_words(work)]
    found.append(Confirmation("end of the data", _end_of_data(work)))
    found += [Confirmation("share of leavers", words) for words in _unlike_neighbours(work)]
    return [*found, *(Confirmation(f"SQL for {dialect}", _compiles(work, dialect)) for dialect in DIALECTS)]


def _unlike_neighbours(work: Work) -> list[str]:
    """The snapshots whose share of leavers is far from its neighbours', once there are labels."""
    return unlike_neighbours(work) if work.lake.find("labels") else []


def _own_and_contract_checks(work: Work) -> list[Confirmation]:
    """How many checks of staged rows each source has; raises what a check that can't be made raises."""
    found = []
    for source in work.project.sources.values():
        names = list(dict.fromkeys(check.code for check in asked_checks(work, source)))
        if names:
            found.append(Confirmation(f"checks of {source.name}", ", ".join(names)))
    return found


def _matched_keys(work: Work) -> list[Confirmation]:
    """How the keys of each source that was staged match the customers."""
    found = []
    for name, fact in intake_facts(work).items():
        if name in work.project.sources and fact.get("rows_unmatched") is not None:
            early = fact["rows_too_early"]
            words = unmatched_words(fact) or "all rows match a customer"
            words += f"; {early:,} lie before their customer was known" if early else ""
            found.append(Confirmation(f"keys of {name}", words))
    return found


def _end_of_data(work: Work) -> str:
    """The dates of the run; or, where nothing is staged yet, what to run first. Raises what the calendar refuses."""
    try:
        days = calendar(work)
    except MissingTable as error:
        return f"could not look: {error.message} Run 'tenure staging', then 'tenure check' again."
    dates = days.dates
    if work.project.flat:
        return "the table has no dates; its rows are one snapshot, of a nominal day"
    return f"{days.data_end} is the first day not covered; {len(dates)} snapshots, {dates[0]} to {dates[-1]}"


def _compiles(work: Work, dialect: Dialect) -> str:
    """Compile every table; a gap of the other engine is reported, not refused."""
    if dialect != work.dialect:
        try:
            require_supported(work.project, dialect, work.churn)
        except InvalidDefinition as gap:
            return f"not on this engine: {gap.message}"
    return f"{len(compile_all(work, dialect))} tables compile"
