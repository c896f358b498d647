"""Dirt: the few wrong rows that every bank's extract has; planted and counted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice

import numpy as np
import pyarrow as pa
import pyarrow.compute

#: Rows of each kind per 2,000 customers; at least one in every chunk that has rows to damage.
PER_2000 = {
    "interactions_duplicate_line": 6,
    "interactions_unparsable_date": 3,
    "interactions_non_numeric_duration": 3,
    "interactions_blank_customer": 3,
    "accounts_unknown_customer": 2,
    "transactions_unknown_account": 20,
}

UNKNOWN_CUSTOMER_ID = 900_000_000
UNKNOWN_ACCOUNT_ID = 9_900_000_000

_BAD_DATES = ("2025-02-30 10:15:00", "31.12.2024", "n/a")
_BAD_DURATIONS = ("ten", "5 min", "-")


def planted(kind: str, customers: int) -> int:
    """Return how many rows of a kind a chunk of so many customers gets."""
    return max(1, round(PER_2000[kind] * customers / 2_000))


def dirty_interactions(rng: np.random.Generator, clean: pa.Table, customers: int) -> tuple[pa.Table, dict[str, int]]:
    """Return the rows as text, behind them exact duplicates and damaged rows of new ids, and their counts."""
    text = pa.table({name: clean[name].cast(pa.string()) for name in clean.column_names})
    counts: dict[str, int] = {}
    for kind in PER_2000:
        if kind.startswith("interactions_"):
            counts[kind] = min(planted(kind, customers), len(text))
    parts = [text, _some(rng, text, counts["interactions_duplicate_line"])]
    next_id = _next_id(clean["interaction_id"])
    for kind, column, values in (
        ("interactions_unparsable_date", "occurred_at", _BAD_DATES),
        ("interactions_non_numeric_duration", "duration_minutes", _BAD_DURATIONS),
        ("interactions_blank_customer", "customer_id", (None,)),
    ):
        bad = _some(rng, text, counts[kind])
        ids = list(map(str, range(next_id, next_id + counts[kind])))
        wrong = list(islice(cycle(values), counts[kind]))
        bad = _replaced(_replaced(bad, "interaction_id", ids), column, wrong)
        parts.append(bad)
        next_id += counts[kind]
    return pa.concat_tables(parts), counts


def dirty_accounts(
    rng: np.random.Generator, clean: pa.Table, customers: int, chunk: int
) -> tuple[pa.Table, dict[str, int]]:
    """Return the rows and, behind them, accounts of customers who do not exist; and their count."""
    opened = clean.filter(pa.compute.is_null(clean["closed_on"]))
    count = min(planted("accounts_unknown_customer", customers), len(opened))
    first = UNKNOWN_CUSTOMER_ID + chunk * 1_000
    bad = _some(rng, opened, count)
    bad = _replaced(bad, "customer_id", range(first, first + count))
    bad = _replaced(bad, "account_id", [(first + n) * 10 + 1 for n in range(count)])
    return pa.concat_tables([clean, bad]), {"accounts_unknown_customer": count}


def dirty_transactions(
    rng: np.random.Generator, clean: pa.Table, customers: int, chunk: int
) -> tuple[pa.Table, dict[str, int]]:
    """Return the rows and, behind them, transactions of accounts that exist nowhere; and their count."""
    count = min(planted("transactions_unknown_account", customers), len(clean))
    bad = _some(rng, clean, count)
    next_id = _next_id(clean["transaction_id"])
    account = UNKNOWN_ACCOUNT_ID + chunk * 1_000
    bad = _replaced(bad, "transaction_id", range(next_id, next_id + count))
    bad = _replaced(bad, "account_id", range(account, account + count))
    return pa.concat_tables([clean, bad]), {"transactions_unknown_account": count}


def _some(rng: np.random.Generator, rows: pa.Table, count: int) -> pa.Table:
    return rows.take(rng.permutation(len(rows))[:count])


def _next_id(ids: pa.ChunkedArray) -> int:
    return int(pa.compute.max(ids).as_py() or 0) + 1


def _replaced(table: pa.Table, column: str, values: Sequence[object]) -> pa.Table:
    place = table.column_names.index(column)
    return table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))
