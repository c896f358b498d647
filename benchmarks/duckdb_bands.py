"""The careful loop, cleverer: a snapshot's rows are summed up between the windows' starts first, then over windows.

Each row falls into one of six bands, so that 36 aggregates read the rows and 220 read six rows a customer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from duckdb_loop import MASKS, ORDER, loop, masked, tests
from workload import WINDOWS, Workload, way


def duckdb_bands(given: Workload, out: Path) -> None:
    """Write one file a snapshot."""
    loop(given, out, of_bands(given.categories))


def of_bands(categories: list[str]) -> str:
    """Return the CTEs that sum up each band over the rows, and each window over its bands."""
    band = f"CASE {' '.join(f'WHEN w{w} THEN {number}' for number, w in enumerate(WINDOWS))} END AS band"
    of_rows = ", ".join([*_of_rows(categories), *map(masked, range(MASKS))])
    of_bands = ", ".join([*_of_bands(categories), *(f"BIT_OR(days{part}) AS days{part}" for part in range(MASKS))])
    newest = f"MAX(CASE WHEN balance_after IS NOT NULL THEN {ORDER} END) AS newest"
    return f"""
        banded AS (
            SELECT customer_id, {band}, {of_rows}, {newest}, ARG_MAX(balance_after, {ORDER}) AS balance
            FROM visible GROUP BY customer_id, band
        ),
        summed AS (
            SELECT customer_id, {of_bands}, ARG_MAX(balance, newest) AS balance FROM banded GROUP BY customer_id
        )"""


def _of_rows(categories: list[str]) -> Iterator[str]:
    yield "COUNT(*) AS n, SUM(cents) AS s, SUM(cents * cents) AS ss, MIN(cents) AS mn, MAX(cents) AS mx"
    for name in tests(categories):
        yield f"COUNT_IF({name}) AS {name}_n, SUM({name}_cents) AS {name}_s"


def _of_bands(categories: list[str]) -> Iterator[str]:
    counts = ["n", *(f"{name}_n" for name in tests(categories))]
    sums = ["s", "ss", *(f"{name}_s" for name in tests(categories))]
    for number, w in enumerate(WINDOWS):
        for name in counts:
            yield f"CAST(SUM(CASE WHEN band <= {number} THEN {name} ELSE 0 END) AS BIGINT) AS {name}{w}"
        for name in sums:
            yield f"SUM(CASE WHEN band <= {number} THEN {name} END) AS {name}{w}"
        yield f"MIN(CASE WHEN band <= {number} THEN mn END) AS mn{w}"
        yield f"MAX(CASE WHEN band <= {number} THEN mx END) AS mx{w}"


if __name__ == "__main__":
    way(duckdb_bands)
