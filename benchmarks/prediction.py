"""How well champions rank and how honest their scores are, on real data, against LightGBM and our own parts alone.

    python benchmarks/prediction.py --data DIR [--sets telco,tv] [--seeds 5] [--trials 30]

Two sets have dates: the web shop's weekly test as the example cuts it, and its month starts from July to September
2011, trained on weekly snapshots whose labels ended before 1 July. Three are flat: five folds by row, all of the
training inside each, test rows pooled. All settings are automatic. Beside the champion stand, on the same rows:

    ours: KIND     each kind that the champion was chosen from
    start          LightGBM as our search begins, one fold held out to count its trees
    default        LightGBM as its library sets it
    tuned          LightGBM after a search by Optuna over five folds of customers, `--trials` long

A JSON line a set and way: AUROC and log loss, the mean of the seeds and the spread between them, and what the champion
gains in AUROC, with its 95 % interval over resampled customers, paired.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import lightgbm
import numpy as np
import optuna
import pandas as pd

from tenure.model.base import FitSettings
from tenure.model.learners.lightgbm import LightGBMModel
from tenure.model.losses import log_loss
from tenure.model.metrics import auroc
from tenure.model.sample import Folds, Sample
from tenure.model.select import Columns
from tenure.model.train import ModelTrainingService, TrainSettings, champion
from tenure.session.work import Work
from tenure.stages.run import run

ROOT = Path(__file__).resolve().parent.parent
FOLDS = 5
RESAMPLES = 500
GOALS = {"shop": 0.755, "shop_month_starts": 0.74, "bank_churners": 0.993, "telco": 0.85, "tv": 0.725}

Array = np.ndarray


@dataclass(frozen=True)
class Task:
    """A training set with `split` and `fold`, and the columns that name its customers."""

    frame: pd.DataFrame
    keys: tuple[str, ...]

    @property
    def train(self) -> pd.DataFrame:
        """The rows to learn from."""
        return self.frame[self.frame["split"] == "train"]

    @property
    def test(self) -> pd.DataFrame:
        """The rows that judge."""
        return self.frame[self.frame["split"] == "test"]


def hashed(values: pd.Series, parts: int, salt: str) -> Array:
    """Return a part for each value, drawn by its hash."""
    return np.array([int(sha256(f"{salt}{value}".encode()).hexdigest(), 16) % parts for value in values])


def built(folder: Path, data: Path, every: str) -> pd.DataFrame:
    """Return the training set of the web shop with snapshots of a rule, built once."""
    overrides = {
        "lake": {"path": str(folder / "lake")},
        "output": {"path": str(folder / "out")},
        "snapshots": {"every": every},
    }
    with Work.open(ROOT / "examples" / "online_retail", data=data, overrides=overrides) as work:
        for _ in run(work, ["staging", "reconcile", "snapshots", "features", "labels", "splits", "training_set"]):
            pass
        return work.read("training_set").to_pandas()


def shop(data: Path, folder: Path) -> list[Task]:
    """Return the example as it is."""
    return [Task(built(folder / "week", data, "week"), ("customer_id",))]


def shop_month_starts(data: Path, folder: Path) -> list[Task]:
    """Return the month starts of the summer, and the weekly rows whose labels ended before it."""
    weekly, monthly = built(folder / "week", data, "week"), built(folder / "month-start", data, "month-start")
    begins, ends = pd.Timestamp("2011-07-01"), pd.Timestamp("2011-09-01")
    train = weekly[pd.to_datetime(weekly["label_end"]) < begins].assign(split="train")
    train["fold"] = hashed(train["customer_id"], FOLDS, "fold")
    days = pd.to_datetime(monthly["snapshot_date"])
    test = monthly[(days >= begins) & (days <= ends)].assign(split="test", fold=None)
    return [Task(pd.concat([train, test], ignore_index=True), ("customer_id",))]


def flat(rows: pd.DataFrame, churned: pd.Series) -> list[Task]:
    """Return a task a fold of rows without dates; within each the other rows are parted into folds once more."""
    outer = hashed(pd.Series(rows.index), FOLDS, "outer")
    made = rows.assign(
        customer_id=np.arange(len(rows)),
        snapshot_date=pd.Timestamp("2020-01-01"),
        label_end=pd.Timestamp("2020-04-01"),
        seen_in_train=False,
        churned=churned.astype(int).to_numpy(),
        fold=hashed(pd.Series(rows.index), FOLDS, "inner"),
    )
    return [
        Task(made.assign(split=np.where(outer == held_out, "test", "train")), ("customer_id",))
        for held_out in range(FOLDS)
    ]


def bank_churners(data: Path, _: Path) -> list[Task]:
    """Return a card issuer's customers; two columns of the file are another model's answers."""
    rows = pd.read_csv(data / "flat" / "BankChurners.csv")
    answers = [name for name in rows.columns if name.startswith("Naive_Bayes")]
    return flat(
        rows.drop(columns=["CLIENTNUM", "Attrition_Flag", *answers]), rows["Attrition_Flag"] != "Existing Customer"
    )


def telco(data: Path, _: Path) -> list[Task]:
    """Return a telephone company's customers; eleven totals are blank."""
    rows = pd.read_csv(data / "flat" / "Telco-Customer-Churn.csv")
    rows["TotalCharges"] = pd.to_numeric(rows["TotalCharges"], errors="coerce")
    return flat(rows.drop(columns=["customerID", "Churn"]), rows["Churn"] == "Yes")


