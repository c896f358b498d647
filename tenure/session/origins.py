"""The upstream of a column: from a feature or a table's column back to the raw columns.

raw column ──► source column ──► feature definition ──► feature column ──► ratio or trend
                  │   its values · its condition · whose row · when it happened · when it was known
                  └─► snapshots, labels ──► splits, training_set
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

import sqlglot

from tenure.define.churn import ChurnDefinition
from tenure.define.feature import Aggregate, Attribute, DatePart, Feature, FeatureView, Ratio, Trend, kind_words
from tenure.define.project import Project
from tenure.define.raw_tables import RawTable
from tenure.define.reconciliation import Reconciliation
from tenure.define.source import Source
from tenure.define.window import ColumnName, Window
from tenure.sql import Dialect
from tenure.sql.conditions import names_read
from tenure.sql.selects import origins
from tenure.tables.splits import split_proof


@dataclass(frozen=True)
class Origin:
    """One node of a column's lineage: what it is, why it is read, and its own upstream."""

    kind: str
    name: str
    summary: str = ""
    upstream: tuple[Origin, ...] = ()


#: What a column is read for: its values, whose row it is, or whether the row counts.
Use: TypeAlias = Literal["value", "whose", "counts"]


@dataclass(frozen=True)
class Reading:
    """A column of a source, why something reads it in words, and what for."""

    source: str
    column: str
    why: str
    use: Use = "value"


class Defined(NamedTuple):
    """Where a feature column is defined: its view, its feature, and the feature without `by`."""

    view: FeatureView
    feature: Feature
    part: Feature


def defined_columns(project: Project) -> dict[ColumnName, Defined]:
    """Return where each feature column is defined; Tenure's own columns are not there."""
    found: dict[ColumnName, Defined] = {}
    for view in project.views.values():
        for feature in view.features:
            parts = feature.simple if isinstance(feature, Aggregate) else (feature,)
            for part in parts:
                found.update(dict.fromkeys(part.columns, Defined(view, feature, part)))
    return found


