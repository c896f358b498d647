"""A sample of customers, the same on every engine and every day; and the rows of two tables counted against each other.

sha256(seed/key) of every customer the bank ever had ──► the smallest hashes ──► the sample
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.sql.dialects import as_text, date_literal, op
from tenure.sql.expressions import (
    call,
    cast,
    coalesce,
    concatenated,
    count_where,
    each_of,
    either,
    grouped,
    is_in,
    named,
    text_literal,
)
from tenure.sql.query import Column, Cte, Join, Query, Select
from tenure.tables.visible import same

#: The relation that holds the sampled customers' keys.
SAMPLED = "sampled_customers"

#: A sample is small: Spark, which else hands each of many parts to a task, keeps it in one. To DuckDB it is a comment.
ONE_PART = "/*+ COALESCE(1) */"


def sample(project: Project, dialect: Dialect, customers: int, relation: str = "", seed: int = 0) -> Select:
    """Return the keys of so many customers of `relation`, left out the entity's source, chosen by a hash of the key.

    Old and new, closed and corrected ones alike.
    """
    relation, keys = relation or project.entity.source, project.entity.keys
    customers_ever = Query(distinct=True, columns=keys, source=relation)
    seeded = concatenated([text_literal(str(seed)), *(as_text(key, dialect) for key in keys)], "/")
    sampled = Query(
        columns=keys,
        source=grouped(customers_ever.on_one_line),
        alias="customers_ever",
        order_by=[op("sha256", dialect, seeded), *keys],
        limit=customers,
    )
    return sampled.as_table(SAMPLED, reads=[relation])


def rows_of_sample(keys: Sequence[str], relation: str, columns: Sequence[str], dates: Sequence[date] = ()) -> str:
    """Return the sampled customers' rows of a relation; of some snapshots only where `dates` are given."""
    rows = Query(
        hint=ONE_PART,
        lines=each_of("r", columns),
        source=relation,
        alias="r",
        joins=[Join(SAMPLED, alias="c", on=same(keys, "c", "r"))],
        where=is_in("r.snapshot_date", map(date_literal, dates)) if dates else "",
    )
    return rows.text


def rows_in_and_out(keys: Sequence[str], before: str, after: str, dates: Sequence[date]) -> str:
    """Return, by snapshot date, the rows of `before` and `after`, and how many keys are lost, made up or there twice.

    snapshot_date, rows_in, rows_out, lost, made_up, twice: BIGINT but the date. One row in is one row out where the
    last three are 0.
    """
    row = (*keys, "snapshot_date")

    def counted(relation: str) -> Query:
        return Query(
            columns=[*row, "COUNT(*) AS n"],
            source=relation,
            where=is_in("snapshot_date", map(date_literal, dates)),
            group_by=row,
        )

    paired = Query(
        columns=[
            named(coalesce("came.snapshot_date", "went.snapshot_date"), "snapshot_date"),
            "came.n AS n_in",
            "went.n AS n_out",
        ],
        source="came",
        joins=[Join("went", on=same(row, "went", "came"), kind="FULL")],
    )
    by_date = Query(
        ctes=[
            Cte("came", "rows in, by key and date", counted(before)),
            Cte("went", "rows out, by key and date", counted(after)),
            Cte("paired", "each key and date with both counts", paired),
        ],
        lines=[
            "snapshot_date",
            Column(_total("n_in"), "rows_in"),
            Column(_total("n_out"), "rows_out"),
            Column(count_where("n_out IS NULL"), "lost"),
            Column(count_where("n_in IS NULL"), "made_up"),
            Column(count_where(either("n_out > 1", "n_in > 1")), "twice"),
        ],
        source="paired",
        group_by=["snapshot_date"],
        order_by=["snapshot_date"],
    )
    return by_date.text


def _total(counts: str) -> str:
    return cast(call("SUM", coalesce(counts, 0)), "BIGINT")
