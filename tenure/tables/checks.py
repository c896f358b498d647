"""Checks of staged rows: every one counted by month in one scan, and the rows that fail one.

                January   February   March
rows              1,000      1,010     990        one GROUP BY for all checks and all columns of a source
amount < 0            0          0      12        ──► failing rows, and the share of each month
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tenure.define.check import CODES, Check, Measure, RowCheck
from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.define.source import Column, Source
from tenure.define.table_rules import ColumnRules, Relation, TableRules
from tenure.sql.conditions import condition, names_read
from tenure.sql.dialects import as_text, literal, op, type_name
from tenure.sql.expressions import (
    after,
    all_of,
    before,
    call,
    cast,
    count_where,
    each_of,
    equal,
    grouped,
    is_not_in,
    is_not_null,
    is_null,
    named,
    negated,
    of,
)
from tenure.sql.query import Column as Selected
from tenure.sql.query import Join, Query, Select
from tenure.tables.visible import same

#: The rows that are judged: those about to be committed, or a sample of those that are staged.
CHECKED = "checked"

#: The staged rows that a relation's values are looked up in.
OTHER = "rows_of_other"

_ROW = "r"


def rule_checks(source: Source, rules: TableRules, dialect: Dialect) -> Iterator[RowCheck]:
    """Yield the checks of a source's contract that look at one row alone: nulls, range, values, freshness.

    Raises UnknownColumn if a rule is of a column that the source does not have.
    """
    for name, rule in rules.columns.items():
        yield from _column_checks(source, source.column(name), rule, dialect)
    if rules.fresh_within_days is not None:
        yield _fresh(source, rules.fresh_within_days, dialect)


def own_checks(project: Project, source: Source, dialect: Dialect) -> Iterator[RowCheck]:
    """Yield the bank's own checks of a source.

    Raises InvalidDefinition or UnknownColumn for a condition that is more than one on a row of it.
    """
    for check in project.checks.values():
        if check.source == source.name:
            yield _own(source, check, dialect)


def relation_check(source: Source, relation: Relation) -> RowCheck:
    """Return the check that each row of a source has its row in another table; no row alone tells that."""
    code = CODES["TEN-Q004"]
    return RowCheck(
        code=code.code,
        source=source.name,
        column=relation.columns[0],
        columns=relation.columns,
        dimension=code.dimension,
        severity=code.severity,
        title=f"rows whose {', '.join(relation.columns)} no row of '{relation.table}' has",
        tolerance=relation.most_unmatched,
        failing="",
    )


def counted_by_month(
    checks: Sequence[RowCheck | Measure], relation: str = CHECKED, distinct: Sequence[str] = ()
) -> Select:
    """Return a row per month of a relation: month (DATE), n_rows, last_event, and as c0, c1 … how many rows fail each
    check; as d0, d1 … about how many values each of the `distinct` columns has.
    """
    month = month_of_row()
    counts = [
        Selected(count_where(check.failing), f"c{place}", f"{check.code} {check.column}".strip())
        for place, check in enumerate(checks)
    ]
    counts += [
        Selected(call("APPROX_COUNT_DISTINCT", of(_ROW, name)), f"d{place}") for place, name in enumerate(distinct)
    ]
    last = named(call("MAX", of(_ROW, "event_time")), "last_event")
    made = Query(
        columns=[named(month, "month"), named("COUNT(*)", "n_rows"), last],
        lines=counts,
        source=relation,
        alias=_ROW,
        group_by=[month],
    )
    return made.as_table("checks_by_month", reads=[relation])


def failing_rows(source: Source, check: RowCheck, dialect: Dialect, most: int, relation: str = CHECKED) -> Select:
    """Return up to `most` rows that fail a check, in the order of their keys: the keys, and as v0, v1 … as text what it
    looked at.
    """
    made = Query(
        columns=[*each_of(_ROW, source.keys), *_looked_at(check, dialect)],
        source=relation,
        alias=_ROW,
        where=check.failing,
        order_by=each_of(_ROW, source.keys),
        limit=most,
    )
    return made.as_table("failing", reads=[relation])


def orphans(source: Source, relation: Relation, rows: str = CHECKED) -> Query:
    """Return the rows of a source that have no row in the table that a relation names: keys and columns looked at.

    A row with a null in those columns names no other row, and has none to lack.
    """
    return Query(
        columns=each_of(_ROW, dict.fromkeys((*source.keys, *relation.columns))),
        source=rows,
        alias=_ROW,
        joins=[_other_rows(relation)],
        where=all_of(is_null(of("o", relation.its_columns[0])), _names_a_row(relation)),
    )


def counted_orphans(relation: Relation, rows: str = CHECKED, other: str = OTHER) -> Select:
    """Return one row: how many rows name a row of the other table, as n_rows, and how many of them it has not, as n."""
    made = Query(
        columns=[named("COUNT(*)", "n_rows"), named(count_where(is_null(of("o", relation.its_columns[0]))), "n")],
        source=rows,
        alias=_ROW,
        joins=[_other_rows(relation, other)],
        where=_names_a_row(relation),
    )
    return made.as_table("orphans", reads=[rows, other])


def _other_rows(relation: Relation, other: str = OTHER) -> Join:
    """Each key of the other table once, so that no row is counted twice."""
    there = Query(distinct=True, columns=list(relation.its_columns), source=other)
    pairs = zip(relation.columns, relation.its_columns, strict=True)
    on = [equal(of("o", its), of(_ROW, own)) for own, its in pairs]
    return Join(grouped(there.on_one_line), alias="o", on=on, kind="LEFT")


def _names_a_row(relation: Relation) -> str:
    return all_of(*(is_not_null(of(_ROW, name)) for name in relation.columns))


def rows_of_customers(project: Project, source: Source, sampled: str) -> Query:
    """Return the rows of a source whose customers are in a relation of keys."""
    keys = project.entity.keys
    return Query(
        columns=[f"{_ROW}.*"],
        source=source.name,
        alias=_ROW,
        joins=[Join(sampled, alias="c", on=same(keys, "c", _ROW))],
    )


def month_of_row() -> str:
    """Return the first day of the month of a row's event."""
    return cast(call("DATE_TRUNC", "'month'", of(_ROW, "event_time")), "DATE")


