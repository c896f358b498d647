"""A report of ten customers, its frames written by hand, so that a test can say each number it looks for."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from tenure.define.churn import CENSORED, Activity, ChurnDefinition
from tenure.define.events import Inactivity
from tenure.publish.quality import Came, Lack, Quality
from tenure.publish.report import Costs, ReportInput

DATES = [date(2024, month, 28) for month in range(1, 9)]
TODAY = DATES[-1]
SPLITS = ["train", "train", "embargo", "test", "test", "test", "unlabelled", "unlabelled"]
MODELS = {"lightgbm-aa": "lightgbm", "rule-bb": "rule"}


def evaluation(version, population, **figures):
    return {
        "model_version": version, "kind": MODELS[version], "split": "test", "population": population,
        "snapshot_date": None, "rows": 600, "churners": 60, "churn_rate": 0.1, "auroc": 0.8, "auroc_low": 0.75,
        "auroc_high": 0.85, "average_precision": 0.4, "brier": 0.08, "log_loss": 0.3, "lift_at_10": 3.1, "ece": 0.01,
        "threshold": 0.25, "precision_at_threshold": 0.3, "recall_at_threshold": 0.6, "f1_at_threshold": 0.4, **figures,
    }  # fmt: skip


def comparison(version, against, metric, difference, low, high, verdict):
    return {
        "model_version": version, "kind": MODELS[version], "against_version": against, "against_kind": MODELS[against],
        "metric": metric, "customers": 210, "difference": difference, "low": low, "high": high, "verdict": verdict,
    }  # fmt: skip


def back_tested(version, metric, value, least, greatest, **figures):
    return {
        "model_version": version, "kind": MODELS[version], "metric": metric, "snapshots": 3, "independent_periods": 1,
        "value": value, "least": least, "greatest": greatest, "periods_low": np.nan, "periods_high": np.nan, **figures,
    }  # fmt: skip


def in_group(version, value, **figures):
    return {
        "model_version": version, "kind": MODELS[version], "attribute": "shows the sign", "value": value,
        "rows": 600, "churners": 60, "churn_rate": 0.1, "mean_score": 0.12, "calibration_gap": 0.02, "log_loss": 0.3,
        **figures,
    }  # fmt: skip


def until(version, until, **figures):
    return {
        "model_version": version, "kind": MODELS[version], "until": until, "churners": 58, "listed": 21,
        "share_never_listed": 37 / 58, "lower_quartile": 11.0, "median": 33.0, "upper_quartile": 52.0,
        "longest_possible": 120.0, **figures,
    }  # fmt: skip


def listed():
    rows = [
        {
            "rank": n, "customer_id": 100 + n, "snapshot_date": TODAY, "score": 1 - n / 20, "decile": n,
            "segment_id": 0 if n < 6 else -1, "reason_1": f"Logins: {n} (typical 9)", "reason_2": None,
            "reason_3": None, "reason_4": None, "model_version": "lightgbm-aa",
        }
        for n in range(1, 11)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def curves():
    points = [
        {"model_version": v, "kind": MODELS[v], "curve": curve, "x": x, "y": y, "rows": 600}
        for v in MODELS
        for curve in ("roc", "gain", "lift", "calibration")
        for x, y in ((0.1, 0.3), (0.5, 0.8), (1.0, 1.0))
    ]
    return pd.DataFrame(points)


def report_input(**changed):
    """The hand-written report, with some of its inputs changed."""
    population = pd.DataFrame(
        {
            "snapshot_date": DATES, "customers": range(1840, 1848), "split": SPLITS,
            "labelled": [200.0] * 6 + [None] * 2, "churners": [20.0] * 6 + [None] * 2,
            "churn_rate": [0.1] * 6 + [None] * 2,
        }
    )  # fmt: skip
    models = pd.DataFrame(
        {
            "model_version": list(MODELS), "kind": list(MODELS.values()), "champion": [True, False],
            "created_at": datetime(2024, 9, 1, tzinfo=UTC), "training_rows": 400, "training_churners": 40,
        }
    )  # fmt: skip
    inputs = {
        "project": "Hand Bank",
        "entity": "customer",
        "keys": ("customer_id",),
        "data_end": date(2024, 8, 30),
        "churn": ChurnDefinition(
            "quiet", event=Inactivity("logins", where="app < 3"), gap=7, horizon=60, min_tenure=30,
            active=Activity("logins", within=45), doc="No login for 60 days",
        ),
        "longest_window": 90,
        "descriptions": {"login_count_30d": "Logins over 30 days"},
        "personal": {"customers.full_name": ()},
        "personal_keys": frozenset(),
        "protected": (),
        "costs": Costs(contact_cost=5, offer_cost=40, save_rate=0.3, customer_value=600, currency="EUR"),
        "attrition_list": listed(),
        "population": population,
        "unlabelled": pd.DataFrame(
            {"snapshot_date": DATES[6:], "reason": CENSORED, "customers": [1846, 1847]}
        ),
        "split_proof": pd.DataFrame(
            [
                {
                    "train_rows": 400, "folds": 5, "embargo_rows": 200, "test_rows": 600,
                    "first_train_snapshot": DATES[0], "last_train_snapshot": DATES[1],
                    "last_train_label_end": date(2024, 4, 27), "first_test_snapshot": DATES[3],
                    "customers_in_two_folds": 0, "holds": True,
                }
            ]
        ),
        "models": models,
        "evaluations": pd.DataFrame(
            [
                evaluation("lightgbm-aa", "all"),
                evaluation("lightgbm-aa", "unseen", rows=90, auroc=0.7),
                evaluation("rule-bb", "all", auroc=0.65),
                evaluation("rule-bb", "unseen", rows=90, auroc=0.6),
                *(evaluation("lightgbm-aa", "all", snapshot_date=day, rows=200) for day in DATES[3:6]),
            ]
        ),
        "curves": curves(),
        "comparisons": pd.DataFrame(
            [
                comparison("lightgbm-aa", "rule-bb", "auroc", 0.15, 0.11, 0.19, "better"),
                comparison("lightgbm-aa", "rule-bb", "log_loss", -0.02, -0.05, 0.01, "unclear"),
                comparison("rule-bb", "lightgbm-aa", "auroc", -0.15, -0.19, -0.11, "worse"),
                comparison("rule-bb", "lightgbm-aa", "log_loss", 0.02, -0.01, 0.05, "unclear"),
            ]
        ),
        "back_test": pd.DataFrame(
            [
                back_tested("lightgbm-aa", "auroc", 0.8, 0.771, 0.823),
                back_tested("lightgbm-aa", "log_loss", 0.3, 0.281, 0.322),
                back_tested("rule-bb", "auroc", 0.65, 0.6, 0.7),
                back_tested("rule-bb", "log_loss", 0.32, 0.31, 0.33),
            ]
        ),
        "by_group": pd.DataFrame(
            [
                in_group(version, value, customers=customers, auroc=auroc)
                for value, customers in (("yes", 120), ("no", 480))
                for version, auroc in (("lightgbm-aa", 0.71), ("rule-bb", 0.58))
            ]
        ),
        "warning_time": pd.DataFrame([until(version, "the leaving") for version in MODELS]),
        "campaign_value": pd.DataFrame(
            {
                "share": [0.05, 0.2, 1.0], "contacts": [10, 40, 200], "churners_reached": [6.0, 14.0, 20.0],
                "precision": [0.6, 0.35, 0.1], "expected_profit": [798.0, 1112.0, -4840.0],
                "best": [False, True, False], "currency": "EUR",
            }
        ),
        "fairness": pd.DataFrame(columns=["attribute", "value"]),
        "importances": pd.DataFrame(
            {"rank": [1], "description": ["Logins over 30 days"], "mean_abs_shap": [0.42], "mean_shap": [0.1]}
        ),
        "segments": pd.DataFrame({"segment_id": [0] * 5 + [-1] * 5, "x": range(10), "y": [1.0, 2.0] * 5}),
        "segment_profiles": pd.DataFrame(
            [
                {"segment_id": s, "customers": 5, "share": 0.5, "score_mean": 0.4, "position": 1,
                 "feature": "login_count_30d", "difference": d, "segment_median": m, "population_median": "9"}
                for s, d, m in ((-1, 1.2, "20"), (0, -1.2, "2"))
            ]
        ),
        "segment_parameters": pd.DataFrame(
            [
                {"components": 3, "min_cluster_size": 5, "min_samples": 5, "rows": 10, "clusters": 1, "coverage": 0.5,
                 "validity": 0.2, "stability": 0.9, "score": 0.3, "chosen": True, "note": "the only one"}
            ]
        ),
        "data_quality": Quality(
            came=(
                Came(
                    source="logins", files=1, read=5000, staged=4989, duplicates=4, refused=7, of_no_customer=None,
                    reasons=(("app: not an integer", 7),), first_event=date(2023, 1, 1), last_event=date(2024, 8, 29),
                ),
            ),
            lacks=(
                Lack(source="payments", code="TEN-I005", severity="warning",
                     finding="no row of payments came from 2024-01-03 to 2024-01-20"),
            ),
            checked=12,
        ),
        "latencies": pd.DataFrame(
            {"stage": ["staging", "train"], "doc": ["Read", "Learn"], "rows": [4989, 2], "seconds": [1.25, 3.5],
             "engine": "duckdb 2.0.0"}
        ),
    }  # fmt: skip
    return ReportInput(**{**inputs, **changed})


@pytest.fixture
def make_input():
    return report_input
