"""The rules that a source's first load suggests, each with the evidence that it rests on.

They are wide, so that a year of ordinary growth breaks none of them:

    range            numbers: from 0 where none is below, to ten times the greatest; times: from long before
    allowed values   of a column with a few values, each seen often enough that a value never seen is rare
    share of nulls   what was seen, half as much again, and what a sample of that size may miss by chance
    freshness        two steps above the longest delay
    relations        to each table whose key the source holds and, but for a few rows, finds there
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from tenure.checks.odcs_rules import Evidence
from tenure.define.personal import personal_columns
from tenure.define.project import Project
from tenure.define.source import Column, Source
from tenure.define.table_rules import ColumnRules, Relation, TableRules
from tenure.engines.base import Engine
from tenure.tables.rule_breaks import unmatched_rows
from tenure.tables.rule_facts import Looked, frequent_values, rule_facts

#: Days of delay that are tried; freshness is promised two steps above the longest one seen.
_DELAYS = (0, 1, 2, 3, 5, 7, 10, 14, 21, 31, 45, 62, 92, 184)

#: The fewest values that a range is drafted from.
_FEWEST = 30

#: A list of allowed values has at most so many, each of them seen so often, and at least so many rows each on average.
_MOST_VALUES, _LEAST_SEEN, _ROWS_A_VALUE = 20, 10, 50

#: A relation is proposed where at most this share of rows finds no row in the other table.
_MOST_UNMATCHED = 0.05

#: How often the greatest number may be exceeded before it is another unit, such as cents.
_GROWTH = 10


def draft(engine: Engine, project: Project, source: Source) -> tuple[TableRules, Evidence]:
    """Return the rules that a source's staged rows suggest, and their evidence; all sources are to be relations."""
    looked = [_looked(source, column) for column in source.columns]
    facts = engine.run(rule_facts(source.name, looked, _DELAYS if source.known_time else ()).text).to_pylist()[0]
    rows = int(facts["rows_in_all"])
    columns: dict[str, ColumnRules] = {}
    words: dict[tuple[str, str], str] = {}
    for place, one in enumerate(looked):
        rules = ColumnRules()
        there, name = int(facts[f"there_{place}"]), one.column.name
        if one.range and there >= _FEWEST:
            rules, words[name, "range"] = _range(rules, facts[f"least_{place}"], facts[f"greatest_{place}"], there)
        if one.values and there:
            values = engine.run(frequent_values(source.name, name, _MOST_VALUES + 1).text).to_pylist()
            if len(values) <= _MOST_VALUES:
                rules, words[name, "allowed"] = _allowed(rules, {row["seen"]: int(row["seen_rows"]) for row in values})
        if rows >= _FEWEST and _may_be_null(source, one.column):
            rules, words[name, "null"] = _most_null(rules, rows - there, rows)
        if rules != ColumnRules():
            columns[name] = rules
    freshness, delay = _freshness(facts) if source.known_time and rows else (None, "")
    relations = dict(_relations(engine, project, source)) if rows else {}
    rules_of_table = TableRules(
        table=source.name, fresh_within_days=freshness, columns=columns, relations=tuple(relations)
    )
    return rules_of_table, Evidence(words, delay, {one.table: seen for one, seen in relations.items()})


def _looked(source: Source, column: Column) -> Looked:
    """What is looked at of a column: of personal ones nothing but nulls, of keys neither range nor values."""
    is_key = column.name in source.keys or column.role == "key"
    if is_key or column.name in personal_columns(source):
        return Looked(column)
    is_closing_reason = column.role == "metadata"
    return Looked(
        column,
        range=column.type not in ("string", "boolean"),
        values=column.type == "string" and not is_closing_reason,
    )


def _may_be_null(source: Source, column: Column) -> bool:
    """Whether a share of nulls says something: not of what is required anyway, nor of an end, which mostly is not."""
    times = (source.event_time, source.known_time, source.ends)
    return not (column.required or column.name in source.keys or column.name in times)