class Origins:
    """The lineage of a project's columns; `dialect` is that of the bank's own SELECTs."""

    def __init__(self, project: Project, dialect: Dialect, churn: ChurnDefinition) -> None:
        self.project, self.dialect, self.churn = project, dialect, churn

    @cached_property
    def table_columns(self) -> dict[str, list[str]]:
        """Return the columns of every table that SQL makes: the staged sources, then the tables in their order."""
        keys = [*self.project.entity.keys, "snapshot_date"]
        features = list(self.features)
        times = ["event_time", "known_time", "known_until"]
        proof = sqlglot.parse_one(split_proof(self.project).text, read="duckdb")
        staged: dict[str, list[str]] = {}
        for name, source in self.project.sources.items():
            staged[name] = [column.name for column in source.columns] + times
        return staged | {
            "snapshots": [*keys, "opened_on", "tenure_days"],
            "features": [*keys, *features],
            "labels": [*keys, "label_start", "label_end", "churned", "definition"],
            "splits": [*keys, "split", "fold", "seen_in_train"],
            "split_proof": list(proof.named_selects) if isinstance(proof, sqlglot.exp.Query) else [],
            "training_set": [*keys, "label_end", "split", "fold", "seen_in_train", "churned", *features],
        }

    def origin(self, table: str, column: str) -> Origin:
        """Return a column of `table_columns` with all of its upstream, back to the raw columns."""
        if table in self.project.sources:
            return self._of_source(self.project.sources[table], column, "")
        if table in ("features", "training_set") and column in self.features:
            return self._of_feature(self.features[column])
        summary, upstream, readings = self._of_table(table, column)
        parts = tuple(self.origin(*part) for part in upstream)
        return Origin("table column", _dotted(table, column), summary, parts + self._of_readings(readings))

    def reads(self, table: str, column: str) -> tuple[list[tuple[str, str]], list[Reading]]:
        """Return what a column of a table is made from in one step: columns of other tables, and those of sources.

        A ratio or trend reads what its parts do. Of a source's column see `raw_columns`.
        """
        if table == "features" and column in self.features:
            return self._feature_reads(self.features[column])
        if table == "training_set" and column in self.features:
            return [("features", column)], []
        _, upstream, readings = self._of_table(table, column)
        found: list[tuple[str, str]] = []
        for above, name in upstream:
            if above != table:
                found.append((above, name))
                continue
            columns, more = self.reads(above, name)
            found += columns
            readings = [*readings, *more]
        return found, readings

    def raw_columns(self, source: Source, column: str) -> tuple[tuple[str, str], ...] | None:
        """Return the (raw table, raw column) pairs that a column of a source is computed from.

        () of a constant; None where the source's SELECT does not say it.
        """
        known = source.known_time or source.event_time
        times = {"event_time": source.event_time, "known_time": known, "known_until": known}
        raw_name = source.column(times.get(column, column)).raw_name
        if not source.select:
            return ((next(iter(source.raws)), raw_name),)
        traced = origins(source.select, raw_name, self.dialect)
        return traced if traced is not None and all(table in source.raws for table, _ in traced) else None

    def _feature_reads(self, column: ColumnName) -> tuple[list[tuple[str, str]], list[Reading]]:
        if column not in self.defined:
            return [("snapshots", "opened_on")], []
        part = self.defined[column].part
        if isinstance(part, Ratio | Trend):
            return [], [reading for name in part.parts[column] for reading in self._feature_reads(name)[1]]
        if isinstance(part, DatePart):
            return [("snapshots", "snapshot_date")], []
        return [], self.readings_of(column)

    @cached_property
    def features(self) -> dict[str, ColumnName]:
        """Every feature column by its name as text."""
        return {str(name): name for name in self.project.columns}

    @cached_property
    def defined(self) -> dict[ColumnName, Defined]:
        """Where each feature column is defined, but for Tenure's own."""
        return defined_columns(self.project)

    def readings_of(self, column: ColumnName) -> list[Reading]:
        """Return the source columns that a feature column itself reads; a date part, ratio or trend reads none."""
        if column not in self.defined:
            return []
        view, feature, part = self.defined[column]
        if isinstance(part, DatePart | Ratio | Trend):
            return []
        source = self.project.sources[view.source]
        found: list[Reading] = []
        if isinstance(part, Attribute | Aggregate) and part.of:
            found.append(Reading(source.name, part.of, "its values"))
        if isinstance(part, Aggregate):
            by = feature.by if isinstance(feature, Aggregate) else ""
            found += self._of_condition(source.name, part.where, by)
        found += self._of_keys(source.name)
        found += _times(source, column, versions_only=isinstance(part, Attribute))
        if isinstance(part, Aggregate) and part.reconciled:
            found += self._of_ledger(self.project.reconciliations[part.reconciled])
        return found

    def _of_ledger(self, ledger: Reconciliation) -> Iterator[Reading]:
        """The columns that decide whether an account has a break before t."""
        why = f"whether '{ledger.name}' finds a break"
        for name in ledger.reads:
            source = self.project.sources[name]
            yield from (Reading(name, column, why, "counts") for column in ledger.columns_of(name))
            if name == ledger.bookings:
                yield from self._of_condition(name, ledger.credit)
            yield from (Reading(name, key, why, "counts") for key in source.keys)
            yield Reading(name, source.event_time, why, "counts")
            yield Reading(name, source.known_time or source.event_time, _known(source), "counts")

    def churn_readings(self) -> list[Reading]:
        """Return the source columns that decide who is asked and who churned."""
        customers = self.project.sources[self.project.entity.source]
        ended = [Reading(customers.name, customers.ends, "when the customer left")] if customers.ends else []
        for where in self.churn.ends_counted:
            ended += self._of_condition(customers.name, where)
        found: list[Reading] = []
        for rows in self.churn.rows:
            source = self.project.sources[rows.source]
            found += [Reading(source.name, column, why) for column, why in rows.columns]
            found += self._of_condition(source.name, rows.where)
            found += self._of_keys(source.name)
            known = _known(source) if rows.before_snapshot else _ANSWERED
            found.append(Reading(source.name, source.event_time, rows.role))
            if rows.ends:
                found.append(Reading(source.name, source.ends, rows.ends))
            found.append(Reading(source.name, source.known_time or source.event_time, known))
        return [*ended, *found]

    def _of_condition(self, source: str, where: str, by: str = "") -> Iterator[Reading]:
        """The columns that a condition on rows of a source reads; that of `by` is named as such."""
        if where:
            for name in names_read(where, self.dialect):
                why = "by= this column" if name == by else f"where {where}"
                yield Reading(source, name, why, "counts")

    def _of_keys(self, source: str) -> list[Reading]:
        whose = f"whose row it is ({self.project.entity.name})"
        # Balances that accounts are reconciled by may lack it.
        own = set(self.project.sources[source].column_names)
        return [Reading(source, key, whose, "whose") for key in self.project.entity.keys if key in own]

    def _of_feature(self, column: ColumnName) -> Origin:
        if column not in self.defined:
            opened = self.origin("snapshots", "opened_on")
            return Origin("feature column", str(column), f"by Tenure itself, over {column.window} before t", (opened,))
        view, feature, part = self.defined[column]
        kind = kind_words(feature)
        summary = f"{kind} '{feature.name}' of view '{view.name}' ({feature.where_defined})"
        if isinstance(part, Ratio | Trend):
            parts = tuple(self._of_feature(name) for name in part.parts[column])
            return Origin("feature column", str(column), summary, parts)
        if isinstance(part, DatePart):
            date = self.origin("snapshots", "snapshot_date")
            return Origin("feature column", str(column), f"{summary}: {part.how}", (date,))
        if column.aggregate:
            over = f" over [t − {column.window}, t)" if column.window else ""
            summary += f": {column.aggregate}{over}"
        readings = self._of_readings(self.readings_of(column))
        return Origin("feature column", str(column), summary, readings)

    def _of_readings(self, readings: Sequence[Reading]) -> tuple[Origin, ...]:
        whys: dict[tuple[str, str], list[str]] = {}
        for reading in readings:
            reasons = whys.setdefault((reading.source, reading.column), [])
            if reading.why and reading.why not in reasons:
                reasons.append(reading.why)
        found = []
        for (name, column), reasons in whys.items():
            found.append(self._of_source(self.project.sources[name], column, "; ".join(reasons)))
        return tuple(found)

    def _of_source(self, source: Source, column: str, why: str) -> Origin:
        name = _dotted(source.name, column)
        own = {"event_time": source.event_time, "known_time": source.known_time or source.event_time}
        if column in ("event_time", "known_time", "known_until"):
            summary = {"event_time": "when it happened", "known_time": "when it was known"}.get(column, "when replaced")
            part = self._of_source(source, own.get(column, own["known_time"]), "")
            return Origin("source column", name, why or summary, (part,))
        raw_name = source.column(column).raw_name
        if not source.select:
            table, raw = next(iter(source.raws.items()))
            return Origin("source column", name, why, (_raw(table, raw_name, raw),))
        traced = self.raw_columns(source, column)
        select = f"the source's select ({source.where_defined})"
        if traced is None:
            summary = f"through {select}, of {', '.join(source.raws)}"
        elif not traced:
            summary = f"a constant in {select}"
        else:
            return Origin("source column", name, why, tuple(_raw(t, c, source.raws[t]) for t, c in traced))
        return Origin("source column", name, why, (Origin("raw column", raw_name, summary),))

    def _of_snapshots(self, column: str) -> tuple[str, list[tuple[str, str]], list[Reading]]:
        """`_of_table` for a column of snapshots."""
        if column == "snapshot_date":
            return "a date of [snapshots] in tenure.toml", [], []
        if column == "tenure_days":
            return "days from opening to t", [("snapshots", "opened_on"), ("snapshots", "snapshot_date")], []
        customers = self.project.sources[self.project.entity.source]
        found = [Reading(customers.name, column, "")] if column in self.project.entity.keys else []
        found += _times(customers, ColumnName("x"), versions_only=False)
        if column == "opened_on":
            found.append(Reading(customers.name, customers.event_time, ""))
        return "customers open and known at t", [], found

    def _of_labels(self, column: str) -> tuple[str, list[tuple[str, str]], list[Reading]]:
        """`_of_table` for a column that the churn definition gives."""
        churn = self.churn
        definition = f"churn definition '{churn.name}' ({churn.where_defined})"
        if column == "churned":
            return definition, [("snapshots", "tenure_days")], self.churn_readings()
        days = churn.gap + (churn.horizon if column == "label_end" else 0)
        return f"snapshot_date + {days} days, by {definition}", [("snapshots", "snapshot_date")], []

    def _of_table(self, table: str, column: str) -> tuple[str, list[tuple[str, str]], list[Reading]]:
        """What a column of a table is, the columns of tables upstream of it, and those of sources that it reads."""
        if table == "snapshots":
            return self._of_snapshots(column)
        if table == "labels" and column in ("label_start", "label_end", "churned"):
            return self._of_labels(column)
        if table == "labels" and column == "definition":
            return "the name of the churn definition", [], []
        if table == "splits" and column == "split":
            parts = [("labels", name) for name in ("snapshot_date", "label_end", *self.project.entity.keys)]
            return "by date, and by a hash of the key; [splits] in tenure.toml", parts, []
        if table == "splits" and column == "fold":
            parts = [("labels", name) for name in self.project.entity.keys]
            return "by a hash of the key; [splits] in tenure.toml", parts, []
        if column == "seen_in_train" and table == "splits":
            return "a customer of split 'train'", [("splits", "split")], []
        if table == "split_proof":
            return "counted over the labelled rows", [("splits", "split"), ("labels", "label_end")], []
        above = {"features": "snapshots", "labels": "snapshots", "splits": "labels", "training_set": "labels"}
        return "", [("splits" if column in ("split", "fold", "seen_in_train") else above[table], column)], []


