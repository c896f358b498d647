"""The tile algebra by hand in polars: its streaming engine, integer keys, counts packed three to an integer.

    rows ──► tiles (customer, interval) ──► bands (customer, snapshot, span between two windows' starts) ──► windows

Rows known before the first snapshot after them and never corrected make tiles, each row read once. Late and corrected
rows are few: each is laid beside every snapshot that sees it. Sums are of whole cents in doubles, exact below 2^53.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
from polars_grid import BANDS, Columns, Grid, instant
from workload import WINDOWS, Workload, way


def polars_tiles(given: Workload, out: Path) -> None:
    """Write one file."""
    grid, columns = Grid(given.days), Columns(given.categories)
    rows = placed_rows(given, grid)
    on_time = pl.col("known_until").is_null() & (pl.col("known_time") < pl.col("seen_at"))
    tiles = tiles_of(rows.filter(on_time), columns, grid).collect(engine="streaming").lazy()
    late = seen_late(rows.filter(~on_time), grid).collect(engine="streaming").lazy()
    bands = bands_of(tiles, late, columns, grid).collect(engine="streaming").lazy()
    newest = newest_of(tiles, late, given, grid)
    finished(given, columns, bands, newest).sink_parquet(out / "features" / "features.parquet", compression="snappy")


def placed_rows(given: Workload, grid: Grid) -> pl.LazyFrame:
    """Return the rows before the last snapshot, each with its interval; `order` is the time, ties by the key."""
    day = pl.col("event_time").dt.date()
    return (
        pl.scan_parquet(given.transactions, hive_partitioning=False)
        .select(
            "customer_id", "direction", "category", "balance_after", "event_time", "known_time", "known_until",
            (pl.col("amount").cast(pl.Float64) * 100).round().alias("cents"),
            pl.max_horizontal(day, pl.lit(grid.edges[0] - timedelta(days=1))).alias("day"),
            pl.when(pl.col("balance_after").is_not_null())
            .then(pl.col("event_time").to_physical().cast(pl.Int128) * 2**63 + pl.col("transaction_id"))
            .alias("order"),
        )
        .join(grid.days(), on="day")
    )  # fmt: skip


def _last() -> list[pl.Expr]:
    """The newest row, and the balance of the newest that has one."""
    return [pl.col("event_time").max(), pl.col("balance_after").max_by("order"), pl.col("order").max()]


def tiles_of(rows: pl.LazyFrame, columns: Columns, grid: Grid) -> pl.LazyFrame:
    """Return a row per customer and interval, in their order."""
    key = (pl.col("customer_id") * grid.count + pl.col("interval")).alias("key")
    made = rows.select(
        key, "bit", "event_time", "balance_after", "order", "seen_no", *columns.of_rows(),
        pl.col("cents").alias("min"), pl.col("cents").alias("max"),
    )  # fmt: skip
    grouped = made.group_by("key").agg(
        *columns.merged(), *_last(), pl.col("bit").bitwise_or(), pl.col("seen_no").first()
    )
    return grouped.sort("key").with_columns(
        (pl.col("key") // grid.count).alias("customer_id"), (pl.col("key") % grid.count).alias("interval")
    )


def seen_late(rows: pl.LazyFrame, grid: Grid) -> pl.LazyFrame:
    """Return the late and corrected rows, once for each snapshot that sees them."""
    t = pl.col("t")
    seen = (
        (pl.col("event_time") < t)
        & (pl.col("known_time") < t)
        & (pl.col("known_until").is_null() | (t <= pl.col("known_until")))
    )
    dates = grid.dates().with_columns(instant("snapshot_date").alias("t"))
    return rows.join(dates, how="cross").filter(seen)


def bands_of(tiles: pl.LazyFrame, late: pl.LazyFrame, columns: Columns, grid: Grid) -> pl.LazyFrame:
    """Return a row per customer, snapshot and band: `key` is (customer × snapshots + snapshot) × bands + band."""
    snapshots = len(grid.snapshots)
    at = pl.col("customer_id") * (snapshots * BANDS) + pl.col("sb")
    place = (pl.col("customer_id") * grid.count + pl.col("interval")).alias("key")
    mixed = late.select(place).unique().collect()["key"]
    ones = pl.col("bit").bitwise_count_ones().cast(pl.Int64)
    names = ["at", *columns.packed, *columns.sums, "min", "max", "active_days"]
    # Days of an interval that has late rows too are counted below, by both kinds of rows together.
    settled = pl.when(~pl.col("key").is_in(mixed.implode())).then(ones).alias("active_days")
    of_tiles = tiles.with_columns(settled).join(grid.covers(), on="interval").select(at.alias("at"), *names[1:])
    covers = grid.covers().with_columns((pl.col("sb") // BANDS).alias("snapshot_no"))
    placed = late.join(covers, on=["interval", "snapshot_no"]).with_columns(at.alias("at"))
    of_late = placed.select(
        "at", *columns.of_rows(), pl.col("cents").alias("min"), pl.col("cents").alias("max"),
        pl.lit(None, pl.Int64).alias("active_days"),
    ).select(names)  # fmt: skip
    masks = [
        tiles.filter(pl.col("key").is_in(mixed.implode()))
        .join(grid.covers(), on="interval")
        .select(at.alias("at"), "interval", "bit"),
        placed.select("at", "interval", "bit"),
    ]
    days = pl.concat(masks).group_by("at", "interval").agg(pl.col("bit").bitwise_or())
    of_days = days.select("at", ones.alias("active_days"))
    few = pl.concat(pl.collect_all([of_late, of_days], engine="streaming"), how="diagonal")
    return pl.concat([of_tiles, few.lazy()]).group_by("at").agg(*columns.merged(), pl.col("active_days").sum())


def newest_of(tiles: pl.LazyFrame, late: pl.LazyFrame, given: Workload, grid: Grid) -> pl.LazyFrame:
    """Return the snapshots with `ck`, customer × snapshots + snapshot, and the newest row and balance before each."""
    snapshots = len(grid.snapshots)
    ck = pl.col("customer_id") * snapshots
    in_time = (
        tiles.group_by((ck + pl.col("seen_no")).alias("ck"), pl.col("customer_id").alias("of"))
        .agg(*_last())
        .sort("ck")
        .with_columns(pl.col("balance_after", "order").forward_fill().over("of"))
    )
    of_late = late.group_by((ck + pl.col("snapshot_no")).alias("ck")).agg(*_last())
    spine = (
        pl.scan_parquet(given.snapshots, hive_partitioning=False)
        .join(grid.dates(), on="snapshot_date")
        .with_columns((ck + pl.col("snapshot_no")).alias("ck"))
        .sort("ck")
    )
    both = spine.join_asof(in_time, on="ck").join(of_late, on="ck", how="left", suffix="_late")
    mine = pl.col("of") == pl.col("customer_id")
    event_time, order = (pl.when(mine).then(pl.col(name)) for name in ("event_time", "order"))
    is_later = order.is_null() | (pl.col("order_late") > order)
    return both.select(
        "customer_id", "snapshot_date", "tenure_days", "ck",
        pl.max_horizontal(event_time, "event_time_late").alias("event_time"),
        pl.max_horizontal(order, "order_late").alias("order"),
        pl.when(is_later & pl.col("order_late").is_not_null())
        .then("balance_after_late")
        .when(mine)
        .then("balance_after")
        .alias("balance_after"),
    )  # fmt: skip


def finished(given: Workload, columns: Columns, bands: pl.LazyFrame, newest: pl.LazyFrame) -> pl.LazyFrame:
    """Return the output: the bands beside each snapshot row, summed up newest first."""
    frame, before = newest, 0
    sums = [*columns.packed, *columns.sums, "active_days"]
    for number, window in enumerate(WINDOWS):
        band = bands.filter(pl.col("at") % BANDS == number).select(
            (pl.col("at") // BANDS).alias("ck"), pl.exclude("at").name.suffix(f"_{window}")
        )
        frame = frame.join(band, on="ck", how="left").with_columns(
            *(_summed(name, window, before) for name in sums),
            *(
                _extreme(name, window, before, make)
                for name, make in (("min", pl.min_horizontal), ("max", pl.max_horizontal))
            ),
        )
        before = window
    made = dict(_expressions(columns))
    return frame.select(made[name].alias(name) for name in given.columns)


def _summed(name: str, window: int, before: int) -> pl.Expr:
    own = pl.col(f"{name}_{window}").fill_null(0)
    return own + pl.col(f"{name}_{before}") if before else own


def _extreme(name: str, window: int, before: int, make: Callable[..., pl.Expr]) -> pl.Expr:
    own = f"{name}_{window}"
    return make(own, f"{name}_{before}").alias(own) if before else pl.col(own)


def _expressions(columns: Columns) -> Iterator[tuple[str, pl.Expr]]:
    t = pl.col("snapshot_date")
    yield from ((name, pl.col(name)) for name in ("customer_id", "snapshot_date"))
    for w in WINDOWS:
        n, total, squares = columns.count("tx", w), pl.col(f"sum_{w}"), pl.col(f"squares_{w}")
        spread = (n * squares - total * total).clip(lower_bound=0) / (n * (n - 1))
        yield f"tx_count_{w}d", n
        yield f"tx_sum_{w}d", total / 100
        yield f"tx_mean_{w}d", pl.when(n > 0).then(total / 100 / n)
        yield f"tx_std_{w}d", pl.when(n > 1).then(spread.sqrt() / 100)
        yield f"tx_min_{w}d", pl.col(f"min_{w}") / 100
        yield f"tx_max_{w}d", pl.col(f"max_{w}") / 100
        for name in columns.tests:
            yield f"{name}_count_{w}d", columns.count(name, w)
            yield f"{name}_sum_{w}d", pl.col(f"{name}_sum_{w}") / 100
        yield f"used_active_days_{w}d", pl.col(f"active_days_{w}")
        yield f"history_share_{w}d", pl.min_horizontal("tenure_days", w) / w
    yield "tx_days_since_last", (t - pl.col("event_time").dt.date()).dt.total_days()
    start = (t - pl.duration(days=WINDOWS[-1])).cast(pl.Datetime("us")).to_physical()
    yield "balance_last_365d", pl.when(pl.col("order") // 2**63 >= start).then(pl.col("balance_after").cast(pl.Float64))
    for name, short, long in (
        ("count", columns.count("tx", 30), columns.count("tx", 90)),
        ("sum", pl.col("sum_30") / 100, pl.col("sum_90") / 100),
    ):
        yield f"tx_{name}_30d_over_90d", pl.when(long != 0).then((short / 30) / (long / 90))


if __name__ == "__main__":
    way(polars_tiles)
