"""The stage `reconcile`: bookings held against balances, and the page that shows the worst breaks."""

from __future__ import annotations

from tenure.catalog.reconciliations import reconciled
from tenure.catalog.sql import reconcile_selects
from tenure.intake.calendar import require_staged
from tenure.publish.reconciliation import reconciliation_page
from tenure.session.work import Outcome, Work
from tenure.storage.location import make_folder, write_whole

PAGE = "reconciliation.html"


def reconcile(work: Work) -> Outcome:
    """Build both tables of each declared reconciliation, and write reconciliation.html.

    Raises MissingTable if a source that one reads is not staged as it is defined now.
    """
    outcome, declared = Outcome(), work.project.reconciliations.values()
    if not declared:
        outcome.message = "no Reconciliation is declared"
        return outcome
    require_staged(work, list(dict.fromkeys(name for defined in declared for name in defined.reads)))
    for select in reconcile_selects(work, work.dialect):
        work.build(select, outcome)
    found = list(reconciled(work))
    outcome.rows = sum(one.days for one in found)
    outcome.message = "; ".join(one.words for one in found)
    page = work.output / PAGE
    if outcome.built or not page.is_file():
        make_folder(page.parent)
        write_whole(page, reconciliation_page(work.project.name, found).encode())
    return outcome