def tv(data: Path, _: Path) -> list[Task]:
    """Return subscribers of television; what a decision costs is no feature."""
    rows = pd.read_csv(data / "flat" / "churn_tv_subscriptions.csv.gz")
    costs = [name for name in rows.columns if name.startswith("C_")]
    return flat(rows.drop(columns=["id", "target", *costs]), rows["target"] == 1)


SETS: Mapping[str, Callable[[Path, Path], list[Task]]] = {
    "shop": shop,
    "shop_month_starts": shop_month_starts,
    "bank_churners": bank_churners,
    "telco": telco,
    "tv": tv,
}


def ours(task: Task, seed: int) -> Iterator[tuple[str, Array]]:
    """Yield the champion's scores of the test rows, and those of each kind that it was chosen from."""
    models = ModelTrainingService(TrainSettings(seed=seed)).train(task.frame, task.keys)
    best = champion(models, task.frame)
    yield "champion", best.predict(task.test)
    for model in models:
        yield f"ours: {model.kind}", model.predict(task.test)


def others(task: Task, seed: int, trials: int) -> Iterator[tuple[str, Array]]:
    """Yield the scores of LightGBM as it is set by hand, by its library, and by a search."""
    columns = Columns.of(task.frame, task.keys)
    matrix, test = columns.matrix(task.train), columns.matrix(task.test)
    churned, fold = task.train["churned"].to_numpy(dtype=float), task.train["fold"].to_numpy(dtype=int)
    rows = Sample(matrix, churned)
    one = Folds.of(columns, rows.only(fold != 0), rows.only(fold == 0))
    start = LightGBMModel.cross_fit(one, FitSettings(trials=1, seed=seed))[0]
    yield "start", start.probabilities(test)
    categories = list(range(len(columns.numeric), len(columns.names)))
    yield "default", fitted({"seed": seed}, 100, matrix, churned, categories).predict(test)
    settings, trees = searched(matrix, churned, fold, categories, seed, trials)
    yield "tuned", fitted(settings, trees, matrix, churned, categories).predict(test)


def fitted(
    settings: Mapping[str, object], trees: int, matrix: Array, churned: Array, categories: list[int]
) -> lightgbm.Booster:
    """Return LightGBM fitted on all rows."""
    rows = lightgbm.Dataset(matrix, churned, categorical_feature=categories)
    fixed = {"objective": "binary", "verbosity": -1, "deterministic": True, "force_row_wise": True}
    return lightgbm.train({**fixed, **settings}, rows, num_boost_round=trees)


