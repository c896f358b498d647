import numpy as np
import pytest
from one_fold import one_fold
from sklearn.metrics import roc_auc_score

from tenure.errors import ModelError
from tenure.model.base import FitSettings
from tenure.model.learners.rule import RuleModel
from tenure.model.sample import Sample
from tenure.model.select import Columns


def rule(churned, **features):
    columns = Columns(("customer_id",), tuple(features), ())
    sample = Sample(np.column_stack(list(features.values())).astype(float), np.array(churned, dtype=float))
    return one_fold(RuleModel, columns, sample, sample, FitSettings())


def test_two_bands_by_hand():
    # Value 1: one churner of four; value 2: three of four; missing: two of two.
    model = rule([1, 0, 0, 0, 1, 1, 1, 0, 1, 1], days=[1, 1, 1, 1, 2, 2, 2, 2, np.nan, np.nan])
    assert (model.rule.edges, model.rule.rates, model.rule.missing_rate) == ((1.0,), (0.25, 0.75), 1.0)
    np.testing.assert_array_equal(
        model.probabilities(np.array([[0], [1], [1.5], [9], [np.nan]])).ravel(), [0.25, 0.25, 0.75, 0.75, 1.0]
    )


def test_the_feature_with_the_best_train_auroc_is_chosen_falling_as_well_as_rising():
    random = np.random.default_rng(0)
    churned = (random.random(2000) < 0.3).astype(float)
    model = rule(churned, noise=random.normal(size=2000), visits=random.normal(size=2000) - 2 * churned)
    assert (model.rule.feature, model.rule.rising) == ("visits", False)


def test_the_score_never_turns_against_its_direction():
    random = np.random.default_rng(3)
    values = random.normal(size=3000)
    model = rule(random.random(3000) < 1 / (1 + np.exp(1.5 - values)), days=values)
    scores = model.probabilities(np.sort(values)[:, None])
    assert (np.diff(scores) >= 0).all()
    assert len(model.rule.rates) > 5


def test_the_train_auroc_is_that_of_the_predictions():
    random = np.random.default_rng(4)
    values = np.where(random.random(500) < 0.2, np.nan, random.normal(size=500))
    churned = random.random(500) < 0.4
    model = rule(churned, days=values)
    assert model.rule.train_auroc == pytest.approx(roc_auc_score(churned, model.probabilities(values[:, None])))


def test_a_value_never_missing_in_train_gets_the_base_rate_when_missing_later():
    model = rule([1, 0, 0, 0], days=[3, 2, 1, 1])
    assert model.probabilities(np.array([[np.nan]]))[0] == 0.25


def test_a_feature_with_one_value_and_gaps_has_one_band():
    model = rule([1, 1, 0, 0], fee=[5, 5, np.nan, np.nan])
    assert (model.rule.edges, model.rule.rates, model.rule.missing_rate) == ((), (1.0,), 0.0)


def test_no_numeric_feature_is_refused():
    sample = Sample(np.array([[0.0], [1.0]]), np.array([0.0, 1.0]))
    columns = Columns(("customer_id",), (), ("region",), {"region": ("a", "b")})
    with pytest.raises(ModelError, match="a rule needs a numeric feature"):
        one_fold(RuleModel, columns, sample, sample, FitSettings())
