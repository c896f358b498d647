"""Unmatched keys: rows of a source whose customer is none, or is none yet at the row's own time.

        customer first known                 last
──────────────┊───────────────────────────────┊──────►
   (too early)(············ matched ··········)           a key that the customers' source never had: unmatched
"""

from __future__ import annotations

from dataclasses import replace

from tenure.define.project import Project
from tenure.define.source import Source
from tenure.sql.expressions import before, call, cast, coalesce, count_where, differs, each_of, is_null, named, of
from tenure.sql.query import Cte, Join, Query, Select
from tenure.tables.visible import first_counted, same


def has_customers(project: Project, source: Source) -> bool:
    """Return whether a source's rows are about customers, and it is not the customers' own."""
    return source.name != project.entity.source and set(project.entity.keys) <= set(source.column_names)


#: The customers as they were when a source was last matched.
CUSTOMERS_BEFORE = "customers_before"

#: Some of a source's rows.
SOME_ROWS = "some_rows"


def known_otherwise(project: Project) -> Query:
    """Return one row: of how many customers, `customers`, it was known before since another time than now."""
    keys = project.entity.keys
    made = Query(
        columns=[named("COUNT(*)", "customers")],
        source="known_before",
        alias="b",
        joins=[Join("known", alias="k", on=same(keys, "b", "k"), kind="LEFT")],
        where=differs(of("b", "since"), of("k", "since")),
    )
    before = Cte("known_before", "since when each customer was known then", _since(project, CUSTOMERS_BEFORE))
    return replace(made, ctes=[before, _known(project)])


def unmatched(project: Project, source: Source, relation: str = "") -> Select:
    """Return one row: rows_unmatched, keys_unmatched and rows_too_early of a staged source, all whole numbers.

    Of all its rows, or of a `relation` with some of them.
    """
    by_key = Query(
        columns=[*project.entity.keys, "COUNT(*) AS n"],
        source="met",
        where=is_null("since"),
        group_by=list(project.entity.keys),
    )
    nobody = Query(
        columns=[named(cast(coalesce("SUM(n)", 0), "BIGINT"), "rows_unmatched"), named("COUNT(*)", "keys_unmatched")],
        source="strangers",
    )
    early = Query(columns=[named(count_where(before("counted", "since")), "rows_too_early")], source="met")
    made = Query(
        ctes=[
            *_met(project, relation or source.name),
            Cte("strangers", "the keys that no customer has, with their rows", by_key),
            Cte("nobody", "how many they are", nobody),
            Cte("early", "rows of a customer before the bank knew him", early),
        ],
        columns=["rows_unmatched", "keys_unmatched", "rows_too_early"],
        source="nobody",
        joins=[Join("early", on="1 = 1")],
    )
    return made.as_table(f"{source.name}_unmatched", reads=[relation or source.name, project.entity.source])


def strangers(project: Project, source: Source, most: int) -> Select:
    """Return some keys that no customer has, those with the most rows first, and each one's `n` rows."""
    keys = project.entity.keys
    made = Query(
        ctes=_met(project, source.name),
        columns=[*keys, "COUNT(*) AS n"],
        source="met",
        where=is_null("since"),
        group_by=list(keys),
        order_by=["n DESC", *keys],
        limit=most,
    )
    return made.as_table(f"{source.name}_strangers", reads=[source.name, project.entity.source])


def _known(project: Project) -> Cte:
    return Cte("known", "since when each customer is known", _since(project, project.entity.source))


def _since(project: Project, relation: str) -> Query:
    keys = project.entity.keys
    return Query(
        columns=[*keys, named(call("MIN", first_counted("c")), "since")],
        source=relation,
        alias="c",
        group_by=list(keys),
    )


def _met(project: Project, relation: str) -> list[Cte]:
    """Each row of a relation with the instant since which its customer is known, null for none."""
    keys = project.entity.keys
    met = Query(
        columns=[*each_of("r", keys), named(first_counted("r"), "counted"), of("k", "since")],
        source=relation,
        alias="r",
        joins=[Join("known", alias="k", on=same(keys, "r", "k"), kind="LEFT")],
    )
    return [
        _known(project),
        Cte("met", "each row with the time since which its customer is known", met),
    ]
