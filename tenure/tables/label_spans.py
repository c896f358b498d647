"""The spans of labels: which snapshots have an answer, and when it is read.

  t    gap    [ start ········ horizon ········ end )──── wait ────┊ answered
──┊───────────[·······························)───────────────┊──────────┊ data end     a row
──┊───────────[·············· outage ·········)───────────────┊──────────┊              no row: rows of it are lost
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from tenure.define.churn import CENSORED, ChurnDefinition
from tenure.define.project import Project
from tenure.errors import CensoredHorizon


@dataclass(frozen=True)
class Outage:
    """Days, [first, until), of which no row of a source came, though it has no other gap nearly as long.

    ▌▌▌▌▌ ▌▌▌▌▌ ▌▌▌▌▌ first ······································ until ▌▌▌ ▌▌▌▌▌ ▌▌▌▌▌
    """

    source: str
    first: date
    until: date
    what: str = ""

    @property
    def words(self) -> str:
        """What is missing, as a clause."""
        return self.what or f"no row of {self.source} came from {self.first} to {self.until - timedelta(days=1)}"


@dataclass(frozen=True)
class LabelSpan:
    """The days of one snapshot's labels: [start, end), and `answered`, on which its rows have arrived.

    `lost` says why it has no answer, '' if it has one.
    """

    snapshot_date: date
    start: date
    end: date
    answered: date
    lost: str = ""


def label_spans(
    project: Project, churn: ChurnDefinition, dates: Sequence[date], data_end: date, outages: Sequence[Outage] = ()
) -> list[LabelSpan]:
    """Return the spans of the snapshots that have an answer.

    `data_end` is the first day that the data do not cover. Raises CensoredHorizon if no snapshot is left.
    """
    spans = all_spans(project, churn, dates, data_end, outages)
    answered = [span for span in spans if not span.lost]
    if answered:
        return answered
    wait = churn.wait_for(project.sources)
    waited = f", and waits {wait} days for its rows to arrive" if wait else ""
    lost = f"; {outages[0].words}" if outages else ""
    raise CensoredHorizon(
        f"churn definition '{churn.name}' looks {churn.gap} + {churn.horizon} days ahead{waited}, but the data end "
        f"before {data_end} and the first snapshot is {min(dates)}{lost}: every label would be censored "
        f"({churn.where_defined}).",
        hint="Shorten the horizon or the gap, or begin the snapshots earlier ([snapshots] first).",
    )


def all_spans(
    project: Project, churn: ChurnDefinition, dates: Sequence[date], data_end: date, outages: Sequence[Outage] = ()
) -> list[LabelSpan]:
    """Return the span of every snapshot, those without an answer with the reason."""
    wait = churn.wait_for(project.sources)
    found = []
    for t in dates:
        start = t + timedelta(days=churn.gap)
        end = start + timedelta(days=churn.horizon)
        answered = end + timedelta(days=wait)
        first_read = start - timedelta(days=churn.event.looks_back)
        lost = CENSORED if answered > data_end else ""
        for outage in outages:
            if outage.first < end and first_read < outage.until:
                lost = lost or outage.words
        found.append(LabelSpan(t, start, end, answered, lost))
    return found
