import numpy as np
import optuna
from optuna.trial import TrialState

from tenure.model.base import FitSettings, Sample
from tenure.model.learners.lightgbm import START, LightGBMModel, _Search
from tenure.model.select import Columns

COLUMNS = Columns(("customer_id",), ("days",), ())


def sample(seed):
    random = np.random.default_rng(seed)
    days = random.normal(size=(400, 1))
    return Sample(days, (random.random(400) < 1 / (1 + np.exp(-days[:, 0]))).astype(float))


def test_a_trial_is_cut_off_within_when_time_is_up_but_never_the_first():
    search = _Search(COLUMNS, sample(0), sample(1), FitSettings(seconds=0))
    study = optuna.create_study()
    study.optimize(search.loss, n_trials=3)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED]


def test_the_first_trial_is_the_hand_set_start():
    model = LightGBMModel.fit(COLUMNS, sample(0), sample(1), FitSettings(trials=1))
    assert {name: model.parameters[name] for name in START} == dict(START)


def test_more_trials_never_lose_on_validation():
    losses = [
        LightGBMModel.fit(COLUMNS, sample(0), sample(1), FitSettings(trials=trials, seconds=300)).parameters[
            "validation_log_loss"
        ]
        for trials in (1, 3, 8)
    ]
    assert losses == sorted(losses, reverse=True)


def test_optuna_stays_quiet_and_keeps_its_verbosity(capfd):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    LightGBMModel.fit(COLUMNS, sample(0), sample(1), FitSettings(trials=2))
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
