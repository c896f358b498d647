"""Raw rows before t: which column of a raw table holds when its rows were written, and the table without its future.

A select may join raw tables that know more than the row it makes. Cut each to what stood in it at t, run the select
again, and every row that was known before t must come out as it was:

                      t                                     t
 ── raw rows ─────────┊────────►   select   ── staged ──────┊────────►
 ── raw rows ─────────┊ cut away   select   ── staged ──────┊            equal before t, or the select looks ahead
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TypedDict

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage

from tenure.define.personal import personal_columns
from tenure.define.raw_tables import RawTable
from tenure.define.source import Source
from tenure.faults.redact import shown
from tenure.leaks.staged_rows import Finding, shown_key, source_finding
from tenure.sql import Dialect, midnight_literal, quoted
from tenure.sql.arithmetic import Number
from tenure.sql.expressions import (
    all_of,
    at_least,
    at_most,
    before,
    call,
    case,
    cast,
    coalesce,
    days_later,
    differs,
    either,
    grouped,
    is_not_null,
    is_null,
    named,
    negated,
    number_where,
    of,
)
from tenure.sql.query import Column, Join, Query
from tenure.tables.typed_values import typed_value
from tenure.tables.visible import same

#: The least share of a raw column's values that must be times for its rows to be cut by it.
PARSED_SHARE = 0.95


@dataclass(frozen=True, kw_only=True)
class RawTime:
    """A source's claim that rows of a raw table are known at the time in one of its columns."""

    source: Source
    raw: RawTable
    column: str

    @property
    def declared(self) -> bool:
        """Whether the source says so of its known_time, and not of its event_time alone."""
        return bool(self.source.known_time)

    def instant(self, dialect: Dialect, raw_type: str) -> str:
        """Return the SQL of when a raw row was known, null where its text is no time."""
        declared = self.source.column(self.source.known_time or self.source.event_time)
        there = replace(declared, raw=self.column)
        typed = typed_value(self.source, there, dialect, {self.column: raw_type})
        return days_later(cast(typed, "TIMESTAMP"), self.source.arrival_delay)


def raw_times(source: Source, headers: Mapping[str, Mapping[str, str]], dialect: Dialect) -> list[RawTime]:
    """Return the raw columns that a source's known time is derived from, at most one a raw table.

    `headers` are the columns and types of each raw table by the name that the select gives it.
    """
    time = source.column(source.known_time or source.event_time).raw_name
    if not source.select:
        return [RawTime(source=source, raw=raw, column=time) for raw in source.raws.values()]
    found: dict[str, set[str]] = {}
    for table, column in _origins(time, source.select, headers, dialect):
        spelled = _spelled(column, headers.get(table, {}))
        if spelled:
            found.setdefault(table, set()).add(spelled)
    times = []
    for table, columns in found.items():
        if len(columns) == 1:
            times.append(RawTime(source=source, raw=source.raws[table], column=columns.pop()))
    return times


def the_raw_time(source: Source, raw: RawTable, claims: Sequence[RawTime]) -> RawTime | None:
    """Return by which claim a raw table is cut for a source: its own, else what the other sources agree on."""
    own: dict[str, RawTime] = {}
    declared: dict[str, RawTime] = {}
    every: dict[str, RawTime] = {}
    for claim in claims:
        if claim.raw != raw:
            continue
        every.setdefault(claim.column, claim)
        if claim.declared:
            declared.setdefault(claim.column, claim)
        if claim.source.name == source.name:
            own.setdefault(claim.column, claim)
    by_column = own or declared or every
    # Claims of more than one column contradict each other.
    return next(iter(by_column.values())) if len(by_column) == 1 else None


def rivals_of(claim: RawTime, claims: Sequence[RawTime]) -> list[RawTime]:
    """Return other sources' claims that rows of the same raw table have another known_time.

    A time that ends the rows of the claim's own source is none: that a row is written again when it ends is known.
    """
    source = claim.source
    ends = source.column(source.ends).raw_name if source.ends else ""
    rivals: dict[str, RawTime] = {}
    for other in claims:
        is_others = other.raw == claim.raw and other.source.name != source.name
        if is_others and other.declared and other.column not in (claim.column, ends):
            rivals[other.column] = other
    return list(rivals.values())


