"""Meaning: a digest of what each feature column, and the label, is defined to be.

A changed `doc`, `unit`, role, limit of quarantine or name of a view changes no meaning; a changed source, column, type,
key, time, condition, aggregate, window or list of values does. A model scores only columns that mean what it learned.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import replace
from typing import assert_never

from tenure.define.aggregates import KINDS
from tenure.define.churn import ChurnDefinition
from tenure.define.feature import Aggregate, Attribute, DatePart, Feature, FeatureView, Ratio, Trend
from tenure.define.project import Project
from tenure.define.source import Source
from tenure.define.window import ColumnName
from tenure.session.fingerprints import fingerprint
from tenure.session.origins import Origins

#: The label's name among the columns.
LABEL = "churned"


def meanings(project: Project, churn: ChurnDefinition) -> dict[str, str]:
    """Return the digest of what each feature column means, by its name, and under 'churned' that of the label."""
    found = _Meanings(project, churn)
    return {str(name): found.of(name) for name in project.columns} | {LABEL: found.of_label()}


def without_words(source: Source) -> Source:
    """Return the source without what only people read: its doc, and each column's doc and unit."""
    plain = copy(source)  # What was valid stays so: replace() would check every field again.
    object.__setattr__(plain, "doc", "")
    object.__setattr__(plain, "columns", tuple(replace(column, doc="", unit="") for column in source.columns))
    return plain


class _Meanings:
    def __init__(self, project: Project, churn: ChurnDefinition) -> None:
        self._project, self._churn = project, churn
        self._origins = Origins(project, "duckdb", churn)

    def of(self, column: ColumnName) -> str:
        """Return the digest of what a feature column means."""
        if column not in self._origins.defined:
            # Tenure's own: the share of a window in which the customer was there.
            customers = self._project.sources[self._project.entity.source]
            return fingerprint([column, self._reading(customers, ())])
        view, _, part = self._origins.defined[column]
        return fingerprint([type(part).__name__, *self._parts(view, part, column)])

    def of_label(self) -> str:
        """Return the digest of what the label means."""
        churn = self._churn
        read: dict[str, set[str]] = {self._project.entity.source: set()}
        for reading in self._origins.churn_readings():
            read.setdefault(reading.source, set()).add(reading.column)
        sources = [self._reading(self._project.sources[name], columns) for name, columns in read.items()]
        asked = [churn.min_tenure, churn.active]
        return fingerprint([churn.event, churn.gap, churn.horizon, churn.wait, *asked, *sources])

    def _parts(self, view: FeatureView, part: Feature, column: ColumnName) -> Iterable[object]:
        if isinstance(part, Ratio | Trend):
            # The column's own windows say how the two sides are compared.
            return [column.window, column.over, *(self.of(side) for side in part.parts[column])]
        if isinstance(part, DatePart):
            return [part.how]
        source = self._project.sources[view.source]
        read = self._read(column, source.name)
        if isinstance(part, Attribute):
            return [part.of, part.how, view.ttl, self._reading(source, read)]
        if isinstance(part, Aggregate):
            values = part.values if KINDS[column.aggregate].lists_values else ()
            asked = [column.aggregate, part.of, part.where, column.window, values, self._reading(source, read)]
            return [*asked, *self._ledger(part.reconciled, column)]
        assert_never(part)

    def _ledger(self, name: str, column: ColumnName) -> Iterable[object]:
        """How the accounts are reconciled whose breaks make a column unknown, and what that reads."""
        if not name:
            return
        ledger = self._project.reconciliations[name]
        yield replace(ledger, doc="")
        for source in ledger.reads:
            yield self._reading(self._project.sources[source], self._read(column, source))

    def _read(self, column: ColumnName, source: str) -> set[str]:
        """The columns of a source that a feature column reads."""
        return {reading.column for reading in self._origins.readings_of(column) if reading.source == source}

    def _reading(self, source: Source, columns: Iterable[str]) -> str:
        """Return how rows of a source come about, and how the columns that are read are typed."""
        times = (source.event_time, source.known_time, source.ends)
        read = {*columns, *source.keys, *times, *self._project.entity.keys}
        typed = [
            (c.name, c.value_type.words, c.raw_name, c.formats, c.required, c.null, c.decimal, c.thousands, c.currency)
            for c in source.columns
            if c.name in read
        ]
        raws = [(name if source.select else "", raw.meaning) for name, raw in source.raws.items()]
        keys = (source.keys, self._project.entity.keys)
        return fingerprint([raws, source.select, keys, times, source.arrival_delay, source.timezone, sorted(typed)])
