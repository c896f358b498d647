"""A sample of customers, the same on every engine and every day; and the rows of two tables counted against each other.

sha256(seed/key) of every customer the bank ever had ──► the smallest hashes ──► the sample
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tenure.define.project import Project
from tenure.sql import TYPE_NAMES, Dialect, Select, column_list, date_literal, op, with_ctes
from tenure.tables.visible import qualified, same

#: The relation that holds the sampled customers' keys.
SAMPLED = "sampled_customers"

#: A sample is small: Spark, which else hands each of many parts to a task, keeps it in one. To DuckDB it is a comment.
ONE_PART = "/*+ COALESCE(1) */"


def sample(project: Project, dialect: Dialect, customers: int, relation: str = "", seed: int = 0) -> Select:
    """Return the keys of so many customers of `relation`, left out the entity's source, chosen by a hash of the key.

    Old and new, closed and corrected ones alike.
    """
    relation = relation or project.entity.source
    keys, text = project.entity.keys, TYPE_NAMES[dialect]["string"]
    joined = " || '/' || ".join([f"'{seed}'", *(f"CAST({key} AS {text})" for key in keys)])
    listed = ", ".join(keys)
    return Select(
        SAMPLED,
        f"SELECT {listed}\nFROM (SELECT DISTINCT {listed} FROM {relation}) AS customers_ever\n"
        f"ORDER BY {op('sha256', dialect, joined)}, {listed}\nLIMIT {customers}",
        (relation,),
    )


def rows_of_sample(keys: Sequence[str], relation: str, columns: Sequence[str], dates: Sequence[date] = ()) -> str:
    """Return the sampled customers' rows of a relation; of some snapshots only where `dates` are given."""
    some = f"\nWHERE r.snapshot_date IN ({', '.join(map(date_literal, dates))})" if dates else ""
    return (
        f"SELECT {ONE_PART}\n{column_list([qualified([name], 'r') for name in columns])}\nFROM {relation} AS r\n"
        f"JOIN {SAMPLED} AS c\n  ON {same(keys, 'c', 'r')}{some}"
    )


def rows_in_and_out(keys: Sequence[str], before: str, after: str, dates: Sequence[date]) -> str:
    """Return, by snapshot date, the rows of `before` and `after`, and how many keys are lost, made up or there twice.

    snapshot_date, rows_in, rows_out, lost, made_up, twice: BIGINT but the date. One row in is one row out where the
    last three are 0.
    """
    row = (*keys, "snapshot_date")
    listed, some = ", ".join(row), ", ".join(map(date_literal, dates))

    def counted(relation: str) -> str:
        return f"SELECT {listed}, COUNT(*) AS n\nFROM {relation}\nWHERE snapshot_date IN ({some})\nGROUP BY {listed}"

    paired = (
        "SELECT COALESCE(came.snapshot_date, went.snapshot_date) AS snapshot_date, came.n AS n_in, went.n AS n_out\n"
        f"FROM came\nFULL JOIN went\n  ON {same(row, 'went', 'came')}"
    )
    ctes = [
        ("came", "rows in, by key and date", counted(before)),
        ("went", "rows out, by key and date", counted(after)),
        ("paired", "each key and date with both counts", paired),
    ]
    counts = [
        "CAST(SUM(COALESCE(n_in, 0)) AS BIGINT) AS rows_in",
        "CAST(SUM(COALESCE(n_out, 0)) AS BIGINT) AS rows_out",
        "COUNT(CASE WHEN n_out IS NULL THEN 1 END) AS lost",
        "COUNT(CASE WHEN n_in IS NULL THEN 1 END) AS made_up",
        "COUNT(CASE WHEN n_out > 1 OR n_in > 1 THEN 1 END) AS twice",
    ]
    final = f"SELECT\n{column_list(['snapshot_date', *counts])}\nFROM paired\nGROUP BY snapshot_date"
    return with_ctes(ctes, f"{final}\nORDER BY snapshot_date")
