"""Reconciliations as they are stored: totals, breaks by kind, and the worst of them with their bookings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.compute as pc

from tenure.define.personal import personal_columns
from tenure.define.reconciliation import Reconciliation
from tenure.faults.redact import shape
from tenure.publish.reconciliation import Booking, Break, Reconciled
from tenure.session.work import Work
from tenure.tables.reconcile import bookings_of_worst, worst

#: How many breaks are told one by one.
WORST = 10

#: How many bookings of a break are told one by one.
BOOKINGS = 20


def reconciled(work: Work) -> Iterator[Reconciled]:
    """Yield what each declared reconciliation came to; raise MissingTable if one is not built yet."""
    for defined in work.project.reconciliations.values():
        yield _reconciled(work, defined)


def _reconciled(work: Work, defined: Reconciliation) -> Reconciled:
    days = work.read(defined.days_relation, columns=["outcome", "break_kind"])
    accounts = work.read(defined.accounts_relation, columns=["breaks", "reconciled"])
    kinds = Counter(kind for kind in days["break_kind"].to_pylist() if kind)
    return Reconciled(
        name=defined.name,
        doc=defined.doc,
        unit=work.project.sources[defined.bookings].column(defined.amount).unit,
        days=len(days),
        unchecked=pc.sum(pc.equal(days["outcome"], "unchecked")).as_py() or 0,
        breaks=sum(kinds.values()),
        accounts=len(accounts),
        broken_accounts=pc.sum(pc.greater(accounts["breaks"], 0)).as_py() or 0,
        unreconciled_accounts=pc.sum(pc.invert(accounts["reconciled"])).as_py() or 0,
        kinds=dict(kinds.most_common()),
        worst=tuple(_worst(work, defined)) if kinds else (),
    )


def _worst(work: Work, defined: Reconciliation) -> Iterator[Break]:
    """The worst breaks, each with the first of its bookings."""
    with_bookings = bookings_of_worst(work.project, defined, work.dialect, WORST)
    work.scan(with_bookings.reads)
    of_break: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in work.engine.run(with_bookings.text).to_pylist():
        of_break.setdefault(_place(row, defined), []).append(row)
    personal = personal_columns(work.project.sources[defined.bookings])
    keys = work.project.sources[defined.bookings].keys
    for row in work.engine.run(worst(defined, WORST).text).to_pylist():
        rows = of_break.get(_place(row, defined), [])
        yield Break(
            account=_named(row, defined.accounts, personal),
            day=row["ledger_day"],
            kind=row["break_kind"],
            shown=tuple(_booking(one, keys, personal) for one in rows[:BOOKINGS]),
            **{name: row[name] for name in _AS_STORED},
        )


_AS_STORED = ("from_day", "opening", "net", "expected", "balance", "difference", "missing_balances", "bookings")


def _booking(row: dict[str, Any], keys: Sequence[str], personal: frozenset[str]) -> Booking:
    return Booking(_named(row, keys, personal), row["booked_on"], row["moved"], row.get("balance_after"))


def _place(row: dict[str, Any], defined: Reconciliation) -> tuple[Any, ...]:
    return (*(row[name] for name in defined.accounts), row["ledger_day"])


def _named(row: dict[str, Any], names: Sequence[str], personal: frozenset[str]) -> str:
    """The values of some columns, one behind the other; of a personal one its shape."""
    return " ".join(shape(row[name]) if name in personal else str(row[name]) for name in names)