def rival_statement(claim: RawTime, rival: RawTime, relation: str, dialect: Dialect, types: Mapping[str, str]) -> str:
    """Return the SELECT of one row: `row_count`, `found` rows known a day later by the rival claim, and one's times."""
    claimed, rival_time = claim.instant(dialect, types[claim.column]), rival.instant(dialect, types[rival.column])
    is_late = at_least("rival", days_later("claimed", 1))
    late_rival = case(when=is_late, then="rival")
    times = Query(columns=[named(claimed, "claimed"), named(rival_time, "rival")], source=relation)
    query = Query(
        columns=["COUNT(*) AS row_count", named(number_where(is_late), "found")],
        lines=[Column(call("MIN", late_rival), "rival"), Column(call("MIN_BY", "claimed", late_rival), "claimed")],
        source=grouped(times.on_one_line),
        alias="times",
    )
    return query.text


def rival_finding(claim: RawTime, rival: RawTime, name: str, found: Mapping[str, object]) -> Finding:
    """Return the finding that a source claims to know rows before another source says that they were written."""
    source, rows, late = claim.source, int(str(found["row_count"])), int(str(found["found"]))
    known = shown(found["rival"], personal=_is_personal(rival))
    claimed = shown(found["claimed"], personal=_is_personal(claim))
    message = (
        f"{late:,} of {rows:,} rows ({late / rows:.1%}) of raw table '{name}' were written later than the known "
        f"time that this source claims, for example at {known} and not {claimed}: source "
        f"'{rival.source.name}' says that '{rival.column}' holds that time ({rival.source.where_defined}). "
        "Allowed: one known time for the rows of one table"
    )
    hint = f"Set known_time to '{rival.column}' here too; make it ends= if it only closes the row."
    return source_finding(source, claim.column, "two known times", message, hint)


def parsed_statement(claim: RawTime, relation: str, dialect: Dialect, raw_type: str) -> str:
    """Return the SELECT of how many values of a claim's raw column there are, and how many are times."""
    filled = call("COUNT", quoted(claim.column, dialect))
    parsed = call("COUNT", claim.instant(dialect, raw_type))
    return Query(columns=[named(filled, "filled"), named(parsed, "parsed")], source=relation).text


def rows_before(claim: RawTime, relation: str, dialect: Dialect, raw_type: str, t: date) -> str:
    """Return the raw rows that were known before `t`; rows without such a time stay."""
    instant = claim.instant(dialect, raw_type)
    was_known = either(is_null(instant), before(instant, midnight_literal(t)))
    return Query(columns=["*"], source=relation, where=was_known).text


def difference_statement(source: Source, whole: str, cut: str, t: date) -> str:
    """Return the SELECT that compares rows known before `t` of a source staged whole and staged from cut raw tables.

    One row: `row_count`, `lost` and `gained` rows, and the cells of each column that differ, `column_n`.
    """
    key = source.keys[0]
    counts = [
        Column("COUNT(*)", "row_count"),
        Column(number_where(is_null(of("b", key))), "lost"),
        Column(number_where(is_null(of("a", key))), "gained"),
    ]
    for name, count in compared_columns(source).items():
        counts.append(Column(number_where(_both_differ(source, name)), count))
    return Query(lines=counts, **_joined(source, whole, cut, t)).text


def example_of_difference(source: Source, whole: str, cut: str, t: date, column: str) -> str:
    """Return the SELECT of one row that differs in `column`, or is in one of both alone where it is ''."""
    keys = [named(coalesce(of("a", key), of("b", key)), key) for key in source.keys]
    first = source.keys[0]
    is_of_one = either(is_null(of("a", first)), is_null(of("b", first)))
    values = (of("a", column), of("b", column)) if column else ("NULL", "NULL")
    query = Query(
        columns=[*keys, named(values[0], "whole_value"), named(values[1], "cut_value")],
        where=_both_differ(source, column) if column else is_of_one,
        order_by=list(map(str, range(1, len(keys) + 1))),
        limit=1,
        **_joined(source, whole, cut, t),
    )
    return query.text


def compared_columns(source: Source) -> dict[str, str]:
    """Return the columns that must not depend on later rows, each with its count's name in `difference_statement`.

    An end is written after the fact and handled as such.
    """
    own = {*source.keys, source.ends, source.known_time}
    compared: dict[str, str] = {}
    for column in source.columns:
        if column.name not in own:
            compared[column.name] = f"column_{len(compared)}"
    return compared


