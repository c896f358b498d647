import itertools
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from tenure.errors import MissingFeature
from tenure.model.evaluate import CURVE_POINTS, ModelEvaluationService, curves


@pytest.fixture(scope="module")
def versions(models):
    return {f"{model.kind}-1": model for model in models}


@pytest.fixture(scope="module")
def evaluations(versions, world):
    return ModelEvaluationService().evaluate(versions, world)


def pooled(evaluations, version, split, population):
    chosen = evaluations[
        (evaluations["model_version"] == version)
        & (evaluations["split"] == split)
        & (evaluations["population"] == population)
        & evaluations["snapshot_date"].isna()
    ]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_one_row_per_version_split_population_and_snapshot(evaluations):
    identity = ["model_version", "kind", "split", "population", "snapshot_date"]
    assert not evaluations.duplicated(identity).any()
    # Validation: 2 snapshots and the pool; test: 1 and the pool, of two populations; four models.
    assert len(evaluations) == (3 + 2 * 2) * 4
    assert evaluations["snapshot_date"].dtype.kind == "M"


def test_pooled_test_figures_are_those_of_all_test_rows(evaluations, versions, world):
    rows = world[world["split"] == "test"]
    for version, model in versions.items():
        row = pooled(evaluations, version, "test", "all")
        assert (row["rows"], row["churners"]) == (1200, rows["churned"].sum())
        assert row["churn_rate"] == pytest.approx(rows["churned"].mean())
        assert row["auroc"] == pytest.approx(roc_auc_score(rows["churned"], model.predict(rows)))
        assert row["auroc_low"] < row["auroc"] < row["auroc_high"]


def test_unseen_customers_are_those_without_a_row_in_train(evaluations):
    assert pooled(evaluations, "rule-1", "test", "unseen")["rows"] == 300


def test_a_row_of_train_is_judged_by_the_member_that_never_saw_its_customer(evaluations, versions, world):
    train = world[world["split"] == "train"]
    for version, model in versions.items():
        by_hand = np.concatenate(
            [member.predict(train[train["fold"] == fold]) for fold, member in sorted(model.members.items())]
        )
        churned = np.concatenate([train.loc[train["fold"] == fold, "churned"] for fold in range(5)])
        row = pooled(evaluations, version, "validation", "all")
        assert row["rows"] == len(train)
        assert row["auroc"] == pytest.approx(roc_auc_score(churned, by_hand))


def test_only_pooled_test_rows_have_an_interval(evaluations):
    has_interval = evaluations["auroc_low"].notna()
    expected = (evaluations["split"] == "test") & evaluations["snapshot_date"].isna()
    assert (has_interval == expected).all()


def test_a_month_without_churners_is_a_row_of_nan_not_a_crash(versions, world):
    quiet = world.copy()
    quiet.loc[quiet["split"] == "test", "churned"] = 0
    got = ModelEvaluationService().evaluate({"rule-1": versions["rule-1"]}, quiet)
    row = pooled(got, "rule-1", "test", "all")
    assert row["churn_rate"] == 0
    assert np.isnan([row["auroc"], row["average_precision"], row["lift_at_10"], row["auroc_low"]]).all()
    drawn = curves({"rule-1": versions["rule-1"]}, quiet)
    assert set(drawn["curve"]) == {"calibration"}


def test_a_split_without_rows_is_a_pooled_row_of_zero_rows(versions, world):
    got = ModelEvaluationService().evaluate({"rule-1": versions["rule-1"]}, world[world["split"] != "test"])
    row = pooled(got, "rule-1", "test", "all")
    assert row["rows"] == 0
    assert np.isnan(row["auroc"])


def test_dates_may_come_as_date_objects(versions, world):
    plain = world.assign(snapshot_date=world["snapshot_date"].dt.date)
    one = {"rule-1": versions["rule-1"]}
    pd.testing.assert_frame_equal(
        ModelEvaluationService().evaluate(one, plain),
        ModelEvaluationService().evaluate(one, world),
        check_dtype=False,
    )


def test_composite_keys_are_never_glued_together(versions, world):
    # Customers (1, 11) and (11, 1): were they one, the interval would differ from that of two.
    service = ModelEvaluationService(resamples=20)
    rows = pd.DataFrame(
        {
            "bank": [1, 11] * 50,
            "customer": [11, 1] * 50,
            "score": np.arange(1, 101) / 101,
            "churned": [0, 1, 1, 1, 0] * 20,
        }
    )
    found = service._pooled(rows, ["bank", "customer"])
    assert found["auroc_low"] < found["auroc_high"]


def test_no_row_costs_a_call_of_its_own(versions, world):
    """Counted in calls, which do not depend on what else the machine does."""
    test = world[world["split"] == "test"]

    def calls(rows):
        counted = itertools.count()
        sys.setprofile(lambda *_: next(counted))
        try:
            ModelEvaluationService().evaluate({"rule-1": versions["rule-1"]}, rows)
        finally:
            sys.setprofile(None)
        return next(counted)

    few = calls(test)  # whatever is imported or cached at first is behind us
    few = calls(test)
    assert calls(pd.concat([test] * 5, ignore_index=True)) < 1.2 * few


def test_a_training_set_without_splits_is_refused(versions, world):
    with pytest.raises(MissingFeature, match="the training set lacks seen_in_train"):
        ModelEvaluationService().evaluate(versions, world.drop(columns="seen_in_train"))


def test_curves_start_and_end_where_they_must(versions, world):
    drawn = curves(versions, world)
    assert drawn.groupby(["model_version", "curve"]).size().max() <= CURVE_POINTS
    for version in versions:
        points = dict(iter(drawn[drawn["model_version"] == version].groupby("curve")))
        assert set(points) == {"roc", "gain", "lift", "calibration"}
        for name in ("roc", "gain"):
            assert points[name][["x", "y"]].iloc[0].tolist() == [0, 0]
            assert points[name][["x", "y"]].iloc[-1].tolist() == [1, 1]
            assert points[name]["y"].is_monotonic_increasing
        assert points["lift"]["y"].iloc[-1] == pytest.approx(1)
        assert points["calibration"]["rows"].sum() == 1200


def test_the_lift_curve_meets_the_table(versions, world, evaluations):
    drawn = curves(versions, world)
    at_ten = drawn[(drawn["curve"] == "lift") & (drawn["x"] == 0.1)].set_index("model_version")["y"]
    for version in versions:
        assert at_ten[version] == pytest.approx(pooled(evaluations, version, "test", "all")["lift_at_10"])


def test_the_area_under_the_roc_points_is_the_auroc(versions, world, evaluations):
    drawn = curves(versions, world)
    for version in versions:
        roc = drawn[(drawn["model_version"] == version) & (drawn["curve"] == "roc")]
        expected = pooled(evaluations, version, "test", "all")["auroc"]
        assert np.trapezoid(roc["y"], roc["x"]) == pytest.approx(expected, abs=0.003)
