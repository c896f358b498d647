"""featuretools: deep feature synthesis with a cut-off time for each snapshot row, once for each window.

It knows one time a row, so it is given the rows that were known in time and never corrected. It has no active days, and
recency, the last balance and trends across windows would need further runs: 34 of the 35 columns of a window are made.
"""

from __future__ import annotations

import warnings
from functools import reduce
from pathlib import Path

import featuretools as ft
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from workload import WINDOWS, Workload, way

_KEY = ["customer_id", "snapshot_date"]


def featuretools_dfs(given: Workload, out: Path) -> None:
    """Write one file with the columns that it has."""
    warnings.filterwarnings("ignore")  # of pandas, about calls that featuretools makes
    read = ["transaction_id", "customer_id", "event_time", "amount", "direction", "category"]
    rows = pd.concat([pd.read_parquet(file, columns=read) for file in given.transactions])
    rows["amount"] = rows["amount"].astype(float)
    rows["event_time"] = rows["event_time"].dt.tz_localize(None)
    snapshots = pd.concat([pd.read_parquet(file, columns=_KEY) for file in given.snapshots])
    day = snapshots["snapshot_date"]
    cutoffs = pd.DataFrame({"customer_id": snapshots["customer_id"], "time": pd.to_datetime(day), "snapshot_date": day})
    bank = entities(rows, cutoffs, given)
    windows = [of_window(bank, cutoffs, window, given) for window in WINDOWS]
    joined = reduce(lambda left, right: left.merge(right, on=_KEY), windows)
    table = pa.Table.from_pandas(joined, preserve_index=False)
    pq.write_table(table, out / "features" / "features.parquet", compression="snappy")


def entities(rows: pd.DataFrame, cutoffs: pd.DataFrame, given: Workload) -> ft.EntitySet:
    """Return customers and their transactions, with the values that columns are made for."""
    bank = ft.EntitySet("bank")
    customers = pd.DataFrame({"customer_id": sorted({*rows["customer_id"], *cutoffs["customer_id"]})})
    bank.add_dataframe(dataframe_name="customers", dataframe=customers, index="customer_id")
    bank.add_dataframe(
        dataframe_name="transactions",
        dataframe=rows,
        index="transaction_id",
        time_index="event_time",
        logical_types={"direction": "Categorical", "category": "Categorical", "customer_id": "Integer"},
    )
    bank.add_relationship("customers", "customer_id", "transactions", "customer_id")
    bank.add_interesting_values(
        dataframe_name="transactions", values={"direction": ["debit", "credit"], "category": given.categories}
    )
    return bank


def of_window(bank: ft.EntitySet, cutoffs: pd.DataFrame, window: int, given: Workload) -> pd.DataFrame:
    """Return a window's columns, [t − window, t), under our names."""
    made, _ = ft.dfs(
        entityset=bank,
        target_dataframe_name="customers",
        cutoff_time=cutoffs,
        training_window=f"{window} days",
        include_cutoff_time=False,
        agg_primitives=["count", "sum", "mean", "std", "min", "max"],
        where_primitives=["count", "sum"],
        trans_primitives=[],
        max_depth=1,
    )
    names = {
        f"{how.upper()}(transactions.amount)": f"tx_{how}_{window}d" for how in ("sum", "mean", "std", "min", "max")
    }
    names["COUNT(transactions)"] = f"tx_count_{window}d"
    tests = [("direction", value, value) for value in ("debit", "credit")]
    for column, value, name in (*tests, *(("category", value, f"kind_{value}") for value in given.categories)):
        names[f"COUNT(transactions WHERE {column} = {value})"] = f"{name}_count_{window}d"
        names[f"SUM(transactions.amount WHERE {column} = {value})"] = f"{name}_sum_{window}d"
    found = made.reset_index().rename(columns=names)
    counts = [name for name in names.values() if "_count_" in name]
    return found[[*_KEY, *names.values()]].astype(dict.fromkeys(counts, "Int64"))


if __name__ == "__main__":
    way(featuretools_dfs)
