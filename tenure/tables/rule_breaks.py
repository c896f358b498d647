"""How many staged rows break each rule of a contract: one scan of a table for all, and one more a relation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from tenure.define.dialect import Dialect
from tenure.define.source import Column, Source
from tenure.define.table_rules import ColumnRules, Relation, TableRules
from tenure.sql.dialects import date_literal, instant_literal, literal
from tenure.sql.expressions import (
    after,
    all_of,
    before,
    count_where,
    days_later,
    equal,
    is_in,
    is_not_null,
    is_null,
    named,
    negated,
    of,
)
from tenure.sql.query import Join, Query, within_parentheses


@dataclass(frozen=True)
class RowRule:
    """A rule that one row breaks or not: its column, what it asks in words, the condition of a row that breaks it, and
    the share of rows that may.
    """

    column: str
    words: str
    broken: str
    most: float = 0.0


def row_rules(source: Source, rules: TableRules, dialect: Dialect) -> list[RowRule]:
    """Return the rules of a table that one row breaks or not."""
    found: list[RowRule] = []
    for name, column_rules in rules.columns.items():
        found += _of_column(source.column(name), column_rules, dialect)
    days = rules.fresh_within_days
    if days is not None:
        late = after("known_time", days_later("event_time", days))
        found.append(RowRule(source.known_time or source.event_time, f"known within {days} days", late))
    return found


def _of_column(column: Column, rules: ColumnRules, dialect: Dialect) -> Iterator[RowRule]:
    name = column.name
    if rules.low is not None:
        yield RowRule(name, f"at least {rules.low}", before(name, _bound(column, rules.low)))
    if rules.high is not None:
        # The last day counts to its end.
        is_day = column.type == "timestamp" and len(str(rules.high)) == len("2024-01-31")
        high = f"{rules.high} 23:59:59.999999" if is_day else rules.high
        yield RowRule(name, f"at most {rules.high}", after(name, _bound(column, high)))
    if rules.allowed:
        values = [value if column.type == "integer" else literal(value, dialect) for value in rules.allowed]
        yield RowRule(name, f"one of {len(values)} values", negated(is_in(name, values)))
    if rules.most_null is not None:
        yield RowRule(name, f"null in at most {rules.most_null:.4%}", is_null(name), rules.most_null)


def _bound(column: Column, value: float | str) -> str:
    if column.type == "date":
        return date_literal(date.fromisoformat(str(value)))
    if column.type == "timestamp":
        return instant_literal(datetime.fromisoformat(str(value)))
    return repr(value)


def broken_rows(relation: str, rules: Sequence[RowRule]) -> Query:
    """Return one row: `rows_in_all`, and for the rule at place n `broken_n`, the rows that break it."""
    counts = [named(count_where(rule.broken), f"broken_{place}") for place, rule in enumerate(rules)]
    return Query(lines=[named("COUNT(*)", "rows_in_all"), *counts], source=relation)


def unmatched_rows(relation: str, its_relation: str, rule: Relation) -> Query:
    """Return one row: `related`, the rows whose columns of the relation are there, and `unmatched`, those of them whose
    values no row of the other table has.
    """
    theirs = Query(distinct=True, columns=[*rule.its_columns], source=its_relation)
    pairs = zip(rule.columns, rule.its_columns, strict=True)
    return Query(
        lines=[
            named("COUNT(*)", "related"),
            named(count_where(is_null(of("t", rule.its_columns[0]))), "unmatched"),
        ],
        source=relation,
        alias="r",
        joins=[
            Join(
                within_parentheses(theirs.text),
                alias="t",
                kind="LEFT",
                on=[equal(of("r", mine), of("t", its)) for mine, its in pairs],
            )
        ],
        where=all_of(*(is_not_null(of("r", name)) for name in rule.columns)),
    )