def _range(rules: ColumnRules, least: Any, greatest: Any, there: int) -> tuple[ColumnRules, str]:
    seen = f"seen {_words(least)} to {_words(greatest)} in {there:,} rows"
    if isinstance(least, date):
        return replace(rules, low=_long_before(least, greatest)), seen
    if least == greatest:
        return rules, f"{seen}: no range of one value"
    is_whole = isinstance(least, int)
    low = 0 if least >= 0 else -_rounded_up(-float(least) * _GROWTH, is_whole=is_whole)
    high = _rounded_up(float(greatest) * _GROWTH, is_whole=is_whole) if greatest > 0 else None
    return replace(rules, low=low, high=high), seen


def _long_before(least: date, greatest: date) -> str:
    """The first day of a year as long before the first day as the last is after it, a year at least."""
    first, last = (moment.date() if isinstance(moment, datetime) else moment for moment in (least, greatest))
    margin = max(last - first, timedelta(days=366))
    year = max(1, (first - min(margin, first - date.min)).year)
    return date(year, 1, 1).isoformat()


def _rounded_up(value: float, *, is_whole: bool) -> float:
    """A positive number of two digits and zeros that is no less than the value."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    found = math.ceil(value / unit - 1e-9) * unit
    return math.ceil(found - 1e-9) if is_whole or unit >= 1 else float(f"{found:.12g}")


def _allowed(rules: ColumnRules, seen: Mapping[str, int]) -> tuple[ColumnRules, str]:
    rows = sum(seen.values())
    rarest = min(seen, key=lambda value: seen[value])
    words = f"seen {len(seen)} values in {rows:,} rows, the rarest in {seen[rarest]:,}"
    if seen[rarest] < _LEAST_SEEN or rows < _ROWS_A_VALUE * len(seen):
        return rules, f"{words}: too few for a list"
    return replace(rules, allowed=tuple(seen)), words


def _most_null(rules: ColumnRules, nulls: int, rows: int) -> tuple[ColumnRules, str]:
    """At most half as much again as was seen, what chance may hide, and one in a hundred."""
    share = nulls / rows
    words = f"seen null in {nulls:,} of {rows:,} rows, {share:.2%}"
    # By chance: five standard deviations; of no null at all, the share that would be seen in 99 of 100 loads.
    chance = 5 * math.sqrt(share * (1 - share) / rows) + 5 / rows
    most = share * 1.5 + chance + 0.01
    if share >= 0.5 or most >= 1:
        return rules, f"{words}: no limit of what is mostly null"
    return replace(rules, most_null=math.ceil(most * 1000) / 1000), words


def _freshness(facts: Mapping[str, Any]) -> tuple[int | None, str]:
    for place, days in enumerate(_DELAYS[:-2]):
        if not facts[f"later_{days}"]:
            return _DELAYS[place + 2], f"none of {facts['rows_in_all']:,} rows was known later than {days} days after"
    return None, ""


def _relations(engine: Engine, project: Project, source: Source) -> Iterable[tuple[Relation, str]]:
    for other in project.sources.values():
        if other.name == source.name or not _has_key_of(source, other):
            continue
        rule = Relation(columns=other.keys, table=other.name, its_columns=other.keys)
        found = engine.run(unmatched_rows(source.name, other.name, rule).text).to_pylist()[0]
        related, unmatched = int(found["related"]), int(found["unmatched"])
        if not related or unmatched / related > _MOST_UNMATCHED:
            continue
        most = _share_allowed(project, source, other, unmatched, related)
        yield replace(rule, most_unmatched=most), f"seen unmatched {unmatched:,} of {related:,} rows"


def _has_key_of(source: Source, other: Source) -> bool:
    types = {column.name: column.type for column in source.columns}
    return all(types.get(key) == other.column(key).type for key in other.keys)


def _share_allowed(project: Project, source: Source, other: Source, unmatched: int, related: int) -> float:
    """What was seen with room for chance; of customers no less than the source lets pass anyway."""
    share = unmatched / related
    most = share * 1.5 + 5 * math.sqrt(share / related) + 5 / related + 0.001
    if other.name == project.entity.source:
        most = max(most, source.unmatched)
    return min(1.0, math.ceil(most * 10_000) / 10_000)


def _words(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()[:10]
    return f"{value:,}" if isinstance(value, int) else f"{float(value):,.6g}"