def difference_finding(
    source: Source, t: date, found: Mapping[str, int], column: str, example: Mapping[str, object]
) -> Finding:
    """Return the finding that a select gives other rows, or other values in `column`, once its future is gone."""
    personal = personal_columns(source)
    key = shown_key(source, example)
    whole = shown(example["whole_value"], personal=column in personal)
    cut = shown(example["cut_value"], personal=column in personal)
    rows = found["row_count"]
    allowed = "Allowed: what a row says may depend only on raw rows known before it"
    if column:
        cells = found[compared_columns(source)[column]]
        message = (
            f"{cells:,} of {rows:,} rows known before {t} ({cells / rows:.1%}) change when raw rows of {t} and "
            f"later are taken away, for example {key}: {whole} with them, {cut} without. {allowed}"
        )
        hint = (
            "Look in its select= for an aggregate or window over all rows, or a joined table that is overwritten: "
            "join the version known at the row's own time."
        )
    else:
        odd = found["lost"] + found["gained"]
        message = (
            f"{odd:,} of {rows:,} rows known before {t} ({odd / rows:.1%}) come or go when raw rows of {t} and later "
            f"are taken away, for example {key}. {allowed}"
        )
        hint = "Look in its select= for a filter, a join or a 'newest row only' that reads later rows."
    return source_finding(source, column, "staging time travel", message, hint)


def unprovable_finding(source: Source, reasons: Mapping[str, str]) -> Finding:
    """Return the finding that some raw tables of a source can't be cut at t, so that it is proven in part alone."""
    tables = "; ".join(f"raw table '{name}' {reason}" for name, reason in reasons.items())
    hint = "Declare a source that reads the raw table with the known_time of its rows; it is then used for all."
    return source_finding(source, "", "staging time travel", f"not provable: {tables}", hint, alarm=False)


def _is_personal(time: RawTime) -> bool:
    """Whether a source declares the raw column of a claim personal."""
    return any(column.is_personal and column.raw_name == time.column for column in time.source.columns)


def _spelled(column: str, header: Mapping[str, str]) -> str:
    """The column as a raw table's header spells it, '' if it has none; SELECTs take either case."""
    for name in header:
        if name.lower() == column.lower():
            return name
    return ""


def _origins(
    column: str, select: str, headers: Mapping[str, Mapping[str, str]], dialect: Dialect
) -> Iterator[tuple[str, str]]:
    """The (raw table, column) pairs that an output column of a SELECT is derived from."""
    schema = {table: dict.fromkeys(columns, "VARCHAR") for table, columns in headers.items()}
    try:
        node = lineage(column, select.strip().rstrip(";"), schema=schema, dialect=dialect)
    except (SqlglotError, ValueError):
        return
    for leaf in _leaves(node):
        if isinstance(leaf.source, exp.Table):
            yield leaf.source.name, leaf.name.rpartition(".")[2]


def _leaves(node: Node) -> Iterator[Node]:
    if not node.downstream:
        yield node
    for child in node.downstream:
        yield from _leaves(child)


class _Joined(TypedDict):
    """Where the rows of a comparison come from."""

    source: str
    alias: str
    joins: list[Join]


def _joined(source: Source, whole: str, cut: str, t: date) -> _Joined:
    """The rows known before `t` of a source staged whole, as a, with those staged from cut raw tables, as b."""

    def known_before(relation: str) -> str:
        known = before("known_time", midnight_literal(t))
        return grouped(Query(columns=["*"], source=relation, where=known).on_one_line)

    row = [*source.keys, *(["known_time"] if source.known_time else [])]
    both = Join(known_before(cut), alias="b", kind="FULL", on=same(row, "a", "b"))
    return {"source": known_before(whole), "alias": "a", "joins": [both]}


def _both_differ(source: Source, name: str) -> str:
    """The condition that a row is in both and its value differs; floats may differ in their last digits."""
    key = source.keys[0]
    in_both = [is_not_null(of("a", key)), is_not_null(of("b", key))]
    a, b = Number(of("a", name)), Number(of("b", name))
    differ = [differs(str(a), str(b))]
    if source.column(name).type == "float":
        near = at_most(call("ABS", a - b), "1e-9" * Number(call("GREATEST", call("ABS", a), call("ABS", b))))
        differ.append(negated(coalesce(near, "FALSE")))
    return all_of(*in_both, *differ)