def searched(
    matrix: Array, churned: Array, fold: Array, categories: list[int], seed: int, trials: int
) -> tuple[dict[str, object], int]:
    """Return the settings and number of trees of the least log loss over the folds."""
    folds = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in np.unique(fold)]
    best: list[tuple[float, dict[str, object], int]] = []

    def loss(trial: optuna.Trial) -> float:
        settings = {
            "objective": "binary",
            "verbosity": -1,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "feature_pre_filter": False,
            "bagging_freq": 1,
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 4, 128, log=True),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 5, 200, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.2, 1.0),
            "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
            "lambda_l2": trial.suggest_float("lambda_l2", 0.01, 100, log=True),
        }
        rows = lightgbm.Dataset(matrix, churned, categorical_feature=categories, params=settings)
        stop = lightgbm.early_stopping(30, verbose=False)
        found = lightgbm.cv(settings, rows, 2000, folds=folds, metrics="binary_logloss", callbacks=[stop])
        losses = found["valid binary_logloss-mean"]
        best.append((losses[-1], settings, len(losses)))
        return losses[-1]

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed)).optimize(loss, n_trials=trials)
    _, settings, trees = min(best, key=lambda one: one[0])
    return settings, trees


def interval(scores: Array, others: Array, churned: Array, customer: Array) -> tuple[float, float]:
    """Return the 95 % interval of the gain in AUROC over customers drawn anew, both on the same draws."""
    random, rows_of = np.random.default_rng(7), pd.Series(np.arange(len(customer))).groupby(customer).indices
    names = list(rows_of)
    gains = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([rows_of[names[place]] for place in random.integers(0, len(names), len(names))])
        gains.append(auroc(scores[drawn], churned[drawn]) - auroc(others[drawn], churned[drawn]))
    low, high = np.nanquantile(gains, [0.025, 0.975])
    return float(low), float(high)


def judged(name: str, tasks: list[Task], seeds: int, trials: int) -> Iterator[dict[str, object]]:
    """Yield a line a way."""
    scores: dict[str, list[Array]] = {}
    for seed in range(7, 7 + seeds):
        of_tasks: dict[str, list[Array]] = {}
        for task in tasks:
            for way, found in ours(task, seed):
                of_tasks.setdefault(way, []).append(found)
            # The others are yardsticks: one seed is enough to read them.
            for way, found in others(task, seed, trials) if seed == 7 else ():
                of_tasks.setdefault(way, []).append(found)
        for way, parts in of_tasks.items():
            scores.setdefault(way, []).append(np.concatenate(parts))
    churned = np.concatenate([task.test["churned"].to_numpy(dtype=float) for task in tasks])
    customer = np.concatenate([task.test[task.keys[0]].to_numpy() for task in tasks])
    for way, by_seed in scores.items():
        areas = [auroc(one, churned) for one in by_seed]
        line: dict[str, object] = {
            "set": name,
            "way": way,
            "rows": len(churned),
            "churners": int(churned.sum()),
            "seeds": len(by_seed),
            "auroc": round(float(np.mean(areas)), 4),
            "spread": round(max(areas) - min(areas), 4),
            "log_loss": round(float(np.mean([log_loss(one, churned) for one in by_seed])), 4),
        }
        if way == "champion":
            line["goal"] = GOALS[name]
        else:
            best = scores["champion"][0]
            line["champion_gains"] = round(auroc(best, churned) - areas[0], 4)
            line["interval"] = [round(end, 4) for end in interval(best, by_seed[0], churned, customer)]
        yield line


def main() -> None:
    """Judge the sets one after the other, a JSON line a way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with online_retail_ii and flat")
    parser.add_argument("--sets", default=",".join(SETS), help="some of them, by comma")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=30)
    arguments = parser.parse_args()
    folder = ROOT / "build" / "bench" / "prediction"
    for name in arguments.sets.split(","):
        for line in judged(name, SETS[name](arguments.data, folder), arguments.seeds, arguments.trials):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
