"""The checks of staged rows, asked for by hand: of the rows of sampled customers, or of all."""

from __future__ import annotations

from collections.abc import Iterator

from tenure.define.check import CheckOutcome
from tenure.define.source import Source
from tenure.intake.calendar import require_staged
from tenure.intake.quality import judge_stored
from tenure.session.work import Work
from tenure.tables.checks import CHECKED, rows_of_customers
from tenure.tables.sample import SAMPLED, sample

#: Customers of a sample where [verify] draws none.
_CUSTOMERS = 100


def staged_checks(work: Work, *, sampled: bool) -> Iterator[CheckOutcome]:
    """Yield what comes of each check on the staged rows: of the customers that `[verify] customers` draws, or of all.

    A source that knows no customer has no rows of sampled ones, and is checked whole. Raises MissingTable if a source
    is not staged as it is defined now.
    """
    require_staged(work, list(work.project.sources))
    work.scan(work.project.sources)
    if sampled:
        chosen = sample(work.project, work.dialect, work.config.verify.customers or _CUSTOMERS)
        work.engine.cache(SAMPLED, chosen.text)
    for source in work.project.sources.values():
        yield from judge_stored(work, source, _relation(work, source, sampled=sampled)).outcomes


def _relation(work: Work, source: Source, *, sampled: bool) -> str:
    if not sampled or not set(work.project.entity.keys) <= set(source.column_names):
        return source.name
    work.engine.cache(CHECKED, rows_of_customers(work.project, source, SAMPLED).text)
    return CHECKED
