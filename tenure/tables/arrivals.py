"""Arrivals: on which days a source's rows began to count, and stopped, with a digest of them.

        event_time   known_time                       known_until
 ────────────────────────┊ arrived: first counted ────────┊ replaced: no longer counted ───►

A snapshot at t depends on the days before t alone, so two runs with equal digests up to t have equal features at t:
late data re-open the snapshots after them, and no others.
"""

from __future__ import annotations

from tenure.define.source import Source
from tenure.sql import Dialect, Select, op, with_ctes
from tenure.tables.visible import first_counted


def arrivals(source: Source, dialect: Dialect) -> Select:
    """Return one row per day (DATE) on which anything changed: `rows` that arrived, and three digests as text.

    `arrived` and `replaced` are of the rows as they were known; `tiled` is of arrived rows with the day until which
    they count. Digests do not depend on the rows' order; engines compute different ones.
    """
    cells = [*(f"r.{column.name}" for column in source.columns), "r.event_time", "r.known_time"]
    kind = "VARCHAR" if dialect == "duckdb" else "STRING"
    hashed = (
        f"SELECT CAST({first_counted('r')} AS DATE) AS day_start, CAST(r.known_until AS DATE) AS until,\n"
        f"    {op('row_hash', dialect, _texts(cells, dialect))} AS row_hash\nFROM {source.name} AS r"
    )
    arrived = (
        "SELECT day_start, COUNT(*) AS arrived_rows, BIT_XOR(row_hash) AS arrived,\n"
        f"    BIT_XOR({op('row_hash', dialect, _texts(['row_hash', 'until'], dialect))}) AS tiled\n"
        "FROM hashed\nGROUP BY day_start"
    )
    replaced = "SELECT until, BIT_XOR(row_hash) AS replaced\nFROM hashed\nWHERE until IS NOT NULL\nGROUP BY until"
    final = (
        "SELECT COALESCE(a.day_start, e.until) AS day_start, COALESCE(a.arrived_rows, 0) AS rows,\n    "
        + ", ".join(f"CAST({name} AS {kind}) AS {name}" for name in ("arrived", "tiled", "replaced"))
        + "\nFROM arrivals AS a\nFULL JOIN replacements AS e\n  ON e.until = a.day_start\nORDER BY 1"
    )
    ctes = [
        ("hashed", f"{source.name}, each row as a number, with the days from which and until which it counts", hashed),
        ("arrivals", "what began to count, by day", arrived),
        ("replacements", "what stopped counting, by day", replaced),
    ]
    return Select(f"{source.name}_arrivals", with_ctes(ctes, final), (source.name,))


def _texts(cells: list[str], dialect: Dialect) -> str:
    """Spark's hash passes over nulls, so a null is a value there, and a value is itself behind a mark."""
    if dialect == "duckdb":
        return ", ".join(cells)
    return ", ".join(f"COALESCE(CONCAT('=', CAST({cell} AS STRING)), '')" for cell in cells)
