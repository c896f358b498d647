"""A careful loop by hand: for each snapshot, one SELECT over the rows that it may see, in one DuckDB connection.

Each aggregate of each window is a CASE, never a FILTER (ten times slower on DuckDB); each row is read once a snapshot
with its tests made once; active days are bits of seven integers, not COUNT(DISTINCT); sums are of whole cents in
doubles, which are exact below 2^53, so that the standard deviation loses no digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
from workload import WINDOWS, Workload, way

_BITS = 60

#: The instant without its zone: a cast from TIMESTAMPTZ asks the calendar about each row and takes ten times longer.
_NAIVE = "make_timestamp(epoch_us(event_time))"
MASKS = -(-WINDOWS[-1] // _BITS)

#: Tells the newest row: by time, ties by the key.
ORDER = "(CAST(epoch_us(event_time) AS HUGEINT) << 63) + transaction_id"


def duckdb_loop(given: Workload, out: Path) -> None:
    """Write one file a snapshot."""
    loop(given, out, of_windows(given.categories))


def loop(given: Workload, out: Path, summed: str) -> None:
    """Write one file a snapshot; `summed` are the CTEs from the visible rows to one row a customer."""
    connection = duckdb.connect(config={"memory_limit": given.memory})
    connection.execute("SET TimeZone = 'UTC'")
    for name, files in (("transactions", given.transactions), ("snapshots", given.snapshots)):
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({files}, hive_partitioning = false)")
    for day in given.days:
        file = out / "features" / f"{day}.parquet"
        connection.execute(f"COPY ({of_snapshot(day, given, summed)}) TO '{file}' (FORMAT parquet, COMPRESSION snappy)")


def of_snapshot(t: date, given: Workload, summed: str) -> str:
    """Return the SELECT of one snapshot's rows."""
    since = _midnight(t - timedelta(days=WINDOWS[-1]))
    visible = f"known_time < {_midnight(t)} AND (known_until IS NULL OR known_until >= {_midnight(t)})"
    marks = [f"event_time >= {_midnight(t - timedelta(days=w))} AS w{w}" for w in WINDOWS[:-1]]
    for name, test in tests(given.categories).items():
        marks += [f"{test} AS {name}", f"CASE WHEN {test} THEN cents ELSE 0 END AS {name}_cents"]
    columns = ",\n".join(_columns(t, given))
    return f"""
        WITH visible AS (
            SELECT customer_id, event_time, transaction_id, CAST(amount * 100 AS DOUBLE) AS cents, balance_after,
                TRUE AS w{WINDOWS[-1]}, date_diff('day', CAST({_NAIVE} AS DATE), DATE '{t}') - 1 AS day,
                {", ".join(marks)}
            FROM transactions
            WHERE event_time >= {since} AND event_time < {_midnight(t)} AND {visible}
        ),
        {summed},
        newest AS (
            SELECT customer_id, MAX(event_time) AS event_time
            FROM transactions WHERE event_time < {_midnight(t)} AND {visible} GROUP BY customer_id
        )
        SELECT {columns}
        FROM (SELECT * FROM snapshots WHERE snapshot_date = DATE '{t}') AS s
        LEFT JOIN summed AS a ON a.customer_id = s.customer_id
        LEFT JOIN newest AS n ON n.customer_id = s.customer_id
    """


def of_windows(categories: list[str]) -> str:
    """Return the CTE that sums each window up over the rows."""
    aggregates = ",\n".join(
        [*_aggregates(categories), *map(masked, range(MASKS)), f"ARG_MAX(balance_after, {ORDER}) AS balance"]
    )
    return f"summed AS (SELECT customer_id, {aggregates} FROM visible GROUP BY customer_id)"


def tests(categories: list[str]) -> dict[str, str]:
    """What rows are counted and summed by: the features' name and the test."""
    kinds = {f"kind_{value}": f"category = '{value}'" for value in categories}
    return {"debit": "direction = 'debit'", "credit": "direction = 'credit'", **kinds}


