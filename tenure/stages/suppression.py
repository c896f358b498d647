"""What the stages say of customers who objected: how many were left out, and how many keys are of no customer."""

from __future__ import annotations

from tenure.session.work import Work
from tenure.tables.suppressed import suppressed_customers


def objected(work: Work) -> int:
    """Return how many customers objected, 0 where the project has no suppression list."""
    if not work.project.suppresses:
        return 0
    select = suppressed_customers(work.project)
    work.scan(select.reads)
    return int(work.engine.run(select.text)["customers"][0].as_py())


def left_out(work: Work) -> list[str]:
    """Return the clauses on customers who were left out of labels or scores; none without a suppression list."""
    if not work.project.suppresses:
        return []
    customers = objected(work)
    unknown = work.suppressed.rows.num_rows - customers
    found = [f"{customers:,} customer{'' if customers == 1 else 's'} objected and {_were(customers)} left out"]
    if unknown:
        keys = f"{unknown:,} key{'' if unknown == 1 else 's'} of the suppression list"
        found.append(f"WARNING: {keys} {'is' if unknown == 1 else 'are'} of no customer")
    return found


def _were(customers: int) -> str:
    return "was" if customers == 1 else "were"
