"""Ways: what is timed against what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """A script, the environment that it needs, the way it is measured against, and what it can't do.

    `on_time` leaves late and corrected rows out; a way with `columns` has so many and is compared on those alone.
    """

    script: str
    base: str = "ours"
    environment: str = ""
    on_time: bool = False
    columns: int = 0


WAYS = {
    "ours": Way("ours.py"),
    "duckdb_loop": Way("duckdb_loop.py"),
    "duckdb_bands": Way("duckdb_bands.py"),
    "polars_tiles": Way("polars_tiles.py", environment="polars"),
    "polars_loop": Way("polars_loop.py", environment="polars"),
    "floor": Way("floor.py"),
    "ours_on_time": Way("ours.py", base="ours_on_time", on_time=True),
    "featuretools": Way(
        "featuretools_dfs.py", base="ours_on_time", environment="featuretools", on_time=True, columns=204
    ),
}