def _aggregates(categories: list[str]) -> Iterator[str]:
    for w in WINDOWS:
        yield f"COUNT_IF(w{w}) AS n{w}"
        yield f"SUM(CASE WHEN w{w} THEN cents END) AS s{w}"
        yield f"SUM(CASE WHEN w{w} THEN cents * cents END) AS ss{w}"
        yield f"MIN(CASE WHEN w{w} THEN cents END) AS mn{w}"
        yield f"MAX(CASE WHEN w{w} THEN cents END) AS mx{w}"
        for name in tests(categories):
            yield f"COUNT_IF(w{w} AND {name}) AS {name}_n{w}"
            yield f"SUM(CASE WHEN w{w} THEN {name}_cents ELSE 0 END) AS {name}_s{w}"


def masked(part: int) -> str:
    """Return the aggregate that has a bit for each day with a row, of 60 days."""
    first = part * _BITS
    inside = f"day >= {first} AND day < {first + _BITS}"
    return f"BIT_OR(CASE WHEN {inside} THEN CAST(1 AS BIGINT) << (day - {first}) END) AS days{part}"


def _columns(t: date, given: Workload) -> Iterator[str]:
    """Every output column, in the project's order."""
    made = dict(_expressions(t, given.categories))
    return (f"{made[name]} AS {name}" for name in given.columns)


def _expressions(t: date, categories: list[str]) -> Iterator[tuple[str, str]]:
    yield from ((name, f"s.{name}") for name in ("customer_id", "snapshot_date"))
    for w in WINDOWS:
        yield f"tx_count_{w}d", f"COALESCE(a.n{w}, 0)"
        yield f"tx_sum_{w}d", f"COALESCE(a.s{w}, 0) / 100"
        yield f"tx_mean_{w}d", f"a.s{w} / 100 / NULLIF(a.n{w}, 0)"
        spread = f"(a.n{w} * a.ss{w} - a.s{w} * a.s{w}) / (CAST(a.n{w} AS DOUBLE) * (a.n{w} - 1))"
        yield f"tx_std_{w}d", f"CASE WHEN a.n{w} > 1 THEN SQRT(GREATEST({spread}, 0)) / 100 END"
        yield f"tx_min_{w}d", f"a.mn{w} / 100"
        yield f"tx_max_{w}d", f"a.mx{w} / 100"
        for name in tests(categories):
            yield f"{name}_count_{w}d", f"COALESCE(a.{name}_n{w}, 0)"
            yield f"{name}_sum_{w}d", f"COALESCE(a.{name}_s{w}, 0) / 100"
        yield f"used_active_days_{w}d", _active_days(w)
        yield f"history_share_{w}d", f"CAST(LEAST({w}, s.tenure_days) AS DOUBLE) / {w}"
    yield "tx_days_since_last", f"date_diff('day', CAST(n.event_time AS DATE), DATE '{t}')"
    yield "balance_last_365d", "CAST(a.balance AS DOUBLE)"
    yield "tx_count_30d_over_90d", "(a.n30 / 30.0) / NULLIF(a.n90 / 90.0, 0)"
    yield "tx_sum_30d_over_90d", "(COALESCE(a.s30, 0) / 30.0) / NULLIF(a.s90 / 90.0, 0)"


def _active_days(window: int) -> str:
    whole, rest = divmod(window, _BITS)
    masks = [f"a.days{part}" for part in range(whole)] + ([f"a.days{whole} & {2**rest - 1}"] if rest else [])
    return " + ".join(f"CAST(bit_count(COALESCE({mask}, 0)) AS BIGINT)" for mask in masks)


def _midnight(day: date) -> str:
    return f"TIMESTAMPTZ '{day} 00:00:00+00'"


if __name__ == "__main__":
    way(duckdb_loop)
