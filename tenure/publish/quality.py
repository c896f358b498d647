"""Data quality for people: what came in, what was refused and why, checks, scores, balances and drift, over runs.

It shows counts, names of columns and words of definitions; no value of a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from markupsafe import Markup

from tenure.define.check import SEVERITIES
from tenure.publish import sparklines
from tenure.publish.pages import pages
from tenure.publish.words import plural

#: A drawn score's scale begins at 90, or where the lowest one is.
_LOWEST_DRAWN = 90.0

_KINDS = {
    "mean": "its mean",
    "spread": "its spread",
    "shape": "how its values are distributed",
    "missing": "how many of its cells are empty",
    "category": "how often a value comes",
    "unseen value": "a value that no earlier snapshot held",
    "volume": "the number of rows",
}


@dataclass(frozen=True, kw_only=True)
class Came:
    """A source's rows in its newest intake, how many files, and the refused rows by reason.

    `files` is 0 of a table of a server; `of_no_customer` None of a source that is not matched with customers.
    """

    source: str
    files: int
    read: int
    staged: int
    duplicates: int
    refused: int
    of_no_customer: int | None
    reasons: tuple[tuple[str, int], ...]
    first_event: date | None
    last_event: date | None


@dataclass(frozen=True, kw_only=True)
class Lack:
    """A month that seems missing, short or doubled, or another finding of completeness, in words without a value."""

    source: str
    code: str
    severity: str
    finding: str


@dataclass(frozen=True, kw_only=True)
class FailedCheck:
    """A check that found something: how many of how many rows failed it; its column is '' of whole rows."""

    source: str
    column: str
    code: str
    severity: str
    title: str
    rows: int
    failing: int

    @property
    def share(self) -> float | None:
        """The share of rows that failed, None of no rows."""
        return self.failing / self.rows if self.rows else None


@dataclass(frozen=True, kw_only=True)
class TableScore:
    """A source's score from 0 to 100, those of its runs with the newest last, and its lowest columns below 100.

    `history` counts the runs too whose rows a check refused; `score` is of the rows that stand.
    """

    source: str
    score: float
    history: tuple[float, ...]
    checks: int
    failed: int
    lowest: tuple[tuple[str, float], ...]

    @property
    def line(self) -> Markup:
        """The scores as a line; empty of a single one."""
        words = f"{plural(len(self.history), 'run')}: from {self.history[0]:.1f} to {self.history[-1]:.1f}"
        return sparklines.line(self.history, words, low=min(_LOWEST_DRAWN, *self.history), high=100.0)


@dataclass(frozen=True, kw_only=True)
class StagingRun:
    """A run that staged something or was stopped: rows staged and refused, and its failed checks by severity."""

    at: datetime
    status: str
    rows: int
    refused: int
    checks: int
    failed: dict[str, int]


@dataclass(frozen=True)
class Reconciling:
    """When bookings were held against balances, and the totals as clauses."""

    at: datetime
    words: str


@dataclass(frozen=True)
class DriftAt:
    """How much was judged at a snapshot, and how many alarms there were."""

    snapshot_date: date
    judged: int
    alarms: int


@dataclass(frozen=True)
class Moved:
    """A feature that alarmed at the newest snapshot: its column ('' of the number of rows), meaning, and what moved."""

    column: str
    meaning: str
    kind: str

    @property
    def what(self) -> str:
        """What of it moved, in words."""
        return _KINDS[self.kind]


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What is known of the quality of the data; each part is empty where its stage has not run.

    `stopped` is the status of the newest staging if it did not end, '' if it did; `stopping` the sources that an error
    of a check stopped. `runs`, `reconciled` and `drift` have the newest first.
    """

    came: tuple[Came, ...] = ()
    not_staged: tuple[str, ...] = ()
    lacks: tuple[Lack, ...] = ()
    checked: int = 0
    not_judged: int = 0
    failed: tuple[FailedCheck, ...] = ()
    scores: tuple[TableScore, ...] = ()
    runs: tuple[StagingRun, ...] = ()
    stopped: str = ""
    stopping: tuple[str, ...] = ()
    is_reconciliation_declared: bool = False
    reconciled: tuple[Reconciling, ...] = ()
    drift: tuple[DriftAt, ...] = ()
    moved: tuple[Moved, ...] = ()

    @property
    def read(self) -> int:
        """The rows that came in."""
        return sum(one.read for one in self.came)

    @property
    def refused(self) -> int:
        """The rows that were refused."""
        return sum(one.refused for one in self.came)

    @property
    def by_severity(self) -> dict[str, int]:
        """The failed checks by severity, the gravest first; those that have none are left out."""
        counted = {severity: sum(one.severity == severity for one in self.failed) for severity in SEVERITIES}
        return {severity: number for severity, number in counted.items() if number}

    @property
    def headline(self) -> str:
        """The page in one sentence."""
        if not self.came and not self.checked:
            return "Nothing has come in yet."
        refused = f"{self.refused:,}" if self.refused else "none"
        was = "was" if self.refused == 1 else "were"
        return f"{self._checks_in_words}; {plural(self.read, 'row')} came in, {refused} {was} refused."

    @property
    def _checks_in_words(self) -> str:
        if not self.checked:
            return "No check has been made"
        if not self.failed:
            return f"All {self.checked:,} checks passed" if self.checked > 1 else "The one check passed"
        errors = self.by_severity.get("error", 0)
        grave = f"{errors:,} of them {'an error' if errors == 1 else 'errors'}" if errors else "none of them an error"
        return f"{len(self.failed):,} of {plural(self.checked, 'check')} found something, {grave}"

    @property
    def drift_line(self) -> Markup:
        """The alarms of each snapshot that could be judged, as a line; empty of a single one."""
        alarms = [one.alarms for one in reversed(self.drift) if one.judged]
        now, most = (alarms[-1], max(alarms)) if alarms else (0, 0)
        words = f"alarms at {len(alarms)} snapshots: now {now}, at most {most}"
        return sparklines.line(alarms, words, low=0.0, high=max(1.0, most))


def quality_page(project: str, quality: Quality) -> str:
    """Return the page: HTML with its style inside, no script, nothing to fetch."""
    template = pages().get_template("quality.html.j2")
    return template.render(project=project, quality=quality, ledger_place="reconciliation.html")