def _times(source: Source, column: ColumnName, *, versions_only: bool) -> Iterator[Reading]:
    """The columns that say which version of a row t sees, and unless `versions_only` whether it happened in time."""
    for key in source.keys:
        yield Reading(source.name, key, "which versions are of one row", "counts")
    if not versions_only:
        span = f"in [t − {column.window}, t)" if column.window else "before t"
        is_recency = column.aggregate.startswith("days_since")
        use: Use = "value" if is_recency else "counts"
        yield Reading(source.name, source.event_time, f"when it happened: {span}", use)
        if source.ends and not column.window and not is_recency:
            yield Reading(source.name, source.ends, "open at t: not ended before it", "counts")
    yield Reading(source.name, source.known_time or source.event_time, _known(source), "counts")


#: Why the time is read at which a row of the horizon was known.
_ANSWERED = "when it was known: before the answer is read"


def _known(source: Source) -> str:
    """Why the time at which a row was known is read."""
    late = f", {Window(source.arrival_delay).words} after it" if source.arrival_delay else ""
    return f"when it was known: before t{late}"


def _raw(table: str, column: str, raw: RawTable) -> Origin:
    return Origin("raw column", _dotted(table, column), raw.place)


def _dotted(table: str, column: str) -> str:
    return f"{table}.{column}"
