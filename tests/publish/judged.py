"""The quality of a made-up bank: each part has something in it, and texts that a page must escape."""

from dataclasses import replace
from datetime import UTC, date, datetime

from tenure.publish.quality import (
    Came,
    DriftAt,
    FailedCheck,
    Lack,
    Moved,
    Quality,
    Reconciling,
    StagingRun,
    TableScore,
)

FIRST, SECOND = datetime(2024, 7, 1, 6, 30, tzinfo=UTC), datetime(2024, 8, 1, 6, 45, tzinfo=UTC)


def failed(severity, code, column, title, rows, failing):
    return FailedCheck(
        source="payments", column=column, code=code, severity=severity, title=title, rows=rows, failing=failing
    )


def staged_in(at, status, rows, refused, **counted):
    severities = {"error": 0, "warning": 0, "note": 0} | counted
    return StagingRun(at=at, status=status, rows=rows, refused=refused, checks=214, failed=severities)


def made_up(**changed):
    """The made-up quality, with some of its parts changed."""
    whole = Quality(
        came=(
            Came(
                source="customers", files=0, read=345, staged=345, duplicates=0, refused=0, of_no_customer=None,
                reasons=(), first_event=date(2020, 1, 1), last_event=date(2024, 7, 31),
            ),
            Came(
                source="payments", files=3, read=12_000, staged=11_958, duplicates=2, refused=40, of_no_customer=5,
                reasons=(("amount: not a decimal", 39), ("paid_on: <missing>", 1)),
                first_event=date(2023, 1, 1), last_event=date(2024, 7, 31),
            ),
        ),
        lacks=(
            Lack(source="payments", code="TEN-I007", severity="warning",
                 finding="2024-03 has 12 rows, and the months beside it 300 and 310: a part may be missing"),
        ),
        checked=214,
        not_judged=7,
        failed=(
            failed("error", "TEN-Q002", "amount", "values below 0", 11_958, 12),
            failed("warning", "TEN-Q014", "kind", "values never seen before", 1_000, 20),
            failed("note", "small_b", "", "payments of <nobody>", 11_958, 1),
        ),
        scores=(
            TableScore(source="customers", score=100.0, history=(100.0,), checks=3, failed=0, lowest=()),
            TableScore(
                source="payments", score=97.5, history=(100.0, 88.0, 97.5), checks=211, failed=3,
                lowest=(("amount", 91.2), ("kind", 98.0)),
            ),
        ),
        runs=(staged_in(SECOND, "built", 12_303, 40, error=1, warning=1), staged_in(FIRST, "failed", 0, 0, error=9)),
        is_reconciliation_declared=True,
        reconciled=(
            Reconciling(SECOND, "ledger: 3 breaks on 900 account-days, 2 of 40 accounts"),
            Reconciling(FIRST, "ledger: 1 break on 870 account-days, 1 of 40 accounts"),
        ),
        drift=(
            DriftAt(date(2024, 7, 31), 120, 2), DriftAt(date(2024, 6, 30), 120, 0), DriftAt(date(2024, 5, 31), 0, 0)
        ),
        moved=(Moved("amount_sum_30d", "Money out, total over 30 days", "mean"), Moved("", "", "volume")),
    )  # fmt: skip
    return replace(whole, **changed)
