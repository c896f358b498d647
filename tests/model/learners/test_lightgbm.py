import numpy as np
import optuna
from one_fold import one_fold

from tenure.model.base import FitSettings
from tenure.model.learners.lightgbm import START, LightGBMModel
from tenure.model.sample import Sample
from tenure.model.select import Columns

COLUMNS = Columns(("customer_id",), ("days",), ())


def sample(seed):
    random = np.random.default_rng(seed)
    days = random.normal(size=(400, 1))
    return Sample(days, (random.random(400) < 1 / (1 + np.exp(-days[:, 0]))).astype(float))


def test_the_first_trial_is_the_hand_set_start():
    model = one_fold(LightGBMModel, COLUMNS, sample(0), sample(1), FitSettings(trials=1))
    assert {name: model.parameters[name] for name in START} == dict(START)


def test_more_trials_never_lose_to_the_start_on_validation():
    start, *others = (
        one_fold(LightGBMModel, COLUMNS, sample(0), sample(1), FitSettings(trials=trials)) for trials in (1, 3, 8)
    )
    least = start.parameters["validation_log_loss"]
    assert all(other.parameters["validation_log_loss"] <= least for other in others)


def test_the_start_is_left_for_a_gain_that_is_no_luck():
    # Steps that 8 leaves of 60 rows can't make: settings with smaller leaves win on any other rows.
    random = np.random.default_rng(3)
    parts = []
    for _ in range(2):
        days = random.random((3000, 1))
        parts.append(
            Sample(days, (random.random(3000) < np.where((days[:, 0] * 90) % 2 < 1, 0.05, 0.95)).astype(float))
        )
    model = one_fold(LightGBMModel, COLUMNS, *parts, FitSettings(trials=12))
    assert {name: model.parameters[name] for name in START} != dict(START)
    assert model.parameters["search_gain"] > 2 * model.parameters["search_gain_error"] > 0


def test_the_start_is_kept_where_nothing_is_to_be_learned():
    random = np.random.default_rng(4)
    parts = [Sample(random.random((400, 1)), (random.random(400) < 0.3).astype(float)) for _ in range(2)]
    model = one_fold(LightGBMModel, COLUMNS, *parts, FitSettings(trials=8))
    assert {name: model.parameters[name] for name in START} == dict(START)
    assert model.parameters["trials"] == 8


def test_optuna_stays_quiet_and_keeps_its_verbosity(capfd):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    one_fold(LightGBMModel, COLUMNS, sample(0), sample(1), FitSettings(trials=2))
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
