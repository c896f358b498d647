"""A bank with a planted interaction, and the models trained on it once for all tests of the folder."""

import numpy as np
import pandas as pd
import pytest

from tenure.model.train import ModelTrainingService, TrainSettings

SNAPSHOTS = pd.to_datetime(["2023-01-31", "2023-02-28", "2023-03-31", "2023-06-30"])


def interaction_world(customers=1200, seed=1):
    """Churn where exactly one of balance and debit is high: neither tells anything alone, recency a little."""
    random = np.random.default_rng(seed)
    rows = customers * len(SNAPSHOTS)
    customer_id = np.tile(np.arange(customers), len(SNAPSHOTS))
    snapshot_date = SNAPSHOTS.repeat(customers)
    balance, debit = random.normal(size=rows), random.normal(size=rows)
    recency = random.exponential(30, rows)
    region = random.choice(["east", "north", "south"], rows)
    logit = -3.2 + 3.0 * ((balance > 0) ^ (debit > 0)) + 0.01 * recency + 0.3 * (region == "north")
    joined_late = customer_id % 4 == 0
    by_date = {SNAPSHOTS[2]: "embargo", SNAPSHOTS[3]: "test"}
    split = np.array([by_date.get(t, "train") for t in snapshot_date])
    fold = pd.Series(customer_id % 5).where(split == "train").astype("Int32")
    recency[random.random(rows) < 0.1] = np.nan
    world = pd.DataFrame(
        {
            "customer_id": customer_id,
            "snapshot_date": snapshot_date,
            "label_end": snapshot_date + pd.Timedelta(days=30),
            "split": split,
            "fold": fold,
            "seen_in_train": ~joined_late,
            "churned": (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(int),
            "balance_last": balance,
            "debit_amount_sum_90d": debit,
            "days_since_last": recency,
            "region": region,
            "has_card": pd.Series(random.random(rows) < 0.5).astype(object).mask(random.random(rows) < 0.1, None),
            "never_filled": pd.Series([None] * rows, dtype="float64"),
            "currency": "USD",
            "branch_code": [f"B{number}" for number in random.integers(0, 900, rows)],
        }
    )
    return world[~(joined_late & (split == "train"))].reset_index(drop=True)


@pytest.fixture(scope="session")
def world():
    return interaction_world()


@pytest.fixture(scope="session")
def models(world):
    """The kinds on by default, in order: rule, logistic, lightgbm, blend."""
    return ModelTrainingService(TrainSettings(trials=3, seconds=300)).train(world, ["customer_id"])
