"""A loop by hand in polars: for each snapshot, one group-by over the rows that it may see, in the streaming engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl
from workload import WINDOWS, Workload, way


def polars_loop(given: Workload, out: Path) -> None:
    """Write one file a snapshot."""
    rows = pl.scan_parquet(given.transactions, hive_partitioning=False).with_columns(
        (pl.col("amount").cast(pl.Float64) * 100).round().alias("cents")
    )
    customers = pl.scan_parquet(given.snapshots, hive_partitioning=False)
    for day in given.days:
        frame = of_snapshot(day, rows, customers, given)
        frame.sink_parquet(out / "features" / f"{day}.parquet", compression="snappy")


def of_snapshot(t: date, rows: pl.LazyFrame, customers: pl.LazyFrame, given: Workload) -> pl.LazyFrame:
    """Return one snapshot's rows."""
    until = pl.col("known_until")
    visible = rows.filter(
        (pl.col("event_time") < _midnight(t))
        & (pl.col("known_time") < _midnight(t))
        & (until.is_null() | (until >= _midnight(t)))
    )
    recent = visible.filter(pl.col("event_time") >= _midnight(t - timedelta(days=WINDOWS[-1]))).with_columns(
        pl.col("event_time").dt.date().alias("day"),
        pl.when(pl.col("balance_after").is_not_null())
        .then(pl.col("event_time").to_physical().cast(pl.Int128) * 2**63 + pl.col("transaction_id"))
        .alias("order"),
    )
    summed = recent.group_by("customer_id").agg(*_aggregates(t, given.categories))
    newest = visible.group_by("customer_id").agg(pl.col("event_time").max().alias("newest"))
    joined = (
        customers.filter(pl.col("snapshot_date") == t)
        .join(summed, on="customer_id", how="left")
        .join(newest, on="customer_id", how="left")
    )
    made = dict(_expressions(t, given.categories))
    return joined.select(made[name].alias(name) for name in given.columns)


def _tests(categories: Sequence[str]) -> dict[str, pl.Expr]:
    kinds = {f"kind_{name}": pl.col("category") == name for name in categories}
    return {"debit": pl.col("direction") == "debit", "credit": pl.col("direction") == "credit", **kinds}


def _aggregates(t: date, categories: Sequence[str]) -> Iterator[pl.Expr]:
    cents = pl.col("cents")
    for w in WINDOWS:
        inside = pl.col("event_time") >= _midnight(t - timedelta(days=w))
        mine = pl.when(inside).then(cents)
        yield inside.sum().cast(pl.Int64).alias(f"n{w}")
        yield mine.sum().alias(f"s{w}")
        yield (mine * cents).sum().alias(f"ss{w}")
        yield mine.min().alias(f"mn{w}")
        yield mine.max().alias(f"mx{w}")
        yield pl.when(inside).then("day").drop_nulls().n_unique().cast(pl.Int64).alias(f"days{w}")
        for name, test in _tests(categories).items():
            yield (inside & test).sum().cast(pl.Int64).alias(f"{name}_n{w}")
            yield pl.when(inside & test).then(cents).sum().alias(f"{name}_s{w}")
    yield pl.col("balance_after").max_by("order").alias("balance")


def _expressions(t: date, categories: Sequence[str]) -> Iterator[tuple[str, pl.Expr]]:
    yield from ((name, pl.col(name)) for name in ("customer_id", "snapshot_date"))
    for w in WINDOWS:
        n, total, squares = pl.col(f"n{w}"), pl.col(f"s{w}"), pl.col(f"ss{w}")
        spread = (n * squares - total * total).clip(lower_bound=0) / (n * (n - 1))
        yield f"tx_count_{w}d", n.fill_null(0)
        yield f"tx_sum_{w}d", total.fill_null(0) / 100
        yield f"tx_mean_{w}d", pl.when(n > 0).then(total / 100 / n)
        yield f"tx_std_{w}d", pl.when(n > 1).then(spread.sqrt() / 100)
        yield f"tx_min_{w}d", pl.col(f"mn{w}") / 100
        yield f"tx_max_{w}d", pl.col(f"mx{w}") / 100
        for name in _tests(categories):
            yield f"{name}_count_{w}d", pl.col(f"{name}_n{w}").fill_null(0)
            yield f"{name}_sum_{w}d", pl.col(f"{name}_s{w}").fill_null(0) / 100
        yield f"used_active_days_{w}d", pl.col(f"days{w}").fill_null(0)
        yield f"history_share_{w}d", pl.min_horizontal("tenure_days", w) / w
    yield "tx_days_since_last", (pl.lit(t) - pl.col("newest").dt.date()).dt.total_days()
    yield "balance_last_365d", pl.col("balance").cast(pl.Float64)
    for name, short, long in (("count", "n30", "n90"), ("sum", "s30", "s90")):
        share = (pl.col(short) / 30) / (pl.col(long) / 90)
        yield f"tx_{name}_30d_over_90d", pl.when(pl.col(long) != 0).then(share)


def _midnight(day: date) -> pl.Expr:
    return pl.lit(datetime.combine(day, time(), UTC), pl.Datetime("us", "UTC"))


if __name__ == "__main__":
    way(polars_loop)
