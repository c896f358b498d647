"""Facts of each staged source: what it was read from, how many rows, and when its events lie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from tenure.define.source import Source
from tenure.define.table_contracts import FIXED
from tenure.intake.data_end import EventSpan, event_span
from tenure.session.fingerprints import fingerprint
from tenure.session.meaning import without_words
from tenure.session.work import Work
from tenure.sql.expressions import cast, named
from tenure.sql.query import Query
from tenure.version import __version__

INTAKE = FIXED["intake"]


def intake_facts(work: Work) -> dict[str, dict[str, Any]]:
    """Return the facts of each source that was staged, by its name."""
    if work.lake.find("intake") is None:
        return {}
    rows = work.lake.read("intake")
    # Arrow turns an instant that has a zone into Python by way of pandas, which takes half a second to load.
    naive = rows.schema
    for place, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            naive = naive.set(place, field.with_type(pa.timestamp("us")))
    return {row["source"]: row for row in rows.cast(naive).to_pylist()}


def definition_of(work: Work, source: Source) -> str:
    """Return the digest of how a source is defined, without what only people read."""
    return fingerprint([repr(without_words(source)), work.project.entity, __version__])


def event_days(work: Work, source: Source) -> pa.Table:
    """Return the days on which a staged source has events, in order: day_start, rows, first and last instant."""
    work.scan([source.name])
    day = cast("event_time", "DATE")
    counted = ["COUNT(*) AS rows", "MIN(event_time) AS first", "MAX(event_time) AS last"]
    days = Query(columns=[named(day, "day_start"), *counted], source=source.name, group_by=[day], order_by=["1"])
    return work.engine.run(days.text)


def span_of(days: pa.Table) -> EventSpan:
    """Return the span of the days that `event_days` counted."""
    return event_span(days["day_start"].to_pylist(), days["rows"].to_pylist())


def reasons_words(reasons: Mapping[str, int]) -> str:
    """Return the reasons of refused rows as they are kept: 'amount: not a number (3); …'."""
    return "; ".join(f"{reason} ({rows})" for reason, rows in sorted(reasons.items()))


def reasons_in(kept: str) -> dict[str, int]:
    """Return how many rows were refused for which reason, of what `reasons_words` wrote."""
    return {reason: int(rows) for reason, rows in re.findall(r"(.+?) \((\d+)\)(?:; |$)", kept)}


def refused_words(rows: int) -> str:
    """Return what staging's message says of refused rows: '16 rows quarantined'."""
    return f"{rows:,} rows quarantined"


def refused_in(message: str) -> int:
    """Return how many rows were refused, as a message of staging says; 0 where it speaks of none."""
    found = re.search(r"(?:^|; )([\d,]+) rows quarantined(?:;|$)", message)
    return int(found[1].replace(",", "")) if found else 0
