"""Arrivals: on which days a source's rows began to count, and stopped, with a digest of them.

        event_time   known_time                       known_until
 ────────────────────────┊ arrived: first counted ────────┊ replaced: no longer counted ───►

A snapshot at t depends on the days before t alone, so two runs with equal digests up to t have equal features at t:
late data re-open the snapshots after them, and no others.
"""

from __future__ import annotations

from tenure.define.dialect import Dialect
from tenure.define.source import Source
from tenure.sql.dialects import as_text, op
from tenure.sql.expressions import call, cast, coalesce, each_of, listed, named
from tenure.sql.query import Column, Cte, Join, Query, Select
from tenure.tables.visible import first_counted


def arrivals(source: Source, dialect: Dialect, relation: str = "") -> Select:
    """Return one row per day (DATE) on which anything changed: `rows` that arrived, and three digests as text.

    Of all staged rows of a source, or of a `relation` with some of them.

    `arrived` and `replaced` are of the rows as they were known; `tiled` is of arrived rows with the day until which
    they count. Digests do not depend on the rows' order; engines compute different ones.
    """
    names = [column.name for column in source.columns]
    hashed = Query(
        columns=[
            named(cast(first_counted("r"), "DATE"), "day_start"),
            named(cast("r.known_until", "DATE"), "until"),
        ],
        lines=[Column(_digest(each_of("r", [*names, "event_time", "known_time"]), dialect), "row_hash")],
        source=relation or source.name,
        alias="r",
    )
    arrived = Query(
        columns=["day_start", "COUNT(*) AS arrived_rows", "BIT_XOR(row_hash) AS arrived"],
        lines=[Column(call("BIT_XOR", _digest(["row_hash", "until"], dialect)), "tiled")],
        source="hashed",
        group_by=["day_start"],
    )
    replaced = Query(
        columns=["until", "BIT_XOR(row_hash) AS replaced"],
        source="hashed",
        where="until IS NOT NULL",
        group_by=["until"],
    )
    digests = [named(as_text(name, dialect), name) for name in ("arrived", "tiled", "replaced")]
    by_day = Query(
        ctes=[
            Cte(
                "hashed",
                f"{source.name}, each row as a number, with the days from which and until which it counts",
                hashed,
            ),
            Cte("arrivals", "what began to count, by day", arrived),
            Cte("replacements", "what stopped counting, by day", replaced),
        ],
        columns=[
            named(coalesce("a.day_start", "e.until"), "day_start"),
            named(coalesce("a.arrived_rows", 0), "rows"),
        ],
        lines=[listed(digests)],
        source="arrivals",
        alias="a",
        joins=[Join("replacements", alias="e", on="e.until = a.day_start", kind="FULL")],
        order_by=["1"],
    )
    return by_day.as_table(f"{source.name}_arrivals", reads=[relation or source.name])


def _digest(cells: list[str], dialect: Dialect) -> str:
    """One number of several values, nulls among them."""
    return op("row_hash", dialect, listed(op("hashed_cell", dialect, cell) for cell in cells))