def _looked_at(check: RowCheck, dialect: Dialect) -> list[str]:
    return [named(as_text(of(_ROW, name), dialect), f"v{place}") for place, name in enumerate(check.columns)]


def _column_checks(source: Source, column: Column, rule: ColumnRules, dialect: Dialect) -> Iterator[RowCheck]:
    value = of(_ROW, column.name)
    if rule.most_null is not None:
        yield _of_rule("TEN-Q001", source, column, is_null(value), tolerance=rule.most_null)
    if rule.low is not None:
        low = _bound(column, rule.low, dialect)
        yield _of_rule("TEN-Q002", source, column, before(value, low), f"values below {rule.low}")
    if rule.high is not None:
        # The last day counts to its end.
        is_day = column.type == "timestamp" and len(str(rule.high)) == len("2024-01-31")
        high = _bound(column, f"{rule.high} 23:59:59.999999" if is_day else rule.high, dialect)
        yield _of_rule("TEN-Q002", source, column, after(value, high), f"values above {rule.high}")
    if rule.allowed:
        listed = [literal(text, dialect) for text in rule.allowed]
        yield _of_rule("TEN-Q003", source, column, is_not_in(as_text(value, dialect), listed))


def _of_rule(
    code: str, source: Source, column: Column, failing: str, title: str = "", tolerance: float = 0.0
) -> RowCheck:
    found = CODES[code]
    return RowCheck(
        code=code,
        source=source.name,
        column=column.name,
        columns=(column.name,),
        dimension=found.dimension,
        severity=found.severity,
        title=title or found.title,
        tolerance=tolerance,
        failing=failing,
    )


def _bound(column: Column, bound: float | str, dialect: Dialect) -> str:
    """A bound of a column's range as SQL; the reader of contracts refused those of another type."""
    if column.type in ("date", "timestamp"):
        return cast(literal(str(bound), dialect), type_name(column.value_type, dialect))
    return repr(bound)


def _fresh(source: Source, days: int, dialect: Dialect) -> RowCheck:
    code, late = CODES["TEN-Q005"], op("days_between", dialect, of(_ROW, "event_time"), of(_ROW, "known_time"))
    column = source.known_time or source.event_time
    why_not = "" if source.known_time else "the source has no known_time that tells when a row arrived"
    return RowCheck(
        code=code.code,
        source=source.name,
        column=column,
        columns=(column,),
        dimension=code.dimension,
        severity=code.severity,
        title=f"rows that arrived more than {days} days after their event",
        tolerance=0.0,
        failing=after(late, days),
        why_not=why_not,
    )


def _own(source: Source, check: Check, dialect: Dialect) -> RowCheck:
    asked_by = f"check '{check.name}' ({check.where_defined})"
    types = {column.name: column.type for column in source.columns}
    met = condition(check.where, types, dialect, relation=_ROW, asked_by=asked_by)
    columns = names_read(check.where, dialect)
    return RowCheck(
        code=check.name,
        source=source.name,
        column=columns[0] if columns else "",
        columns=columns,
        dimension="validity",
        severity=check.severity,
        title=check.doc or f"rows that do not meet {check.where}",
        tolerance=check.tolerance,
        failing=negated(grouped(met)),
    )
