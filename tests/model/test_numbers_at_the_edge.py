"""One absurd value ends no run: not in training, not at scoring, not in reasons, not in segments."""

from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from tenure.define.feature import Description
from tenure.insight.cells import Wording
from tenure.insight.explain import SHAPExplainabilityService
from tenure.insight.segment import SegmentationService
from tenure.model.learners import kinds
from tenure.model.score import ModelInferenceService
from tenure.model.select import LARGEST
from tenure.model.train import ModelTrainingService, TrainSettings

ABSURD = (99999999999999.99, -1e15, 1e30, 1e99, 1e101, 1e300, -1e300, 1.7976931348623157e308, float("inf"), 5e-324)


def bank(rows=400, seed=1):
    random = np.random.default_rng(seed)
    mark, balance = random.random(rows), random.normal(100, 20, rows)
    return pd.DataFrame(
        {
            "customer_id": np.arange(rows),
            "snapshot_date": date(2024, 1, 31),
            "split": "train",
            "fold": np.arange(rows) % 4,
            "seen_in_train": True,
            "label_end": date(2024, 3, 1),
            "churned": (random.random(rows) < mark).astype(int),
            "mark": mark,
            "balance": balance,
            # So narrow that a far value is more standard deviations away than a double can say.
            "hair": random.random(rows) * 1e-220,
        }
    )


def trained(frame):
    return ModelTrainingService(TrainSettings(kinds=kinds(), trials=1)).train(frame, ["customer_id"])


@pytest.fixture(scope="module")
def models():
    return {model.kind: model for model in trained(bank())}


def told(model, rows):
    words = {name: Description(name.capitalize(), "USD") for name in ("mark", "balance", "hair")}
    service = SHAPExplainabilityService(model, "v1", words, datetime(2024, 2, 1), background=bank())
    return service.explain(rows)


@pytest.mark.parametrize("absurd", ABSURD)
@pytest.mark.parametrize("column", ["mark", "balance", "hair"])
@pytest.mark.parametrize("kind", kinds())
def test_everybody_is_scored_and_told_why_and_the_others_as_without_it(models, kind, column, absurd):
    model, rows = models[kind], bank(60, seed=2)
    plain_scores, plain_reasons = model.predict(rows), told(model, rows)
    rows.loc[7, column] = absurd
    scores = ModelInferenceService(model, "v1").score(rows)["score"].to_numpy()
    assert np.isfinite(scores).all()
    others = np.arange(60) != 7
    np.testing.assert_array_equal(scores[others], plain_scores[others])
    found = told(model, rows)
    assert np.isfinite(found.shap_values[["base_value", *model.columns.names]].to_numpy()).all()
    pd.testing.assert_frame_equal(found.reasons[others], plain_reasons.reasons[others])


@pytest.mark.parametrize("absurd", ABSURD)
def test_training_with_it_ends_in_models_that_score(absurd):
    frame = bank()
    frame.loc[[3, 40], "balance"] = absurd
    for model in trained(frame):
        assert np.isfinite(model.predict(frame)).all()
        assert np.isfinite(told(model, frame).shap_values["base_value"]).all()


@pytest.mark.parametrize("absurd", [1e300, -1.7976931348623157e308, float("inf")])
def test_what_lies_beyond_counts_as_missing(models, absurd):
    for model in models.values():
        rows = bank(20, seed=3)
        beyond, missing = rows.assign(mark=absurd), rows.assign(mark=np.nan)
        np.testing.assert_array_equal(model.predict(beyond), model.predict(missing))


def test_a_missing_value_written_as_the_largest_double_moves_no_coefficient():
    frame, with_null = bank(), bank()
    some = frame.index[::9]
    frame.loc[some, "balance"], with_null.loc[some, "balance"] = 1.7976931348623157e308, np.nan
    assert [model.files() for model in trained(frame)] == [model.files() for model in trained(with_null)]


@pytest.mark.parametrize("absurd", ABSURD)
def test_segments_are_found_beside_it(absurd):
    rows = bank(120, seed=4)[["customer_id", "snapshot_date", "mark", "balance"]]
    rows.loc[7, "balance"] = absurd
    found = SegmentationService().segment(rows, ["customer_id"])
    assert len(found.segments) == 120
    assert np.isfinite(found.segments[["x", "y"]].to_numpy()).all()


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (1e300, "1e+300 USD, taken as missing"),
        (float("inf"), "inf USD, taken as missing"),
        (-1.7976931348623157e308, "-1.8e+308 USD, taken as missing"),
        (1e20, "1e+20 USD"),
        (99999999999999.0, "99,999,999,999,999.00 USD"),
    ],
)
def test_a_long_number_is_told_in_few_signs(cell, text):
    assert Wording(pd.Series([1.0, 2.0, 1e308, 1e308, 1e308]), "USD").value_text(cell) == text


def test_the_typical_value_is_that_of_numbers_alone():
    assert Wording(pd.Series([1.0, 2.0, 3.0, 1e308, 1e308, 1e308, 1e308]), "USD").typical == "2.00 USD"
    assert Wording(pd.Series([1e308, float("inf")]), "USD").typical == ""


def test_cubes_of_the_largest_number_are_still_numbers():
    assert np.isfinite(LARGEST**3 * 10_000_000)
